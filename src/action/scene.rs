//! The surroundings in which paths are looked at, and how content is read so that it holds still.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::identity::{FileKind, FileSystems, Identity, Timestamp};
use super::known::{KNOWN_FROM, KnownDigests};
use super::onlooker::{Onlooker, Telling};
use crate::sys::file::{FileSystem, open};

/// How many entries a tree may have. Walking so many takes some 50 ms; beyond, a declaration is asked for.
pub const MOST_ENTRIES: usize = 10_000;

/// The surroundings in which paths are looked at.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The time, taken before the first byte is read.
    pub now: Timestamp,
    /// The caller's directory, for comparing paths; empty when it is not known.
    pub directory: &'a Path,
    /// PATH as the command will have it.
    pub search_path: Option<&'a OsStr>,
    /// What trees and listings leave out.
    pub hidden: &'a Hidden,
    /// What is known of file systems.
    pub systems: FileSystems,
    /// Digests of large files that are known from other calls.
    pub known: Option<&'a dyn KnownDigests>,
    /// Who is told how far it is.
    pub onlooker: Option<&'a dyn Onlooker>,
    /// Bytes hashed so far.
    pub hashed: u64,
}

/// Why something could not be observed.
#[derive(Debug, thiserror::Error)]
pub enum Unobservable {
    /// The system said so.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was looked at.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// It is a fifo, socket or device, or lies on a file system of the kernel's own.
    #[error("{}: {what} has no content that could be keyed", path.display())]
    Special {
        /// What was looked at.
        path: PathBuf,
        /// "a fifo", "a socket" and so on.
        what: &'static str,
    },
    /// It did not hold still.
    #[error("{}: it changes while it is read", .0.display())]
    Unsteady(PathBuf),
    /// A tree has more entries than memo walks.
    #[error("{}: more than {} entries", .0.display(), MOST_ENTRIES)]
    TooLarge(PathBuf),
}

impl Unobservable {
    /// Says what the system said of a path.
    pub fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// What a tree or a listing leaves out.
#[derive(Clone, Debug, Default)]
pub struct Hidden {
    /// The store's directory, by device and inode: not there at all.
    pub store: Option<(u64, u64)>,
    /// This action's outputs, and for trees the other words' paths, lexically normal: not there at all.
    pub paths: Vec<PathBuf>,
    /// The files that are stdout or stderr, by device and inode: there by name alone.
    pub streams: Vec<(u64, u64)>,
}

impl Scene<'_> {
    /// Observes the content of a file, following links.
    ///
    /// # Errors
    /// [`Unobservable`] when it is no regular file, cannot be read or does not hold still.
    pub fn content(&mut self, path: &Path) -> Result<(Identity, Digest, bool), Unobservable> {
        /// A file that is written to at this moment gets two more chances.
        const TRIES: usize = 3;
        for _ in 0..TRIES {
            let file = open(path).map_err(|source| Unobservable::io(path, source))?;
            let before = identity_of(&file).map_err(|source| Unobservable::io(path, source))?;
            if before.kind() != FileKind::File {
                return Err(special(path, &before));
            }
            let trusted =
                before.is_settled(self.now) && self.systems.of(before.dev, path) == FileSystem::Local;
            let known = self.known.filter(|_| trusted && before.size >= KNOWN_FROM);
            if let Some(digest) = known.and_then(|known| known.get(&before))
                && Identity::of(path).is_ok_and(|named| named == before)
            {
                return Ok((before, digest, true));
            }
            let telling = Telling::of(self.onlooker, "hashing", path, before.size);
            let digest = match Digest::of_file_telling(&file, before.size, telling) {
                Ok(digest) => digest,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                Err(source) => return Err(Unobservable::io(path, source)),
            };
            self.hashed += before.size;
            let after = identity_of(&file).map_err(|source| Unobservable::io(path, source))?;
            let named = Identity::of(path).is_ok_and(|named| named == after);
            if before == after && named {
                if let Some(known) = known {
                    known.put(&before, &digest);
                }
                return Ok((before, digest, trusted));
            }
        }
        Err(Unobservable::Unsteady(path.to_owned()))
    }
}

/// Returns the identity of an open file.
///
/// # Errors
/// Those of fstat(2).
pub fn identity_of(file: &File) -> io::Result<Identity> {
    Ok(Identity::from(&file.metadata()?))
}

/// Says that something has no content, by what it is.
pub fn special(path: &Path, identity: &Identity) -> Unobservable {
    let what = match identity.mode & 0o170_000 {
        0o010_000 => "a fifo",
        0o140_000 => "a socket",
        0o020_000 | 0o060_000 => "a device",
        0o040_000 => "a directory",
        0o120_000 => "a link",
        _ => "it",
    };
    Unobservable::Special { path: path.to_owned(), what }
}

/// Returns a path made absolute and free of `.`, `..` and doubled slashes, by its text alone.
pub fn normal(path: &Path, directory: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in directory.join(path).components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => _ = out.pop(),
            other => out.push(other),
        }
    }
    out
}

/// Returns the device and inode of a file, for [`Hidden`].
pub fn device_and_inode(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Returns the bytes of a path.
pub fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}
