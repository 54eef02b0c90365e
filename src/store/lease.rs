//! Leases: who runs the command of a key right now, and what became of it.
//!
//! The file `leases/KEY` is the lock and the spool in one: the holder first, then the transcript as it
//! comes, then the verdict. As the transcript of a recorded run it becomes a blob by rename.
//!
//! # Locking
//! A lease is a kernel lock (flock), so it ends with the process that holds it, however that ends; a file
//! without a verdict then tells that it died. The file is removed while the lock is still held; whoever
//! locked a file that no longer has the name opens it anew. The descriptor is close-on-exec: a child that
//! outlives memo must not keep it.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::holder::Holder;
use super::lock::{Tried, try_exclusive};
use super::verdict::Verdict;
use crate::action::digest::{Digest, Digester};
use crate::fault;
use crate::sys::lock;

/// Kinds of record besides the streams' 1 and 2.
const HOLDER: u8 = 0;
const VERDICT: u8 = 3;
/// The record that says that the holder's own reader keeps it waiting (`exec::capture::STALLED`, of which
/// this module knows nothing).
const BLOCKED: u8 = 4;
/// Length of a record's head in bytes: kind, and four bytes of length.
const HEAD: usize = 5;

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes();
    [&[kind][..], &length, content].concat()
}

/// The right to run and record the command of a key.
#[derive(Debug)]
#[must_use = "the lease ends when it is dropped"]
pub struct Lease {
    file: File,
    path: PathBuf,
    /// What the file begins with.
    head: Vec<u8>,
    concluded: bool,
}

/// What came of asking for a lease.
#[derive(Debug)]
pub enum Taken {
    /// It is ours.
    Ours(Lease),
    /// Another process has it: this waits for it.
    Held(Waiter),
    /// The file system has no locks: each caller runs on its own.
    NoLocks,
}

/// The bytes of a lease's file, as far as they are known to whoever wrote them.
#[derive(Debug)]
pub struct Written {
    /// Of the bytes.
    pub digester: Digester,
    /// Their number.
    pub length: u64,
}

impl Lease {
    /// Takes the lease at `path` if nobody has it.
    ///
    /// # Errors
    /// Those of open(2) and flock(2).
    pub fn take(path: &Path) -> io::Result<Taken> {
        loop {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = super::open_or_make_way(path, &options)?;
            match try_exclusive(&file)? {
                Tried::Locked => {}
                Tried::Busy => {
                    return Ok(Taken::Held(Waiter::new(file)));
                }
                Tried::NoLocks => {
                    // Nobody else can have it either.
                    let _ = std::fs::remove_file(path);
                    return Ok(Taken::NoLocks);
                }
            }
            fault::point("lease.locked");
            if !is_named(&file, path) {
                // The holder before us removed the file between our open and our lock.
                continue;
            }
            let head = record(HOLDER, &Holder::me().encode());
            if let Err(error) = file.set_len(0).and_then(|()| file.write_all_at(&head, 0)) {
                // A full disk: nothing may pile up there.
                let _ = std::fs::remove_file(path);
                return Err(error);
            }
            fault::point("lease.taken");
            return Ok(Taken::Ours(Self { file, path: path.to_owned(), head, concluded: false }));
        }
    }

    /// Names this process as the holder of a lease that it got as a copy of the one that took it.
    ///
    /// # Errors
    /// Those of write(2).
    pub fn take_over(&mut self) -> io::Result<()> {
        let head = record(HOLDER, &Holder::me().encode());
        self.file.set_len(0)?;
        self.file.write_all_at(&head, 0)?;
        fault::point("lease.handed");
        self.head = head;
        Ok(())
    }

    /// Leaves it to a copy of this process.
    pub fn leave_to_copy(self) {
        // Dropped, it would end for the copy too.
        let _kept = ManuallyDrop::new(self);
    }

