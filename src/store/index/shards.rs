//! Shards: the up to 256 directories of each of the store's three trees, compared with what the index has
//! taken in from them.
//!
//! A directory's times change with every file that comes, is replaced or goes. One whose stat identity is the
//! remembered one, and was settled when it was remembered, need not be read. The rule is that of
//! `action::identity`, and so is the list of file systems it holds on; elsewhere all are read.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::{Fault, column, entries};
use crate::action::digest::Digest;
use crate::action::identity::{Identity, Timestamp};
use crate::action::key::ActionKey;
use crate::store::Store;
use crate::store::listing::list;
use crate::store::location::Trouble;
use crate::sys::file::{FileSystem, file_system, is_absent};

/// The trees; the numbers stand in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tree {
    Manifests = 0,
    Outcomes = 1,
    Blobs = 2,
}

/// A directory that is not as it was.
#[derive(Debug)]
pub(super) struct Shard {
    tree: Tree,
    number: u8,
    path: PathBuf,
    /// Empty when it is not there.
    identity: Vec<u8>,
    settled: bool,
}

/// Which directories are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that may hold something else than the index knows.
    Changed,
    /// Those of them of which it knows nothing.
    Unknown,
}

/// Returns the directories that are to be taken in.
pub(super) fn changed(
    connection: &Connection,
    store: &Store,
    now: Timestamp,
    which: Which,
) -> Result<Vec<Shard>, Fault> {
    let trusted = file_system(store.path()).is_ok_and(|found| found == FileSystem::Local);
    let known = known(connection)?;
    let mut changed = Vec::new();
    for (tree, name) in [(Tree::Manifests, "manifests"), (Tree::Outcomes, "outcomes"), (Tree::Blobs, "blobs")]
    {
        let directory = store.path().join(name);
        for number in 0..=u8::MAX {
            if which == Which::Unknown && known.contains_key(&(tree as u8, number)) {
                continue;
            }
            let path = directory.join(format!("{number:02x}"));
            let (identity, settled) = match Identity::of_entry(&path) {
                Ok(found) => (column::identity(&found), trusted && found.is_settled(now)),
                Err(error) if is_absent(&error) => (Vec::new(), true),
                Err(error) => return Err(Trouble::io("look at", &path, error).into()),
            };
            let same = match known.get(&(tree as u8, number)) {
                // One that was young then may have got more within the same tick of the clock.
                Some((known, settled)) => *settled && *known == identity,
                None => identity.is_empty(),
            };
            if !same {
                changed.push(Shard { tree, number, path, identity, settled });
            }
        }
    }
    Ok(changed)
}

/// After how many manifests is looked whether there is time left; so many take some 0.5 ms.
const LOOK_AT_THE_CLOCK: usize = 32;

/// Takes in what a directory holds now, while there is time for it; returns whether that was all. What was read
/// then need not be read again. The keys of manifests that were read are added to `read`.
pub(super) fn take_in(
    connection: &Connection,
    store: &Store,
    shard: &Shard,
    read: &mut HashSet<ActionKey>,
    left: &dyn Fn() -> bool,
) -> Result<bool, Fault> {
    let names = names(&shard.path, shard.number)?;
    match shard.tree {
        Tree::Manifests if !manifests(connection, store, shard, &names, read, left)? => return Ok(false),
        Tree::Manifests => {}
        Tree::Outcomes => entries::outcomes_are(connection, store, shard.number, &names)?,
        Tree::Blobs => entries::blobs_are(connection, store, shard.number, &names)?,
    }
    connection.prepare_cached("INSERT OR REPLACE INTO shards VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        shard.tree as u8,
        shard.number,
        shard.identity,
        shard.settled
    ])?;
    Ok(true)
}

/// Makes the index look at every directory again.
pub(super) fn forget(connection: &Connection) -> Result<(), Fault> {
    // Not by deleting the rows: what a directory held that is gone since would then never be missed.
    connection.execute("UPDATE shards SET settled = 0", [])?;
    Ok(())
}

type Known = HashMap<(u8, u8), (Vec<u8>, bool)>;

fn known(connection: &Connection) -> Result<Known, Fault> {
    let mut statement = connection.prepare_cached("SELECT tree, shard, identity, settled FROM shards")?;
    let rows = statement
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get::<_, i64>(3)? != 0))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns the digests that files in a shard are named by.
fn names(path: &Path, number: u8) -> Result<HashSet<Digest>, Fault> {
    let names = list(path)?.into_iter().map(|file| file.file_name());
    let digests = names.filter_map(|name| name.to_str().and_then(Digest::from_hex));
    Ok(digests.filter(|digest| digest.as_bytes()[0] == number).collect())
}

fn manifests(
    connection: &Connection,
    store: &Store,
    shard: &Shard,
    names: &HashSet<Digest>,
    read: &mut HashSet<ActionKey>,
    left: &dyn Fn() -> bool,
) -> Result<bool, Fault> {
    let mut since = 0;
    let (first, last) = column::digests_of(shard.number);
    let mut known: HashMap<[u8; Digest::LENGTH], Vec<u8>> = connection
        .prepare_cached("SELECT key, identity FROM manifests WHERE key BETWEEN ?1 AND ?2")?
        .query_map(params![first, last], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for name in names {
        let key = ActionKey::from_bytes(*name.as_bytes());
        let known = known.remove(name.as_bytes());
        let present = Identity::of_entry(&store.manifest_path(&key)).ok();
        if known.is_none() || present.as_ref().map(column::identity) != known {
            if since == LOOK_AT_THE_CLOCK {
                since = 0;
                if !left() {
                    return Ok(false);
                }
            }
            since += 1;
            entries::read_manifest(connection, store, &key)?;
            read.insert(key);
        }
    }
    for key in known.into_keys() {
        entries::read_manifest(connection, store, &ActionKey::from_bytes(key))?;
    }
    Ok(true)
}
