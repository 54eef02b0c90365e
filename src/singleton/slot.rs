//! The place of one singleton: a directory with its lock, its socket, its logs, and what is kept of it.
//!
//! ```text
//! ROOT/singleton/SCOPE/scope    the directory that the scope is
//! ROOT/singleton/SCOPE/SLOT/    SLOT is the name, or `@` and the key of a command without one
//!     lock      flock(2), held as long as anything of the instance lives; content for people and for the sweep
//!     s         the socket its supervisor listens on
//!     log, log.1, prev.log      what the process wrote; prev.log is the instance's before
//!     sup.log   what the supervisor has to say of itself
//!     last      how the last instance ended
//!     deps      what the instance depends on, to say what changed
//!     release   `--on-release`, until somebody has taken it to run it
//!     state/    `$MEMO_STATE`: it outlives instances
//! ```
//!
//! # Locking
//! The lock alone says whether there is an instance, never a process id. It is taken by whoever starts one, handed to
//! the guardian and the supervisor, and free when both are gone. It is never unlocked by hand, for that would unlock
//! it for every copy, and its file is removed by `gc` alone, under the lock: who gets it compares the file's inode.
//! Before that `gc` renames the directory, to a name that begins with `.`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::scope::Scope;
use super::verdict::read_instance;
use crate::action::digest::Digest;
use crate::action::instance::InstanceId;
use crate::action::key::ActionKey;
use crate::fault;
use crate::store::codec::{Malformed, Reader, Writer};
use crate::store::holder::Holder;
use crate::store::location::{self, Trouble};
use crate::sys::directory::Directory;
use crate::sys::file::is_absent;
use crate::sys::{lock, socket};

/// The place of one singleton.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    directory: PathBuf,
}

/// What an instance is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Called {
    /// By a name that the user gave.
    Name(String),
    /// By its command.
    Command(ActionKey),
}

/// The longest name, in bytes: it is one of a directory.
const LONGEST_NAME: usize = 100;

/// Returns why a text is no name of a singleton, if it is none.
pub fn refuse_name(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if text.is_empty() {
        Some("a name has at least one character".to_owned())
    } else if text.starts_with(['-', '.']) {
        Some(format!("it begins with `{}`", &text[..1]))
    } else if let Some(odd) = text.chars().find(|c| !fits(*c)) {
        Some(format!("`{odd}` is none of the letters, digits, `_`, `.`, `-`"))
    } else if text.len() > LONGEST_NAME {
        Some(format!("it is longer than {LONGEST_NAME} characters"))
    } else {
        None
    }
}

impl Called {
    /// Returns the name of its slot's directory.
    pub fn directory_name(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Command(key) => format!("@{}", &key.to_string()[..32]),
        }
    }
}

/// Returns how a slot's directory name is shown: of a key the first eight digits.
pub fn shown_name(directory_name: &str) -> &str {
    match directory_name.strip_prefix('@') {
        Some(_) => directory_name.get(..9).unwrap_or(directory_name),
        None => directory_name,
    }
}

/// The lock of a slot, held.
#[derive(Debug)]
#[must_use = "it is free again when it is dropped"]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Returns its file, which hands the lock on to whoever gets the descriptor.
    pub fn file(&self) -> &File {
        &self.file
    }
}

/// What the lock's file says of the instance. It decides nothing but what is looked for after a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which instance.
    pub instance: InstanceId,
    /// Its supervisor; when that was killed, its guardian, which ends what is left.
    pub supervisor: Holder,
    /// Its process; 0 before there is one.
    pub pid: i32,
}

/// What the lock's file begins with.
const RECORD: &[u8; 8] = b"memoSNG1";

impl Record {
    /// Reads the record of a lock's file that is open, from its beginning; `None` where there is none yet.
    pub fn read(mut lock: &File) -> Option<Self> {
        let mut bytes = Vec::new();
        lock.rewind().ok()?;
        lock.take(4096).read_to_end(&mut bytes).ok()?;
        Self::decode(&bytes).ok()
    }

    /// Returns the bytes of the lock's file.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::starting_with(RECORD);
        w.raw(self.instance.as_bytes()).bytes(&self.supervisor.encode()).signed(self.pid.into());
        w.into_bytes()
    }

    /// Reads the lock's file.
    ///
    /// # Errors
    /// [`Malformed`] for anything else, such as an empty or torn one.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes.strip_prefix(RECORD).ok_or(Malformed)?);
        Ok(Self {
            instance: read_instance(&mut r)?,
            supervisor: Holder::decode(r.bytes()?)?,
            pid: i32::try_from(r.signed()?).map_err(|_| Malformed)?,
        })
    }
}

