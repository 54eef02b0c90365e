//! The journal: one short record for each hit, miss and commit, appended to a file.
//!
//! It is what the index does not know yet. An append costs a hit next to nothing, where a row in SQLite
//! would cost more than the hit.
//!
//! # Locking
//! An append holds a shared lock and makes sure that the file still has the name. A fold takes the
//! exclusive one, renames the journal to `journal.N`, and lets go.
//!
//! # Format
//! Records of [`Record::LENGTH`] bytes: `mjr1`, kind, reason, two zero bytes, time, key, outcome, amount,
//! and the first eight bytes of the BLAKE3 digest of all that. A torn record is skipped.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::outcome::OutcomeId;
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;

/// A journal of this size, in bytes, takes no more hits; a miss that finds it so folds it.
pub const LARGE: u64 = 16 << 20;

const MAGIC: &[u8; 4] = b"mjr1";

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An outcome was replayed; `amount` is the time saved, in ns.
    Hit,
    /// The command was run; `amount` is how long it took, in ns.
    Miss,
    /// An outcome was recorded; `amount` is its size in bytes.
    Commit,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What happened.
    pub event: Event,
    /// The number of the reason, for a miss; else 0.
    pub reason: u8,
    /// When.
    pub time: Timestamp,
    /// Under which key.
    pub key: ActionKey,
    /// Which outcome; all zero for a miss.
    pub outcome: OutcomeId,
    /// How much, as the event says.
    pub amount: u64,
}

impl Record {
    /// Length in bytes.
    pub const LENGTH: usize = 96;

    /// Returns the bytes.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4] = match self.event {
            Event::Hit => 1,
            Event::Miss => 2,
            Event::Commit => 3,
        };
        bytes[5] = self.reason;
        bytes[8..16].copy_from_slice(&self.time.0.to_le_bytes());
        bytes[16..48].copy_from_slice(self.key.as_bytes());
        bytes[48..80].copy_from_slice(self.outcome.0.as_bytes());
        bytes[80..88].copy_from_slice(&self.amount.to_le_bytes());
        let check = Digest::of(&bytes[..88]);
        bytes[88..].copy_from_slice(&check.as_bytes()[..8]);
        bytes
    }

    /// Reads a record; `None` when the bytes are not those of one.
    pub fn decode(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        if bytes[..4] != *MAGIC || bytes[88..] != Digest::of(&bytes[..88]).as_bytes()[..8] {
            return None;
        }
        let event = match bytes[4] {
            1 => Event::Hit,
            2 => Event::Miss,
            3 => Event::Commit,
            _ => return None,
        };
        Some(Self {
            event,
            reason: bytes[5],
            time: Timestamp(i64::from_le_bytes(bytes[8..16].try_into().ok()?)),
            key: ActionKey::from_bytes(bytes[16..48].try_into().ok()?),
            outcome: OutcomeId(Digest::from_bytes(bytes[48..80].try_into().ok()?)),
            amount: u64::from_le_bytes(bytes[80..88].try_into().ok()?),
        })
    }
}

/// Reads the records of a journal's bytes. After a torn one it goes on at the next that is whole.
pub fn records(bytes: &[u8]) -> Vec<Record> {
    let mut records = Vec::with_capacity(bytes.len() / Record::LENGTH);
    let mut rest = bytes;
    while let Some(chunk) = rest.first_chunk::<{ Record::LENGTH }>() {
        if let Some(record) = Record::decode(chunk) {
            records.push(record);
            rest = &rest[Record::LENGTH..];
        } else {
            let next = rest[1..].windows(MAGIC.len()).position(|window| window == MAGIC);
            let Some(next) = next else { break };
            rest = &rest[1 + next..];
        }
    }
    records
}

/// The journal of a store.
#[derive(Clone, Debug)]
pub struct Journal {
    path: PathBuf,
}

impl Journal {
    /// Returns the journal below `store`.
    pub fn new(store: &Path) -> Self {
        Self { path: store.join("journal") }
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a record; a hit is left out of a journal that is [`LARGE`]. Returns the journal's size in
    /// bytes before.
    ///
    /// # Errors
    /// Those of the system; what was to be replayed or run is not touched by them.
    pub fn append(&self, record: &Record) -> io::Result<u64> {
        /// How often the journal may be folded away between open and lock.
        const TRIES: usize = 3;
        for _ in 0..TRIES {
            let mut file = File::options().append(true).create(true).mode(0o600).open(&self.path)?;
            if file.try_lock_shared().is_err() {
                // A fold holds it, for as long as a rename takes. One that was stopped there must not stop us.
                continue;
            }
            let opened = file.metadata()?;
            let named = std::fs::symlink_metadata(&self.path);
            if !named.is_ok_and(|named| named.ino() == opened.ino() && named.dev() == opened.dev()) {
                continue;
            }
            if record.event != Event::Hit || opened.len() < LARGE {
                file.write_all(&record.encode())?;
            }
            return Ok(opened.len());
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(amount: u64) -> Record {
        Record {
            event: Event::Commit,
            reason: 3,
            time: Timestamp(-1),
            key: ActionKey::from_bytes([1; 32]),
            outcome: OutcomeId(Digest::of(b"o")),
            amount,
        }
    }

    #[test]
    fn records_are_read_back_and_torn_ones_skipped() {
        let mut bytes = record(1).encode().to_vec();
        bytes.extend_from_slice(&record(2).encode()[..50]);
        bytes.extend_from_slice(&record(3).encode());
        let mut damaged = record(4).encode();
        damaged[20] ^= 1;
        bytes.extend_from_slice(&damaged);
        bytes.extend_from_slice(&record(5).encode());
        bytes.extend_from_slice(b"mjr1");
        assert_eq!(records(&bytes), [record(1), record(3), record(5)]);
        assert_eq!(records(b""), []);
    }
}
