//! Words of the command that name files: inputs, outputs or both, decided by what the run did to them.
//!
//! Before the run everything a word may name is looked at; after it, the table of the design decides
//! what each was. What fits no row is not recorded.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::identity::{FileKind, Identity};
use super::observation::{Observation, State, Subject, difference};
use super::reason::Unrecorded;
use super::scene::{Scene, Unobservable, special};
use crate::sys::file::{FileSystem, character_device, is_absent};

/// Up to this size, in bytes, a file named by a word is hashed before the run; a larger one counts as an
/// input only if the run left it untouched.
pub const HASHED_BEFORE: u64 = 64 << 20;

/// Returns the paths that the words after the first may name: each word, and what stands behind its
/// first `=`. Sorted by first appearance, each once.
pub fn candidates(words: &[OsString]) -> Vec<PathBuf> {
    let mut seen = std::collections::BTreeSet::new();
    let mut out = Vec::new();
    let mut add = |text: &[u8]| {
        if may_name_a_file(text) && seen.insert(text.to_vec()) {
            out.push(PathBuf::from(std::ffi::OsStr::from_bytes(text)));
        }
    };
    for word in words.iter().skip(1) {
        let text = word.as_bytes();
        add(text);
        if let Some(equals) = text.iter().position(|&byte| byte == b'=') {
            add(&text[equals + 1..]);
        }
    }
    out
}

/// Limits of a path and of a name in it, in bytes (PATH_MAX, NAME_MAX of linux/limits.h): what is longer
/// names nothing.
fn may_name_a_file(text: &[u8]) -> bool {
    !text.is_empty() && text.len() < 4096 && text.split(|&byte| byte == b'/').all(|name| name.len() <= 255)
}

/// What a word named before the run.
#[derive(Debug)]
enum Before {
    Absent,
    File {
        entry: Identity,
        observation: Option<Observation>,
    },
    /// A link, a directory: what was observed must still hold.
    Fixed(Vec<Observation>),
    /// A device whose content does not change.
    Nothing,
}

/// What all words named before the run.
#[derive(Debug, Default)]
pub struct Snapshot(Vec<(PathBuf, Before)>);

/// A file that the run made, or made anew, because a word named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Automatic {
    /// As the word has it.
    pub path: PathBuf,
    /// What was there before, if the run replaced something.
    pub replaced: Option<Digest>,
}

/// What the words turned out to be.
#[derive(Debug, Default)]
pub struct Settled {
    /// Inputs, absences and what was replaced.
    pub observations: Vec<Observation>,
    /// Outputs.
    pub outputs: Vec<Automatic>,
    /// Files that were written again with the same bytes.
    pub rewritten: Vec<PathBuf>,
}

impl Snapshot {
    /// Looks at what the paths name.
    ///
    /// # Errors
    /// [`Unrecorded`] when one of them cannot be keyed.
    pub fn take(paths: &[PathBuf], scene: &mut Scene<'_>) -> Result<Self, Unrecorded> {
        paths.iter().map(|path| Ok((path.clone(), before(path, scene)?))).collect::<Result<_, _>>().map(Self)
    }

    /// Compares with what is there after the run. `is_known_output` tells whether an outcome of this action
    /// recorded a file with this content at this path as its output.
    ///
    /// # Errors
    /// [`Unrecorded`] when something happened that no row of the table has.
    pub fn settle(
        self,
        scene: &mut Scene<'_>,
        is_known_output: impl Fn(&Path, &Digest) -> bool,
    ) -> Result<Settled, Unrecorded> {
        let mut settled = Settled::default();
        for (path, before) in self.0 {
            match before {
                Before::Nothing => {}
                Before::Absent => settle_absent(path, &mut settled)?,
                Before::File { entry, observation } => {
                    settle_file(path, &entry, observation, scene, &is_known_output, &mut settled)?;
                }
                Before::Fixed(observations) => {
                    for observation in observations {
                        if difference(&observation, scene).is_some() {
                            return Err(Unrecorded::WordFileRewritten(path));
                        }
                        settled.observations.push(observation);
                    }
                }
            }
        }
        Ok(settled)
    }
}

/// Files that lay where words name a declared output, as they were before the run.
///
/// `cc -o a.o` does not look at what is there, `sed -i s/a/b/ FILE` does: their words do not tell. Once an
/// outcome of the action has made the file where nothing was, it is an output alone; until then its old
/// content counts.
#[derive(Debug, Default)]
pub struct Overwritten(Vec<Observation>);

