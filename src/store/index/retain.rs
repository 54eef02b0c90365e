//! What gc asks the index, and tells it.

use rusqlite::{Connection, OptionalExtension, params};

use super::Fault;
use super::column::unsigned;
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
use crate::store::gc::retention::{Candidate, Shared};
use crate::store::outcome::OutcomeId;

/// Returns what everything takes, in bytes on disk.
pub(super) fn disk(connection: &Connection) -> Result<u64, Fault> {
    Ok(connection.query_row("SELECT disk FROM meta", [], |row| Ok(unsigned(row.get(0)?)))?)
}

/// Returns whether every directory was taken in since the index was made.
pub(super) fn is_whole(connection: &Connection) -> Result<bool, Fault> {
    Ok(connection.query_row("SELECT whole FROM meta", [], |row| row.get(0))?)
}

/// Returns what may go, at least the first `most` of it in the order of retention.
pub(super) fn candidates(
    connection: &Connection,
    now: Timestamp,
    most: u32,
) -> Result<Vec<Candidate>, Fault> {
    let mut candidates = Vec::new();
    for which in ["WHERE expires <= ?1 ORDER BY expires, key, outcome", "ORDER BY used, key, outcome"] {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT number, key, outcome, expires, used, e.disk, m.disk, m.entries
             FROM (SELECT *, ?1 FROM entries {which} LIMIT ?2) e JOIN manifests m USING (key)"
        ))?;
        let mut rows = statement.query(params![now.0, most])?;
        while let Some(row) = rows.next()? {
            let bytes = unsigned(row.get(6)?);
            candidates.push(Candidate {
                key: ActionKey::from_bytes(row.get(1)?),
                outcome: Some(OutcomeId(Digest::from_bytes(row.get(2)?))),
                expires: row.get::<_, Option<i64>>(3)?.map(Timestamp),
                used: Timestamp(row.get(4)?),
                own: unsigned(row.get(5)?),
                manifest: Shared { bytes, users: unsigned(row.get(7)?) },
                blobs: blobs(connection, row.get(0)?)?,
            });
        }
    }
    let mut statement = connection.prepare_cached(
        "SELECT key, changed, disk FROM manifests WHERE entries = 0 ORDER BY changed, key LIMIT ?1",
    )?;
    let mut rows = statement.query([most])?;
    while let Some(row) = rows.next()? {
        candidates.push(Candidate {
            key: ActionKey::from_bytes(row.get(0)?),
            outcome: None,
            expires: None,
            used: Timestamp(row.get(1)?),
            own: unsigned(row.get(2)?),
            manifest: Shared { bytes: 0, users: 1 },
            blobs: Vec::new(),
        });
    }
    Ok(candidates)
}

/// Returns what is too much in a group that may have so many entries, at most `batch` of it: what expired first,
/// then what was used the longest ago. Of those used at one time the one taken in last stays.
pub(super) fn beyond(
    connection: &Connection,
    now: Timestamp,
    group: &str,
    most: u64,
    batch: u32,
) -> Result<Vec<(ActionKey, OutcomeId)>, Fault> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM entries WHERE grp = ?1")?
        .query_row([group], |row| row.get(0))?;
    let excess = unsigned(count).saturating_sub(most).min(batch.into());
    if excess == 0 {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(
        "SELECT key, outcome FROM entries WHERE grp = ?1
         ORDER BY coalesce(expires <= ?2, 0) DESC, min(used, ?2), number LIMIT ?3",
    )?;
    let rows = statement.query_map(params![group, now.0, excess.cast_signed()], |row| {
        Ok((ActionKey::from_bytes(row.get(0)?), OutcomeId(Digest::from_bytes(row.get(1)?))))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn blobs(connection: &Connection, entry: i64) -> Result<Vec<(Digest, Shared)>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT b.digest, b.disk, b.uses FROM uses u JOIN blobs b USING (digest) WHERE u.entry = ?1",
    )?;
    let mut rows = statement.query([entry])?;
    let mut blobs = Vec::new();
    while let Some(row) = rows.next()? {
        let shared = Shared { bytes: unsigned(row.get(1)?), users: unsigned(row.get(2)?) };
        blobs.push((Digest::from_bytes(row.get(0)?), shared));
    }
    Ok(blobs)
}

/// Returns the blobs that no entry needs and that are still there, with what they take on disk.
pub(super) fn idle(connection: &Connection) -> Result<Vec<(Digest, u64)>, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT digest, disk FROM blobs WHERE uses = 0 AND NOT gone ORDER BY digest")?;
    let rows = statement.query_map([], |row| Ok((Digest::from_bytes(row.get(0)?), unsigned(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Drops the rows of blobs whose files were removed.
pub(super) fn blobs_went(connection: &Connection, blobs: &[Digest]) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached("DELETE FROM blobs WHERE digest = ?1 AND uses = 0")?;
    for blob in blobs {
        statement.execute([blob.as_bytes()])?;
    }
    Ok(())
}

/// Returns whether the index knows a blob.
pub(super) fn knows_blob(connection: &Connection, digest: &Digest) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM blobs WHERE digest = ?1")?;
    Ok(statement.query_row([digest.as_bytes()], |_| Ok(())).optional()?.is_some())
}

/// Returns whether the index knows an outcome.
pub(super) fn knows_outcome(connection: &Connection, outcome: &Digest) -> Result<bool, Fault> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM entries WHERE outcome = ?1")?;
    Ok(statement.query_row([outcome.as_bytes()], |_| Ok(())).optional()?.is_some())
}
