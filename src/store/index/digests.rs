//! Digests of large files by their stat identity, so that a new command over a file that did not change need
//! not read it.
//!
//! A wrong digest would be a wrong hit, and SQLite does not verify what it reads; so each row has a digest of
//! its own. Whatever goes wrong, the file is hashed.
//!
//! # Performance
//! The index is opened when the first large file is to be hashed, not before, and written to when the
//! user has everything: see [`Digests::keep`].

use std::cell::{OnceCell, RefCell};
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::{Fault, column, schema};
use crate::action::digest::{Digest, Digester};
use crate::action::identity::Identity;
use crate::action::known::KnownDigests;
use crate::fault;
use crate::store::Store;

/// How many are kept; the oldest go.
const MOST: i64 = 4096;

/// Digests of large files, as the index of a store has them.
#[derive(Debug)]
pub struct Digests {
    path: PathBuf,
    /// For reading; `None` where there is no index or it cannot be read.
    connection: OnceCell<Option<Connection>>,
    learned: RefCell<Vec<(Identity, Digest)>>,
}

impl Digests {
    /// Returns those of a store; nothing is opened yet.
    pub fn new(store: &Store) -> Self {
        Self { path: super::path(store), connection: OnceCell::new(), learned: RefCell::default() }
    }

    /// Writes down what was learned. Another process that has the index is not waited for.
    pub fn keep(&self) {
        let learned = self.learned.take();
        if !learned.is_empty() {
            let _ = self.write(&learned);
        }
    }

    fn write(&self, learned: &[(Identity, Digest)]) -> Result<(), Fault> {
        let store = self.path.parent().unwrap_or(&self.path);
        if crate::store::format(store)? != Some(crate::store::FORMAT) {
            return Err(Fault::Newer);
        }
        let mut connection = schema::open_within(&self.path, Duration::ZERO)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let last: i64 =
            transaction.query_row("SELECT coalesce(max(number), 0) FROM digests", [], |row| row.get(0))?;
        for (number, (identity, digest)) in (last + 1..).zip(learned) {
            transaction.execute(
                "INSERT OR REPLACE INTO digests (identity, digest, proof, number) VALUES (?1, ?2, ?3, ?4)",
                params![
                    column::identity(identity),
                    digest.as_bytes(),
                    proof(identity, digest).as_bytes(),
                    number
                ],
            )?;
            transaction.execute("DELETE FROM digests WHERE number <= ?1", [number - MOST])?;
        }
        fault::point("digests.written");
        transaction.commit()?;
        Ok(())
    }

    fn read(&self, identity: &Identity) -> Option<Digest> {
        let open = || if self.path.exists() { schema::open_to_read(&self.path).ok() } else { None };
        let connection = self.connection.get_or_init(open).as_ref()?;
        let mut statement =
            connection.prepare_cached("SELECT digest, proof FROM digests WHERE identity = ?1").ok()?;
        let found = statement.query_row([column::identity(identity)], |row| Ok((row.get(0)?, row.get(1)?)));
        let (digest, proved): ([u8; Digest::LENGTH], [u8; Digest::LENGTH]) = found.optional().ok()??;
        let digest = Digest::from_bytes(digest);
        (*proof(identity, &digest).as_bytes() == proved).then_some(digest)
    }
}

impl KnownDigests for Digests {
    fn get(&self, identity: &Identity) -> Option<Digest> {
        let learned = self.learned.borrow();
        let now = learned.iter().find(|(known, _)| known == identity).map(|(_, digest)| *digest);
        now.or_else(|| self.read(identity))
    }

    fn put(&self, identity: &Identity, digest: &Digest) {
        self.learned.borrow_mut().push((*identity, *digest));
    }
}

fn proof(identity: &Identity, digest: &Digest) -> Digest {
    let mut digester = Digester::new();
    digester.field(b"memo-digests/1");
    digester.field(&column::identity(identity));
    digester.field(digest.as_bytes());
    digester.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::Fixture;

    fn identity(ino: u64) -> Identity {
        Identity { dev: 1, ino, mode: 0o100_644, uid: 0, gid: 0, size: 1 << 30, mtime: 5, ctime: 6 }
    }

    #[test]
    fn what_was_learned_is_known_to_the_next() {
        let fixture = Fixture::new();
        let first = Digests::new(&fixture.store);
        assert_eq!(first.get(&identity(1)), None);
        assert!(!fixture.store.path().join("index.db").exists(), "asking makes nothing");
        first.put(&identity(1), &Digest::of(b"1"));
        assert_eq!(first.get(&identity(1)), Some(Digest::of(b"1")));
        first.keep();
        let second = Digests::new(&fixture.store);
        assert_eq!(second.get(&identity(1)), Some(Digest::of(b"1")));
        assert_eq!(second.get(&Identity { ctime: 7, ..identity(1) }), None);
        second.put(&identity(1), &Digest::of(b"2"));
        second.keep();
        assert_eq!(Digests::new(&fixture.store).get(&identity(1)), Some(Digest::of(b"2")));
    }

    #[test]
    fn the_oldest_go() {
        let fixture = Fixture::new();
        let digests = Digests::new(&fixture.store);
        for ino in 0..MOST.cast_unsigned() + 2 {
            digests.put(&identity(ino), &Digest::of(b""));
        }
        digests.keep();
        let digests = Digests::new(&fixture.store);
        assert_eq!([0, 1, 2].map(|ino| digests.get(&identity(ino)).is_some()), [false, false, true]);
    }

    #[test]
    fn a_row_that_was_changed_is_not_believed() {
        let fixture = Fixture::new();
        let digests = Digests::new(&fixture.store);
        digests.put(&identity(1), &Digest::of(b"1"));
        digests.keep();
        let path = fixture.store.path().join("index.db");
        crate::store::index::tests::tamper(&path, "UPDATE digests SET digest = zeroblob(32)");
        assert_eq!(Digests::new(&fixture.store).get(&identity(1)), None);
        std::fs::write(&path, "no index").unwrap();
        assert_eq!(Digests::new(&fixture.store).get(&identity(1)), None);
    }
}
