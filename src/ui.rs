//! The only writer of memo's own lines. They go to stderr, each begins with `memo: `, for the command's
//! stderr is the same stream.
//!
//! Errors always; one group of warnings for a run; notes and hints only with `-v` or on a terminal,
//! because configure scripts test for an empty stderr.

use std::cell::Cell;
use std::fmt::Display;

use crate::error::Error;
use crate::sys::{descriptor, terminal};

/// How much memo says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Talk {
    /// `-q`: errors alone.
    Quiet,
    /// Errors, warnings, and notes on a terminal.
    #[default]
    Normal,
    /// `-v`: also a line for each hit and miss.
    Verbose,
}

/// Writes memo's own lines.
#[derive(Debug)]
pub struct Ui {
    talk: Talk,
    warned: Cell<bool>,
}

impl Ui {
    /// Returns a writer that says so much.
    pub fn new(talk: Talk) -> Self {
        Self { talk, warned: Cell::new(false) }
    }

    /// Returns whether `-v` was given.
    pub fn is_verbose(&self) -> bool {
        self.talk == Talk::Verbose
    }

    /// Says an error with its hints.
    pub fn error(&self, error: &Error) {
        let mut text = format!("memo: error: {error}\n");
        for line in error.lines() {
            text.push_str(&format!("memo:   | {line}\n"));
        }
        for hint in error.hints() {
            text.push_str(&format!("memo:   hint: {hint}\n"));
        }
        write(&text);
    }

    /// Says a warning with its hint; only the first of a run is said.
    pub fn warning(&self, message: impl Display, hint: Option<&str>) {
        if self.talk != Talk::Quiet && !self.warned.replace(true) {
            self.group("warning: ", message, hint);
        }
    }

    /// Says a warning about what was done, or was not, to something of the user's; whatever else was warned of.
    pub fn caution(&self, message: impl Display, hint: Option<&str>) {
        if self.talk != Talk::Quiet {
            self.group("warning: ", message, hint);
        }
    }

    /// Says what was done to something of the user's, with a hint, to all who do not want quiet.
    pub fn done(&self, message: impl Display, hint: Option<&str>) {
        if self.talk != Talk::Quiet {
            self.group("", message, hint);
        }
    }

    /// Says a note with its hint, to those who listen.
    pub fn note(&self, message: impl Display, hint: Option<&str>) {
        let terminal = || terminal::is_terminal(descriptor::standard(2));
        if self.talk == Talk::Verbose || self.talk == Talk::Normal && terminal() {
            self.group("note: ", message, hint);
        }
    }

    /// Says a line with `-v`.
    pub fn verbose(&self, message: impl Display) {
        if self.talk == Talk::Verbose {
            self.group("", message, None);
        }
    }

    fn group(&self, label: &str, message: impl Display, hint: Option<&str>) {
        let mut text = format!("memo: {label}{message}\n");
        if let Some(hint) = hint {
            text.push_str(&format!("memo:   hint: {hint}\n"));
        }
        write(&text);
    }
}

/// Says where memo's own code failed, for a report.
pub fn internal_error(panicked: &std::panic::PanicHookInfo<'_>) {
    let what = panicked.payload_as_str().unwrap_or("no message");
    let at = panicked.location().map_or(String::new(), |location| format!(" at {location}"));
    write(&format!("memo: internal error{at}: {what}\n"));
}

/// One write for all lines, so that no other process's come between. A stderr that takes nothing is
/// nothing memo can report.
fn write(text: &str) {
    let _ = descriptor::write_all(descriptor::standard(2), text.as_bytes());
}
