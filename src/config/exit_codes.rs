//! Sets of exit codes: `0`, `0,1`, `1-3,7`.

use std::fmt;
use std::str::FromStr;

/// A set of exit codes; by default 0 alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCodes {
    /// One bit for each code, lowest first.
    bits: [u64; 4],
}

/// A text that is no set of exit codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid exit codes `{0}`")]
pub struct BadExitCodes(pub String);

impl BadExitCodes {
    /// Returns what would be right.
    pub fn hint(&self) -> &'static str {
        "codes from 0 to 255, for example: 0 or 0,1 or 1-3,7"
    }
}

impl ExitCodes {
    /// Returns whether a code is in the set.
    pub fn contains(&self, code: u8) -> bool {
        self.bits[usize::from(code / 64)] >> (code % 64) & 1 == 1
    }

    fn insert(&mut self, code: u8) {
        self.bits[usize::from(code / 64)] |= 1 << (code % 64);
    }
}

impl Default for ExitCodes {
    fn default() -> Self {
        Self::from_iter([0])
    }
}

impl FromIterator<u8> for ExitCodes {
    fn from_iter<T: IntoIterator<Item = u8>>(codes: T) -> Self {
        let mut set = Self { bits: [0; 4] };
        codes.into_iter().for_each(|code| set.insert(code));
        set
    }
}

impl FromStr for ExitCodes {
    type Err = BadExitCodes;

    fn from_str(text: &str) -> Result<Self, BadExitCodes> {
        let bad = || BadExitCodes(text.to_owned());
        let code = |text: &str| text.trim().parse::<u8>().map_err(|_| bad());
        let mut set = Self::from_iter([]);
        for part in text.split(',') {
            let (first, last) = match part.split_once('-') {
                Some((first, last)) => (code(first)?, code(last)?),
                None => (code(part)?, code(part)?),
            };
            if first > last {
                return Err(bad());
            }
            (first..=last).for_each(|code| set.insert(code));
        }
        Ok(set)
    }
}

impl fmt::Display for ExitCodes {
    /// Writes the form that is read: three or more in a row as a range.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut codes = (0..=u8::MAX).filter(|code| self.contains(*code)).peekable();
        let mut comma = "";
        while let Some(first) = codes.next() {
            let mut last = first;
            while let Some(next) = codes.next_if(|next| *next == last + 1) {
                last = next;
            }
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                1 => write!(f, "{comma}{first},{last}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, codes: &[u8], shown: &str) {
        let set: ExitCodes = text.parse().unwrap();
        assert_eq!((0..=255).filter(|code| set.contains(*code)).collect::<Vec<u8>>(), codes, "{text}");
        assert_eq!(set.to_string(), shown, "{text}");
        assert_eq!(shown.parse(), Ok(set), "{text}");
    }

    #[test]
    fn every_form_is_read_and_written() {
        check("0", &[0], "0");
        check("0,1", &[0, 1], "0,1");
        check("1-3,7", &[1, 2, 3, 7], "1-3,7");
        check("7, 2-3 ,2", &[2, 3, 7], "2,3,7");
        check("254-255,64,63", &[63, 64, 254, 255], "63,64,254,255");
        check("0-255", &(0..=255).collect::<Vec<u8>>(), "0-255");
        assert_eq!(ExitCodes::default().to_string(), "0");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", ",", "0,", "256", "-1", "3-1", "1-2-3", "a", "0 1"] {
            assert_eq!(text.parse::<ExitCodes>(), Err(BadExitCodes(text.to_owned())), "{text}");
        }
        assert_eq!(BadExitCodes("256".to_owned()).to_string(), "invalid exit codes `256`");
    }
}
