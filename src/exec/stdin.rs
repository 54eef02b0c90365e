//! The caller's stdin: what it is, and what is in it before anything is taken.

use std::fs::File;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::action::digest::{Digest, Digester};
use crate::sys::descriptor::{self, Kind, standard};
use crate::sys::pipe::{self, Pipe};
use crate::sys::startup::Inherited;
use crate::sys::{poll, terminal};

/// What stdin is open on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing.
    Closed,
    /// `/dev/null`.
    Null,
    /// A terminal.
    Terminal,
    /// A regular file.
    File,
    /// A pipe; a named one may get new writers after its end.
    Pipe {
        /// Whether it has a name.
        named: bool,
    },
    /// A socket.
    Socket,
    /// Something else, and what.
    Other(&'static str),
}

impl Source {
    /// Finds out what stdin is.
    pub fn probe(inherited: &Inherited) -> Self {
        if inherited.closed(0) {
            return Self::Closed;
        }
        let stdin = standard(0);
        let (Ok(described), Ok(access)) = (descriptor::describe(stdin), descriptor::access(stdin)) else {
            return Self::Other("it cannot be looked at");
        };
        if !access.read {
            return Self::Other("it is not open for reading");
        }
        match described.kind {
            Kind::File => Self::File,
            Kind::Fifo => Self::Pipe { named: is_named(&described) },
            Kind::Socket => Self::Socket,
            Kind::Char if descriptor::is_null_device(&described) => Self::Null,
            Kind::Char if terminal::is_terminal(stdin) => Self::Terminal,
            Kind::Char => Self::Other("it is a device"),
            Kind::Directory => Self::Other("it is a directory"),
            Kind::Other => Self::Other("it cannot be looked at"),
        }
    }
}

/// A pipe without a name lives on a file system of the kernel's own, which /proc shows as `pipe:[N]`.
fn is_named(_described: &descriptor::Described) -> bool {
    std::fs::read_link("/proc/self/fd/0")
        .map_or(true, |link| !link.as_os_str().as_encoded_bytes().starts_with(b"pipe:"))
}

/// What is in a stream right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// Nothing, and nothing will come.
    End,
    /// Something to read.
    Bytes,
    /// Nothing yet.
    Silent,
}

/// Looks at a stream without taking anything.
pub fn look(source: Source) -> Now {
    if source == Source::Socket {
        return match pipe::peek(standard(0), &mut [0]) {
            Ok(Some(0)) => Now::End,
            Ok(Some(_)) => Now::Bytes,
            _ => Now::Silent,
        };
    }
    in_pipe(|| pipe::waiting(standard(0)), || poll::now(0, poll::READ).is_ok_and(|now| now.got(poll::HANGUP)))
}

/// Says what a pipe has, by how many bytes wait in it, and whether all writers have gone. They may write and go between
/// two looks: it is empty only if nothing waits after they have gone.
fn in_pipe(waiting: impl Fn() -> io::Result<u64>, hung_up: impl Fn() -> bool) -> Now {
    match waiting() {
        Ok(0) if hung_up() => match waiting() {
            Ok(0) => Now::End,
            Ok(_) => Now::Bytes,
            Err(_) => Now::Silent,
        },
        Ok(0) | Err(_) => Now::Silent,
        Ok(_) => Now::Bytes,
    }
}

/// How long a stream that may be full is waited for: its writer may not be able to go on before somebody
/// reads. One that is only slow costs a hit when this is too short.
const QUIET: Duration = Duration::from_millis(20);
/// Takes all of stdin and digests it; returns its length in bytes too.
///
/// # Errors
/// Those of read(2).
pub fn digest_all() -> io::Result<(Digest, u64)> {
    let mut digester = Digester::new();
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        match descriptor::read(standard(0), &mut buffer)? {
            0 => return Ok((digester.finish(), length)),
            read => {
                digester.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }
}

/// What a socket may hold before it counts as full, in bytes.
const SOCKET_FULL: u64 = 64 << 10;

/// Digests all that will ever come out of a stream, without taking any of it; waits until all is there,
/// unless that is more than the stream holds.
///
/// Possible when every writer has gone, and tee(2) or MSG_PEEK shows all that waits. With `may_take` there
/// is no wait for a stream that may be full: it can be read. Takes the time that it waited from `longest`.
pub fn complete(source: Source, may_take: bool, longest: &mut Duration) -> Option<(Digest, u64)> {
    let begun = Instant::now();
    let quiet = if may_take { Duration::ZERO } else { QUIET };
    let complete = wait_for_end(source, quiet, *longest).is_ok_and(|ended| ended).then(|| shown(source));
    *longest = longest.saturating_sub(begun.elapsed());
    complete?
}

/// Waits until a stream gets no more; returns `false` when it may be full, or still gets more after this
/// time.
fn wait_for_end(source: Source, quiet: Duration, longest: Duration) -> io::Result<bool> {
    let changes = poll::Changes::watch(standard(0))?;
    let capacity = match source {
        Source::Socket => SOCKET_FULL,
        _ => pipe::capacity(standard(0))? as u64,
    };
    let deadline = Instant::now() + longest;
    loop {
        let now = poll::now(0, poll::READ | poll::READ_HANGUP)?;
        if now.got(poll::HANGUP | poll::READ_HANGUP) {
            return Ok(true);
        }
        let waiting = pipe::waiting(standard(0))?;
        let left = deadline.saturating_duration_since(Instant::now());
        if waiting >= capacity || left.is_zero() {
            return Ok(false);
        }
        // A pipe is full when its slots are, and each may be filled by half; a socket counts more than
        // the bytes. Nothing tells the reader.
        let may_be_full = source == Source::Socket && waiting > 0 || waiting > capacity / 2;
        let limit = if may_be_full { left.min(quiet) } else { left };
        if !changes.wait(limit)? && may_be_full {
            return Ok(false);
        }
    }
}

/// Digests all that waits in a stream that gets no more.
fn shown(source: Source) -> Option<(Digest, u64)> {
    let waiting = pipe::waiting(standard(0)).ok()?;
    let length = usize::try_from(waiting).ok()?;
    let mut digester = Digester::new();
    if source == Source::Socket {
        let mut buffer = vec![0; length];
        if length > 0 && pipe::peek(standard(0), &mut buffer).ok()?? != length {
            return None;
        }
        digester.update(&buffer);
        return Some((digester.finish(), waiting));
    }
    let copy = Pipe::new().ok()?;
    let capacity = pipe::capacity(standard(0)).ok()?;
    pipe::set_capacity(&copy.writer, capacity).ok()?;
    if pipe::tee(standard(0), &copy.writer, length).ok()?? != length {
        return None;
    }
    let mut buffer = vec![0; (64 << 10).min(length)];
    let mut left = length;
    while left > 0 {
        let n = descriptor::read(&copy.reader, &mut buffer).ok()?;
        if n == 0 {
            return None;
        }
        digester.update(&buffer[..n]);
        left -= n;
    }
    Some((digester.finish(), waiting))
}

/// Takes so many bytes, as the run that is replayed did.
///
/// # Errors
/// Those of read(2).
pub fn take(mut bytes: u64) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    while bytes > 0 {
        let want = buffer.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
        let n = descriptor::read(standard(0), &mut buffer[..want])?;
        if n == 0 {
            break;
        }
        bytes -= n as u64;
    }
    Ok(())
}

