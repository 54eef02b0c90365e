//! Declared inputs: `-i [NAME=]PATH|GLOB|DIR` and `-i '!GLOB'`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::identity::{FileKind, Identity};
use super::listing::{Listing, is_glob};
use super::name::{Name, split_named};
use super::observation::{Observation, Subject};
use super::scene::{Scene, Unobservable, normal, special};
use crate::sys::file::is_absent;

/// One `-i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The NAME, if one was given.
    pub name: Option<Name>,
    /// The path or glob.
    pub place: PathBuf,
}

/// All that was declared as input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    declared: Vec<Input>,
    excluded: Vec<Vec<u8>>,
}

/// A declared input that cannot be keyed.
#[derive(Debug)]
pub struct BadInput {
    /// The declaration.
    pub input: Input,
    /// What is wrong with it.
    pub why: Unobservable,
}

impl Inputs {
    /// Reads the values of `-i` as they were typed.
    pub fn parse(typed: &[OsString]) -> Self {
        let mut inputs = Self::default();
        for text in typed {
            if let Some(pattern) = text.as_bytes().strip_prefix(b"!") {
                inputs.excluded.push(plain(pattern).to_vec());
                continue;
            }
            let (name, place) = match split_named(text) {
                Some((name, place)) => (Some(name), place),
                None => (None, text.clone()),
            };
            let place = OsStr::from_bytes(plain(place.as_bytes())).into();
            inputs.declared.push(Input { name, place });
        }
        inputs
    }

    /// Returns what belongs in the ActionKey: the declarations as typed, sorted, each once; no ignored ones.
    pub fn key_texts(&self) -> Vec<Vec<u8>> {
        let declared = self.observed().map(|input| {
            let mut text = input.name.as_ref().map_or(Vec::new(), |name| format!("{name}=").into_bytes());
            text.extend_from_slice(input.place.as_os_str().as_bytes());
            text
        });
        let excluded = self.excluded.iter().map(|pattern| [b"!", pattern.as_slice()].concat());
        let mut texts: Vec<_> = declared.chain(excluded).collect();
        texts.sort();
        texts.dedup();
        texts
    }

    /// Returns whether nothing was declared.
    pub fn is_empty(&self) -> bool {
        self.declared.is_empty()
    }

    /// Returns whether this very declaration is among them.
    pub fn has(&self, input: &Input) -> bool {
        self.declared.contains(input)
    }

    /// Returns the declared paths, lexically normal, also those that are ignored by name.
    pub fn paths(&self, directory: &Path) -> Vec<PathBuf> {
        self.declared.iter().map(|input| normal(&input.place, directory)).collect()
    }

    /// Returns the names that begin with `_`.
    pub fn ignored(&self) -> impl Iterator<Item = &Name> {
        self.declared.iter().filter_map(|input| input.name.as_ref()).filter(|name| name.is_ignored())
    }

    fn observed(&self) -> impl Iterator<Item = &Input> {
        self.declared.iter().filter(|input| !is_ignored(input))
    }

    /// Makes sure that everything declared by path is there; what a name ignores must exist too.
    ///
    /// # Errors
    /// [`BadInput`] for the first that is not.
    pub fn check(&self) -> Result<(), BadInput> {
        for input in &self.declared {
            if let Place::Path(Err(source)) = look(&input.place) {
                return Err(BadInput { input: input.clone(), why: Unobservable::io(&input.place, source) });
            }
        }
        Ok(())
    }

    /// Observes everything declared.
    ///
    /// # Errors
    /// [`BadInput`] for the first that cannot be keyed.
    pub fn observe(&self, scene: &mut Scene<'_>) -> Result<Vec<Observation>, BadInput> {
        let mut observations = Vec::new();
        for input in self.observed() {
            self.observe_one(input, scene, &mut observations)
                .map_err(|why| BadInput { input: input.clone(), why })?;
        }
        Ok(observations)
    }

