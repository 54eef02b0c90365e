//! Observations: what was true of a path when an outcome was recorded, and whether it still is.
//!
//! A [`Subject`] is what is looked at, a [`State`] what was seen. Everything memo knows by content is a
//! pair of these, whether a word named it, `-i` declared it or it is the program itself. Equal stat
//! identity means unchanged; a different one means "hash and compare", never "changed".

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::identity::{FileKind, FileSystems, Identity, Timestamp};
use super::known::{KNOWN_FROM, KnownDigests};
use super::listing::Listing;
use super::program;
use super::tree;
use crate::sys::file::{FileSystem, is_absent, open};

/// How many stat identities are kept for one content: several checkouts share a store.
pub const MOST_IDENTITIES: usize = 4;

/// What is looked at. Relative paths are kept as typed and resolved from the caller's directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A file named by a word, and no link to one: content and permission bits.
    File(PathBuf),
    /// A declared input: content, and whether it can be executed.
    Input(PathBuf),
    /// The program or its interpreter: as an input.
    Program(PathBuf),
    /// A name that stands for nothing.
    Absent(PathBuf),
    /// A symbolic link: its text.
    Link(PathBuf),
    /// The names and kinds below a directory that a declaration selects.
    Listing(Listing),
    /// A directory named by a word: names, kinds and stat identities of all below it.
    Tree(PathBuf),
    /// A program that a `#!/usr/bin/env NAME` line looks up.
    Command(OsString),
    /// A file that cannot be read: its stat identity.
    Stamp(PathBuf),
}

impl Subject {
    /// Returns the path or name it is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path)
            | Self::Input(path)
            | Self::Program(path)
            | Self::Absent(path)
            | Self::Link(path)
            | Self::Tree(path)
            | Self::Stamp(path) => path,
            Self::Listing(listing) => &listing.root,
            Self::Command(name) => Path::new(name),
        }
    }
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A regular file.
    Content {
        /// Of its bytes.
        digest: Digest,
        /// Permission bits; for an input or program but 0o111 or 0.
        bits: u32,
        /// Stat identities under which it is known to have this content; the newest first.
        identities: Vec<Identity>,
    },
    /// Nothing.
    Absent,
    /// A link with this text.
    Link(Vec<u8>),
    /// A listing.
    Listing {
        /// Of names, kinds and link texts.
        digest: Digest,
        /// The directories walked (relative to the root) when all could be trusted; else empty.
        folders: Vec<(PathBuf, Identity)>,
    },
    /// A tree.
    Tree {
        /// Of names, kinds and stat identities.
        digest: Digest,
        /// Content of the files too young for their identity to be trusted.
        young: Vec<(PathBuf, Digest)>,
    },
    /// Where the program was found.
    Command(PathBuf),
    /// A stat identity.
    Stamp(Identity),
}

impl State {
    /// Returns whether two states are the same but for what they remember of stat.
    pub fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Content { digest: a, bits: x, .. }, Self::Content { digest: b, bits: y, .. }) => {
                a == b && x == y
            }
            (Self::Listing { digest: a, .. }, Self::Listing { digest: b, .. }) => a == b,
            (a, b) => a == b,
        }
    }
}

/// A subject with its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What was looked at.
    pub subject: Subject,
    /// What was seen.
    pub state: State,
}

/// Why something could not be observed.
#[derive(Debug, thiserror::Error)]
pub enum Unobservable {
    /// The system said so.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was looked at.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// It is a fifo, socket or device, or lies on a file system of the kernel's own.
    #[error("{}: {what} has no content that could be keyed", path.display())]
    Special {
        /// What was looked at.
        path: PathBuf,
        /// "a fifo", "a socket" and so on.
        what: &'static str,
    },
    /// It did not hold still.
    #[error("{}: it changes while it is read", .0.display())]
    Unsteady(PathBuf),
    /// A tree has more entries than memo walks.
    #[error("{}: more than {} entries", .0.display(), tree::MOST_ENTRIES)]
    TooLarge(PathBuf),
}

impl Unobservable {
    /// Says what the system said of a path.
    pub fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// What a tree or a listing leaves out.
#[derive(Clone, Debug, Default)]
pub struct Hidden {
    /// The store's directory, by device and inode: not there at all.
    pub store: Option<(u64, u64)>,
    /// This action's outputs, and for trees the other words' paths, lexically normal: not there at all.
    pub paths: Vec<PathBuf>,
    /// The files that are stdout or stderr, by device and inode: there by name alone.
    pub streams: Vec<(u64, u64)>,
}

/// The surroundings in which paths are looked at.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The time, taken before the first byte is read.
    pub now: Timestamp,
    /// The caller's directory, for comparing paths; empty when it is not known.
    pub directory: &'a Path,
    /// PATH as the command will have it.
    pub search_path: Option<&'a OsStr>,
    /// What trees and listings leave out.
    pub hidden: &'a Hidden,
    /// What is known of file systems.
    pub systems: FileSystems,
    /// Digests of large files that are known from other calls.
    pub known: Option<&'a dyn KnownDigests>,
    /// Bytes hashed so far.
    pub hashed: u64,
}

