//! `memo ls`: what is recorded.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clap::{Args, ValueEnum};

use super::color::{Paint, When};
use super::entry::{Column, object};
use super::table::{Cell, Columns};
use super::{mistaken, pattern, print, quote};
use crate::action::identity::Timestamp;
use crate::error::{Error, Kind};
use crate::store::Store;
use crate::store::index::{Index, Order, Row};
use crate::ui::Ui;

/// List what is recorded
///
/// The newest comes first. KEY names an entry for `memo show` and `memo clear`; its first digits are enough.
/// Where the terminal is narrow, columns go: USED first, then EXIT (a status other than 0 then stands before the
/// command), SAVED, HITS and SIZE; not the one by which the list is sorted. Listing is no use: nothing is kept longer for it.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct LsArgs {
    /// List only commands that match
    ///
    /// Without a `*`, PATTERN must occur in the line under COMMAND; with one, the whole line must match,
    /// and each `*` stands for anything.
    #[arg(value_name = "PATTERN")]
    pub pattern: Option<OsString>,

    /// List only this group
    #[arg(short, long, value_name = "NAME")]
    pub group: Option<String>,

    /// What comes first
    #[arg(long, value_name = "BY", value_enum, default_value_t)]
    pub sort: Sort,

    /// The other way round: the oldest first, or the smallest
    #[arg(short, long)]
    pub reverse: bool,

    /// List only the first N
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<usize>,

    /// Show whole keys, groups and directories, and cut nothing
    #[arg(short, long)]
    pub long: bool,

    /// Print one JSON object a line
    ///
    /// `command` is the line under COMMAND; `words` are the words as they are, but one that is no UTF-8 is an
    /// object with its bytes under `hex`. Fields may be added in later versions.
    #[arg(long, conflicts_with = "long")]
    pub json: bool,

    /// When to use colours
    ///
    /// `auto`, the default, means on a terminal. NO_COLOR, CLICOLOR=0 and TERM=dumb turn them off there,
    /// CLICOLOR_FORCE=1 turns them on everywhere.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, hide_possible_values = true)]
    pub color: When,
}

/// What comes first in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// The newest
    #[default]
    Age,
    /// The last used
    Used,
    /// The most often used
    Hits,
    /// What saved the most time
    Saved,
    /// The largest
    Size,
    /// By the alphabet
    Command,
}

/// How many entries are read, laid out and written at a time: first so many that a screen is full, then more.
/// Columns are as wide as the first need; a later one that needs more moves what follows. All of 100,000 would
/// take 0.2 s before the first line. Tests make do with few, for recording takes longer than listing.
const FIRST_PAGE: usize = if cfg!(test) { 15 } else { 100 };
const PAGE: usize = if cfg!(test) { 15 } else { 1000 };

/// How much of the terminal a command should have before these columns make room for it: `cc -c src/x.c -o x.o`
/// can then be told from its like; on a very narrow one, where only its beginning shows.
const ROOM: [(usize, &[Column]); 2] =
    [(40, &[Column::Used, Column::Exit, Column::Saved]), (20, &[Column::Hits, Column::Size])];

/// Lists what is recorded, within so many columns. Returns the exit code.
///
/// # Errors
/// When nothing matches, when the words were meant for another command, and when the store or stdout fails.
pub fn ls(
    args: &LsArgs,
    store: &Store,
    now: Timestamp,
    ui: &Ui,
    width: Option<usize>,
    paint: Paint,
) -> Result<u8, Error> {
    if !listing(args, store, now, width, paint, &mut print::passed_on)? {
        ui.note("nothing recorded", None);
    }
    Ok(0)
}

