//! Exclusive locks that are waited for, but not for ever.

use std::fs::{File, TryLockError};
use std::io;
use std::time::Duration;

use crate::sys::file::is_unsupported;
use crate::sys::lock::{exclusive_within, shared_within};

/// Locks a file exclusively (flock(2)), waiting up to `limit` for those who hold it.
///
/// Asking again and again would starve behind shared holders that take turns; so the wait is in the kernel.
///
/// # Errors
/// `TimedOut` when it took too long, and those of flock(2). Where the file system has no locks, nothing is
/// locked: each reader verifies.
pub fn exclusive(file: &File, limit: Duration) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => return Ok(()),
        Err(TryLockError::Error(error)) if is_unsupported(&error) => return Ok(()),
        Err(TryLockError::Error(error)) => return Err(error),
        Err(TryLockError::WouldBlock) => {}
    }
    if exclusive_within(file, limit)? { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
}

/// As [`exclusive`], but with others that do the same.
///
/// # Errors
/// As those of [`exclusive`].
pub fn shared(file: &File, limit: Duration) -> io::Result<()> {
    match file.try_lock_shared() {
        Ok(()) => return Ok(()),
        Err(TryLockError::Error(error)) if is_unsupported(&error) => return Ok(()),
        Err(TryLockError::Error(error)) => return Err(error),
        Err(TryLockError::WouldBlock) => {}
    }
    if shared_within(file, limit)? { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
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
        waiting.join().unwrap().unwrap();
        std::fs::remove_file(path).unwrap();
    }
}
