//! Durations as people write and read them: `15m`, `1d12h`.

use std::fmt;
use std::time::Duration;

use super::decimal::Decimal;
use super::rounded;

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// Not of the form.
    #[error("invalid duration `{0}`")]
    Malformed(String),
    /// More than fits.
    #[error("duration `{0}` is too long")]
    TooLong(String),
}

impl BadDuration {
    /// Returns what would be right.
    pub fn hint(&self) -> &'static str {
        "examples: 90, 90s, 15m, 1d12h"
    }
}

/// Units in ns, and what they are called.
const UNITS: &[(u128, &[&str])] = &[
    (1_000_000, &["ms", "millisecond", "milliseconds"]),
    (SECOND, &["s", "sec", "secs", "second", "seconds"]),
    (MINUTE, &["m", "min", "mins", "minute", "minutes"]),
    (HOUR, &["h", "hr", "hrs", "hour", "hours"]),
    (DAY, &["d", "day", "days"]),
    (7 * DAY, &["w", "week", "weeks"]),
];
const SECOND: u128 = 1_000_000_000;
const MINUTE: u128 = 60 * SECOND;
const HOUR: u128 = 60 * MINUTE;
const DAY: u128 = 24 * HOUR;

/// Reads a duration: numbers with units, added up (`1d12h`, `1 day 23hr 45minutes`, `1.5d23.5h`); a
/// number alone is in seconds.
///
/// # Errors
/// [`BadDuration`] for any other text, and for what does not fit.
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    let ns = nanoseconds(text.trim()).ok_or_else(|| BadDuration::Malformed(text.to_owned()))?;
    let seconds = u64::try_from(ns / SECOND).map_err(|_| BadDuration::TooLong(text.to_owned()))?;
    Ok(Duration::from_secs(seconds) + Duration::from_nanos((ns % SECOND) as u64))
}

fn nanoseconds(text: &str) -> Option<u128> {
    if let Some((number, "")) = Decimal::split(text) {
        return Some(number.times(SECOND));
    }
    let mut sum = 0_u128;
    let mut rest = text;
    loop {
        let (number, behind) = Decimal::split(rest)?;
        let behind = behind.trim_start();
        let end = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (name, behind) = behind.split_at(end);
        let (unit, _) = UNITS.iter().find(|(_, names)| names.contains(&name))?;
        sum = sum.saturating_add(number.times(*unit));
        rest = behind.trim_start();
        if rest.is_empty() {
            return Some(sum);
        }
    }
}

/// Shows a duration to people, rounded: `12 ms`, `1.5 s`, `2 min`, `3 h`, `4 d`.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: &[(u128, &str)] =
            &[(1_000_000, "ms"), (SECOND, "s"), (MINUTE, "min"), (HOUR, "h"), (DAY, "d")];
        rounded::write(f, self.0.as_nanos(), SHOWN)
    }
}

/// Shows a duration so that it is read back as the same, and as it may have been typed: `1d`, `90s`, `250ms`.
#[derive(Clone, Copy, Debug)]
pub struct Exact(pub Duration);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u128, &str); 4] = [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")];
        let ns = self.0.as_nanos();
        if !ns.is_multiple_of(1_000_000) {
            return write!(f, "{}.{:09}s", self.0.as_secs(), self.0.subsec_nanos());
        }
        let unit = UNITS.into_iter().find(|(unit, _)| ns > 0 && ns.is_multiple_of(*unit));
        let (unit, name) = unit.unwrap_or((1_000_000, "ms"));
        write!(f, "{}{name}", ns / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, seconds: f64) {
        assert_eq!(parse(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
    }

    #[test]
    fn every_form_is_read() {
        check("90", 90.0);
        check("90s", 90.0);
        check("1.5", 1.5);
        check("250ms", 0.25);
        check("15m", 900.0);
        check("1d12h", 129_600.0);
        check("1 day 23hr 45minutes", 171_900.0);
        check("1.5d23.5h", 214_200.0);
        check("2 weeks", 1_209_600.0);
        check(" 3 h ", 10_800.0);
        check("1w1w", 1_209_600.0);
        check("0", 0.0);
        check("0s", 0.0);
    }

    #[test]
    fn every_unit_has_its_words() {
        for (ns, names) in UNITS {
            for name in *names {
                check(&format!("1{name}"), *ns as f64 / 1e9);
                check(&format!("2 {name}"), *ns as f64 / 1e9 * 2.0);
            }
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", " ", "soon", "s", "-1", "1d12", "12 1d", "1x", "1D", "1.d", "1,5s", "1e3", "1 d!", "1 2"]
        {
            assert_eq!(parse(text), Err(BadDuration::Malformed(text.to_owned())), "{text}");
        }
        let bad = parse("soon").unwrap_err();
        assert_eq!(bad.to_string(), "invalid duration `soon`");
        assert_eq!(bad.hint(), "examples: 90, 90s, 15m, 1d12h");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(parse("18446744073709551615"), Ok(Duration::from_secs(u64::MAX)));
        for text in ["18446744073709551616", "99999999999999999w", "18446744073709551615s1s"] {
            assert_eq!(parse(text).unwrap_err().to_string(), format!("duration `{text}` is too long"));
        }
    }

    #[test]
    fn people_read_two_digits_and_a_unit() {
        let shown = |text| Shown(parse(text).unwrap()).to_string();
        assert_eq!(shown("0"), "0 ms");
        assert_eq!(shown("0.0003"), "0.3 ms");
        assert_eq!(shown("12ms"), "12 ms");
        assert_eq!(shown("1.5s"), "1.5 s");
        assert_eq!(shown("12.6s"), "13 s");
        assert_eq!(shown("59.7s"), "1 min");
        assert_eq!(shown("120s"), "2 min");
        assert_eq!(shown("3h"), "3 h");
        assert_eq!(shown("36h"), "1.5 d");
        assert_eq!(shown("4d"), "4 d");
        assert_eq!(shown("52w"), "364 d");
        assert_eq!(Shown(Duration::MAX).to_string(), "213503982334601 d");
    }
}
