//! Grounds: the directory below which the outputs of one declaration lie, held open.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::{Refused, parent};
use crate::sys::directory::Directory;

use super::staging::Staging;

/// The directory below which outputs lie.
#[derive(Debug)]
pub(super) struct Ground {
    /// It, or if it is still to be made, the nearest above it that is there.
    pub(super) directory: Directory,
    /// The way from there to it.
    pub(super) rest: PathBuf,
    /// What its outputs are called in front, as recorded.
    pub(super) prefix: PathBuf,
    /// Where its outputs are staged.
    pub(super) staging: Staging,
}

/// A name below a ground.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct At {
    /// Which of the grounds.
    pub(super) ground: usize,
    /// From what is held open there; empty for that itself.
    pub(super) path: PathBuf,
}

impl At {
    /// Returns the directory it is in.
    pub(super) fn parent(&self) -> Self {
        Self { ground: self.ground, path: parent(&self.path).to_owned() }
    }

    /// Returns its last name.
    pub(super) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or(OsStr::new("."))
    }
}

/// Opens a directory, following links, or the nearest above it that is there; returns also the way that is
/// missing.
///
/// # Errors
/// Those of open(2).
fn open_nearest(path: &Path) -> io::Result<(Directory, PathBuf)> {
    let mut missing = PathBuf::new();
    let mut at = path;
    loop {
        match Directory::open(at) {
            Ok(directory) => return Ok((directory, missing)),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
                    && !at.as_os_str().is_empty() =>
            {
                let Some(name) = at.file_name() else { return Err(error) };
                let below = Path::new(name).join(&missing);
                // `join` with nothing would leave a slash at the end.
                missing = if missing.as_os_str().is_empty() { name.into() } else { below };
                at = parent(at);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Returns the path of a place with all links resolved, but for one at its end that leads to no directory.
/// What is not there is taken as written.
///
/// # Errors
/// Those of open(2).
pub fn physical(path: &Path) -> io::Result<PathBuf> {
    let (directory, missing) = open_nearest(path)?;
    let path = directory.path()?;
    Ok(if missing.as_os_str().is_empty() { path } else { path.join(missing) })
}

impl Ground {
    /// Opens the directory that a single file is put in, or that a tree or glob lies below.
    pub(super) fn open(path: &Path, is_tree: bool) -> Result<Self, Refused> {
        let (directory, rest) =
            open_nearest(path).map_err(|source| Refused::Io { path: path.to_owned(), source })?;
        let beside = is_tree && rest.as_os_str().is_empty();
        Ok(Self { directory, rest, prefix: path.to_owned(), staging: Staging::new(beside) })
    }

    /// Returns where something below the ground is, from what is held open.
    pub(super) fn way(&self, below: &Path) -> PathBuf {
        match (self.rest.as_os_str().is_empty(), below.as_os_str().is_empty()) {
            (true, _) => below.to_owned(),
            (false, true) => self.rest.clone(),
            (false, false) => self.rest.join(below),
        }
    }
}

/// Finds the directories of names; the last one is kept open, for the next name is often there too.
#[derive(Debug, Default)]
pub(super) struct Ways {
    last: Option<(At, Option<Directory>)>,
}

impl Ways {
    /// Opens the directory of a name; `None` when it is not there.
    ///
    /// # Errors
    /// Those of openat2(2), also when a link or a file is on the way.
    pub(super) fn directory(&mut self, grounds: &[Ground], at: &At) -> io::Result<Option<&Directory>> {
        let parent = at.parent();
        if self.last.as_ref().is_none_or(|(known, _)| *known != parent) {
            let opened = match grounds[at.ground].directory.below(&parent.path) {
                Ok(directory) => Some(directory),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            self.last = Some((parent, opened));
        }
        Ok(self.last.as_ref().and_then(|(_, directory)| directory.as_ref()))
    }

    /// Opens the directory of a name that must be there.
    ///
    /// # Errors
    /// Those of openat2(2).
    pub(super) fn at(&mut self, grounds: &[Ground], at: &At) -> io::Result<&Directory> {
        // What was not there may have been made since.
        if self.last.as_ref().is_some_and(|(_, directory)| directory.is_none()) {
            self.last = None;
        }
        self.directory(grounds, at)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Forgets what is open.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}
