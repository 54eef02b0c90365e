//! What a signal does to this process.

/// Lets a signal do what it does by itself (`SIG_DFL`), or nothing (`SIG_IGN`). Async-signal-safe.
pub(super) fn set(signal: i32, disposition: libc::sighandler_t) {
    // SAFETY: all zero is a valid `sigaction`; only SIG_DFL and SIG_IGN are passed, so no handler runs.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = disposition;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}
