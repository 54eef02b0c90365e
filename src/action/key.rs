//! The ActionKey: the digest of everything about a call that is known without looking at content.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::canon::Canon;
use super::digest::Digest;
use super::environment::Chosen;
use super::input::Inputs;
use super::name::Name;

/// The format of the encoding. A change to what goes in, or how, changes this name.
const FORMAT: &str = "memo-action/1";
/// The format of [`Action::call_digest`].
const CALL_FORMAT: &str = "memo-call/1";

/// The SHA-256 of an [`Action`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionKey([u8; 32]);

impl ActionKey {
    /// Returns the key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the key with this hexadecimal name, of 64 digits.
    pub fn from_hex(name: &str) -> Option<Self> {
        Digest::from_hex(name).map(|digest| Self(*digest.as_bytes()))
    }
}

impl fmt::Display for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActionKey({self})")
    }
}

/// The working directory of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// What getcwd(3) says; relative to the root where there is one.
    pub path: PathBuf,
    /// `$PWD`, when it names the same place by another path.
    pub shell: Option<PathBuf>,
}

/// Whether the command's stdout and stderr are one open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Two, or a terminal.
    Separate,
    /// One: their common order is kept.
    Merged,
}

/// Standard input, as far as it is in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// Left out: under this key stands what is known of the action whatever its stdin is.
    Any,
    /// `/dev/null`, `-n`, or the end at once.
    None,
    /// Closed.
    Closed,
    /// A terminal.
    Terminal,
    /// A pipe that stays open and silent.
    Idle,
    /// A regular file, read from an offset in bytes.
    File {
        /// Of the whole file.
        digest: Digest,
        /// Where the command begins to read.
        offset: u64,
    },
    /// All that came out of a pipe or socket.
    Bytes(Digest),
}

/// A call, field by field: what is in the key says so.
#[derive(Clone, Debug)]
pub struct Action {
    /// The command's words, the first one included. In the key, byte for byte.
    pub words: Vec<OsString>,
    /// `NAME=VALUE` words before the command. In the key, unless the name begins with `_`.
    pub assignments: Vec<(Name, OsString)>,
    /// The working directory. In the key; `None` with `--no-cwd`.
    pub directory: Option<Directory>,
    /// Whether `--root` was given: paths below it are then kept relative to it. In the key through
    /// `directory`.
    pub root: Option<PathBuf>,
    /// The program's file. Its path is in the key, its content in the manifest; `None` with `--no-exe`.
    pub program: Option<PathBuf>,
    /// Chosen environment variables. In the key.
    pub environment: Vec<Chosen>,
    /// `-k`. In the key, unless the name begins with `_`.
    pub texts: Vec<(Option<Name>, OsString)>,
    /// What `--key-cmd` printed. In the key.
    pub key_commands: Vec<(Name, Digest)>,
    /// `-i`. As typed in the key, unless the name begins with `_`; content in the manifest.
    pub inputs: Inputs,
    /// `-o`. As typed in the key: an outcome without the output cannot answer.
    pub outputs: Vec<PathBuf>,
    /// Whether words are looked at as file names. In the key.
    pub auto: bool,
    /// Whether stdout and stderr are one. In the key.
    pub streams: Streams,
    /// Which of stdout and stderr were closed. In the key: what was never written cannot be replayed.
    pub closed: [bool; 2],
}

