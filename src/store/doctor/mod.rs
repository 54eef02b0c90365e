//! doctor: looks at every file of a store, says what is wrong, and sets it right.
//!
//! Nothing of the user's is deleted: what is damaged moves to `quarantine/`, and the entries that needed it
//! are dropped. What killed runs leave behind (temporary files, leases that nobody holds) is no fault.
//!
//! # Locking
//! The store is looked through without a lock, while others work in it; so whatever seems wrong is looked
//! at once more with `gc.lock` and `generation` held, when nothing is recorded and nothing removed. Looking
//! changes nothing on disk: a lock whose file is not there is not taken then, and the index that is compared is a
//! copy in memory.
//!
//! # Crash safety
//! First what is damaged moves, then the entries that need it go: killed in between, doctor has left
//! entries without their files, which answer nobody and which it finds the next time.

mod fix;
mod look;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Store;
use super::gc;
use super::generation::Generation;
use super::index::Index;
use super::location::Trouble;
use super::lock;
use super::outcome::OutcomeId;
use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
use crate::fault;
pub use fix::fix;

/// How long those who record or remove something are waited for; it takes them milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What may be wrong in a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file or directory, relative to the store.
    File(PathBuf),
    /// An entry: what its manifest says of it does not fit what is there.
    Entry(ActionKey, OutcomeId),
    /// The index.
    Index,
}

/// What sets it right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It moves to `quarantine/`.
    Quarantine,
    /// It moves there, and a sound one takes its place.
    Replace,
    /// It is made.
    Make,
    /// Others lose the right to write to it.
    Close,
    /// The entry is dropped.
    Drop,
    /// The index is built anew.
    Rebuild,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quarantine => "move it to `quarantine/`",
            Self::Replace => "move it to `quarantine/` and write a new one",
            Self::Make => "make it",
            Self::Close => "take the right to write from others",
            Self::Drop => "drop the entry",
            Self::Rebuild => "build it anew from the files",
        })
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What.
    pub what: String,
    /// What sets it right.
    pub remedy: Remedy,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path) => write!(f, "`{}`", path.display())?,
            Place::Entry(_, outcome) => write!(f, "entry {}", outcome.0.short())?,
            Place::Index => write!(f, "`index.db`")?,
        }
        write!(f, ": {}", self.what)
    }
}

/// What a store looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many entries can answer.
    pub entries: u64,
    /// How many manifests, outcomes of their own and blobs there are.
    pub files: [u64; 3],
    /// What those take, in bytes on disk.
    pub bytes: u64,
    /// What killed runs have left.
    pub leftovers: Leftovers,
    /// How many files are in quarantine.
    pub quarantined: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// What killed runs have left, which is no fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// How many leases that nobody holds.
    pub leases: u64,
    /// How many files in `tmp/` whose maker is gone.
    pub temporary: u64,
    /// What they take, in bytes on disk.
    pub bytes: u64,
}

impl Leftovers {
    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.leases + self.temporary == 0
    }
}

/// Returns whether a store was made here, also when it has lost its `FORMAT` since.
pub fn is_store(store: &Store) -> bool {
    look::is_store(store)
}

/// Looks through a store for the user with this id, and changes nothing.
///
/// # Errors
/// [`Trouble`] when a newer memo made it, and when it cannot be listed.
pub fn check(store: &Store, user: u32, now: Timestamp) -> Result<Report, Trouble> {
    if !is_store(store) {
        return Ok(Report::default());
    }
    if let Some(found) = store.format().unwrap_or(None).filter(|found| *found > super::FORMAT) {
        return Err(Trouble::Newer { path: store.path().to_owned(), found, known: super::FORMAT });
    }
    let mut report = look::through(store, user)?;
    fault::point("doctor.looked");
    let held = hold_what_is_there(store);
    report.faults.retain_mut(|fault| match look::again(store, user, fault) {
        Some(found) => {
            *fault = found;
            true
        }
        None => false,
    });
    report.faults.extend(look::index(store, now)?);
    report.entries = Index::to_look_at(store, now)?.total()?.entries;
    drop(held);
    for leftover in gc::abandoned(store, now)? {
        let left = &mut report.leftovers;
        left.bytes += leftover.bytes;
        match leftover.of_run() {
            Some(true) => left.leases += 1,
            Some(false) => left.temporary += 1,
            None => {}
        }
    }
    Ok(report)
}

/// Keeps everybody from recording and from removing, as far as that can be had without making anything. One
/// that may only be read is not changed by anybody else either.
fn hold_what_is_there(store: &Store) -> (Option<File>, Option<Generation>) {
    let other = File::options().read(true).write(true).open(store.path().join("gc.lock")).ok();
    let other = other.filter(|file| lock::exclusive(file, PATIENCE).is_ok());
    (other, Generation::exclusive_within(store, PATIENCE).ok())
}

/// Keeps everybody from recording and from removing.
fn hold(store: &Store) -> Result<(File, Generation), Trouble> {
    Ok((gc::hold(store)?, Generation::exclusive(store)?))
}

/// Returns where a path is in a store.
fn below(store: &Store, path: &Path) -> PathBuf {
    path.strip_prefix(store.path()).unwrap_or(path).to_owned()
}
