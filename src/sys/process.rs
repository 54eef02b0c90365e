//! Processes: start one exactly as asked, wait for it, become it.

use std::ffi::{CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::disposition;
use super::pipe::Pipe;
use super::startup::Inherited;

/// What a standard descriptor of the new process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    /// The one memo has.
    Inherit,
    /// This one.
    Fd(RawFd),
    /// Closed.
    Closed,
}

/// A process to be started: everything is prepared before fork, because between fork and exec only
/// async-signal-safe calls are allowed.
#[derive(Debug)]
pub struct Launch {
    /// The file to be executed, as it is given to execve(2).
    pub program: CString,
    /// The words, the first one included.
    pub words: Vec<CString>,
    /// `NAME=VALUE` strings.
    pub environment: Vec<CString>,
    /// Descriptors 0, 1 and 2.
    pub stdio: [Stdio; 3],
    /// Whether the kernel kills the process when its parent dies (PR_SET_PDEATHSIG).
    pub die_with_parent: bool,
    /// The terminal that is to control it, in a session of its own; it then dies with its parent.
    pub terminal: Option<RawFd>,
    /// Whether it leads a session, and so a process group, of its own, without a terminal.
    pub session: bool,
    /// The directory it starts in; else that of this process.
    pub directory: Option<CString>,
    /// How many descriptors it may have; else as many as this process.
    pub open_files: Option<OpenFiles>,
}

/// How many descriptors a process may have (RLIMIT_NOFILE): now, and at most if it asks for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    now: libc::rlim_t,
    most: libc::rlim_t,
}

/// Lets this process have as many descriptors as it may ask for; returns how many it might have before.
pub fn allow_open_files() -> OpenFiles {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives both calls.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        let more = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const more);
    }
    OpenFiles { now: limit.rlim_cur, most: limit.rlim_max }
}

/// A process that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// Which is to be waited for.
    pub waited: i32,
    /// Which runs the program; another one only where that has a session of its own.
    pub command: i32,
}

/// The pointers of a `Launch` as execve(2) wants them.
struct Vectors {
    words: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    script: Vec<*const c_char>,
}

/// What execvp(3) runs a file with that has no `#!` line.
const SHELL: &std::ffi::CStr = c"/bin/sh";

impl Launch {
    fn vectors(&self) -> Vectors {
        let end = std::iter::once(std::ptr::null());
        let words: Vec<_> = self.words.iter().map(|word| word.as_ptr()).collect();
        let script = [SHELL.as_ptr(), self.program.as_ptr()].into_iter().chain(words.iter().skip(1).copied());
        Vectors {
            script: script.chain(end.clone()).collect(),
            words: words.iter().copied().chain(end.clone()).collect(),
            environment: self.environment.iter().map(|entry| entry.as_ptr()).chain(end).collect(),
        }
    }

