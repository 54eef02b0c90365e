//! A line on a terminal that goes when a signal stops or ends this process.

use std::sync::atomic::{AtomicI32, Ordering};

/// Where the line stands; -1 when there is none.
static LINE: AtomicI32 = AtomicI32::new(-1);

/// Those a terminal sends, and those that end a process politely.
const SIGNALS: [i32; 5] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP, libc::SIGTERM, libc::SIGHUP];

/// As long as it lives, a signal of a terminal, and one that ends a process politely, first clears the line the cursor is on, and then does what it
/// does anyway. A signal that is ignored or handled is left alone.
#[derive(Debug)]
pub struct Erasing(());

impl Erasing {
    /// Begins to watch over a line on descriptor `fd`, which must not block; on what is no terminal (`terminal`
    /// is false) nothing need go.
    pub fn arm(fd: i32, terminal: bool) -> Self {
        if terminal {
            LINE.store(fd, Ordering::Relaxed);
            let handler = erase as extern "C" fn(i32);
            SIGNALS.into_iter().for_each(|signal| replace(signal, libc::SIG_DFL, handler as usize));
        }
        Self(())
    }
}

impl Drop for Erasing {
    fn drop(&mut self) {
        if LINE.swap(-1, Ordering::Relaxed) >= 0 {
            let handler = erase as extern "C" fn(i32);
            SIGNALS.into_iter().for_each(|signal| replace(signal, handler as usize, libc::SIG_DFL));
        }
    }
}

/// Sets a signal's disposition from one to another; leaves it alone when it is a third.
fn replace(signal: i32, from: usize, to: usize) {
    // SAFETY: all zero is a valid `sigaction`; the handler does only what is async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == from {
            action.sa_sigaction = to;
            // Calls that were interrupted go on after a stop; the second time it acts by default.
            action.sa_flags = libc::SA_RESTART | libc::SA_RESETHAND;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

extern "C" fn erase(signal: i32) {
    const CLEAR: &[u8] = b"\r\x1b[K";
    let fd = LINE.load(Ordering::Relaxed);
    // SAFETY: write and raise are async-signal-safe (signal-safety(7)), and the bytes are static. SA_RESETHAND
    // has set the default disposition, and the signal is delivered when this handler returns.
    unsafe {
        if fd >= 0 {
            libc::write(fd, CLEAR.as_ptr().cast(), CLEAR.len());
        }
        libc::raise(signal);
    }
}
