//! Looking: what each file of a store should be, and is not.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Fault, Place, Remedy, Report, below};
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
use crate::store::index::Index;
use crate::store::journal::{self, Record};
use crate::store::listing::list;
use crate::store::location::Trouble;
use crate::store::manifest::{Entry, Manifest};
use crate::store::outcome::{Outcome, OutcomeId};
use crate::store::secret;
use crate::store::temporary::maker;
use crate::store::{SIGNATURE, Store, blocks_on_disk};
use crate::sys::file::is_absent;

/// The directories of a store.
pub(super) const DIRECTORIES: [&str; 6] = ["manifests", "outcomes", "blobs", "leases", "restores", "tmp"];
/// The files that each store has from the beginning.
const NEEDED: [&str; 4] = ["FORMAT", "generation", "CACHEDIR.TAG", secret::NAME];
/// The files that come by themselves; the last is SQLite's (sqlite.org/tempfiles.html).
const OTHERS: [&str; 5] = ["gc.lock", "refresh.lock", "usage", "index.db", "index.db-journal"];
/// How many of its directories and needed files say that a directory is a store, if one of the others is lost:
/// the user's own has none of them, or one by accident.
const ENOUGH: usize = 3;
/// The trees whose files have a digest as their name.
const TREES: [&str; 3] = ["manifests", "outcomes", "blobs"];
/// The directories whose files stand in them directly.
const FLAT: [&str; 2] = ["leases", "tmp"];
/// Where what is damaged goes.
pub(super) const QUARANTINE: &str = "quarantine";

/// Returns whether a store was made here, also when `FORMAT` is lost.
pub(super) fn is_store(store: &Store) -> bool {
    let is_there = |name: &&&str| store.path().join(name).exists();
    store.id().is_some()
        && (store.is_made() || NEEDED.iter().chain(&DIRECTORIES).filter(is_there).count() >= ENOUGH)
}

/// Looks at everything once, without a lock.
pub(super) fn through(store: &Store, user: u32) -> Result<Report, Trouble> {
    let mut report = Report::default();
    for name in NEEDED.into_iter().chain(DIRECTORIES).chain(OTHERS) {
        report.faults.extend(file(store, user, Path::new(name)));
    }
    for path in journals(store)? {
        report.faults.extend(file(store, user, &path));
    }
    for (number, tree) in TREES.into_iter().enumerate() {
        for shard in names(&store.path().join(tree))? {
            let directory = Path::new(tree).join(&shard);
            if let Some(fault) = file(store, user, &directory) {
                report.faults.push(fault);
                continue;
            }
            for name in names(&store.path().join(&directory))? {
                let path = directory.join(&name);
                if name == ".lock" {
                    report.faults.extend(file(store, user, &path));
                    continue;
                }
                if let Ok(metadata) = store.path().join(&path).symlink_metadata() {
                    report.files[number] += 1;
                    report.bytes += blocks_on_disk(&metadata);
                }
                report.faults.extend(file(store, user, &path));
                if tree == "manifests"
                    && let Some(key) = digest(&name).map(|digest| ActionKey::from_bytes(*digest.as_bytes()))
                    && let Ok(manifest) = store.manifest(&key)
                {
                    report.faults.extend(manifest.entries.iter().filter_map(|one| entry(store, &key, one)));
                }
            }
        }
    }
    for directory in FLAT {
        for name in names(&store.path().join(directory))? {
            report.faults.extend(file(store, user, &Path::new(directory).join(name)));
        }
    }
    report.quarantined = names(&store.path().join(QUARANTINE))?.len() as u64;
    Ok(report)
}

/// Looks at what seemed wrong once more.
pub(super) fn again(store: &Store, user: u32, fault: &Fault) -> Option<Fault> {
    match &fault.place {
        Place::File(path) => file(store, user, path),
        Place::Entry(key, outcome) => {
            let manifest = store.manifest(key).ok()?;
            entry(store, key, manifest.entries.iter().find(|entry| entry.id == *outcome)?)
        }
        Place::Index => Some(fault.clone()),
    }
}

