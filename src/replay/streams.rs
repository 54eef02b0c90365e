//! A transcript to stdout and stderr, in the recorded order.
//!
//! Two different pipes have no common order that anybody could see, but each can be full: then the other
//! one goes on, for its reader may be waiting for just that, as it could while the command ran.

use std::collections::VecDeque;
use std::fs::File;
use std::io;

use crate::action::onlooker::{Onlooker, Telling};
use crate::exec::transcript::{HEAD, parse_head};
use crate::store::blobs::{BadBlob, Blobs};
use crate::store::outcome::Transcript;
use crate::sys::descriptor::{self, Kind, standard};
use crate::sys::file::send;
use crate::sys::pipe;
use crate::sys::poll::{self, Watch};

/// How much of a file is read at a time where the kernel does not copy.
const BUFFER: usize = 128 << 10;

/// Where a transcript's bytes are, verified.
#[derive(Debug)]
pub enum Source {
    /// Here.
    Memory(Vec<u8>),
    /// In a file of so many bytes.
    File(File, u64),
}

/// How many of stdout and stderr a transcript has something for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrote {
    /// Neither.
    Nothing,
    /// One of them.
    One,
    /// Both.
    Both,
}

/// How far a replay came.
#[derive(Debug)]
pub enum Replayed {
    /// Everything was written.
    Whole,
    /// A reader went away.
    ReaderGone,
    /// A descriptor took no more, and why.
    Undelivered(io::Error),
}

/// Writes the transcript; from here on the command is never run on top of it.
pub fn replay(source: &Source) -> Replayed {
    replayed(written(source))
}

/// Writes what one stream got (1 stdout, 2 stderr) to stdout.
pub fn replay_one(source: &Source, stream: u8) -> Replayed {
    replayed(to_stdout(source, stream))
}

/// Writes the first `length` bytes of a file to stdout.
pub fn replay_file(file: &File, length: u64) -> Replayed {
    replayed(copy(file, 0, length, 1))
}

/// Writes bytes to stdout.
pub fn replay_bytes(bytes: &[u8]) -> Replayed {
    replayed(descriptor::write_all(standard(1), bytes))
}

/// Returns how many bytes stdout and stderr got, without looking at them.
///
/// # Errors
/// `UnexpectedEof` and `InvalidData` when the records do not end where the transcript does.
pub fn lengths(source: &Source) -> io::Result<[u64; 2]> {
    let (mut offset, mut lengths) = (0, [0; 2]);
    while let Some(part) = source.part(offset)? {
        lengths[if part.fd == 1 { 0 } else { 1 }] += part.end - part.offset;
        offset = part.end;
    }
    if offset > source.length() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(lengths) }
}

fn replayed(done: io::Result<()>) -> Replayed {
    match done {
        Ok(()) => Replayed::Whole,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Replayed::ReaderGone,
        Err(error) => Replayed::Undelivered(error),
    }
}

fn written(source: &Source) -> io::Result<()> {
    // What is in memory is looked through sooner than the descriptors; a file is not.
    let side = match source {
        Source::Memory(_) => source.wrote()? == Wrote::Both && both_can_be_full(),
        Source::File(..) => both_can_be_full() && source.wrote()? == Wrote::Both,
    };
    if side {
        return side_by_side(source);
    }
    match source {
        Source::Memory(bytes) => from_memory(bytes),
        Source::File(file, length) => from_file(file, *length),
    }
}

/// One record's content: its stream and its place in the transcript.
#[derive(Clone, Copy, Debug)]
struct Part {
    fd: i32,
    offset: u64,
    end: u64,
}

impl Source {
    /// Returns where a transcript's bytes are, verified; what is inline has been with its outcome.
    ///
    /// # Errors
    /// [`BadBlob`] when the blob is not what its name says.
    pub fn open(transcript: &Transcript, blobs: &Blobs) -> Result<Self, BadBlob> {
        Self::open_telling(transcript, blobs, None)
    }

    /// As [`open`](Self::open), and tells how far it is.
    ///
    /// # Errors
    /// As there.
    pub fn open_telling(
        transcript: &Transcript,
        blobs: &Blobs,
        onlooker: Option<&dyn Onlooker>,
    ) -> Result<Self, BadBlob> {
        Ok(match transcript {
            Transcript::Inline(bytes) => Self::Memory(bytes.clone()),
            Transcript::Blob { digest, length } => {
                let telling = Telling::of(onlooker, "checking", "what it wrote".as_ref(), *length);
                Self::File(blobs.open_telling(digest, *length, telling)?, *length)
            }
        })
    }

    /// Returns to how many of stdout and stderr something was written.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn wrote(&self) -> io::Result<Wrote> {
        let mut offset = 0;
        let mut first = None;
        while let Some(part) = self.part(offset)? {
            if *first.get_or_insert(part.fd) != part.fd {
                return Ok(Wrote::Both);
            }
            offset = part.end;
        }
        Ok(if first.is_some() { Wrote::One } else { Wrote::Nothing })
    }

    fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => {
                let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
                let content = rest.and_then(|rest| rest.get(..buffer.len()));
                buffer.copy_from_slice(content.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
            Self::File(file, _) => descriptor::read_exact_at(file, buffer, offset),
        }
    }

    /// Returns the next record of a stream that is ours, from this offset on.
    fn part(&self, mut offset: u64) -> io::Result<Option<Part>> {
        while offset < self.length() {
            let mut head = [0; HEAD];
            self.read_exact_at(&mut head, offset)?;
            let (stream, content) = parse_head(head);
            let start = offset + HEAD as u64;
            offset = start + u64::from(content);
            if let Some(fd) = target(stream) {
                return Ok(Some(Part { fd, offset: start, end: offset }));
            }
        }
        Ok(None)
    }
}