    /// Lets go without having run anything: for those who wait it is as if the holder had died.
    pub fn abandon(mut self) {
        self.concluded = true;
    }

    /// Returns whether the file at `path` is a lease that nobody holds: its holder was killed.
    pub fn is_abandoned(path: &Path) -> bool {
        File::options().read(true).write(true).open(path).is_ok_and(|file| is_free(&file))
    }

    /// Removes a lease that nobody holds, under its lock; returns whether it was one.
    ///
    /// # Errors
    /// Those of unlink(2).
    pub fn remove_abandoned(path: &Path) -> io::Result<bool> {
        let Ok(file) = File::options().read(true).write(true).open(path) else { return Ok(false) };
        if !is_free(&file) || !is_named(&file, path) {
            return Ok(false);
        }
        std::fs::remove_file(path)?;
        Ok(true)
    }

    /// Returns whether the file we locked is still the one of this name: a `clear` takes that away, and
    /// then nothing may be recorded.
    pub fn is_current(&self) -> bool {
        is_named(&self.file, &self.path)
    }

    /// Returns the file, which is the spool of the run.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns what the file begins with.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the verdict behind what was spooled and returns digest and length of the whole file; one
    /// that was written before is replaced. Those who wait read it when the lease ends.
    ///
    /// # Errors
    /// Those of write(2): then there is none, and those who wait take the holder for dead.
    pub fn conclude(&mut self, verdict: Verdict, spooled: Option<&Written>) -> io::Result<(Digest, u64)> {
        fault::point("lease.verdict");
        let (mut digester, length) = match spooled {
            Some(written) => (written.digester.clone(), written.length),
            None => (digester_of(&self.head), self.head.len() as u64),
        };
        let bytes = record(VERDICT, &verdict.encode(&digester.finish()));
        digester.update(&bytes);
        self.file.set_len(length)?;
        self.file.write_all_at(&bytes, length)?;
        fault::point("lease.concluded");
        self.concluded = true;
        Ok((digester.finish(), length + bytes.len() as u64))
    }

    /// Writes a transcript that was kept in memory, for a verdict that stands behind it.
    ///
    /// # Errors
    /// Those of write(2).
    pub fn write_transcript(&self, transcript: &[u8]) -> io::Result<Written> {
        let length = self.head.len() as u64;
        self.file.set_len(length)?;
        self.file.write_all_at(transcript, length)?;
        fault::point("lease.transcript");
        let mut digester = digester_of(&self.head);
        digester.update(transcript);
        Ok(Written { digester, length: length + transcript.len() as u64 })
    }

    /// Says at once that nobody need wait, and lets go; the run goes on.
    pub fn release(mut self, verdict: Verdict) {
        let _ = self.conclude(verdict, None);
    }
}

fn digester_of(bytes: &[u8]) -> Digester {
    let mut digester = Digester::new();
    digester.update(bytes);
    digester
}

fn is_free(file: &File) -> bool {
    matches!(try_exclusive(file), Ok(Tried::Locked))
}

fn is_named(file: &File, path: &Path) -> bool {
    let ours = file.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
    let named = std::fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
    matches!((ours, named), (Ok(ours), Ok(named)) if ours == named)
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.concluded {
            // The command was not run after all, or what it left is nobody else's.
            let _ = self.conclude(Verdict::Void, None);
        }
        // Under the lock, and only if it is ours: as a transcript it may have gone elsewhere.
        if self.is_current() {
            let _ = std::fs::remove_file(&self.path);
        }
        fault::point("lease.removed");
        // A copy of this process that pumps on for a grandchild has the same open file, and with it the lock.
        let _ = self.file.unlock();
    }
}

/// Waits for the holder of a lease.
#[derive(Debug)]
pub struct Waiter {
    file: File,
    /// What the verdict stood behind that was there before this began to wait: it is for others.
    late: Option<Digest>,
    /// Whose records were looked at; whoever takes the lease over begins the file anew.
    of: RefCell<Option<Holder>>,
    scanned: Cell<u64>,
    blocked: Cell<bool>,
}

