//! The one canonical encoding of a key: field by field, length first, format name first.
//!
//! Never serde, `Debug`, `Hash` or concatenation: those change with a library, a compiler or a value
//! that contains the separator. A test in `key` pins a digest; what changes it must change the format name.

use sha2::{Digest as _, Sha256};

/// Writes fields under SHA-256.
#[derive(Clone, Debug)]
pub struct Canon(Sha256);

impl Canon {
    /// Starts an encoding of the format with this name.
    pub fn new(format: &str) -> Self {
        let mut canon = Self(Sha256::new());
        canon.bytes(format.as_bytes());
        canon
    }

    /// Names the field that follows.
    pub fn tag(&mut self, name: &str) -> &mut Self {
        self.bytes(name.as_bytes())
    }

    /// Writes bytes, their length first.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
        self
    }

    /// Writes a number, eight bytes, little end first.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.0.update(number.to_le_bytes());
        self
    }

    /// Writes bytes that may be missing, which differs from there being none of them.
    pub fn optional(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        match bytes {
            None => self.number(0),
            Some(bytes) => self.number(1).bytes(bytes),
        }
    }

    /// Writes a list of byte strings, their number first.
    pub fn list<'a>(&mut self, items: impl ExactSizeIterator<Item = &'a [u8]>) -> &mut Self {
        self.number(items.len() as u64);
        for item in items {
            self.bytes(item);
        }
        self
    }

    /// Returns the digest of what was written.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
