//! Bringing the index up: to what the store's directories hold, and with what the journal tells of hits.
//!
//! A commit's record says only that its manifest is worth a look even if the times of the file say
//! otherwise. A record can come before its manifest, and be folded before the manifest is there; then the
//! manifest's arrival changes its directory, and the next fold finds it so. Nothing has to be kept pending.

use std::collections::HashSet;

use rusqlite::{Connection, TransactionBehavior, params};

use super::column::unsigned;
use super::counts::{Counted, MOST};
use super::shards::Which;
use super::{Fault, entries, history, shards};
use crate::action::identity::Timestamp;
use crate::fault;
use crate::store::Store;
use crate::store::journal::{self, Event, Record};
use crate::store::location::Trouble;
use crate::sys::file::is_absent;

/// What is done with the journals that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journals {
    /// They are renamed before, and removed after.
    TakeAway,
    /// They stay as they are.
    LeaveAlone,
}

/// Brings an index up to the store; returns whether there was something new.
pub(super) fn bring_up(
    connection: &mut Connection,
    store: &Store,
    now: Timestamp,
    journals: Journals,
) -> Result<bool, Fault> {
    if journals == Journals::TakeAway {
        take_away(connection, store)?;
    }
    fault::point("fold.renamed");
    let taken = store.journal.taken().map_err(|error| Trouble::io("list", store.path(), error))?;
    let alive = journals == Journals::LeaveAlone;
    if taken.is_empty() && !alive && shards::changed(connection, store, now, Which::Changed)?.is_empty() {
        return Ok(false);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done all this while we waited for it.
    let noted = Noted::read(&transaction)?;
    let mut records = Vec::new();
    let mut last = noted.folded;
    for (number, path) in &taken {
        if let Some(bytes) = noted.rest(*number, path)? {
            records.extend(journal::records(&bytes).map(|(_, record)| record));
            last = *number;
        }
    }
    if alive && let Some(bytes) = read(store.journal.path())? {
        records.extend(journal::records(&bytes).map(|(_, record)| record));
    }
    let mut seen = HashSet::new();
    for shard in shards::changed(&transaction, store, now, Which::Changed)? {
        shards::take_in(&transaction, store, &shard, &mut seen, &|| true)?;
    }
    for record in records.iter().filter(|record| record.event == Event::Commit) {
        if seen.insert(record.key) {
            entries::read_manifest(&transaction, store, &record.key)?;
        }
    }
    let mut counted = Counted::default();
    for record in &records {
        apply(&transaction, record, now, &mut counted)?;
    }
    counted.write(&transaction, now)?;
    history::forget(&transaction)?;
    transaction.execute("UPDATE meta SET folded = max(folded, ?1), whole = 1", [last.cast_signed()])?;
    transaction.commit()?;
    fault::point("fold.applied");
    if journals == Journals::TakeAway {
        remove(&taken, last);
        fault::point("fold.removed");
    }
    Ok(true)
}

/// Folds journals while there is time for it, inside a transaction; returns whether all were. No commit may
/// be under way: then each record's manifest is there, and need not be searched.
pub(super) fn journals(
    transaction: &Connection,
    store: &Store,
    now: Timestamp,
    left: &dyn Fn() -> bool,
) -> Result<bool, Fault> {
    take_away(transaction, store)?;
    fault::point("fold.renamed");
    let taken = store.journal.taken().map_err(|error| Trouble::io("list", store.path(), error))?;
    if taken.is_empty() {
        return Ok(true);
    }
    let mut noted = Noted::read(transaction)?;
    let mut seen = HashSet::new();
    let mut counted = Counted::default();
    let mut in_time = true;
    'journals: for (number, path) in &taken {
        let Some(bytes) = noted.rest(*number, path)? else { continue };
        let begin = if noted.part_of == *number { noted.part } else { 0 };
        for (place, (end, record)) in journal::records(&bytes).enumerate() {
            if record.event == Event::Commit && seen.insert(record.key) {
                entries::read_manifest(transaction, store, &record.key)?;
            }
            apply(transaction, &record, now, &mut counted)?;
            if place % LOOK_AT_THE_CLOCK == 0 && !left() {
                noted = Noted { part_of: *number, part: begin + end as u64, ..noted };
                in_time = false;
                break 'journals;
            }
        }
        noted = Noted { folded: *number, ..noted };
    }
    counted.write(transaction, now)?;
    history::forget(transaction)?;
    transaction.execute(
        "UPDATE meta SET folded = max(folded, ?1), part_of = ?2, part = ?3",
        params![noted.folded.cast_signed(), noted.part_of.cast_signed(), noted.part.cast_signed()],
    )?;
    Ok(in_time)
}

