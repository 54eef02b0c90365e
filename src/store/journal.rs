//! The journal: one short record for each hit, miss and commit, appended to a file.
//!
//! It is what the index does not know yet, and what `memo stats` counts: so a record says all that is
//! counted by itself, for the entry it is about may be gone when it is folded. An append costs a hit next to nothing, where a row in SQLite
//! would cost more than the hit.
//!
//! # Locking
//! An append holds a shared lock and makes sure that the file still has the name. A fold takes the
//! exclusive one, renames the journal to `journal.N`, and lets go.
//!
//! # Format
//! Records of [`Record::LENGTH`] bytes: `mjr2`, event, why it missed, why it was not recorded, length of the
//! group's name, time, key, outcome, amount, spent, bytes, the group's name with zeros to its end, and the first
//! eight bytes of the BLAKE3 digest of all that. A torn record is skipped, and so is an older memo's (`mjr1`).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lock::{self, Tried};
use super::outcome::OutcomeId;
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
use crate::fault;
use crate::sys::file::is_absent;

/// A journal of this size, in bytes, takes no more hits; a miss that finds it so folds it.
pub const LARGE: u64 = 16 << 20;

const MAGIC: &[u8; 4] = b"mjr2";
/// How long a fold waits for appends under way; one takes microseconds. Not waiting longer costs only a copy
/// of the index.
const PATIENCE: Duration = Duration::from_millis(250);
/// What an entry may take on disk beyond its bytes: a block for its manifest and one for what is not full.
const ROUNDED_UP: u64 = 8 << 10;
/// How often the journal may be folded away between open and lock.
const TRIES: usize = 3;

/// What happened; the numbers stand in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An outcome was replayed; `amount` is how long its run took, in ns.
    Hit = 1,
    /// The command was run; `amount` is how long it took, in ns, 0 where nobody waited for its end.
    Miss = 2,
    /// An outcome was recorded; `amount` is its size in bytes.
    Commit = 3,
    /// A call that was run was not recorded, for whoever asks why: `outcome` is the digest of the call
    /// ([`crate::action::key::Action::call_digest`]), and in the place of the group is what the reason is about.
    /// It is not counted: the miss is.
    Unrecorded = 4,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// What happened.
    pub event: Event,
    /// For a miss, the number of the reason why it was none ([`crate::action::reason::Missed`]); 0 when nothing
    /// was looked up.
    pub missed: u8,
    /// For a miss, the number of the reason why it was not recorded ([`crate::action::reason::Unrecorded`]); 0
    /// when it was.
    pub unrecorded: u8,
    /// When.
    pub time: Timestamp,
    /// Under which key.
    pub key: ActionKey,
    /// Which outcome; all zero for a miss.
    pub outcome: OutcomeId,
    /// How much, as the event says.
    pub amount: u64,
    /// How long memo itself took until a hit was replayed, in ns; else 0.
    pub spent: u64,
    /// How many bytes a hit gave back; else 0.
    pub bytes: u64,
    /// The group.
    pub group: Group,
}

/// The name of a group as the journal has it: no longer than [`Group::MOST`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    name: [u8; Self::MOST],
    length: u8,
}

impl Group {
    /// The most bytes of a name; it fills the record up to 160.
    pub const MOST: usize = 48;

    /// Returns a name; what is too much is cut off, between characters.
    pub fn new(name: &str) -> Self {
        let kept = &name.as_bytes()[..name.floor_char_boundary(Self::MOST)];
        let mut group = Self { name: [0; Self::MOST], length: kept.len() as u8 };
        group.name[..kept.len()].copy_from_slice(kept);
        group
    }

    /// Returns a text that is no group; of what is too much the beginning is cut off, for a path says most at
    /// its end.
    pub fn ending(text: &str) -> Self {
        if text.len() <= Self::MOST {
            return Self::new(text);
        }
        let from = text.ceil_char_boundary(text.len() - (Self::MOST - '…'.len_utf8()));
        Self::new(&format!("…{}", &text[from..]))
    }

    /// Returns the name; empty when it is not known.
    pub fn as_str(&self) -> &str {
        let name = self.name.get(..self.length.into()).unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }
}

impl Record {
    /// Length in bytes.
    pub const LENGTH: usize = 160;

    /// Returns a record about no key, outcome or reason, with no amounts.
    pub fn new(event: Event, time: Timestamp, group: &str) -> Self {
        let none = [0; Digest::LENGTH];
        Self {
            event,
            missed: 0,
            unrecorded: 0,
            time,
            key: ActionKey::from_bytes(none),
            outcome: OutcomeId(Digest::from_bytes(none)),
            amount: 0,
            spent: 0,
            bytes: 0,
            group: Group::new(group),
        }
    }

    /// Where the check stands.
    const CHECK: usize = Self::LENGTH - 8;

