//! Quantities for people: rounded, in the largest unit they fill.

use std::fmt;

/// Writes a quantity in one of the units, which grow: one decimal below 10, none from there on.
///
/// What rounds up to the next unit is written in that: `59.7 s` is `1 min`.
pub(super) fn write(f: &mut fmt::Formatter<'_>, value: u128, units: &[(u128, &str)]) -> fmt::Result {
    for (index, (unit, name)) in units.iter().enumerate() {
        let tenths = (value * 10 + unit / 2) / unit;
        let whole = (value + unit / 2) / unit;
        if tenths < 100 {
            return match (tenths / 10, tenths % 10) {
                (whole, 0) => write!(f, "{whole} {name}"),
                (whole, tenth) => write!(f, "{whole}.{tenth} {name}"),
            };
        }
        if units.get(index + 1).is_none_or(|(next, _)| whole * unit < *next) {
            return write!(f, "{whole} {name}");
        }
    }
    Ok(())
}
