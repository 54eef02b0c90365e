//! The time, which tests can fix.

use std::time::SystemTime;

use super::Environment;
use crate::action::identity::Timestamp;

/// Tells the time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    fixed: Option<Timestamp>,
}

impl Clock {
    /// Returns the system's clock; with the feature `fault`, one that stands still at `MEMO_TEST_NOW`
    /// (decimal seconds since 1970) if that is set.
    pub fn read(environment: &Environment) -> Self {
        Self { fixed: fixed(environment) }
    }

    /// Returns a clock that stands still.
    pub fn fixed(now: Timestamp) -> Self {
        Self { fixed: Some(now) }
    }

    /// Returns the earliest time that a file gets if it is written from now on: that of the kernel's last tick.
    pub fn stamp(&self) -> Timestamp {
        self.fixed.unwrap_or_else(|| Timestamp(crate::sys::file::stamp()))
    }

    /// Returns the time.
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the clock")]
    pub fn now(&self) -> Timestamp {
        self.fixed.unwrap_or_else(|| SystemTime::now().into())
    }
}

#[cfg(feature = "fault")]
fn fixed(environment: &Environment) -> Option<Timestamp> {
    use super::decimal::Decimal;
    let (seconds, rest) = Decimal::split(environment.get("MEMO_TEST_NOW")?.to_str()?)?;
    let ns = i64::try_from(seconds.times(1_000_000_000)).ok()?;
    rest.is_empty().then_some(Timestamp(ns))
}

#[cfg(not(feature = "fault"))]
fn fixed(_environment: &Environment) -> Option<Timestamp> {
    None
}

#[cfg(all(test, feature = "fault"))]
mod tests {
    use super::*;

    fn clock(now: &str) -> Clock {
        Clock::read(&Environment::new(vec![("MEMO_TEST_NOW".into(), now.into())]))
    }

    #[test]
    fn tests_can_stop_the_clock() {
        assert_eq!(clock("43200").now(), Timestamp(43_200_000_000_000));
        assert_eq!(clock("1.5").now(), Timestamp(1_500_000_000));
        assert_eq!(clock("0").now(), Timestamp(0));
    }

    #[test]
    fn what_is_no_number_leaves_the_clock_running() {
        let clock = clock("soon");
        assert!(clock.fixed.is_none());
        assert!(clock.now() > Timestamp(1_700_000_000_000_000_000));
    }
}
