//! Clearing: everything that was recorded, or some entries.
//!
//! # Locking
//! Both hold `generation` exclusively from before they look until the last file is gone. A commit holds it
//! shared from its last check to its rename, so none is under way, and what the index says then is exact. The
//! locks of manifests (`manifests/ab/.lock`) are never removed, nor are directories: a run may be storing a
//! blob right now, for which it needs no lock, and must not find its directory gone.
//!
//! Runs under way: a full clear raises the number, with which every commit compares; a partial one unlinks
//! the leases of its keys, without which no commit is made. Their blobs stay behind, for gc.
//!
//! # Crash safety
//! The number is raised first and manifests go before what they need. Killed at any instant, a clear has removed
//! some of the entries it was to remove and left the others whole; the index sees that when it is opened next.

use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Store;
use super::generation::Generation;
use super::index::{Index, Weight};
use super::location::Trouble;
use super::lock::{self, Tried};
use super::outcome::OutcomeId;
use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
use crate::fault;
use crate::store::listing::list;
use crate::sys::file::is_absent;

/// Removes everything that was recorded; returns how much went.
///
/// # Errors
/// [`Trouble`] when the system will not; what is left then is whole.
pub fn all(store: &Store, now: Timestamp) -> Result<Weight, Trouble> {
    if !store.is_made() {
        return Ok(Weight::default());
    }
    let generation = Generation::exclusive(store)?;
    let mut index = Index::open(store, now)?;
    let weight = index.total()?;
    raise(store, &generation)?;
    empty_tree(&store.path().join("manifests"))?;
    fault::point("clear.manifests");
    empty(&store.path().join("leases"))?;
    fault::point("clear.leases");
    empty_tree(&store.path().join("outcomes"))?;
    empty_tree(&store.path().join("blobs"))?;
    fault::point("clear.blobs");
    remove_journals(store)?;
    fault::point("clear.journal");
    index.reset();
    Ok(weight)
}

/// Removes some entries; returns how much went. One that is no longer there is passed over.
///
/// # Errors
/// [`Trouble`] when the system will not; what is left then is whole.
pub fn some(store: &Store, picked: &[(ActionKey, OutcomeId)], now: Timestamp) -> Result<Weight, Trouble> {
    if !store.is_made() {
        return Ok(Weight::default());
    }
    let generation = Generation::exclusive(store)?;
    let mut index = Index::open(store, now)?;
    let (weight, blobs) = index.weigh_with_blobs(picked)?;
    let mut picked = picked.to_vec();
    picked.sort_unstable();
    for chunk in picked.chunk_by(|a, b| a.0 == b.0) {
        remove(&store.lease_path(&chunk[0].0))?;
    }
    if matches!(lock::try_exclusive(&generation.file), Ok(Tried::NoLocks)) {
        // No run has a lease: then none under way is recorded.
        raise(store, &generation)?;
    }
    fault::point("clear.leases");
    for chunk in picked.chunk_by(|a, b| a.0 == b.0) {
        store.remove(&chunk[0].0, |entry| chunk.iter().any(|(_, outcome)| *outcome == entry.id))?;
    }
    fault::point("clear.manifests");
    index.bring_up()?;
    for blob in index.unused(&blobs)? {
        remove(&store.blobs.path(&blob))?;
    }
    fault::point("clear.blobs");
    index.bring_up()?;
    Ok(weight)
}

/// Raises the number of the generation. In place, for others may be waiting for the lock on this very file. It
/// only grows, and is written at once, so that whoever reads without a lock reads the old number or the new one.
fn raise(store: &Store, generation: &Generation) -> Result<(), Trouble> {
    let number = format!("{}\n", store.generation().saturating_add(1));
    let path = store.path().join("generation");
    generation.file.write_all_at(number.as_bytes(), 0).map_err(|error| Trouble::io("write", &path, error))?;
    fault::point("clear.generation");
    Ok(())
}

/// Removes the journal and what folds have left of earlier ones.
fn remove_journals(store: &Store) -> Result<(), Trouble> {
    let path = store.journal.path();
    let trouble = |error| Trouble::io("remove", path, error);
    if let Some(held) = store.journal.hold().map_err(trouble)? {
        held.remove().map_err(trouble)?;
    }
    for (_, path) in store.journal.taken().map_err(trouble)? {
        remove(&path)?;
    }
    Ok(())
}

fn empty_tree(directory: &Path) -> Result<(), Trouble> {
    for shard in 0..=u8::MAX {
        empty(&directory.join(format!("{shard:02x}")))?;
    }
    Ok(())
}

/// Removes the files of a directory but for its lock. A directory in it is none of ours.
fn empty(directory: &Path) -> Result<(), Trouble> {
    for file in list(directory)? {
        let is_directory = file.file_type().is_ok_and(|kind| kind.is_dir());
        if file.file_name() != ".lock" && !is_directory {
            remove(&file.path())?;
        }
    }
    Ok(())
}

