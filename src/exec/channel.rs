//! One of the command's outputs on its way to the user: what came and was not taken yet, and whose reader has
//! gone.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::progress::Outlet;
use crate::sys::descriptor;
use crate::sys::pipe::{self, Pipe};
use crate::sys::poll::{self, Watch};

/// The capacity a pipe is given once the command fills its default one.
const LARGE_PIPE: usize = 1 << 20;
/// The default capacity of a pipe in bytes (pipe(7)): so much a command may have written to a reader that
/// is already gone without being told.
const DEFAULT_PIPE: u64 = 64 << 10;

/// One of the command's outputs.
pub(super) struct Channel {
    /// The stream in the transcript: 1 or 2.
    pub(super) stream: u8,
    /// Where the command's bytes come out; `None` when that is over.
    pipe: Option<OwnedFd>,
    /// The user's descriptor.
    target: i32,
    outlet: Outlet,
    pub(super) pending: VecDeque<u8>,
    /// How many bytes came.
    carried: u64,
    pub(super) reader_gone: bool,
    pub(super) lost: bool,
    pub(super) undelivered: Option<io::Error>,
    enlarged: bool,
}

impl Channel {
    pub(super) fn open(stream: u8) -> io::Result<(Self, OwnedFd)> {
        let Pipe { reader, writer } = Pipe::new()?;
        Ok((Self::of(reader, stream)?, writer))
    }

    pub(super) fn of(reader: OwnedFd, stream: u8) -> io::Result<Self> {
        let target = i32::from(stream);
        let outlet = Outlet::open(target)?;
        Ok(Self {
            stream,
            pipe: Some(reader),
            target,
            outlet,
            pending: VecDeque::new(),
            carried: 0,
            reader_gone: false,
            lost: false,
            undelivered: None,
            enlarged: false,
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.pipe.is_none() && self.pending.is_empty()
    }

    pub(super) fn watches(&self) -> [Watch; 2] {
        let reading = match &self.pipe {
            Some(pipe) if self.pending.is_empty() => Watch::new(pipe.as_raw_fd(), poll::READ),
            _ => Watch::nothing(),
        };
        let writing = if !self.pending.is_empty() {
            Watch::new(self.outlet.raw(), poll::WRITE)
        } else if self.pipe.is_some() && self.outlet.has_reader() {
            // Tells at once when the reader goes, so that the command is told at its next write.
            Watch::new(self.target, 0)
        } else {
            Watch::nothing()
        };
        [reading, writing]
    }

    /// Reads what the command wrote; returns it, or `None` when there is no more.
    pub(super) fn read<'a>(&mut self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let pipe = self.pipe.as_ref()?;
        match descriptor::read(pipe, buffer) {
            Ok(n) if n > 0 => {
                if n >= LARGE_PIPE / 16 && !self.enlarged {
                    self.enlarged = true;
                    let _ = pipe::set_capacity(pipe, LARGE_PIPE);
                }
                self.carried += n as u64;
                Some(&buffer[..n])
            }
            _ => {
                self.pipe = None;
                None
            }
        }
    }

    pub(super) fn deliver(&mut self, bytes: &[u8]) {
        if self.reader_gone || self.undelivered.is_some() {
            return;
        }
        match self.outlet.write(bytes) {
            Ok(n) => self.pending.extend(&bytes[n..]),
            Err(error) => self.fail(error),
        }
    }

    pub(super) fn flush(&mut self) {
        let pending: Vec<u8> = std::mem::take(&mut self.pending).into();
        self.deliver(&pending);
    }

    /// The reader has gone, and memo was not writing to it.
    pub(super) fn reader_left(&mut self) {
        let waits = |pipe: &OwnedFd| pipe::waiting(pipe).is_ok_and(|bytes| bytes > 0);
        let on_its_way = !self.pending.is_empty() || self.pipe.as_ref().is_some_and(waits);
        if !on_its_way && self.pipe.as_ref().is_some_and(is_finished) {
            // It has everything there will ever be.
            self.pipe = None;
            return;
        }
        self.fail(io::ErrorKind::BrokenPipe.into());
        self.lost &= on_its_way;
    }

    /// Closing our end is how the command is told: it gets SIGPIPE at its next write.
    fn fail(&mut self, error: io::Error) {
        self.pending = VecDeque::new();
        let pipe = self.pipe.take();
        if error.kind() == io::ErrorKind::BrokenPipe {
            self.reader_gone = true;
            self.lost = self.carried > DEFAULT_PIPE && pipe.as_ref().is_none_or(is_finished);
        } else {
            self.undelivered = Some(error);
        }
    }
}

/// Returns whether everybody who wrote to a pipe has gone, whatever is still in it.
fn is_finished(pipe: &OwnedFd) -> bool {
    poll::now(pipe.as_raw_fd(), 0).is_ok_and(|now| now.got(poll::HANGUP))
}
