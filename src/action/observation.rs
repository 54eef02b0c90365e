//! Observations: what was true of a path when an outcome was recorded, and whether it still is.
//!
//! A [`Subject`] is what is looked at, a [`State`] what was seen. Everything memo knows by content is a
//! pair of these, whether a word named it, `-i` declared it or it is the program itself. Equal stat
//! identity means unchanged; a different one means "hash and compare", never "changed".

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::identity::{FileKind, Identity};
use super::listing::Listing;
use super::scene::{Scene, Unobservable, special};
use super::search;
use super::tree;
use crate::sys::file::is_absent;

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

/// Returns the bits of a mode that count for an input: whether anybody may execute it.
fn execute_bits(identity: &Identity) -> u32 {
    if identity.mode & 0o111 == 0 { 0 } else { 0o111 }
}

impl Observation {
    /// Observes what a subject is now.
    ///
    /// # Errors
    /// [`Unobservable`], also when it is not of the subject's kind.
    pub fn of(subject: Subject, scene: &mut Scene<'_>) -> Result<Self, Unobservable> {
        let state = match &subject {
            Subject::File(path) | Subject::Input(path) | Subject::Program(path) => {
                let (identity, digest, trusted) = scene.content(path)?;
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
                let walked = listing.walk(scene)?;
                State::Listing { digest: walked.digest(), folders: walked.folders }
            }
            Subject::Tree(path) => {
                let (digest, young) = tree::walk(path, scene)?;
                State::Tree { digest, young }
            }
            Subject::Command(name) => match search::find(name, scene.search_path) {
                Ok(found) => State::Command(found),
                Err(error) => return Err(Unobservable::io(Path::new(name), io::Error::other(error))),
            },
            Subject::Stamp(path) => {
                State::Stamp(Identity::of(path).map_err(|source| Unobservable::io(path, source))?)
            }
        };
        Ok(Self { subject, state })
    }
}

fn bits_for(subject: &Subject, identity: &Identity) -> u32 {
    match subject {
        Subject::Input(_) | Subject::Program(_) => execute_bits(identity),
        _ => identity.permissions(),
    }
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
                    Observation::of(subject.clone(), scene).ok().map(|observation| observation.state)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::digest::Digest;
    use crate::action::identity::{FileSystems, Timestamp};
    use crate::action::scene::Hidden;

    /// A directory with a file in it, which goes when it is dropped.
    struct World(PathBuf);

    impl World {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("memo-observation-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&root);
            std::fs::create_dir_all(&root).unwrap();
            std::fs::write(root.join("f"), "x").unwrap();
            Self(root)
        }

        /// Looks from a time at which nothing is old enough to be trusted, or everything is.
        fn at<T>(&self, now: i64, look: impl FnOnce(&mut Scene<'_>) -> T) -> T {
            let hidden = Hidden::default();
            let systems = FileSystems::default();
            let directory = self.0.as_path();
            look(&mut Scene {
                now: Timestamp(now),
                directory,
                search_path: None,
                hidden: &hidden,
                systems,
                known: None,
                onlooker: None,
                hashed: 0,
            })
        }

        fn file(&self) -> Subject {
            Subject::File(self.0.join("f"))
        }
    }

    impl Drop for World {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const EARLY: i64 = 0;
    const LATE: i64 = i64::MAX;

    #[test]
    fn stat_stands_for_content_only_once_it_is_trusted() {
        let world = World::new("trust");
        for (now, trusted) in [(EARLY, 0), (LATE, 1)] {
            let mut seen = world.at(now, |scene| Observation::of(world.file(), scene)).unwrap();
            let State::Content { digest, identities, .. } = &mut seen.state else { panic!("{seen:?}") };
            assert_eq!(identities.len(), trusted);
            *digest = Digest::of(b"something else");
            let expected = if trusted == 1 { None } else { Some(Difference::Changed) };
            assert_eq!(world.at(now, |scene| difference(&seen, scene)), expected);
        }
    }

    #[test]
    fn what_was_hashed_may_be_remembered_only_once_it_is_trusted() {
        let world = World::new("learned");
        for (now, learns) in [(EARLY, false), (LATE, true)] {
            let seen = world.at(EARLY, |scene| Observation::of(world.file(), scene)).unwrap();
            let mut present = Present::default();
            let same = world.at(now, |scene| present.difference(&seen.subject, &seen.state, scene));
            assert_eq!((same, present.learned(&seen.state).is_some()), (None, learns));
        }
    }

    #[test]
    fn in_a_tree_young_files_count_by_content_too() {
        let world = World::new("young");
        let subject = Subject::Tree(world.0.clone());
        for (now, expected) in [(EARLY, Some(Difference::Changed)), (LATE, None)] {
            let mut seen = world.at(now, |scene| Observation::of(subject.clone(), scene)).unwrap();
            assert_eq!(world.at(now, |scene| difference(&seen, scene)), None);
            // As if it had been written twice within one tick of the clock.
            let State::Tree { young, .. } = &mut seen.state else { panic!("{seen:?}") };
            assert_eq!(young.is_empty(), now == LATE);
            young.iter_mut().for_each(|(_, digest)| *digest = Digest::of(b"something else"));
            assert_eq!(world.at(now, |scene| difference(&seen, scene)), expected);
        }
    }
}
