//! The store: what was recorded, on disk.
//!
//! Files are the truth, SQLite is the index over them; neither a hit nor an ordinary miss opens it.
//!
//! # Crash safety
//! Every file is written under a temporary name and renamed; nothing is synced, and everything is
//! verified when it is read. Blobs come first, the outcome next, the journal's record, the manifest last:
//! a crash loses what was being recorded and nothing else.
//!
//! # Locking
//! A manifest is changed under one of 256 locks that are never removed. A commit holds `generation`
//! shared from its last check to its rename; `clear` takes it exclusively, a full one raises the number; both
//! in turn (see `generation`).
//!
//! # Compatibility
//! `FORMAT` has the number of the layout; each file's first bytes that of its own format. A store with a
//! higher number is left alone. A hit does not read `FORMAT`, which would cost it three system calls: a number that
//! rises takes the manifests' with it, so that nothing a newer memo recorded is read as one's own. What an older one
//! recorded before is, and proves itself as ever; all a hit adds there is its record in the journal.

pub mod blobs;
pub mod clear;
pub mod codec;
pub mod doctor;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gc;
mod generation;
pub mod holder;
pub mod index;
pub mod journal;
pub mod lease;
mod listing;
pub mod location;
pub mod lock;
pub mod manifest;
pub mod observed;
pub mod outcome;
pub mod parts;
pub mod refresh;
pub mod restores;
pub mod secret;
pub mod temporary;
pub mod usage;
pub mod verdict;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::action::digest::Digest;
use crate::action::key::ActionKey;
use crate::action::observation::{Observation, State, Subject};
use crate::fault;
use crate::sys::file::is_absent;
use blobs::Blobs;
use generation::Generation;
use journal::{Event, Journal, Record};
use lease::{Lease, Taken};
use location::{Found, Trouble};
use lock::Tried;
use manifest::{Entry, Manifest};
use outcome::{Outcome, OutcomeId};
use refresh::Failure;
use restores::Restores;
use temporary::Temporary;

/// The number of the store's layout.
pub const FORMAT: u64 = 1;
const _: () = assert!(manifest::NUMBER >= FORMAT, "a hit knows a newer layout by its manifests alone");

/// What CACHEDIR.TAG begins with, so that backups leave the store out
/// (Cache Directory Tagging Specification, bford.info/cachedir).
const SIGNATURE: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";
/// What else it says, for people.
const TAG_TEXT: &[u8] = b"\n# This directory holds what memo remembers; it may be removed at any time.\n";

/// A store.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
    /// Device and inode, when it exists.
    id: Option<(u64, u64)>,
    root: Option<PathBuf>,
    /// Content by digest.
    pub blobs: Blobs,
    /// The locks of places at which outputs are put back.
    pub restores: Restores,
    /// What happened.
    pub journal: Journal,
}

/// Returns where a file with this name is below a directory: by its first two digits.
fn sharded(directory: &Path, name: &str) -> PathBuf {
    directory.join(&name[..2]).join(name)
}

/// Returns what a file takes on disk in bytes: blocks of 512, whatever the file system's own are (stat(2)).
pub(crate) fn blocks_on_disk(file: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(file).saturating_mul(512)
}

/// Makes the directory a file is to be in, and takes away what somebody put in its place or in the file's.
fn make_way(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        make_directory(parent)?;
    }
    remove_directory(path)
}

/// Makes a directory of the store if it is not there, also in the place of a file.
fn make_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if path.is_dir() {
        return Ok(());
    }
    let make = || std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    match make() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            make()
        }
        done => done,
    }
}

/// Removes a directory that somebody put in the place of a file; it would stop what needs the file for good.
fn remove_directory(path: &Path) -> io::Result<()> {
    let is_directory = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    if is_directory { std::fs::remove_dir_all(path) } else { Ok(()) }
}

/// Opens a file of the store; a directory in its place is removed.
fn open_or_make_way(path: &Path, options: &std::fs::OpenOptions) -> io::Result<File> {
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            remove_directory(path)?;
            options.open(path)
        }
        done => done,
    }
}

