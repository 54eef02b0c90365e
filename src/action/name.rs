//! Names, and the underscore rule: a name that begins with `_` is passed on but never hashed.
//!
//! Names are environment variables, `NAME=VALUE` words before the command, and the NAME of `-i`, `-k`,
//! `--key-cmd`. Words of the command and file names are not names.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A name as the shell has them: `[A-Za-z_][A-Za-z0-9_]*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Returns the name, if the text is one.
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|byte| byte == b'_' || byte.is_ascii_alphabetic());
        (first && bytes.all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()))
            .then(|| Self(text.to_owned()))
    }

    /// Returns whether the name begins with `_`, and so is left out of every key.
    pub fn is_ignored(&self) -> bool {
        self.0.starts_with('_')
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Splits `NAME=REST`; `None` when what stands before the first `=` is no name.
pub fn split_named(text: &OsStr) -> Option<(Name, OsString)> {
    let bytes = text.as_bytes();
    let equals = bytes.iter().position(|&byte| byte == b'=')?;
    let name = Name::new(std::str::from_utf8(&bytes[..equals]).ok()?)?;
    Some((name, OsString::from_vec(bytes[equals + 1..].to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_shell() {
        for good in ["A", "_", "_x", "a1", "LC_ALL"] {
            assert!(Name::new(good).is_some(), "{good}");
        }
        for bad in ["", "1A", "A-B", "a.b", "é", "a "] {
            assert!(Name::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_what_stands_before_the_first_equals_sign_is_a_name() {
        let split = |text: &str| split_named(OsStr::new(text)).map(|(name, rest)| (name.0, rest));
        assert_eq!(split("A=b=c"), Some(("A".into(), "b=c".into())));
        assert_eq!(split("A="), Some(("A".into(), "".into())));
        assert_eq!(split("./A=b"), None);
        assert_eq!(split("=b"), None);
        assert_eq!(split("A"), None);
    }
}
