//! One run for all who ask for the same: the lease, and what those do who do not get it.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use crate::action::key::ActionKey;
use crate::action::reason::Unrecorded;
use crate::config::duration;
use crate::error::{Error, system_text};
use crate::fault;
use crate::progress::{Doing, Line};
use crate::replay::streams::{self, Source};
use crate::store::lease::{Lease, Taken, Waiter};
use crate::store::verdict::Verdict;

use super::hit::end;
use super::standard_input::Given;
use super::{Call, Exit};

/// The variable that names the keys that are being run around a command.
pub const HELD: &str = "MEMO_HELD";
/// How often those who wait look whether the holder can still get on.
const TICK: Duration = Duration::from_secs(1);
/// How long a call inside another one waits: the one around it may hold what this one waits for.
const LONGEST_INSIDE: Duration = Duration::from_secs(10);
/// How often a run may come to nothing before the next one runs on its own.
const MOST_VOIDS: usize = 2;

/// What came of asking for the right to run.
pub(super) enum Turn {
    /// It is ours.
    Run(Lease),
    /// Nobody can have it: run and record, as others may do at the same time.
    Unlocked,
    /// Somebody else's run is the answer.
    Answered(Result<Exit, Error>),
    /// Run, but alone.
    Alone(Unrecorded),
}

impl Call<'_> {
    /// Takes the lease of a key, or waits for whoever has it.
    pub(super) fn turn(&mut self, key: &ActionKey, given: &Given) -> Turn {
        let inside = self.request.held.is_some_and(|held| !held.is_empty());
        if self.request.held.is_some_and(|held| names(held, key)) {
            return Turn::Alone(Unrecorded::SameKey);
        }
        let refresh = self.missed.replaces();
        // A run that begins from now on needs no check.
        self.check = None;
        // Whether the run that is waited for may have begun before this call.
        let mut earlier = true;
        let mut voids = 0;
        loop {
            let waiter = match self.store.lease(key) {
                Ok(Taken::Ours(mut lease)) => {
                    // Somebody may have recorded it between our look and our lock.
                    if !refresh
                        && self.has_changed(key)
                        && let Some(exit) = self.try_key(key, |taken| given.take(taken))
                    {
                        let _ = lease.conclude(Verdict::Recorded, None);
                        return Turn::Answered(exit);
                    }
                    return Turn::Run(lease);
                }
                Ok(Taken::Held(waiter)) => waiter,
                Ok(Taken::NoLocks) => return Turn::Unlocked,
                Err(trouble) => return Turn::Alone(Unrecorded::Store(trouble.to_string())),
            };
            if let Err(alone) = self.wait_for(&waiter, inside) {
                return Turn::Alone(alone);
            }
            match waiter.verdict() {
                // The holder died: the next one takes over.
                None => {}
                Some(_) if refresh && earlier => {}
                Some(Verdict::Recorded) => {
                    if let Some(exit) = self.try_key(key, |taken| given.take(taken)) {
                        return Turn::Answered(exit);
                    }
                    voids += 1;
                }
                Some(Verdict::Status(status)) => {
                    if let Some(exit) = self.share_failure(waiter, status) {
                        return Turn::Answered(exit);
                    }
                    voids += 1;
                }
                Some(Verdict::Void) => voids += 1,
                Some(Verdict::Unshared) => return Turn::Alone(Unrecorded::SameKey),
            }
            earlier = false;
            if voids >= MOST_VOIDS {
                return Turn::Alone(Unrecorded::SameKey);
            }
        }
    }

    /// Whether the manifest has other outcomes than when it was looked up.
    pub(super) fn has_changed(&self, key: &ActionKey) -> bool {
        let now = self.store.manifest(key).map(|manifest| manifest.ids());
        let then = self.seen.iter().find(|(seen, _)| seen == key).map(|(_, ids)| ids);
        now.is_ok_and(|now| then.is_none_or(|then| *then != now))
    }

    /// Waits until the lease ends.
    ///
    /// # Errors
    /// Why it is no use to wait.
    fn wait_for(&self, waiter: &Waiter, inside: bool) -> Result<(), Unrecorded> {
        let started = Instant::now();
        let mut said = false;
        let mut line = Line::begin(self.request.options.progress, || Doing::Waiting { pid: None });
        let longest = fault::limit("wait.inside", LONGEST_INSIDE);
        loop {
            match waiter.wait(TICK) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => return Err(Unrecorded::Store(system_text(&error))),
            }
            fault::point("wait.tick");
            if waiter.is_stuck() || inside && started.elapsed() >= longest {
                return Err(Unrecorded::SameKey);
            }
            if let Some(line) = &mut line {
                // Another one may have taken over.
                line.change(Doing::Waiting { pid: waiter.holder().map(|holder| holder.pid) });
            } else if !said {
                said = true;
                let pid = waiter.holder().map_or(String::new(), |holder| format!(", pid {}", holder.pid));
                let waited = duration::Shown(started.elapsed());
                self.ui.note(format_args!("waiting for the same command{pid}, {waited}"), None);
            }
        }
    }

    /// Answers with the failure of a run that this call waited for.
    fn share_failure(&self, waiter: Waiter, status: u8) -> Option<Result<Exit, Error>> {
        let (file, length) = waiter.into_transcript()?;
        self.ui.verbose("hit: the same command was being run");
        self.started.set(true);
        let replayed = streams::replay(&Source::File(file, length));
        self.note_shared_failure(length);
        Some(end(replayed, status, self.request.inherited))
    }
}

fn names(held: &OsStr, key: &ActionKey) -> bool {
    let key = key.to_string();
    held.as_encoded_bytes().split(|&byte| byte == b':').any(|name| name == key.as_bytes())
}
