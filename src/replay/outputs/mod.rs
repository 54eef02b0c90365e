//! Outputs back into place, by value: a copy (or shared blocks, where the file system can), never a hard link
//! and never through a link that is there.
//!
//! Everything is staged and verified first, then put in place by renames; if one of them fails, those before
//! it are taken back. Bytes that are already there are left alone; their time is brought up only when make
//! would otherwise find them older than the newest input.
//!
//! # What is never lost
//! * A declared file may be replaced, as a run would do. A directory never is, and neither is anything that a
//!   run left alone ([`Found`](crate::store::outcome::OutputKind::Found)), unless an outcome of this action recorded it.
//! * What lies in a declared directory besides goes only if an outcome of this action made it, as it is now.
//! * Below a declared directory no link is followed. The declared place itself may be one to a directory: it
//!   is the user's, and a run would write behind it too.
//!
//! # Crash safety
//! Each rename leaves a name with its old content or its new one. Killed between two of them, a restore leaves
//! some of each, and the next call puts the rest right.

mod extras;
mod foretold;
mod ground;
mod plan;
mod staging;
mod swap;

pub use foretold::in_the_way;
pub use ground::physical;
pub use plan::stage;
pub use swap::Staged;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::action::onlooker::Onlooker;
use crate::action::output::Outputs;
use crate::store::blobs::{BadBlob, Blobs};
use crate::store::outcome::{Content, Output};
use crate::store::restores::Restores;

/// Why outputs cannot be put back; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A blob is not what it should be.
    #[error(transparent)]
    Blob(#[from] BadBlob),
    /// The outcome names a place this call did not declare.
    #[error("it names `{}`, which this call does not declare", .0.display())]
    Undeclared(PathBuf),
    /// Something is there that no run of memo's is known to have made.
    #[error("`{}` is in the way", .0.display())]
    InTheWay(PathBuf),
    /// A file that was made beside others: their directory is not there, and a run would not make it.
    #[error("there is no directory `{}`", .0.display())]
    NoDirectory(PathBuf),
    /// The system will not.
    #[error("cannot restore `{}`: {source}", path.display())]
    Io {
        /// The output.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What outcomes of this action are known to have made, by path.
pub type Known = HashMap<PathBuf, Vec<Content>>;

/// The surroundings of a restore.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// What this call declares by `-o`.
    pub declared: &'a Outputs,
    /// The paths that words of this call name.
    pub words: &'a [PathBuf],
    /// Where content is.
    pub blobs: &'a Blobs,
    /// The locks.
    pub restores: &'a Restores,
    /// Finds out what outcomes of this action made; asked only when something is in the way.
    pub known: &'a dyn Fn() -> Known,
    /// The newest modification time of the inputs, in ns since 1970.
    pub newest_input: Option<i64>,
    /// The caller's file mode creation mask.
    pub mask: u32,
    /// The store, by device and inode: never looked into.
    pub store: Option<(u64, u64)>,
    /// Who is told how far it is.
    pub onlooker: Option<&'a dyn Onlooker>,
}

/// Returns the permission bits that an output gets: those of the run, or where these were what anything new
/// got, what the caller's mask makes of something new.
fn mode(output: &Output, mask: u32) -> u32 {
    let recorded = output.mode & 0o777;
    if !output.follows_mask {
        recorded
    } else if output.content == Content::Directory || recorded & 0o111 != 0 {
        0o777 & !mask
    } else {
        0o666 & !mask
    }
}

/// Returns whether permission bits are those that a new file or directory gets under a mask.
pub fn follows_mask(mode: u32, mask: u32) -> bool {
    let bits = mode & 0o7777;
    bits == 0o666 & !mask || bits == 0o777 & !mask
}

/// Returns the path before the last name.
fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

#[cfg(test)]
mod tests;