impl Waiter {
    fn new(file: File) -> Self {
        let mut waiter = Self {
            file,
            late: None,
            of: RefCell::new(None),
            scanned: Cell::new(0),
            blocked: Cell::new(false),
        };
        waiter.late = waiter.read_verdict().map(|(_, before, _)| before);
        waiter
    }

    /// Waits for the end of the lease, at most so long; returns whether it came.
    ///
    /// # Errors
    /// Those of flock(2).
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        lock::shared_within(&self.file, limit)
    }

    /// Returns who holds the lease.
    pub fn holder(&self) -> Option<Holder> {
        let (kind, content) = self.record_at(0, 512)?;
        if kind == HOLDER { Holder::decode(&content).ok() } else { None }
    }

    /// Returns whether the holder is kept waiting by its own reader, or is stopped: then nobody should
    /// wait for it.
    pub fn is_stuck(&self) -> bool {
        self.scan();
        // Afterwards: whoever takes the lease over while it is scanned is seen here.
        let holder = self.holder();
        if holder != *self.of.borrow() {
            self.of.replace(holder.clone());
            self.scanned.set(0);
            self.blocked.set(false);
            self.scan();
        }
        self.blocked.get() || holder.is_some_and(|holder| holder.is_stopped())
    }

    /// Looks at the heads of the records that have come since last time.
    fn scan(&self) {
        let mut head = [0; HEAD];
        while self.file.read_exact_at(&mut head, self.scanned.get()).is_ok() {
            let [kind, length @ ..] = head;
            if kind == BLOCKED {
                self.blocked.set(true);
            }
            self.scanned.set(self.scanned.get() + HEAD as u64 + u64::from(u32::from_le_bytes(length)));
        }
    }

    fn record_at(&self, offset: u64, most: u32) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; HEAD];
        self.file.read_exact_at(&mut head, offset).ok()?;
        let [kind, length @ ..] = head;
        let length = u32::from_le_bytes(length);
        if length > most {
            return None;
        }
        let mut content = vec![0; length as usize];
        self.file.read_exact_at(&mut content, offset + HEAD as u64).ok()?;
        Some((kind, content))
    }

    /// Returns the verdict; `None` when the holder died without one, or had ended before this began to wait:
    /// one who is killed between its verdict and the end of its lease leaves a file that tells of a run long ago,
    /// and whoever finds it locked by somebody who only looks whether it is locked must not take that for an
    /// answer.
    pub fn verdict(&self) -> Option<Verdict> {
        self.answer().map(|(verdict, _, _)| verdict)
    }

    fn answer(&self) -> Option<(Verdict, Digest, u64)> {
        self.read_verdict().filter(|(_, before, _)| self.late != Some(*before))
    }

    fn read_verdict(&self) -> Option<(Verdict, Digest, u64)> {
        let at = self.file.metadata().ok()?.len().checked_sub((HEAD + Verdict::LENGTH) as u64)?;
        let (kind, content) = self.record_at(at, Verdict::LENGTH as u32)?;
        let (verdict, before) = Verdict::decode(content.as_slice().try_into().ok()?)?;
        (kind == VERDICT).then_some((verdict, before, at))
    }

    /// Returns the file with the transcript before the verdict, and its length in bytes, verified.
    pub fn into_transcript(self) -> Option<(File, u64)> {
        let (_, before, at) = self.answer()?;
        (Digest::of_file(&self.file, at).ok()? == before).then_some((self.file, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("memo-lease-{}-{name}", crate::sys::process::id()))
    }

    fn take(path: &Path) -> Lease {
        match Lease::take(path).unwrap() {
            Taken::Ours(lease) => lease,
            Taken::Held(_) | Taken::NoLocks => panic!("nobody else has it"),
        }
    }

    fn wait(path: &Path) -> Waiter {
        match Lease::take(path).unwrap() {
            Taken::Ours(_) | Taken::NoLocks => panic!("it is held"),
            Taken::Held(waiter) => waiter,
        }
    }

    #[test]
    fn those_who_wait_read_the_verdict_and_the_transcript() {
        let path = path("verdict");
        let mut lease = take(&path);
        let waiter = wait(&path);
        assert_eq!(waiter.holder(), Some(Holder::me()));
        assert!(!waiter.wait(Duration::from_millis(1)).unwrap());
        let written = lease.write_transcript(b"\x01\x02\0\0\0hi").unwrap();
        lease.conclude(Verdict::Status(3), Some(&written)).unwrap();
        drop(lease);
        assert!(!path.exists());
        assert!(waiter.wait(Duration::from_secs(100)).unwrap());
        assert_eq!(waiter.verdict(), Some(Verdict::Status(3)));
        let (_, length) = waiter.into_transcript().unwrap();
        assert_eq!(length, written.length);
    }

    #[test]
    fn a_holder_that_died_leaves_no_verdict() {
        let path = path("died");
        let lease = take(&path);
        let waiter = wait(&path);
        lease.file.unlock().unwrap();
        assert!(waiter.wait(Duration::from_secs(100)).unwrap());
        assert_eq!(waiter.verdict(), None);
        drop(lease);
    }

    #[test]
    fn a_lease_that_is_dropped_without_a_verdict_says_void() {
        let path = path("void");
        let lease = take(&path);
        let waiter = wait(&path);
        drop(lease);
        assert_eq!(waiter.verdict(), Some(Verdict::Void));
    }

    #[test]
    fn a_blocked_holder_is_noticed() {
        let path = path("blocked");
        let lease = take(&path);
        let waiter = wait(&path);
        assert!(!waiter.is_stuck());
        lease.file.write_all_at(&record(1, b"out"), lease.head.len() as u64).unwrap();
        assert!(!waiter.is_stuck());
        lease.file.write_all_at(&record(BLOCKED, b""), lease.head.len() as u64 + 8).unwrap();
        assert!(waiter.is_stuck());
    }

    #[test]
    fn a_lease_that_was_taken_over_is_blocked_no_more() {
        let path = path("takeover");
        let dead = take(&path);
        let waiter = wait(&path);
        let at = dead.head.len() as u64;
        dead.file.write_all_at(&record(BLOCKED, b""), at).unwrap();
        assert!(waiter.is_stuck());
        // As another process does: this one has the same name for itself.
        let mut next = Holder::me();
        next.pid = 1;
        let next = record(HOLDER, &next.encode());
        dead.file.set_len(0).unwrap();
        dead.file.write_all_at(&next, 0).unwrap();
        assert!(!waiter.is_stuck());
        let at = next.len() as u64;
        dead.file.write_all_at(&record(1, b"out"), at).unwrap();
        dead.file.write_all_at(&record(BLOCKED, b""), at + 8).unwrap();
        assert!(waiter.is_stuck());
    }

    #[test]
    fn a_verdict_from_before_is_no_answer() {
        let path = path("late");
        let mut killed = take(&path);
        killed.conclude(Verdict::Status(3), None).unwrap();
        let waiter = wait(&path);
        killed.file.unlock().unwrap();
        assert!(waiter.wait(Duration::from_secs(100)).unwrap());
        assert_eq!(waiter.verdict(), None);
        drop(killed);
    }

    #[test]
    fn a_lease_whose_file_was_removed_is_no_longer_current() {
        let path = path("cleared");
        let lease = take(&path);
        assert!(lease.is_current());
        std::fs::remove_file(&path).unwrap();
        assert!(!lease.is_current());
        let other = take(&path);
        drop(lease);
        assert!(path.exists(), "the file of the other lease stays");
        drop(other);
    }
}
