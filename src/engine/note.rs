//! What a call leaves in the journal, for `memo stats`.
//!
//! A call is counted once: as a hit, or as a miss when the command was run, with the reasons. Not counted is what
//! leaves no trace in a store: `MEMO_MODE=off`, a store that cannot be used, a lookup with `--only-cached` that
//! finds nothing.

use std::time::Duration;

use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
use crate::action::reason::{Missed, Unrecorded};
use crate::exec::capture::Ran;
use crate::store::Store;
use crate::store::journal::{Event, Group, Record};
use crate::store::outcome::{Outcome, OutcomeId};

use super::{Call, Request};

impl Call<'_> {
    /// Notes that an outcome was replayed.
    pub(super) fn note_hit(&self, key: &ActionKey, id: OutcomeId, outcome: &Outcome) {
        let now = (self.request.now)();
        let blank = Record::new(Event::Hit, now, &self.request.options.group);
        let (amount, spent) = (ns(outcome.duration), ns(self.spent(now)));
        self.append(&Record { key: *key, outcome: id, amount, spent, bytes: outcome.given(), ..blank });
    }

    /// Notes that the failure of a run was passed on to this call, which waited for it: no time was saved, but a
    /// run was.
    pub(super) fn note_shared_failure(&self, given: u64) {
        let now = (self.request.now)();
        let blank = Record::new(Event::Hit, now, &self.request.options.group);
        let spent = ns(self.spent(now));
        self.append(&Record { amount: spent, spent, bytes: given, ..blank });
    }

    /// Notes that the command was run, and why it was not recorded, if it was not.
    pub(super) fn note_miss(&self, key: Option<&ActionKey>, ran: &Ran, why: Option<&Unrecorded>) {
        let record = missed(&self.request, Some(&self.missed), why);
        let key = key.copied().unwrap_or(record.key);
        self.append(&Record { key, amount: ns(ran.duration), ..record });
        if let Some(why) = why {
            self.append(&refused(&self.request, why));
        }
    }

    /// Returns how long this call has taken until now.
    fn spent(&self, now: Timestamp) -> Duration {
        now.since(self.began).unwrap_or_default()
    }

    fn append(&self, record: &Record) {
        // A store that takes no records still answers.
        let _ = self.store.journal.append(record);
    }
}

/// Notes that the command takes memo's place and is not recorded; `missed` is why nothing answered, if
/// anything was looked up.
pub(super) fn note_given_up(
    request: &Request<'_>,
    store: &Store,
    missed_because: Option<&Missed>,
    why: &Unrecorded,
) {
    // Where there is no store, none is made for this.
    if store.is_made() && !matches!(why, Unrecorded::Store(_)) && !request.options.only_cached {
        let _ = store.journal.append(&missed(request, missed_because, Some(why)));
        let _ = store.journal.append(&refused(request, why));
    }
}

fn missed(request: &Request<'_>, missed: Option<&Missed>, why: Option<&Unrecorded>) -> Record {
    Record {
        missed: missed.map_or(0, Missed::number),
        unrecorded: why.map_or(0, Unrecorded::number),
        ..Record::new(Event::Miss, (request.now)(), &request.options.group)
    }
}

/// Returns the record that says to whoever asks why a run was not recorded.
fn refused(request: &Request<'_>, why: &Unrecorded) -> Record {
    Record {
        unrecorded: why.number(),
        outcome: OutcomeId(request.action.call_digest()),
        group: Group::ending(&why.about().unwrap_or_default()),
        ..Record::new(Event::Unrecorded, (request.now)(), "")
    }
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
