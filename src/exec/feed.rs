//! Feeding a pipe to the command so that memo takes from it exactly what the command takes.
//!
//! tee(2) shows the command a copy of what waits, through a private pipe of one slot. When that slot is
//! free again (POLLOUT), the command has drained it, and only then the same bytes are taken from the
//! original. At the end FIONREAD tells what the command left in the slot: that much stays in the original.
//! A command that has taken more than `BULK` reads in earnest; from then on bytes are moved in bulk, and
//! what it leaves is lost, as it is with any reader that buffers.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::stdin::{Ahead, Now, Source, look};
use crate::action::digest::{Digest, Digester};
use crate::sys::descriptor::{self, standard};
use crate::sys::pipe::{self, Pipe};
use crate::sys::poll::{self, Watch};

/// How many bytes a command takes before they are moved in bulk.
pub const BULK: u64 = 64 << 10;
/// The smallest capacity a pipe can have: one page, one slot (pipe(7)).
const ONE_SLOT: usize = 4096;
/// The capacity asked for in bulk: the default limit for users (/proc/sys/fs/pipe-max-size).
const MANY_SLOTS: usize = 1 << 20;
/// How much is moved at a time in bulk.
const BUFFER: usize = 128 << 10;

/// The feed of one command.
#[derive(Debug)]
pub struct Feed {
    source: Source,
    writer: Option<OwnedFd>,
    ahead: Option<Ahead>,
    state: State,
    taken: u64,
    digester: Digester,
}

#[derive(Debug)]
enum State {
    /// The private pipe is empty.
    Waiting,
    /// So many bytes are shown and not yet taken.
    Shown(usize),
    /// Bytes are moved: a buffer, and how much of it is sent.
    Bulk { buffer: Vec<u8>, sent: usize, end: bool },
    /// What was read ahead is sent, up to this offset.
    Ahead(u64),
    /// The writer is closed: everything was sent, or nobody reads any more.
    Over,
}

/// What the command did with its stdin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How many bytes it took.
    pub bytes: u64,
    /// Of these bytes.
    pub digest: Digest,
    /// Whether these were all, and the end was there.
    pub all: bool,
    /// Whether it left bytes that were there.
    pub left: bool,
}

impl Feed {
    /// Makes a feed and returns it with the end that is to be the command's stdin.
    ///
    /// # Errors
    /// Those of pipe2(2) and fcntl(2).
    pub fn new(source: Source, ahead: Option<Ahead>) -> io::Result<(Self, OwnedFd)> {
        let Pipe { reader, writer } = Pipe::new()?;
        let state = if ahead.is_some() {
            State::Ahead(0)
        } else {
            pipe::set_capacity(&writer, ONE_SLOT)?;
            State::Waiting
        };
        pipe::set_nonblocking(&writer)?;
        let feed = Self { source, writer: Some(writer), ahead, state, taken: 0, digester: Digester::new() };
        Ok((feed, reader))
    }

    /// Returns what to wait for: at the original, and at the private pipe.
    pub fn watches(&self) -> [Watch; 2] {
        let writer = self.writer.as_ref().map_or(-1, AsRawFd::as_raw_fd);
        match &self.state {
            State::Waiting => [Watch::new(0, poll::READ), Watch::new(writer, 0)],
            State::Bulk { buffer, sent, end: false } if *sent == buffer.len() => {
                [Watch::new(0, poll::READ), Watch::new(writer, 0)]
            }
            State::Shown(_) | State::Bulk { .. } | State::Ahead(_) => {
                [Watch::nothing(), Watch::new(writer, poll::WRITE)]
            }
            State::Over => [Watch::nothing(); 2],
        }
    }

    /// Moves what can be moved, after the waits in `watches` came true.
    ///
    /// # Errors
    /// Those of the system; the feed is then over.
    pub fn step(&mut self, watches: [Watch; 2]) -> io::Result<()> {
        let [original, private] = watches;
        if private.got(poll::ERROR) {
            // The command has closed its stdin. What it left of the slot is settled at the end.
            if let State::Shown(_) = self.state {
                self.settle_shown()?;
            }
            self.state = State::Over;
            return Ok(());
        }
        if original.any() || private.any() {
            let moved = self.advance();
            if moved.is_err() {
                self.state = State::Over;
                self.writer = None;
            }
            return moved;
        }
        Ok(())
    }