/// Returns what is wrong with a file or directory of the store, by where it is.
fn file(store: &Store, user: u32, path: &Path) -> Option<Fault> {
    let wrong = |what: String, remedy| Some(Fault { place: Place::File(path.to_owned()), what, remedy });
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let absolute = store.path().join(path);
    let metadata = match std::fs::symlink_metadata(&absolute) {
        Ok(metadata) => metadata,
        // In a tree one that is gone was removed by somebody meanwhile; the rest must be there.
        Err(error) if is_absent(&error) => {
            let needed = parts.len() == 1 && (NEEDED.contains(&parts[0]) || DIRECTORIES.contains(&parts[0]));
            return if needed { wrong("it is missing".to_owned(), Remedy::Make) } else { None };
        }
        Err(error) => return wrong(format!("it cannot be looked at: {error}"), Remedy::Quarantine),
    };
    let replaced = if parts.len() == 1 { Remedy::Replace } else { Remedy::Quarantine };
    let is_directory = match parts.as_slice() {
        [name] => DIRECTORIES.contains(name),
        [tree, _] => TREES.contains(tree),
        _ => false,
    };
    if is_directory != metadata.is_dir() || !is_directory && !metadata.is_file() {
        let expected = if is_directory { "directory" } else { "regular file" };
        return wrong(format!("it is no {expected}"), replaced);
    }
    if metadata.uid() != user {
        return wrong(format!("it belongs to user {}", metadata.uid()), replaced);
    }
    if metadata.mode() & 0o022 != 0 {
        return wrong(
            format!("others may write to it (mode {:03o})", metadata.mode() & 0o7777),
            Remedy::Close,
        );
    }
    let what = match parts.as_slice() {
        ["FORMAT" | "generation"] => without_number(&absolute),
        ["CACHEDIR.TAG"] => match std::fs::read(&absolute) {
            Ok(bytes) => (!bytes.starts_with(SIGNATURE)).then(|| "its signature is not there".to_owned()),
            Err(error) => unreadable(&error),
        },
        [name] if *name == secret::NAME => store.secret().is_none().then(|| "it is no secret".to_owned()),
        [journal] if journal.starts_with("journal") => damaged_records(&absolute),
        [tree, shard] if TREES.contains(tree) => {
            (shard.len() != 2 || u8::from_str_radix(shard, 16).is_err()).then(stray)
        }
        ["leases", name] => digest(name).is_none().then(stray),
        ["tmp", name] => maker(name).is_none().then(stray),
        [_, _, ".lock"] => None,
        [tree, shard, name] => match digest(name).filter(|_| name.starts_with(shard)) {
            None => Some(stray()),
            Some(digest) => content(store, tree, &digest, &absolute, &metadata),
        },
        _ => None,
    };
    what.and_then(|what| wrong(what, replaced))
}

/// Returns what is wrong with a file that holds a number.
fn without_number(path: &Path) -> Option<String> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse::<u64>().ok());
            number.is_none().then(|| "there is no number in it".to_owned())
        }
        Err(error) => unreadable(&error),
    }
}

fn stray() -> String {
    "it is none of memo's".to_owned()
}

/// Returns what is wrong with the content of a file that is named by a digest.
fn content(store: &Store, tree: &str, name: &Digest, path: &Path, metadata: &Metadata) -> Option<String> {
    let differs = || "it does not have the content its name says".to_owned();
    let found = match tree {
        "blobs" => File::open(path).and_then(|file| Digest::of_file(&file, metadata.len())),
        "outcomes" => match std::fs::read(path) {
            Ok(bytes) if Outcome::decode(&bytes).is_err() && Digest::of(&bytes) == *name => {
                return Some("its bytes make no sense".to_owned());
            }
            bytes => bytes.map(|bytes| Digest::of(&bytes)),
        },
        _ => {
            let key = ActionKey::from_bytes(*name.as_bytes());
            return match std::fs::read(store.manifest_path(&key)) {
                Ok(bytes) => Manifest::decode(&bytes, &key, None).err().map(|_| "it is damaged".to_owned()),
                Err(error) => unreadable(&error),
            };
        }
    };
    match found {
        Ok(found) => (found != *name).then(differs),
        Err(error) => unreadable(&error),
    }
}

