//! The project's file: the nearest `memo.toml` from the working directory upwards.
//!
//! The search ends at the home directory, which is the last one looked at, at a mount point, and at the
//! store. Each directory costs one openat2(2) that fails: 1.3 us (see `tests/it/config.rs` for how many).

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::sys::file::{self, is_absent};

/// The name of a project's file.
pub const NAME: &str = "memo.toml";

/// A project's file.
#[derive(Debug)]
pub(super) struct Found {
    /// The project: its directory.
    pub(super) directory: PathBuf,
    /// Its file, or why that could not be opened.
    pub(super) file: io::Result<File>,
}

/// Looks for the file of the project that the working directory, `here`, belongs to.
pub(super) fn find(here: &Path, home: Option<&Path>, store: Option<&Path>) -> Option<Found> {
    // By `..`, for what getcwd(2) says may be out of reach by its own path.
    let mut way = String::from(NAME);
    for directory in here.ancestors() {
        if store == Some(directory) {
            return None;
        }
        let found = |file| Some(Found { directory: directory.to_owned(), file });
        match file::open_on_this_mount(Path::new(&way)) {
            Ok(file) => return found(Ok(file)),
            Err(error) if is_absent(&error) => {}
            // The directory is on another mount, or the file in it is a link to one.
            Err(error) if file::is_another_mount(&error) => {
                let above = way.strip_suffix(NAME).filter(|above| !above.is_empty()).unwrap_or(".");
                if !file::is_on_this_mount(Path::new(above)) {
                    return None;
                }
                match file::open(Path::new(&way)) {
                    Err(error) if is_absent(&error) => {}
                    file => return found(file),
                }
            }
            // A directory that may not be looked into is none of the user's projects.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return if Path::new(&way).symlink_metadata().is_ok() { found(Err(error)) } else { None };
            }
            Err(error) => return found(Err(error)),
        }
        if home == Some(directory) {
            return None;
        }
        way.insert_str(0, "../");
    }
    None
}
