//! Where a value of the configuration comes from.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use super::key::{Key, Set};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said otherwise.
    BuiltIn,
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// What was set, in the order of the layers. Empty, and so without cost, when nothing was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origins(Vec<(Key, Set, Origin)>);

impl Origins {
    /// Notes what a key has set.
    pub(super) fn add(&mut self, key: Key, set: Set, origin: Origin) {
        self.0.push((key, set, origin));
    }

    /// Returns where the value of a key comes from.
    pub(super) fn of(&self, key: Key) -> Origin {
        let last = self.0.iter().rev().find(|(known, ..)| *known == key);
        last.map_or(Origin::BuiltIn, |(.., origin)| origin.clone())
    }

    /// Returns where an element of a key's list comes from.
    pub(super) fn of_element(&self, key: Key, element: &OsStr) -> Origin {
        let has = |set: &Set| matches!(set, Set::Elements(some) if some.iter().any(|one: &OsString| one == element));
        let last = self.0.iter().rev().find(|(known, set, _)| *known == key && has(set));
        last.map_or(Origin::BuiltIn, |(.., origin)| origin.clone())
    }

    /// Returns whether a variable of the environment decides a key.
    pub(super) fn is_variable(&self, key: Key) -> bool {
        matches!(self.of(key), Origin::Variable(_))
    }
}
