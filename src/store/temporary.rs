//! Files on their way: made under a name of their own, renamed into place when they are whole.

use std::fs::File;
use std::io::{self, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::file::{give_name, open_unnamed};
use crate::sys::process;

/// A file that is removed again unless it is put in place.
#[derive(Debug)]
#[must_use = "it is removed when it is dropped"]
pub struct Temporary {
    /// The open file.
    pub file: File,
    /// Its name; none when it has gone into place, and none yet when it is to get one.
    path: Option<PathBuf>,
    /// Where it gets a name, and how that begins.
    unnamed: Option<(PathBuf, &'static str)>,
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Returns a name that this process has not used yet.
fn fresh_name(directory: &Path, prefix: &str) -> PathBuf {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    directory.join(format!("{prefix}{}-{number}", process::id()))
}

/// Returns the number of the process that made a temporary file, as its name says; `None` for what is none.
pub fn maker(name: &str) -> Option<i32> {
    let (before, number) = name.rsplit_once('-')?;
    let (prefix, process) = before.rsplit_once('-')?;
    let is_ours = !prefix.is_empty() && number.parse::<u32>().is_ok();
    process.parse().ok().filter(|process| is_ours && *process > 0)
}

impl Temporary {
    /// Makes a file in a directory. Its name begins with `prefix` and cannot be another process's: one
    /// that is taken, by a process of the same number in another container, is passed over.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn create(directory: &Path, prefix: &str, mode: u32) -> io::Result<Self> {
        loop {
            let path = fresh_name(directory, prefix);
            match File::options().read(true).write(true).create_new(true).mode(mode).open(&path) {
                Ok(file) => return Ok(Self { file, path: Some(path), unnamed: None }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes a file that has no name before it is put in place, so that nothing stays in the user's
    /// directory when memo is killed; where the file system has no such files, one with a name.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn create_unnamed(directory: &Path, prefix: &'static str, mode: u32) -> io::Result<Self> {
        match open_unnamed(directory, mode) {
            Ok(file) => Ok(Self { file, path: None, unnamed: Some((directory.to_owned(), prefix)) }),
            Err(_) => Self::create(directory, prefix, mode),
        }
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }

    /// Returns a copy that has a name, for a file that cannot get one: without /proc, in some containers.
    fn copy(&self, directory: &Path, prefix: &str) -> io::Result<Self> {
        let mut copy = Self::create(directory, prefix, 0o600)?;
        let mut from = &self.file;
        from.rewind()?;
        io::copy(&mut from, &mut copy.file)?;
        copy.file.set_permissions(self.file.metadata()?.permissions())?;
        Ok(copy)
    }

    /// Renames it into place, replacing what is there.
    ///
    /// # Errors
    /// Those of rename(2).
    pub fn persist(mut self, to: &Path) -> io::Result<()> {
        if let Some((directory, prefix)) = self.unnamed.take() {
            match give_name(&self.file, to) {
                Ok(()) => return Ok(()),
                // rename(2) replaces, linkat(2) does not: it has a name of its own for a moment.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    self.path = Some(loop {
                        let path = fresh_name(&directory, prefix);
                        match give_name(&self.file, &path) {
                            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                            done => break done.map(|()| path)?,
                        }
                    });
                }
                Err(_) => self = self.copy(&directory, prefix)?,
            }
        }
        std::fs::rename(self.path(), to)?;
        self.path = None;
        Ok(())
    }

    /// Renames it into place only if nothing is there.
    ///
    /// # Errors
    /// EEXIST when something is, and the others of renameat2(2).
    pub fn persist_new(mut self, to: &Path) -> io::Result<()> {
        if let Some((directory, prefix)) = self.unnamed.take() {
            match give_name(&self.file, to) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    self = self.copy(&directory, prefix)?;
                }
                done => return done,
            }
        }
        match crate::sys::file::rename_noreplace(self.path(), to) {
            // link(2) replaces nothing either, on every file system that has hard links.
            Err(error) if crate::sys::file::is_unsupported(&error) => {
                std::fs::hard_link(self.path(), to)?;
                return Ok(());
            }
            done => done?,
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // Nothing can be done about one that stays; gc takes it.
            let _ = std::fs::remove_file(path);
        }
    }
}
