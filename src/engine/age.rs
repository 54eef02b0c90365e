//! How old an outcome is, for a call: fresh, stale or expired. Pure.

use std::time::Duration;

use crate::action::identity::Timestamp;

/// What the age of an outcome means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// It answers.
    Fresh,
    /// It answers, and should be refreshed behind.
    Stale,
    /// It does not answer.
    Expired,
}

impl Age {
    /// Judges an outcome by when it was recorded, by the times to live that it and the call have, and by the
    /// call's `--stale`. Each begins at exactly its duration. Recorded in the future: the clock was set back, the
    /// age is not known, and that is as good as expired.
    pub(super) fn of(
        recorded: Timestamp,
        now: Timestamp,
        ttls: [Option<Duration>; 2],
        stale: Option<Duration>,
    ) -> Self {
        let Some(age) = now.since(recorded) else { return Self::Expired };
        if ttls.into_iter().flatten().any(|ttl| age >= ttl) {
            return Self::Expired;
        }
        if stale.is_some_and(|stale| age >= stale) { Self::Stale } else { Self::Fresh }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(age: i64, ttls: [Option<u64>; 2], stale: Option<u64>, expected: Age) {
        let ttls = ttls.map(|ttl| ttl.map(Duration::from_nanos));
        let judged = Age::of(Timestamp(1000), Timestamp(1000 + age), ttls, stale.map(Duration::from_nanos));
        assert_eq!(judged, expected, "{age} {ttls:?} {stale:?}");
    }

    #[test]
    fn each_begins_at_exactly_its_duration() {
        check(0, [None, None], None, Age::Fresh);
        check(i64::MAX - 1000, [None, None], None, Age::Fresh);
        check(9, [None, Some(60)], Some(10), Age::Fresh);
        check(10, [None, Some(60)], Some(10), Age::Stale);
        check(59, [None, Some(60)], Some(10), Age::Stale);
        check(60, [None, Some(60)], Some(10), Age::Expired);
        check(60, [None, None], Some(10), Age::Stale);
        check(0, [None, None], Some(0), Age::Stale);
    }

    #[test]
    fn the_shorter_time_to_live_counts_and_stale_prolongs_none() {
        check(5, [Some(5), Some(60)], Some(10), Age::Expired);
        check(5, [Some(60), Some(5)], None, Age::Expired);
        check(5, [Some(60), Some(60)], Some(5), Age::Stale);
    }

    #[test]
    fn what_was_recorded_in_the_future_is_expired() {
        check(-1, [None, None], Some(10), Age::Expired);
        check(-1, [None, None], None, Age::Expired);
    }
}