/// Returns the bits of a mode that count for an input: whether anybody may execute it.
fn execute_bits(identity: &Identity) -> u32 {
    if identity.mode & 0o111 == 0 { 0 } else { 0o111 }
}

impl Scene<'_> {
    /// Observes the content of a file, following links.
    ///
    /// # Errors
    /// [`Unobservable`] when it is no regular file, cannot be read or does not hold still.
    pub fn content(&mut self, path: &Path) -> Result<(Identity, Digest, bool), Unobservable> {
        /// A file that is written to at this moment gets two more chances.
        const TRIES: usize = 3;
        for _ in 0..TRIES {
            let file = open(path).map_err(|source| Unobservable::io(path, source))?;
            let before = identity_of(&file).map_err(|source| Unobservable::io(path, source))?;
            if before.kind() != FileKind::File {
                return Err(special(path, &before));
            }
            let trusted =
                before.is_settled(self.now) && self.systems.of(before.dev, path) == FileSystem::Local;
            let known = self.known.filter(|_| trusted && before.size >= KNOWN_FROM);
            if let Some(digest) = known.and_then(|known| known.get(&before))
                && Identity::of(path).is_ok_and(|named| named == before)
            {
                return Ok((before, digest, true));
            }
            let digest = match Digest::of_file(&file, before.size) {
                Ok(digest) => digest,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                Err(source) => return Err(Unobservable::io(path, source)),
            };
            self.hashed += before.size;
            let after = identity_of(&file).map_err(|source| Unobservable::io(path, source))?;
            let named = Identity::of(path).is_ok_and(|named| named == after);
            if before == after && named {
                if let Some(known) = known {
                    known.put(&before, &digest);
                }
                return Ok((before, digest, trusted));
            }
        }
        Err(Unobservable::Unsteady(path.to_owned()))
    }

    /// Observes what a subject is now.
    ///
    /// # Errors
    /// [`Unobservable`], also when it is not of the subject's kind.
    pub fn observe(&mut self, subject: Subject) -> Result<Observation, Unobservable> {
        let state = match &subject {
            Subject::File(path) | Subject::Input(path) | Subject::Program(path) => {
                let (identity, digest, trusted) = self.content(path)?;
                let bits = bits_for(&subject, &identity);
                State::Content { digest, bits, identities: if trusted { vec![identity] } else { Vec::new() } }
            }
            Subject::Absent(path) => match Identity::of_entry(path) {
                Err(error) if is_absent(&error) => State::Absent,
                Err(source) => return Err(Unobservable::io(path, source)),
                Ok(identity) => return Err(special(path, &identity)),
            },
            Subject::Link(path) => {
                let text = std::fs::read_link(path).map_err(|source| Unobservable::io(path, source))?;
                State::Link(text.into_os_string().into_vec())
            }
            Subject::Listing(listing) => {
                let walked = listing.walk(self)?;
                State::Listing { digest: walked.digest(), folders: walked.folders }
            }
            Subject::Tree(path) => {
                let (digest, young) = tree::walk(path, self)?;
                State::Tree { digest, young }
            }
            Subject::Command(name) => match program::find(name, self.search_path) {
                Ok(found) => State::Command(found),
                Err(error) => return Err(Unobservable::io(Path::new(name), io::Error::other(error))),
            },
            Subject::Stamp(path) => {
                State::Stamp(Identity::of(path).map_err(|source| Unobservable::io(path, source))?)
            }
        };
        Ok(Observation { subject, state })
    }
}

fn bits_for(subject: &Subject, identity: &Identity) -> u32 {
    match subject {
        Subject::Input(_) | Subject::Program(_) => execute_bits(identity),
        _ => identity.permissions(),
    }
}

/// Returns the identity of an open file.
///
/// # Errors
/// Those of fstat(2).
pub fn identity_of(file: &File) -> io::Result<Identity> {
    Ok(Identity::from(&file.metadata()?))
}

/// Says that something has no content, by what it is.
pub fn special(path: &Path, identity: &Identity) -> Unobservable {
    let what = match identity.mode & 0o170_000 {
        0o010_000 => "a fifo",
        0o140_000 => "a socket",
        0o020_000 | 0o060_000 => "a device",
        0o040_000 => "a directory",
        0o120_000 => "a link",
        _ => "it",
    };
    Unobservable::Special { path: path.to_owned(), what }
}

/// How what is there now differs from what was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Other content, bits, text or kind.
    Changed,
    /// There where nothing was.
    Appeared,
    /// Gone.
    Gone,
}

/// What one subject is now, found out at most once for all the states it is compared with.
#[derive(Debug, Default)]
pub struct Present {
    identity: Option<Result<Identity, bool>>,
    content: Option<Option<(Identity, Digest, bool)>>,
    other: Option<Option<State>>,
}

