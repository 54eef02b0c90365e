//! Terminals: what they are set to, how wide they are, and whether a line was typed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::termios::LocalModes;

/// Returns whether a descriptor is a terminal.
pub fn is_terminal(fd: impl AsFd) -> bool {
    rustix::termios::isatty(fd)
}

/// Returns the width of a terminal in columns; `None` for what is none, or says 0.
pub fn width(fd: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(fd).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Returns whether a terminal collects lines and shows what is typed (ICANON and ECHO are both on).
pub fn is_cooked(fd: impl AsFd) -> bool {
    rustix::termios::tcgetattr(fd)
        .is_ok_and(|termios| termios.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO))
}

/// Returns whether this process may write to a terminal and set it up: it is in the terminal's foreground, or
/// the terminal is not the one that controls its jobs.
pub fn is_in_foreground(fd: impl AsFd) -> bool {
    rustix::termios::tcgetpgrp(fd).map_or(true, |group| group == rustix::process::getpgrp())
}

/// Returns the number of bytes typed and not yet read, in whole lines.
pub fn typed(fd: impl AsFd) -> u64 {
    super::pipe::waiting(fd).unwrap_or(0)
}

/// Opens the terminal behind a descriptor a second time, for writing without blocking. The first open
/// file is not touched: its flags are shared with whoever else has it.
///
/// # Errors
/// Those of open(2); EACCES after su(1), to a terminal that belongs to somebody else.
pub fn open_to_write(fd: impl AsFd) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    File::options().write(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK).open(path)
}

/// Opens the terminal behind a descriptor a second time so that this process gets SIGIO when a line
/// arrives (O_ASYNC, F_SETOWN). The first open file is not touched: its flags are the command's too.
///
/// # Errors
/// Those of open(2) and fcntl(2).
pub fn watch_input(fd: impl AsFd) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    let file = File::options().read(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK).open(path)?;
    let raw = file.as_raw_fd();
    // SAFETY: fcntl with integer arguments on a descriptor we own.
    let failed = unsafe {
        libc::fcntl(raw, libc::F_SETOWN, libc::getpid()) == -1
            || libc::fcntl(raw, libc::F_SETFL, libc::O_NONBLOCK | libc::O_ASYNC) == -1
    };
    if failed { Err(io::Error::last_os_error()) } else { Ok(file) }
}
