//! Inputs that are learned of only after the run: what a depfile names.
//!
//! Nobody looked at them before the command read them. So they count only if their change time (which
//! nobody can set) proves that what is there now was there when the command was started; otherwise the run is
//! not recorded, as if an input had been seen to change.

use std::path::Path;

use super::identity::{FileKind, Identity, RACY_GUARD, Timestamp};
use super::observation::{Observation, Subject};
use super::reason::Unrecorded;
use super::scene::{Scene, Unobservable, special};
use super::words::has_no_content;
use crate::sys::file::FileSystem;

/// When the command was started, at the latest.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// By the clock.
    pub time: Timestamp,
    /// The earliest change time the kernel gave a file from then on. It counts in ticks, and may lag behind
    /// the clock for as long as the processor that counts them is held up.
    pub stamp: Timestamp,
}

impl Start {
    /// Returns whether what has this change time was there at the start.
    ///
    /// On a local file system the kernel that gave the time is the one that was asked at the start, and needs
    /// no guard: a header that was saved a moment ago, or all of a fresh checkout, does not keep the run from
    /// being recorded. Others have clocks and ticks of their own.
    fn is_after(&self, identity: &Identity, system: FileSystem) -> bool {
        match system {
            FileSystem::Local => identity.ctime < self.stamp.0,
            _ => self.time.since(Timestamp(identity.ctime)).is_some_and(|age| age > RACY_GUARD),
        }
    }
}

/// Observes a file that the command is known to have read; `None` for a device that has no content.
///
/// # Errors
/// [`Unrecorded::InputChangedMeanwhile`] when it may have changed since the start; `refused` makes the reason
/// of why it cannot be observed.
pub fn observe(
    path: &Path,
    start: &Start,
    scene: &mut Scene<'_>,
    refused: impl Fn(Unobservable) -> Unrecorded,
) -> Result<Option<Observation>, Unrecorded> {
    let changed = || Unrecorded::InputChangedMeanwhile(path.to_owned());
    let io = |source| refused(Unobservable::io(path, source));
    let entry = Identity::of_entry(path).map_err(io)?;
    let identity = if entry.kind() == FileKind::Link { Identity::of(path).map_err(io)? } else { entry };
    // Never opened: opening may act.
    if identity.kind() != FileKind::File {
        return if has_no_content(path) { Ok(None) } else { Err(refused(special(path, &identity))) };
    }
    let system = scene.systems.of(identity.dev, path);
    if system == FileSystem::Virtual {
        return Err(refused(Unobservable::Special { path: path.to_owned(), what: "a file of the kernel" }));
    }
    // A link that was turned leads to other content, however old that is.
    if !start.is_after(&entry, system) {
        return Err(changed());
    }
    let observation = Observation::of(Subject::Input(path.to_owned()), scene).map_err(|why| match why {
        Unobservable::Unsteady(_) => changed(),
        other => refused(other),
    })?;
    // What was hashed is what was looked at.
    let same = Identity::of(path).is_ok_and(|now| now == identity);
    if same && start.is_after(&identity, system) { Ok(Some(observation)) } else { Err(changed()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed_at(ctime: i64) -> Identity {
        Identity { dev: 1, ino: 1, mode: 0o100_644, uid: 0, gid: 0, size: 0, mtime: i64::MAX, ctime }
    }

    #[test]
    fn what_changed_in_the_tick_of_the_start_or_later_was_not_there() {
        let start = Start { time: Timestamp(10_000_000_000), stamp: Timestamp(9_996_000_000) };
        for (ctime, local, other) in [
            (7_999_999_999, true, true),
            (8_000_000_000, true, false),
            (9_995_999_999, true, false),
            (9_996_000_000, false, false),
            (11_000_000_000, false, false),
        ] {
            let identity = changed_at(ctime);
            assert_eq!(start.is_after(&identity, FileSystem::Local), local, "{ctime}");
            assert_eq!(start.is_after(&identity, FileSystem::Other), other, "{ctime}");
        }
    }
}
