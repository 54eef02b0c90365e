//! Rows of entries and blobs: read from manifests, and asked for.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::Metadata;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::column::{self, duration, unsigned};
use super::{Fault, Named, Weight};
use crate::action::digest::Digest;
use crate::action::identity::{Identity, Timestamp};
use crate::action::key::ActionKey;
use crate::store::codec::{Reader, Writer};
use crate::store::manifest::Entry;
use crate::store::outcome::{Outcome, OutcomeId, Shown};
use crate::store::{Store, blocks_on_disk};

/// An entry: an outcome under its key, and how it was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The key it is found by.
    pub key: ActionKey,
    /// Which outcome: what the entry is named by.
    pub outcome: OutcomeId,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// The `--ttl` it was recorded with.
    pub ttl: Option<Duration>,
    /// How long the command ran.
    pub duration: Duration,
    /// The exit status.
    pub exit: u8,
    /// Its size in bytes, with all blobs it needs.
    pub size: u64,
    /// When it was last used; when it was recorded, if never.
    pub used: Timestamp,
    /// How often it was used.
    pub hits: u64,
    /// The time all hits saved.
    pub saved: Duration,
    /// What to show.
    pub shown: Shown,
}

/// Which entries come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Those recorded last.
    NewestFirst,
    /// Those recorded first.
    OldestFirst,
}

/// An entry is shown only while its outcome and all its blobs are there.
const SELECT: &str = "
SELECT key, outcome, recorded, ttl, duration, exit, used, hits, saved, shown,
    bytes + (SELECT coalesce(sum(b.length), 0) FROM uses u JOIN blobs b USING (digest)
             WHERE u.entry = number)
FROM entries
WHERE NOT (apart AND gone)
    AND NOT EXISTS (SELECT 1 FROM uses u JOIN blobs b USING (digest) WHERE u.entry = number AND b.gone)
";

/// What an outcome may claim a blob's length to be: 9 PB, far from what overflows a sum.
const MOST: u64 = 1 << 53;

/// The fewest digits that name something.
const FEWEST_DIGITS: usize = 4;

/// Returns all entries, the newest first.
pub(super) fn all(connection: &Connection) -> Result<Vec<Row>, Fault> {
    select(connection, "ORDER BY recorded DESC, outcome DESC, key DESC", &[])
}

/// Returns the next entries behind one, at most so many.
pub(super) fn page(
    connection: &Connection,
    order: Order,
    behind: Option<&Row>,
    most: usize,
) -> Result<Vec<Row>, Fault> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    // The row comparison is one range of `entries_recorded`.
    let (sign, direction) = match order {
        Order::NewestFirst => ("<", "DESC"),
        Order::OldestFirst => (">", "ASC"),
    };
    let sorted = format!("ORDER BY recorded {direction}, outcome {direction}, key {direction} LIMIT ?1");
    match behind {
        None => select(connection, &sorted, params![most]),
        Some(row) => select(
            connection,
            &format!("AND (recorded, outcome, key) {sign} (?2, ?3, ?4) {sorted}"),
            params![most, row.recorded.0, row.outcome.0.as_bytes(), row.key.as_bytes()],
        ),
    }
}

/// Returns the entries whose own name begins so, at most so many.
pub(super) fn beginning(connection: &Connection, prefix: &str, most: usize) -> Result<Vec<Row>, Fault> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    match range(prefix) {
        None => Ok(Vec::new()),
        Some((first, last)) => select(
            connection,
            "AND outcome BETWEEN ?1 AND ?2 ORDER BY outcome, key LIMIT ?3",
            params![first.as_bytes(), last.as_bytes(), most],
        ),
    }
}

/// Returns the names of all groups that have entries.
pub(super) fn groups(connection: &Connection) -> Result<BTreeSet<String>, Fault> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT grp FROM entries")?;
    let groups = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(groups)
}

