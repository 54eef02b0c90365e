//! Pipes and sockets: looking at what is in them without taking it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::RecvFlags;
use rustix::pipe::{PipeFlags, SpliceFlags};

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

/// What a write that must not block did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// This many bytes went in.
    Some(usize),
    /// It is full.
    Full,
    /// The kernel cannot write to this descriptor without blocking.
    Unsupported,
}

/// Writes to a pipe or socket without blocking and without touching its O_NONBLOCK, which is shared
/// with whoever else has the open file (pwritev2(2) with RWF_NOWAIT; for pipes since Linux 6.4).
///
/// # Errors
/// EPIPE when the reader has gone, and the others of write(2).
pub fn write_now(fd: impl AsFd, bytes: &[u8]) -> io::Result<Wrote> {
    let buffers = [io::IoSlice::new(bytes)];
    /// "The file's own offset", as pwritev2(2) spells it.
    const OWN_OFFSET: u64 = u64::MAX;
    let flags = rustix::io::ReadWriteFlags::NOWAIT;
    match rustix::io::pwritev2(fd, &buffers, OWN_OFFSET, flags) {
        Ok(n) => Ok(Wrote::Some(n)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(Wrote::Full),
        Err(
            rustix::io::Errno::OPNOTSUPP
            | rustix::io::Errno::NOSYS
            | rustix::io::Errno::INVAL
            | rustix::io::Errno::SPIPE,
        ) => Ok(Wrote::Unsupported),
        Err(error) => Err(error.into()),
    }
}
