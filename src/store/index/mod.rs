//! The index: what `ls`, `clear` and their kin ask, in SQLite. All SQL of memo is here.
//!
//! The store's files are the truth. Opening the index compares it with them and brings it up: directories
//! by their stat identity, manifests by theirs, and the journal's hits are folded in. So an index that is
//! missing, damaged or of an older memo is not repaired but thrown away: an empty one is brought up the
//! same way. All that is lost then is how often and when outcomes were used, and what was counted.
//!
//! # Locking
//! Every change is one IMMEDIATE transaction; another process waits for it up to 5 s. The journal is
//! renamed to `journal.N` under its own lock before it is read, and N is noted in the transaction that
//! applies it: a process killed after the rename leaves the file to the next fold, one killed after the
//! commit leaves a file that is only removed.
//!
//! # Compatibility
//! `application_id` says whose file it is, `user_version` which schema it has. An index with a newer schema
//! is left alone, one that cannot be written (a read-only store, a full disk, another process that does
//! not let go) too: then a copy in memory is brought up instead, so that reading always works.
//!
//! # Performance
//! The journal mode is TRUNCATE, not WAL. WAL pays when readers and a writer work side by side for long;
//! here each process opens, writes at most once and closes, and in WAL the last one out would pay for a
//! checkpoint each time (measured 5.6 ms), one that was killed would leave the log to the next to replay, and
//! no store without write access could be read. `synchronous` is NORMAL: SQLite, unlike the rest of the store,
//! does not verify what it reads, and a fold is on nobody's way. An opening that finds nothing new
//! writes nothing.
//!
//! Comparing costs one lstat(2) for each of up to 768 directories; in those that changed since, or within
//! the racy guard, one for each file. Measured with 100,000 entries on ext4: 1.3 ms when nothing changed, 0.29 s
//! when all directories are young, 1.6 s to build all of it; reading all rows is another 0.18 s.

mod column;
mod counts;
mod digests;
mod entries;
mod fold;
mod history;
mod retain;
mod schema;
mod shards;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::Store;
use super::gc::retention::{Candidate, MostEntries};
use super::location::Trouble;
use super::outcome::OutcomeId;
use super::usage::Usage;
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
pub use counts::{Count, Counts, Sum};
pub use digests::Digests;
pub use entries::{Order, Row};
pub use history::{Earlier, History, Refused};

/// The index of a store, brought up to what its files say.
#[derive(Debug)]
pub struct Index<'a> {
    store: &'a Store,
    now: Timestamp,
    connection: Connection,
    /// Which file it is on, by device and inode; `None` in memory.
    file: Option<(u64, u64)>,
}

/// What a beginning of a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Nothing.
    Nothing,
    /// The entry whose name begins so, or all entries of the action whose key does.
    Entries(Vec<Row>),
    /// More than one: these.
    Ambiguous(Vec<Row>),
}

/// How much some entries are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// How many.
    pub entries: u64,
    /// The bytes that go with them: their own, and those of blobs that no other entry needs.
    pub bytes: u64,
}

/// Why an index cannot be used.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// It is no index, an older memo's, or damaged: it can be thrown away.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It is to be left alone.
    #[error("a newer memo made it")]
    Newer,
    /// SQLite cannot work on it now.
    #[error(transparent)]
    Sql(rusqlite::Error),
    /// The store itself cannot be read.
    #[error(transparent)]
    Store(#[from] Trouble),
}

impl<'a> Index<'a> {
    /// Opens the index of a store and brings it up, folding the journal. Nothing is made where there is no
    /// store.
    ///
    /// # Errors
    /// [`Trouble`] when the store itself cannot be read, or a newer memo made it.
    pub fn open(store: &'a Store, now: Timestamp) -> Result<Self, Trouble> {
        if !store.is_made() {
            let connection = schema::in_memory(None).map_err(|fault| trouble(store, fault))?;
            return Ok(Self { store, now, connection, file: None });
        }
        if let Some(found) = store.format()?.filter(|found| *found > super::FORMAT) {
            let path = store.path().to_owned();
            return Err(Trouble::Newer { path, found, known: super::FORMAT });
        }
        let path = path(store);
        let before = schema::identity(&path);
        match Self::on_disk(store, &path, now) {
            Ok(index) => return Ok(index),
            Err(Fault::Damaged(_)) => {
                if schema::discard(&path, before).is_ok()
                    && let Ok(index) = Self::on_disk(store, &path, now)
                {
                    return Ok(index);
                }
            }
            Err(_) => {}
        }
        Self::in_memory(store, Some(&path), now).map_err(|fault| trouble(store, fault))
    }

