//! The project's file: the nearest `memo.toml` from the working directory upwards.
//!
//! The search ends at the home directory, which is the last one looked at, at a mount point, and at the
//! store. Each directory costs one lstat(2) that fails, 1 to 2 us.

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
        // Half the cost of an open(2), and all there is in most directories.
        match Path::new(&way).symlink_metadata() {
            Ok(_) => {
                return open(Path::new(&way)).map(|file| Found { directory: directory.to_owned(), file });
            }
            Err(error) if is_absent(&error) => {}
            // A directory that may not be looked into is none of the user's projects.
            Err(_) => return None,
        }
        if home == Some(directory) {
            return None;
        }
        way.insert_str(0, "../");
    }
    None
}

/// Opens a project's file that was found; `None` when a mount point is on the way to it.
fn open(way: &Path) -> Option<io::Result<File>> {
    match file::open_on_this_mount(way) {
        // The directory is on another mount, or the file in it is a link to one.
        Err(error) if file::is_another_mount(&error) => {
            let above = way.parent().filter(|above| !above.as_os_str().is_empty());
            file::is_on_this_mount(above.unwrap_or(Path::new("."))).then(|| file::open(way))
        }
        opened => Some(opened),
    }
}
