//! Waiting for a lock, but not for ever.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// The signal that cuts a wait: a real-time one, which nobody else is likely to send. A timer of our own
/// (timer_create(2)) rather than setitimer(2), because an alarm set before exec belongs to the caller.
fn cutting_signal() -> i32 {
    libc::SIGRTMIN() + 3
}

extern "C" fn nothing(_: i32) {}

/// Takes a shared flock(2), waiting at most so long; returns whether it was got.
///
/// # Errors
/// Those of flock(2) and timer_create(2).
pub fn shared_within(file: &File, limit: Duration) -> io::Result<bool> {
    within(file, libc::LOCK_SH, limit)
}

/// Takes an exclusive flock(2), waiting at most so long; returns whether it was got.
///
/// # Errors
/// Those of flock(2) and timer_create(2).
pub fn exclusive_within(file: &File, limit: Duration) -> io::Result<bool> {
    within(file, libc::LOCK_EX, limit)
}

/// Locks one byte of a file for whoever has this open file description (fcntl(2), F_OFD_SETLK), without
/// waiting; returns whether it was got. It ends with the last copy of the descriptor.
///
/// # Errors
/// Those of fcntl(2).
pub fn try_byte(file: &File, byte: u64) -> io::Result<bool> {
    match set_byte(file, byte, libc::F_WRLCK) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Lets go of a byte, also for the copies of the descriptor.
///
/// # Errors
/// Those of fcntl(2).
pub fn release_byte(file: &File, byte: u64) -> io::Result<()> {
    set_byte(file, byte, libc::F_UNLCK)
}

fn set_byte(file: &File, byte: u64, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: all zero is a valid `flock`; F_OFD_SETLK wants its `l_pid` to be 0.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = i64::try_from(byte).unwrap_or(i64::MAX - 1);
    lock.l_len = 1;
    // SAFETY: the descriptor is open for the whole call, and `lock` outlives it.
    let failed = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns whether a file can get a lock of the other kind (fcntl(2)), or could if nobody else had one. The file
/// must be one on which this process has no such lock: closing it drops all of them.
pub fn has_record_locks(file: &File) -> bool {
    let tried = rustix::fs::fcntl_lock(file, rustix::fs::FlockOperation::NonBlockingLockShared);
    tried.is_ok() || matches!(tried, Err(rustix::io::Errno::ACCESS | rustix::io::Errno::AGAIN))
}

/// Returns whether an error says that the file system has no locks.
pub fn is_without_locks(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOLCK) || super::file::is_unsupported(error)
}

fn within(file: &File, operation: i32, limit: Duration) -> io::Result<bool> {
    let signal = cutting_signal();
    // SAFETY: all zero is a valid `sigaction`. Without SA_RESTART the handler, which does nothing, makes
    // flock return EINTR.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as libc::sighandler_t;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
    }
    // SAFETY: all zero is a valid `sigevent`; the fields read for SIGEV_THREAD_ID are set.
    let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
    // To this thread: it is the one that waits.
    event.sigev_notify = libc::SIGEV_THREAD_ID;
    event.sigev_signo = signal;
    // SAFETY: gettid(2) has no memory effects.
    event.sigev_notify_thread_id = unsafe { libc::gettid() };
    let mut timer: libc::timer_t = std::ptr::null_mut();
    // SAFETY: `event` and `timer` outlive the call.
    if unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // It fires again and again: the first one may come before flock has begun to wait.
    let again = libc::timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    let first = libc::timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos().max(1)),
    };
    let times = libc::itimerspec { it_interval: again, it_value: first };
    // SAFETY: `timer` was made above and `times` outlives the call; a null old value is not written.
    unsafe { libc::timer_settime(timer, 0, &raw const times, std::ptr::null_mut()) };
    // SAFETY: the descriptor is open for the whole call.
    let failed = unsafe { libc::flock(file.as_raw_fd(), operation) } != 0;
    let error = io::Error::last_os_error();
    // SAFETY: `timer` was made above and is not used again.
    unsafe { libc::timer_delete(timer) };
    if !failed {
        return Ok(true);
    }
    if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_has_one_owner_and_its_neighbour_another() {
        let path = std::env::temp_dir().join(format!("memo-byte-{}", crate::sys::process::id()));
        let open =
            || File::options().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
        let [a, b] = [open(), open()];
        assert!(try_byte(&a, 0).unwrap());
        assert!(!try_byte(&b, 0).unwrap());
        assert!(try_byte(&b, 1).unwrap());
        release_byte(&a, 0).unwrap();
        assert!(try_byte(&b, 0).unwrap());
        drop(b);
        assert!(try_byte(&a, 1).unwrap());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_wait_for_a_held_lock_ends() {
        let path = std::env::temp_dir().join(format!("memo-lock-{}", crate::sys::process::id()));
        let holder = File::create(&path).unwrap();
        holder.lock().unwrap();
        let waiter = File::open(&path).unwrap();
        assert!(!shared_within(&waiter, Duration::from_millis(1)).unwrap());
        assert!(!exclusive_within(&waiter, Duration::from_millis(1)).unwrap());
        holder.unlock().unwrap();
        assert!(exclusive_within(&waiter, Duration::from_secs(100)).unwrap());
        assert!(shared_within(&waiter, Duration::from_secs(100)).unwrap());
        std::fs::remove_file(path).unwrap();
    }
}
