//! `--on-release`: a shell command that runs once for each instance that has gone.
//!
//! Its file is there from before the instance is started until somebody takes it, by a rename that only one can make,
//! to run it: the supervisor; when that was killed, the guardian; when both were, whoever starts the next instance.
//! Whoever is killed between the two has not run it: at most once, and once unless it is that moment.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::machine::RELEASE_LIMIT;
use super::service::with_variables;
use super::slot::Slot;
use super::verdict::read_instance;
use crate::action::instance::InstanceId;
use crate::exec::key_command;
use crate::store::codec::{Malformed, Reader, Writer};
use crate::store::temporary::Temporary;

/// The name of its file.
const NAME: &str = "release";
/// The name it has once it was taken.
const TAKEN: &str = "released";
/// What it begins with.
const MAGIC: &[u8; 8] = b"memoREL1";

/// A command that is to be run when an instance has gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Which instance.
    pub instance: InstanceId,
    /// The command.
    pub line: OsString,
    /// Where it runs.
    pub directory: PathBuf,
}

impl Release {
    /// Keeps it in a slot until somebody takes it.
    ///
    /// # Errors
    /// Those of open(2), write(2) and rename(2).
    pub fn keep(&self, slot: &Slot) -> io::Result<()> {
        let mut w = Writer::starting_with(MAGIC);
        w.raw(self.instance.as_bytes()).bytes(self.line.as_bytes()).path(&self.directory);
        let mut temporary = Temporary::create(slot.directory(), "new-", 0o600)?;
        std::io::Write::write_all(&mut temporary.file, &w.into_bytes())?;
        temporary.persist(&slot.directory().join(NAME))
    }

    /// Takes what is kept in a slot for an instance; `None` where nothing is, or somebody else has taken it. Of another
    /// instance, which has the slot by now, nothing is taken.
    pub fn take(slot: &Slot, instance: InstanceId) -> Option<Self> {
        Self::read(&slot.directory().join(NAME)).filter(|kept| kept.instance == instance)?;
        let taken = slot.directory().join(TAKEN);
        std::fs::rename(slot.directory().join(NAME), &taken).ok()?;
        let read = Self::read(&taken);
        let _ = std::fs::remove_file(&taken);
        read
    }

    fn read(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        Self::decode(&bytes).ok()
    }

    /// Reads the bytes of its file.
    ///
    /// # Errors
    /// [`Malformed`] when they are not those of one.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes.strip_prefix(MAGIC).ok_or(Malformed)?);
        Ok(Self {
            instance: read_instance(&mut r)?,
            line: OsString::from_vec(r.bytes()?.to_vec()),
            directory: r.path()?,
        })
    }
}

/// The variable that tells a process which instance it belongs to.
pub const INSTANCE: &str = "MEMO_SINGLETON_INSTANCE";
/// The variable that tells it what it is called.
pub const NAMED: &str = "MEMO_SINGLETON_NAME";
/// The variable that tells it its directory.
pub const STATE: &str = "MEMO_STATE";

/// Returns what every process of an instance is told in its environment.
pub fn told(slot: &Slot, instance: InstanceId, name: &str) -> [(OsString, OsString); 3] {
    [
        (INSTANCE.into(), instance.to_string().into()),
        (NAMED.into(), name.into()),
        (STATE.into(), slot.state().into()),
    ]
}

/// Runs what was left by those who should have run it; returns how it failed, if it did.
pub fn run_left(slot: &Slot, instance: InstanceId, environment: &[(OsString, OsString)]) -> Option<String> {
    let release = Release::take(slot, instance)?;
    let environment = with_variables(environment, told(slot, instance, &slot.name()));
    let variables = environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
    run(&release, variables)
}

fn run<'a>(release: &Release, environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>) -> Option<String> {
    key_command::check_within(&release.line, environment, &release.directory, RELEASE_LIMIT)
        .err()
        .map(|failed| failed.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::singleton::scope::Scope;
    use crate::singleton::slot::Called;

    #[test]
    fn it_is_taken_once() {
        let root = std::env::temp_dir().join(format!("memo-release-{}", std::process::id()));
        let slot = Slot::new(&root, &Scope::Global, &Called::Name("a".into()));
        crate::store::location::make(slot.directory()).unwrap();
        let instance = InstanceId::from_bytes([1; 16]);
        let release = Release {
            instance,
            line: "echo $MEMO_SINGLETON_INSTANCE >o; exit 3".into(),
            directory: root.clone(),
        };
        release.keep(&slot).unwrap();
        assert_eq!(Release::take(&slot, InstanceId::from_bytes([2; 16])), None, "it is not that one's");
        assert_eq!(Release::take(&slot, instance), Some(release.clone()));
        assert_eq!(Release::take(&slot, instance), None);
        release.keep(&slot).unwrap();
        assert_eq!(run_left(&slot, instance, &[]), Some("exit 3".to_owned()));
        assert_eq!(run_left(&slot, instance, &[]), None);
        assert_eq!(std::fs::read_to_string(root.join("o")).unwrap(), format!("{instance}\n"));
        std::fs::remove_dir_all(root).unwrap();
    }
}
