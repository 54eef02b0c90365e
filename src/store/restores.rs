//! Restores: one lock for each place at which outputs are put back, kept in the store.
//!
//! The lock's file says how often something was put back there, so that a run can tell that its outputs were
//! not replaced before they were recorded; and while a restore is under way, which directories it has made
//! for what it stages. Whoever gets the lock of a restore that was killed removes them.
//!
//! # Locking
//! A file is named by the digest of the place's path, free of links. It is unlinked by gc alone, under its
//! lock; so whoever has locked one makes sure that it still has its name.
//!
//! A lock needs a descriptor, of which there may be few: of many places only the first ones, in the order of
//! their files, stay locked. Who puts something back at the same places waits for these; at the others each
//! restore is still counted before it begins.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lock::{self, Tried, try_exclusive};
use crate::action::digest::Digest;
use crate::fault;
use crate::sys::file::is_absent;
use crate::sys::process;

/// What the directories of staged files are called, in front.
pub const STAGING: &str = ".memo-";
/// How long a restore waits for another one at the same place. Who has the lock needs no longer than copying
/// takes, unless it was stopped: then the command is run.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many places are locked at a time: each needs a descriptor, and 64 of them in all must do.
const MOST_LOCKED: usize = 8;

/// The locks.
#[derive(Clone, Debug)]
pub struct Restores {
    directory: PathBuf,
}

/// How often something was put back at a place; says nothing but whether two are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(Option<(u64, u64)>);

/// Places that nobody else puts anything back at. Without a file where the store cannot be written to or the
/// file system has no locks: then each file that is put back is whole, but two restores may mix.
#[derive(Debug, Default)]
#[must_use = "the locks end when it is dropped"]
pub struct Held {
    files: Vec<(File, State)>,
    /// The files of places beyond [`MOST_LOCKED`].
    counted: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct State {
    count: u64,
    staged: Vec<PathBuf>,
}

impl Restores {
    /// Keeps them below `store`.
    pub fn new(store: &Path) -> Self {
        Self { directory: store.join("restores") }
    }

    fn path(&self, place: &Path) -> PathBuf {
        self.directory.join(Digest::of(place.as_os_str().as_bytes()).to_string())
    }

    /// Returns how often something was put back at a place, a path free of links.
    pub fn count(&self, place: &Path) -> Count {
        let Ok(mut file) = File::open(self.path(place)) else { return Count::default() };
        let ino = file.metadata().map_or(0, |metadata| metadata.ino());
        let count = State::read(&mut file).count;
        // Whoever records makes the file too.
        Count((count > 0).then_some((ino, count)))
    }

    /// Takes the locks of places, and removes what killed restores have left there.
    ///
    /// # Errors
    /// `TimedOut` when another restore has one of them for too long.
    pub fn hold(&self, places: &[PathBuf]) -> io::Result<Held> {
        let mut paths: Vec<PathBuf> = places.iter().map(|place| self.path(place)).collect();
        // In one order, so that nobody waits in a circle.
        paths.sort();
        paths.dedup();
        let mut held = Held::default();
        for path in paths {
            if held.files.len() == MOST_LOCKED {
                held.counted.push(path);
                continue;
            }
            match lock(&path) {
                Ok(mut file) => {
                    let mut state = State::read(&mut file);
                    if !state.staged.is_empty() {
                        remove_staged(&state.staged);
                        state.staged.clear();
                    }
                    held.files.push((file, state));
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
                Err(_) => {}
            }
        }
        Ok(held)
    }

    /// Returns whether a lock's file was left by a restore that was killed, or was not used for so long that it
    /// may go.
    pub(crate) fn is_abandoned(path: &Path, is_old: impl Fn(&Metadata) -> bool) -> bool {
        let Ok(mut file) = File::options().read(true).write(true).open(path) else { return false };
        let left = !State::read(&mut file).staged.is_empty();
        let old = file.metadata().is_ok_and(|metadata| is_old(&metadata));
        (left || old) && matches!(try_exclusive(&file), Ok(Tried::Locked))
    }

    /// Removes a lock's file and what a killed restore has left, unless somebody has the lock.
    ///
    /// # Errors
    /// Those of open(2) and unlink(2).
    pub(crate) fn remove_abandoned(path: &Path) -> io::Result<()> {
        let mut file = match File::options().read(true).write(true).open(path) {
            Err(error) if is_absent(&error) => return Ok(()),
            opened => opened?,
        };
        if !matches!(try_exclusive(&file), Ok(Tried::Locked)) || !has_name(&file, path) {
            return Ok(());
        }
        remove_staged(&State::read(&mut file).staged);
        fault::point("restores.swept");
        std::fs::remove_file(path)
    }
}

/// Opens and locks a file that still has its name then.
fn lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    loop {
        let file = match options.open(path) {
            // A store that was made before there were any, or from which somebody removed them.
            Err(error) if is_absent(&error) => {
                super::make_way(path)?;
                options.open(path)?
            }
            // Nobody can write a note there, but the lock can be had.
            Err(error) => File::open(path).map_err(|_| error)?,
            Ok(file) => file,
        };
        lock::exclusive_if_offered(&file, PATIENCE)?;
        if has_name(&file, path) {
            return Ok(file);
        }
    }
}

fn has_name(file: &File, path: &Path) -> bool {
    let id = |metadata: Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata().map(id), std::fs::symlink_metadata(path).map(id)), (Ok(a), Ok(b)) if a == b)
}