/// Returns what the beginning of a name stands for.
pub(super) fn find(connection: &Connection, prefix: &str) -> Result<Named, Fault> {
    let Some((first, last)) = named_range(prefix) else { return Ok(Named::Nothing) };
    let range = params![first.as_bytes(), last.as_bytes()];
    let named = select(connection, "AND outcome BETWEEN ?1 AND ?2 ORDER BY outcome, key", range)?;
    match named.as_slice() {
        [] => {}
        [_] => return Ok(Named::Entries(named)),
        _ => return Ok(Named::Ambiguous(named)),
    }
    let named = select(connection, "AND key BETWEEN ?1 AND ?2 ORDER BY key, outcome", range)?;
    Ok(match named.as_slice() {
        [] => Named::Nothing,
        [first, rest @ ..] if rest.iter().all(|row| row.key == first.key) => Named::Entries(named),
        _ => Named::Ambiguous(named),
    })
}

/// Returns the least and the greatest digest that a beginning of some length names.
fn named_range(prefix: &str) -> Option<(Digest, Digest)> {
    if prefix.len() < FEWEST_DIGITS { None } else { range(prefix) }
}

/// Returns the least and the greatest digest whose name begins so.
fn range(prefix: &str) -> Option<(Digest, Digest)> {
    let prefix = prefix.to_ascii_lowercase();
    if prefix.len() > 2 * Digest::LENGTH {
        return None;
    }
    Some((Digest::from_hex(&format!("{prefix:0<64}"))?, Digest::from_hex(&format!("{prefix:f<64}"))?))
}

/// Returns how much these entries are, and the blobs that only they need.
pub(super) fn weigh(
    connection: &Connection,
    picked: &[(ActionKey, OutcomeId)],
) -> Result<(Weight, Vec<Digest>), Fault> {
    connection.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS picked (entry INTEGER PRIMARY KEY); DELETE FROM picked",
    )?;
    let mut pick = connection.prepare_cached(
        "INSERT OR IGNORE INTO picked SELECT number FROM entries WHERE key = ?1 AND outcome = ?2",
    )?;
    for (key, outcome) in picked {
        pick.execute(params![key.as_bytes(), outcome.0.as_bytes()])?;
    }
    let mut weight = connection.query_row(
        "SELECT count(*), coalesce(sum(bytes), 0) FROM entries JOIN picked ON entry = number",
        [],
        |row| Ok(Weight { entries: unsigned(row.get(0)?), bytes: unsigned(row.get(1)?) }),
    )?;
    let mut statement = connection.prepare_cached(
        "SELECT b.digest, b.length * (1 - b.gone) FROM blobs b
         JOIN (SELECT digest, count(*) AS uses FROM uses JOIN picked USING (entry) GROUP BY digest) p
         ON p.digest = b.digest AND p.uses = b.uses",
    )?;
    let mut blobs = Vec::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        blobs.push(Digest::from_bytes(row.get(0)?));
        weight.bytes += unsigned(row.get(1)?);
    }
    Ok((weight, blobs))
}

/// Returns how much everything is.
pub(super) fn total(connection: &Connection) -> Result<Weight, Fault> {
    let entries = connection
        .query_row(&format!("SELECT count(*) FROM ({SELECT})"), [], |row| Ok(unsigned(row.get(0)?)))?;
    let bytes = connection.query_row("SELECT bytes FROM meta", [], |row| Ok(unsigned(row.get(0)?)))?;
    Ok(Weight { entries, bytes })
}

/// Returns those of some blobs that no entry needs.
pub(super) fn unused(connection: &Connection, blobs: &[Digest]) -> Result<Vec<Digest>, Fault> {
    let mut statement = connection.prepare_cached("SELECT uses FROM blobs WHERE digest = ?1")?;
    let mut unused = Vec::new();
    for blob in blobs {
        let uses: Option<i64> = statement.query_row([blob.as_bytes()], |row| row.get(0)).optional()?;
        unused.extend((uses == Some(0)).then_some(*blob));
    }
    Ok(unused)
}

