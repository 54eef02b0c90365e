//! A time to live: a duration above zero, or `none`.

use std::time::Duration;

use super::duration::{self, BadDuration};

/// A text that is no time to live.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTtl {
    /// Not a duration.
    #[error(transparent)]
    Duration(#[from] BadDuration),
    /// Zero: expired as soon as it is recorded.
    #[error("`{0}` would keep nothing")]
    Zero(String),
}

impl BadTtl {
    /// Returns what would be right.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Duration(bad) => bad.hint(),
            Self::Zero(_) => {
                "`MEMO_MODE=off` runs without the store, `--refresh` runs again and keeps the result"
            }
        }
    }
}

/// Reads a time to live; `none`, which takes one back that another layer set, is `None`.
///
/// # Errors
/// [`BadTtl`] for what is no duration, and for zero.
pub fn parse(text: &str) -> Result<Option<Duration>, BadTtl> {
    if text.trim() == "none" {
        return Ok(None);
    }
    match duration::parse(text)? {
        Duration::ZERO => Err(BadTtl::Zero(text.to_owned())),
        duration => Ok(Some(duration)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_or_none() {
        assert_eq!(parse("15m"), Ok(Some(Duration::from_secs(900))));
        assert_eq!(parse("none"), Ok(None));
        assert_eq!(parse("soon").unwrap_err().to_string(), "invalid duration `soon`");
        let zero = parse("0s").unwrap_err();
        assert_eq!(zero.to_string(), "`0s` would keep nothing");
        assert_eq!(
            zero.hint(),
            "`MEMO_MODE=off` runs without the store, `--refresh` runs again and keeps the result"
        );
    }
}
