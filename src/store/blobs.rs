//! Blobs: content by its digest, one file each, never changed.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::temporary::Temporary;
use crate::action::digest::Digest;
use crate::action::onlooker::Telling;
use crate::fault;
use crate::sys::file::{open, reflink};

/// The directory of blobs.
#[derive(Clone, Debug)]
pub struct Blobs {
    directory: PathBuf,
    temporary: PathBuf,
}

/// A blob could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BadBlob {
    /// It is not there, or cannot be opened.
    #[error("blob {} is gone", .0.short())]
    Gone(Digest),
    /// Its content is not what its name says.
    #[error("blob {} does not have the content its name says", .0.short())]
    Damaged(Digest),
}

impl Blobs {
    /// Keeps blobs below `store`.
    pub fn new(store: &Path) -> Self {
        Self { directory: store.join("blobs"), temporary: store.join("tmp") }
    }

    /// Returns where a blob is, or would be.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        super::sharded(&self.directory, &digest.to_string())
    }

    /// Opens a blob and makes sure of its content.
    ///
    /// # Errors
    /// [`BadBlob`].
    pub fn open(&self, digest: &Digest, length: u64) -> Result<File, BadBlob> {
        self.open_telling(digest, length, Telling::NOBODY)
    }

    /// As [`open`](Self::open), and tells how far it is.
    ///
    /// # Errors
    /// [`BadBlob`].
    pub fn open_telling(&self, digest: &Digest, length: u64, telling: Telling<'_>) -> Result<File, BadBlob> {
        let file = open(&self.path(digest)).map_err(|_| BadBlob::Gone(*digest))?;
        let metadata = file.metadata().map_err(|_| BadBlob::Gone(*digest))?;
        let sound = metadata.is_file()
            && metadata.len() == length
            && fault::failure("blob.read").is_ok()
            && Digest::of_file_telling(&file, length, telling).is_ok_and(|found| found == *digest);
        if sound { Ok(file) } else { Err(BadBlob::Damaged(*digest)) }
    }

    /// Reads a small blob whole, and makes sure of its content.
    ///
    /// # Errors
    /// [`BadBlob`].
    pub fn read(&self, digest: &Digest, length: u64) -> Result<Vec<u8>, BadBlob> {
        let file = open(&self.path(digest)).map_err(|_| BadBlob::Gone(*digest))?;
        // One byte more than there should be tells that there are more.
        let mut bytes = Vec::with_capacity(length as usize + 1);
        let read = file.take(length + 1).read_to_end(&mut bytes);
        let sound = read.is_ok() && bytes.len() as u64 == length && Digest::of(&bytes) == *digest;
        if sound { Ok(bytes) } else { Err(BadBlob::Damaged(*digest)) }
    }

    /// Returns whether a blob of this length is there, without reading it.
    pub fn has(&self, digest: &Digest, length: u64) -> bool {
        std::fs::symlink_metadata(self.path(digest))
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == length)
    }

    /// Stores the content of a file: shares its blocks where the file system can, else copies. It is the
    /// stored copy that is hashed, so that the name is right whatever happens to the file meanwhile.
    ///
    /// # Errors
    /// Those of the system.
    pub fn put_file(&self, from: &File) -> io::Result<(Digest, u64)> {
        let mut temporary = Temporary::create(&self.temporary, "blob-", 0o600)?;
        if reflink(from, &temporary.file).is_err() {
            let mut from = from;
            from.rewind()?;
            io::copy(&mut from, &mut temporary.file)?;
        }
        let length = temporary.file.metadata()?.len();
        let digest = Digest::of_file(&temporary.file, length)?;
        self.place(temporary, &digest)?;
        Ok((digest, length))
    }

    /// Stores bytes.
    ///
    /// # Errors
    /// Those of the system.
    pub fn put_bytes(&self, bytes: &[u8]) -> io::Result<Digest> {
        let mut temporary = Temporary::create(&self.temporary, "blob-", 0o600)?;
        temporary.file.write_all(bytes)?;
        let digest = Digest::of(bytes);
        self.place(temporary, &digest)?;
        Ok(digest)
    }

    /// Makes a file a blob by renaming it, under the digest its writer has computed.
    ///
    /// # Errors
    /// Those of the system.
    pub fn adopt(&self, path: &Path, digest: &Digest) -> io::Result<()> {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o444))?;
        // The last write may be long ago; what is younger than an hour gc leaves alone until it is committed.
        crate::sys::file::touch(path)?;
        let to = self.path(digest);
        super::make_way(&to)?;
        fault::point("blobs.adopt");
        std::fs::rename(path, to)
    }

    /// Also over one that is there: its content may be damaged, which only hashing it would tell, and its
    /// times say how long ago it was last wanted. Whoever reads the old one keeps it open.
    fn place(&self, temporary: Temporary, digest: &Digest) -> io::Result<()> {
        let to = self.path(digest);
        temporary.file.set_permissions(PermissionsExt::from_mode(0o444))?;
        super::make_way(&to)?;
        fault::point("blobs.place");
        temporary.persist(&to)
    }
}
