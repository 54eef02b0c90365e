//! Signals: read from a descriptor instead of handled, passed on, and died of.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::disposition;
use super::startup::Inherited;

/// SIGHUP.
pub const HUP: i32 = libc::SIGHUP;
/// SIGINT.
pub const INT: i32 = libc::SIGINT;
/// SIGQUIT.
pub const QUIT: i32 = libc::SIGQUIT;
/// SIGTERM.
pub const TERM: i32 = libc::SIGTERM;
/// SIGUSR1.
pub const USR1: i32 = libc::SIGUSR1;
/// SIGUSR2.
pub const USR2: i32 = libc::SIGUSR2;
/// SIGCHLD.
pub const CHLD: i32 = libc::SIGCHLD;
/// SIGIO.
pub const IO: i32 = libc::SIGIO;
/// SIGPIPE.
pub const PIPE: i32 = libc::SIGPIPE;
/// SIGKILL.
pub const KILL: i32 = libc::SIGKILL;
/// SIGCONT.
pub const CONT: i32 = libc::SIGCONT;
/// SIGTSTP.
pub const TSTP: i32 = libc::SIGTSTP;
/// SIGWINCH.
pub const WINCH: i32 = libc::SIGWINCH;
/// SIGXFSZ.
pub const XFSZ: i32 = libc::SIGXFSZ;

/// Returns the signal that is meant: `TERM`, `SIGTERM`, `15`.
pub fn named(text: &str) -> Option<i32> {
    const NAMES: [(&str, i32); 14] = [
        ("HUP", libc::SIGHUP),
        ("INT", libc::SIGINT),
        ("QUIT", libc::SIGQUIT),
        ("ABRT", libc::SIGABRT),
        ("KILL", libc::SIGKILL),
        ("USR1", libc::SIGUSR1),
        ("USR2", libc::SIGUSR2),
        ("PIPE", libc::SIGPIPE),
        ("ALRM", libc::SIGALRM),
        ("TERM", libc::SIGTERM),
        ("CONT", libc::SIGCONT),
        ("WINCH", libc::SIGWINCH),
        ("PWR", libc::SIGPWR),
        ("IO", libc::SIGIO),
    ];
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let by_name = NAMES.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal);
    by_name.or_else(|| text.parse().ok().filter(|number| (1..=64).contains(number)))
}

/// A signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its number.
    pub signal: i32,
    /// Whether a process sent it (kill(2), sigqueue(3)) rather than the kernel or a terminal.
    pub sent: bool,
}

/// Signals that are held back from the process and read from a descriptor.
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
}

impl Signals {
    /// Blocks these signals and opens a descriptor for them; those that were ignored at the start stay ignored.
    ///
    /// # Errors
    /// Those of signalfd(2).
    pub fn hold(signals: &[i32], inherited: &Inherited) -> io::Result<Self> {
        // SAFETY: all zero is a valid `sigset_t`, and the next call makes it the empty one.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: `set` is writable.
        unsafe { libc::sigemptyset(&raw mut set) };
        for &signal in signals {
            if signal == CHLD {
                disposition::set(CHLD, libc::SIG_DFL);
            } else if inherited.ignored(signal) {
                continue;
            }
            // SAFETY: `set` is initialised and the number is one of a signal.
            unsafe { libc::sigaddset(&raw mut set, signal) };
        }
        // SAFETY: `set` is initialised; a null old set is not written.
        if unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: -1 asks for a new descriptor, and `set` is initialised.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given this descriptor to us alone.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Returns the next signal that has come, if one has.
    pub fn next(&self) -> Option<Arrived> {
        const SIZE: usize = size_of::<libc::signalfd_siginfo>();
        let mut bytes = [0_u8; SIZE];
        if super::descriptor::read(&self.fd, &mut bytes).ok()? != SIZE {
            return None;
        }
        // SAFETY: the kernel wrote a whole `signalfd_siginfo`, a plain structure of integers.
        let info: libc::signalfd_siginfo = unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast()) };
        // SI_USER is 0, SI_QUEUE -1, SI_TKILL -6: sent by somebody (sigaction(2)).
        let sent = matches!(info.ssi_code, libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL);
        Some(Arrived { signal: info.ssi_signo.cast_signed(), sent })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Signals {
    /// Returns the number of the descriptor, for poll.
    pub fn raw(&self) -> i32 {
        self.fd.as_raw_fd()
    }
}

/// Stops this process and those of its group, as Ctrl-Z does; returns when it goes on. A group that nobody could
/// continue is not stopped.
pub fn stop_group() {
    // SAFETY: all zero is the empty set on Linux; the other calls have no memory effects but on the sets.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut set, libc::SIGTSTP);
        libc::kill(0, libc::SIGTSTP);
        // Where it was held it acts here.
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, &raw mut before);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
    }
}

/// Lets go of every held signal, so that it acts as it would have.
pub fn release_all() {
    // SAFETY: all zero is the empty set on Linux, and a null old set is not written.
    unsafe {
        let set: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// Makes a write beyond the limit on a file's size (`ulimit -f`) an error instead of the end of memo: what
/// the store cannot hold must not keep a command from running.
pub fn ignore_file_limit() {
    disposition::set(XFSZ, libc::SIG_IGN);
}

/// Returns whether a write failed because of the limit on a file's size.
pub fn is_file_limit(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EFBIG)
}

/// Sends a signal to a process; one that has gone is no error.
pub fn send(pid: i32, signal: i32) {
    // SAFETY: kill(2) has no memory effects.
    unsafe { libc::kill(pid, signal) };
}

/// Ends this process the way `signal` ends one, without a core file of memo; returns only when the
/// signal could not do it (it was not one that ends a process).
pub fn die_of(signal: i32) {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` outlives the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    disposition::set(signal, libc::SIG_DFL);
    // SAFETY: the set is initialised before use; kill(2) and sigprocmask(2) have no other memory effects.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::kill(libc::getpid(), signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
    }
}
