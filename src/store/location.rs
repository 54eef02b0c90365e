//! Where the store is, and whether that place can be trusted.
//!
//! Whoever can write to the store, or swap a directory above it, can make memo replay anything. So the
//! directory must be ours, and every directory above it ours or root's; one that all may write to must
//! at least be sticky, as /tmp is.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Kind, system_text};
use crate::sys::file::is_absent;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The system said so.
    #[error("cannot {doing} `{}`: {}", path.display(), system_text(source))]
    Io {
        /// What memo was about to do.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody else's.
    #[error("`{}` belongs to user {owner}", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Others may change what is in it.
    #[error("others may write to `{}` (mode {mode:03o})", path.display())]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a directory.
    #[error("`{}` is not a directory", .0.display())]
    NoDirectory(PathBuf),
    /// A newer memo made it.
    #[error("`{}` has format {found}, this memo reads up to {known}", path.display())]
    Newer {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The newest this memo knows.
        known: u64,
    },
    /// SQLite will not.
    #[error("cannot use the index `{}`: {said}", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What SQLite said.
        said: String,
    },
    /// There is no place for it: no HOME, no MEMO_DIR.
    #[error("{0}")]
    Nowhere(String),
}

impl Trouble {
    /// Says what the system said, and of what.
    pub fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), source }
    }

    /// Returns whether it is only that a lock was waited for long enough.
    pub fn is_wait_given_up(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::TimedOut)
    }

    /// Returns what the user can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "`memo gc --max-size 1GiB` makes room".to_owned()
            }
            Self::Open { path, .. } => format!("`chmod go-w {}` closes it", path.display()),
            Self::Index { path, .. } => format!("`rm {}`: it is built anew from the store", path.display()),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::TimedOut => {
                "another memo holds it; try again when that has ended".to_owned()
            }
            Self::Newer { .. } => {
                "a newer memo wrote it; use that one, or point MEMO_DIR elsewhere".to_owned()
            }
            _ => "point MEMO_DIR at a directory of your own".to_owned(),
        }
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        Self::new(Kind::Failed, &trouble).hint(trouble.hint())
    }
}

/// What was found at the store's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing yet.
    Absent,
    /// A directory that can be trusted, by device and inode.
    Sound((u64, u64)),
}

/// How many links may be followed on the way (MAXSYMLINKS of linux/namei.h).
const MOST_LINKS: usize = 40;

/// Checks the place of the store, an absolute path, for the user with id `user`.
///
/// # Errors
/// [`Trouble`] when it cannot be trusted.
pub fn check(path: &Path, user: u32) -> Result<Found, Trouble> {
    let mut walked = PathBuf::from("/");
    let mut links = 0;
    let mut rest: Vec<_> = components(path);
    rest.reverse();
    while let Some(name) = rest.pop() {
        if name == ".." {
            walked.pop();
            continue;
        }
        walked.push(&name);
        let last = rest.is_empty();
        let metadata = match std::fs::symlink_metadata(&walked) {
            Ok(metadata) => metadata,
            Err(error) if is_absent(&error) => return Ok(Found::Absent),
            Err(error) => return Err(Trouble::io("look at", &walked, error)),
        };
        if metadata.is_symlink() {
            links += 1;
            let text =
                std::fs::read_link(&walked).map_err(|error| Trouble::io("read the link", &walked, error))?;
            if links > MOST_LINKS || metadata.uid() != user && metadata.uid() != 0 {
                return Err(Trouble::Foreign { path: walked, owner: metadata.uid() });
            }
            walked.pop();
            if text.is_absolute() {
                walked = PathBuf::from("/");
            }
            rest.extend(components(&text).into_iter().rev());
            continue;
        }
        if !metadata.is_dir() {
            return Err(Trouble::NoDirectory(walked));
        }
        if last {
            return own(&walked, &metadata, user);
        }
        parent(&walked, &metadata, user)?;
    }
    // The path was `/`, or ended in a link to it.
    Err(Trouble::Foreign { path: walked, owner: 0 })
}

fn components(path: &Path) -> Vec<std::ffi::OsString> {
    let named = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    named.map(|part| part.as_os_str().to_owned()).collect()
}

fn own(path: &Path, metadata: &Metadata, user: u32) -> Result<Found, Trouble> {
    if metadata.uid() != user {
        return Err(Trouble::Foreign { path: path.to_owned(), owner: metadata.uid() });
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(Trouble::Open { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    Ok(Found::Sound((metadata.dev(), metadata.ino())))
}

fn parent(path: &Path, metadata: &Metadata, user: u32) -> Result<(), Trouble> {
    /// The bit that lets only the owner of a file remove it from a directory all may write to.
    const STICKY: u32 = 0o1000;
    if metadata.uid() != user && metadata.uid() != 0 {
        return Err(Trouble::Foreign { path: path.to_owned(), owner: metadata.uid() });
    }
    if metadata.mode() & 0o002 != 0 && metadata.mode() & STICKY == 0 {
        return Err(Trouble::Open { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    Ok(())
}

/// Makes a directory of the store, and those above it, for the user alone.
///
/// # Errors
/// [`Trouble`] when the system will not.
pub fn make(path: &Path) -> Result<(), Trouble> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| Trouble::io("make", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn temporary(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("memo-location-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        make(&path).unwrap();
        path
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_directory_of_ones_own_is_sound_and_a_missing_one_absent() {
        let user = crate::sys::process::user();
        let path = temporary("own");
        assert!(matches!(check(&path, user), Ok(Found::Sound(_))));
        assert!(matches!(check(&path.join("a/b"), user), Ok(Found::Absent)));
        assert!(matches!(check(&path, user + 1), Err(Trouble::Foreign { .. })));
        set_mode(&path, 0o770);
        assert!(matches!(check(&path, user), Err(Trouble::Open { mode: 0o770, .. })));
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_parent_that_all_may_write_to_must_be_sticky() {
        let user = crate::sys::process::user();
        let path = temporary("parent");
        let store = path.join("store");
        make(&store).unwrap();
        set_mode(&path, 0o777);
        assert!(matches!(check(&store, user), Err(Trouble::Open { .. })));
        set_mode(&path, 0o1777);
        assert!(check(&store, user).is_ok());
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn links_are_followed_step_by_step() {
        let user = crate::sys::process::user();
        let path = temporary("links");
        make(&path.join("real/store")).unwrap();
        std::os::unix::fs::symlink("real", path.join("link")).unwrap();
        std::os::unix::fs::symlink("loop", path.join("loop")).unwrap();
        assert!(matches!(check(&path.join("link/store"), user), Ok(Found::Sound(_))));
        assert!(check(&path.join("loop/store"), user).is_err());
        std::fs::remove_dir_all(path).unwrap();
    }
}