fn target(stream: u8) -> Option<i32> {
    (stream == 1 || stream == 2).then_some(i32::from(stream))
}

fn both_can_be_full() -> bool {
    [1, 2].into_iter().all(|fd| {
        descriptor::describe(standard(fd))
            .is_ok_and(|described| matches!(described.kind, Kind::Fifo | Kind::Socket))
    })
}

/// Replays in the recorded order until one stream is full; what it is to get then waits, and the other
/// one's goes on.
fn side_by_side(source: &Source) -> io::Result<()> {
    let mut waiting: [VecDeque<Part>; 2] = Default::default();
    let mut next = 0;
    loop {
        let part = source.part(next)?;
        if let Some(mut part) = part {
            next = part.end;
            let queue = &mut waiting[if part.fd == 1 { 0 } else { 1 }];
            if !queue.is_empty() || !fits(source, &mut part)? {
                queue.push_back(part);
            }
        }
        // As long as one of the two takes what comes next, there is no need to wait.
        let blocked = waiting.iter().all(|queue| !queue.is_empty());
        if waiting.iter().all(VecDeque::is_empty) {
            if part.is_none() {
                return Ok(());
            }
            continue;
        }
        let mut watches = [1, 2].map(|fd| Watch::new(fd, poll::WRITE));
        for (watch, queue) in watches.iter_mut().zip(&waiting) {
            if queue.is_empty() {
                *watch = Watch::nothing();
            }
        }
        let limit = (!blocked && part.is_some()).then_some(std::time::Duration::ZERO);
        poll::wait(&mut watches, limit)?;
        for (watch, queue) in watches.iter().zip(&mut waiting) {
            while watch.any()
                && let Some(first) = queue.front_mut()
                && fits(source, first)?
            {
                queue.pop_front();
            }
        }
    }
}

/// Writes what the stream takes without blocking; returns whether that was all.
fn fits(source: &Source, part: &mut Part) -> io::Result<bool> {
    let mut buffer = Vec::new();
    while part.offset < part.end {
        let want = usize::try_from(part.end - part.offset).unwrap_or(usize::MAX);
        if let Source::File(file, _) = source
            && let Some(moved) = pipe::splice_now(file, &mut part.offset, standard(part.fd), want)?
        {
            if moved == 0 {
                return Ok(false);
            }
            continue;
        }
        buffer.resize(want.min(BUFFER), 0);
        source.read_exact_at(&mut buffer, part.offset)?;
        match pipe::write_now(standard(part.fd), &buffer)? {
            0 => return Ok(false),
            n => part.offset += n as u64,
        }
    }
    Ok(true)
}

fn to_stdout(source: &Source, stream: u8) -> io::Result<()> {
    let mut offset = 0;
    while let Some(part) = source.part(offset)? {
        offset = part.end;
        if part.fd != i32::from(stream) {
            continue;
        }
        match source {
            Source::File(file, _) => copy(file, part.offset, part.end, 1)?,
            Source::Memory(bytes) => {
                let place = usize::try_from(part.offset).ok().zip(usize::try_from(part.end).ok());
                let content = place.and_then(|(start, end)| bytes.get(start..end));
                descriptor::write_all(standard(1), content.ok_or(io::ErrorKind::UnexpectedEof)?)?;
            }
        }
    }
    Ok(())
}

fn from_memory(mut bytes: &[u8]) -> io::Result<()> {
    let mut run: Vec<u8> = Vec::new();
    let mut to = None;
    while let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() {
        let (stream, length) = parse_head(*head);
        let (content, rest) = rest.split_at_checked(length as usize).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes = rest;
        let Some(fd) = target(stream) else { continue };
        // Records that follow each other on one stream are one write.
        if to != Some(fd) {
            flush(to, &mut run)?;
            to = Some(fd);
        }
        run.extend_from_slice(content);
    }
    flush(to, &mut run)
}

fn flush(to: Option<i32>, run: &mut Vec<u8>) -> io::Result<()> {
    if let Some(fd) = to {
        descriptor::write_all(standard(fd), run)?;
    }
    run.clear();
    Ok(())
}

fn from_file(file: &File, length: u64) -> io::Result<()> {
    let mut offset = 0;
    while offset < length {
        let mut head = [0; HEAD];
        descriptor::read_exact_at(file, &mut head, offset)?;
        let (stream, content) = parse_head(head);
        offset += HEAD as u64;
        let end = offset + u64::from(content);
        if let Some(fd) = target(stream) {
            copy(file, offset, end, fd)?;
        }
        offset = end;
    }
    Ok(())
}

fn copy(file: &File, mut offset: u64, end: u64, fd: i32) -> io::Result<()> {
    while offset < end {
        let want = usize::try_from(end - offset).unwrap_or(usize::MAX);
        match send(standard(fd), file, &mut offset, want)? {
            Some(0) => poll::wait_for(fd, poll::WRITE)?,
            Some(_) => {}
            // A file opened for appending, a device: the kernel does not copy into these.
            None => {
                let mut buffer = vec![0; want.min(BUFFER)];
                descriptor::read_exact_at(file, &mut buffer, offset)?;
                descriptor::write_all(standard(fd), &buffer)?;
                offset += buffer.len() as u64;
            }
        }
    }
    Ok(())
}
