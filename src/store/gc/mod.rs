//! gc: keeps the store within its limits, and removes what nothing needs.
//!
//! Entries go as [`retention`] chooses; then `sweep` removes the files without an entry: what killed runs
//! left, and blobs and outcomes that no entry has named for an hour.
//!
//! # Locking
//! One at a time: `gc.lock`, which is never removed; a run that finds it taken leaves the work to the other.
//! While something is removed, `generation` is held exclusively, so that no commit is between its last look at
//! its blobs and its manifest, and not for longer than some ms; each manifest is changed under its own lock. The
//! order is `gc.lock`, `generation`, a transaction of the index, as everywhere. A hit holds nothing: what it has
//! opened stays readable, what it finds gone is a miss.
//!
//! # Crash safety
//! A manifest goes before the files it names, and the index is told last: killed in between, gc has left
//! files without an entry, and rows whose files are gone, which both are found the next time.
//!
//! # Performance
//! After a run, [`after_commit`] decides by the length of the journal, the sum in its records and the file
//! `usage` whether it is worth opening the index at all; mostly it is not. If it is, the work is cut into
//! pieces, and after `TIME` what is left waits for the next run.

pub mod retention;
mod sweep;

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use super::generation::Generation;
use super::index::Index;
use super::journal::Record;
use super::location::Trouble;
use super::lock::Tried;
use super::outcome::OutcomeId;
use super::usage::Usage;
use super::{Store, clear, lock};
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
use crate::fault;
use retention::{Chosen, Limits, MostEntries, choose};
pub(super) use sweep::{Leftover, abandoned};

/// How long `memo gc` waits for another one.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a run is held up, at most, before the next piece of work is left to another; what is begun then
/// takes some ms more.
const TIME: Duration = Duration::from_millis(8);
/// A journal of this size, in bytes, is folded by the next run: a thousand records.
const LONG: u64 = 160 << 10;
/// Runs that added less than this part of the bound lately need not look each time.
const SMALL_PART: u64 = 1024;
/// Each looks when less than this part of the bound was free at the last count.
const NEAR: u64 = 64;
/// One run of so many looks in any case: it finds two more records than the one before.
const LOOKS: u64 = 16;
/// How many entries go at a time when a run removes them.
const BATCH: u32 = 16;
/// Of how many keys entries go at a time while `memo gc` keeps commits waiting: some 10 ms.
const AT_A_TIME: usize = 128;

/// What went, or would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Went {
    /// How many entries.
    pub entries: u64,
    /// What they took, in bytes on disk.
    pub bytes: u64,
    /// How many files that belong to no entry.
    pub files: u64,
    /// What those took, in bytes on disk.
    pub file_bytes: u64,
}

/// What is to be removed.
#[derive(Debug, Default)]
struct Plan {
    /// Blobs that no entry needs, with what they take on disk.
    idle: Vec<(Digest, u64)>,
    chosen: Chosen,
    leftovers: Vec<Leftover>,
}

impl Plan {
    /// Plans for blobs and up to `most` entries.
    fn make(
        index: &mut Index<'_>,
        store: &Store,
        now: Timestamp,
        limits: Limits,
        most: u32,
    ) -> Result<Self, Trouble> {
        let mut total = index.disk()?;
        let mut idle = index.idle()?;
        // A young one may be what a run is about to record; it goes only when there is no room.
        if total <= limits.most {
            idle.retain(|(digest, _)| sweep::is_old(&store.blobs.path(digest), now));
        }
        total = total.saturating_sub(idle.iter().map(|(_, bytes)| bytes).sum());
        let candidates = if total > limits.most { index.candidates(most)? } else { Vec::new() };
        Ok(Self { idle, chosen: choose(candidates, total, now, limits), leftovers: Vec::new() })
    }

    /// Plans for some of what is too much in a group.
    fn for_group(index: &mut Index<'_>, group: MostEntries<'_>) -> Result<Self, Trouble> {
        let gone = index.beyond(&group, BATCH)?;
        let (_, blobs) = index.weigh_with_blobs(&gone)?;
        let gone = gone.into_iter().map(|(key, outcome)| (key, Some(outcome))).collect();
        Ok(Self { chosen: Chosen { gone, blobs, ..Chosen::default() }, ..Self::default() })
    }

