//! Tables for people: columns that line up and fit the terminal.

use unicode_width::UnicodeWidthChar;

use super::color::{Look, Paint};

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

/// What stands in one column of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    look: Look,
}

impl Cell {
    /// Returns a cell that looks so.
    pub fn new(look: Look, text: impl Into<String>) -> Self {
        Self { text: text.into(), look }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(Look::Plain, text)
    }
}

/// Columns of a table that is written line by line.
#[derive(Clone, Debug)]
pub struct Columns {
    columns: Vec<Column>,
    terminal: Option<usize>,
    paint: Paint,
}

#[derive(Clone, Debug)]
struct Column {
    title: String,
    side: Side,
    width: usize,
}

impl Columns {
    /// Returns columns as wide as their titles, for a terminal of this width or for what is none.
    pub fn new(titles: &[(&str, Side)], terminal: Option<usize>, paint: Paint) -> Self {
        let columns = titles.iter().map(|(title, side)| Column {
            title: (*title).to_owned(),
            side: *side,
            width: columns(title),
        });
        Self { columns: columns.collect(), terminal, paint }
    }

    /// Makes them wide enough for these lines. They never become narrower.
    pub fn fit(&mut self, lines: &[Vec<Cell>]) {
        for line in lines {
            for (column, cell) in self.columns.iter_mut().zip(line) {
                column.width = columns(&cell.text).max(column.width);
            }
        }
    }

    /// Returns how much of the terminal is left to the last column; `None` when there is no terminal.
    pub fn room(&self) -> Option<usize> {
        let before: usize = self.columns.iter().rev().skip(1).map(|column| column.width + 2).sum();
        self.terminal.map(|terminal| terminal.saturating_sub(before))
    }

    /// Leaves a column out.
    pub fn leave_out(&mut self, position: usize) {
        self.columns.remove(position);
    }

    /// Returns the line of titles.
    pub fn head(&self) -> String {
        let titles: Vec<_> =
            self.columns.iter().map(|column| Cell::new(Look::Title, column.title.as_str())).collect();
        self.line(&titles)
    }

    /// Returns a line. On a terminal its last cell is cut to the width.
    pub fn line(&self, cells: &[Cell]) -> String {
        let most = self.room().map(|room| room.max(NARROWEST));
        let mut text = String::new();
        for (i, (cell, column)) in cells.iter().zip(&self.columns).enumerate() {
            if i + 1 == self.columns.len() {
                text += &self.paint.text(cell.look, &cut(&cell.text, most));
                continue;
            }
            let space = " ".repeat(column.width.saturating_sub(columns(&cell.text)));
            let painted = self.paint.text(cell.look, &cell.text);
            match column.side {
                Side::Left => text.extend([painted.as_str(), space.as_str(), "  "]),
                Side::Right => text.extend([space.as_str(), painted.as_str(), "  "]),
            }
        }
        text.push('\n');
        text
    }
}

/// Lays out lines of cells under their titles. With a width the last cell of each line is cut to it.
pub fn table(titles: &[(&str, Side)], lines: &[Vec<String>], width: Option<usize>) -> String {
    let lines: Vec<Vec<Cell>> =
        lines.iter().map(|line| line.iter().cloned().map(Cell::from).collect()).collect();
    let mut columns = Columns::new(titles, width, Paint::NONE);
    columns.fit(&lines);
    lines.iter().fold(columns.head(), |text, line| text + &columns.line(line))
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

/// Returns how many columns a character may take, as Unicode's annex 11 and most terminals have it. A line that
/// is a little too short harms nothing, one that is too long wraps: so what asks for the wide form of the
/// character before it (VS16) counts as the column by which some terminals widen that.
fn width_of(c: char) -> usize {
    if c == '\u{fe0f}' { 1 } else { c.width().unwrap_or(0) }
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
    fn characters_are_measured_as_terminals_show_them() {
        let texts = [
            "abc",
            "\u{4e2d}\u{6587}",
            "e\u{301}",
            "\u{2192} \u{201c}x\u{201d}",
            "\u{2764}\u{fe0f}",
            "\u{1f980}",
        ];
        assert_eq!(texts.map(columns), [3, 4, 1, 5, 2, 2]);
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", Some(2)), "e\u{301}…");
    }

    #[test]
    fn colours_take_no_columns_and_cells_are_cut_before_they_are_coloured() {
        let titles = [("KEY", Side::Left), ("COMMAND", Side::Left)];
        let line = vec![Cell::new(Look::Key, "5b92"), Cell::new(Look::Faint, "abcdefghijklm")];
        let mut columns = Columns::new(&titles, Some(16), Paint::ALL);
        columns.fit(std::slice::from_ref(&line));
        assert_eq!(columns.head(), "\x1b[1mKEY\x1b[0m   \x1b[1mCOMMAND\x1b[0m\n");
        assert_eq!(columns.line(&line), "\x1b[33m5b92\x1b[0m  \x1b[2mabcdefghi…\x1b[0m\n");
    }

    #[test]
    fn sizes_are_shown_in_a_unit_that_fits() {
        assert_eq!(
            [0, 1023, 1024, 12_288, 1_048_524, 1_048_575, 1 << 30, u64::MAX].map(shown_size),
            ["0 B", "1023 B", "1.0 KiB", "12.0 KiB", "1023.9 KiB", "1.0 MiB", "1.0 GiB", "16.0 EiB"]
        );
    }
}
