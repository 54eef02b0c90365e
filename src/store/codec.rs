//! The byte encoding of what the store's files hold: numbers little end first, byte strings length first.
//!
//! A reader never allocates more than the bytes it was given can fill, and never panics on any of them.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::action::digest::Digest;
use crate::action::identity::Identity;

/// The bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its bytes make no sense")]
pub struct Malformed;

/// Writes fields.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Starts with these bytes.
    pub fn starting_with(magic: &[u8]) -> Self {
        Self(magic.to_vec())
    }

    /// Returns what was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Writes one byte.
    pub fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }

    /// Writes a number in as few bytes as it needs, seven bits in each (LEB128).
    pub fn number(&mut self, mut number: u64) -> &mut Self {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.byte(number as u8)
    }

    /// Writes a signed number, eight bytes.
    pub fn signed(&mut self, number: i64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    /// Writes a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Writes a path.
    pub fn path(&mut self, path: &Path) -> &mut Self {
        self.bytes(path.as_os_str().as_bytes())
    }

    /// Writes a digest.
    pub fn digest(&mut self, digest: &Digest) -> &mut Self {
        self.raw(digest.as_bytes())
    }

    /// Writes bytes whose number the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Writes a duration, in ns.
    pub fn duration(&mut self, duration: Duration) -> &mut Self {
        self.number(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Writes a duration that may be missing.
    pub fn optional_duration(&mut self, duration: Option<Duration>) -> &mut Self {
        match duration {
            None => self.byte(0),
            Some(duration) => self.byte(1).duration(duration),
        }
    }

    /// Writes a stat identity.
    pub fn identity(&mut self, identity: &Identity) -> &mut Self {
        let Identity { dev, ino, mode, uid, gid, size, mtime, ctime } = *identity;
        self.number(dev).number(ino).number(mode.into()).number(uid.into()).number(gid.into()).number(size);
        self.signed(mtime).signed(ctime)
    }
}

/// Reads fields.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads these bytes from their beginning.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Takes bytes whose number is known.
    ///
    /// # Errors
    /// [`Malformed`] when there are fewer.
    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// [`Malformed`] at the end.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.raw(1)?[0])
    }

    /// Reads a number.
    ///
    /// # Errors
    /// [`Malformed`] at the end, and when it has more than 64 bits.
    pub fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }

    /// Reads a signed number.
    ///
    /// # Errors
    /// [`Malformed`] at the end.
    pub fn signed(&mut self) -> Result<i64, Malformed> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// Reads a number of items that are each at least one byte long.
    ///
    /// # Errors
    /// [`Malformed`] when so many cannot follow.
    pub fn count(&mut self) -> Result<usize, Malformed> {
        let count = usize::try_from(self.number()?).map_err(|_| Malformed)?;
        if count <= self.0.len() { Ok(count) } else { Err(Malformed) }
    }

    /// Reads a number that fits 32 bits.
    ///
    /// # Errors
    /// [`Malformed`] otherwise.
    pub fn small(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| Malformed)
    }

    /// Reads a byte string.
    ///
    /// # Errors
    /// [`Malformed`] when it is cut short.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.number()?).map_err(|_| Malformed)?;
        self.raw(length)
    }

    /// Reads a path.
    ///
    /// # Errors
    /// [`Malformed`] when it is cut short, or has a NUL, which no path has.
    pub fn path(&mut self) -> Result<PathBuf, Malformed> {
        let bytes = self.bytes()?;
        if bytes.contains(&0) { Err(Malformed) } else { Ok(OsString::from_vec(bytes.to_vec()).into()) }
    }

    /// Reads a text.
    ///
    /// # Errors
    /// [`Malformed`] when it is cut short or no UTF-8.
    pub fn text(&mut self) -> Result<String, Malformed> {
        Ok(std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)?.to_owned())
    }

    /// Reads a digest.
    ///
    /// # Errors
    /// [`Malformed`] when it is cut short.
    pub fn digest(&mut self) -> Result<Digest, Malformed> {
        Ok(Digest::from_bytes(self.array()?))
    }

    /// Reads a duration.
    ///
    /// # Errors
    /// [`Malformed`] when it is cut short.
    pub fn duration(&mut self) -> Result<Duration, Malformed> {
        Ok(Duration::from_nanos(self.number()?))
    }

    /// Reads a duration that may be missing.
    ///
    /// # Errors
    /// [`Malformed`] when it is cut short.
    pub fn optional_duration(&mut self) -> Result<Option<Duration>, Malformed> {
        match self.byte()? {
            0 => Ok(None),
            1 => Ok(Some(self.duration()?)),
            _ => Err(Malformed),
        }
    }

    /// Reads a stat identity.
    ///
    /// # Errors
    /// [`Malformed`] when it is cut short.
    pub fn identity(&mut self) -> Result<Identity, Malformed> {
        Ok(Identity {
            dev: self.number()?,
            ino: self.number()?,
            mode: self.small()?,
            uid: self.small()?,
            gid: self.small()?,
            size: self.number()?,
            mtime: self.signed()?,
            ctime: self.signed()?,
        })
    }

    /// Reads a list.
    ///
    /// # Errors
    /// [`Malformed`] when its number is impossible, and whatever reading an item gives.
    pub fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.count()?;
        (0..count).map(|_| item(self)).collect()
    }

    /// Makes sure that nothing is left.
    ///
    /// # Errors
    /// [`Malformed`] when something is.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.raw(N)?);
        Ok(array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back() {
        for number in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let bytes = {
                let mut w = Writer::default();
                w.number(number);
                w.into_bytes()
            };
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.number(), Ok(number));
            assert_eq!(reader.end(), Ok(()));
        }
        assert_eq!(Reader::new(&[0xff; 10]).number(), Err(Malformed));
        assert_eq!(Reader::new(&[0x80]).number(), Err(Malformed));
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error_not_an_allocation() {
        let bytes = {
            let mut w = Writer::default();
            w.number(1 << 50);
            w.into_bytes()
        };
        assert_eq!(Reader::new(&bytes).bytes(), Err(Malformed));
        assert_eq!(Reader::new(&bytes).list(Reader::byte), Err(Malformed));
    }
}