    fn weigh(&self) -> Went {
        let entries = self.chosen.gone.iter().filter(|(_, outcome)| outcome.is_some()).count() as u64;
        let bare = self.chosen.gone.len() as u64 - entries;
        let idle: u64 = self.idle.iter().map(|(_, bytes)| bytes).sum();
        let left: u64 = self.leftovers.iter().map(|leftover| leftover.bytes).sum();
        Went {
            entries,
            bytes: self.chosen.bytes - self.chosen.bare,
            files: bare + (self.idle.len() + self.leftovers.len()) as u64,
            file_bytes: self.chosen.bare + idle + left,
        }
    }

    /// Returns what goes, key by key.
    fn by_key(&self) -> Vec<(ActionKey, Vec<Option<OutcomeId>>)> {
        let mut gone = self.chosen.gone.clone();
        gone.sort_unstable();
        let of_a_key = |picked: &[(ActionKey, _)]| (picked[0].0, picked.iter().map(|(_, id)| *id).collect());
        gone.chunk_by(|a, b| a.0 == b.0).map(of_a_key).collect()
    }

    /// Removes the blobs that nothing needs now, inside a transaction of the index. `generation` is held.
    fn remove_blobs(&self, index: &mut Index<'_>, store: &Store) -> Result<(), Trouble> {
        let mut blobs: Vec<Digest> = self.idle.iter().map(|(digest, _)| *digest).collect();
        blobs.extend(&self.chosen.blobs);
        let blobs = index.unused(&blobs)?;
        for blob in &blobs {
            clear::remove(&store.blobs.path(blob))?;
        }
        fault::point("gc.blobs");
        index.blobs_went(&blobs)
    }

    /// Removes the files that belong to no entry. `generation` is held.
    fn sweep(&self) -> Result<(), Trouble> {
        for leftover in &self.leftovers {
            leftover.remove()?;
        }
        fault::point("gc.swept");
        Ok(())
    }
}

/// Removes entries, inside a transaction of the index. `generation` is held.
fn remove_entries(
    gone: &[(ActionKey, Vec<Option<OutcomeId>>)],
    index: &mut Index<'_>,
    store: &Store,
) -> Result<(), Trouble> {
    for (key, outcomes) in gone {
        store.evict(key, |entry| outcomes.contains(&Some(entry.id)))?;
        index.reread(key)?;
    }
    fault::point("gc.manifests");
    Ok(())
}

/// Brings the store within its limits; returns what went.
///
/// # Errors
/// [`Trouble`] when the system will not; what is left then is whole.
pub fn run(store: &Store, now: Timestamp, limits: Limits) -> Result<Went, Trouble> {
    if !store.is_made() {
        return Ok(Went::default());
    }
    let _lock = hold(store)?;
    fault::point("gc.locked");
    let mut index = Index::open(store, now)?;
    let mut plan = Plan::make(&mut index, store, now, limits, u32::MAX)?;
    plan.leftovers = sweep::find(store, &mut index, now, sweep::Scope::Everything)?;
    // Commits wait for a few entries to go, not for all. What was recorded meanwhile is taken in each time. Nobody
    // may wait for `generation` inside a transaction: a `clear` that has it waits for the index.
    let begin = |index: &mut Index<'_>| {
        let generation = Generation::exclusive(store)?;
        index.begin()?;
        index.fold_journals(&|| true)?;
        Ok::<_, Trouble>(generation)
    };
    for gone in plan.by_key().chunks(AT_A_TIME) {
        let generation = begin(&mut index)?;
        remove_entries(gone, &mut index, store)?;
        drop(generation);
        index.finish()?;
    }
    let generation = begin(&mut index)?;
    plan.remove_blobs(&mut index, store)?;
    plan.sweep()?;
    drop(generation);
    index.finish()?;
    fault::point("gc.index");
    // The next one finds the directories as gc has left them.
    index.bring_up()?;
    Usage { total: index.disk()?, finished: true }.note(store);
    fault::point("gc.usage");
    Ok(plan.weigh())
}

/// Returns what [`run`] would remove.
///
/// # Errors
/// [`Trouble`] when the system will not.
pub fn foretell(store: &Store, now: Timestamp, limits: Limits) -> Result<Went, Trouble> {
    if !store.is_made() {
        return Ok(Went::default());
    }
    let mut index = Index::open(store, now)?;
    let mut plan = Plan::make(&mut index, store, now, limits, u32::MAX)?;
    plan.leftovers = sweep::find(store, &mut index, now, sweep::Scope::Everything)?;
    Ok(plan.weigh())
}

