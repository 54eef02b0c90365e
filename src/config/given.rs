//! A value as a layer gives it, before a key has made sense of it.

use std::borrow::Cow;
use std::ffi::OsStr;

use toml::de::DeValue;

/// A value of a file or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given<'a> {
    /// A string; of a variable, any bytes.
    Text(&'a OsStr),
    /// A number that is not negative.
    Number(u64),
    /// true or false.
    Truth(bool),
    /// A list.
    List(Vec<Given<'a>>),
    /// What no key takes, in words.
    Other(&'static str),
}

impl Given<'_> {
    /// Returns what kind of value it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(text) if text.to_str().is_none() => "bytes that are not UTF-8",
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Truth(_) => "a boolean",
            Self::List(_) => "a list",
            Self::Other(kind) => kind,
        }
    }

    /// Returns the text of a string or a number: `ttl = 90` means `ttl = "90"`.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => text.to_str().map(Cow::Borrowed),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Truth(_) | Self::List(_) | Self::Other(_) => None,
        }
    }
}

impl<'a> From<&'a DeValue<'_>> for Given<'a> {
    fn from(value: &'a DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(OsStr::new(&**text)),
            DeValue::Integer(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Self::Number(number),
                Err(_) => Self::Other("a number below zero or beyond 64 bits"),
            },
            DeValue::Array(values) => Self::List(values.iter().map(|one| one.get_ref().into()).collect()),
            DeValue::Float(_) => Self::Other("a number with a fraction"),
            DeValue::Boolean(truth) => Self::Truth(*truth),
            DeValue::Datetime(_) => Self::Other("a date or time"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }
}
