//! Instances: one run of a long-running process, which a result may depend on.

use std::fmt;
use std::io;

use crate::sys::random;

/// A random id of one run of a long-running process.
///
/// What depends on such a process refers to it by this, and never by a pid, a port or a start time: those are used
/// again, and a result would be taken for one of another process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId([u8; Self::LENGTH]);

impl InstanceId {
    /// Length in bytes: of so many random ones no two are ever alike.
    pub const LENGTH: usize = 16;

    /// Returns an id that nothing has had before.
    ///
    /// # Errors
    /// Those of getrandom(2).
    pub fn new() -> io::Result<Self> {
        let mut bytes = [0; Self::LENGTH];
        random::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Returns the id with these bytes.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Returns the id with this hexadecimal name, of 32 digits in lower case.
    pub fn from_hex(name: &str) -> Option<Self> {
        let mut bytes = [0; Self::LENGTH];
        let (pairs, rest) = name.as_bytes().as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(bytes))
    }

    /// Returns the first eight hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceId({self})")
    }
}

/// Returns the value of a hexadecimal digit. One spelling for each id: what is compared as text is the same too.
fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "00102f3a4b5c6d7e8f90a1b2c3d4e5ff";

    #[test]
    fn an_id_is_read_back_from_its_name() {
        let id = InstanceId::from_hex(NAME).unwrap();
        assert_eq!((id.as_bytes()[..3].to_vec(), id.as_bytes()[15]), (vec![0, 0x10, 0x2f], 0xff));
        assert_eq!(InstanceId::from_bytes(*id.as_bytes()), id);
        assert_eq!((id.to_string().as_str(), id.short().as_str()), (NAME, "00102f3a"));
        assert_eq!(format!("{id:?}"), format!("InstanceId({NAME})"));
    }

    #[test]
    fn nothing_else_is_the_name_of_an_id() {
        let upper = NAME.to_uppercase();
        let (short, long, odd) = (&NAME[2..], format!("{NAME}00"), format!("{NAME}0"));
        let (sign, wide) = (NAME.replacen("00", "+0", 1), NAME.replacen("00", "é", 1));
        for name in ["", "0", &upper, short, &long, &odd, &sign, &wide] {
            assert_eq!(InstanceId::from_hex(name), None, "{name}");
        }
    }

    #[test]
    fn no_two_new_ones_are_alike() {
        assert_ne!(InstanceId::new().unwrap(), InstanceId::new().unwrap());
    }
}