impl Overwritten {
    /// Observes the files that are there.
    ///
    /// # Errors
    /// [`Unrecorded`] for one that does not hold still.
    pub fn take(paths: &[PathBuf], scene: &mut Scene<'_>) -> Result<Self, Unrecorded> {
        let mut observations = Vec::new();
        for path in paths {
            if !Identity::of_entry(path).is_ok_and(|entry| entry.kind() == FileKind::File) {
                continue;
            }
            match Observation::of(Subject::File(path.clone()), scene) {
                Ok(observation) => observations.push(observation),
                Err(Unobservable::Unsteady(path)) => return Err(Unrecorded::InputChangedMeanwhile(path)),
                // What memo may not read, the command does not read either.
                Err(_) => {}
            }
        }
        Ok(Self(observations))
    }

    /// Returns what counts of it. `is_made` tells whether an outcome made the file where nothing was.
    pub fn settle(self, is_made: impl Fn(&Path) -> bool) -> impl Iterator<Item = Observation> {
        self.0.into_iter().filter(move |observation| !is_made(observation.subject.path()))
    }
}

fn before(path: &Path, scene: &mut Scene<'_>) -> Result<Before, Unrecorded> {
    // Never opened: opening may act (a fifo, a device), and what is behind the descriptor is the caller's.
    if path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd") {
        return Err(Unrecorded::SpecialWord(path.to_owned()));
    }
    if ["/dev/stdin", "/dev/stdout", "/dev/stderr"].iter().any(|name| path == Path::new(name)) {
        return Ok(Before::Nothing);
    }
    let entry = match Identity::of_entry(path) {
        Err(error) if is_absent(&error) => return Ok(Before::Absent),
        Err(_) => return Err(Unrecorded::SpecialWord(path.to_owned())),
        Ok(entry) => entry,
    };
    if is_virtual(path, &entry, scene) {
        return Err(Unrecorded::SpecialWord(path.to_owned()));
    }
    let unkeyed = |error: Unobservable| match error {
        Unobservable::TooLarge(path) => Unrecorded::TreeTooLarge(path),
        Unobservable::Unsteady(path) => Unrecorded::InputChangedMeanwhile(path),
        Unobservable::Io { path, .. } | Unobservable::Special { path, .. } => Unrecorded::SpecialWord(path),
    };
    match entry.kind() {
        FileKind::File if entry.size > HASHED_BEFORE => Ok(Before::File { entry, observation: None }),
        FileKind::File => {
            let observation = Observation::of(Subject::File(path.to_owned()), scene).map_err(unkeyed)?;
            Ok(Before::File { entry, observation: Some(observation) })
        }
        FileKind::Directory => {
            Ok(Before::Fixed(vec![Observation::of(Subject::Tree(path.to_owned()), scene).map_err(unkeyed)?]))
        }
        FileKind::Link => link(path, scene).map_err(unkeyed),
        FileKind::Special => device(path),
    }
}

/// How many links the kernel follows from one to the next (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Observes a link: the texts on the way, and what stands at its end.
fn link(path: &Path, scene: &mut Scene<'_>) -> Result<Before, Unobservable> {
    let mut observations = Vec::new();
    let mut end = path.to_owned();
    for _ in 0..MOST_LINKS {
        let io = |source| Unobservable::io(&end, source);
        let entry = match Identity::of_entry(&end) {
            Err(error) if is_absent(&error) => {
                observations.push(Observation::of(Subject::Absent(end), scene)?);
                return Ok(Before::Fixed(observations));
            }
            found => found.map_err(io)?,
        };
        if is_virtual(&end, &entry, scene) {
            return Err(special(path, &entry));
        }
        let subject = match entry.kind() {
            FileKind::Link => {
                let text = std::fs::read_link(&end).map_err(io)?;
                let next = end.parent().unwrap_or(Path::new("")).join(text);
                observations.push(Observation::of(Subject::Link(end), scene)?);
                end = next;
                continue;
            }
            FileKind::File => Subject::File(end),
            FileKind::Directory => Subject::Tree(end),
            FileKind::Special if device(&end).is_ok() => return Ok(Before::Fixed(observations)),
            FileKind::Special => return Err(special(path, &entry)),
        };
        observations.push(Observation::of(subject, scene)?);
        return Ok(Before::Fixed(observations));
    }
    Err(Unobservable::io(path, io::Error::other("a loop of links")))
}