impl Action {
    /// Returns the keys of this action, but for stdin.
    pub fn keys(&self) -> Keys {
        let mut canon = Canon::new(FORMAT);
        canon.tag("words").list(self.words.iter().map(|word| word.as_bytes()));
        let mut assignments = self.effective_assignments();
        assignments.retain(|(name, _)| !name.is_ignored());
        assignments.sort();
        canon.tag("assignments").number(assignments.len() as u64);
        for (name, value) in assignments {
            canon.bytes(name.as_str().as_bytes()).bytes(value.as_bytes());
        }
        canon.tag("directory");
        match &self.directory {
            None => _ = canon.number(0),
            Some(directory) => {
                canon.number(1 + u64::from(self.root.is_some()));
                canon.bytes(path(&directory.path)).optional(directory.shell.as_deref().map(path));
            }
        }
        canon.tag("program").optional(self.program.as_deref().map(|program| path(self.below_root(program))));
        canon.tag("environment").number(self.environment.len() as u64);
        for (name, value) in &self.environment {
            canon.bytes(name.as_bytes()).optional(value.as_ref().map(|value| value.as_bytes()));
        }
        let mut texts: Vec<_> = self.texts.iter().filter(|(name, _)| !ignored(name.as_ref())).collect();
        texts.sort();
        canon.tag("texts").number(texts.len() as u64);
        for (name, text) in texts {
            canon.optional(name.as_ref().map(|name| name.as_str().as_bytes())).bytes(text.as_bytes());
        }
        let mut commands: Vec<_> = self.key_commands.iter().filter(|(name, _)| !name.is_ignored()).collect();
        commands.sort();
        canon.tag("key-commands").number(commands.len() as u64);
        for (name, digest) in commands {
            canon.bytes(name.as_str().as_bytes()).bytes(digest.as_bytes());
        }
        canon.tag("inputs").list(self.inputs.key_texts().iter().map(Vec::as_slice));
        let mut outputs: Vec<_> = self.outputs.iter().map(|output| path(output)).collect();
        outputs.sort_unstable();
        outputs.dedup();
        canon.tag("outputs").list(outputs.into_iter());
        canon.tag("auto").number(u64::from(self.auto));
        canon.tag("closed").number(u64::from(self.closed[0]) | u64::from(self.closed[1]) << 1);
        Keys { canon, streams: self.streams }
    }

    /// Returns the digest of words, assignments and directory: what `memo clear -- CMD` goes by.
    pub fn call_digest(&self) -> Digest {
        call_digest(
            &self.words,
            &self.effective_assignments(),
            self.directory.as_ref().map(|d| d.path.as_path()),
        )
    }

    /// Returns the assignments the command gets: of a repeated name the last.
    pub fn effective_assignments(&self) -> Vec<(Name, OsString)> {
        effective(&self.assignments)
    }

    /// Returns a path relative to the root when it lies below it.
    pub fn below_root<'a>(&self, path: &'a Path) -> &'a Path {
        self.root.as_ref().and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path)
    }
}

/// Returns the assignments the command gets: of a repeated name the last.
pub fn effective(assignments: &[(Name, OsString)]) -> Vec<(Name, OsString)> {
    let mut out: Vec<(Name, OsString)> = Vec::new();
    for (name, value) in assignments {
        out.retain(|(other, _)| other != name);
        out.push((name.clone(), value.clone()));
    }
    out
}

/// Returns the digest of words, assignments and directory, whatever options and stdin.
pub fn call_digest(words: &[OsString], assignments: &[(Name, OsString)], directory: Option<&Path>) -> Digest {
    let mut canon = Canon::new(CALL_FORMAT);
    canon.list(words.iter().map(|word| word.as_bytes()));
    let mut assignments: Vec<_> =
        effective(assignments).into_iter().filter(|(name, _)| !name.is_ignored()).collect();
    assignments.sort();
    canon.number(assignments.len() as u64);
    for (name, value) in &assignments {
        canon.bytes(name.as_str().as_bytes()).bytes(value.as_bytes());
    }
    canon.optional(directory.map(path));
    Digest::from_bytes(canon.finish())
}

/// The keys of one action for every stdin it may have.
#[derive(Clone, Debug)]
pub struct Keys {
    canon: Canon,
    streams: Streams,
}

impl Keys {
    /// Returns the key for a stdin.
    pub fn with(&self, stdin: Stdin) -> ActionKey {
        self.with_streams(stdin, self.streams)
    }

    /// Returns the key for a stdin and for streams other than the action's own: on `/dev/null` either
    /// answers.
    pub fn with_streams(&self, stdin: Stdin, streams: Streams) -> ActionKey {
        let mut canon = self.canon.clone();
        canon.tag("streams").number(match streams {
            Streams::Separate => 0,
            Streams::Merged => 1,
        });
        canon.tag("stdin");
        match stdin {
            Stdin::Any => canon.number(0),
            Stdin::None => canon.number(1),
            Stdin::Closed => canon.number(2),
            Stdin::Terminal => canon.number(3),
            Stdin::Idle => canon.number(4),
            Stdin::File { digest, offset } => canon.number(5).bytes(digest.as_bytes()).number(offset),
            Stdin::Bytes(digest) => canon.number(6).bytes(digest.as_bytes()),
        };
        ActionKey(canon.finish())
    }
}

fn path(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn ignored(name: Option<&Name>) -> bool {
    name.is_some_and(Name::is_ignored)
}
