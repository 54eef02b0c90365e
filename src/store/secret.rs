//! The secret of a store: what values are sealed with, so that it can be said that one has changed and
//! nothing else.
//!
//! It is made with the store and never replaced: seals made with another one say nothing. One that is lost or
//! damaged costs only that `memo why` cannot tell values apart until all entries were made anew.

use std::io::{self, Write};

use super::Store;
use super::location::Trouble;
use super::temporary::Temporary;
use crate::action::digest::Digest;
use crate::action::part::Secret;
use crate::fault;
use crate::sys::file::{is_absent, rename_noreplace};
use crate::sys::random;

/// The name of its file, of mode 0600: the secret and the first eight bytes of its BLAKE3 digest.
pub const NAME: &str = "key";
/// Length of the check in bytes.
const CHECK: usize = 8;

fn check_of(secret: &[u8; Secret::LENGTH]) -> [u8; CHECK] {
    let mut check = [0; CHECK];
    check.copy_from_slice(&Digest::of(secret).as_bytes()[..CHECK]);
    check
}

impl Store {
    /// Returns the secret, if there is a sound one. A hit never asks.
    pub fn secret(&self) -> Option<Secret> {
        let bytes = std::fs::read(self.path().join(NAME)).ok()?;
        let (secret, check) = bytes.split_first_chunk()?;
        (*check == check_of(secret)).then(|| Secret::from_bytes(*secret))
    }

    /// Returns whether there is a secret, without reading it.
    pub(super) fn has_secret(&self) -> bool {
        let length = (Secret::LENGTH + CHECK) as u64;
        std::fs::symlink_metadata(self.path().join(NAME))
            .is_ok_and(|found| found.is_file() && found.len() == length)
    }

    /// Makes the secret unless there is one; of two processes that do, one wins. What is no secret is replaced.
    pub(super) fn make_secret(&self) -> Result<(), Trouble> {
        let path = self.path().join(NAME);
        let trouble = |error| Trouble::io("write", &path, error);
        if self.secret().is_some() {
            return Ok(());
        }
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => super::remove_directory(&path).map_err(trouble)?,
            Ok(_) => std::fs::remove_file(&path).or_else(absent_is_fine).map_err(trouble)?,
            Err(_) => {}
        }
        let mut bytes = [0; Secret::LENGTH];
        random::fill(&mut bytes).map_err(trouble)?;
        let mut temporary = Temporary::create(&self.path().join("tmp"), "new-", 0o600).map_err(trouble)?;
        temporary.file.write_all(&[&bytes[..], &check_of(&bytes)].concat()).map_err(trouble)?;
        fault::point("prepare.secret");
        // Neither replaces what another process made meanwhile; not every file system can do the first.
        let placed = match std::fs::hard_link(temporary.path(), &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                rename_noreplace(temporary.path(), &path)
            }
            done => done,
        };
        match placed {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(trouble(error)),
            _ => Ok(()),
        }
    }
}

fn absent_is_fine(error: io::Error) -> io::Result<()> {
    if is_absent(&error) { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::Fixture;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_made_once_and_is_nobody_elses_to_read() {
        let fixture = Fixture::new();
        let path = fixture.store.path().join(NAME);
        let first = std::fs::read(&path).unwrap();
        assert_eq!(first.len(), Secret::LENGTH + CHECK);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        fixture.store.make_secret().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
        assert_ne!(std::fs::read(Fixture::new().store.path().join(NAME)).unwrap(), first);
    }

    #[test]
    fn what_is_no_secret_is_replaced() {
        let fixture = Fixture::new();
        let path = fixture.store.path().join(NAME);
        for spoil in [
            (|path| std::fs::write(path, "short").unwrap()) as fn(&std::path::Path),
            |path| {
                std::fs::remove_file(path).unwrap();
                std::fs::create_dir(path).unwrap();
            },
            |path| std::fs::write(path, [0; Secret::LENGTH + CHECK]).unwrap(),
            |path| std::fs::remove_file(path).unwrap(),
        ] {
            spoil(&path);
            assert!(fixture.store.secret().is_none());
            fixture.store.make_secret().unwrap();
            assert!(fixture.store.secret().is_some());
        }
    }
}
