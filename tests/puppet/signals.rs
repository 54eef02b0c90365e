//! Signals that wait until they are asked for: what comes is never lost between two acts, as it is in a shell whose
//! trap is set before its `read`.

#![expect(unsafe_code, reason = "sigset_t(3) has no safe wrapper")]

use std::io;

const NAMES: [(&str, i32); 7] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("TERM", libc::SIGTERM),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("WINCH", libc::SIGWINCH),
];

/// Blocks signals: names with commas between them.
///
/// # Errors
/// For a name that is not known.
pub fn block(names: &str) -> io::Result<()> {
    let mut set = none();
    for name in names.split(',') {
        let known = NAMES.iter().find(|(known, _)| *known == name);
        let (_, number) = known.ok_or_else(|| io::Error::other(format!("no signal `{name}`")))?;
        // SAFETY: the set is initialized.
        unsafe { libc::sigaddset(&raw mut set, *number) };
    }
    // SAFETY: the set is initialized; the old mask is not asked for.
    match unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits for one of the signals that are blocked, takes it, and returns its name.
///
/// # Errors
/// Those of sigwaitinfo(2).
pub fn take() -> io::Result<&'static str> {
    let mut set = none();
    // SAFETY: only the old mask is asked for, and written to an initialized set.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set) };
    // SAFETY: the set is initialized; what else there is to know of the signal is not asked for.
    let number = unsafe { libc::sigwaitinfo(&raw const set, std::ptr::null_mut()) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(NAMES.iter().find(|(_, known)| *known == number).map_or("another", |(name, _)| name))
}

/// Returns the names of the blocked signals that have come and were not taken.
pub fn pending() -> Vec<&'static str> {
    let mut set = none();
    // SAFETY: the set is initialized.
    unsafe { libc::sigpending(&raw mut set) };
    // SAFETY: likewise.
    let has = |number| unsafe { libc::sigismember(&raw const set, number) } == 1;
    NAMES.iter().filter(|(_, number)| has(*number)).map(|(name, _)| *name).collect()
}

fn none() -> libc::sigset_t {
    // SAFETY: the set is plain memory, and initialized at once.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        set
    }
}
