//! memo's own errors: a kind, which fixes the exit code, a message, and hints that can be pasted.

use std::fmt;
use std::io;

/// What an error means for whoever called memo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing such: exit 1, of subcommands other than run.
    Nothing,
    /// A subcommand was used wrongly: exit 2.
    Usage,
    /// `--only-cached` and nothing was: exit 75 (EX_TEMPFAIL of sysexits.h).
    NotCached,
    /// A singleton is not there, and was not to be started or replaced: exit 75 too.
    Left,
    /// It took too long: exit 124, as timeout(1).
    TimedOut,
    /// A singleton's process failed, with this exit status.
    Process(u8),
    /// memo itself failed, or was asked for something it cannot do: exit 125.
    Failed,
    /// The command was found but cannot be executed: exit 126.
    NotExecutable,
    /// The command was not found: exit 127.
    NotFound,
}

impl Kind {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Nothing => 1,
            Self::Usage => 2,
            Self::NotCached | Self::Left => 75,
            Self::TimedOut => 124,
            Self::Process(code) => code,
            Self::Failed => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
        }
    }
}

/// An error of memo's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
    details: Vec<String>,
    hints: Vec<String>,
}

impl Error {
    /// Returns an error: lower case, no final period, literals in backticks.
    pub fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), details: Vec::new(), hints: Vec::new() }
    }

    /// Adds a hint: what to do, as it can be pasted.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// Adds lines of somebody else's that say more, such as the last ones of a log.
    #[must_use]
    pub fn details(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(lines);
        self
    }

    /// Says that it means something else.
    #[must_use]
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Returns what it means.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the lines of somebody else's.
    pub fn lines(&self) -> &[String] {
        &self.details
    }

    /// Returns the hints.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Returns what the system says, without the number that Rust adds.
pub fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}
