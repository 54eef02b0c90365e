//! Times and durations as people read them.

use std::time::Duration;

use crate::action::identity::Timestamp;

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
    fn times_are_shown_in_utc() {
        let shown = |seconds: i64| utc(Timestamp(seconds * 1_000_000_000 + 999_999_999));
        assert_eq!(shown(0), "1970-01-01T00:00:00Z");
        assert_eq!(shown(-1), "1969-12-31T23:59:59Z");
        assert_eq!(shown(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(shown(1_767_225_599), "2025-12-31T23:59:59Z");
        assert_eq!(shown(4_107_542_400), "2100-03-01T00:00:00Z");
    }
}
