//! Extras: what lies in a declared directory, or matches a declared glob, and is none of the outcome's outputs.
//!
//! It goes only if an outcome of this action made it at that very path, as it is now. All else stays.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::ground::{At, Ground};
use super::{Known, Place, Refused};
use crate::action::digest::Digest;
use crate::action::identity::{FileKind, Identity};
use crate::action::output::Declared;
use crate::store::outcome::{Content, Output};
use crate::store::restores::STAGING;
use crate::sys::directory::Directory;

/// What was found besides.
#[derive(Debug, Default)]
pub(super) struct Extras {
    /// What goes; what is in a directory before it.
    pub(super) gone: Vec<(At, Identity)>,
    /// Where something goes that an output takes the place of.
    pub(super) cleared: HashSet<At>,
    /// What stays, by path.
    pub(super) stays: Vec<PathBuf>,
}

/// Looks for extras.
pub(super) struct Search<'a> {
    pub(super) place: Place<'a>,
    pub(super) recorded: &'a HashMap<&'a Path, &'a Output>,
    pub(super) known: Option<Known>,
    pub(super) found: Extras,
    /// What goes, by the directory it is in and its name: declarations may overlap, and what is found twice
    /// goes once. `None` where there is but one declaration.
    pub(super) once: Option<HashSet<(u64, u64, OsString)>>,
}

impl Search<'_> {
    /// Looks through a ground.
    ///
    /// # Errors
    /// [`Refused`] when something stands in the way of an output, or cannot be looked at.
    pub(super) fn through(
        &mut self,
        number: usize,
        ground: &Ground,
        declared: &Declared,
    ) -> Result<(), Refused> {
        let way = ground.way(Path::new(""));
        let is_glob = declared.glob.is_some();
        match ground.directory.below(&way) {
            Ok(directory) => {
                self.walk(&directory, number, &way, &ground.prefix, is_glob.then_some(declared)).map(|_| ())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // A file where the directory is to be.
            Err(_) => {
                let at = At { ground: number, path: way };
                let parent = ground.directory.below(&at.parent().path);
                let parent = parent.map_err(|_| Refused::InTheWay(ground.prefix.clone()))?;
                self.file(&parent, at, &ground.prefix, None).map(|_| ())
            }
        }
    }

    /// Goes through a directory; returns whether nothing of it stays.
    fn walk(
        &mut self,
        directory: &Directory,
        ground: usize,
        way: &Path,
        prefix: &Path,
        glob: Option<&Declared>,
    ) -> Result<bool, Refused> {
        let io = |source| Refused::Io { path: prefix.to_owned(), source };
        let mut empty = true;
        let mut names = directory.names().map_err(io)?;
        names.sort_unstable();
        for name in names {
            let path = prefix.join(&name);
            let at = At { ground, path: way.join(&name) };
            let Ok(looked) = directory.look(&name) else { continue };
            let entry = Identity::from(looked);
            if self.place.store == Some((entry.dev, entry.ino)) || is_git(&path, glob) {
                empty = false;
                continue;
            }
            let stays = if entry.kind() == FileKind::Directory {
                let below = directory.below(name.as_ref()).map_err(io)?;
                let clear = self.walk(&below, ground, &at.path, &path, glob)?;
                match self.recorded.get(path.as_path()).map(|output| &output.content) {
                    Some(Content::Directory) => true,
                    // Something else is to take its place.
                    Some(_) if clear && self.is_known(&path, &Content::Directory) => {
                        self.found.cleared.insert(at.clone());
                        self.goes(directory, at, entry).map_err(io)?;
                        false
                    }
                    Some(_) => return Err(Refused::InTheWay(path)),
                    None if glob.is_none() && clear && self.is_known(&path, &Content::Directory) => {
                        self.goes(directory, at, entry).map_err(io)?;
                        false
                    }
                    None => {
                        if clear && glob.is_none() {
                            self.stays(&path);
                        }
                        true
                    }
                }
            } else {
                !self.file(directory, at, &path, glob)?
            };
            empty &= !stays;
        }
        Ok(empty)
    }

    /// Decides about what is no directory; returns whether it goes.
    fn file(
        &mut self,
        directory: &Directory,
        at: At,
        path: &Path,
        glob: Option<&Declared>,
    ) -> Result<bool, Refused> {
        let io = |source| Refused::Io { path: path.to_owned(), source };
        let entry = Identity::from(directory.look(at.name()).map_err(io)?);
        let in_the_way = match self.recorded.get(path).map(|output| &output.content) {
            Some(Content::Directory) => true,
            Some(_) => return Ok(false),
            None => false,
        };
        if !in_the_way && glob.is_some_and(|declared| declared.cover(path).is_none()) {
            return Ok(false);
        }
        if self.is_made_by_us(directory, &at, path, &entry) {
            if in_the_way {
                self.found.cleared.insert(at.clone());
            }
            self.goes(directory, at, entry).map_err(io)?;
            return Ok(true);
        }
        if in_the_way {
            return Err(Refused::InTheWay(path.to_owned()));
        }
        self.stays(path);
        Ok(false)
    }

    fn goes(&mut self, directory: &Directory, at: At, entry: Identity) -> io::Result<()> {
        if let Some(once) = &mut self.once {
            let holder = directory.itself()?;
            if !once.insert((holder.dev, holder.ino, at.name().to_owned())) {
                return Ok(());
            }
        }
        self.found.gone.push((at, entry));
        Ok(())
    }

    fn stays(&mut self, path: &Path) {
        let is_staging = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(STAGING.as_bytes());
        if !path.file_name().is_some_and(is_staging) {
            self.found.stays.push(path.to_owned());
        }
    }

    fn known(&mut self) -> &Known {
        self.known.get_or_insert_with(self.place.known)
    }

    fn is_known(&mut self, path: &Path, content: &Content) -> bool {
        self.known().get(path).is_some_and(|known| known.contains(content))
    }

    /// Returns whether an outcome of this action made what a name stands for, as it is now.
    pub(super) fn is_made_by_us(
        &mut self,
        directory: &Directory,
        at: &At,
        path: &Path,
        entry: &Identity,
    ) -> bool {
        let size = entry.size;
        let Some(known) = self.known().get(path) else { return false };
        match entry.kind() {
            FileKind::File => {
                let is_size =
                    |known: &Content| matches!(known, Content::File { length, .. } if *length == size);
                if !known.iter().any(is_size) {
                    return false;
                }
                let digest = directory.open_file(at.name()).and_then(|file| Digest::of_file(&file, size));
                digest.is_ok_and(|digest| known.contains(&Content::File { digest, length: size }))
            }
            FileKind::Link => {
                directory.read_link(at.name()).is_ok_and(|text| known.contains(&Content::Link(text)))
            }
            FileKind::Directory | FileKind::Special => false,
        }
    }
}

/// Returns whether a glob does not go below a path because it is a `.git`.
fn is_git(path: &Path, glob: Option<&Declared>) -> bool {
    glob.is_some() && path.file_name().is_some_and(|name| name == ".git")
}
