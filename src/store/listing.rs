//! What is in a directory of the store.

use std::fs::DirEntry;
use std::path::Path;

use super::location::Trouble;
use crate::sys::file::is_absent;

/// Returns what is in a directory, in no order; nothing where there is no directory.
///
/// # Errors
/// Those of readdir(3).
pub(super) fn list(directory: &Path) -> Result<Vec<DirEntry>, Trouble> {
    let trouble = |error| Trouble::io("list", directory, error);
    match std::fs::read_dir(directory) {
        Err(error) if is_absent(&error) => Ok(Vec::new()),
        listing => listing.and_then(Iterator::collect).map_err(trouble),
    }
}