/// Gives `write` the list piece by piece, until that returns false. Returns whether anything is recorded at all.
fn listing(
    args: &LsArgs,
    store: &Store,
    now: Timestamp,
    width: Option<usize>,
    paint: Paint,
    write: &mut dyn FnMut(&str) -> Result<bool, Error>,
) -> Result<bool, Error> {
    let pattern = args.pattern.as_ref().map(|pattern| pattern.to_string_lossy());
    if let (Some(word), Some(text)) = (&args.pattern, &pattern)
        && mistaken::is_path_like(text)
        && Path::new(word).exists()
    {
        let odd = quote::word(word.as_bytes());
        let as_pattern = quote::word(format!("*{text}*").as_bytes());
        let error = mistaken::about("ls", std::slice::from_ref(word), &odd);
        return Err(error.hint(format!("to list commands with that word: `memo ls {as_pattern}`")));
    }
    let chosen = |row: &Row, line: &str| {
        pattern.as_ref().is_none_or(|pattern| pattern::matches(pattern, line))
            && args.group.as_ref().is_none_or(|group| row.shown.group == *group)
    };
    let mut pages = Pages { index: Index::open(store, now)?, args, last: None, ended: false };
    let mut layout = None;
    let mut left = args.limit.unwrap_or(usize::MAX);
    let (mut any, mut matched) = (false, false);
    while let Some(rows) = pages.next()? {
        any |= !rows.is_empty();
        let lines = rows.into_iter().map(|row| {
            let line = quote::line(&row.shown);
            (row, line)
        });
        let mut lines: Vec<(Row, String)> = lines.filter(|(row, line)| chosen(row, line)).collect();
        matched |= !lines.is_empty();
        args.sort.sort(&mut lines, args.reverse);
        lines.truncate(left);
        left -= lines.len();
        let text = if args.json {
            lines.iter().map(|(row, line)| object(row, line, now).line()).collect()
        } else if lines.is_empty() {
            String::new()
        } else {
            let begun = layout.is_some();
            let layout = layout.get_or_insert_with(|| Layout::new(args, &lines, now, width, paint));
            layout.shown(&lines, now, !begun)
        };
        if !text.is_empty() && !write(&text)? || matched && left == 0 {
            return Ok(true);
        }
    }
    match (&pattern, &args.group) {
        (Some(pattern), _) if !matched => Err(nothing(&quote::word(pattern.as_bytes()))),
        (_, Some(group)) if !matched => Err(nothing(&format!("-g {}", quote::word(group.as_bytes())))),
        _ => Ok(any),
    }
}

fn nothing(what: &str) -> Error {
    Error::new(Kind::Nothing, format!("nothing recorded matches `{what}`"))
}

/// What is recorded, some at a time where that is the order; all at once where it is still to be sorted.
struct Pages<'a> {
    index: Index<'a>,
    args: &'a LsArgs,
    last: Option<Row>,
    ended: bool,
}

impl Pages<'_> {
    fn next(&mut self) -> Result<Option<Vec<Row>>, Error> {
        if self.ended {
            return Ok(None);
        }
        if self.args.sort != Sort::Age {
            self.ended = true;
            return Ok(Some(self.index.rows()?));
        }
        let order = if self.args.reverse { Order::OldestFirst } else { Order::NewestFirst };
        let most = if self.last.is_none() { FIRST_PAGE } else { PAGE };
        let rows = self.index.page(order, self.last.as_ref(), most)?;
        self.ended = rows.len() < most;
        self.last = rows.last().cloned();
        Ok(Some(rows))
    }
}

impl Sort {
    /// Sorts what comes from the newest to the oldest; equal ones stay so. By age there is nothing to do.
    fn sort(self, lines: &mut [(Row, String)], reverse: bool) {
        use std::cmp::Reverse;
        match self {
            Self::Age => return,
            Self::Used => lines.sort_by_key(|(row, _)| Reverse(row.used)),
            Self::Hits => lines.sort_by_key(|(row, _)| Reverse(row.hits)),
            Self::Saved => lines.sort_by_key(|(row, _)| Reverse(row.saved)),
            Self::Size => lines.sort_by_key(|(row, _)| Reverse(row.size)),
            Self::Command => lines.sort_by(|(_, a), (_, b)| a.cmp(b)),
        }
        if reverse {
            lines.reverse();
        }
    }

    /// Returns the column that shows why the order is as it is.
    fn column(self) -> Column {
        match self {
            Self::Age => Column::Age,
            Self::Used => Column::Used,
            Self::Hits => Column::Hits,
            Self::Saved => Column::Saved,
            Self::Size => Column::Size,
            Self::Command => Column::Command,
        }
    }
}

/// Which columns there are, and how wide.
struct Layout {
    shown: Vec<Column>,
    columns: Columns,
}

