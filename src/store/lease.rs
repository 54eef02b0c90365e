//! Leases: who runs the command of a key right now.
//!
//! # Locking
//! A lease is a kernel lock (flock) on `leases/KEY`, so it ends with the process that holds it, however
//! that ends. The file is removed while the lock is still held; whoever locked a file that no longer has
//! the name opens it anew. The descriptor is close-on-exec: a child that outlives memo must not keep it.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The right to run and record the command of a key.
#[derive(Debug)]
#[must_use = "the lease ends when it is dropped"]
pub struct Lease {
    file: File,
    path: PathBuf,
}

/// What came of asking for a lease.
#[derive(Debug)]
pub enum Taken {
    /// It is ours.
    Ours(Lease),
    /// Another process has it.
    Held,
}

impl Lease {
    /// Takes the lease at `path` if nobody has it.
    ///
    /// # Errors
    /// Those of open(2) and flock(2); ENOLCK and EOPNOTSUPP where the file system has no locks.
    pub fn take(path: &Path) -> io::Result<Taken> {
        loop {
            let file =
                File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Taken::Held),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let lease = Self { file, path: path.to_owned() };
            if lease.is_current() {
                lease.file.set_len(0)?;
                return Ok(Taken::Ours(lease));
            }
            // The holder before us removed the file between our open and our lock.
            std::mem::forget(lease.abandon());
        }
    }

    /// Returns whether the file we locked is still the one of this name: a `clear` takes that away, and
    /// then nothing may be recorded.
    pub fn is_current(&self) -> bool {
        let ours = self.file.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
        let named = std::fs::symlink_metadata(&self.path).map(|metadata| (metadata.dev(), metadata.ino()));
        matches!((ours, named), (Ok(ours), Ok(named)) if ours == named)
    }

    /// Returns the file, which is the spool of the run.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the lock go without removing a file that is not ours.
    fn abandon(mut self) -> PathBuf {
        std::mem::take(&mut self.path)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Under the lock, and only if it is ours: as a transcript it may have gone elsewhere.
        if !self.path.as_os_str().is_empty() && self.is_current() {
            let _ = std::fs::remove_file(&self.path);
        }
        // A copy of this process that pumps on for a grandchild has the same open file, and with it the lock.
        let _ = self.file.unlock();
    }
}
