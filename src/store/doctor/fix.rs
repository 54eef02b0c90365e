//! Setting right what was found.

use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::look::{DIRECTORIES, QUARANTINE};
use super::{Fault, Place, Remedy, Report, hold, look};
use crate::action::identity::Timestamp;
use crate::fault;
use crate::store::generation::Generation;
use crate::store::index::Index;
use crate::store::location::{self, Trouble};
use crate::store::usage::Usage;
use crate::store::{FORMAT, SIGNATURE, Store, TAG_TEXT, gc, secret};
use crate::sys::file::rename_noreplace;

/// Sets right what a look through the store found, and removes what killed runs have left. What was set right
/// by somebody else meanwhile is left alone.
///
/// # Errors
/// [`Trouble`] when the system will not; what is left to do the next look finds.
pub fn fix(store: &Store, user: u32, now: Timestamp, report: &Report) -> Result<(), Trouble> {
    // One that cannot be set right must not keep the others from it.
    let mut first = Ok(());
    let mut set_right = |fault: &Fault| {
        let done = remedy(store, now, fault);
        if first.is_ok() {
            first = done;
        }
    };
    // The file that is locked first: without it nothing else is sure.
    let is_needed = |fault: &&Fault| matches!(fault.remedy, Remedy::Make | Remedy::Replace);
    report.faults.iter().filter(is_needed).for_each(&mut set_right);
    fault::point("doctor.made");
    let held = hold(store)?;
    report.faults.iter().filter_map(|fault| look::again(store, user, fault)).for_each(|it| set_right(&it));
    fault::point("doctor.quarantined");
    // What moved away, entries may have needed.
    let faults = look::through(store, user)?.faults;
    faults.iter().filter(|fault| fault.remedy == Remedy::Drop).for_each(&mut set_right);
    fault::point("doctor.dropped");
    for leftover in gc::abandoned(store, now)? {
        leftover.remove()?;
    }
    if look::index(store, now)?.is_some() {
        let path = Path::new("index.db");
        if store.path().join(path).is_file() { Index::discard(store)? } else { quarantine(store, path)? }
    }
    fault::point("doctor.index");
    let mut index = Index::open(store, now)?;
    Usage { total: index.disk()?, finished: true }.note(store);
    drop(held);
    first
}

fn remedy(store: &Store, now: Timestamp, fault: &Fault) -> Result<(), Trouble> {
    match (&fault.place, fault.remedy) {
        (Place::File(path), Remedy::Quarantine) => quarantine(store, path),
        (Place::File(path), Remedy::Replace) if path == Path::new("generation") => renumber(store, now),
        (Place::File(path), Remedy::Replace) => {
            quarantine(store, path)?;
            make(store, now, path)
        }
        (Place::File(path), Remedy::Make) => make(store, now, path),
        (Place::File(path), Remedy::Close) => close(&store.path().join(path)),
        (Place::Entry(key, outcome), _) => store.remove(key, |entry| entry.id == *outcome).map(|_| ()),
        // The index comes last, from what the files are then.
        (Place::Index, _) | (_, Remedy::Drop | Remedy::Rebuild) => Ok(()),
    }
}

/// Moves something out of the way, replacing nothing.
fn quarantine(store: &Store, path: &Path) -> Result<(), Trouble> {
    let from = store.path().join(path);
    let directory = store.path().join(QUARANTINE);
    location::make(&directory)?;
    let flat: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let name = flat.join("-");
    for number in 0_u32.. {
        let to = directory.join(if number == 0 { name.clone() } else { format!("{name}.{number}") });
        match rename_noreplace(&from, &to) {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if crate::sys::file::is_unsupported(&error) && !to.exists() => {
                std::fs::rename(&from, &to).map_err(|error| Trouble::io("move", &from, error))?;
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(Trouble::io("move", &from, error)),
        }
    }
    Ok(())
}

fn make(store: &Store, now: Timestamp, path: &Path) -> Result<(), Trouble> {
    let name = path.to_str().unwrap_or_default();
    if DIRECTORIES.contains(&name) {
        return location::make(&store.path().join(path));
    }
    // Files are written by way of it.
    location::make(&store.path().join("tmp"))?;
    match name {
        "FORMAT" => store.write_new(name, format!("{FORMAT}\n").as_bytes()),
        "generation" => store.write_new(name, &number(now)),
        secret::NAME => store.make_secret(),
        "CACHEDIR.TAG" => store.write_new(name, &[SIGNATURE, TAG_TEXT].concat()),
        _ => Ok(()),
    }
}

/// Returns a number that no run under way has seen: it is not known whether a `clear` came between.
fn number(now: Timestamp) -> Vec<u8> {
    format!("{}\n", now.0.unsigned_abs().max(1)).into_bytes()
}

/// Writes a new number in place, for others may be waiting for the lock on this very file.
fn renumber(store: &Store, now: Timestamp) -> Result<(), Trouble> {
    let path = store.path().join("generation");
    if !path.is_file() {
        quarantine(store, Path::new("generation"))?;
        return make(store, now, Path::new("generation"));
    }
    let file = Generation::exclusive(store)?.file;
    let number = number(now);
    file.write_all_at(&number, 0)
        .and_then(|()| file.set_len(number.len() as u64))
        .map_err(|error| Trouble::io("write", &path, error))
}

fn close(path: &PathBuf) -> Result<(), Trouble> {
    let trouble = |error| Trouble::io("change", path, error);
    let metadata = std::fs::symlink_metadata(path).map_err(trouble)?;
    let mode = metadata.mode() & 0o7777 & !0o022;
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).map_err(trouble)
}
