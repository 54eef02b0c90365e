//! Outcomes: what a run left, and what to show of it.
//!
//! An outcome is named by the digest of its bytes, so that a file with this name proves itself.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::codec::{Malformed, Reader, Writer};
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;

/// What an outcome's bytes begin with; the number is the format's.
const MAGIC: &[u8; 8] = b"memoOUT3";

/// The name of an outcome: the digest of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutcomeId(pub Digest);

impl fmt::Display for OutcomeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for OutcomeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutcomeId({})", self.0)
    }
}

/// Where the bytes of a transcript are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transcript {
    /// Here.
    Inline(Vec<u8>),
    /// In a blob.
    Blob {
        /// Its name.
        digest: Digest,
        /// Its length in bytes.
        length: u64,
    },
}

impl Transcript {
    /// Returns its length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Blob { length, .. } => *length,
        }
    }
}

/// How an output came about, which decides how it is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// Declared by its path: replaces what is there.
    Declared,
    /// Named by a word where nothing was: replaces nothing.
    Automatic,
    /// Named by a word where an earlier output of this action was: replaces exactly that.
    Replaced,
    /// Written again with the bytes it had: only its time is brought up.
    Rewritten,
    /// Made or changed by the run below a declared directory, or where a declared glob matches.
    Made,
    /// Was there before the run, and the run left it alone: replaces only what an outcome of this action made
    /// at its path.
    Found,
}

/// What an output is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// A regular file.
    File {
        /// Of its bytes.
        digest: Digest,
        /// Its length in bytes.
        length: u64,
    },
    /// A link with this text.
    Link(Vec<u8>),
    /// A directory; what is in it are outputs of their own.
    Directory,
}

/// Something that the run left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// As declared or as the word has it, or below that.
    pub path: PathBuf,
    /// How it came about.
    pub kind: OutputKind,
    /// What it is.
    pub content: Content,
    /// Permission bits; of a link none.
    pub mode: u32,
    /// Whether the bits are those that anything new got under the mask of the run, so that they follow the
    /// caller's mask.
    pub follows_mask: bool,
}

/// What `ls` and its kin show of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The command's words, up to [`Shown::MOST_BYTES`] in all.
    pub words: Vec<Vec<u8>>,
    /// Names of the assignments, without their values.
    pub assignments: Vec<String>,
    /// Names left out of the key because they begin with `_`.
    pub ignored: Vec<String>,
    /// The working directory.
    pub directory: Option<PathBuf>,
    /// The group.
    pub group: String,
    /// The digest of words, assignments and directory.
    pub call: Digest,
}

impl Shown {
    /// How much of the words is kept, in bytes.
    pub const MOST_BYTES: usize = 16 << 10;

    /// Writes it.
    pub fn write(&self, w: &mut Writer) {
        w.number(self.words.len() as u64);
        for word in &self.words {
            w.bytes(word);
        }
        for names in [&self.assignments, &self.ignored] {
            w.number(names.len() as u64);
            for name in names {
                w.bytes(name.as_bytes());
            }
        }
        match &self.directory {
            None => w.byte(0),
            Some(path) => w.byte(1).path(path),
        };
        w.bytes(self.group.as_bytes()).digest(&self.call);
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are not those of one.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            words: r.list(|r| Ok(r.bytes()?.to_vec()))?,
            assignments: r.list(Reader::text)?,
            ignored: r.list(Reader::text)?,
            directory: match r.byte()? {
                0 => None,
                1 => Some(r.path()?),
                _ => return Err(Malformed),
            },
            group: r.text()?,
            call: r.digest()?,
        })
    }
}

/// What a run left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status.
    pub exit: u8,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// The `--ttl` it was recorded with.
    pub ttl: Option<Duration>,
    /// How long the command ran.
    pub duration: Duration,
    /// What it wrote to stdout and stderr.
    pub transcript: Transcript,
    /// What it took from stdin: bytes of a pipe, or the offset at which it left a file.
    pub stdin: u64,
    /// The files it left.
    pub outputs: Vec<Output>,
    /// What to show.
    pub shown: Shown,
    /// The parts of the call ([`super::parts`]), for whoever asks why another call missed.
    pub parts: Vec<u8>,
}

impl Outcome {
    /// Returns the bytes that are stored, and the name they have.
    pub fn encode(&self) -> (OutcomeId, Vec<u8>) {
        let mut w = Writer::starting_with(MAGIC);
        w.byte(self.exit).signed(self.recorded.0).optional_duration(self.ttl).duration(self.duration);
        match &self.transcript {
            Transcript::Inline(bytes) => w.byte(0).bytes(bytes),
            Transcript::Blob { digest, length } => w.byte(1).digest(digest).number(*length),
        };
        w.number(self.stdin).number(self.outputs.len() as u64);
        for output in &self.outputs {
            w.path(&output.path).byte(output.kind as u8).number(output.mode.into());
            w.byte(output.follows_mask.into());
            match &output.content {
                Content::File { digest, length } => w.byte(0).digest(digest).number(*length),
                Content::Link(text) => w.byte(1).bytes(text),
                Content::Directory => w.byte(2),
            };
        }
        self.shown.write(&mut w);
        w.bytes(&self.parts);
        let bytes = w.into_bytes();
        (OutcomeId(Digest::of(&bytes)), bytes)
    }

