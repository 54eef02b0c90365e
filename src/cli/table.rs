//! Tables for people: columns that line up and fit the terminal.

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// The fewest columns left to the last cell of a line, however narrow the terminal is.
const NARROWEST: usize = 10;

/// Lays out lines of cells under their titles. With a width the last cell of each line is cut to it.
pub fn table(titles: &[(&str, Side)], lines: &[Vec<String>], width: Option<usize>) -> String {
    let mut widths: Vec<usize> = titles.iter().map(|(title, _)| columns(title)).collect();
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = columns(cell).max(*width);
        }
    }
    let before: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
    let most = width.map(|width| width.saturating_sub(before).max(NARROWEST));
    let mut text = String::new();
    let head: Vec<_> = titles.iter().map(|(title, _)| (*title).to_owned()).collect();
    for line in std::iter::once(&head).chain(lines) {
        for (i, (cell, (_, side))) in line.iter().zip(titles).enumerate() {
            let space = " ".repeat(widths[i].saturating_sub(columns(cell)));
            match side {
                _ if i + 1 == titles.len() => text.push_str(&cut(cell, most)),
                Side::Left => text.extend([cell, space.as_str(), "  "]),
                Side::Right => text.extend([space.as_str(), cell, "  "]),
            }
        }
        text.push('\n');
    }
    text
}

/// Returns a size in bytes in its largest fitting unit: `12 B`, `12.0 KiB`.
pub fn shown_size(bytes: u64) -> String {
    let mut tenths = u128::from(bytes) * 10;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    // What would be rounded up to 1024.0 is 1.0 of the next.
    while tenths >= 10_240 {
        tenths = (tenths + 512) / 1024;
        unit = units.next().unwrap_or_default();
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

/// Cuts a text to so many columns, with `…` for what is missing.
pub(super) fn cut(text: &str, most: Option<usize>) -> String {
    let Some(most) = most.filter(|most| columns(text) > *most) else { return text.to_owned() };
    let mut left = most.saturating_sub(1);
    let mut cut = String::new();
    for c in text.chars() {
        let Some(rest) = left.checked_sub(width_of(c)) else { break };
        left = rest;
        cut.push(c);
    }
    cut.push('…');
    cut
}

fn columns(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// Returns how many columns a character may take. Two from Hangul on, where the wide ones begin (Unicode's
/// annex 11): a line that is a little too short harms nothing, one that is too long wraps. `…` is ours.
fn width_of(c: char) -> usize {
    if c >= '\u{1100}' && c != '…' { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: Option<usize>) -> String {
        let titles = [("KEY", Side::Left), ("HITS", Side::Right), ("COMMAND", Side::Left)];
        let lines = [["ab", "7", "cc -c x.c -o y.o"], ["abcd", "12345", "\u{4e2d}\u{6587}\u{4e2d}\u{6587}x"]];
        table(&titles, &lines.map(|line| line.map(str::to_owned).to_vec()), width)
    }

    #[test]
    fn columns_line_up() {
        let expected = "\
KEY    HITS  COMMAND
ab        7  cc -c x.c -o y.o
abcd  12345  \u{4e2d}\u{6587}\u{4e2d}\u{6587}x
";
        assert_eq!(shown(None), expected);
        assert_eq!(shown(Some(200)), expected);
    }

    #[test]
    fn the_last_column_is_cut_to_the_width() {
        assert_eq!(
            shown(Some(24)),
            "KEY    HITS  COMMAND\nab        7  cc -c x.c …\nabcd  12345  \u{4e2d}\u{6587}\u{4e2d}\u{6587}x\n"
        );
        let narrow = shown(Some(1));
        assert_eq!(narrow.lines().nth(1), Some("ab        7  cc -c x.c…"));
        assert_eq!(cut("\u{4e2d}\u{6587}", Some(3)), "\u{4e2d}…");
        assert_eq!(cut("abc", Some(3)), "abc");
    }

    #[test]
    fn sizes_are_shown_in_a_unit_that_fits() {
        assert_eq!(
            [0, 1023, 1024, 12_288, 1_048_524, 1_048_575, 1 << 30, u64::MAX].map(shown_size),
            ["0 B", "1023 B", "1.0 KiB", "12.0 KiB", "1023.9 KiB", "1.0 MiB", "1.0 GiB", "16.0 EiB"]
        );
    }
}