    fn observe_one(
        &self,
        input: &Input,
        scene: &mut Scene<'_>,
        out: &mut Vec<Observation>,
    ) -> Result<(), Unobservable> {
        let listing = match look(&input.place) {
            Place::Glob => Listing::of_glob(input.place.as_os_str().as_bytes(), self.excluded.clone()),
            Place::Path(Err(source)) => return Err(Unobservable::io(&input.place, source)),
            Place::Path(Ok(identity)) => match identity.kind() {
                FileKind::File => {
                    out.push(Observation::of(Subject::Input(input.place.clone()), scene)?);
                    return Ok(());
                }
                FileKind::Directory => Listing::of_directory(input.place.clone(), self.excluded.clone()),
                FileKind::Link | FileKind::Special => return Err(special(&input.place, &identity)),
            },
        };
        let walked = listing.walk(scene)?;
        let digest = walked.digest();
        for (below, kind) in walked.entries {
            let path = if listing.root == Path::new(".") { below } else { listing.root.join(below) };
            match kind {
                FileKind::File => out.push(Observation::of(Subject::Input(path), scene)?),
                FileKind::Link => {
                    out.push(Observation::of(Subject::Link(path.clone()), scene)?);
                    // What the link leads to is read through it. A directory behind it is not walked.
                    if Identity::of(&path).is_ok_and(|target| target.kind() == FileKind::File) {
                        out.push(Observation::of(Subject::Input(path), scene)?);
                    }
                }
                FileKind::Directory | FileKind::Special => {}
            }
        }
        let state = super::observation::State::Listing { digest, folders: walked.folders };
        out.push(Observation { subject: Subject::Listing(listing), state });
        Ok(())
    }
}

enum Place {
    Glob,
    Path(std::io::Result<Identity>),
}

/// A text with a wildcard is a path all the same when something has that very name.
fn look(place: &Path) -> Place {
    match Identity::of(place) {
        Err(error) if is_absent(&error) && is_glob(place.as_os_str().as_bytes()) => Place::Glob,
        found => Place::Path(found),
    }
}

fn is_ignored(input: &Input) -> bool {
    input.name.as_ref().is_some_and(Name::is_ignored)
}

/// Returns a path without `./` in front and without doubled or trailing slashes, which say nothing.
fn plain(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
        while let Some(rest) = path.strip_prefix(b"/") {
            path = rest;
        }
    }
    while path.len() > 1 && path.ends_with(b"/") {
        path = &path[..path.len() - 1];
    }
    if path.is_empty() { b"." } else { path }
}

/// Returns the name a hint proposes for a path: its stem, made a name that begins with `_`.
pub fn proposed_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().as_bytes().to_vec();
    let stem = OsString::from_vec(stem).to_string_lossy().into_owned();
    let clean: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if clean.is_empty() { "_input".to_owned() } else { format!("_{}", clean.trim_start_matches('_')) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(typed: &[&str]) -> Vec<String> {
        let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
        Inputs::parse(&typed).key_texts().into_iter().map(|text| String::from_utf8(text).unwrap()).collect()
    }

    #[test]
    fn order_repetition_and_dot_slash_say_nothing() {
        assert_eq!(texts(&["b", "./a", "a", ".//a", "src/"]), ["a", "b", "src"]);
        assert_eq!(texts(&["./"]), ["."]);
        assert_eq!(texts(&["/"]), ["/"]);
    }

    #[test]
    fn a_name_with_an_underscore_leaves_the_declaration_out() {
        assert_eq!(texts(&["_db=x", "a=b.txt", "_index.md", "!*.o"]), ["!*.o", "_index.md", "a=b.txt"]);
    }

    #[test]
    fn a_hint_proposes_a_name_from_the_file() {
        assert_eq!(proposed_name(Path::new("/var/prod.sqlite")), "_prod");
        assert_eq!(proposed_name(Path::new("a-b.c")), "_a_b");
        assert_eq!(proposed_name(Path::new("_x")), "_x");
    }
}
