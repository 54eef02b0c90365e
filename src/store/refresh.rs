//! Refreshes that run behind: how many there are at a time, and what is remembered of one that failed.
//!
//! # Locking
//! `refresh.lock` is never removed and has no content. Each refresh holds one byte of it (fcntl(2), F_OFD_SETLK),
//! so that the slot is free when the process has gone, however it went: nothing is counted, nothing can stay
//! behind.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use super::codec::{Malformed, Reader, Writer};
use super::location::Trouble;
use super::{Store, open_or_make_way};
use crate::action::identity::Timestamp;
use crate::fault;
use crate::sys::lock;

/// How long after a refresh that failed the next one is begun at the earliest, unless `--stale` is shorter:
/// what is down is mostly down for longer than that, and a prompt must not ask it every second.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// A refresh that left nothing to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When it ended.
    pub when: Timestamp,
    /// How long the command ran.
    pub took: Duration,
    /// Why nothing was recorded, as `-v` says it.
    pub why: String,
}

impl Failure {
    /// Returns whether another refresh may be begun: after a minute or, if that is shorter, after another
    /// `stale`; and never sooner than the command took, so that it does not run half of the time for nothing.
    pub fn is_over(&self, now: Timestamp, stale: Duration) -> bool {
        let pause = RETRY_AFTER.min(stale).max(self.took);
        // From the future: the clock was set back.
        now.since(self.when).is_none_or(|age| age >= pause)
    }

    pub(super) fn write(failure: Option<&Self>, w: &mut Writer) {
        match failure {
            None => _ = w.byte(0),
            Some(Self { when, took, why }) => {
                _ = w.byte(1).signed(when.0).duration(*took).bytes(why.as_bytes())
            }
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        match r.byte()? {
            0 => Ok(None),
            1 => Ok(Some(Self { when: Timestamp(r.signed()?), took: r.duration()?, why: r.text()? })),
            _ => Err(Malformed),
        }
    }
}

/// The right to run one of the refreshes that may run at a time.
#[derive(Debug)]
#[must_use = "the slot is free again when it is dropped"]
pub struct Slot {
    file: File,
    byte: u64,
}

impl Slot {
    /// Takes a free one of so many; `None` when there is none.
    ///
    /// # Errors
    /// [`Trouble`] when the system will not.
    pub fn take(store: &Store, jobs: u64) -> Result<Option<Self>, Trouble> {
        let path = store.path().join("refresh.lock");
        let trouble = |error| Trouble::io("lock", &path, error);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = open_or_make_way(&path, &options).map_err(trouble)?;
        for byte in 0..jobs {
            if lock::try_byte(&file, byte).map_err(trouble)? {
                fault::point("refresh.slot");
                return Ok(Some(Self { file, byte }));
            }
        }
        Ok(None)
    }

    /// Leaves it to a copy of this process.
    pub fn leave_to_copy(self) {
        // Dropped, it would be free for the copy too.
        let _kept = ManuallyDrop::new(self);
    }

    /// Returns the number of its descriptor.
    pub fn raw(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // A copy that pumps on for a grandchild of the command's has the same open file.
        let _ = lock::release_byte(&self.file, self.byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::Fixture;

    #[test]
    fn there_are_so_many_slots() {
        let fixture = Fixture::new();
        let take = |jobs| Slot::take(&fixture.store, jobs).unwrap();
        assert!(take(0).is_none());
        let first = take(2).unwrap();
        let second = take(2).unwrap();
        assert!(take(2).is_none());
        assert!(take(3).is_some(), "who allows more gets more");
        drop(first);
        let again = take(2);
        assert!(again.is_some() && take(2).is_none());
        drop(second);
    }

    #[track_caller]
    fn check(took: u64, stale: u64, pause: u64) {
        let second = |second: u64| Timestamp(i64::try_from(second * 1_000_000_000).unwrap());
        let failure =
            Failure { when: second(1000), took: Duration::from_secs(took), why: "exit-status: 1".to_owned() };
        let stale = Duration::from_secs(stale);
        assert!(pause == 0 || !failure.is_over(second(1000 + pause - 1), stale));
        assert!(failure.is_over(second(1000 + pause), stale));
        assert!(failure.is_over(second(999), stale), "the clock was set back");
    }

    #[test]
    fn one_that_failed_is_not_tried_again_at_once() {
        check(0, 3600, 60);
        check(0, 5, 5);
        check(0, 0, 0);
        check(600, 3600, 600);
        check(30, 5, 30);
    }
}
