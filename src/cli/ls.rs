//! `memo ls`: what is recorded.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use clap::{Args, ValueEnum};

use super::json::Object;
use super::table::{Side, shown_size, table};
use super::when::{shown_age, shown_duration, utc};
use super::{mistaken, pattern, print, quote};
use crate::action::identity::Timestamp;
use crate::error::{Error, Kind};
use crate::store::Store;
use crate::store::index::{Index, Row};
use crate::ui::Ui;

/// List what is recorded
///
/// The newest comes first. KEY names an entry for `memo show` and `memo clear`; its first digits are enough.
/// Listing is no use: nothing is kept longer for it.
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

    /// Show whole keys, groups and directories
    #[arg(short, long)]
    pub long: bool,

    /// Print one JSON object a line
    ///
    /// `command` is the line under COMMAND; `words` are the words as they are, but one that is no UTF-8 is an
    /// object with its bytes under `hex`. Fields may be added in later versions.
    #[arg(long, conflicts_with = "long")]
    pub json: bool,
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

/// Lists what is recorded, within so many columns. Returns the exit code.
///
/// # Errors
/// When nothing matches, when the words were meant for another command, and when the store or stdout fails.
pub fn ls(args: LsArgs, store: &Store, now: Timestamp, ui: &Ui, width: Option<usize>) -> Result<u8, Error> {
    match listing(&args, store, now, width)? {
        None => ui.note("nothing recorded", None),
        Some(text) => print::print(&text)?,
    }
    Ok(0)
}

/// Returns the text to print; `None` when nothing is recorded at all.
fn listing(
    args: &LsArgs,
    store: &Store,
    now: Timestamp,
    width: Option<usize>,
) -> Result<Option<String>, Error> {
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
    let rows = Index::open(store, now)?.rows()?;
    let mut lines: Vec<(Row, String)> = rows
        .into_iter()
        .map(|row| {
            let line = quote::line(&row.shown);
            (row, line)
        })
        .collect();
    lines.retain(|(row, line)| {
        pattern.as_ref().is_none_or(|pattern| pattern::matches(pattern, line))
            && args.group.as_ref().is_none_or(|group| row.shown.group == *group)
    });
    if lines.is_empty() {
        return match (&pattern, &args.group) {
            (Some(pattern), _) => Err(nothing(&quote::word(pattern.as_bytes()))),
            (_, Some(group)) => Err(nothing(&format!("-g {}", quote::word(group.as_bytes())))),
            _ => Ok(None),
        };
    }
    sort(&mut lines, args.sort);
    Ok(Some(if args.json {
        lines.iter().map(|(row, line)| object(row, line, now)).collect()
    } else {
        shown(&lines, args.long, now, width)
    }))
}

fn nothing(what: &str) -> Error {
    Error::new(Kind::Nothing, format!("nothing recorded matches `{what}`"))
}

/// Sorts what is sorted from the newest to the oldest; equal ones stay so.
fn sort(lines: &mut [(Row, String)], by: Sort) {
    use std::cmp::Reverse;
    match by {
        Sort::Age => {}
        Sort::Used => lines.sort_by_key(|(row, _)| Reverse(row.used)),
        Sort::Hits => lines.sort_by_key(|(row, _)| Reverse(row.hits)),
        Sort::Saved => lines.sort_by_key(|(row, _)| Reverse(row.saved)),
        Sort::Size => lines.sort_by_key(|(row, _)| Reverse(row.size)),
        Sort::Command => lines.sort_by(|(_, a), (_, b)| a.cmp(b)),
    }
}

/// Returns whether an entry is past its own `--ttl`; one from the future is, too.
fn is_expired(row: &Row, now: Timestamp) -> bool {
    match now.since(row.recorded) {
        Some(age) => row.ttl.is_some_and(|ttl| age >= ttl),
        None => true,
    }
}

fn shown(lines: &[(Row, String)], long: bool, now: Timestamp, width: Option<usize>) -> String {
    let mut titles = vec![
        ("KEY", Side::Left),
        ("AGE", Side::Right),
        ("USED", Side::Right),
        ("HITS", Side::Right),
        ("SAVED", Side::Right),
        ("SIZE", Side::Right),
        ("EXIT", Side::Right),
    ];
    if long {
        titles.extend([("GROUP", Side::Left), ("DIRECTORY", Side::Left)]);
    }
    titles.push(("COMMAND", Side::Left));
    let cells = lines.iter().map(|(row, line)| {
        let since = |time| shown_age(now.since(time).unwrap_or_default());
        let mut cells = vec![
            if long { row.outcome.to_string() } else { row.outcome.0.short() },
            if is_expired(row, now) { "expired".to_owned() } else { since(row.recorded) },
            if row.hits == 0 { "-".to_owned() } else { since(row.used) },
            row.hits.to_string(),
            if row.hits == 0 { "-".to_owned() } else { shown_duration(row.saved) },
            shown_size(row.size),
            row.exit.to_string(),
        ];
        if long {
            let directory = row.shown.directory.as_ref();
            cells.push(quote::word(row.shown.group.as_bytes()));
            cells.push(directory.map_or("-".to_owned(), |path| quote::word(path.as_os_str().as_bytes())));
        }
        cells.push(line.clone());
        cells
    });
    table(&titles, &cells.collect::<Vec<_>>(), width)
}

fn object(row: &Row, line: &str, now: Timestamp) -> String {
    let ns = |duration: std::time::Duration| duration.as_nanos().cast_signed();
    let shown = &row.shown;
    Object::new()
        .text("key", &row.outcome.to_string())
        .text("action", &row.key.to_string())
        .text("group", &shown.group)
        .text("command", line)
        .list("words", shown.words.iter().map(Vec::as_slice))
        .bytes("directory", shown.directory.as_ref().map(|path| path.as_os_str().as_bytes()))
        .list("assignments", shown.assignments.iter().map(String::as_bytes))
        .list("ignored", shown.ignored.iter().map(String::as_bytes))
        .text("recorded_at", &utc(row.recorded))
        .seconds("age_seconds", Some(i128::from(now.0) - i128::from(row.recorded.0)))
        .text("last_used", &utc(row.used))
        .number("hits", row.hits)
        .seconds("saved_seconds", Some(ns(row.saved)))
        .number("size", row.size)
        .number("exit", row.exit.into())
        .seconds("ttl_seconds", row.ttl.map(ns))
        .truth("expired", is_expired(row, now))
        .seconds("duration_seconds", Some(ns(row.duration)))
        .line()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{Fixture, NOW, at, outcome};
    use crate::store::outcome::Outcome;
    use std::time::Duration;

    fn list(fixture: &Fixture, args: LsArgs) -> Result<Option<String>, Error> {
        listing(&args, &fixture.store, NOW, None)
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
        let cut = listing(&LsArgs::default(), &fixture.store, NOW, Some(62)).unwrap().unwrap();
        assert!(cut.ends_with("     0  cc 'a b.c'\n"), "{cut}");
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
    fn an_entry_expires_at_exactly_its_ttl() {
        let fixture = Fixture::new();
        fixture.commit(1, Outcome { ttl: Some(Duration::from_secs(100)), ..outcome(&["a"], 900) }, "");
        let row = Index::open(&fixture.store, NOW).unwrap().rows().unwrap().remove(0);
        assert!(!is_expired(&row, Timestamp(NOW.0 - 1)));
        assert!(is_expired(&row, NOW));
        assert!(is_expired(&row, at(899)), "recorded in the future");
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
