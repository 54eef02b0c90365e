//! Observations as files keep them: the encoding of a subject and of its state.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::codec::{Malformed, Reader, Writer};
use crate::action::listing::Listing;
use crate::action::observation::{State, Subject};

/// Writes what was looked at; a path below the root is kept relative to it.
pub fn write_subject(w: &mut Writer, subject: &Subject, root: Option<&Path>) {
    let kind = match subject {
        Subject::File(_) => 0,
        Subject::Input(_) => 1,
        Subject::Program(_) => 2,
        Subject::Absent(_) => 3,
        Subject::Link(_) => 4,
        Subject::Listing(_) => 5,
        Subject::Tree(_) => 6,
        Subject::Command(_) => 7,
        Subject::Stamp(_) => 8,
    };
    w.byte(kind);
    match subject {
        Subject::Command(name) => _ = w.bytes(name.as_bytes()),
        Subject::Listing(Listing { root: place, pattern, excluded }) => {
            write_place(w, place, root);
            match pattern {
                None => w.byte(0),
                Some(pattern) => w.byte(1).bytes(pattern),
            };
            w.number(excluded.len() as u64);
            for pattern in excluded {
                w.bytes(pattern);
            }
        }
        other => write_place(w, other.path(), root),
    }
}

/// Reads what was looked at.
///
/// # Errors
/// [`Malformed`] when the bytes are not those of one.
pub fn read_subject(r: &mut Reader<'_>, root: Option<&Path>) -> Result<Subject, Malformed> {
    Ok(match r.byte()? {
        0 => Subject::File(read_place(r, root)?),
        1 => Subject::Input(read_place(r, root)?),
        2 => Subject::Program(read_place(r, root)?),
        3 => Subject::Absent(read_place(r, root)?),
        4 => Subject::Link(read_place(r, root)?),
        5 => Subject::Listing(Listing {
            root: read_place(r, root)?,
            pattern: match r.byte()? {
                0 => None,
                1 => Some(r.bytes()?.to_vec()),
                _ => return Err(Malformed),
            },
            excluded: r.list(|r| Ok(r.bytes()?.to_vec()))?,
        }),
        6 => Subject::Tree(read_place(r, root)?),
        7 => Subject::Command(std::ffi::OsString::from_vec(r.bytes()?.to_vec())),
        8 => Subject::Stamp(read_place(r, root)?),
        _ => return Err(Malformed),
    })
}

/// Writes what was seen.
pub fn write_state(w: &mut Writer, state: &State, root: Option<&Path>) {
    match state {
        State::Content { digest, bits, identities } => {
            w.byte(0).digest(digest).number((*bits).into()).number(identities.len() as u64);
            for identity in identities {
                w.identity(identity);
            }
        }
        State::Absent => _ = w.byte(1),
        State::Link(text) => _ = w.byte(2).bytes(text),
        State::Listing { digest, folders } => {
            w.byte(3).digest(digest).number(folders.len() as u64);
            for (path, identity) in folders {
                w.path(path).identity(identity);
            }
        }
        State::Tree { digest, young } => {
            w.byte(4).digest(digest).number(young.len() as u64);
            for (path, digest) in young {
                w.path(path).digest(digest);
            }
        }
        State::Command(path) => {
            w.byte(5);
            write_place(w, path, root);
        }
        State::Stamp(identity) => _ = w.byte(6).identity(identity),
    }
}

/// Reads what was seen.
///
/// # Errors
/// [`Malformed`] when the bytes are not those of one.
pub fn read_state(r: &mut Reader<'_>, root: Option<&Path>) -> Result<State, Malformed> {
    Ok(match r.byte()? {
        0 => State::Content { digest: r.digest()?, bits: r.small()?, identities: r.list(Reader::identity)? },
        1 => State::Absent,
        2 => State::Link(r.bytes()?.to_vec()),
        3 => State::Listing { digest: r.digest()?, folders: r.list(|r| Ok((r.path()?, r.identity()?)))? },
        4 => State::Tree { digest: r.digest()?, young: r.list(|r| Ok((r.path()?, r.digest()?)))? },
        5 => State::Command(read_place(r, root)?),
        6 => State::Stamp(r.identity()?),
        _ => return Err(Malformed),
    })
}

fn write_place(w: &mut Writer, path: &Path, root: Option<&Path>) {
    match root.and_then(|root| path.strip_prefix(root).ok()) {
        Some(below) => w.byte(1).path(below),
        None => w.byte(0).path(path),
    };
}

fn read_place(r: &mut Reader<'_>, root: Option<&Path>) -> Result<PathBuf, Malformed> {
    match (r.byte()?, root) {
        (0, _) => r.path(),
        (1, Some(root)) => Ok(root.join(r.path()?)),
        // Whoever only looks the manifest over has no root; the path is then shown as it is kept.
        (1, None) => r.path(),
        _ => Err(Malformed),
    }
}
