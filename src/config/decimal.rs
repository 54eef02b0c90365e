//! Decimal numbers as people type them in front of a unit: `90`, `1.5`.

/// A decimal number that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    whole: u128,
    fraction: u128,
    /// How many digits the fraction has.
    places: u32,
}

impl Decimal {
    /// Splits a number off the front of a text.
    pub(super) fn split(text: &str) -> Option<(Self, &str)> {
        /// Digits of a fraction that count: more would overflow in `times`, and are below any unit.
        const MOST_PLACES: usize = 18;
        let (digits, rest) = digits(text);
        if digits.is_empty() {
            return None;
        }
        let Some(behind) = rest.strip_prefix('.') else {
            return Some((Self { whole: number(digits), fraction: 0, places: 0 }, rest));
        };
        let (fraction, rest) = self::digits(behind);
        if fraction.is_empty() {
            return None;
        }
        let counted = &fraction[..fraction.len().min(MOST_PLACES)];
        let places = u32::try_from(counted.len()).ok()?;
        Some((Self { whole: number(digits), fraction: number(counted), places }, rest))
    }

    /// Returns the number times a unit below 2^64, rounded down; what does not fit becomes the maximum,
    /// which no caller can take either.
    pub(super) fn times(self, unit: u128) -> u128 {
        let fraction = self.fraction.saturating_mul(unit) / 10_u128.pow(self.places);
        self.whole.saturating_mul(unit).saturating_add(fraction)
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn number(digits: &str) -> u128 {
    digits.bytes().fold(0_u128, |sum, digit| sum.saturating_mul(10).saturating_add(u128::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, unit: u128, expected: Option<(u128, &str)>) {
        assert_eq!(Decimal::split(text).map(|(number, rest)| (number.times(unit), rest)), expected, "{text}");
    }

    #[test]
    fn numbers_are_split_off_and_multiplied() {
        check("90", 1, Some((90, "")));
        check("1.5d", 1000, Some((1500, "d")));
        check("007 s", 2, Some((14, " s")));
        check("0.9999999999999999999999", 1000, Some((999, "")));
        check("99999999999999999999999999999999999999999", 1000, Some((u128::MAX, "")));
    }

    #[test]
    fn what_does_not_begin_with_a_number_is_none() {
        for text in ["", "d", "-1", "+1", ".5", "1.", "1.d", " 1"] {
            check(text, 1, None);
        }
    }
}
