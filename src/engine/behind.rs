//! A refresh that runs behind: the caller has the stale answer, and a process that belongs to nobody runs the
//! command again.
//!
//! It has no terminal, no signals of the caller's, no descriptor above 2, `/dev/null` on the others, and no
//! jobserver: whoever waits for the caller's pipes, children or jobs does not wait for it. It takes the lease of
//! the key as any run does, so that it is the only one, and `clear` takes that away from it.
//!
//! Where that is not the same as a run by the caller (stdin has content, files would be written into a tree in which
//! the user works) or cannot be done, a stale outcome counts as expired, and the call runs the command itself.

use std::ffi::OsString;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::action::identity::Timestamp;
use crate::action::key::{ActionKey, Stdin};
use crate::action::reason::Missed;
use crate::config::{Mode, duration};
use crate::exec::jobserver;
use crate::fault;
use crate::store::index::Digests;
use crate::store::lease::{Lease, Taken};
use crate::store::manifest::Entry;
use crate::store::outcome::OutcomeId;
use crate::store::refresh::{Failure, Slot};
use crate::sys::end;
use crate::sys::{descriptor, process};

use super::Call;
use super::standard_input::{Given, How};

/// What is done about an outcome that is stale, said with `-v`.
enum Done {
    /// A refresh was started.
    Started,
    /// Somebody runs it already, or has just done so.
    UnderWay,
    /// So many refreshes run.
    Full(u64),
    /// The last one failed a short time ago.
    Failed(Failure, Timestamp),
}

impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Started => f.write_str("it is refreshed behind"),
            Self::UnderWay => f.write_str("it is being refreshed"),
            Self::Full(jobs) => write!(f, "not refreshed now: no more than {jobs} at a time"),
            Self::Failed(failure, now) => {
                let age = duration::Shown(now.since(failure.when).unwrap_or_default());
                write!(f, "not refreshed now: that failed {age} ago: {}", failure.why)
            }
        }
    }
}

