//! Surveys: what lies at the places that were declared as outputs, before a run and after it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::identity::{FileKind, Identity};
use super::output::{Cover, Declared, Outputs};
use super::scene::device_and_inode;
use crate::sys::file::is_absent;

/// What lies at the declared places, by path as it would be recorded.
#[derive(Debug, Default)]
pub struct Survey {
    /// What is there. A link that was declared by its path and leads to a directory is followed.
    pub entries: BTreeMap<PathBuf, Identity>,
    /// Declared paths that are links and were followed, with the identities of the links.
    pub followed: BTreeMap<PathBuf, Identity>,
    /// Names in the directories that hold declared places.
    beside: BTreeMap<PathBuf, BTreeSet<OsString>>,
}

/// A place that could not be looked at.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct Unseen {
    /// The place.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl Survey {
    /// Looks at all declared places, but for the store (by device and inode). `follow` tells which links at a
    /// declared path lead on to where the outputs are.
    ///
    /// # Errors
    /// [`Unseen`] for a directory that cannot be read.
    pub fn take(
        outputs: &Outputs,
        store: Option<(u64, u64)>,
        follow: impl Fn(&Path, &Identity) -> bool,
    ) -> Result<Self, Unseen> {
        let mut survey = Self::default();
        for declared in outputs.iter() {
            survey.declared(declared, store, &follow)?;
        }
        Ok(survey)
    }

    fn declared(
        &mut self,
        declared: &Declared,
        store: Option<(u64, u64)>,
        follow: &impl Fn(&Path, &Identity) -> bool,
    ) -> Result<(), Unseen> {
        let place = &declared.place;
        let unseen = |source| Unseen { path: place.clone(), source };
        match Identity::of_entry(place) {
            Err(error) if is_absent(&error) => {
                let Some((root, pattern)) = &declared.glob else { return Ok(()) };
                let deep = pattern.windows(2).any(|pair| pair == b"**");
                let slashes = pattern.iter().filter(|&&byte| byte == b'/').count();
                let depth = if deep { usize::MAX } else { 1 + slashes };
                self.walk(root, depth, store, |path, identity| {
                    identity.kind() != FileKind::Directory
                        && matches!(declared.cover(path), Some(Cover::Match(_)))
                })
            }
            Err(error) => Err(unseen(error)),
            Ok(entry) => {
                let target = match entry.kind() {
                    FileKind::Link => {
                        Identity::of(place).ok().filter(|target| target.kind() == FileKind::Directory)
                    }
                    _ => None,
                };
                match target {
                    Some(target) if follow(place, &entry) => {
                        self.followed.insert(place.clone(), entry);
                        self.entries.insert(place.clone(), target);
                        self.walk(place, usize::MAX, store, |_, _| true)
                    }
                    _ => {
                        self.entries.insert(place.clone(), entry);
                        if entry.kind() == FileKind::Directory {
                            self.walk(place, usize::MAX, store, |_, _| true)?;
                        }
                        Ok(())
                    }
                }
            }
        }
    }

    fn walk(
        &mut self,
        root: &Path,
        depth: usize,
        store: Option<(u64, u64)>,
        takes: impl Fn(&Path, &Identity) -> bool,
    ) -> Result<(), Unseen> {
        // A root that is a link is followed when it ends in a slash; one without a name is the directory itself.
        let (start, strip) = if root.as_os_str().is_empty() { (Path::new("."), true) } else { (root, false) };
        let mut walk = WalkDir::new(start).min_depth(1).max_depth(depth).into_iter();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(root).to_owned();
                    let source = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links"));
                    // One that went meanwhile, and a glob below what is not there.
                    if is_absent(&source) {
                        continue;
                    }
                    return Err(Unseen { path, source });
                }
            };
            let Ok(metadata) = entry.path().symlink_metadata() else { continue };
            if store == Some(device_and_inode(&metadata)) {
                walk.skip_current_dir();
                continue;
            }
            let path =
                if strip { entry.path().strip_prefix(".").unwrap_or(entry.path()) } else { entry.path() };
            let identity = Identity::from(&metadata);
            if takes(path, &identity) {
                self.entries.insert(path.to_owned(), identity);
            }
        }
        Ok(())
    }

    /// Notes the names in the directories that hold declared places.
    pub fn note_beside(&mut self, outputs: &Outputs) {
        for declared in outputs.iter() {
            let directory = match &declared.glob {
                Some((root, _)) => root.clone(),
                None => declared.place.parent().unwrap_or(Path::new("")).to_owned(),
            };
            self.beside.entry(directory).or_insert_with_key(|directory| names(directory));
        }
    }

    /// Returns what is new beside declared places and covered by none, in the order of names.
    pub fn undeclared(&self, outputs: &Outputs) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for (directory, before) in &self.beside {
            let new = names(directory).into_iter().filter(|name| !before.contains(name));
            let paths = new.map(|name| directory.join(name));
            found.extend(paths.filter(|path| outputs.cover(path).is_none() && !leads_to(path, outputs)));
        }
        found
    }
}

/// Returns whether a path is a directory in which something is declared.
fn leads_to(path: &Path, outputs: &Outputs) -> bool {
    outputs.iter().any(|declared| match &declared.glob {
        None => declared.place.starts_with(path),
        Some((root, pattern)) => {
            root.starts_with(path) || pattern.contains(&b'/') && path.is_dir() && path.starts_with(root)
        }
    })
}

/// Returns the names in a directory; none where there is none.
fn names(directory: &Path) -> BTreeSet<OsString> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).collect()
}