    /// Returns a copy of the index in memory, brought up to the files: on disk nothing changes.
    pub(super) fn to_look_at(store: &'a Store, now: Timestamp) -> Result<Self, Trouble> {
        Self::in_memory(store, Some(&path(store)), now).map_err(|fault| trouble(store, fault))
    }

    /// Returns an index in memory, built from the store's files alone.
    pub(super) fn anew(store: &'a Store, now: Timestamp) -> Result<Self, Trouble> {
        Self::in_memory(store, None, now).map_err(|fault| trouble(store, fault))
    }

    /// Returns what is wrong with the index file, as far as SQLite sees it. One that is not there is sound.
    pub(super) fn damage(store: &Store) -> Option<String> {
        match schema::examine(&path(store)) {
            Err(fault @ Fault::Damaged(_)) => Some(fault.to_string()),
            _ => None,
        }
    }

    /// Throws the index file away.
    pub(super) fn discard(store: &Store) -> Result<(), Trouble> {
        let path = path(store);
        schema::discard(&path, schema::identity(&path)).map_err(|error| Trouble::io("remove", &path, error))
    }

    /// Returns all entries whose content is still there, the newest first.
    ///
    /// # Errors
    /// [`Trouble`] when SQLite will not.
    pub fn rows(&mut self) -> Result<Vec<Row>, Trouble> {
        self.ask(entries::all)
    }

    /// Returns the next entries behind one, at most so many, as [`Index::rows`]. Between two calls no lock is
    /// held, so that whoever reads the list slowly stops nobody; what came or went meanwhile shows or not.
    ///
    /// # Errors
    /// [`Trouble`] when SQLite will not.
    pub fn page(&mut self, order: Order, behind: Option<&Row>, most: usize) -> Result<Vec<Row>, Trouble> {
        self.ask(|connection| entries::page(connection, order, behind, most))
    }

    /// Returns the entries whose own name begins so, at most so many; for a completion.
    ///
    /// # Errors
    /// [`Trouble`] when SQLite will not.
    pub fn beginning(&mut self, prefix: &str, most: usize) -> Result<Vec<Row>, Trouble> {
        self.ask(|connection| entries::beginning(connection, prefix, most))
    }

    /// Returns the names of all groups that have entries.
    ///
    /// # Errors
    /// [`Trouble`] when SQLite will not.
    pub fn groups(&mut self) -> Result<BTreeSet<String>, Trouble> {
        self.ask(entries::groups)
    }

    /// Returns what the beginning of a name stands for: first of an entry's own, as `ls` shows it, else
    /// of its ActionKey. Fewer than four hexadecimal digits stand for nothing.
    ///
    /// # Errors
    /// [`Trouble`] when SQLite will not.
    pub fn find(&mut self, prefix: &str) -> Result<Named, Trouble> {
        self.ask(|connection| entries::find(connection, prefix))
    }

    /// Returns how much goes when these entries go.
    ///
    /// # Errors
    /// [`Trouble`] when SQLite will not.
    pub fn weigh(&mut self, picked: &[(ActionKey, OutcomeId)]) -> Result<Weight, Trouble> {
        self.weigh_with_blobs(picked).map(|(weight, _)| weight)
    }

    /// Returns how much all entries are, with the blobs that none needs any more.
    ///
    /// # Errors
    /// [`Trouble`] when SQLite will not.
    pub fn total(&mut self) -> Result<Weight, Trouble> {
        self.ask(entries::total)
    }

    /// Returns how often what happened; with a time, from then on: from the beginning of that minute, or of that
    /// day (UTC) when it is over a week ago.
    ///
    /// # Errors
    /// [`Trouble`] when SQLite will not.
    pub fn counts(&mut self, since: Option<Timestamp>) -> Result<Counts, Trouble> {
        let now = self.now;
        self.ask(|connection| counts::since(connection, since, now))
    }