impl Present {
    /// Compares a state recorded for `subject` with what is there now; `None` when it still holds.
    pub fn difference(
        &mut self,
        subject: &Subject,
        state: &State,
        scene: &mut Scene<'_>,
    ) -> Option<Difference> {
        match (subject, state) {
            (
                Subject::File(path) | Subject::Input(path) | Subject::Program(path),
                State::Content { digest, bits, identities },
            ) => {
                let identity = match self.identity(|| look(subject, path)) {
                    Ok(identity) => identity,
                    Err(true) => return Some(Difference::Gone),
                    Err(false) => return Some(Difference::Changed),
                };
                if identities.contains(&identity) {
                    return None;
                }
                if identity.kind() != FileKind::File || bits_for(subject, &identity) != *bits {
                    return Some(Difference::Changed);
                }
                let content = self.content.get_or_insert_with(|| scene.content(path).ok());
                let same = content
                    .as_ref()
                    .is_some_and(|(now, found, _)| found == digest && bits_for(subject, now) == *bits);
                (!same).then_some(Difference::Changed)
            }
            (Subject::Absent(path), State::Absent) => match self.identity(|| Identity::of_entry(path)) {
                Err(true) => None,
                Err(false) => Some(Difference::Changed),
                Ok(_) => Some(Difference::Appeared),
            },
            (Subject::Stamp(path), State::Stamp(recorded)) => match self.identity(|| Identity::of(path)) {
                Ok(identity) if identity == *recorded => None,
                Err(true) => Some(Difference::Gone),
                _ => Some(Difference::Changed),
            },
            (Subject::Listing(listing), State::Listing { folders, .. }) if listing.unchanged(folders) => None,
            (Subject::Tree(path), State::Tree { digest, young }) => {
                if self.other.is_none() {
                    // The digest is of identities alone, whatever else is young now.
                    let found = tree::digest(path, scene).ok();
                    self.other = Some(found.map(|digest| State::Tree { digest, young: Vec::new() }));
                }
                match &self.other {
                    Some(Some(State::Tree { digest: found, .. })) if found == digest => {
                        let changed = young.iter().any(|(name, recorded)| {
                            scene.content(&path.join(name)).map_or(true, |(_, found, _)| found != *recorded)
                        });
                        changed.then_some(Difference::Changed)
                    }
                    _ => Some(Difference::Changed),
                }
            }
            _ => {
                let found = self.other.get_or_insert_with(|| {
                    scene.observe(subject.clone()).ok().map(|observation| observation.state)
                });
                match found {
                    Some(found) if found.agrees(state) => None,
                    Some(_) => Some(Difference::Changed),
                    None => Some(Difference::Gone),
                }
            }
        }
    }

    /// Takes the content from the states that were recorded, if one of them knows the stat identity of what is
    /// there now: then it need not be hashed to be told from the others.
    pub fn recall(&mut self, subject: &Subject, states: &[State]) {
        let (Subject::File(path) | Subject::Input(path) | Subject::Program(path)) = subject else { return };
        if self.content.is_some() || states.len() < 2 {
            return;
        }
        let Ok(identity) = self.identity(|| look(subject, path)) else { return };
        self.content = states.iter().find_map(|state| match state {
            State::Content { digest, identities, .. } if identities.contains(&identity) => {
                Some(Some((identity, *digest, true)))
            }
            _ => None,
        });
    }

    /// Returns a recorded state with what may be remembered besides, if it had to be looked at for longer than
    /// a stat: an identity that can be trusted from now on, and folders as they are now.
    pub fn learned(&self, recorded: &State) -> Option<State> {
        match (recorded, &self.content, &self.other) {
            (State::Content { digest, bits, identities }, Some(Some((identity, found, true))), _)
                if found == digest && !identities.contains(identity) =>
            {
                Some(State::Content { digest: *digest, bits: *bits, identities: vec![*identity] })
            }
            (State::Listing { .. }, _, Some(Some(found @ State::Listing { folders, .. })))
                if !folders.is_empty() && found.agrees(recorded) =>
            {
                Some(found.clone())
            }
            _ => None,
        }
    }

    /// Returns the modification time of the file, in ns, if it was looked at.
    pub fn modified(&self) -> Option<i64> {
        Some(self.identity?.ok()?.mtime)
    }

    fn identity(&mut self, look: impl FnOnce() -> io::Result<Identity>) -> Result<Identity, bool> {
        *self.identity.get_or_insert_with(|| look().map_err(|error| is_absent(&error)))
    }
}

/// Returns the identity of what a subject with content is about.
fn look(subject: &Subject, path: &Path) -> io::Result<Identity> {
    match subject {
        Subject::File(_) => Identity::of_entry(path),
        _ => Identity::of(path),
    }
}

/// Compares an observation with what is there now; `None` when it still holds.
pub fn difference(observation: &Observation, scene: &mut Scene<'_>) -> Option<Difference> {
    Present::default().difference(&observation.subject, &observation.state, scene)
}

/// Returns a path made absolute and free of `.`, `..` and doubled slashes, by its text alone.
pub fn normal(path: &Path, directory: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in directory.join(path).components() {
        match component {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => _ = out.pop(),
            other => out.push(other),
        }
    }
    out
}

/// Returns the device and inode of a file, for [`Hidden`].
pub fn device_and_inode(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Returns the bytes of a path.
pub fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}
