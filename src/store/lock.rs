//! Exclusive locks that are waited for, but not for ever.

use std::fs::{File, TryLockError};
use std::io;
use std::sync::mpsc;
use std::time::Duration;

use crate::sys::file::is_unsupported;

/// Locks a file exclusively (flock(2)), waiting up to `limit` for those who hold it.
///
/// A waiting flock(2) has no time limit, and asking again and again would starve behind shared holders
/// that take turns. So a thread waits in the kernel on a copy of the descriptor, which shares its lock. One
/// that is left behind gives the lock back as soon as it gets it.
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
    let copy = file.try_clone()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new().spawn(move || {
        if sender.send(copy.lock()).is_err() {
            let _ = copy.unlock();
        }
    })?;
    receiver.recv_timeout(limit).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
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