    /// Returns the bytes.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4] = self.event as u8;
        bytes[5] = self.missed;
        bytes[6] = self.unrecorded;
        bytes[7] = self.group.length;
        bytes[8..16].copy_from_slice(&self.time.0.to_le_bytes());
        bytes[16..48].copy_from_slice(self.key.as_bytes());
        bytes[48..80].copy_from_slice(self.outcome.0.as_bytes());
        bytes[80..88].copy_from_slice(&self.amount.to_le_bytes());
        bytes[88..96].copy_from_slice(&self.spent.to_le_bytes());
        bytes[96..104].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[104..Self::CHECK].copy_from_slice(&self.group.name);
        let check = Digest::of(&bytes[..Self::CHECK]);
        bytes[Self::CHECK..].copy_from_slice(&check.as_bytes()[..8]);
        bytes
    }

    /// Reads a record; `None` when the bytes are not those of one.
    pub fn decode(bytes: &[u8; Self::LENGTH]) -> Option<Self> {
        let check = Digest::of(&bytes[..Self::CHECK]);
        if bytes[..4] != *MAGIC || bytes[Self::CHECK..] != check.as_bytes()[..8] {
            return None;
        }
        let event = match bytes[4] {
            1 => Event::Hit,
            2 => Event::Miss,
            3 => Event::Commit,
            4 => Event::Unrecorded,
            _ => return None,
        };
        Some(Self {
            event,
            missed: bytes[5],
            unrecorded: bytes[6],
            time: Timestamp(i64::from_le_bytes(bytes[8..16].try_into().ok()?)),
            key: ActionKey::from_bytes(bytes[16..48].try_into().ok()?),
            outcome: OutcomeId(Digest::from_bytes(bytes[48..80].try_into().ok()?)),
            amount: u64::from_le_bytes(bytes[80..88].try_into().ok()?),
            spent: u64::from_le_bytes(bytes[88..96].try_into().ok()?),
            bytes: u64::from_le_bytes(bytes[96..104].try_into().ok()?),
            group: Group { name: bytes[104..Self::CHECK].try_into().ok()?, length: bytes[7] },
        })
    }
}

