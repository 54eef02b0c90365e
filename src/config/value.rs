//! What a value means: the readers that keys and the keys of rules share.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::exit_codes::BadExitCodes;
use super::given::Given;
use super::mode::BadMode;
use super::{ExitCodes, Mode, progress, size, ttl};

/// Why a value was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) message: String,
    pub(super) hint: String,
}

impl Bad {
    pub(super) fn new(message: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self { message: message.to_string(), hint: hint.into() }
    }
}

/// A value, and an example of a right one for whoever gave a wrong one.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) given: &'a Given<'a>,
    pub(super) example: &'static str,
}

impl Value<'_> {
    /// Says that it is of the wrong kind.
    pub(super) fn wrong(self, wanted: &str) -> Bad {
        Bad::new(format!("expected {wanted}, found {}", self.given.kind()), self.example)
    }

    pub(super) fn mode(self) -> Result<Mode, Bad> {
        let text = self.given.text().ok_or_else(|| self.wrong("a mode"))?;
        text.parse().map_err(|bad: BadMode| Bad::new(&bad, bad.hint()))
    }

    /// Reads one of several names.
    pub(super) fn choice<T: Copy>(self, known: &[(&'static str, T)]) -> Result<T, Bad> {
        let text = self.given.text().ok_or_else(|| self.wrong("a word"))?;
        progress::choice(&text, known).map_err(|(message, hint)| Bad::new(message, hint))
    }

    pub(super) fn ttl(self) -> Result<Option<Duration>, Bad> {
        let text = self.given.text().ok_or_else(|| self.wrong("a duration"))?;
        ttl::parse(&text).map_err(|bad| Bad::new(&bad, bad.hint()))
    }

    pub(super) fn size(self) -> Result<u64, Bad> {
        let text = self.given.text().ok_or_else(|| self.wrong("a size"))?;
        size::parse(&text).map_err(|bad| Bad::new(&bad, bad.hint()))
    }

    /// Reads a count, in digits.
    pub(super) fn number(self, least: u64) -> Result<u64, Bad> {
        let text = self.given.text().ok_or_else(|| self.wrong("a number"))?;
        let digits = text.trim();
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        number
            .filter(|number| *number >= least)
            .ok_or_else(|| Bad::new(format!("`{text}` is no number from {least} up"), self.example))
    }

    pub(super) fn truth(self) -> Result<bool, Bad> {
        match self.given {
            Given::Truth(truth) => Ok(*truth),
            Given::Text(text) if *text == "true" => Ok(true),
            Given::Text(text) if *text == "false" => Ok(false),
            Given::Text(text) => {
                Err(Bad::new(format!("`{}` is neither true nor false", text.display()), self.example))
            }
            _ => Err(self.wrong("true or false")),
        }
    }

    pub(super) fn text(self, wanted: &str) -> Result<OsString, Bad> {
        match self.given {
            Given::Text(text) if !text.is_empty() => Ok(text.to_os_string()),
            Given::Text(_) => {
                Err(Bad::new(format!("expected {wanted}, found an empty string"), self.example))
            }
            _ => Err(self.wrong(wanted)),
        }
    }

    /// Reads a list of names, or one string with commas, which is all that a variable can hold.
    pub(super) fn names(self) -> Result<Vec<OsString>, Bad> {
        let mut names = match self.given {
            Given::Text(text) => {
                let parts = text.as_bytes().split(|byte| *byte == b',');
                parts.map(|part| OsStr::from_bytes(part.trim_ascii()).to_owned()).collect()
            }
            _ => self.texts("names")?,
        };
        names.retain(|name| !name.is_empty());
        Ok(names)
    }

    /// Reads a list of texts, or one.
    pub(super) fn texts(self, wanted: &str) -> Result<Vec<OsString>, Bad> {
        let one = |given: &Given<'_>| match given {
            Given::Text(text) => Ok(text.to_os_string()),
            _ => Err(Bad::new(format!("expected {wanted}, found {}", given.kind()), self.example)),
        };
        match self.given {
            Given::Text(text) => Ok(vec![text.to_os_string()]),
            Given::List(list) => list.iter().map(one).collect(),
            _ => Err(self.wrong(&format!("a list of {wanted}"))),
        }
    }

    /// Reads a list of numbers, or the text of `--cache-exit`.
    pub(super) fn codes(self) -> Result<ExitCodes, Bad> {
        let bad = |bad: BadExitCodes| Bad::new(&bad, bad.hint());
        let Given::List(list) = self.given else {
            let text = self.given.text().ok_or_else(|| self.wrong("exit codes"))?;
            return text.parse().map_err(bad);
        };
        if list.is_empty() {
            return Err(Bad::new(
                "no exit code would keep nothing",
                "`MEMO_MODE=off` runs without the store",
            ));
        }
        let code = |one: &Given<'_>| match one {
            Given::Number(number) => u8::try_from(*number).map_err(|_| bad(BadExitCodes(number.to_string()))),
            _ => Err(Bad::new(format!("expected numbers, found {}", one.kind()), self.example)),
        };
        list.iter().map(code).collect()
    }
}
