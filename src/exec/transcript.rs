//! Transcripts: what a command wrote, as `(stream, bytes)` records in the order memo got them.
//!
//! # Format
//! Records of a kind byte (1 stdout, 2 stderr; others are passed over), a length of four bytes little end
//! first, and so many bytes. No line, encoding or time is in it.

use std::fs::File;
use std::io::{self, Write};

use crate::action::digest::Digester;

/// Length of a record's head in bytes.
pub const HEAD: usize = 5;
/// Up to this length in bytes a transcript is kept in memory and stands in the outcome.
pub const INLINE: usize = 32 << 10;

/// Returns the head of a record.
pub fn head(stream: u8, length: u32) -> [u8; HEAD] {
    let [a, b, c, d] = length.to_le_bytes();
    [stream, a, b, c, d]
}

/// Reads the head of a record: stream and length in bytes.
pub fn parse_head(head: [u8; HEAD]) -> (u8, u32) {
    let [stream, length @ ..] = head;
    (stream, u32::from_le_bytes(length))
}

/// A transcript being written: in memory while it is small, then in a file.
#[derive(Debug)]
pub struct Spool<F> {
    memory: Vec<u8>,
    open: Option<F>,
    file: Option<File>,
    digester: Digester,
    begun: u64,
    length: u64,
    limit: u64,
    state: Spooling,
}

/// Whether a transcript is still being kept.
#[derive(Debug)]
pub enum Spooling {
    /// It is.
    Kept,
    /// It is longer than what may be stored.
    TooLarge,
    /// The store would not take it.
    Failed(io::Error),
}

/// A transcript that is complete.
#[derive(Debug)]
pub enum Spooled {
    /// These bytes.
    Inline(Vec<u8>),
    /// The file that `open` gave has them.
    InFile {
        /// Of the file's bytes.
        digester: Digester,
        /// Their number.
        length: u64,
    },
    /// It was not kept: longer than what may be stored.
    TooLarge,
    /// It was not kept: the store would not take it.
    Failed(io::Error),
}

impl<F: FnOnce() -> io::Result<File>> Spool<F> {
    /// Keeps up to `limit` bytes; `open` gives the file when memory is not enough, positioned behind
    /// `begun`, which it has already.
    pub fn new(limit: u64, begun: &[u8], open: F) -> Self {
        let mut digester = Digester::new();
        digester.update(begun);
        Self {
            memory: Vec::new(),
            open: Some(open),
            file: None,
            digester,
            begun: begun.len() as u64,
            length: 0,
            limit,
            state: Spooling::Kept,
        }
    }

    /// Adds what a stream got.
    pub fn push(&mut self, stream: u8, bytes: &[u8]) {
        if !matches!(self.state, Spooling::Kept) {
            return;
        }
        self.length += (HEAD + bytes.len()) as u64;
        if self.length > self.limit {
            self.drop_file(Spooling::TooLarge);
            return;
        }
        let head = head(stream, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        if self.file.is_none() && self.memory.len() + HEAD + bytes.len() <= INLINE {
            self.memory.extend_from_slice(&head);
            self.memory.extend_from_slice(bytes);
        } else if let Err(error) = self.spill(&head, bytes) {
            self.drop_file(Spooling::Failed(error));
        }
    }

    /// Adds a record that is no output and that those who read along must see now.
    pub fn mark(&mut self, kind: u8) {
        if matches!(self.state, Spooling::Kept) {
            self.length += HEAD as u64;
            if let Err(error) = self.spill(&head(kind, 0), &[]) {
                self.drop_file(Spooling::Failed(error));
            }
        }
    }

    /// Returns whether the transcript is still being kept.
    pub fn is_kept(&self) -> bool {
        matches!(self.state, Spooling::Kept)
    }

    fn spill(&mut self, head: &[u8], bytes: &[u8]) -> io::Result<()> {
        if let Some(open) = self.open.take() {
            self.file = Some(open()?);
            let memory = std::mem::take(&mut self.memory);
            self.write(&memory)?;
        }
        self.write(head)?;
        self.write(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digester.update(bytes);
        match &mut self.file {
            Some(file) => file.write_all(bytes),
            None => Ok(()),
        }
    }

    /// Gives the disk space back at once: the command may run for hours yet.
    fn drop_file(&mut self, state: Spooling) {
        if let Some(file) = self.file.take() {
            let _ = file.set_len(0);
        }
        self.memory = Vec::new();
        self.state = state;
    }

    /// Returns the transcript.
    pub fn finish(self) -> Spooled {
        match self.state {
            Spooling::TooLarge => Spooled::TooLarge,
            Spooling::Failed(error) => Spooled::Failed(error),
            Spooling::Kept if self.file.is_some() => {
                Spooled::InFile { digester: self.digester, length: self.begun + self.length }
            }
            Spooling::Kept => Spooled::Inline(self.memory),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::digest::Digest;

    #[test]
    fn a_small_transcript_stays_in_memory() {
        let mut spool = Spool::new(1 << 30, b"", || panic!("no file is needed"));
        spool.push(1, b"a\0");
        spool.push(2, b"");
        let Spooled::Inline(bytes) = spool.finish() else { panic!("it is small") };
        assert_eq!(bytes, [&head(1, 2)[..], b"a\0", &head(2, 0)].concat());
    }

    #[test]
    fn a_large_one_goes_to_the_file_whole() {
        let path = std::env::temp_dir().join(format!("memo-spool-{}", crate::sys::process::id()));
        let mut spool = Spool::new(1 << 30, b"", || File::create(&path));
        spool.push(1, b"first");
        spool.push(2, &vec![b'x'; INLINE]);
        let Spooled::InFile { digester, length } = spool.finish() else { panic!("it is large") };
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!((Digest::of(&bytes), bytes.len() as u64), (digester.finish(), length));
        assert_eq!(bytes, [&head(1, 5)[..], b"first", &head(2, INLINE as u32), &vec![b'x'; INLINE]].concat());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn one_over_the_limit_is_given_up() {
        let mut spool = Spool::new(20, b"", || panic!("no file is needed"));
        spool.push(1, &[0; 10]);
        spool.push(1, &[0; 10]);
        spool.push(1, &[0; 1]);
        assert!(matches!(spool.finish(), Spooled::TooLarge));
    }
}