/// The directories a store has.
const DIRECTORIES: [&str; 6] = ["manifests", "outcomes", "blobs", "leases", "restores", "tmp"];

/// How long a lock of the store is waited for at the end of a run. Who has it needs milliseconds, unless
/// it was stopped: then this run is not recorded.
const PATIENCE: Duration = Duration::from_secs(2);

/// How a run is recorded.
#[derive(Debug)]
pub struct Commit {
    /// What it left.
    pub outcome: Outcome,
    /// What must hold for it.
    pub observations: Vec<Observation>,
    /// Whether the run left something new beside its declared outputs.
    pub undeclared: bool,
    /// The file with its transcript, which is still to become a blob.
    pub transcript: Option<(PathBuf, Digest)>,
}

/// What a hit leaves in its manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// Subjects with what may be remembered of them.
    pub learned: Vec<(Subject, State)>,
    /// An outcome that is to come first.
    pub forward: Option<OutcomeId>,
}

/// Why nothing was recorded, though all was well with the run.
#[derive(Debug, thiserror::Error)]
pub enum NotCommitted {
    /// `memo clear` came between.
    #[error("it was cleared while it ran")]
    Cleared,
    /// The store would not.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

impl Store {
    /// Opens the store at an absolute path for the user with id `user`. Nothing is made yet.
    ///
    /// # Errors
    /// [`Trouble`] when the place cannot be trusted.
    pub fn open(path: &Path, user: u32, root: Option<&Path>) -> Result<Self, Trouble> {
        let id = match location::check(path, user)? {
            Found::Absent => None,
            Found::Sound(id) => Some(id),
        };
        Ok(Self {
            path: path.to_owned(),
            id,
            root: root.map(Path::to_owned),
            blobs: Blobs::new(path),
            restores: Restores::new(path),
            journal: Journal::new(path),
        })
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns device and inode of its directory, when it exists.
    pub fn id(&self) -> Option<(u64, u64)> {
        self.id
    }

    /// Makes everything that is needed for writing. Returns the [generation](Self::generation).
    ///
    /// # Errors
    /// [`Trouble`] when the system will not, and when a newer memo made the store.
    pub fn prepare(&mut self, user: u32) -> Result<u64, Trouble> {
        if self.id.is_none() {
            location::make(&self.path)?;
        }
        let whole = match self.format()? {
            Some(found) if found > FORMAT => {
                return Err(Trouble::Newer { path: self.path.clone(), found, known: FORMAT });
            }
            Some(_) => self.whole(),
            None => None,
        };
        let generation = match whole {
            Some(generation) => generation,
            None => {
                self.complete()?;
                self.generation()
            }
        };
        if self.id.is_none()
            && let Found::Sound(id) = location::check(&self.path, user)?
        {
            self.id = Some(id);
        }
        Ok(generation)
    }

    /// Returns the number in `FORMAT`; `None` for a store that is still to be made.
    ///
    /// # Errors
    /// [`Trouble`] when it cannot be read.
    pub fn format(&self) -> Result<Option<u64>, Trouble> {
        format(&self.path)
    }

    /// Returns the generation when all is there that a run needs.
    fn whole(&self) -> Option<u64> {
        let has_all = DIRECTORIES.iter().all(|name| self.path.join(name).is_dir()) && self.has_secret();
        has_all.then(|| self.read_generation())?
    }

    /// Makes what is not there, or not what it should be.
    ///
    /// # Errors
    /// [`Trouble`] when the system will not.
    fn complete(&self) -> Result<(), Trouble> {
        for name in DIRECTORIES {
            let directory = self.path.join(name);
            make_directory(&directory).map_err(|error| Trouble::io("make", &directory, error))?;
        }
        fault::point("prepare.directories");
        if !self.path.join("CACHEDIR.TAG").is_file() {
            self.write_new("CACHEDIR.TAG", &[SIGNATURE, TAG_TEXT].concat())?;
        }
        if self.read_generation().is_none() {
            self.write_new("generation", b"0\n")?;
        }
        if self.format()?.is_none() {
            self.write_new("FORMAT", format!("{FORMAT}\n").as_bytes())?;
        }
        // Without it only `memo why` knows less.
        let _ = self.make_secret();
        Ok(())
    }

    fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), Trouble> {
        let path = self.path.join(name);
        let trouble = |error| Trouble::io("write", &path, error);
        remove_directory(&path).map_err(trouble)?;
        let mut temporary = Temporary::create(&self.path.join("tmp"), "new-", 0o600).map_err(trouble)?;
        io::Write::write_all(&mut temporary.file, bytes).map_err(trouble)?;
        fault::point("prepare.file");
        temporary.persist(&path).map_err(trouble)
    }