impl Layout {
    fn new(
        args: &LsArgs,
        lines: &[(Row, String)],
        now: Timestamp,
        width: Option<usize>,
        paint: Paint,
    ) -> Self {
        use Column::{Age, Command, CommandWithExit, Directory, Exit, Group, Hits, Key, Saved, Size, Used};
        let shown = if args.long {
            vec![Column::WholeKey, Age, Used, Hits, Saved, Size, Exit, Group, Directory, Command]
        } else {
            vec![Key, Age, Used, Hits, Saved, Size, Exit, Command]
        };
        let titles: Vec<_> = shown.iter().map(|column| column.title()).collect();
        let width = if args.long { None } else { width };
        let mut layout = Self { shown, columns: Columns::new(&titles, width, paint) };
        layout.columns.fit(&layout.cells(lines, now));
        for (enough, column) in
            ROOM.iter().flat_map(|(enough, columns)| columns.iter().map(move |column| (enough, column)))
        {
            let position = layout.shown.iter().position(|shown| shown == column);
            if let Some(position) = position
                && args.sort.column() != *column
                && layout.columns.room().is_some_and(|room| room < *enough)
            {
                layout.shown.remove(position);
                layout.columns.leave_out(position);
            }
        }
        if !layout.shown.contains(&Exit) {
            layout.shown.pop();
            layout.shown.push(CommandWithExit);
        }
        layout
    }

    fn cells(&self, lines: &[(Row, String)], now: Timestamp) -> Vec<Vec<Cell>> {
        let cells = |(row, line): &(Row, String)| {
            self.shown.iter().map(|column| column.cell(row, line, now)).collect::<Vec<_>>()
        };
        lines.iter().map(cells).collect()
    }

