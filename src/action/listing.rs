//! Listings: which names a declared tree or glob selects, with their kinds.
//!
//! The content of what is selected is observed file by file beside the listing, so that one changed file
//! costs one hash. The listing itself is unchanged as long as no directory it walked has changed.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::digest::{Digest, Digester};
use super::identity::{FileKind, Identity};
use super::scene::{Scene, Unobservable, bytes, device_and_inode, normal, special};
use crate::sys::file::{FileSystem, is_absent};

/// What a declaration selects below a directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listing {
    /// The directory, as typed.
    pub root: PathBuf,
    /// The pattern that paths relative to the root must match; everything, without one.
    pub pattern: Option<Vec<u8>>,
    /// Patterns of what is left out: of whole paths, or of file names when they have no slash.
    pub excluded: Vec<Vec<u8>>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Walked {
    /// What was selected, relative to the root, in order.
    pub entries: Vec<(PathBuf, FileKind)>,
    /// The directories walked, when all could be trusted.
    pub folders: Vec<(PathBuf, Identity)>,
}

impl Walked {
    /// Returns the digest of names and kinds.
    pub fn digest(&self) -> Digest {
        let mut digester = Digester::new();
        for (path, kind) in &self.entries {
            digester.field(bytes(path));
            digester.field(&[*kind as u8]);
        }
        digester.finish()
    }
}

/// Returns whether a text has a character that means something in a glob.
pub fn is_glob(text: &[u8]) -> bool {
    text.iter().any(|byte| b"*?[{".contains(byte))
}

impl Listing {
    /// Returns the listing of a whole directory.
    pub fn of_directory(root: PathBuf, excluded: Vec<Vec<u8>>) -> Self {
        Self { root, pattern: None, excluded }
    }

    /// Returns the listing a glob stands for: the part before the first special character is the root.
    pub fn of_glob(glob: &[u8], excluded: Vec<Vec<u8>>) -> Self {
        let special = glob.iter().position(|byte| b"*?[{\\".contains(byte)).unwrap_or(glob.len());
        let slash = glob[..special].iter().rposition(|&byte| byte == b'/');
        let (root, pattern) = match slash {
            None => (&b"."[..], glob),
            Some(0) => (&b"/"[..], &glob[1..]),
            Some(slash) => (&glob[..slash], &glob[slash + 1..]),
        };
        let root = PathBuf::from(std::ffi::OsStr::from_bytes(root));
        Self { root, pattern: Some(pattern.to_vec()), excluded }
    }

    /// Returns whether none of the directories has changed since they were walked.
    pub fn unchanged(&self, folders: &[(PathBuf, Identity)]) -> bool {
        !folders.is_empty()
            && folders.iter().all(|(below, known)| {
                let path =
                    if below.as_os_str().is_empty() { self.root.clone() } else { self.root.join(below) };
                Identity::of(&path).is_ok_and(|now| now == *known)
            })
    }

    /// Walks the tree.
    ///
    /// # Errors
    /// [`Unobservable`] for a directory that cannot be read and for a selected fifo, socket or device.
    pub fn walk(&self, scene: &mut Scene<'_>) -> Result<Walked, Unobservable> {
        let mut found = Walked::default();
        let mut trusted = true;
        let absolute = normal(&self.root, scene.directory);
        let mut walk = WalkDir::new(&self.root).sort_by_file_name();
        if let Some(pattern) = &self.pattern
            && !pattern.windows(2).any(|pair| pair == b"**")
        {
            walk = walk.max_depth(1 + pattern.iter().filter(|&&byte| byte == b'/').count());
        }
        let mut walk = walk.into_iter();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(&self.root).to_owned();
                    let top = error.depth() == 0;
                    let source =
                        error.into_io_error().unwrap_or_else(|| std::io::Error::other("a loop of links"));
                    // A glob below a directory that does not exist selects nothing.
                    if top && self.pattern.is_some() && is_absent(&source) {
                        return Ok(Walked::default());
                    }
                    return Err(Unobservable::Io { path, source });
                }
            };
            let below = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
            let top = entry.depth() == 0;
            let metadata = if top { std::fs::metadata(&self.root) } else { entry.path().symlink_metadata() }
                .map_err(|source| Unobservable::io(entry.path(), source))?;
            let identity = Identity::from(&metadata);
            if !top && (self.excludes(entry.path()) || scene.hidden.paths.contains(&absolute.join(below)))
                || scene.hidden.store == Some(device_and_inode(&metadata))
            {
                if metadata.is_dir() {
                    walk.skip_current_dir();
                }
                continue;
            }
            if metadata.is_dir() {
                trusted &= identity.is_settled(scene.now)
                    && scene.systems.of(identity.dev, entry.path()) == FileSystem::Local;
                found.folders.push((below.to_owned(), identity));
            }
            let selected = !top
                && self.pattern.as_ref().is_none_or(|pattern| fast_glob::glob_match(pattern, bytes(below)));
            if selected {
                if identity.kind() == FileKind::Special {
                    return Err(special(entry.path(), &identity));
                }
                found.entries.push((below.to_owned(), identity.kind()));
            }
        }
        if !trusted {
            found.folders.clear();
        }
        Ok(found)
    }

    /// Returns whether an exclusion matches a path.
    fn excludes(&self, path: &Path) -> bool {
        let path = path.strip_prefix(".").unwrap_or(path);
        self.excluded.iter().any(|pattern| {
            if pattern.contains(&b'/') {
                fast_glob::glob_match(pattern, bytes(path))
            } else {
                path.file_name().is_some_and(|name| fast_glob::glob_match(pattern, name.as_bytes()))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_is_walked_from_its_last_plain_directory() {
        let split = |glob: &str| {
            let listing = Listing::of_glob(glob.as_bytes(), Vec::new());
            (listing.root, String::from_utf8(listing.pattern.unwrap()).unwrap())
        };
        assert_eq!(split("*.h"), (".".into(), "*.h".into()));
        assert_eq!(split("src/**/*.c"), ("src".into(), "**/*.c".into()));
        assert_eq!(split("/*"), ("/".into(), "*".into()));
        assert_eq!(split("a/b{c,d}/e"), ("a".into(), "b{c,d}/e".into()));
    }

    #[test]
    fn an_exclusion_without_a_slash_is_of_file_names() {
        let listing = |excluded: &str| Listing::of_directory("src".into(), vec![excluded.into()]);
        assert!(listing("*.o").excludes(Path::new("src/a/b.o")));
        assert!(listing("src/gen/**").excludes(Path::new("src/gen/x")));
        assert!(!listing("gen/**").excludes(Path::new("src/gen/x")));
        assert!(listing("build").excludes(Path::new("./build")));
    }
}