/// Reads the records of a journal's bytes, each with the place of its end. After a torn one it goes on at
/// the next that is whole.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = (usize, Record)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        while let Some(chunk) = rest.first_chunk::<{ Record::LENGTH }>() {
            if let Some(record) = Record::decode(chunk) {
                rest = &rest[Record::LENGTH..];
                return Some((bytes.len() - rest.len(), record));
            }
            let next = rest[1..].windows(MAGIC.len()).position(|window| window == MAGIC);
            rest = &rest[next.map_or(rest.len(), |next| 1 + next)..];
        }
        None
    })
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
        for _ in 0..TRIES {
            let mut options = File::options();
            options.read(true).append(true).create(true).mode(0o600);
            let mut file = super::open_or_make_way(&self.path, &options)?;
            if lock::try_shared(&file)? == Tried::Busy {
                // A fold holds it, for as long as a rename takes. One that was stopped there must not stop us.
                continue;
            }
            let opened = file.metadata()?;
            let named = std::fs::symlink_metadata(&self.path);
            if !named.is_ok_and(|named| named.ino() == opened.ino() && named.dev() == opened.dev()) {
                continue;
            }
            fault::point("journal.locked");
            if record.event != Event::Hit || opened.len() < LARGE {
                fault::failure("journal.write")?;
                file.write_all(&record.encode())?;
            }
            return Ok(opened.len());
        }
        Ok(0)
    }

    /// Returns the journal's length in bytes, and how many bytes the commits among its last records have added to
    /// the store, counted as by [`added`](Self::added).
    pub fn lately(&self) -> (u64, u64) {
        const TAIL: usize = 48 * Record::LENGTH;
        let Ok(file) = File::open(&self.path) else { return (0, 0) };
        let Ok(length) = file.metadata().map(|metadata| metadata.len()) else { return (0, 0) };
        let whole = length - length % Record::LENGTH as u64;
        let mut tail = [0; TAIL];
        let n = file.read_at(&mut tail, whole.saturating_sub(TAIL as u64)).unwrap_or(0);
        (length, sum_of_commits(&tail[..n]))
    }

    /// Returns how many bytes the commits in the journal have added to the store, counted generously;
    /// `None` for a journal of more than `most` bytes. This is an estimate: no record is verified.
    pub fn added(&self, most: u64) -> Option<u64> {
        let Ok(mut file) = File::open(&self.path) else { return Some(0) };
        if file.metadata().is_ok_and(|metadata| metadata.len() > most) {
            return None;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        Some(sum_of_commits(&bytes))
    }

    /// Takes the journal for a fold, once the appends under way are done; `None` when it has no records.
    ///
    /// # Errors
    /// Those of the system; `TimedOut` when an append does not end.
    pub fn hold(&self) -> io::Result<Option<Held>> {
        for _ in 0..TRIES {
            // Write access, because NFS makes an exclusive flock(2) of a lock that needs it.
            let file = match super::open_or_make_way(&self.path, File::options().read(true).write(true)) {
                Ok(file) => file,
                Err(error) if is_absent(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            lock::exclusive(&file, PATIENCE)?;
            let opened = file.metadata()?;
            let named = std::fs::symlink_metadata(&self.path);
            if !named.is_ok_and(|named| named.ino() == opened.ino() && named.dev() == opened.dev()) {
                continue;
            }
            let held = Held { _file: file, path: self.path.clone() };
            return Ok((opened.len() > 0).then_some(held));
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Returns the journals that were taken away and not yet removed, the oldest first.
    ///
    /// # Errors
    /// Those of readdir(3).
    pub fn taken(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut taken = Vec::new();
        for file in std::fs::read_dir(self.path.parent().unwrap_or(&self.path))? {
            let file = file?;
            let name = file.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("journal.")?.parse().ok());
            taken.extend(number.map(|number| (number, file.path())));
        }
        taken.sort_unstable();
        Ok(taken)
    }
}

/// The journal while no one can append to it.
#[derive(Debug)]
#[must_use = "appends wait until it is dropped"]
pub struct Held {
    _file: File,
    path: PathBuf,
}

impl Held {
    /// Renames it to `journal.N` and lets go: the next append begins a new one.
    ///
    /// # Errors
    /// Those of rename(2).
    pub fn take_away(self, number: u64) -> io::Result<()> {
        fault::point("journal.rename");
        std::fs::rename(&self.path, self.path.with_file_name(format!("journal.{number}")))
    }

    /// Removes it.
    ///
    /// # Errors
    /// Those of unlink(2).
    pub fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

/// Returns how many bytes the commits among encoded records have added. No record is verified.
fn sum_of_commits(bytes: &[u8]) -> u64 {
    let (records, _) = bytes.as_chunks::<{ Record::LENGTH }>();
    let commits = records.iter().filter(|record| record[4] == Event::Commit as u8);
    let amounts = commits.map(|record| record[80..88].try_into().map_or(0, u64::from_le_bytes));
    amounts.fold(0, |sum: u64, amount| sum.saturating_add(amount).saturating_add(ROUNDED_UP))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(amount: u64) -> Record {
        Record {
            missed: 3,
            unrecorded: 4,
            key: ActionKey::from_bytes([1; 32]),
            outcome: OutcomeId(Digest::of(b"o")),
            amount,
            spent: 5,
            bytes: 6,
            ..Record::new(Event::Commit, Timestamp(-1), "cc")
        }
    }

    fn read(bytes: &[u8]) -> Vec<Record> {
        records(bytes).map(|(_, record)| record).collect()
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
        bytes.extend_from_slice(b"mjr2");
        assert_eq!(read(&bytes), [record(1), record(3), record(5)]);
        assert_eq!(records(&bytes).last().unwrap().0, bytes.len() - 4, "before the torn one at the end");
        assert_eq!(read(b""), []);
    }

    #[test]
    fn the_format_is_pinned() {
        let digest = Digest::of(&record(7).encode()).to_string();
        assert_eq!(&digest[..16], "b7b3f922f11dc8c1", "a change of the format changes its name");
    }

    #[test]
    fn the_records_of_an_older_memo_are_skipped() {
        let mut bytes = [b"mjr1".as_slice(), &[0; 92]].concat();
        bytes.extend_from_slice(&record(1).encode());
        bytes.extend([b"mjr1".as_slice(), &[0; 92]].concat());
        bytes.extend_from_slice(&record(2).encode());
        assert_eq!(read(&bytes), [record(1), record(2)]);
    }

    #[test]
    fn a_group_is_cut_between_characters() {
        assert_eq!(Group::new("cc").as_str(), "cc");
        assert_eq!(Group::new("").as_str(), "");
        let long = format!("{}\u{fc}", "x".repeat(Group::MOST - 1));
        assert_eq!(Group::new(&long).as_str(), "x".repeat(Group::MOST - 1));
        let path = format!("/\u{fc}{}", "y/".repeat(Group::MOST));
        let kept = Group::ending(&path).as_str().to_owned();
        assert!(
            kept.starts_with('…') && kept.len() <= Group::MOST && path.ends_with(&kept['…'.len_utf8()..])
        );
        assert_eq!(Group::ending("a.c").as_str(), "a.c");
        let odd = Group { name: [0xff; Group::MOST], length: 200 };
        assert_eq!(odd.as_str(), "");
    }

    #[test]
    fn a_journal_that_was_taken_away_gets_no_more_records() {
        let directory = std::env::temp_dir().join(format!("memo-journal-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let journal = Journal::new(&directory);
        assert!(journal.hold().unwrap().is_none(), "none was begun");
        journal.append(&record(1)).unwrap();
        journal.hold().unwrap().unwrap().take_away(10).unwrap();
        journal.append(&record(2)).unwrap();
        journal.hold().unwrap().unwrap().take_away(9).unwrap();
        assert!(journal.hold().unwrap().is_none());
        let taken = journal.taken().unwrap();
        assert_eq!(taken.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [9, 10]);
        assert_eq!(read(&std::fs::read(&taken[1].1).unwrap()), [record(1)]);
        std::fs::remove_dir_all(directory).unwrap();
    }
}