    /// Begins to count anew.
    ///
    /// # Errors
    /// [`Trouble`] when the index cannot be written.
    pub fn zero(&mut self) -> Result<(), Trouble> {
        if self.file.is_none() && self.store.is_made() {
            return Err(Trouble::Index { path: path(self.store), said: "it cannot be written".to_owned() });
        }
        self.tell(|index| counts::zero(&index.connection, index.now))
    }

    /// Returns how much goes when these entries go, and the blobs that nothing needs then.
    pub(super) fn weigh_with_blobs(
        &mut self,
        picked: &[(ActionKey, OutcomeId)],
    ) -> Result<(Weight, Vec<Digest>), Trouble> {
        self.ask(|connection| entries::weigh(connection, picked))
    }

    /// Returns those of some blobs that no entry needs.
    pub(super) fn unused(&mut self, blobs: &[Digest]) -> Result<Vec<Digest>, Trouble> {
        self.ask(|connection| entries::unused(connection, blobs))
    }

    /// Opens the index file as it is, for whoever has little time: no other process is waited for, and
    /// nothing is brought up.
    pub(super) fn open_as_it_is(store: &'a Store, now: Timestamp) -> Result<Self, Trouble> {
        let path = path(store);
        let before = schema::identity(&path);
        let opened = match schema::open_within(&path, Duration::ZERO) {
            Err(Fault::Damaged(_)) if schema::discard(&path, before).is_ok() => {
                schema::open_within(&path, Duration::ZERO)
            }
            opened => opened,
        };
        let connection = opened.map_err(|fault| trouble(store, fault))?;
        Ok(Self { store, now, connection, file: schema::identity(&path) })
    }

    /// Begins a transaction, which ends with [`Index::finish`]; dropped before that, it changes nothing.
    pub(super) fn begin(&mut self) -> Result<(), Trouble> {
        self.tell(|index| Ok(index.connection.execute_batch("BEGIN IMMEDIATE")?))
    }

    /// Ends a transaction.
    pub(super) fn finish(&mut self) -> Result<(), Trouble> {
        self.tell(|index| {
            index.connection.execute_batch("COMMIT")?;
            match index.file {
                Some(_) => fold::remove_folded(&index.connection, index.store),
                None => Ok(()),
            }
        })
    }

    /// Folds journals while there is time for it, inside a transaction; returns whether all were. No commit
    /// may be under way. An index in memory leaves them to one that lasts.
    pub(super) fn fold_journals(&mut self, left: &dyn Fn() -> bool) -> Result<bool, Trouble> {
        if self.file.is_none() {
            return Ok(true);
        }
        self.tell(|index| fold::journals(&index.connection, index.store, index.now, left))
    }

    /// Makes the rows of a key those of its manifest.
    pub(super) fn reread(&mut self, key: &ActionKey) -> Result<(), Trouble> {
        self.tell(|index| entries::read_manifest(&index.connection, index.store, key))
    }

    /// Drops the rows of blobs whose files were removed.
    pub(super) fn blobs_went(&mut self, blobs: &[Digest]) -> Result<(), Trouble> {
        self.tell(|index| retain::blobs_went(&index.connection, blobs))
    }

    fn tell<T>(&mut self, what: impl FnOnce(&Self) -> Result<T, Fault>) -> Result<T, Trouble> {
        what(self).map_err(|fault| trouble(self.store, fault))
    }

    /// Takes in directories that changed while there is time for it; returns whether all were.
    pub(super) fn take_in_directories(&mut self, left: &dyn Fn() -> bool) -> Result<bool, Trouble> {
        fold::directories(&mut self.connection, self.store, self.now, left)
            .map_err(|fault| trouble(self.store, fault))
    }

    /// Returns whether every directory was taken in since the index was made.
    pub(super) fn is_whole(&mut self) -> Result<bool, Trouble> {
        self.ask(retain::is_whole)
    }

    /// Returns what everything takes, in bytes on disk.
    ///
    /// # Errors
    /// [`Trouble`] when SQLite will not.
    pub fn disk(&mut self) -> Result<u64, Trouble> {
        self.ask(retain::disk)
    }

    /// Returns what may go, at least the first `most` of it in the order of retention.
    pub(super) fn candidates(&mut self, most: u32) -> Result<Vec<Candidate>, Trouble> {
        let now = self.now;
        self.ask(|connection| retain::candidates(connection, now, most))
    }

