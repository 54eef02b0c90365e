//! The caller's stdin: what it is, and what is in it before anything is taken.

use std::fs::File;
use std::io::{self, Seek, Write};
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
    match pipe::waiting(standard(0)) {
        Ok(0) if poll::now(0, poll::READ).is_ok_and(|now| now.got(poll::HANGUP)) => Now::End,
        Ok(0) => Now::Silent,
        Ok(_) => Now::Bytes,
        Err(_) => Now::Silent,
    }
}

/// Digests all that will ever come out of a pipe, without taking any of it: possible when every writer
/// has gone and tee(2) shows all that waits.
pub fn complete(source: Source) -> Option<(Digest, u64)> {
    let Source::Pipe { named: false } = source else { return None };
    if !poll::now(0, poll::READ).ok()?.got(poll::HANGUP) {
        return None;
    }
    let waiting = pipe::waiting(standard(0)).ok()?;
    let copy = Pipe::new().ok()?;
    let capacity = pipe::capacity(standard(0)).ok()?;
    pipe::set_capacity(&copy.writer, capacity).ok()?;
    let length = usize::try_from(waiting).ok()?;
    if pipe::tee(standard(0), &copy.writer, length).ok()?? != length {
        return None;
    }
    let mut digester = Digester::new();
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
    memory: Vec<u8>,
    file: Option<File>,
    length: u64,
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
    /// # Errors
    /// Those of read(2), and of the file.
    pub fn read(most: u64, longest: Duration, spill: impl FnOnce() -> io::Result<File>) -> io::Result<Self> {
        let mut ahead =
            Self { memory: Vec::new(), file: None, length: 0, digester: Digester::new(), complete: false };
        let mut spill = Some(spill);
        let mut buffer = vec![0; 128 << 10];
        let deadline = Instant::now() + longest;
        while ahead.length < most {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut watches = [poll::Watch::new(0, poll::READ)];
            if left.is_zero() || poll::wait(&mut watches, Some(left))? == 0 {
                return Ok(ahead);
            }
            let n = descriptor::read(standard(0), &mut buffer)?;
            if n == 0 {
                ahead.complete = true;
                return Ok(ahead);
            }
            ahead.digester.update(&buffer[..n]);
            ahead.length += n as u64;
            if ahead.file.is_none() && ahead.memory.len() + n > IN_MEMORY {
                // What cannot be kept in a file must not be lost: then memory holds it after all.
                if let Some(Ok(mut file)) = spill.take().map(|spill| spill()) {
                    file.write_all(&ahead.memory)?;
                    ahead.memory = Vec::new();
                    ahead.file = Some(file);
                }
            }
            match &mut ahead.file {
                Some(file) => file.write_all(&buffer[..n])?,
                None => ahead.memory.extend_from_slice(&buffer[..n]),
            }
        }
        Ok(ahead)
    }

    /// Returns how many bytes were taken.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Returns the digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digester.finish()
    }

    /// Copies bytes from an offset into the buffer and returns how many.
    ///
    /// # Errors
    /// Those of pread(2).
    pub fn copy(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(file) = &self.file {
            return descriptor::read_at(file, buffer, offset);
        }
        let rest = usize::try_from(offset).ok().and_then(|offset| self.memory.get(offset..)).unwrap_or(&[]);
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    /// Returns a file with the bytes at its beginning, if they are in one.
    ///
    /// # Errors
    /// Those of lseek(2).
    pub fn rewound(&self) -> io::Result<Option<&File>> {
        match &self.file {
            None => Ok(None),
            Some(file) => {
                let mut handle = file;
                handle.rewind()?;
                Ok(Some(file))
            }
        }
    }
}