pub(super) fn remove(path: &Path) -> Result<(), Trouble> {
    match std::fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(Trouble::io("remove", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{Fixture, NOW, key, outcome};
    use crate::store::lease::Taken;
    use crate::store::{Commit, NotCommitted};

    fn names(fixture: &Fixture, directory: &str) -> Vec<String> {
        let mut names = Vec::new();
        for entry in walkdir::WalkDir::new(fixture.store.path().join(directory)) {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                names.push(entry.file_name().to_str().unwrap().to_owned());
            }
        }
        names.sort();
        names
    }

    #[test]
    fn a_full_clear_leaves_locks_and_directories_only() {
        let fixture = Fixture::new();
        fixture.record(1, &["a"], 1);
        fixture.record_with_blob(2, &["b"], 2, "output");
        fixture.record_with_blob(2, &["b"], 3, "other");
        let before = Index::open(&fixture.store, NOW).unwrap().total().unwrap();
        fixture.record(3, &["c"], 3);
        let Ok(Taken::Ours(lease)) = fixture.store.lease(&key(9)) else { panic!() };
        let went = all(&fixture.store, NOW).unwrap();
        assert_eq!(went.entries, before.entries + 1);
        assert!(went.bytes > before.bytes);
        assert!(!lease.is_current());
        for directory in ["outcomes", "blobs", "leases", "tmp"] {
            assert_eq!(names(&fixture, directory), [""; 0], "{directory}");
        }
        assert_eq!(names(&fixture, "manifests"), [".lock"; 3]);
        assert!(!fixture.store.journal.path().exists());
        assert_eq!(fixture.store.generation(), 1);
        let mut index = Index::open(&fixture.store, NOW).unwrap();
        assert_eq!(index.rows().unwrap(), []);
        assert_eq!(index.total().unwrap(), Weight::default());
        drop(index);
        assert_eq!(all(&fixture.store, NOW).unwrap(), Weight::default());
        fixture.record(1, &["a"], 4);
        assert_eq!(Index::open(&fixture.store, NOW).unwrap().rows().unwrap().len(), 1);
    }

    #[test]
    fn a_run_that_began_before_a_clear_is_not_recorded() {
        let fixture = Fixture::new();
        let id = fixture.record(1, &["a"], 1);
        let commit = || Commit {
            outcome: outcome(&["a"], 2),
            observations: Vec::new(),
            undeclared: false,
            transcript: None,
        };
        let store = &fixture.store;
        let Ok(Taken::Ours(lease)) = store.lease(&key(1)) else { panic!() };
        some(store, &[(key(1), id)], NOW).unwrap();
        let done = store.commit(&key(1), commit(), Some(&lease), store.generation(), NOW);
        assert!(matches!(done, Err(NotCommitted::Cleared)));
        let before = store.generation();
        all(store, NOW).unwrap();
        let done = store.commit(&key(1), commit(), None, before, NOW);
        assert!(matches!(done, Err(NotCommitted::Cleared)));
        assert_eq!(names(&fixture, "manifests"), [".lock"]);
    }

    #[test]
    fn a_partial_clear_removes_the_entry_its_files_and_nothing_else() {
        let fixture = Fixture::new();
        let large = fixture.record_with_blob(1, &["a"], 1, "mine");
        let newest = fixture.record_with_blob(1, &["a"], 2, "shared");
        let other = fixture.record_with_blob(2, &["b"], 3, "shared");
        let total = || Index::open(&fixture.store, NOW).unwrap().total().unwrap();
        let before = total();
        let went = some(&fixture.store, &[(key(1), large), (key(1), newest), (key(8), large)], NOW).unwrap();
        assert_eq!(went.entries, 2);
        let after = total();
        assert_eq!((after.entries, after.bytes), (1, before.bytes - went.bytes));
        let mut index = Index::open(&fixture.store, NOW).unwrap();
        assert_eq!(index.rows().unwrap().iter().map(|row| row.outcome).collect::<Vec<_>>(), [other]);
        assert_eq!(names(&fixture, "blobs"), [crate::action::digest::Digest::of(b"shared").to_string()]);
        assert_eq!(names(&fixture, "outcomes"), [""; 0]);
        assert_eq!(fixture.store.generation(), 0);
        drop(index);
        some(&fixture.store, &[(key(2), other)], NOW).unwrap();
        assert_eq!(names(&fixture, "blobs"), [""; 0]);
        assert_eq!(total(), Weight::default());
    }

    #[test]
    fn what_is_foretold_is_what_goes() {
        let fixture = Fixture::new();
        let a = fixture.record_with_blob(1, &["a"], 1, "shared");
        let b = fixture.record_with_blob(2, &["b"], 2, "shared");
        fixture.record_with_blob(3, &["c"], 3, "c's own");
        for picked in [vec![(key(1), a)], vec![(key(1), a), (key(2), b)]] {
            let foretold = Index::open(&fixture.store, NOW).unwrap().weigh(&picked).unwrap();
            let went = some(&fixture.store, &picked, NOW).unwrap();
            assert_eq!(went, foretold);
            fixture.record_with_blob(1, &["a"], 1, "shared");
        }
    }

    #[test]
    fn where_no_store_is_none_is_made() {
        let mut fixture = Fixture::new();
        let path = fixture.store.path().join("nowhere");
        fixture.store = Store::open(&path, crate::sys::process::user(), None).unwrap();
        assert_eq!(all(&fixture.store, NOW).unwrap(), Weight::default());
        assert_eq!(Index::open(&fixture.store, NOW).unwrap().rows().unwrap(), []);
        assert!(!path.exists());
        // A directory of the user's own, named by MEMO_DIR, is no store either.
        std::fs::create_dir_all(path.join("blobs/ab")).unwrap();
        std::fs::write(path.join("blobs/ab/mine"), "mine").unwrap();
        fixture.store = Store::open(&path, crate::sys::process::user(), None).unwrap();
        assert_eq!(all(&fixture.store, NOW).unwrap(), Weight::default());
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);
        assert!(path.join("blobs/ab/mine").exists());
    }
}
