//! What went before a call: entries that are like it, and why its last run was not recorded.
//!
//! Whoever asks why changes nothing: the index is read as it is, not brought up, and what the journal has besides
//! is read beside it. So an entry may be listed that is gone; the manifest tells.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ToSql, params};

use super::column::duration;
use super::{Fault, Index, schema};
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
use crate::action::part::Part;
use crate::action::reason::Unrecorded;
use crate::store::codec::Reader;
use crate::store::journal::{self, Event, Group, Record};
use crate::store::outcome::{OutcomeId, Shown};
use crate::store::{Store, parts};

/// How many earlier entries are looked at.
pub const MOST_EARLIER: usize = 256;
/// How many entries of other groups are looked for in the journal, which does not say of which call they are.
const MOST_OTHERS: usize = 64;
/// How much of the journal is read, from its end, in bytes: 6,500 records.
const TAIL: u64 = 1 << 20;
/// Of how many calls it is kept why they were not recorded.
const MOST_REFUSED: i64 = 10_000;

/// What went before a call.
#[derive(Debug, Default)]
pub struct History {
    /// Entries of the same words, assignments and directory, then others of its group; the newest first.
    pub entries: Vec<Earlier>,
    /// Why the last run was not recorded, if it was the last thing that happened.
    pub refused: Option<Refused>,
}

/// An earlier entry.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// The key it is found by.
    pub key: ActionKey,
    /// Which outcome.
    pub outcome: OutcomeId,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// How long the command ran.
    pub duration: Duration,
    /// What to show.
    pub shown: Shown,
    /// The parts of its call.
    pub parts: Vec<Part>,
}

/// Why a run was not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub time: Timestamp,
    /// The name of the reason ([`Unrecorded`]).
    pub reason: &'static str,
    /// What it is about: a path, an exit status; empty when there is nothing to say.
    pub about: String,
}

impl History {
    /// Reads what went before a call. Where there is no index it is built in memory if `thorough`; else only
    /// what the journal has is known.
    pub fn read(store: &Store, call: &Digest, group: &str, now: Timestamp, thorough: bool) -> Self {
        let path = super::path(store);
        let connection = if path.exists() { schema::open_to_read(&path).ok() } else { None };
        let mut history = Self::default();
        match connection {
            Some(connection) => _ = history.index(&connection, call, group),
            None if thorough && store.is_made() => {
                if let Ok(index) = Index::anew(store, now) {
                    let _ = history.index(&index.connection, call, group);
                }
            }
            None => {}
        }
        history.journal(store, call, group);
        let rank = |entry: &Earlier| (entry.shown.call != *call, std::cmp::Reverse(entry.recorded));
        history.entries.sort_by_key(rank);
        let mut seen = HashSet::new();
        history.entries.retain(|entry| seen.insert((entry.key, entry.outcome)));
        history.entries.truncate(MOST_EARLIER);
        // A run that was recorded since is the last one.
        let newest = history.entries.first().filter(|entry| entry.shown.call == *call);
        if let Some(newest) = newest {
            history.refused.take_if(|refused| refused.time < newest.recorded);
        }
        history
    }

    fn index(&mut self, connection: &Connection, call: &Digest, group: &str) -> Result<(), Fault> {
        let most = MOST_EARLIER as i64;
        let call = call.as_bytes();
        self.entries = select(connection, "call = ?1 ORDER BY recorded DESC LIMIT ?2", params![call, most])?;
        let left = most - self.entries.len() as i64;
        self.entries.extend(select(
            connection,
            "grp = ?1 AND call <> ?2 ORDER BY used DESC LIMIT ?3",
            params![group, call, left],
        )?);
        let mut statement =
            connection.prepare("SELECT time, reason, about FROM unrecorded WHERE call = ?1")?;
        let mut rows = statement.query([call])?;
        if let Some(row) = rows.next()? {
            self.refused = said(Timestamp(row.get(0)?), row.get(1)?, &row.get::<_, String>(2)?);
        }
        Ok(())
    }

    fn journal(&mut self, store: &Store, call: &Digest, group: &str) {
        let mut records = Vec::new();
        let taken = store.journal.taken().unwrap_or_default();
        for path in taken.iter().map(|(_, path)| path.as_path()).chain([store.journal.path()]) {
            let bytes = tail(path).unwrap_or_default();
            records.extend(journal::records(&bytes).map(|(_, record)| record));
        }
        let own = Group::new(group);
        let (mut of_group, mut of_others) = (MOST_EARLIER, MOST_OTHERS);
        let mut refused = None;
        for record in records.iter().rev() {
            match record.event {
                Event::Unrecorded if record.outcome.0 == *call => {
                    refused = refused.or_else(|| refused_by(record));
                }
                Event::Commit => {
                    let left = if record.group == own { &mut of_group } else { &mut of_others };
                    if *left > 0 {
                        *left -= 1;
                        let found = earlier(store, record);
                        self.entries.extend(
                            found.filter(|found| found.shown.call == *call || found.shown.group == group),
                        );
                    }
                }
                _ => {}
            }
        }
        self.refused = refused.or(self.refused.take());
    }
}

