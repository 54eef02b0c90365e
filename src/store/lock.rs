//! Locks on files of the store (flock(2)), waited for, but not for ever.
//!
//! Not every file system has locks: ENOLCK is NFS's without its lock daemon. There nothing is locked. Each reader
//! verifies, so that the worst is a lost entry; what is lost besides is one run for all who ask for the same.
//!
//! NFS makes an exclusive lock one for writing and a shared one a lock for reading, and refuses both on a file that
//! was not opened so (flock(2), "NFS details").

use std::fs::{File, TryLockError};
use std::io;
use std::time::Duration;

use crate::sys::descriptor::access;
use crate::sys::lock::{exclusive_within, is_without_locks, shared_within};

/// What came of a lock that was not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// It is ours.
    Locked,
    /// Another process has it.
    Busy,
    /// The file system has no locks.
    NoLocks,
}

/// Asks for an exclusive lock.
///
/// # Errors
/// Those of flock(2).
pub fn try_exclusive(file: &File) -> io::Result<Tried> {
    debug_assert!(access(file).is_ok_and(|access| access.write), "NFS wants it open for writing");
    tried(file.try_lock())
}

/// Asks for a shared lock.
///
/// # Errors
/// Those of flock(2).
pub fn try_shared(file: &File) -> io::Result<Tried> {
    debug_assert!(access(file).is_ok_and(|access| access.read), "NFS wants it open for reading");
    tried(file.try_lock_shared())
}

fn tried(result: Result<(), TryLockError>) -> io::Result<Tried> {
    match result {
        Ok(()) => Ok(Tried::Locked),
        Err(TryLockError::WouldBlock) => Ok(Tried::Busy),
        Err(TryLockError::Error(error)) if is_without_locks(&error) => Ok(Tried::NoLocks),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Locks a file exclusively, waiting up to `limit` for those who hold it. Returns whether it is locked: not where
/// the file system has no locks.
///
/// Asking again and again would starve behind shared holders that take turns; so the wait is in the kernel.
///
/// # Errors
/// `TimedOut` when it took too long, and those of flock(2).
pub fn exclusive(file: &File, limit: Duration) -> io::Result<bool> {
    waited(try_exclusive(file)?, || exclusive_within(file, limit))
}

/// As [`exclusive`], for what may not be written to or is a directory: whoever asks can do without.
///
/// # Errors
/// As those of [`exclusive`]; EBADF on NFS.
pub fn exclusive_if_offered(file: &File, limit: Duration) -> io::Result<bool> {
    waited(tried(file.try_lock())?, || exclusive_within(file, limit))
}

/// As [`exclusive`], but with others that do the same.
///
/// # Errors
/// As those of [`exclusive`].
pub fn shared(file: &File, limit: Duration) -> io::Result<bool> {
    waited(try_shared(file)?, || shared_within(file, limit))
}

fn waited(tried: Tried, wait: impl FnOnce() -> io::Result<bool>) -> io::Result<bool> {
    match tried {
        Tried::Locked => Ok(true),
        Tried::NoLocks => Ok(false),
        Tried::Busy if wait()? => Ok(true),
        Tried::Busy => Err(io::ErrorKind::TimedOut.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_waited_for_and_given_up() {
        let path = std::env::temp_dir().join(format!("memo-lock-{}", std::process::id()));
        let [a, b] = [File::create(&path).unwrap(), File::create(&path).unwrap()];
        a.lock_shared().unwrap();
        let error = exclusive(&b, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let waiting = std::thread::spawn(move || exclusive(&b, Duration::from_secs(60)));
        drop(a);
        assert!(waiting.join().unwrap().unwrap());
        std::fs::remove_file(path).unwrap();
    }
}