/// Returns whether an entry lies on a file system of the kernel's own. A link lies where its directory
/// does; asked by its own path, statfs(2) would tell of what it leads to.
fn is_virtual(path: &Path, entry: &Identity, scene: &mut Scene<'_>) -> bool {
    let place = match (entry.kind(), path.parent()) {
        (FileKind::Link, Some(parent)) if parent.as_os_str().is_empty() => Path::new("."),
        (FileKind::Link, Some(parent)) => parent,
        _ => path,
    };
    scene.systems.of(entry.dev, place) == FileSystem::Virtual
}

/// The devices that have no content of their own (Documentation/admin-guide/devices.txt): null, zero,
/// full, random, urandom.
const PLAIN_DEVICES: [(u32, u32); 5] = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9)];

fn device(path: &Path) -> Result<Before, Unrecorded> {
    if has_no_content(path) { Ok(Before::Nothing) } else { Err(Unrecorded::SpecialWord(path.to_owned())) }
}

/// Returns whether a path leads to a device that has no content of its own, such as `/dev/null`.
pub fn has_no_content(path: &Path) -> bool {
    matches!(character_device(path), Ok(Some(number)) if PLAIN_DEVICES.contains(&number))
}

fn settle_absent(path: PathBuf, settled: &mut Settled) -> Result<(), Unrecorded> {
    let absence = Observation { subject: Subject::Absent(path.clone()), state: State::Absent };
    match Identity::of_entry(&path) {
        Err(error) if is_absent(&error) => {}
        Ok(entry) if entry.kind() == FileKind::File => {
            settled.outputs.push(Automatic { path, replaced: None });
        }
        _ => return Err(Unrecorded::WordFileRewritten(path)),
    }
    settled.observations.push(absence);
    Ok(())
}

fn settle_file(
    path: PathBuf,
    entry: &Identity,
    observation: Option<Observation>,
    scene: &mut Scene<'_>,
    is_known_output: impl Fn(&Path, &Digest) -> bool,
    settled: &mut Settled,
) -> Result<(), Unrecorded> {
    let rewritten = || Unrecorded::WordFileRewritten(path.clone());
    let after = Identity::of_entry(&path).map_err(|_| rewritten())?;
    let Some(observation) = observation else {
        if after != *entry {
            return Err(rewritten());
        }
        let observation = Observation::of(Subject::File(path.clone()), scene).map_err(|_| rewritten())?;
        if Identity::of_entry(&path).ok() != Some(*entry) {
            return Err(rewritten());
        }
        settled.observations.push(observation);
        return Ok(());
    };
    let State::Content { digest: old, bits, .. } = &observation.state else { return Err(rewritten()) };
    if after == *entry && difference(&observation, scene).is_none() {
        settled.observations.push(observation);
        return Ok(());
    }
    let same_owner = after.uid == entry.uid && after.gid == entry.gid;
    if after.kind() != FileKind::File || !same_owner {
        return Err(rewritten());
    }
    let now = Observation::of(Subject::File(path.clone()), scene).map_err(|_| rewritten())?;
    let State::Content { digest, bits: new_bits, .. } = &now.state else { return Err(rewritten()) };
    if digest == old && new_bits == bits {
        settled.rewritten.push(path);
        settled.observations.push(now);
        return Ok(());
    }
    if !is_known_output(&path, old) {
        return Err(rewritten());
    }
    let replaced = Some(*old);
    settled.outputs.push(Automatic { path, replaced });
    settled.observations.push(observation);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &[&str]) -> Vec<String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        candidates(&words).into_iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn each_word_after_the_first_and_what_follows_its_equals_sign_may_name_a_file() {
        assert_eq!(found(&["dd", "if=in.img", "of=x", "a", "a"]), ["if=in.img", "in.img", "of=x", "x", "a"]);
        assert_eq!(found(&["c", "--config=x=y"]), ["--config=x=y", "x=y"]);
    }

    #[test]
    fn what_is_too_long_or_empty_names_nothing() {
        assert_eq!(found(&["c", "", &"x".repeat(256), &"x/".repeat(2048), "A="]), ["A="]);
    }
}