    /// Starts the process and returns once it has begun to execute the program.
    ///
    /// A file without `#!` runs under /bin/sh, as with execvp(3).
    ///
    /// # Errors
    /// Those of pipe2(2), fork(2) and, of the program itself, execve(2).
    pub fn spawn(&self, inherited: &Inherited) -> io::Result<Started> {
        let vectors = self.vectors();
        let report = Pipe::new()?;
        let parent = rustix::process::getpid().as_raw_nonzero().get();
        // SAFETY: the child calls only async-signal-safe functions until execve or _exit.
        let pid = unsafe { libc::fork() };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        if pid == 0 {
            let tell = |number: i32| {
                let bytes = number.to_ne_bytes();
                // SAFETY: write is async-signal-safe; the array is valid for its length.
                unsafe { libc::write(report.writer.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
            };
            let command = |parent| self.become_it(&vectors, inherited, Some(parent));
            let errno = match self.terminal {
                None => command(parent),
                // Told apart from errno by its sign.
                Some(terminal) => super::session::lead(terminal, parent, |pid| tell(-pid), command),
            };
            tell(errno);
            super::end::at_once(127);
        }
        drop(report.writer);
        let mut started = Started { waited: pid, command: pid };
        let mut bytes = [0_u8; 4];
        // The writer is close-on-exec: the end without an error means that the program runs.
        while super::descriptor::read(&report.reader, &mut bytes)? == bytes.len() {
            match i32::from_ne_bytes(bytes) {
                errno if errno > 0 => {
                    let _reaped = wait(pid, Wait::Block);
                    return Err(io::Error::from_raw_os_error(errno));
                }
                command => started.command = -command,
            }
        }
        Ok(started)
    }

    /// Replaces this process; returns only the error.
    pub fn exec(&self, inherited: &Inherited) -> io::Error {
        let vectors = self.vectors();
        io::Error::from_raw_os_error(self.become_it(&vectors, inherited, None))
    }

    /// Sets up the process and executes the program; returns errno. Async-signal-safe.
    fn become_it(&self, vectors: &Vectors, inherited: &Inherited, parent: Option<i32>) -> i32 {
        // SAFETY: all calls in here are async-signal-safe system calls on memory prepared by the caller.
        unsafe {
            if let Some(parent) = parent.filter(|_| self.die_with_parent) {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                if libc::getppid() != parent {
                    libc::_exit(127);
                }
            }
            if self.session && libc::setsid() < 0 {
                return errno();
            }
            if let Some(directory) = &self.directory
                && libc::chdir(directory.as_ptr()) < 0
            {
                return errno();
            }
            if let Some(OpenFiles { now, most }) = self.open_files {
                let limit = libc::rlimit { rlim_cur: now, rlim_max: most };
                libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
            }
            // A descriptor below 3 that another one is to be set to is first moved out of the way.
            let mut sources = [-1; 3];
            for (target, stdio) in self.stdio.iter().enumerate() {
                if let Stdio::Fd(fd) = *stdio {
                    sources[target] = if fd < 3 { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) } else { fd };
                    if sources[target] < 0 {
                        return errno();
                    }
                }
            }
            for (target, stdio) in (0..).zip(&self.stdio) {
                match stdio {
                    Stdio::Inherit if inherited.closed(target) => _ = libc::close(target),
                    Stdio::Inherit => {}
                    Stdio::Closed => _ = libc::close(target),
                    Stdio::Fd(_) => {
                        if libc::dup2(sources[target as usize], target) < 0 {
                            return errno();
                        }
                    }
                }
            }
            // The runtime has set SIGPIPE, `Signals::hold` SIGCHLD, `signal::ignore_file_limit` SIGXFSZ.
            for number in [libc::SIGPIPE, libc::SIGCHLD, libc::SIGXFSZ] {
                let disposition = if inherited.ignored(number) { libc::SIG_IGN } else { libc::SIG_DFL };
                disposition::set(number, disposition);
            }
            let mut mask: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut mask);
            for number in 1..=64 {
                if inherited.blocked(number) {
                    libc::sigaddset(&raw mut mask, number);
                }
            }
            libc::sigprocmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut());
            let environment = vectors.environment.as_ptr();
            libc::execve(self.program.as_ptr(), vectors.words.as_ptr(), environment);
            if errno() == libc::ENOEXEC {
                libc::execve(SHELL.as_ptr(), vectors.script.as_ptr(), environment);
            }
            errno()
        }
    }
}

fn errno() -> i32 {
    // SAFETY: the pointer is to this thread's own errno.
    unsafe { *libc::__errno_location() }
}

/// Returns whether an error of [`Launch::spawn`] says that there is no such program.
pub fn is_not_found(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR))
}

/// Returns whether an error says that the words and the environment are too long for execve(2).
pub fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::E2BIG)
}

/// Returns whether an error says that memo needs more of something than it is given: descriptors,
/// processes, memory.
pub fn is_scarcity(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM))
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit status.
    Exit(u8),
    /// Killed by this signal.
    Signal(i32),
}

/// Whether [`wait`] waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until the process has ended.
    Block,
    /// Not at all.
    Look,
}

/// Returns how a child ended, or `None` while it has not.
///
/// # Errors
/// ECHILD for what is no child.
pub fn wait(pid: i32, how: Wait) -> io::Result<Option<Ended>> {
    let options = if how == Wait::Look { libc::WNOHANG } else { 0 };
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, options) };
        match waited {
            0 => return Ok(None),
            -1 if errno() == libc::EINTR => {}
            -1 => return Err(io::Error::last_os_error()),
            _ if libc::WIFEXITED(status) => {
                let code = u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX);
                return Ok(Some(Ended::Exit(code)));
            }
            _ if libc::WIFSIGNALED(status) => return Ok(Some(Ended::Signal(libc::WTERMSIG(status)))),
            _ => {}
        }
    }
}

/// Returns a child that has ended, and how; `None` when none has, or there are no children.
pub fn any_ended() -> Option<(i32, Ended)> {
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        match pid {
            -1 if errno() == libc::EINTR => {}
            0 | -1 => return None,
            _ if libc::WIFEXITED(status) => {
                return Some((pid, Ended::Exit(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))));
            }
            _ if libc::WIFSIGNALED(status) => return Some((pid, Ended::Signal(libc::WTERMSIG(status)))),
            _ => {}
        }
    }
}

