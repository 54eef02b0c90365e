//! Sweeping: files of the store that belong to no entry.

use std::fs::{DirEntry, Metadata};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::action::digest::Digest;
use crate::action::identity::{Identity, Timestamp};
use crate::action::key::ActionKey;
use crate::store::index::Index;
use crate::store::lease::Lease;
use crate::store::listing::list;
use crate::store::location::Trouble;
use crate::store::restores::Restores;
use crate::store::temporary::maker;
use crate::store::{Store, blocks_on_disk, clear};
use crate::sys::process;

/// How long a file without an entry is kept: whoever made it may be about to record what needs it.
const GRACE: Duration = Duration::from_secs(3600);
/// How long a temporary file is kept whose maker seems to be there; after a day another process may have
/// its number.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How much is looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of it.
    Everything,
    /// One directory of blobs and one of outcomes; another one each second.
    OneShard,
}

/// A file that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub(crate) path: PathBuf,
    /// What it takes on disk.
    pub(crate) bytes: u64,
    /// When it was last written to or wanted.
    modified: i64,
    kind: Kind,
}

/// What kind of file it is, which decides how it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File,
    Lease,
    /// The lock of a place at which outputs are put back.
    Restore,
}

impl Leftover {
    /// Returns whether it was left by a run and not by a restore, and if so, whether it is a lease.
    pub(crate) fn of_run(&self) -> Option<bool> {
        match self.kind {
            Kind::File => Some(false),
            Kind::Lease => Some(true),
            Kind::Restore => None,
        }
    }

    /// Removes it, if it is as it was found.
    ///
    /// # Errors
    /// [`Trouble`] when the system will not.
    pub(crate) fn remove(&self) -> Result<(), Trouble> {
        let removed = match self.kind {
            Kind::File => None,
            Kind::Lease => Some(Lease::remove_abandoned(&self.path).map(|_| ())),
            Kind::Restore => Some(Restores::remove_abandoned(&self.path)),
        };
        if let Some(removed) = removed {
            return removed.map_err(|error| Trouble::io("remove", &self.path, error));
        }
        // Somebody may have come to want it.
        match Identity::of_entry(&self.path) {
            Ok(found) if found.mtime == self.modified => clear::remove(&self.path),
            _ => Ok(()),
        }
    }
}

/// Returns whether a file was not written to or wanted for an hour.
pub(super) fn is_old(path: &Path, now: Timestamp) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| is_older(&metadata, now, GRACE))
}

fn is_older(metadata: &Metadata, now: Timestamp, limit: Duration) -> bool {
    now.since(Timestamp(Identity::from(metadata).mtime)).is_some_and(|age| age >= limit)
}

/// Returns the files that belong to no entry and that nobody is about to use.
pub(super) fn find(
    store: &Store,
    index: &mut Index<'_>,
    now: Timestamp,
    scope: Scope,
) -> Result<Vec<Leftover>, Trouble> {
    let shards = match scope {
        Scope::Everything => 0..=u8::MAX,
        Scope::OneShard => {
            let number = (now.0 / 1_000_000_000).rem_euclid(256) as u8;
            number..=number
        }
    };
    let mut leftovers = abandoned(store, now)?;
    for shard in shards {
        let shard = format!("{shard:02x}");
        for (tree, is_blob) in [("blobs", true), ("outcomes", false)] {
            for (file, metadata) in files(&store.path().join(tree).join(&shard))? {
                let Some(name) = file.file_name().to_str().and_then(Digest::from_hex) else { continue };
                let known = if is_blob { index.knows_blob(&name) } else { index.knows_outcome(&name) }?;
                if !known && is_older(&metadata, now, GRACE) {
                    leftovers.push(leftover(&file, &metadata));
                }
            }
        }
    }
    Ok(leftovers)
}

/// Returns what killed processes have left: temporary files, leases and locks of restores.
pub(in crate::store) fn abandoned(store: &Store, now: Timestamp) -> Result<Vec<Leftover>, Trouble> {
    let mut leftovers = Vec::new();
    for (file, metadata) in files(&store.path().join("tmp"))? {
        // What has another name is none of ours.
        let Some(maker) = file.file_name().to_str().and_then(maker) else { continue };
        let is_there = || process::is_there(maker);
        if is_older(&metadata, now, LONGEST) || is_older(&metadata, now, GRACE) && !is_there() {
            leftovers.push(leftover(&file, &metadata));
        }
    }
    for (file, metadata) in files(&store.path().join("leases"))? {
        let is_ours = file.file_name().to_str().is_some_and(|name| ActionKey::from_hex(name).is_some());
        if is_ours && Lease::is_abandoned(&file.path()) {
            leftovers.push(Leftover { kind: Kind::Lease, ..leftover(&file, &metadata) });
        }
    }
    for (file, metadata) in files(&store.path().join("restores"))? {
        let is_ours = file.file_name().to_str().is_some_and(|name| Digest::from_hex(name).is_some());
        if is_ours && Restores::is_abandoned(&file.path(), |metadata| is_older(metadata, now, GRACE)) {
            leftovers.push(Leftover { kind: Kind::Restore, ..leftover(&file, &metadata) });
        }
    }
    Ok(leftovers)
}

fn leftover(file: &DirEntry, metadata: &Metadata) -> Leftover {
    let modified = Identity::from(metadata).mtime;
    Leftover { path: file.path(), bytes: blocks_on_disk(metadata), modified, kind: Kind::File }
}

/// Returns the regular files of a directory.
fn files(directory: &Path) -> Result<Vec<(DirEntry, Metadata)>, Trouble> {
    let mut files = Vec::new();
    for file in list(directory)? {
        // One that went meanwhile is none.
        if let Ok(metadata) = file.metadata()
            && metadata.is_file()
        {
            files.push((file, metadata));
        }
    }
    files.sort_by_key(|(file, _)| file.file_name());
    Ok(files)
}