impl Slot {
    /// Returns the slot below a root, in a scope.
    pub fn new(root: &Path, scope: &Scope, called: &Called) -> Self {
        Self { directory: root.join(scope.directory_name()).join(called.directory_name()) }
    }

    /// Returns the slot whose directory this is.
    pub fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Returns its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the name of its directory.
    pub fn name(&self) -> String {
        self.directory.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Returns what names it among all slots, in a variable.
    pub fn id(&self) -> String {
        Digest::of(self.directory.as_os_str().as_bytes()).short()
    }

    /// Returns the directory that outlives instances.
    pub fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// Returns the file that its process writes to.
    pub fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// Makes the directory, with that of its scope.
    ///
    /// # Errors
    /// [`Trouble`] when the system will not, or when somebody else could change what is in it.
    pub fn make(&self, scope: &Scope, user: u32) -> Result<(), Trouble> {
        again_while_absent(|| self.make_once(scope, user))
    }

    /// Makes the directory that outlives instances, if somebody has removed it.
    ///
    /// # Errors
    /// Those of mkdir(2).
    pub fn make_state(&self) -> io::Result<()> {
        match std::fs::DirBuilder::new().mode(0o700).create(self.state()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    fn make_once(&self, scope: &Scope, user: u32) -> Result<(), Trouble> {
        if !self.state().is_dir() {
            location::make(&self.state())?;
            location::check(&self.directory, user)?;
        }
        if let (Scope::Project(path), Some(above)) = (scope, self.directory.parent()) {
            let file = above.join("scope");
            if file.exists() {
                return Ok(());
            }
            std::fs::write(&file, path.as_os_str().as_bytes())
                .map_err(|error| Trouble::io("write", &file, error))?;
        }
        Ok(())
    }

    /// Connects to the supervisor.
    ///
    /// # Errors
    /// `NotFound` and `ConnectionRefused` when nobody listens, and others of connect(2).
    pub fn connect(&self) -> io::Result<UnixStream> {
        socket::connect_to(&self.directory.join(SOCKET), CONNECT)
    }

    /// Takes the lock, waiting at most so long; `None` when somebody else has it.
    ///
    /// # Errors
    /// [`Trouble`] when it cannot be made or locked.
    pub fn lock(&self, wait: Duration) -> Result<Option<Lock>, Trouble> {
        let path = self.directory.join(LOCK);
        let trouble = |doing, error| Trouble::io(doing, &path, error);
        // gc may remove it as often as somebody makes it; a name that leads nowhere stays as it is.
        for _ in 0..TRIES {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false).mode(0o600);
            let file = match options.open(&path) {
                Ok(file) => file,
                // gc removed the directory at this moment.
                Err(error) if is_absent(&error) => {
                    again_while_absent(|| location::make(&self.state()))?;
                    continue;
                }
                Err(error) => return Err(trouble("open", error)),
            };
            let got = match file.try_lock() {
                Ok(()) => true,
                Err(std::fs::TryLockError::WouldBlock) if wait.is_zero() => false,
                Err(std::fs::TryLockError::WouldBlock) => {
                    lock::exclusive_within(&file, wait).map_err(|error| trouble("lock", error))?
                }
                Err(std::fs::TryLockError::Error(error)) => return Err(trouble("lock", error)),
            };
            if !got {
                return Ok(None);
            }
            if is_at(&file, &path) {
                return Ok(Some(Lock { file }));
            }
        }
        Err(trouble("open", io::ErrorKind::NotFound.into()))
    }

    /// Removes all of it. At once it has another name, so that whoever gets the lock next makes another directory, of
    /// which nothing is removed.
    ///
    /// # Errors
    /// Those of rename(2), and of what removes files.
    pub fn remove(self, lock: Lock) -> io::Result<()> {
        let removed =
            self.directory.with_file_name(format!(".{}.{}", self.name(), crate::sys::process::id()));
        // One that had this process's number may have left it.
        remove_all(&removed)?;
        match std::fs::rename(&self.directory, &removed) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed?,
        }
        fault::point("singleton.removing");
        drop(lock);
        remove_all(&removed)
    }

    /// Removes what those have left in the directory of a scope who were killed while they removed a slot.
    pub fn remove_left(scope: &Path) {
        let left = std::fs::read_dir(scope).into_iter().flatten().flatten();
        for directory in left.filter(|entry| is_no_slot(&entry.path())) {
            let _ = remove_all(&directory.path());
        }
    }

    /// Returns what the lock's file says.
    pub fn record(&self) -> Option<Record> {
        Record::read(&File::open(self.directory.join(LOCK)).ok()?)
    }

    /// Returns whether an open lock still is the one of this slot: the directory may have been removed, and made again
    /// for another instance.
    pub fn is_locked_by(&self, lock: &File) -> bool {
        is_at(lock, &self.directory.join(LOCK))
    }

    /// Returns whether an open lock is still the file of that name, and the socket is there.
    pub fn is_where_it_was(&self, lock: &File) -> bool {
        self.is_locked_by(lock) && self.directory.join(SOCKET).symlink_metadata().is_ok()
    }

    /// Begins to listen; the lock must be held. The socket gets its name when it listens, so that nobody finds one
    /// that does not.
    ///
    /// # Errors
    /// Those of bind(2), listen(2) and rename(2).
    pub fn listen(&self) -> io::Result<std::os::unix::net::UnixListener> {
        let own = format!("{SOCKET}.{}", crate::sys::process::id());
        // Those too of callers that were killed at this point.
        let left = std::fs::read_dir(&self.directory)?.flatten();
        for file in left.filter(|file| file.file_name().as_bytes().starts_with(b"s.")) {
            let _ = std::fs::remove_file(file.path());
        }
        let listener = socket::listen(&Directory::open(&self.directory)?, own.as_ref())?;
        std::fs::rename(self.directory.join(&own), self.directory.join(SOCKET))?;
        Ok(listener)
    }
}

/// Tries again what fails because gc removed, at this moment, a directory above it.
fn again_while_absent(mut make: impl FnMut() -> Result<(), Trouble>) -> Result<(), Trouble> {
    for _ in 1..TRIES {
        match make() {
            Err(Trouble::Io { source, .. }) if is_absent(&source) => {}
            made => return made,
        }
    }
    make()
}

/// How long it may take until there is room in the queue of those who connect.
const CONNECT: Duration = Duration::from_secs(5);
/// How often a lock is tried again whose file was removed.
const TRIES: usize = 100;
/// The name of the lock.
const LOCK: &str = "lock";
/// The name of the socket.
pub const SOCKET: &str = "s";

/// Returns whether a directory beside those of slots is none: a slot that is being removed.
pub fn is_no_slot(directory: &Path) -> bool {
    directory.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."))
}

/// Removes a directory with what is in it, if it is there; another may be about to do that too.
fn remove_all(directory: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound || directory.exists() => Err(error),
        _ => Ok(()),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let id =
        |metadata: std::io::Result<std::fs::Metadata>| metadata.map(|found| (found.dev(), found.ino())).ok();
    id(file.metadata()).is_some_and(|id_of_file| Some(id_of_file) == id(path.symlink_metadata()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files_that_need_no_quotes() {
        for good in ["db", "_x", "a.b-c_1", "1"] {
            assert_eq!(refuse_name(good), None, "{good}");
        }
        for bad in ["", "-x", ".x", "..", "a/b", "a b", "@x", "é", &"x".repeat(101)] {
            assert!(refuse_name(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_record_is_read_back_and_nothing_else_is() {
        let record = Record { instance: InstanceId::from_bytes([1; 16]), supervisor: Holder::me(), pid: 7 };
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Ok(record));
        for rubbish in [b"".as_slice(), b"memoSNG1", b"memoSNG2xxxxxxxx", &bytes[..bytes.len() - 1]] {
            assert_eq!(Record::decode(rubbish), Err(Malformed));
        }
    }

    #[test]
    fn one_has_the_lock_and_a_removed_one_is_made_again() {
        let root = std::env::temp_dir().join(format!("memo-slot-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let slot = Slot::new(&root, &Scope::Global, &Called::Name("a".into()));
        let held = slot.lock(Duration::ZERO).unwrap().unwrap();
        assert!(slot.lock(Duration::ZERO).unwrap().is_none());
        assert!(slot.lock(Duration::from_millis(1)).unwrap().is_none());
        assert!(!slot.is_where_it_was(held.file()), "there is no socket");
        let listener = slot.listen().unwrap();
        assert!(slot.is_where_it_was(held.file()));
        assert!(slot.connect().is_ok());
        drop(listener);
        assert_eq!(slot.connect().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        std::fs::remove_dir_all(&root).unwrap();
        assert!(!slot.is_where_it_was(held.file()));
        assert!(slot.lock(Duration::ZERO).unwrap().is_some(), "another file, another lock");
        assert_eq!(slot.connect().unwrap_err().kind(), io::ErrorKind::NotFound);
        drop(held);
        std::fs::remove_dir_all(root).unwrap();
    }
}