/// Removes directories of staged files. The store is not trusted to name anything else.
fn remove_staged(staged: &[PathBuf]) {
    for path in staged {
        let is_ours = path.is_absolute()
            && path.file_name().is_some_and(|name| name.as_bytes().starts_with(STAGING.as_bytes()))
            && std::fs::symlink_metadata(path)
                .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == process::user());
        if is_ours {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

impl State {
    /// Reads what a lock's file says; one that says nothing sensible says nothing.
    fn read(file: &mut File) -> Self {
        // More than a few staging directories are rare, and worth another read.
        let mut bytes = vec![0; 4096];
        let read = file.read(&mut bytes).unwrap_or(0);
        bytes.truncate(read);
        if read == 4096 {
            let _ = file.read_to_end(&mut bytes);
        }
        let mut parts = bytes.split(|&byte| byte == 0);
        let count = parts.next().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0);
        let paths = parts.filter(|path| !path.is_empty());
        Self { count, staged: paths.map(|path| std::ffi::OsString::from_vec(path.to_vec()).into()).collect() }
    }

    fn write(&self, file: &File) -> io::Result<()> {
        let mut bytes = Vec::new();
        write!(bytes, "{}", self.count)?;
        for path in &self.staged {
            bytes.push(0);
            bytes.extend_from_slice(path.as_os_str().as_bytes());
        }
        bytes.push(0);
        file.write_all_at(&bytes, 0)?;
        file.set_len(bytes.len() as u64)
    }
}

impl Held {
    /// Notes a directory that is about to be made for staged files.
    pub fn note_staging(&mut self, path: &Path) {
        if let Some((file, state)) = self.files.first_mut() {
            state.staged.push(path.to_owned());
            // A restore goes on all the same: what it would leave, if it were killed, is all that is at stake.
            let _ = state.write(file);
        }
    }

    /// Notes that something is about to be put back.
    pub fn begin(&mut self) {
        for (file, state) in &mut self.files {
            state.count = state.count.wrapping_add(1);
            let _ = state.write(file);
        }
        // Nobody waits in a circle here either: these come behind all that are locked.
        for path in std::mem::take(&mut self.counted) {
            let Ok(mut file) = lock(&path) else { continue };
            let state = State::read(&mut file);
            let _ = State { count: state.count.wrapping_add(1), ..state }.write(&file);
        }
    }

    /// Notes that nothing is staged any more.
    pub fn end(&mut self) {
        if let Some((file, state)) = self.files.first_mut()
            && !state.staged.is_empty()
        {
            state.staged.clear();
            let _ = state.write(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::Fixture;

    #[test]
    fn each_restore_is_counted() {
        let fixture = Fixture::new();
        let restores = Restores::new(fixture.store.path());
        let place = PathBuf::from("/somewhere");
        let mut counts = vec![restores.count(&place)];
        for _ in 0..3 {
            let mut held = restores.hold(&[place.clone(), place.clone()]).unwrap();
            held.begin();
            held.end();
            drop(held);
            let count = restores.count(&place);
            assert!(!counts.contains(&count));
            counts.push(count);
        }
        drop(restores.hold(std::slice::from_ref(&place)).unwrap());
        assert_eq!(Some(&restores.count(&place)), counts.last(), "looking is no restore");
    }

    #[test]
    fn each_of_many_places_is_counted_and_few_are_locked() {
        let fixture = Fixture::new();
        let restores = Restores::new(fixture.store.path());
        let places: Vec<PathBuf> = (0..2 * MOST_LOCKED).map(|n| format!("/somewhere/{n}").into()).collect();
        for _ in 0..2 {
            let before: Vec<Count> = places.iter().map(|place| restores.count(place)).collect();
            let mut held = restores.hold(&places).unwrap();
            assert_eq!(held.files.len(), MOST_LOCKED);
            held.begin();
            drop(held);
            for (place, before) in places.iter().zip(before) {
                assert_ne!(restores.count(place), before, "{}", place.display());
            }
        }
    }

    #[test]
    fn what_a_killed_restore_left_goes_and_nothing_else_does() {
        let fixture = Fixture::new();
        let restores = Restores::new(fixture.store.path());
        let place = PathBuf::from("/somewhere");
        let directory = std::env::temp_dir().join(format!("memo-restores-{}", process::id()));
        let left = directory.join(".memo-1-1");
        std::fs::create_dir_all(left.join("x")).unwrap();
        std::fs::create_dir_all(directory.join("mine")).unwrap();
        std::fs::create_dir_all(directory.join(".memo-2-2/mine")).unwrap();
        std::os::unix::fs::symlink("mine", directory.join(".memo-link")).unwrap();
        let mut held = restores.hold(std::slice::from_ref(&place)).unwrap();
        for path in [&left, &directory.join("mine"), &directory.join(".memo-link")] {
            held.note_staging(path);
        }
        let path = restores.path(&place);
        assert!(!Restores::is_abandoned(&path, |_| true), "somebody has it");
        Restores::remove_abandoned(&path).unwrap();
        assert!(left.exists() && path.exists());
        drop(held);
        assert!(Restores::is_abandoned(&path, |_| false));
        drop(restores.hold(&[place]).unwrap());
        assert!(!left.exists());
        assert!(directory.join("mine").exists() && directory.join(".memo-2-2/mine").exists());
        assert!(directory.join(".memo-link").is_symlink());
        Restores::remove_abandoned(&path).unwrap();
        assert!(!path.exists());
        std::fs::remove_dir_all(directory).unwrap();
    }
}
