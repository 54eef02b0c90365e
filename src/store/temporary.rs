//! Files on their way: made under a name of their own, renamed into place when they are whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::process;

/// A file that is removed again unless it is put in place.
#[derive(Debug)]
#[must_use = "it is removed when it is dropped"]
pub struct Temporary {
    /// The open file.
    pub file: File,
    /// Its name; none when it has gone into place.
    path: Option<PathBuf>,
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
                Ok(file) => return Ok(Self { file, path: Some(path) }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }

    /// Renames it into place, replacing what is there.
    ///
    /// # Errors
    /// Those of rename(2).
    pub fn persist(mut self, to: &Path) -> io::Result<()> {
        std::fs::rename(self.path(), to)?;
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
