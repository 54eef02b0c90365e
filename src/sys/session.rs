//! A command in a session of its own, with a terminal that controls it.
//!
//! Between memo and the command stands one more process, the leader of the session. The command is a process group
//! of its own in it, for a group whose parents are all outside its session is an orphan, which no Ctrl-Z stops
//! (POSIX, 11.1.4). The leader waits; it stops when the command stops, goes on as it is told to, and ends as the
//! command ends.

use std::os::fd::RawFd;

use super::{disposition, signal};

/// Makes this process, a fresh copy without threads, the leader of a session whose terminal is `terminal`; runs
/// `command` in a copy of it, in the terminal's foreground. Returns only what went wrong, as errno: in the leader
/// before there is a command, and in the command. `started` is told the command's process id.
pub(super) fn lead(terminal: RawFd, parent: i32, started: impl Fn(i32), command: impl Fn(i32) -> i32) -> i32 {
    // SAFETY: system calls that are async-signal-safe, on integers and on memory of this frame.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() != parent {
            libc::_exit(127);
        }
        if libc::setsid() < 0 || libc::ioctl(terminal, libc::TIOCSCTTY, 0) < 0 {
            return *libc::__errno_location();
        }
        let leader = libc::getpid();
        let child = libc::fork();
        if child < 0 {
            return *libc::__errno_location();
        }
        if child == 0 {
            libc::setpgid(0, 0);
            // Whoever is not yet in the foreground is stopped for asking, unless the signal is blocked; the
            // command's own mask is set before it begins.
            let mut set: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGTTOU);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            libc::tcsetpgrp(terminal, libc::getpid());
            return command(leader);
        }
        started(child);
        // A terminal whose other end goes says so to the leader alone; memo tells the command.
        disposition::set(libc::SIGHUP, libc::SIG_IGN);
        // Nothing of memo's may be kept open here: pipes, locks, the terminal itself.
        if libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) < 0 {
            (0..1024).for_each(|fd| _ = libc::close(fd));
        }
        follow(leader, child)
    }
}

/// Stops and ends as the child does.
fn follow(leader: i32, child: i32) -> ! {
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call.
        if unsafe { libc::waitpid(child, &raw mut status, libc::WUNTRACED) } != child {
            super::end::at_once(127);
        }
        if libc::WIFSTOPPED(status) {
            signal::send(leader, libc::SIGSTOP);
            signal::send(-child, libc::SIGCONT);
        } else if libc::WIFSIGNALED(status) {
            signal::die_of(libc::WTERMSIG(status));
            super::end::at_once(127);
        } else {
            super::end::at_once(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX));
        }
    }
}