/// Says why a file cannot be read; one that went meanwhile need not be.
fn unreadable(error: &io::Error) -> Option<String> {
    (!is_absent(error)).then(|| format!("it cannot be read: {error}"))
}

/// Returns what is wrong with an entry whose manifest is sound: damage to what it needs is a fault of that.
fn entry(store: &Store, key: &ActionKey, entry: &Entry) -> Option<Fault> {
    let wrong =
        |what: String| Some(Fault { place: Place::Entry(*key, entry.id), what, remedy: Remedy::Drop });
    let outcome = match &entry.body {
        Some(body) if Digest::of(body) != entry.id.0 => return wrong("its outcome is another's".to_owned()),
        Some(body) => Outcome::decode(body),
        None => match std::fs::read(store.outcome_path(&entry.id)) {
            Ok(bytes) if Digest::of(&bytes) != entry.id.0 => return None,
            Ok(bytes) => Outcome::decode(&bytes),
            Err(error) if is_absent(&error) => return wrong("its outcome is gone".to_owned()),
            Err(_) => return None,
        },
    };
    let Ok(outcome) = outcome else { return wrong("its outcome makes no sense".to_owned()) };
    outcome.blobs().find_map(|(digest, length)| {
        let metadata = store.blobs.path(&digest).symlink_metadata();
        match metadata {
            Err(error) if is_absent(&error) => wrong(format!("blob {} is gone", digest.short())),
            Ok(metadata) if metadata.is_file() && metadata.len() != length => {
                // If the blob is what its name says, the entry is wrong; else the blob is.
                let file = File::open(store.blobs.path(&digest)).ok()?;
                let sound = Digest::of_file(&file, metadata.len()).is_ok_and(|found| found == digest);
                if sound { wrong(format!("blob {} has another length", digest.short())) } else { None }
            }
            _ => None,
        }
    })
}

/// Compares the index with one that is built anew.
pub(super) fn index(store: &Store, now: Timestamp) -> Result<Option<Fault>, Trouble> {
    let found = |what: String| Some(Fault { place: Place::Index, what, remedy: Remedy::Rebuild });
    if let Some(what) = Index::damage(store) {
        return Ok(found(what));
    }
    let mut index = Index::to_look_at(store, now)?;
    let mut anew = Index::anew(store, now)?;
    let ids = |index: &mut Index<'_>| -> Result<Vec<(ActionKey, OutcomeId, u64)>, Trouble> {
        let mut ids: Vec<_> = index.rows()?.into_iter().map(|row| (row.key, row.outcome, row.size)).collect();
        ids.sort_unstable();
        Ok(ids)
    };
    if ids(&mut index)? != ids(&mut anew)? {
        return Ok(found("it does not list what the files are".to_owned()));
    }
    Ok(None)
}

/// Returns the journals of a store, relative to it.
fn journals(store: &Store) -> Result<Vec<PathBuf>, Trouble> {
    let taken = store.journal.taken().map_err(|error| Trouble::io("list", store.path(), error))?;
    let mut journals = vec![store.journal.path().to_owned()];
    journals.extend(taken.into_iter().map(|(_, path)| path));
    Ok(journals.iter().map(|path| below(store, path)).collect())
}

fn damaged_records(path: &Path) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    let sound = journal::records(&bytes).count();
    let damaged = bytes.len() - sound * Record::LENGTH;
    (damaged > 0).then(|| format!("{damaged} bytes in it are no records"))
}

fn digest(name: &str) -> Option<Digest> {
    Digest::from_hex(name).filter(|_| name.len() == 2 * Digest::LENGTH)
}

/// Returns the names in a directory, in order; none where there is no directory.
fn names(directory: &Path) -> Result<Vec<String>, Trouble> {
    let files = list(directory)?;
    let mut names: Vec<_> =
        files.iter().map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}