/// Returns the entry that a commit was about, if it is still there.
fn earlier(store: &Store, record: &Record) -> Option<Earlier> {
    let manifest = store.manifest(&record.key).ok()?;
    let entry = manifest.entries.iter().find(|entry| entry.id == record.outcome)?;
    let outcome = store.outcome(entry).ok()?;
    Some(Earlier {
        key: record.key,
        outcome: record.outcome,
        recorded: outcome.recorded,
        duration: outcome.duration,
        parts: parts::decode(&outcome.parts).unwrap_or_default(),
        shown: outcome.shown,
    })
}

/// Reads the end of a journal; what is cut there is skipped as torn.
fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn select(connection: &Connection, which: &str, params: &[&dyn ToSql]) -> Result<Vec<Earlier>, Fault> {
    let mut statement = connection.prepare(&format!(
        "SELECT key, outcome, recorded, duration, shown, parts FROM entries WHERE NOT (apart AND gone) AND {which}"
    ))?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let shown = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
        let parts = row.get_ref(5)?.as_blob().map_err(rusqlite::Error::from)?;
        found.push(Earlier {
            key: ActionKey::from_bytes(row.get(0)?),
            outcome: OutcomeId(Digest::from_bytes(row.get(1)?)),
            recorded: Timestamp(row.get(2)?),
            duration: duration(row.get(3)?),
            shown: Shown::read(&mut Reader::new(shown))?,
            parts: parts::decode(parts)?,
        });
    }
    Ok(found)
}

fn refused_by(record: &Record) -> Option<Refused> {
    said(record.time, record.unrecorded, record.group.as_str())
}

/// Returns why a run was not recorded, as it was noted.
fn said(time: Timestamp, reason: u8, about: &str) -> Option<Refused> {
    Some(Refused { time, reason: Unrecorded::name_of(reason)?, about: about.to_owned() })
}

/// Notes why a run was not recorded.
pub(super) fn refused(connection: &Connection, record: &Record, now: Timestamp) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "INSERT INTO unrecorded (call, time, reason, about) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET time = excluded.time, reason = excluded.reason, about = excluded.about",
        )?
        .execute(params![
            record.outcome.0.as_bytes(),
            record.time.min(now).0,
            record.unrecorded,
            record.group.as_str(),
        ])?;
    Ok(())
}

/// Forgets the oldest of what is noted.
pub(super) fn forget(connection: &Connection) -> Result<(), Fault> {
    connection
        .prepare_cached(
            "DELETE FROM unrecorded WHERE time < (SELECT time FROM unrecorded ORDER BY time DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([MOST_REFUSED])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{Fixture, NOW, at, outcome};

    fn history(fixture: &Fixture, words: &[&str]) -> History {
        let Shown { call, group, .. } = outcome(words, 0).shown;
        History::read(&fixture.store, &call, &group, NOW, true)
    }

    fn times(history: &History) -> Vec<i64> {
        history.entries.iter().map(|entry| entry.recorded.0 / 1_000_000_000).collect()
    }

    fn refuse(fixture: &Fixture, words: &[&str], seconds: i64, about: &str) {
        let record = Record {
            outcome: OutcomeId(outcome(words, 0).shown.call),
            unrecorded: Unrecorded::ExitStatus(1).number(),
            ..Record::new(Event::Unrecorded, at(seconds), "")
        };
        fixture.store.journal.append(&Record { group: Group::ending(about), ..record }).unwrap();
    }

    /// Before the journal is folded, after, and with no index at all.
    #[test]
    fn the_same_call_comes_first_wherever_it_is_known_from() {
        let fixture = Fixture::new();
        fixture.record(1, &["cc", "a"], 10);
        fixture.record(2, &["cc", "b"], 20);
        fixture.record(3, &["ld", "a"], 30);
        fixture.record(4, &["cc", "a"], 5);
        let check = || assert_eq!(times(&history(&fixture, &["cc", "a"])), [10, 5, 20]);
        check();
        Index::open(&fixture.store, NOW).unwrap();
        assert!(!fixture.store.journal.path().exists());
        check();
        std::fs::remove_file(super::super::path(&fixture.store)).unwrap();
        check();
        assert!(!super::super::path(&fixture.store).exists(), "asking makes nothing");
        let Shown { call, group, .. } = outcome(&["cc", "a"], 0).shown;
        assert!(History::read(&fixture.store, &call, &group, NOW, false).entries.is_empty());
    }

    #[test]
    fn why_the_last_run_was_not_recorded_is_known_until_one_is() {
        let fixture = Fixture::new();
        let words = ["cc", "a"];
        refuse(&fixture, &words, 10, "3");
        refuse(&fixture, &["cc", "b"], 12, "p");
        let said = |words: &[&str]| history(&fixture, words).refused.map(|refused| refused.about);
        assert_eq!(said(&words), Some("3".to_owned()));
        Index::open(&fixture.store, NOW).unwrap();
        assert_eq!(said(&words), Some("3".to_owned()));
        refuse(&fixture, &words, 20, "4");
        assert_eq!(said(&words), Some("4".to_owned()));
        assert_eq!(said(&["cc", "b"]), Some("p".to_owned()));
        fixture.record(1, &words, 30);
        assert_eq!(said(&words), None);
        Index::open(&fixture.store, NOW).unwrap();
        assert_eq!(said(&words), None);
        assert_eq!(said(&["cc", "b"]), Some("p".to_owned()));
    }
}