/// Looks after the store when a run was recorded, if that is due, for some milliseconds. With a bound on the
/// entries of a group it always is.
pub fn after_commit(store: &Store, now: Timestamp, limits: Limits, group: Option<MostEntries<'_>>) {
    if group.is_some() || is_due(store, limits) {
        let (begun, limit) = (Instant::now(), fault::limit("gc.time", TIME));
        // Whatever goes wrong here is the next one's to try.
        let _ = a_little(store, now, limits, group, &|part| begun.elapsed() < limit / part);
    }
}

/// Returns whether a run that finds a journal of this length is the one of many that looks.
fn is_one_of_many(length: u64) -> bool {
    length / Record::LENGTH as u64 % (2 * LOOKS) < 2
}

/// Returns whether the journal is long, or what was added since the last count may be too much.
fn is_due(store: &Store, limits: Limits) -> bool {
    let usage = Usage::read(store).unwrap_or(Usage { total: 0, finished: true });
    if !usage.finished {
        return true;
    }
    // To read all of a long journal at each miss would cost a tenth of it.
    let (length, lately) = store.journal.lately();
    let is_little = lately < limits.most / SMALL_PART && usage.total < limits.most - limits.most / NEAR;
    if length <= LONG && is_little && !is_one_of_many(length) {
        return false;
    }
    let Some(added) = store.journal.added(LONG) else { return true };
    usage.total.saturating_add(added) > limits.most
}

/// Does what there is time for: `left` says whether a part of it is. Returns whether that was all.
fn a_little(
    store: &Store,
    now: Timestamp,
    limits: Limits,
    group: Option<MostEntries<'_>>,
    left: &dyn Fn(u32) -> bool,
) -> Result<bool, Trouble> {
    let file = lock_file(store)?;
    // Where there are no locks, SQLite's transactions keep two of them apart.
    if !matches!(lock::try_exclusive(&file), Ok(Tried::Locked | Tried::NoLocks)) {
        return Ok(false);
    }
    fault::point("gc.locked");
    let mut index = Index::open_as_it_is(store, now)?;
    // What is read in the order of the keys stands all over the index: the transaction's end takes as long again.
    let mut finished = index.is_whole()? || index.take_in_directories(&|| left(2))?;
    let left = &|| left(1);
    if finished && left() {
        // Commits take their turns in microseconds; one that was stopped must not stop us.
        let generation = Generation::exclusive_within(store, TIME)?;
        // One transaction: it is waiting for the disk at its end that takes the most time.
        index.begin()?;
        finished = index.fold_journals(left)?;
        fault::point("gc.folded");
        while let Some(group) = group.filter(|_| finished && left()) {
            let plan = Plan::for_group(&mut index, group)?;
            if plan.chosen.gone.is_empty() {
                break;
            }
            remove_entries(&plan.by_key(), &mut index, store)?;
            plan.remove_blobs(&mut index, store)?;
        }
        let mut limits = limits;
        while finished && left() {
            let plan = Plan::make(&mut index, store, now, limits, BATCH)?;
            if plan.idle.is_empty() && plan.chosen.gone.is_empty() {
                break;
            }
            if !plan.chosen.gone.is_empty() {
                // What was begun goes on down to the target.
                limits.most = limits.target;
            }
            remove_entries(&plan.by_key(), &mut index, store)?;
            plan.remove_blobs(&mut index, store)?;
        }
        if finished && left() {
            let leftovers = sweep::find(store, &mut index, now, sweep::Scope::OneShard)?;
            Plan { leftovers, ..Plan::default() }.sweep()?;
        }
        drop(generation);
        index.finish()?;
        fault::point("gc.index");
    }
    let total = index.disk()?;
    finished &= total <= limits.most;
    Usage { total, finished }.note(store);
    fault::point("gc.usage");
    Ok(finished)
}

/// Keeps every other gc out.
pub(super) fn hold(store: &Store) -> Result<File, Trouble> {
    let file = lock_file(store)?;
    let path = store.path().join("gc.lock");
    lock::exclusive(&file, PATIENCE).map_err(|error| Trouble::io("lock", &path, error))?;
    Ok(file)
}

fn lock_file(store: &Store) -> Result<File, Trouble> {
    let path = store.path().join("gc.lock");
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| Trouble::io("open", &path, error))
}

#[cfg(test)]
mod tests;
