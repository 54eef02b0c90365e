//! What memo does with the store: the switch for a whole script.

use std::fmt;
use std::str::FromStr;

use super::nearest::nearest;

/// What memo does with the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Looks up, runs and records.
    #[default]
    On,
    /// Runs the command, nothing else.
    Off,
    /// Looks up, records nothing.
    ReadOnly,
    /// Runs always, and records.
    Refresh,
}

/// A text that is no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown mode `{0}`")]
pub struct BadMode(pub String);

impl BadMode {
    /// Returns what was meant, or what there is.
    pub fn hint(&self) -> String {
        match nearest(&self.0, Mode::ALL.map(Mode::name)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "one of: on, off, read-only, refresh".to_owned(),
        }
    }
}

impl Mode {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::On, Self::Off, Self::ReadOnly, Self::Refresh];

    /// Returns the word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::ReadOnly => "read-only",
            Self::Refresh => "refresh",
        }
    }
}

impl FromStr for Mode {
    type Err = BadMode;

    fn from_str(text: &str) -> Result<Self, BadMode> {
        let known = Self::ALL.into_iter().find(|mode| mode.name() == text);
        known.ok_or_else(|| BadMode(text.to_owned()))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
    }

    #[test]
    fn other_words_are_refused() {
        let bad = "readonly".parse::<Mode>().unwrap_err();
        assert_eq!(bad.to_string(), "unknown mode `readonly`");
        assert_eq!(bad.hint(), "did you mean `read-only`?");
        assert_eq!(BadMode("1".to_owned()).hint(), "one of: on, off, read-only, refresh");
    }
}
