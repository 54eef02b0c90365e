//! Bringing the index up: to what the store's directories hold, and with what the journal tells of hits.
//!
//! A commit's record says only that its manifest is worth a look even if the times of the file say
//! otherwise. A record can come before its manifest, and be folded before the manifest is there; then the
//! manifest's arrival changes its directory, and the next fold finds it so. Nothing has to be kept pending.

use std::collections::HashSet;

use rusqlite::{Connection, TransactionBehavior, params};

use super::{Fault, Tally, entries, shards};
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

/// What is counted; the numbers stand in the index.
const EVENTS: [Event; 3] = [Event::Hit, Event::Miss, Event::Commit];

/// The most a record may add to a sum: 104 days in ns, far from what overflows.
const MOST: u64 = 1 << 53;

/// Brings an index up to the store.
pub(super) fn bring_up(
    connection: &mut Connection,
    store: &Store,
    now: Timestamp,
    journals: Journals,
) -> Result<(), Fault> {
    if journals == Journals::TakeAway {
        take_away(connection, store)?;
    }
    fault::point("fold.renamed");
    let taken = store.journal.taken().map_err(|error| Trouble::io("list", store.path(), error))?;
    let alive = journals == Journals::LeaveAlone;
    if taken.is_empty() && !alive && shards::changed(connection, store, now)?.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done all this while we waited for it.
    let folded = last_folded(&transaction)?;
    let mut records = Vec::new();
    let mut last = folded;
    for (number, path) in &taken {
        if *number > folded && read(path, &mut records)? {
            last = *number;
        }
    }
    if alive {
        read(store.journal.path(), &mut records)?;
    }
    let mut seen = HashSet::new();
    for shard in shards::changed(&transaction, store, now)? {
        shards::take_in(&transaction, store, &shard, &mut seen)?;
    }
    for record in records.iter().filter(|record| record.event == Event::Commit) {
        if seen.insert(record.key) {
            entries::read_manifest(&transaction, store, &record.key)?;
        }
    }
    for record in &records {
        apply(&transaction, record, now)?;
    }
    transaction.execute("UPDATE meta SET folded = ?1 WHERE folded < ?1", [last.cast_signed()])?;
    transaction.commit()?;
    fault::point("fold.applied");
    if journals == Journals::TakeAway {
        for (_, path) in taken {
            // Another process may have been faster; one that stays is removed by the next fold.
            let _ = std::fs::remove_file(path);
        }
        fault::point("fold.removed");
    }
    Ok(())
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
    let number = last.max(last_folded(connection)?).saturating_add(1);
    held.take_away(number).map_err(trouble)?;
    Ok(())
}

/// Returns how often what happened.
pub(super) fn tallies(connection: &Connection) -> Result<Vec<Tally>, Fault> {
    let mut statement = connection.prepare_cached("SELECT event, reason, count, amount FROM tally")?;
    let mut rows = statement.query([])?;
    let mut tallies = Vec::new();
    while let Some(row) = rows.next()? {
        let number: u8 = row.get(0)?;
        let event = EVENTS.into_iter().find(|event| *event as u8 == number);
        tallies.push(Tally {
            event: event.ok_or_else(|| Fault::Damaged(format!("there is no event {number}")))?,
            reason: row.get(1)?,
            count: row.get::<_, i64>(2)?.cast_unsigned(),
            amount: row.get::<_, i64>(3)?.cast_unsigned(),
        });
    }
    Ok(tallies)
}

fn last_folded(connection: &Connection) -> Result<u64, Fault> {
    let folded: i64 = connection.query_row("SELECT folded FROM meta", [], |row| row.get(0))?;
    Ok(folded.cast_unsigned())
}

/// Adds the records of a journal; returns whether it was there.
fn read(path: &std::path::Path, records: &mut Vec<Record>) -> Result<bool, Fault> {
    match std::fs::read(path) {
        Ok(bytes) => {
            records.extend(journal::records(&bytes));
            Ok(true)
        }
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(Trouble::io("read", path, error).into()),
    }
}

fn apply(connection: &Connection, record: &Record, now: Timestamp) -> Result<(), Fault> {
    let amount = record.amount.min(MOST).cast_signed();
    if record.event == Event::Hit {
        // A clock that was ahead must not keep an entry for ever.
        let time = record.time.min(now).0;
        connection
            .prepare_cached(
                "UPDATE entries SET hits = hits + 1, saved = saved + ?1, used = max(used, ?2)
                 WHERE key = ?3 AND outcome = ?4",
            )?
            .execute(params![amount, time, record.key.as_bytes(), record.outcome.0.as_bytes()])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO tally VALUES (?1, ?2, 1, ?3)
             ON CONFLICT DO UPDATE SET count = count + 1, amount = amount + excluded.amount",
        )?
        .execute(params![record.event as u8, record.reason, amount])?;
    Ok(())
}