/// Makes the rows of a key those of its manifest. One that is not there, or damaged, has none.
pub(super) fn read_manifest(connection: &Connection, store: &Store, key: &ActionKey) -> Result<(), Fault> {
    // The identity from before the reading: a manifest that is replaced meanwhile is read again.
    let file = std::fs::symlink_metadata(store.manifest_path(key)).ok();
    let manifest = if file.is_some() { store.manifest(key).ok() } else { None };
    let listed = manifest.map(|manifest| manifest.entries).unwrap_or_default();
    let mut known: HashMap<[u8; Digest::LENGTH], i64> = connection
        .prepare_cached("SELECT outcome, number FROM entries WHERE key = ?1")?
        .query_map([key.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for entry in &listed {
        let apart = entry.body.is_none();
        let found = if apart { disk(&store.outcome_path(&entry.id)) } else { None };
        let gone = apart && found.is_none();
        match known.remove(entry.id.0.as_bytes()) {
            Some(number) => {
                connection
                    .prepare_cached("UPDATE entries SET apart = ?1, gone = ?2, disk = ?3 WHERE number = ?4")?
                    .execute(params![apart, gone, found.unwrap_or(0), number])?;
            }
            // One whose outcome cannot be read answers nobody.
            None => {
                if let Ok(outcome) = store.outcome(entry) {
                    insert(connection, store, key, entry, &outcome)?;
                }
            }
        }
    }
    for number in known.into_values() {
        connection.prepare_cached("DELETE FROM entries WHERE number = ?1")?.execute([number])?;
    }
    match file {
        Some(file) => connection
            .prepare_cached(
                "INSERT INTO manifests
                 VALUES (?1, ?2, ?3, ?4, (SELECT count(*) FROM entries WHERE key = ?1))
                 ON CONFLICT DO UPDATE SET identity = excluded.identity, disk = excluded.disk, changed = excluded.changed, entries = excluded.entries",
            )?
            .execute(params![
                key.as_bytes(),
                column::identity(&Identity::from(&file)),
                blocks(&file),
                Identity::from(&file).mtime,
            ])?,
        None => {
            connection.prepare_cached("DELETE FROM manifests WHERE key = ?1")?.execute([key.as_bytes()])?
        }
    };
    Ok(())
}

/// Takes in which files there are in a directory of outcomes.
pub(super) fn outcomes_are(
    connection: &Connection,
    store: &Store,
    shard: u8,
    there: &HashSet<Digest>,
) -> Result<(), Fault> {
    let (first, last) = column::digests_of(shard);
    let known: Vec<(i64, [u8; Digest::LENGTH], bool)> = connection
        .prepare_cached(
            "SELECT number, outcome, gone FROM entries WHERE apart AND outcome BETWEEN ?1 AND ?2",
        )?
        .query_map(params![first, last], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (number, outcome, was_gone) in known {
        let gone = !there.contains(&Digest::from_bytes(outcome));
        if gone != was_gone {
            let there = disk(&store.outcome_path(&OutcomeId(Digest::from_bytes(outcome))));
            connection
                .prepare_cached("UPDATE entries SET gone = ?1, disk = ?2 WHERE number = ?3")?
                .execute(params![gone, there.unwrap_or(0), number])?;
        }
    }
    Ok(())
}

/// Takes in which files there are in a directory of blobs.
pub(super) fn blobs_are(
    connection: &Connection,
    store: &Store,
    shard: u8,
    there: &HashSet<Digest>,
) -> Result<(), Fault> {
    let (first, last) = column::digests_of(shard);
    let known: Vec<([u8; Digest::LENGTH], bool)> = connection
        .prepare_cached("SELECT digest, gone FROM blobs WHERE digest BETWEEN ?1 AND ?2")?
        .query_map(params![first, last], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (digest, was_gone) in known {
        let gone = !there.contains(&Digest::from_bytes(digest));
        if gone != was_gone {
            let there = disk(&store.blobs.path(&Digest::from_bytes(digest)));
            connection
                .prepare_cached("UPDATE blobs SET gone = ?1, disk = ?2 WHERE digest = ?3")?
                .execute(params![gone, there.unwrap_or(0), digest])?;
        }
    }
    connection
        .prepare_cached("DELETE FROM blobs WHERE gone AND uses = 0 AND digest BETWEEN ?1 AND ?2")?
        .execute(params![first, last])?;
    Ok(())
}

fn insert(
    connection: &Connection,
    store: &Store,
    key: &ActionKey,
    entry: &Entry,
    outcome: &Outcome,
) -> Result<(), Fault> {
    let bytes = match &entry.body {
        Some(body) => body.len() as u64,
        None => std::fs::metadata(store.outcome_path(&entry.id)).map_or(0, |metadata| metadata.len()),
    };
    let mut shown = Writer::default();
    outcome.shown.write(&mut shown);
    connection
        .prepare_cached(
            "INSERT INTO entries (key, outcome, recorded, ttl, expires, duration, exit, bytes, disk, shown,
                 apart, gone, used, grp, call, parts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?3, ?12, ?13, ?14)",
        )?
        .execute(params![
            key.as_bytes(),
            entry.id.0.as_bytes(),
            outcome.recorded.0,
            outcome.ttl.map(column::ns),
            outcome.ttl.map(|ttl| outcome.recorded.0.saturating_add(column::ns(ttl))),
            column::ns(outcome.duration),
            outcome.exit,
            bytes.cast_signed(),
            if entry.body.is_none() { disk(&store.outcome_path(&entry.id)).unwrap_or(0) } else { 0 },
            shown.into_bytes(),
            entry.body.is_none(),
            outcome.shown.group,
            outcome.shown.call.as_bytes(),
            outcome.parts,
        ])?;
    let number = connection.last_insert_rowid();
    for (digest, length) in outcome.blobs() {
        let there = disk(&store.blobs.path(&digest));
        connection
            .prepare_cached(
                "INSERT INTO blobs (digest, length, gone, disk) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET gone = excluded.gone, disk = excluded.disk",
            )?
            .execute(params![
                digest.as_bytes(),
                length.min(MOST).cast_signed(),
                there.is_none(),
                there.unwrap_or(0)
            ])?;
        connection
            .prepare_cached("INSERT OR IGNORE INTO uses VALUES (?1, ?2)")?
            .execute(params![number, digest.as_bytes()])?;
    }
    Ok(())
}

fn select(connection: &Connection, and: &str, params: &[&dyn ToSql]) -> Result<Vec<Row>, Fault> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} {and}"))?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let shown = row.get_ref(9)?.as_blob().map_err(rusqlite::Error::from)?;
        found.push(Row {
            key: ActionKey::from_bytes(row.get(0)?),
            outcome: OutcomeId(Digest::from_bytes(row.get(1)?)),
            recorded: Timestamp(row.get(2)?),
            ttl: row.get::<_, Option<i64>>(3)?.map(duration),
            duration: duration(row.get(4)?),
            exit: row.get(5)?,
            used: Timestamp(row.get(6)?),
            hits: unsigned(row.get(7)?),
            saved: duration(row.get(8)?),
            shown: Shown::read(&mut Reader::new(shown))?,
            size: unsigned(row.get(10)?),
        });
    }
    Ok(found)
}

/// Returns what a file takes on disk in bytes; `None` when it is not there.
fn disk(path: &Path) -> Option<i64> {
    std::fs::symlink_metadata(path).ok().map(|file| blocks(&file))
}

fn blocks(file: &Metadata) -> i64 {
    blocks_on_disk(file).cast_signed()
}
