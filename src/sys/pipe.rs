//! Pipes and sockets: looking at what is in them without taking it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::net::RecvFlags;
use rustix::pipe::{PipeFlags, SpliceFlags};

use super::{descriptor, poll};

/// The two ends of a pipe, both close-on-exec.
#[derive(Debug)]
pub struct Pipe {
    /// What is written comes out here.
    pub reader: OwnedFd,
    /// What is written here comes out at `reader`.
    pub writer: OwnedFd,
}

impl Pipe {
    /// Makes a pipe.
    ///
    /// # Errors
    /// Those of pipe2(2).
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Self { reader, writer })
    }
}

/// Asks for a capacity in bytes and returns what the kernel gave (F_SETPIPE_SZ).
///
/// # Errors
/// EPERM above `/proc/sys/fs/pipe-max-size`, EBUSY below what is in the pipe.
pub fn set_capacity(fd: impl AsFd, bytes: usize) -> io::Result<usize> {
    Ok(rustix::pipe::fcntl_setpipe_size(fd, bytes)?)
}

/// Returns the capacity in bytes.
///
/// # Errors
/// EBADF for what is no pipe.
pub fn capacity(fd: impl AsFd) -> io::Result<usize> {
    Ok(rustix::pipe::fcntl_getpipe_size(fd)?)
}

/// Sets O_NONBLOCK on an end of a pipe that memo made itself.
///
/// # Errors
/// Those of ioctl(2).
pub fn set_nonblocking(fd: impl AsFd) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, true)?)
}

/// Returns how many bytes wait to be read (FIONREAD); works at either end of a pipe.
///
/// # Errors
/// Those of ioctl(2).
pub fn waiting(fd: impl AsFd) -> io::Result<u64> {
    Ok(rustix::io::ioctl_fionread(fd)?)
}

/// Duplicates up to `limit` bytes of one pipe into another without taking them (tee(2)), never waiting.
///
/// Returns `None` when there is nothing yet, `Some(0)` at the end.
///
/// # Errors
/// EINVAL for what is no pipe.
pub fn tee(from: impl AsFd, to: impl AsFd, limit: usize) -> io::Result<Option<usize>> {
    match rustix::pipe::tee(from, to, limit, SpliceFlags::NONBLOCK) {
        Ok(n) => Ok(Some(n)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Copies what a socket has into the buffer without taking it, never waiting.
///
/// Returns `None` when there is nothing yet, `Some(0)` at the end.
///
/// # Errors
/// Those of recv(2).
pub fn peek(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match rustix::net::recv(socket, buffer, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((n, _)) => Ok(Some(n)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What is written at once where only poll(2) can tell whether there is room: one slot of a pipe, for
/// which POLLOUT promises it (pipe(7), PIPE_BUF).
const ONE_SLOT: usize = 4096;

/// Writes what a pipe or socket takes without blocking and returns how many bytes that were; 0 when it
/// is full.
///
/// O_NONBLOCK is not touched: it is shared with whoever else has the open file. pwritev2(2) with
/// RWF_NOWAIT does without (for pipes since Linux 6.4); before, one slot is written when poll promises room.
///
/// # Errors
/// EPIPE when the reader has gone, and the others of write(2).
pub fn write_now(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    /// "The file's own offset", as pwritev2(2) spells it.
    const OWN_OFFSET: u64 = u64::MAX;
    let flags = rustix::io::ReadWriteFlags::NOWAIT;
    match rustix::io::pwritev2(&fd, &[io::IoSlice::new(bytes)], OWN_OFFSET, flags) {
        Ok(n) => Ok(n),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
        Err(
            rustix::io::Errno::OPNOTSUPP
            | rustix::io::Errno::NOSYS
            | rustix::io::Errno::INVAL
            | rustix::io::Errno::SPIPE,
        ) => {
            if !poll::now(fd.as_fd().as_raw_fd(), poll::WRITE)?.any() {
                return Ok(0);
            }
            descriptor::write_what_fits(fd, &bytes[..bytes.len().min(ONE_SLOT)])
        }
        Err(error) => Err(error.into()),
    }
}

/// Moves up to `limit` bytes of a file from `offset` into a pipe without blocking and without copying
/// (splice(2)); returns how many, 0 when the pipe is full, or `None` for what is no pipe.
///
/// # Errors
/// EPIPE when the reader has gone; `UnexpectedEof` at the end of the file.
pub fn splice_now(from: &File, offset: &mut u64, to: impl AsFd, limit: usize) -> io::Result<Option<usize>> {
    match rustix::pipe::splice(from, Some(offset), to, None, limit, SpliceFlags::NONBLOCK) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(n) => Ok(Some(n)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(Some(0)),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