impl Call<'_> {
    /// Returns whether a stale outcome could be refreshed without the caller.
    pub(super) fn can_refresh(&self, key: &ActionKey, entry: &Entry) -> bool {
        let options = self.request.options;
        let by_itself = options.mode == Mode::On && options.refresh_jobs > 0;
        // Whoever wants only what is there gets it.
        options.only_cached
            || by_itself
                && entry.outputs.is_empty()
                && self.request.action.outputs.is_empty()
                && self.stdin_behind(key).is_some()
    }

    /// Returns the stdin that a refresh of what was found under this key can have.
    fn stdin_behind(&self, key: &ActionKey) -> Option<Given> {
        let known = [(Stdin::None, How::Null), (Stdin::Closed, How::Inherit)];
        known.into_iter().find_map(|(stdin, how)| {
            let own = self.keys.with(stdin);
            let found = own == *key || self.key_beside(stdin).0 == *key;
            found.then_some(Given { how, stdin: Some(stdin), key: Some(own) })
        })
    }

    /// Has a stale outcome refreshed, before it is replayed.
    ///
    /// # Errors
    /// `Expired` when no refresh can be started: then it is to be run at once.
    pub(super) fn refresh(&mut self, key: &ActionKey, entry: &Entry) -> Result<(), Missed> {
        if self.request.options.only_cached {
            return Ok(());
        }
        let done = self.start(key, entry).ok_or(Missed::Expired)?;
        self.ui.verbose(format_args!("stale: {done}"));
        Ok(())
    }

    /// Starts a refresh if it is time for one; `None` when that cannot be done.
    fn start(&mut self, served: &ActionKey, entry: &Entry) -> Option<Done> {
        let options = self.request.options;
        let now = (self.request.now)();
        if let Some(failure) =
            entry.failure.as_ref().filter(|failure| !failure.is_over(now, options.stale.unwrap_or_default()))
        {
            return Some(Done::Failed(failure.clone(), now));
        }
        let given = self.stdin_behind(served)?;
        let key = given.key?;
        // From before the look below: a `clear` after it is noticed when the refresh is recorded.
        let generation = self.store.generation();
        let lease = match self.store.lease(&key).ok()? {
            Taken::Ours(lease) => lease,
            Taken::Held(_) => return Some(Done::UnderWay),
            // Nothing would keep all callers from refreshing at once.
            Taken::NoLocks => return None,
        };
        fault::point("refresh.leased");
        // Since it was found stale it may have been refreshed, or cleared.
        if self.has_changed(served) || self.has_changed(&key) {
            lease.abandon();
            return Some(Done::UnderWay);
        }
        let slot = match Slot::take(&self.store, options.refresh_jobs) {
            Ok(Some(slot)) => slot,
            full => {
                lease.abandon();
                return full.is_ok().then_some(Done::Full(options.refresh_jobs));
            }
        };
        match process::fork_away() {
            Ok(false) => {
                lease.leave_to_copy();
                slot.leave_to_copy();
                Some(Done::Started)
            }
            Ok(true) => {
                let behind = Behind { served: *served, entry: entry.id, given, generation };
                // Whatever happens in here, the caller's call is not this process's to answer.
                let _ = catch_unwind(AssertUnwindSafe(|| self.run_behind(behind, lease, slot)));
                end::at_once(0)
            }
            Err(_) => {
                lease.abandon();
                None
            }
        }
    }

    /// The whole life of the process that refreshes.
    fn run_behind(&mut self, behind: Behind, mut lease: Lease, slot: Slot) {
        fault::point("refresh.forked");
        let kept = [lease.file().as_raw_fd(), slot.raw()];
        if descriptor::null_standard().and_then(|()| descriptor::close_others(&kept)).is_err() {
            return;
        }
        // What it had open is closed now, under another's feet.
        std::mem::forget(std::mem::replace(&mut self.digests, Digests::new(&self.store)));
        let environment = self.environment_behind();
        // The process ends with what it does here.
        self.request.environment = Box::leak(environment.into_boxed_slice());
        self.request.held = None;
        self.missed = Missed::Stale;
        self.behind = true;
        let Behind { served, entry, given, generation } = behind;
        let begun = Instant::now();
        // Those who wait for the lease ask who has it.
        let why = if lease.take_over().is_err() {
            Some("the store cannot be written".to_owned())
        } else if !self.is_where_it_was() {
            lease.abandon();
            Some("the working directory is gone".to_owned())
        } else {
            fault::point("refresh.begun");
            self.refreshed(given, lease, generation)
        };
        if let Some(why) = why {
            self.note_failure(&served, &entry, why, begun.elapsed(), generation);
        }
        fault::point("refresh.done");
        drop(slot);
    }

    /// Runs the command and records it; returns why not.
    fn refreshed(&mut self, given: Given, lease: Lease, generation: u64) -> Option<String> {
        let before = match self.before() {
            Ok(Ok(before)) => before,
            Ok(Err(why)) => return Some(why.to_string()),
            Err(error) => return Some(error.to_string()),
        };
        match self.run_and_record(given, Some(lease), before, generation) {
            Ok(done) => done.recorded.err().map(|why| why.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Keeps why a refresh failed with the outcome that stays, so that the next one is not begun at once.
    fn note_failure(&self, key: &ActionKey, entry: &OutcomeId, why: String, took: Duration, generation: u64) {
        let failure = Failure { when: (self.request.now)(), took, why };
        // Only a run too many comes of it when it cannot be kept.
        let _ = self.store.note_failure(key, entry, failure, generation);
    }

    /// The environment without the jobserver of a make that does not wait for this.
    fn environment_behind(&self) -> Vec<(OsString, OsString)> {
        let all = self.request.environment.iter();
        let passed = all.map(|(name, value)| {
            let is_flags = jobserver::VARIABLES.iter().any(|known| name == known);
            let value =
                if is_flags { jobserver::without(value) } else { None }.unwrap_or_else(|| value.clone());
            (name.clone(), value)
        });
        passed.collect()
    }

    /// Returns whether the working directory still is the one of that name.
    fn is_where_it_was(&self) -> bool {
        let path = self.request.directory;
        // Where it is not known it is not in the key either.
        if path.as_os_str().is_empty() {
            return true;
        }
        let id =
            |path: &std::path::Path| std::fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
        id(path).is_some_and(|named| Some(named) == id(std::path::Path::new(".")))
    }
}

/// What a refresh takes along.
struct Behind {
    /// Under which key the stale outcome was found.
    served: ActionKey,
    entry: OutcomeId,
    given: Given,
    generation: u64,
}
