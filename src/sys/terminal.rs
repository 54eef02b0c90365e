//! Terminals: what they are set to, how wide they are, and whether a line was typed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use rustix::pty::OpenptFlags;
use rustix::termios::{LocalModes, OptionalActions, Termios, Winsize};

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
    // SAFETY: tcgetpgrp(3) is on a descriptor that is open. Not rustix's: for a group outside this process's
    // namespace, which the kernel calls 0, that returns an error, as for a terminal of somebody else.
    let foreground = unsafe { libc::tcgetpgrp(fd.as_fd().as_raw_fd()) };
    foreground < 0 || foreground == super::process::group()
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

/// How large a terminal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Its width in columns.
    pub columns: u16,
    /// Its height in rows.
    pub rows: u16,
}

/// Returns the size of a terminal; `None` for what is none, or says 0.
pub fn size(fd: impl AsFd) -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(fd).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some(Size { columns: size.ws_col, rows: size.ws_row })
}

/// Sets the size of a terminal; the processes in its foreground are told by SIGWINCH when it is another one.
///
/// # Errors
/// Those of ioctl(2).
pub fn set_size(fd: impl AsFd, size: Size) -> io::Result<()> {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(fd, size)?)
}

/// The two ends of a pseudo-terminal, both close-on-exec.
#[derive(Debug)]
pub struct Pseudo {
    /// What is written to the terminal comes out here, and what is written here is typed.
    pub master: OwnedFd,
    /// The terminal.
    pub terminal: OwnedFd,
}

impl Pseudo {
    /// Makes a pseudo-terminal. What is typed is treated as by the terminal `like`, if that is one; what is written
    /// as a fresh terminal does it, so that it does not depend on `like`.
    ///
    /// # Errors
    /// Those of posix_openpt(3) and unlockpt(3).
    pub fn open(size: Size, like: impl AsFd) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let terminal = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
        set_size(&terminal, size)?;
        if let (Ok(like), Ok(mut own)) =
            (rustix::termios::tcgetattr(like), rustix::termios::tcgetattr(&terminal))
        {
            own.input_modes = like.input_modes;
            own.local_modes = like.local_modes;
            own.special_codes = like.special_codes;
            rustix::termios::tcsetattr(&terminal, OptionalActions::Now, &own)?;
        }
        Ok(Self { master, terminal })
    }
}

/// A terminal that passes on every key as it is, and every byte written; it is as before when this is dropped.
#[derive(Debug)]
#[must_use = "the terminal is set back when it is dropped"]
pub struct Raw {
    terminal: OwnedFd,
    before: Termios,
}

impl Raw {
    /// Sets a terminal up (cfmakeraw(3)). Only from the foreground: from anywhere else that stops the process.
    ///
    /// # Errors
    /// Those of tcgetattr(3) and tcsetattr(3).
    pub fn set(fd: impl AsFd) -> io::Result<Self> {
        let terminal = fd.as_fd().try_clone_to_owned()?;
        let before = rustix::termios::tcgetattr(&terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(&terminal, OptionalActions::Drain, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if is_in_foreground(&self.terminal) {
            let _ = rustix::termios::tcsetattr(&self.terminal, OptionalActions::Drain, &self.before);
        }
    }
}