/// Bytes taken from a stream before the command ran, because it is known to read all of them.
#[derive(Debug)]
pub struct Ahead {
    file: Option<File>,
    /// How many bytes the file has, the first ones.
    in_file: u64,
    /// The others.
    memory: Vec<u8>,
    digester: Digester,
    /// Whether the end was reached.
    pub complete: bool,
}

/// Up to this many bytes read ahead stay in memory.
const IN_MEMORY: usize = 1 << 20;

impl Ahead {
    /// Reads a stream to its end, for at most so many bytes and so long; `spill` gives a file for what is
    /// more than memory should hold.
    ///
    /// Whatever goes wrong, what was taken is here: then the end was not reached, and the command finds
    /// out for itself.
    pub fn read(most: u64, longest: Duration, spill: impl FnOnce() -> io::Result<File>) -> Self {
        let mut ahead =
            Self { file: None, in_file: 0, memory: Vec::new(), digester: Digester::new(), complete: false };
        let mut spill = Some(spill);
        let mut buffer = vec![0; 128 << 10];
        let deadline = Instant::now() + longest;
        while ahead.length() < most {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut watches = [poll::Watch::new(0, poll::READ)];
            if left.is_zero() || !poll::wait(&mut watches, Some(left)).is_ok_and(|ready| ready > 0) {
                break;
            }
            let Ok(n) = descriptor::read(standard(0), &mut buffer) else { break };
            if n == 0 {
                ahead.complete = true;
                break;
            }
            ahead.digester.update(&buffer[..n]);
            ahead.memory.extend_from_slice(&buffer[..n]);
            if ahead.memory.len() > IN_MEMORY
                && let Some(spill) = spill.take()
            {
                ahead.file = spill().ok();
            }
            if (ahead.file.is_some() || spill.is_none()) && !ahead.spill() {
                break;
            }
        }
        ahead
    }

    /// Moves what is in memory to the file; returns `false` when it cannot, and it stays in memory.
    fn spill(&mut self) -> bool {
        let Some(file) = &mut self.file else { return false };
        // What a write that failed half-way left lies behind what counts, and is not read.
        if file.write_all(&self.memory).is_err() {
            return false;
        }
        self.in_file += self.memory.len() as u64;
        self.memory.clear();
        true
    }

    /// Returns how many bytes were taken.
    pub fn length(&self) -> u64 {
        self.in_file + self.memory.len() as u64
    }

    /// Returns the digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digester.finish()
    }

    /// Copies bytes from an offset into the buffer and returns how many; 0 behind the last.
    ///
    /// # Errors
    /// Those of pread(2); `UnexpectedEof` when somebody cut the file.
    pub fn copy(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(file) = &self.file
            && offset < self.in_file
        {
            let most = buffer.len().min(usize::try_from(self.in_file - offset).unwrap_or(usize::MAX));
            return match descriptor::read_at(file, &mut buffer[..most], offset)? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                n => Ok(n),
            };
        }
        let offset = usize::try_from(offset - self.in_file).ok();
        let rest = offset.and_then(|offset| self.memory.get(offset..)).unwrap_or(&[]);
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;

    /// Looks at a pipe whose writer writes this and goes after so many looks.
    fn looked(bytes: &[u8], after: usize) -> Now {
        let (reader, writer) = io::pipe().unwrap();
        let (writer, looks) = (Cell::new(Some(writer)), Cell::new(0));
        let look = || {
            if looks.replace(looks.get() + 1) == after {
                writer.take().unwrap().write_all(bytes).unwrap();
            }
        };
        in_pipe(
            || {
                look();
                pipe::waiting(&reader)
            },
            || {
                look();
                poll::now(reader.as_raw_fd(), poll::READ).unwrap().got(poll::HANGUP)
            },
        )
    }

    #[test]
    fn what_is_written_between_two_looks_is_not_missed() {
        assert_eq!([0, 1, 2].map(|after| looked(b"", after)), [Now::End, Now::End, Now::Silent]);
        assert_eq!([0, 1, 2].map(|after| looked(b"x", after)), [Now::Bytes, Now::Bytes, Now::Silent]);
    }
}
