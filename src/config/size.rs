//! Sizes in bytes as people write and read them: `500M`, `1.5 KiB`.

use std::fmt;

use super::decimal::Decimal;
use super::rounded;

/// A text that is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSize {
    /// Not of the form.
    #[error("invalid size `{0}`")]
    Malformed(String),
    /// More than fits.
    #[error("size `{0}` is too large")]
    TooLarge(String),
}

impl BadSize {
    /// Returns what would be right.
    pub fn hint(&self) -> &'static str {
        "examples: 4096, 1K, 500M, 5GiB, 2GB"
    }
}

const KIBI: u128 = 1 << 10;
const MEBI: u128 = 1 << 20;
const GIBI: u128 = 1 << 30;
const TEBI: u128 = 1 << 40;

/// Reads a size: a number of bytes, or with a unit, in either case of letters.
///
/// As with dd(1) and du(1), `K`, `M`, `G`, `T` (and `KiB` ...) count by 1024, `KB`, `MB`, `GB`, `TB` by 1000.
///
/// # Errors
/// [`BadSize`] for any other text, and for what does not fit.
pub fn parse(text: &str) -> Result<u64, BadSize> {
    let malformed = || BadSize::Malformed(text.to_owned());
    let (number, unit) = Decimal::split(text.trim()).ok_or_else(malformed)?;
    let unit = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => KIBI,
        "m" | "mib" => MEBI,
        "g" | "gib" => GIBI,
        "t" | "tib" => TEBI,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(malformed()),
    };
    u64::try_from(number.times(unit)).map_err(|_| BadSize::TooLarge(text.to_owned()))
}

/// Shows a size to people, rounded: `12 B`, `1.5 KiB`.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub u64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: &[(u128, &str)] =
            &[(1, "B"), (KIBI, "KiB"), (MEBI, "MiB"), (GIBI, "GiB"), (TEBI, "TiB")];
        rounded::write(f, u128::from(self.0), SHOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let forms = [
            ("4096", 4096),
            ("0", 0),
            ("12 B", 12),
            ("1K", 1024),
            ("1k", 1024),
            ("500M", 500 << 20),
            ("5GiB", 5 << 30),
            ("1.5 KiB", 1536),
            ("2GB", 2_000_000_000),
            ("2kB", 2000),
            ("2KB", 2000),
            ("1T", 1 << 40),
            ("1TB", 1_000_000_000_000),
        ];
        for (text, bytes) in forms {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "much", "K", "-1", "1X", "1 K K", "1KiBi", "1,5K", "0x10"] {
            assert_eq!(parse(text), Err(BadSize::Malformed(text.to_owned())), "{text}");
        }
        assert_eq!(parse("much").unwrap_err().to_string(), "invalid size `much`");
        assert_eq!(parse("18446744073709551615"), Ok(u64::MAX));
        assert_eq!(
            parse("16777216TiB").unwrap_err().to_string(),
            "size `16777216TiB` is too large",
            "2^64 is one more than fits"
        );
    }

    #[test]
    fn people_read_two_digits_and_a_unit() {
        let shown = |bytes| Shown(bytes).to_string();
        assert_eq!(shown(0), "0 B");
        assert_eq!(shown(12), "12 B");
        assert_eq!(shown(1023), "1023 B");
        assert_eq!(shown(1024), "1 KiB");
        assert_eq!(shown(1536), "1.5 KiB");
        assert_eq!(shown(10 << 10), "10 KiB");
        assert_eq!(shown((1 << 20) - 1), "1 MiB");
        assert_eq!(shown(5 << 30), "5 GiB");
        assert_eq!(shown(u64::MAX), "16777216 TiB");
    }
}