    /// Returns what is too much in a group, at most `batch` of it in the order in which it goes.
    pub(super) fn beyond(
        &mut self,
        most: &MostEntries<'_>,
        batch: u32,
    ) -> Result<Vec<(ActionKey, OutcomeId)>, Trouble> {
        let now = self.now;
        self.ask(|connection| retain::beyond(connection, now, most.group, most.entries, batch))
    }

    /// Returns the blobs that no entry needs and that are still there, with what they take on disk.
    pub(super) fn idle(&mut self) -> Result<Vec<(Digest, u64)>, Trouble> {
        self.ask(retain::idle)
    }

    /// Returns whether the index knows a blob.
    pub(super) fn knows_blob(&mut self, digest: &Digest) -> Result<bool, Trouble> {
        self.ask(|connection| retain::knows_blob(connection, digest))
    }

    /// Returns whether the index knows an outcome.
    pub(super) fn knows_outcome(&mut self, outcome: &Digest) -> Result<bool, Trouble> {
        self.ask(|connection| retain::knows_outcome(connection, outcome))
    }

    /// Brings it up again after files were removed.
    pub(super) fn bring_up(&mut self) -> Result<(), Trouble> {
        // Whatever the clock says: nothing that was known of the directories holds any more. If this
        // cannot be written, their times still tell.
        let _ = shards::forget(&self.connection);
        *self = Self::open(self.store, self.now)?;
        Ok(())
    }

    /// Empties it.
    pub(super) fn reset(&mut self) {
        // What it still lists when this fails has no files, as the next opening sees.
        let _ = schema::reset(&mut self.connection);
    }

    fn on_disk(store: &'a Store, path: &Path, now: Timestamp) -> Result<Self, Fault> {
        let mut connection = schema::open(path)?;
        let file = schema::identity(path);
        if fold::bring_up(&mut connection, store, now, fold::Journals::TakeAway)? {
            Usage { total: retain::disk(&connection)?, finished: true }.note(store);
        }
        Ok(Self { store, now, connection, file })
    }

    fn in_memory(store: &'a Store, copied: Option<&Path>, now: Timestamp) -> Result<Self, Fault> {
        let mut connection = schema::in_memory(copied)?;
        fold::bring_up(&mut connection, store, now, fold::Journals::LeaveAlone)?;
        Ok(Self { store, now, connection, file: None })
    }

    /// Asks; a damage that shows only now is met as one that shows on opening.
    fn ask<T>(&mut self, question: impl Fn(&Connection) -> Result<T, Fault>) -> Result<T, Trouble> {
        let answer = match question(&self.connection) {
            Err(Fault::Damaged(_)) if self.file.is_some() => {
                let path = path(self.store);
                // Closes the file.
                self.connection = schema::in_memory(None).map_err(|fault| trouble(self.store, fault))?;
                *self = match schema::discard(&path, self.file) {
                    Ok(()) => Self::open(self.store, self.now)?,
                    Err(_) => Self::in_memory(self.store, None, self.now)
                        .map_err(|fault| trouble(self.store, fault))?,
                };
                question(&self.connection)
            }
            other => other,
        };
        answer.map_err(|fault| trouble(self.store, fault))
    }
}

fn path(store: &Store) -> std::path::PathBuf {
    store.path().join("index.db")
}

fn trouble(store: &Store, fault: Fault) -> Trouble {
    match fault {
        Fault::Store(trouble) => trouble,
        other => Trouble::Index { path: path(store), said: other.to_string() },
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{Error, ErrorCode};
        let damaged = match error.sqlite_error_code() {
            Some(code) => matches!(
                code,
                // `Unknown` is SQLITE_ERROR: a table or column that is not as it was made.
                ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::ConstraintViolation
                    | ErrorCode::TypeMismatch
                    | ErrorCode::Unknown
            ),
            // A value that none of ours is.
            None => matches!(
                error,
                Error::InvalidColumnType(..)
                    | Error::FromSqlConversionFailure(..)
                    | Error::IntegralValueOutOfRange(..)
                    | Error::QueryReturnedNoRows
            ),
        };
        if damaged { Self::Damaged(error.to_string()) } else { Self::Sql(error) }
    }
}

impl From<super::codec::Malformed> for Fault {
    fn from(malformed: super::codec::Malformed) -> Self {
        Self::Damaged(malformed.to_string())
    }
}