    fn advance(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Waiting => self.show(),
            State::Shown(_) => {
                self.settle_shown()?;
                if self.taken > BULK {
                    if let Some(writer) = &self.writer {
                        // A user who has many pipes may be refused more; one slot then works too.
                        let _ = pipe::set_capacity(writer, MANY_SLOTS);
                    }
                    self.state = State::Bulk { buffer: Vec::new(), sent: 0, end: false };
                } else {
                    self.state = State::Waiting;
                }
                Ok(())
            }
            State::Bulk { .. } => self.bulk(),
            State::Ahead(_) => self.send_ahead(),
            State::Over => Ok(()),
        }
    }

    /// Shows the command what waits in the original, up to one slot.
    fn show(&mut self) -> io::Result<()> {
        let Some(writer) = &self.writer else { return Ok(()) };
        let shown = if self.source == Source::Socket {
            let mut buffer = [0; ONE_SLOT];
            match pipe::peek(standard(0), &mut buffer)? {
                Some(n) if n > 0 => {
                    descriptor::write_all(writer, &buffer[..n])?;
                    Some(n)
                }
                other => other,
            }
        } else {
            match pipe::tee(standard(0), writer, ONE_SLOT) {
                Ok(shown) => shown,
                // A system without tee(2): bytes can only be moved, and what the command leaves is lost.
                Err(_) => {
                    self.state = State::Bulk { buffer: Vec::new(), sent: 0, end: false };
                    return self.bulk();
                }
            }
        };
        match shown {
            None => {}
            Some(0) => {
                self.writer = None;
                self.state = State::Over;
            }
            Some(n) => self.state = State::Shown(n),
        }
        Ok(())
    }

    /// Takes from the original what the command has taken of the slot.
    fn settle_shown(&mut self) -> io::Result<()> {
        if let State::Shown(shown) = self.state {
            let left = match &self.writer {
                Some(writer) => usize::try_from(pipe::waiting(writer)?).unwrap_or(usize::MAX),
                None => 0,
            };
            self.take(shown.saturating_sub(left))?;
            self.state = State::Waiting;
        }
        Ok(())
    }

    fn take(&mut self, mut bytes: usize) -> io::Result<()> {
        let mut buffer = [0; ONE_SLOT];
        while bytes > 0 {
            let want = bytes.min(buffer.len());
            let n = descriptor::read(standard(0), &mut buffer[..want])?;
            if n == 0 {
                break;
            }
            self.digester.update(&buffer[..n]);
            self.taken += n as u64;
            bytes -= n;
        }
        Ok(())
    }

    fn bulk(&mut self) -> io::Result<()> {
        let State::Bulk { buffer, sent, end } = &mut self.state else { return Ok(()) };
        if *sent == buffer.len() && !*end {
            buffer.resize(BUFFER, 0);
            let n = descriptor::read(standard(0), buffer)?;
            buffer.truncate(n);
            *sent = 0;
            *end = n == 0;
        }
        if let Some(writer) = &self.writer
            && *sent < buffer.len()
        {
            let n = descriptor::write_what_fits(writer, &buffer[*sent..])?;
            self.digester.update(&buffer[*sent..*sent + n]);
            *sent += n;
            self.taken += n as u64;
        }
        if *end {
            self.writer_at_end();
        }
        Ok(())
    }

    fn send_ahead(&mut self) -> io::Result<()> {
        let (State::Ahead(offset), Some(ahead), Some(writer)) = (&mut self.state, &self.ahead, &self.writer)
        else {
            return Ok(());
        };
        let mut buffer = vec![0; BUFFER];
        let n = ahead.copy(*offset, &mut buffer)?;
        if n > 0 {
            let sent = descriptor::write_what_fits(writer, &buffer[..n])?;
            self.digester.update(&buffer[..sent]);
            *offset += sent as u64;
            self.taken += sent as u64;
            return Ok(());
        }
        if ahead.complete {
            self.writer_at_end();
        } else {
            self.state = State::Bulk { buffer: Vec::new(), sent: 0, end: false };
        }
        Ok(())
    }

    /// Everything is sent: what the pipe still holds is found out when the command has ended.
    fn writer_at_end(&mut self) {
        self.state = State::Over;
        self.writer = None;
    }

    /// Returns what the command did, after it has ended; `reader` is memo's own copy of its stdin.
    ///
    /// # Errors
    /// Those of the system.
    pub fn finish(mut self, reader: &OwnedFd) -> io::Result<Taken> {
        self.settle_shown()?;
        let in_pipe = pipe::waiting(reader)?;
        let (unsent, exact) = match &self.state {
            State::Bulk { buffer, sent, .. } => ((buffer.len() - sent) as u64, false),
            State::Ahead(offset) => (self.ahead.as_ref().map_or(0, |ahead| ahead.length() - offset), false),
            State::Waiting | State::Shown(_) => (0, true),
            State::Over => (0, self.ahead.is_none() && self.taken <= BULK),
        };
        // In the exact states what is left in the private pipe is left in the original too.
        let (in_pipe, lost) = if exact { (0, 0) } else { (in_pipe, in_pipe + unsent) };
        let behind = if self.ahead.as_ref().is_some_and(|ahead| ahead.complete) {
            Now::End
        } else {
            look(self.source)
        };
        let bytes = self.taken.saturating_sub(in_pipe);
        Ok(Taken {
            bytes,
            digest: self.digester.finish(),
            all: lost == 0 && behind == Now::End,
            left: lost > 0 || behind == Now::Bytes,
        })
    }
}