/// Removes the journals that were folded.
pub(super) fn remove_folded(connection: &Connection, store: &Store) -> Result<(), Fault> {
    fault::point("fold.applied");
    let taken = store.journal.taken().map_err(|error| Trouble::io("list", store.path(), error))?;
    if !taken.is_empty() {
        remove(&taken, Noted::read(connection)?.folded);
    }
    fault::point("fold.removed");
    Ok(())
}

/// Takes in directories of which nothing is known while there is time for it; returns whether there are no more.
/// One that changes after that is the next opening's, and what came to it stands in the journal.
pub(super) fn directories(
    connection: &mut Connection,
    store: &Store,
    now: Timestamp,
    left: &dyn Fn() -> bool,
) -> Result<bool, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut seen = HashSet::new();
    let mut whole = true;
    for shard in shards::changed(&transaction, store, now, Which::Unknown)? {
        whole = left() && shards::take_in(&transaction, store, &shard, &mut seen, left)?;
        if !whole {
            break;
        }
    }
    if whole {
        transaction.execute("UPDATE meta SET whole = 1", [])?;
    }
    transaction.commit()?;
    Ok(whole)
}

/// After how many records a fold looks whether there is time left; so many take some 0.3 ms.
const LOOK_AT_THE_CLOCK: usize = 32;

/// What the index notes of journals.
#[derive(Clone, Copy, Debug)]
struct Noted {
    /// The last that was folded.
    folded: u64,
    /// One that was folded in part.
    part_of: u64,
    /// How many bytes of that one.
    part: u64,
}

impl Noted {
    fn read(connection: &Connection) -> Result<Self, Fault> {
        Ok(connection.query_row("SELECT folded, part_of, part FROM meta", [], |row| {
            Ok(Self {
                folded: unsigned(row.get(0)?),
                part_of: unsigned(row.get(1)?),
                part: unsigned(row.get(2)?),
            })
        })?)
    }

    /// Returns what was not folded yet of a journal that was taken away; `None` for one that is gone or done.
    fn rest(&self, number: u64, path: &std::path::Path) -> Result<Option<Vec<u8>>, Fault> {
        if number <= self.folded {
            return Ok(None);
        }
        let Some(mut bytes) = read(path)? else { return Ok(None) };
        if number == self.part_of {
            let done = usize::try_from(self.part).unwrap_or(usize::MAX).min(bytes.len());
            bytes.drain(..done);
        }
        Ok(Some(bytes))
    }
}

/// Removes the journals that were folded. Another process may have been faster; one that stays is removed
/// by the next fold.
fn remove(taken: &[(u64, std::path::PathBuf)], folded: u64) {
    for (number, path) in taken {
        if *number <= folded {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Renames the journal, so that appends begin a new one. The number is greater than that of every journal
/// there is, and of every one that was folded. The directory is listed first: a journal that is folded
/// and removed in between has then been noted.
pub(super) fn take_away(connection: &Connection, store: &Store) -> Result<(), Fault> {
    let path = store.journal.path();
    let trouble = |error| Trouble::io("take away", path, error);
    let Some(held) = store.journal.hold().map_err(trouble)? else { return Ok(()) };
    let taken = store.journal.taken().map_err(trouble)?;
    let last = taken.last().map_or(0, |(number, _)| *number);
    let number = last.max(Noted::read(connection)?.folded).saturating_add(1);
    held.take_away(number).map_err(trouble)?;
    Ok(())
}

/// Reads a journal; `None` when it is not there, or something else is in its place.
fn read(path: &std::path::Path) -> Result<Option<Vec<u8>>, Fault> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) || error.kind() == std::io::ErrorKind::IsADirectory => Ok(None),
        Err(error) => Err(Trouble::io("read", path, error).into()),
    }
}

fn apply(
    connection: &Connection,
    record: &Record,
    now: Timestamp,
    counted: &mut Counted,
) -> Result<(), Fault> {
    if record.event == Event::Unrecorded {
        return history::refused(connection, record, now);
    }
    counted.add(record, now);
    if record.event == Event::Hit {
        // A clock that was ahead must not keep an entry for ever.
        let time = record.time.min(now).0;
        connection
            .prepare_cached(
                "UPDATE entries SET hits = hits + 1, saved = saved + ?1, used = max(used, ?2)
                 WHERE key = ?3 AND outcome = ?4",
            )?
            .execute(params![
                record.amount.min(MOST).cast_signed(),
                time,
                record.key.as_bytes(),
                record.outcome.0.as_bytes()
            ])?;
    }
    Ok(())
}
