//! Times and durations as people read them.

use std::time::Duration;

use crate::action::identity::Timestamp;
use crate::config::duration;

/// A point in time as people give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

/// A text that is no point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a duration (1h, 7d) nor a date (2026-01-31, 2026-01-31T12:00Z)")]
pub struct BadSince;

impl Since {
    /// Reads a duration, or a date or time as RFC 3339 has them, in UTC; seconds and `Z` may be left out.
    ///
    /// # Errors
    /// [`BadSince`] for any other text.
    pub fn parse(text: &str) -> Result<Self, BadSince> {
        match duration::parse(text) {
            Ok(ago) => Ok(Self::Ago(ago)),
            Err(_) => seconds_of(text)
                .and_then(|seconds| seconds.checked_mul(1_000_000_000))
                .map(|ns| Self::At(Timestamp(ns)))
                .ok_or(BadSince),
        }
    }

    /// Returns the point in time.
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(ago) => {
                Timestamp(now.0.saturating_sub(i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX)))
            }
            Self::At(time) => time,
        }
    }
}

/// Returns the seconds after 1970 of a date or time.
fn seconds_of(text: &str) -> Option<i64> {
    let number = |text: &str, digits: usize| {
        (text.len() == digits && text.bytes().all(|digit| digit.is_ascii_digit()))
            .then(|| text.parse::<i64>().ok())?
    };
    let (day, time) = match text.split_once(['T', ' ']) {
        Some((day, time)) => (day, time.strip_suffix('Z').unwrap_or(time)),
        None => (text, "00:00"),
    };
    let [year, month, day] = day.split('-').collect::<Vec<_>>().try_into().ok()?;
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    let days = days(year, month, day);
    // A day that does not exist is another one when it is read back.
    if civil(days) != (year, month, day) {
        return None;
    }
    let mut clock = time.split(':');
    let (hour, minute) = (number(clock.next()?, 2)?, number(clock.next()?, 2)?);
    let second = clock.next().map_or(Some(0), |second| number(second, 2))?;
    let valid = hour < 24 && minute < 60 && second < 60 && clock.next().is_none();
    valid.then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Returns a duration in its largest fitting unit: `350ms`, `1.5s`, `42s`, `5m`, `3h`, `12d`.
pub fn shown_duration(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{}ms", duration.as_millis()),
        seconds @ 1..10 => format!("{seconds}.{}s", duration.subsec_millis() / 100),
        _ => shown_age(duration),
    }
}

/// Returns a duration in its largest fitting unit, from seconds to days.
pub fn shown_age(age: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    // Two of a unit, so that no more than half of what is shown is cut off.
    match age.as_secs() {
        seconds if seconds < 2 * MINUTE => format!("{seconds}s"),
        seconds if seconds < 2 * HOUR => format!("{}m", seconds / MINUTE),
        seconds if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        seconds => format!("{}d", seconds / DAY),
    }
}

/// Returns a point in time as RFC 3339 has it, in UTC and whole seconds.
pub fn utc(time: Timestamp) -> String {
    let seconds = time.0.div_euclid(1_000_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Returns the day of a point in time as RFC 3339 has it, in UTC.
pub fn date(time: Timestamp) -> String {
    let mut text = utc(time);
    text.truncate(text.find('T').unwrap_or(text.len()));
    text
}

/// Returns the number of days since 1970 of a year, month and day (`days_from_civil` of the same source as
/// [`civil`]).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Returns year, month and day of a number of days since 1970 (Howard Hinnant, `civil_from_days` of
/// "chrono-Compatible Low-Level Date Algorithms"): years begin in March, so that the leap day is the last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_in_a_unit_that_fits() {
        let shown = |ms: u64| shown_duration(Duration::from_millis(ms));
        assert_eq!(
            [0, 350, 999, 1000, 1599, 9999, 10_000, 119_999, 120_000, 7_200_000, 172_800_000].map(shown),
            ["0ms", "350ms", "999ms", "1.0s", "1.5s", "9.9s", "10s", "119s", "2m", "2h", "2d"]
        );
        assert_eq!(shown_age(Duration::ZERO), "0s");
    }

    #[test]
    fn points_in_time_are_read_in_utc() {
        for text in ["1970-01-01", "1969-12-31", "2000-02-29", "2025-12-31", "2100-03-01"] {
            let read = seconds_of(text).unwrap();
            assert_eq!(date(Timestamp(read * 1_000_000_000)), text);
        }
        let at = |seconds: i64| Ok(Since::At(Timestamp(seconds * 1_000_000_000)));
        assert_eq!(Since::parse("1970-01-02T01:02Z"), at(90_120));
        assert_eq!(Since::parse("1970-01-02 01:02:03"), at(90_123));
        assert_eq!(Since::parse("1h"), Ok(Since::Ago(Duration::from_secs(3600))));
        assert_eq!(Since::parse("90m").unwrap().at(Timestamp(6_000_000_000_000)).0, 600_000_000_000);
        for bad in [
            "",
            "2026",
            "2026-2-3",
            "2026-02-30",
            "2026-13-01",
            "2026-01-01T24:00",
            "x",
            "-1h",
            "2026-01-01T1:00",
        ] {
            assert_eq!(Since::parse(bad).ok().filter(|since| matches!(since, Since::At(_))), None, "{bad}");
        }
        assert_eq!(Since::parse("2026-02-30"), Err(BadSince));
    }

    #[test]
    fn times_are_shown_in_utc() {
        let shown = |seconds: i64| utc(Timestamp(seconds * 1_000_000_000 + 999_999_999));
        assert_eq!(shown(0), "1970-01-01T00:00:00Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59Z");
        assert_eq!(shown(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(shown(1_767_225_599), "2025-12-31T23:59:59Z");
        assert_eq!(shown(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
