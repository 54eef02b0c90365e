//! Whether a restore would be refused, foretold without staging anything.
//!
//! Not foretold is what only lies where a recorded directory is to be, and what the system itself would refuse:
//! the call that finds that runs its command.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Known;
use crate::action::digest::Digest;
use crate::action::identity::{FileKind, Identity};
use crate::store::outcome::{Content, Output, OutputKind};

/// Returns the first output in whose place something stands that a restore would not replace. `known` finds out
/// what outcomes of this action made.
pub fn in_the_way(outputs: &[Output], known: &dyn Fn() -> Known) -> Option<PathBuf> {
    let mut made: Option<HashMap<PathBuf, Vec<Content>>> = None;
    let refused = outputs.iter().find(|output| {
        let Ok(current) = Identity::of_entry(&output.path) else { return false };
        if holds(&output.path, &output.content, &current) {
            return false;
        }
        if matches!(current.kind(), FileKind::Directory | FileKind::Special) {
            return true;
        }
        match output.kind {
            OutputKind::Automatic => true,
            OutputKind::Found => {
                let made = made.get_or_insert_with(known).get(&output.path);
                !made.is_some_and(|made| made.iter().any(|made| holds(&output.path, made, &current)))
            }
            OutputKind::Rewritten => false,
            OutputKind::Declared | OutputKind::Replaced | OutputKind::Made => {
                output.content == Content::Directory
            }
        }
    });
    refused.map(|output| output.path.clone())
}

/// Returns whether what is at a path is this.
fn holds(path: &Path, content: &Content, current: &Identity) -> bool {
    match content {
        Content::Directory => current.kind() == FileKind::Directory,
        Content::Link(text) => {
            current.kind() == FileKind::Link
                && std::fs::read_link(path).is_ok_and(|is| is.as_os_str().as_bytes() == text)
        }
        Content::File { digest, length } => {
            current.kind() == FileKind::File
                && current.size == *length
                && File::open(path)
                    .and_then(|file| Digest::of_file(&file, *length))
                    .is_ok_and(|found| found == *digest)
        }
    }
}
