//! Writing to a descriptor of the user's without being held up by it, where that can be.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use crate::sys::descriptor::{self, Kind, standard};
use crate::sys::{pipe, terminal};

/// The user's stdout or stderr.
#[derive(Debug)]
pub struct Outlet {
    target: i32,
    way: Way,
}

/// How it is written to.
#[derive(Debug)]
enum Way {
    /// Without blocking: a pipe or a socket.
    Now,
    /// Without blocking, through a second open of the terminal: one that was stopped (Ctrl-S) would hold
    /// memo where no signal reaches it.
    Terminal(File),
    /// As it is: a file, a device.
    Plain,
}

impl Outlet {
    /// Looks at what standard descriptor `target` is.
    ///
    /// # Errors
    /// EBADF when it is closed.
    pub fn open(target: i32) -> io::Result<Self> {
        let way = match descriptor::describe(standard(target))?.kind {
            Kind::Fifo | Kind::Socket => Way::Now,
            Kind::Char if terminal::is_terminal(standard(target)) => {
                terminal::open_to_write(standard(target)).map_or(Way::Plain, Way::Terminal)
            }
            _ => Way::Plain,
        };
        Ok(Self { target, way })
    }

    /// Returns whether it tells at once when its reader goes.
    pub fn has_reader(&self) -> bool {
        matches!(self.way, Way::Now)
    }

    /// Returns the number of the descriptor that is written to.
    pub fn raw(&self) -> i32 {
        self.as_fd().as_raw_fd()
    }

    /// Writes what can be written without blocking, and returns how much; to a file, everything.
    ///
    /// # Errors
    /// EPIPE when the reader has gone, and the others of write(2).
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            let rest = &bytes[written..];
            written += match &self.way {
                Way::Plain => descriptor::write_all(self.as_fd(), rest).map(|()| rest.len())?,
                Way::Now => match pipe::write_now(self.as_fd(), rest)? {
                    0 => break,
                    n => n,
                },
                Way::Terminal(terminal) => match descriptor::write_what_fits(terminal, rest)? {
                    0 => break,
                    n => n,
                },
            };
        }
        Ok(written)
    }
}

impl AsFd for Outlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.way {
            Way::Terminal(terminal) => terminal.as_fd(),
            Way::Now | Way::Plain => standard(self.target),
        }
    }
}