    /// Reads an outcome.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are not those of one.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        if r.raw(MAGIC.len())? != MAGIC {
            return Err(Malformed);
        }
        let outcome = Self {
            exit: r.byte()?,
            recorded: Timestamp(r.signed()?),
            ttl: r.optional_duration()?,
            duration: r.duration()?,
            transcript: match r.byte()? {
                0 => Transcript::Inline(r.bytes()?.to_vec()),
                1 => Transcript::Blob { digest: r.digest()?, length: length(&mut r)? },
                _ => return Err(Malformed),
            },
            stdin: r.number()?,
            outputs: r.list(read_output)?,
            shown: Shown::read(&mut r)?,
            parts: r.bytes()?.to_vec(),
        };
        r.end()?;
        Ok(outcome)
    }

    /// Returns how many bytes it takes in all.
    pub fn size(&self) -> u64 {
        self.blobs().fold(self.encode().1.len() as u64, |sum, (_, length)| sum.saturating_add(length))
    }

    /// Returns how many bytes a hit gives back: the transcript with its framing, and output files.
    pub fn given(&self) -> u64 {
        let inline = match &self.transcript {
            Transcript::Inline(bytes) => bytes.len() as u64,
            Transcript::Blob { .. } => 0,
        };
        self.blobs().fold(inline, |sum, (_, length)| sum.saturating_add(length))
    }

    /// Returns the blobs it needs, with their lengths in bytes.
    pub fn blobs(&self) -> impl Iterator<Item = (Digest, u64)> {
        let transcript = match self.transcript {
            Transcript::Inline(_) => None,
            Transcript::Blob { digest, length } => Some((digest, length)),
        };
        let outputs = self.outputs.iter().filter(|output| output.kind != OutputKind::Rewritten);
        transcript.into_iter().chain(outputs.filter_map(|output| match output.content {
            Content::File { digest, length } => Some((digest, length)),
            Content::Link(_) | Content::Directory => None,
        }))
    }
}

fn read_output(r: &mut Reader<'_>) -> Result<Output, Malformed> {
    Ok(Output {
        path: r.path()?,
        kind: match r.byte()? {
            0 => OutputKind::Declared,
            1 => OutputKind::Automatic,
            2 => OutputKind::Replaced,
            3 => OutputKind::Rewritten,
            4 => OutputKind::Made,
            5 => OutputKind::Found,
            _ => return Err(Malformed),
        },
        mode: r.small()?,
        follows_mask: r.byte()? != 0,
        content: match r.byte()? {
            0 => Content::File { digest: r.digest()?, length: length(r)? },
            1 => Content::Link(r.bytes()?.to_vec()),
            2 => Content::Directory,
            _ => return Err(Malformed),
        },
    })
}

/// Reads the length of a file, which is no more than the largest offset.
fn length(r: &mut Reader<'_>) -> Result<u64, Malformed> {
    r.number()?.try_into().map(i64::cast_unsigned).map_err(|_| Malformed)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> Outcome {
        Outcome {
            exit: 3,
            recorded: Timestamp(-5),
            ttl: Some(Duration::from_secs(60)),
            duration: Duration::from_millis(1500),
            transcript: Transcript::Inline(b"\x01\x02hi".to_vec()),
            stdin: 7,
            outputs: vec![Output {
                path: "out/\u{fc}".into(),
                kind: OutputKind::Automatic,
                mode: 0o755,
                follows_mask: true,
                content: Content::File { digest: Digest::of(b"x"), length: 1 },
            }],
            shown: Shown {
                words: vec![b"printf".to_vec(), b"\xff".to_vec()],
                assignments: vec!["A".into()],
                ignored: vec!["_B".into()],
                directory: Some("/tmp".into()),
                group: "printf".into(),
                call: Digest::of(b"call"),
            },
            parts: b"parts".to_vec(),
        }
    }

    #[test]
    fn an_outcome_is_read_back() {
        let (id, bytes) = example().encode();
        assert_eq!(id.0, Digest::of(&bytes));
        assert_eq!(Outcome::decode(&bytes), Ok(example()));
        let mut outcome = example();
        outcome.outputs.clear();
        for (kind, content) in [
            (OutputKind::Declared, Content::Directory),
            (OutputKind::Made, Content::Link(b"../\xff".to_vec())),
            (OutputKind::Found, Content::File { digest: Digest::of(b""), length: 0 }),
        ] {
            let path = PathBuf::from(format!("{kind:?}"));
            outcome.outputs.push(Output { path, kind, content, mode: 0, follows_mask: false });
        }
        assert_eq!(Outcome::decode(&outcome.encode().1), Ok(outcome));
    }

    #[test]
    fn lengths_that_no_file_has_and_large_sums_are_no_panic() {
        let mut outcome = example();
        let of = |length| Content::File { digest: Digest::of(b"x"), length };
        let output = outcome.outputs.swap_remove(0);
        outcome.outputs = vec![Output { content: of(i64::MAX as u64), ..output }; 3];
        assert_eq!(Outcome::decode(&outcome.encode().1), Ok(outcome.clone()));
        assert_eq!(outcome.size(), u64::MAX);
        outcome.outputs[1].content = of(i64::MAX as u64 + 1);
        assert_eq!(Outcome::decode(&outcome.encode().1), Err(Malformed));
    }

    #[test]
    fn no_cut_or_changed_byte_makes_it_panic() {
        let (_, bytes) = example().encode();
        for i in 0..bytes.len() {
            let _ = Outcome::decode(&bytes[..i]);
            let mut changed = bytes.clone();
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                changed[i] = value;
                let _ = Outcome::decode(&changed);
            }
        }
    }
}
