//! A transcript to stdout and stderr, in the recorded order.

use std::fs::File;
use std::io;

use crate::exec::transcript::{HEAD, parse_head};
use crate::sys::descriptor::{self, standard};
use crate::sys::file::send;

/// Where a transcript's bytes are, verified.
#[derive(Debug)]
pub enum Source {
    /// Here.
    Memory(Vec<u8>),
    /// In a file of so many bytes.
    File(File, u64),
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
    let written = match source {
        Source::Memory(bytes) => from_memory(bytes),
        Source::File(file, length) => from_file(file, *length),
    };
    match written {
        Ok(()) => Replayed::Whole,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Replayed::ReaderGone,
        Err(error) => Replayed::Undelivered(error),
    }
}

fn target(stream: u8) -> Option<i32> {
    (stream == 1 || stream == 2).then_some(i32::from(stream))
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
        let mut got = 0;
        while got < HEAD {
            match descriptor::read_at(file, &mut head[got..], offset + got as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => got += n,
            }
        }
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
            Some(0) => crate::sys::poll::wait_for(fd, crate::sys::poll::WRITE)?,
            Some(_) => {}
            // A file opened for appending, a device: the kernel does not copy into these.
            None => {
                let mut buffer = vec![0; want.min(128 << 10)];
                let n = descriptor::read_at(file, &mut buffer, offset)?;
                if n == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                descriptor::write_all(standard(fd), &buffer[..n])?;
                offset += n as u64;
            }
        }
    }
    Ok(())
}