/// Returns whether this process has a child, ended or not, that it has not waited for. Where orphans come to it
/// ([`adopt_orphans`]) it has none only when nothing is left below it: unlike a look through proc(5), which a process
/// that forks and ends again and again can slip through, this is the kernel's own word (waitid(2), ECHILD).
pub fn has_children() -> bool {
    let options = rustix::process::WaitIdOptions::EXITED
        | rustix::process::WaitIdOptions::NOHANG
        | rustix::process::WaitIdOptions::NOWAIT;
    !matches!(rustix::process::waitid(rustix::process::WaitId::All, options), Err(rustix::io::Errno::CHILD))
}

/// Makes this process the one that orphans below it come to (PR_SET_CHILD_SUBREAPER), instead of init.
///
/// # Errors
/// Those of prctl(2).
pub fn adopt_orphans() -> io::Result<()> {
    // SAFETY: prctl(2) with integers has no memory effects.
    let failed = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Has the kernel send this process a signal when `parent`, its parent, ends (PR_SET_PDEATHSIG: when the thread
/// ends that forked it); returns whether the parent still is that one.
pub fn told_of_end_of(parent: i32, signal: i32) -> bool {
    // SAFETY: both calls are on integers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0) == 0 && libc::getppid() == parent }
}

/// Gives this process a name of at most 15 bytes, which ps(1) and top(1) show (PR_SET_NAME).
pub fn set_name(name: &std::ffi::CStr) {
    // SAFETY: the name is a C string that outlives the call; the kernel copies 16 bytes at most.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// Returns whether a process of ours waits in read(2) for its stdin, as far as the kernel tells (proc(5),
/// `/proc/PID/syscall`).
pub fn reads_stdin(pid: i32) -> bool {
    let Ok(now) = std::fs::read_to_string(format!("/proc/{pid}/syscall")) else { return false };
    let mut words = now.split(' ');
    words.next().and_then(|number| number.parse().ok()) == Some(libc::SYS_read) && words.next() == Some("0x0")
}

/// Returns whether a child has been stopped since this was asked last.
pub fn was_stopped(pid: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else { return false };
    let options = rustix::process::WaitIdOptions::STOPPED | rustix::process::WaitIdOptions::NOHANG;
    let waited = rustix::process::waitid(rustix::process::WaitId::Pid(pid), options);
    waited.is_ok_and(|status| status.is_some_and(|status| status.stopped()))
}

/// Forks; returns the copy's id, and `None` in the copy.
///
/// As with [`fork`], only for a process without other threads that still matter.
///
/// # Errors
/// Those of fork(2).
pub fn fork_child() -> io::Result<Option<i32>> {
    // SAFETY: the copy goes on in this thread only; the caller uses no lock another thread could hold.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some(pid)),
    }
}

/// Forks; returns `true` in the copy.
///
/// Only for a process without other threads that still matter: the copy has but the calling one.
///
/// # Errors
/// Those of fork(2).
pub fn fork() -> io::Result<bool> {
    Ok(fork_child()?.is_none())
}

/// Forks a copy that belongs to nobody around here: no child of this process, in a session of its own, without
/// a terminal and without being able to get one. Returns `true` in the copy. The process in between is not
/// waited for: it does nothing but fork.
///
/// As with [`fork`], the copy has but the calling thread.
///
/// # Errors
/// Those of the first fork(2). If the second one fails there is no copy.
pub fn fork_away() -> io::Result<bool> {
    if !fork()? {
        return Ok(false);
    }
    // SAFETY: setsid(2) has no memory effects. It cannot fail in a process that was just forked.
    unsafe { libc::setsid() };
    // The one in between leads the session, and so is the only one that a terminal could be given to.
    match fork() {
        Ok(true) => Ok(true),
        _ => super::end::at_once(0),
    }
}

/// Returns this process's id.
pub fn id() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

/// Returns the parent's id.
pub fn parent() -> i32 {
    rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get())
}

/// Returns whether there is a process with this id, as far as this process's namespace shows.
pub fn is_there(id: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(id).filter(|_| id > 0) else { return false };
    !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
}

/// Returns whether this process is the leader of its session.
pub fn leads_session() -> bool {
    // SAFETY: getsid(2) is on integers. Not rustix's: that takes the kernel's 0, for a leader outside this
    // process's namespace, to be impossible.
    unsafe { libc::getsid(0) == id() }
}

/// Returns the id of this process's group; 0 for one whose leader is outside this process's namespace.
pub fn group() -> i32 {
    // SAFETY: the call has no arguments. Not rustix's, for the same reason.
    unsafe { libc::getpgrp() }
}

/// Returns whether this process was started by one that is not of its process group: by a shell with job
/// control, as the first of a session, or from outside its namespace.
pub fn is_of_a_shell() -> bool {
    let parent = parent();
    // SAFETY: getpgid(2) is on integers; of 0, it would be about this process. Not rustix's, likewise.
    parent == 0 || unsafe { libc::getpgid(parent) } != group()
}

/// Returns the effective user id.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}
