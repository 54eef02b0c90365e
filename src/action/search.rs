//! Where a program is found: the search of execvp(3).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::sys::file::is_executable;

/// The search path of execvp(3) where PATH is not set (confstr(3), _CS_PATH).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Why a program cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRunnable {
    /// Nothing has this name: exit 127.
    #[error("no such command")]
    NotFound,
    /// It is there but may not be executed: exit 126.
    #[error("Permission denied")]
    NotExecutable,
    /// It is a directory: exit 126.
    #[error("Is a directory")]
    Directory,
}

/// Returns the file that execvp(3) would run for a first word.
///
/// # Errors
/// [`NotRunnable`].
pub fn find(word: &OsStr, search_path: Option<&OsStr>) -> Result<PathBuf, NotRunnable> {
    if word.is_empty() {
        return Err(NotRunnable::NotFound);
    }
    if word.as_bytes().contains(&b'/') {
        let path = PathBuf::from(word);
        return look(&path).map(|()| path);
    }
    let mut best = NotRunnable::NotFound;
    for directory in search_path.unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes().split(|&byte| byte == b':') {
        // An empty entry is the working directory; `./` says so to execve(2).
        let directory = if directory.is_empty() { &b"."[..] } else { directory };
        let path = Path::new(OsStr::from_bytes(directory)).join(word);
        match look(&path) {
            Ok(()) => return Ok(path),
            // A directory of this name further up the path is passed over, as execvp(3) does with EACCES.
            Err(NotRunnable::NotFound) => {}
            Err(error) => best = error,
        }
    }
    Err(best)
}

fn look(path: &Path) -> Result<(), NotRunnable> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(NotRunnable::NotExecutable),
        Err(_) => Err(NotRunnable::NotFound),
        Ok(metadata) if metadata.is_dir() => Err(NotRunnable::Directory),
        Ok(_) if is_executable(path) => Ok(()),
        Ok(_) => Err(NotRunnable::NotExecutable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_slash_is_looked_up() {
        assert_eq!(find(OsStr::new("sh"), Some(OsStr::new("/nonexistent:/bin"))), Ok("/bin/sh".into()));
        assert_eq!(find(OsStr::new("sh"), Some(OsStr::new("/nonexistent"))), Err(NotRunnable::NotFound));
        assert_eq!(find(OsStr::new("/etc"), None), Err(NotRunnable::Directory));
        assert_eq!(find(OsStr::new("/etc/passwd"), None), Err(NotRunnable::NotExecutable));
        assert_eq!(find(OsStr::new(""), None), Err(NotRunnable::NotFound));
    }
}