    /// Returns whether a memo made the store; else whatever is at its place is not memo's to list or remove.
    pub fn is_made(&self) -> bool {
        self.id.is_some() && self.path.join("FORMAT").exists()
    }

    /// Returns where the manifest of a key is.
    pub fn manifest_path(&self, key: &ActionKey) -> PathBuf {
        sharded(&self.path.join("manifests"), &key.to_string())
    }

    /// Returns where an outcome that does not stand in a manifest is kept.
    pub fn outcome_path(&self, id: &OutcomeId) -> PathBuf {
        sharded(&self.path.join("outcomes"), &id.to_string())
    }

    /// Returns where the lease of a key is.
    pub fn lease_path(&self, key: &ActionKey) -> PathBuf {
        self.path.join("leases").join(key.to_string())
    }

    /// Reads the manifest of a key; one that is not there knows nothing.
    ///
    /// # Errors
    /// What is wrong with one that is damaged or cannot be read.
    pub fn manifest(&self, key: &ActionKey) -> Result<Manifest, String> {
        let path = self.manifest_path(key);
        let mut bytes = Vec::new();
        let read = crate::sys::file::open(&path).and_then(|mut file| {
            fault::failure("manifest.read")?;
            file.read_to_end(&mut bytes)
        });
        match read {
            Ok(_) => Manifest::decode(&bytes, key, self.root.as_deref())
                .map_err(|error| format!("manifest {}: {error}", &key.to_string()[..8])),
            Err(error) if is_absent(&error) => Ok(Manifest::new(*key)),
            Err(error) => Err(format!("manifest {}: {error}", &key.to_string()[..8])),
        }
    }

    /// Returns the outcome of an entry, verified.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn outcome(&self, entry: &Entry) -> Result<Outcome, String> {
        let wrong = |what: &str| format!("outcome {}: {what}", entry.id.0.short());
        let read;
        let bytes = match &entry.body {
            Some(body) => body,
            None => {
                read = fault::failure("outcome.read")
                    .and_then(|()| std::fs::read(self.outcome_path(&entry.id)))
                    .map_err(|error| wrong(&error.to_string()))?;
                if Digest::of(&read) != entry.id.0 {
                    return Err(wrong("it does not have the content its name says"));
                }
                &read
            }
        };
        Outcome::decode(bytes).map_err(|error| wrong(&error.to_string()))
    }

    /// Takes the lease of a key, if nobody has it.
    ///
    /// # Errors
    /// [`Trouble`] when the system will not.
    pub fn lease(&self, key: &ActionKey) -> Result<Taken, Trouble> {
        let path = self.lease_path(key);
        Lease::take(&path).map_err(|error| Trouble::io("lock", &path, error))
    }

    /// Makes a file that is removed again unless it is put in place.
    ///
    /// # Errors
    /// [`Trouble`] when the system will not.
    pub fn temporary(&self, prefix: &str) -> Result<Temporary, Trouble> {
        let directory = self.path.join("tmp");
        Temporary::create(&directory, prefix, 0o600)
            .map_err(|error| Trouble::io("write to", &directory, error))
    }

    /// Returns the number that a full `clear` raises.
    pub fn generation(&self) -> u64 {
        self.read_generation().unwrap_or(0)
    }

    fn read_generation(&self) -> Option<u64> {
        std::fs::read_to_string(self.path.join("generation")).ok()?.trim().parse().ok()
    }