    fn shown(&mut self, lines: &[(Row, String)], now: Timestamp, with_head: bool) -> String {
        let cells = self.cells(lines, now);
        self.columns.fit(&cells);
        let head = if with_head { self.columns.head() } else { String::new() };
        cells.iter().fold(head, |text, line| text + &self.columns.line(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::shown_size;
    use crate::store::fixture::{Fixture, NOW, outcome};
    use crate::store::outcome::Outcome;
    use std::time::Duration;

    fn list(fixture: &Fixture, args: LsArgs) -> Result<Option<String>, Error> {
        list_within(fixture, args, None)
    }

    fn list_within(fixture: &Fixture, args: LsArgs, width: Option<usize>) -> Result<Option<String>, Error> {
        let mut text = String::new();
        let any = listing(&args, &fixture.store, NOW, width, Paint::NONE, &mut |piece| {
            text += piece;
            Ok(true)
        })?;
        Ok(any.then_some(text))
    }

    fn commands(fixture: &Fixture, args: LsArgs) -> Vec<String> {
        let text = list(fixture, args).unwrap().unwrap();
        let at = text.find("COMMAND").unwrap();
        text.lines().skip(1).map(|line| line[at..].to_owned()).collect()
    }

    #[test]
    fn entries_are_listed_the_newest_first() {
        let fixture = Fixture::new();
        let old = fixture.record(1, &["cc", "a b.c"], 400);
        let ttl = Some(Duration::from_secs(10));
        let new = fixture.commit(2, Outcome { ttl, exit: 3, ..outcome(&["ls", "-l"], 990) }, "");
        fixture.hit(1, old, 940);
        fixture.hit(1, old, 950);
        let size = |id| {
            let rows = Index::open(&fixture.store, NOW).unwrap().rows().unwrap();
            shown_size(rows.iter().find(|row| row.outcome == id).unwrap().size)
        };
        let expected = format!(
            "KEY           AGE  USED  HITS  SAVED  SIZE  EXIT  COMMAND\n\
             {}  expired     -     0      -  {}     3  ls -l\n\
             {}      10m   50s     2   2.0s  {}     0  cc 'a b.c'\n",
            new.0.short(),
            size(new),
            old.0.short(),
            size(old)
        );
        assert_eq!(list(&fixture, LsArgs::default()).unwrap().unwrap(), expected);
        let long = list(&fixture, LsArgs { long: true, ..LsArgs::default() }).unwrap().unwrap();
        assert!(
            long.contains(&format!("{old} ")) && long.contains("  cc     /work      cc 'a b.c'\n"),
            "{long}"
        );
    }

    #[test]
    fn columns_make_room_for_the_command() {
        let fixture = Fixture::new();
        let words: Vec<String> = (0..20).map(|number| format!("word-{number}")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        fixture.record(1, &words, 400);
        fixture.commit(2, Outcome { exit: 3, ..outcome(&["ls"], 990) }, "");
        let head = |width: usize, args: LsArgs| {
            let text = list_within(&fixture, args, Some(width)).unwrap().unwrap();
            for line in text.lines() {
                assert!(line.chars().count() <= width.max(35), "{width}: {line}");
            }
            text.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        let by = |sort| LsArgs { sort, ..LsArgs::default() };
        assert_eq!(head(140, by(Sort::Age)), "KEY AGE USED HITS SAVED SIZE EXIT COMMAND");
        assert_eq!(head(84, by(Sort::Age)), "KEY AGE HITS SAVED SIZE EXIT COMMAND");
        assert_eq!(head(80, by(Sort::Age)), "KEY AGE HITS SAVED SIZE COMMAND");
        assert_eq!(head(72, by(Sort::Age)), "KEY AGE HITS SIZE COMMAND");
        assert_eq!(head(44, by(Sort::Age)), "KEY AGE SIZE COMMAND");
        assert_eq!(head(40, by(Sort::Saved)), "KEY AGE SAVED COMMAND");
        assert_eq!(head(1, by(Sort::Used)), "KEY AGE USED COMMAND");
        let narrow = list_within(&fixture, LsArgs::default(), Some(80)).unwrap().unwrap();
        assert!(narrow.contains("  (exit 3) ls\n") && narrow.ends_with("…\n"), "{narrow}");
        let long = LsArgs { long: true, ..LsArgs::default() };
        assert!(list_within(&fixture, long, Some(80)).unwrap().unwrap().ends_with(" word-19\n"));
    }

    #[test]
    fn a_long_list_is_written_in_pieces_and_each_entry_once() {
        let fixture = Fixture::new();
        for number in 0..10_u8 {
            for state in 0..4_i64 {
                let words = format!("c{number}-{state}");
                fixture.commit(number, outcome(&[&words], state % 7), &words);
            }
        }
        let read = |args: LsArgs| {
            let (mut text, mut pieces) = (String::new(), 0);
            let all = listing(&args, &fixture.store, NOW, None, Paint::NONE, &mut |piece| {
                text += piece;
                pieces += 1;
                Ok(pieces < 9)
            });
            assert_eq!(all, Ok(true));
            (text.lines().map(str::to_owned).collect::<Vec<_>>(), pieces)
        };
        let (lines, pieces) = read(LsArgs { json: true, ..LsArgs::default() });
        assert_eq!((lines.len(), pieces), (40, 3));
        let (mut turned, _) = read(LsArgs { json: true, reverse: true, ..LsArgs::default() });
        turned.reverse();
        assert_eq!(turned, lines);
        let (table, _) = read(LsArgs::default());
        assert_eq!(table.iter().filter(|line| line.starts_with("KEY ")).count(), 1);
        let mut names: Vec<_> = table[1..].iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 40);
        // Who reads no more is not written to again.
        let mut pieces = 0;
        let stopped = listing(&LsArgs::default(), &fixture.store, NOW, None, Paint::NONE, &mut |_| {
            pieces += 1;
            Ok(false)
        });
        assert_eq!((stopped, pieces), (Ok(true), 1));
        let (first, _) = read(LsArgs { limit: Some(3), json: true, ..LsArgs::default() });
        assert_eq!(first, lines[..3]);
        let last = LsArgs { limit: Some(17), reverse: true, json: true, ..LsArgs::default() };
        assert_eq!(read(last).0, lines.iter().rev().take(17).cloned().collect::<Vec<_>>());
    }

    #[test]
    fn patterns_and_groups_choose() {
        let fixture = Fixture::new();
        fixture.record(1, &["cc", "a.c"], 1);
        fixture.record(2, &["cc", "b.c"], 2);
        fixture.record(3, &["printf", "cc"], 3);
        let pattern = |text: &str| LsArgs { pattern: Some(text.into()), ..LsArgs::default() };
        assert_eq!(commands(&fixture, pattern("cc")), ["printf cc", "cc b.c", "cc a.c"]);
        assert_eq!(commands(&fixture, pattern("cc*")), ["cc b.c", "cc a.c"]);
        let group = LsArgs { group: Some("cc".into()), ..pattern("a") };
        assert_eq!(commands(&fixture, group.clone()), ["cc a.c"]);
        for none in [pattern("x"), LsArgs { group: Some("c".into()), ..LsArgs::default() }] {
            let error = list(&fixture, none).unwrap_err();
            assert_eq!(error.kind(), Kind::Nothing);
        }
        assert_eq!(
            list(&fixture, pattern("x y")).unwrap_err().to_string(),
            "nothing recorded matches `'x y'`"
        );
    }

    #[test]
    fn the_order_can_be_chosen() {
        let fixture = Fixture::new();
        let a = fixture.record(1, &["b", "longer than the others"], 1);
        fixture.record(2, &["a"], 2);
        let c = fixture.record(3, &["c"], 3);
        fixture.hit(1, a, 10);
        fixture.hit(3, c, 8);
        fixture.hit(3, c, 9);
        let first = |sort| commands(&fixture, LsArgs { sort, ..LsArgs::default() }).join(" ");
        assert_eq!(first(Sort::Age), "c a b 'longer than the others'");
        assert_eq!(first(Sort::Used), "b 'longer than the others' c a");
        assert_eq!(first(Sort::Hits), "c b 'longer than the others' a");
        assert_eq!(first(Sort::Saved), first(Sort::Hits));
        assert_eq!(first(Sort::Size), "b 'longer than the others' c a");
        assert_eq!(first(Sort::Command), "a b 'longer than the others' c");
        let turned = LsArgs { sort: Sort::Size, reverse: true, limit: Some(2), ..LsArgs::default() };
        assert_eq!(commands(&fixture, turned), ["a", "c"]);
    }

    #[test]
    fn json_says_everything_and_saying_it_changes_nothing() {
        let fixture = Fixture::new();
        let mut outcome = outcome(&["printf", "x\n"], 900);
        outcome.shown.words.push(b"\xff".to_vec());
        outcome.shown.assignments = vec!["A".into()];
        outcome.shown.ignored = vec!["_B".into()];
        outcome.ttl = Some(Duration::from_secs(3600));
        let id = fixture.commit(1, outcome, "");
        fixture.hit(1, id, 960);
        let json = || list(&fixture, LsArgs { json: true, ..LsArgs::default() }).unwrap().unwrap();
        let size = Index::open(&fixture.store, NOW).unwrap().rows().unwrap()[0].size;
        let expected = format!(
            r#"{{"key":"{id}","action":"{}","group":"printf","command":"A=... printf $'x\\n' $'\\377'","#,
            "01".repeat(32)
        ) + r#""words":["printf","x\u000a",{"hex":"ff"}],"directory":"/work","assignments":["A"],"#
            + r#""ignored":["_B"],"recorded_at":"1970-01-01T00:15:00Z","age_seconds":100.000,"#
            + r#""last_used":"1970-01-01T00:16:00Z","hits":1,"saved_seconds":1.000,"#
            + &format!(r#""size":{size},"exit":0,"ttl_seconds":3600.000,"expired":false,"#)
            + r#""duration_seconds":1.500}"#
            + "\n";
        assert_eq!(json(), expected);
        assert_eq!(json(), expected);
    }

    #[test]
    fn nothing_recorded_is_no_error() {
        let fixture = Fixture::new();
        assert_eq!(list(&fixture, LsArgs::default()), Ok(None));
        let args = LsArgs { pattern: Some("x".into()), ..LsArgs::default() };
        assert_eq!(list(&fixture, args).unwrap_err().kind(), Kind::Nothing);
    }

    #[test]
    fn a_path_is_taken_for_a_mistake() {
        let fixture = Fixture::new();
        fixture.record(1, &["./x", "/"], 1);
        let check = |text: &str| list(&fixture, LsArgs { pattern: Some(text.into()), ..LsArgs::default() });
        let error = check("/").unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert_eq!(error.hints()[0], "to memoize ls itself: `memo -- ls /`");
        assert_eq!(error.hints()[1], "to list commands with that word: `memo ls '*/*'`");
        assert!(check("./x").is_ok_and(|text| text.is_some()), "it does not exist");
    }
}
