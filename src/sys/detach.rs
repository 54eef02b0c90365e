//! A program that belongs to nobody around here: it outlives the terminal, the session, the process group and the
//! jobs of whoever started it, and has none of their descriptors, signals or directory.

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use super::disposition;
use super::pipe::Pipe;

/// A program that is to be started so.
#[derive(Debug)]
pub struct Detached<'a> {
    /// The file to be executed.
    pub program: &'a CStr,
    /// The words, the first one included.
    pub words: &'a [CString],
    /// `NAME=VALUE` strings.
    pub environment: &'a [CString],
    /// Its descriptors from 0 on; it has no others.
    pub descriptors: &'a [BorrowedFd<'a>],
}

/// Where descriptors are put before they get their numbers: above all of those.
const ASIDE: RawFd = 8;

impl Detached<'_> {
    /// Starts it: a process that leads no session and has no parent here, with `/` as its directory, no signal
    /// blocked or ignored. Returns once the program runs.
    ///
    /// # Errors
    /// Those of pipe2(2), fork(2), setsid(2), dup2(2) and execve(2).
    pub fn start(&self) -> io::Result<()> {
        let end = || std::iter::once(std::ptr::null());
        let words: Vec<*const c_char> = self.words.iter().map(|word| word.as_ptr()).chain(end()).collect();
        let environment: Vec<*const c_char> =
            self.environment.iter().map(|entry| entry.as_ptr()).chain(end()).collect();
        let given: Vec<RawFd> = self.descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let mut aside = vec![-1; given.len()];
        let report = Pipe::new()?;
        // SAFETY: the copy calls only async-signal-safe functions until execve or _exit.
        let between = unsafe { libc::fork() };
        if between < 0 {
            return Err(io::Error::last_os_error());
        }
        if between == 0 {
            let tell = |errno: i32| {
                let bytes = errno.to_ne_bytes();
                // SAFETY: write is async-signal-safe; the array is valid for its length.
                unsafe { libc::write(report.writer.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
                super::end::at_once(127)
            };
            // SAFETY: system calls without memory effects.
            let second = unsafe {
                if libc::setsid() < 0 {
                    tell(errno());
                }
                // The one that leads the session could be given a terminal; it ends.
                libc::fork()
            };
            match second {
                0 => {}
                pid if pid > 0 => super::end::at_once(0),
                _ => tell(errno()),
            }
            tell(become_it(
                self.program,
                &words,
                &environment,
                &given,
                &mut aside,
                report.writer.as_raw_fd(),
            ));
        }
        drop(report.writer);
        let _ended = super::process::wait(between, super::process::Wait::Block);
        let mut bytes = [0_u8; 4];
        // The writer is close-on-exec: the end without an error means that the program runs.
        match super::descriptor::read(&report.reader, &mut bytes)? {
            4 => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(bytes))),
            _ => Ok(()),
        }
    }
}

/// Sets the process up and executes the program; returns errno. Async-signal-safe.
fn become_it(
    program: &CStr,
    words: &[*const c_char],
    environment: &[*const c_char],
    given: &[RawFd],
    aside: &mut [RawFd],
    report: RawFd,
) -> i32 {
    // SAFETY: all calls in here are async-signal-safe system calls on memory prepared by the caller.
    unsafe {
        for (place, fd) in aside.iter_mut().zip(given) {
            *place = libc::fcntl(*fd, libc::F_DUPFD_CLOEXEC, ASIDE);
            if *place < 0 {
                return errno();
            }
        }
        // The report is the first one behind those that stay.
        let kept = given.len() as RawFd;
        let moved = libc::fcntl(report, libc::F_DUPFD_CLOEXEC, ASIDE);
        if moved < 0 {
            return errno();
        }
        for (target, fd) in (0..).zip(aside.iter()) {
            if libc::dup2(*fd, target) < 0 {
                return errno();
            }
        }
        if libc::dup3(moved, kept, libc::O_CLOEXEC) < 0 {
            return errno();
        }
        if libc::syscall(libc::SYS_close_range, kept + 1, libc::c_uint::MAX, 0) < 0 {
            let mut limit: libc::rlimit = std::mem::zeroed();
            libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
            let most = RawFd::try_from(limit.rlim_cur).unwrap_or(1 << 20).min(1 << 20);
            (kept + 1..most).for_each(|fd| _ = libc::close(fd));
        }
        for signal in (1..=64).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal)) {
            disposition::set(signal, libc::SIG_DFL);
        }
        let none: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::chdir(c"/".as_ptr());
        libc::execve(program.as_ptr(), words.as_ptr(), environment.as_ptr());
        errno()
    }
}

fn errno() -> i32 {
    // SAFETY: the pointer is to this thread's own errno.
    unsafe { *libc::__errno_location() }
}