    /// Records a run under a key. `generation` is the number from before the run; without a lease (a file
    /// system without locks) that alone tells whether a `clear` came between.
    ///
    /// # Errors
    /// [`NotCommitted`].
    pub fn commit(
        &self,
        key: &ActionKey,
        commit: Commit,
        lease: Option<&Lease>,
        generation: u64,
        now: crate::action::identity::Timestamp,
    ) -> Result<(), NotCommitted> {
        let _shared = Generation::shared(self, generation, PATIENCE)?;
        if lease.is_some_and(|lease| !lease.is_current()) {
            return Err(NotCommitted::Cleared);
        }
        if let Some((path, digest)) = &commit.transcript {
            self.blobs.adopt(path, digest).map_err(|error| Trouble::io("keep", path, error))?;
        }
        fault::point("commit.blobs");
        if commit.outcome.blobs().any(|(digest, length)| !self.blobs.has(&digest, length)) {
            return Err(NotCommitted::Cleared);
        }
        let size = commit.outcome.size();
        self.change_manifest(key, |manifest| {
            let changed = manifest.insert(&commit.outcome, commit.observations, commit.undeclared);
            for (id, bytes) in &changed.displaced {
                self.write_outcome(id, bytes)?;
            }
            fault::point("commit.outcome");
            let id = manifest.entries[0].id;
            let blank = Record::new(Event::Commit, now, &commit.outcome.shown.group);
            let record = Record { key: *key, outcome: id, amount: size, ..blank };
            self.journal.append(&record).map_err(|error| Trouble::io("write", self.journal.path(), error))?;
            fault::point("commit.journal");
            Ok(changed.gone)
        })
        .map(|gone| {
            for id in gone {
                // An outcome of the same bytes may stand under another key: then that one misses once.
                let _ = std::fs::remove_file(self.outcome_path(&id));
            }
        })?;
        Ok(())
    }

    /// Changes what is known of an action whatever its stdin is.
    ///
    /// # Errors
    /// [`NotCommitted`].
    pub fn learn(
        &self,
        key: &ActionKey,
        generation: u64,
        change: impl FnOnce(&mut manifest::StdinKnown),
    ) -> Result<(), NotCommitted> {
        let _shared = Generation::shared(self, generation, PATIENCE)?;
        fault::point("learn");
        self.change_manifest(key, |manifest| {
            change(&mut manifest.stdin);
            Ok(())
        })?;
        Ok(())
    }

