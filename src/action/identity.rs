//! Stat identity: what stat(2) says of a file, and when that may stand for its content.
//!
//! The racy-clean rule, as git has it (Documentation/technical/racy-git): a file changed twice within
//! one tick of its file system's clock can have equal times and other content. So an identity is
//! trusted only when, before the first byte was read, the file was already older than [`RACY_GUARD`].

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sys::directory::Looked;
use crate::sys::file::{FileSystem, file_system};

/// How old a file's times must be before its stat identity is trusted.
///
/// FAT counts in 2 s, NFS and HFS+ in 1 s, old kernels in ticks of 1-10 ms; a younger file is hashed
/// again next time.
pub const RACY_GUARD: Duration = Duration::from_secs(2);

/// What stat(2) says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Device of the file system.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Kind and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Modification time in ns since 1970.
    pub mtime: i64,
    /// Change time in ns since 1970.
    pub ctime: i64,
}

/// Kinds of file, as far as memo tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A fifo, socket or device.
    Special,
}

impl Identity {
    /// Returns the identity of a path, following links.
    ///
    /// # Errors
    /// Those of stat(2).
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&std::fs::metadata(path)?))
    }

    /// Returns the identity of a path itself, not following a link at its end.
    ///
    /// # Errors
    /// Those of lstat(2).
    pub fn of_entry(path: &Path) -> io::Result<Self> {
        Ok(Self::from(&std::fs::symlink_metadata(path)?))
    }

    /// Returns what kind of file it is.
    pub fn kind(&self) -> FileKind {
        match self.mode & 0o170_000 {
            0o100_000 => FileKind::File,
            0o040_000 => FileKind::Directory,
            0o120_000 => FileKind::Link,
            _ => FileKind::Special,
        }
    }

    /// Returns the permission bits, with set-id and sticky bits.
    pub fn permissions(&self) -> u32 {
        self.mode & 0o7777
    }

    /// Returns whether both times lie more than the guard before `now`; a time in the future never does.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        let guard = i64::try_from(RACY_GUARD.as_nanos()).unwrap_or(i64::MAX);
        now.0.saturating_sub(self.mtime.max(self.ctime)) >= guard
    }
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Self {
        let time = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            dev: metadata.dev(),
            ino: metadata.ino(),
            mode: metadata.mode(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            size: metadata.size(),
            mtime: time(metadata.mtime(), metadata.mtime_nsec()),
            ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl From<Looked> for Identity {
    fn from(looked: Looked) -> Self {
        let Looked { dev, ino, mode, uid, gid, size, mtime, ctime } = looked;
        Self { dev, ino, mode, uid, gid, size, mtime, ctime }
    }
}

/// A point in time, in ns since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns the time that has passed since `earlier`; `None` when that lies in the future.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let ns = u64::try_from(self.0.checked_sub(earlier.0)?).ok()?;
        Some(Duration::from_nanos(ns))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
        })
    }
}

/// Knows on which file systems stat identities may be trusted, asking once for each device.
#[derive(Debug, Default)]
pub struct FileSystems {
    known: Vec<(u64, FileSystem)>,
}

impl FileSystems {
    /// Returns the kind of the file system a path with device `dev` is on; an unknown one counts as `Other`.
    pub fn of(&mut self, dev: u64, path: &Path) -> FileSystem {
        if let Some((_, known)) = self.known.iter().find(|(known, _)| *known == dev) {
            return *known;
        }
        let found = file_system(path).unwrap_or(FileSystem::Other);
        self.known.push((dev, found));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mtime: i64, ctime: i64) -> Identity {
        Identity { dev: 1, ino: 1, mode: 0o100_644, uid: 0, gid: 0, size: 0, mtime, ctime }
    }

    #[test]
    fn an_identity_is_trusted_only_when_both_times_are_older_than_the_guard() {
        let now = Timestamp(10_000_000_000);
        assert!(at(8_000_000_000, 8_000_000_000).is_settled(now));
        assert!(!at(8_000_000_001, 0).is_settled(now));
        assert!(!at(0, 8_000_000_001).is_settled(now));
        assert!(!at(11_000_000_000, 0).is_settled(now), "a time in the future");
    }
}
