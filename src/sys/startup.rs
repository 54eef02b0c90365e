//! What memo was started with, recorded before anything changes it.
//!
//! memo ignores SIGPIPE and opens `/dev/null` on closed descriptors 0-2, as Rust's runtime does. A command
//! must see neither, so a constructor that runs before `main` notes both.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

static CLOSED: AtomicU8 = AtomicU8::new(0);
static IGNORED: AtomicU64 = AtomicU64::new(0);
static BLOCKED: AtomicU64 = AtomicU64::new(0);

/// Runs before `main`: `.init_array` is where libc looks for constructors (System V ABI, gABI chapter 5).
#[used]
#[unsafe(link_section = ".init_array")]
static RECORD: extern "C" fn() = record;

/// The signals whose disposition memo, or Rust's runtime, changes: SIGPIPE in [`prepare`], SIGXFSZ in
/// `signal::ignore_file_limit`, SIGCHLD in `Signals::hold`. Any other is still what it was when it is asked for.
const CHANGED: [i32; 3] = [libc::SIGCHLD, libc::SIGPIPE, libc::SIGXFSZ];

extern "C" fn record() {
    let mut closed = 0;
    for fd in 0..3 {
        // SAFETY: F_GETFD reads a flag of a number; a closed one gives EBADF.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            closed |= 1 << fd;
        }
    }
    CLOSED.store(closed, Ordering::Relaxed);

    let mut ignored = 0_u64;
    for signal in CHANGED {
        if is_ignored(signal) {
            ignored |= 1 << signal;
        }
    }
    IGNORED.store(ignored, Ordering::Relaxed);

    // SAFETY: all zero is a valid `sigset_t`.
    let mut mask: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: a null new set only reads the old one into `mask`, which outlives the call.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut mask) };
    let mut blocked = 0_u64;
    for signal in 1..=64 {
        // SAFETY: `mask` is an initialised set, and the number is one of a signal.
        if unsafe { libc::sigismember(&raw const mask, signal) } == 1 {
            blocked |= 1 << (signal - 1);
        }
    }
    BLOCKED.store(blocked, Ordering::Relaxed);
}

/// Returns whether a signal is ignored now.
fn is_ignored(signal: i32) -> bool {
    // SAFETY: all zero is a valid `sigaction`, and a null new action only reads the old one.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: `action` outlives the call.
    let failed = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) } != 0;
    !failed && action.sa_sigaction == libc::SIG_IGN
}

/// Ignores SIGPIPE, so that a write says that the reader has gone, and opens `/dev/null` on what is closed of
/// 0-2, so that no file of memo's own gets such a number.
pub fn prepare() {
    super::disposition::set(libc::SIGPIPE, libc::SIG_IGN);
    let inherited = Inherited::get();
    for fd in (0..3).filter(|&fd| inherited.closed(fd)) {
        // The lowest free number is given, and that is this one.
        // SAFETY: the path is a C string, and the descriptor is left open for the whole life of the process.
        let opened = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
        debug_assert!(opened == fd || opened < 0);
    }
}

/// The descriptors, dispositions and mask memo inherited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inherited {
    closed: u8,
    ignored: u64,
    blocked: u64,
}

impl Inherited {
    /// Returns what was recorded before `main`.
    pub fn get() -> Self {
        // Naming the constructor keeps the linker from dropping it with its object file.
        std::hint::black_box(&RECORD);
        Self {
            closed: CLOSED.load(Ordering::Relaxed),
            ignored: IGNORED.load(Ordering::Relaxed),
            blocked: BLOCKED.load(Ordering::Relaxed),
        }
    }

    /// Returns whether descriptor `fd` (0, 1 or 2) was closed.
    pub fn closed(&self, fd: i32) -> bool {
        (0..3).contains(&fd) && self.closed & (1 << fd) != 0
    }

    /// Returns whether `signal` was ignored. The kernel is asked only now where memo changes nothing: a hit does
    /// without those calls.
    pub fn ignored(&self, signal: i32) -> bool {
        if CHANGED.contains(&signal) { self.ignored & (1 << signal) != 0 } else { is_ignored(signal) }
    }

    /// Returns whether `signal` (1-64) was blocked.
    pub fn blocked(&self, signal: i32) -> bool {
        (1..=64).contains(&signal) && self.blocked & (1 << (signal - 1)) != 0
    }
}