    /// Notes that a refresh of an outcome failed, if that is still there.
    ///
    /// # Errors
    /// [`NotCommitted`].
    pub fn note_failure(
        &self,
        key: &ActionKey,
        id: &OutcomeId,
        failure: Failure,
        generation: u64,
    ) -> Result<(), NotCommitted> {
        let _shared = Generation::shared(self, generation, PATIENCE)?;
        fault::point("refresh.failed");
        self.change_manifest(key, |manifest| {
            if let Some(entry) = manifest.entries.iter_mut().find(|entry| entry.id == *id) {
                entry.failure = Some(failure);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Reads, changes and writes a manifest under its lock.
    fn change_manifest<T>(
        &self,
        key: &ActionKey,
        change: impl FnOnce(&mut Manifest) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let path = self.manifest_path(key);
        let directory = path.parent().unwrap_or(&self.path).to_owned();
        make_way(&path).map_err(|error| Trouble::io("make", &directory, error))?;
        let _lock = lock_file(&directory.join(".lock"))?;
        self.rewrite_manifest(key, change)
    }

    /// Renews what is remembered of stat in the manifest of a key, and moves an outcome to its front, where
    /// these are still there. Whoever has the locks goes first: then it is not done, which costs the next hit
    /// some time.
    ///
    /// # Errors
    /// [`Trouble`] when the system will not.
    pub fn renew(&self, key: &ActionKey, renewal: &Renewal) -> Result<(), Trouble> {
        if self.format()? != Some(FORMAT) {
            return Ok(());
        }
        let path = self.manifest_path(key);
        let Some(_shared) = Generation::try_shared(self)? else { return Ok(()) };
        let path = path.with_file_name(".lock");
        let lock = File::options().read(true).write(true).open(&path);
        let lock = lock.map_err(|error| Trouble::io("open", &path, error))?;
        if !matches!(lock::try_exclusive(&lock), Ok(Tried::Locked)) {
            return Ok(());
        }
        fault::point("renew.locked");
        self.rewrite_manifest(key, |manifest| {
            manifest.renew(&renewal.learned);
            if let Some(id) = &renewal.forward {
                manifest.bring_forward(id);
            }
            Ok(())
        })?;
        fault::point("renew.written");
        Ok(())
    }

    /// Changes and writes a manifest whose lock is held.
    fn rewrite_manifest<T>(
        &self,
        key: &ActionKey,
        change: impl FnOnce(&mut Manifest) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let path = self.manifest_path(key);
        // A damaged one is begun anew.
        let mut manifest = self.manifest(key).unwrap_or_else(|_| Manifest::new(*key));
        let result = change(&mut manifest)?;
        if manifest == Manifest::new(*key) {
            match std::fs::remove_file(&path) {
                Err(error) if !is_absent(&error) => return Err(Trouble::io("remove", &path, error)),
                _ => return Ok(result),
            }
        }
        let bytes = manifest.encode(self.root.as_deref());
        let mut temporary = self.temporary("manifest-")?;
        let trouble = |error| Trouble::io("write", &path, error);
        io::Write::write_all(&mut temporary.file, &bytes).map_err(trouble)?;
        fault::point("commit.manifest");
        temporary.persist(&path).map_err(trouble)?;
        fault::point("commit.done");
        Ok(result)
    }

    fn write_outcome(&self, id: &OutcomeId, bytes: &[u8]) -> Result<(), Trouble> {
        let path = self.outcome_path(id);
        let trouble = |error| Trouble::io("write", &path, error);
        make_way(&path).map_err(trouble)?;
        let mut temporary = self.temporary("outcome-")?;
        io::Write::write_all(&mut temporary.file, bytes).map_err(trouble)?;
        fault::point("commit.displaced");
        temporary.persist(&path).map_err(trouble)
    }

    /// Removes outcomes from the manifest of a key, and with the last one the manifest itself.
    ///
    /// # Errors
    /// [`Trouble`] when the system will not.
    pub fn evict(&self, key: &ActionKey, goes: impl Fn(&Entry) -> bool) -> Result<(), Trouble> {
        let gone = self.change_manifest(key, |manifest| {
            let gone = manifest.remove(goes);
            if manifest.entries.is_empty() {
                *manifest = Manifest::new(*key);
            }
            Ok(gone)
        })?;
        for id in &gone {
            let _ = std::fs::remove_file(self.outcome_path(id));
        }
        Ok(())
    }

    /// Removes outcomes from the manifest of a key; what else is known of the action stays. Returns
    /// how many went.
    ///
    /// # Errors
    /// [`Trouble`] when the system will not.
    pub fn remove(&self, key: &ActionKey, goes: impl Fn(&Entry) -> bool) -> Result<usize, Trouble> {
        let gone = self.change_manifest(key, |manifest| Ok(manifest.remove(goes)))?;
        for id in &gone {
            let _ = std::fs::remove_file(self.outcome_path(id));
        }
        Ok(gone.len())
    }
}

/// Returns the number in the `FORMAT` of a store; `None` for one that is still to be made.
fn format(store: &Path) -> Result<Option<u64>, Trouble> {
    use io::ErrorKind::{InvalidData, IsADirectory};
    let path = store.join("FORMAT");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) if matches!(error.kind(), InvalidData | IsADirectory) => Ok(None),
        Err(error) => Err(Trouble::io("read", &path, error)),
    }
}

/// Takes a lock on a file that is never removed. Where the file system has none, each reader verifies, so
/// that the worst is a lost entry.
pub(crate) fn lock_file(path: &Path) -> Result<File, Trouble> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = open_or_make_way(path, &options).map_err(|error| Trouble::io("open", path, error))?;
    lock::exclusive(&file, PATIENCE).map_err(|error| Trouble::io("lock", path, error))?;
    Ok(file)
}
