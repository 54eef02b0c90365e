//! `memo stats`: what memo was good for.

use clap::Args;

use super::json::Object;
use super::table::{Side, shown_size, table};
use super::tally::{Tallies, Tally};
use super::when::{Since, date, shown_duration, utc};
use super::{print, quote};
use crate::action::identity::Timestamp;
use crate::error::{Error, Kind};
use crate::store::Store;
use crate::store::index::Index;

/// How many groups are listed for people.
const MOST_GROUPS: usize = 20;
/// How many days are.
const MOST_DAYS: usize = 14;

/// Say how often memo answered, and what that saved
///
/// Counts calls: a hit was answered, a miss was run. SAVED is how long the runs took that hits stand for, less what
/// the hits took themselves. GIVEN is what hits gave back, STORED what entries hold now. Counters are kept
/// when entries go; `--zero` sets them back.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsArgs {
    /// Count only from then on: 1h, 7d, 2026-01-31, 2026-01-31T12:00Z
    ///
    /// Exact to the minute for a week, beyond that to the day. Days and times are in UTC.
    #[arg(long, value_name = "DUR|DATE", value_parser = Since::parse)]
    pub since: Option<Since>,

    /// Count only this group
    #[arg(short, long, value_name = "NAME")]
    pub group: Option<String>,

    /// Print one JSON object
    ///
    /// Fields may be added in later versions.
    #[arg(long)]
    pub json: bool,

    /// Begin to count anew, and print nothing
    #[arg(long, conflicts_with_all = ["since", "group", "json"])]
    pub zero: bool,
}

/// Says what was counted, within so many columns, or sets it back. Returns the exit code.
///
/// # Errors
/// When there is no such group, and when the store or stdout fails.
pub fn stats(args: &StatsArgs, store: &Store, now: Timestamp, width: Option<usize>) -> Result<u8, Error> {
    if args.zero {
        Index::open(store, now)?.zero()?;
        return Ok(0);
    }
    print::print(&counted(args, store, now, width)?).map(|()| 0)
}

/// Returns the text to print.
fn counted(args: &StatsArgs, store: &Store, now: Timestamp, width: Option<usize>) -> Result<String, Error> {
    let mut index = Index::open(store, now)?;
    let counts = index.counts(args.since.map(|since| since.at(now)))?;
    let tallies = Tallies::of(&counts.counts, &index.rows()?, args.group.as_deref());
    if let Some(group) = args.group.as_ref().filter(|_| tallies.groups.is_empty()) {
        let group = quote::word(group.as_bytes());
        return Err(Error::new(Kind::Nothing, format!("nothing was counted in group `{group}`"))
            .hint("`memo stats` lists all groups"));
    }
    // What one group takes on disk cannot be told: blocks and blobs are shared.
    let disk = if args.group.is_none() { Some(index.disk()?) } else { None };
    Ok(if args.json {
        object(&tallies, counts.from, disk)
    } else {
        shown(&tallies, counts.from, disk, width)
    })
}

fn shown(tallies: &Tallies, from: Option<Timestamp>, disk: Option<u64>, width: Option<usize>) -> String {
    let all = &tallies.all;
    let mut text = String::new();
    if let Some(from) = from {
        text += &format!("since {}: ", utc(from));
    }
    text +=
        &format!("{}, {}", counting(all.calls(), "call", "calls"), counting(all.hits.times, "hit", "hits"));
    if let Some(rate) = rate(all) {
        text += &format!(" ({rate})");
    }
    text += &format!("\nsaved {}, {} given back\n", span(all.saved()), shown_size(all.hits.bytes));
    let size = disk.map_or_else(|| shown_size(all.stored), |disk| format!("{} on disk", shown_size(disk)));
    text += &format!("stored {}, {size}\n", counting(all.entries, "entry", "entries"));
    let columns = |tally: &Tally| {
        vec![
            tally.hits.times.to_string(),
            tally.misses.times.to_string(),
            rate(tally).unwrap_or_else(|| "-".to_owned()),
            if tally.hits.times == 0 { "-".to_owned() } else { span(tally.saved()) },
            shown_size(tally.hits.bytes),
        ]
    };
    let titles = ["HITS", "MISSES", "RATE", "SAVED", "GIVEN"].map(|title| (title, Side::Right));
    let groups = tallies.groups.iter().map(|(name, tally)| {
        let name = if name.is_empty() { "(others)".to_owned() } else { quote::word(name.as_bytes()) };
        [columns(tally), vec![shown_size(tally.stored), name]].concat()
    });
    let by_group = [&titles[..], &[("STORED", Side::Right), ("GROUP", Side::Left)]].concat();
    text += &part(&by_group, groups.collect(), MOST_GROUPS, width);
    let in_vain: Vec<_> = tallies.groups.iter().filter(|(_, tally)| tally.is_in_vain()).collect();
    for (name, _) in in_vain.iter().take(MOST_GROUPS) {
        text += &format!("no time is saved in group {}: hits take as long\n", quote::word(name.as_bytes()));
    }
    let days = tallies
        .days
        .iter()
        .map(|(day, tally)| [columns(tally), vec![day.map_or_else(|| "before".to_owned(), date)]].concat());
    let by_day = [&titles[..], &[("DAY (UTC)", Side::Left)]].concat();
    text += &part(&by_day, days.collect(), MOST_DAYS, width);
    for (title, reasons) in
        [("MISSED BECAUSE", &tallies.missed), ("NOT RECORDED BECAUSE", &tallies.unrecorded)]
    {
        let lines = reasons.iter().map(|(name, times)| vec![times.to_string(), (*name).to_owned()]);
        text += &part(&[("CALLS", Side::Right), (title, Side::Left)], lines.collect(), usize::MAX, width);
    }
    text
}

/// Returns a table after an empty line; nothing for one without lines.
fn part(titles: &[(&str, Side)], mut lines: Vec<Vec<String>>, most: usize, width: Option<usize>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let more = lines.len().saturating_sub(most);
    lines.truncate(most);
    let mut text = format!("\n{}", table(titles, &lines, width));
    if more > 0 {
        text += &format!("and {more} more; `memo stats --json` has all\n");
    }
    text
}

fn counting(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// Returns how many of the calls were hits; never all of them if one was not.
fn rate(tally: &Tally) -> Option<String> {
    let calls = tally.calls();
    (calls > 0).then(|| format!("{}%", u128::from(tally.hits.times) * 100 / u128::from(calls)))
}

/// Returns a number of ns as people read it.
fn span(ns: i128) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = u64::try_from(ns.unsigned_abs()).unwrap_or(u64::MAX);
    format!("{sign}{}", shown_duration(std::time::Duration::from_nanos(ns)))
}

fn object(tallies: &Tallies, from: Option<Timestamp>, disk: Option<u64>) -> String {
    let reasons = |reasons: &[(&str, u64)]| {
        reasons.iter().fold(Object::new(), |object, (name, times)| object.number(name, *times))
    };
    let stored = |object: Object, tally: &Tally| {
        object.number("stored_entries", tally.entries).number("stored_bytes", tally.stored)
    };
    let groups = tallies
        .groups
        .iter()
        .map(|(name, tally)| stored(sums(Object::new().text("group", name), tally), tally));
    let days = tallies.days.iter().map(|(day, tally)| {
        let day = day.map(date);
        sums(Object::new().bytes("day", day.as_deref().map(str::as_bytes)), tally)
    });
    let from = from.map(utc);
    let all = sums(Object::new().bytes("since", from.as_deref().map(str::as_bytes)), &tallies.all);
    let all = stored(all, &tallies.all);
    let all = match disk {
        Some(disk) => all.number("disk_bytes", disk),
        None => all,
    };
    all.object("missed", reasons(&tallies.missed))
        .object("not_recorded", reasons(&tallies.unrecorded))
        .objects("groups", groups)
        .objects("days", days)
        .line()
}

fn sums(object: Object, tally: &Tally) -> Object {
    object
        .number("calls", tally.calls())
        .number("hits", tally.hits.times)
        .number("misses", tally.misses.times)
        .number("recorded", tally.recorded)
        .seconds("saved_seconds", Some(tally.saved()))
        .seconds("hit_seconds", Some(tally.hits.spent.into()))
        .seconds("run_seconds", Some(tally.misses.amount.into()))
        .number("given_bytes", tally.hits.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{Fixture, NOW, at};
    use crate::store::journal::{Event, Record};

    const MS: u64 = 1_000_000;

    /// Two days of calls: `cc` is worth it, `true` is not.
    fn filled() -> Fixture {
        let fixture = Fixture::new();
        fixture.record(1, &["cc", "a.c"], 90_000);
        let append = |record: Record| _ = fixture.store.journal.append(&record).unwrap();
        let miss = |seconds, group| Record::new(Event::Miss, at(seconds), group);
        append(Record { missed: 1, amount: 1500 * MS, ..miss(90_000, "cc") });
        append(Record { missed: 3, unrecorded: 1, amount: 700 * MS, ..miss(90_001, "cc") });
        append(Record { missed: 1, unrecorded: 200, amount: 5 * MS, ..miss(100, "true") });
        append(Record { unrecorded: 12, ..miss(101, "true") });
        for second in 0..4 {
            let hit = Record::new(Event::Hit, at(90_070 + second), "cc");
            append(Record { amount: 1500 * MS, spent: 2 * MS, bytes: 1 << 20, ..hit });
        }
        append(Record { amount: MS, spent: 3 * MS, ..Record::new(Event::Hit, at(102), "true") });
        fixture
    }

    const TODAY: Timestamp = at(100_000);

    fn said(fixture: &Fixture, args: &StatsArgs, width: Option<usize>) -> String {
        counted(args, &fixture.store, TODAY, width).unwrap()
    }

    #[test]
    fn calls_are_counted_by_group_day_and_reason() {
        let fixture = filled();
        let text = said(&fixture, &StatsArgs::default(), Some(80));
        let disk = shown_size(Index::open(&fixture.store, TODAY).unwrap().disk().unwrap());
        let size = shown_size(Index::open(&fixture.store, TODAY).unwrap().rows().unwrap()[0].size);
        let expected = format!(
            "since 1970-01-01T00:01:40Z: 9 calls, 5 hits (55%)
saved 5.9s, 4.0 MiB given back
stored 1 entry, {disk} on disk

HITS  MISSES  RATE  SAVED    GIVEN  STORED  GROUP
   4       2   66%   5.9s  4.0 MiB  {size:>6}  cc
   1       2   33%   -2ms      0 B     0 B  true
no time is saved in group true: hits take as long

HITS  MISSES  RATE  SAVED    GIVEN  DAY (UTC)
   4       2   66%   5.9s  4.0 MiB  1970-01-02
   1       2   33%   -2ms      0 B  1970-01-01

CALLS  MISSED BECAUSE
    2  never-seen
    1  input-changed

CALLS  NOT RECORDED BECAUSE
    1  exit-status
    1  other
    1  same-key
"
        );
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn json_has_it_all_in_one_object() {
        let fixture = filled();
        let index = || Index::open(&fixture.store, TODAY).unwrap();
        let (size, disk) = (index().rows().unwrap()[0].size, index().disk().unwrap());
        let args = StatsArgs { json: true, ..StatsArgs::default() };
        let cc = r#""calls":6,"hits":4,"misses":2,"recorded":1,"saved_seconds":5.992,"hit_seconds":0.008,"#
            .to_owned()
            + r#""run_seconds":2.200,"given_bytes":4194304"#;
        let vain = r#""calls":3,"hits":1,"misses":2,"recorded":0,"saved_seconds":-0.002,"hit_seconds":0.003,"#
            .to_owned() + r#""run_seconds":0.005,"given_bytes":0"#;
        let expected = r#"{"since":"1970-01-01T00:01:40Z","calls":9,"hits":5,"misses":4,"recorded":1,"#
            .to_owned()
            + r#""saved_seconds":5.990,"hit_seconds":0.011,"run_seconds":2.205,"given_bytes":4194304,"#
            + &format!(r#""stored_entries":1,"stored_bytes":{size},"disk_bytes":{disk},"#)
            + r#""missed":{"never-seen":2,"input-changed":1},"#
            + r#""not_recorded":{"exit-status":1,"other":1,"same-key":1},"#
            + &format!(r#""groups":[{{"group":"cc",{cc},"stored_entries":1,"stored_bytes":{size}}},"#)
            + &format!(r#"{{"group":"true",{vain},"stored_entries":0,"stored_bytes":0}}],"#)
            + &format!(r#""days":[{{"day":"1970-01-02",{cc}}},{{"day":"1970-01-01",{vain}}}]}}"#)
            + "\n";
        assert_eq!(said(&fixture, &args, None), expected);
    }

    #[test]
    fn a_group_and_a_time_choose() {
        let fixture = filled();
        let group = StatsArgs { group: Some("true".into()), ..StatsArgs::default() };
        let text = said(&fixture, &group, None);
        assert!(
            text.starts_with(
                "since 1970-01-01T00:01:40Z: 3 calls, 1 hit (33%)\nsaved -2ms, 0 B given back\n"
            )
        );
        assert!(text.contains("stored 0 entries, 0 B\n"), "{text}");
        let since =
            |text: &str| StatsArgs { since: Some(Since::parse(text).unwrap()), ..StatsArgs::default() };
        let first = |args| said(&fixture, &args, None).lines().next().unwrap().to_owned();
        assert_eq!(first(since("1970-01-02")), "since 1970-01-02T00:00:00Z: 6 calls, 4 hits (66%)");
        assert_eq!(first(since("9930s")), "since 1970-01-02T01:01:00Z: 4 calls, 4 hits (100%)");
        assert_eq!(first(since("1m")), "since 1970-01-02T03:45:00Z: 0 calls, 0 hits");
        let none = StatsArgs { group: Some("x y".into()), ..StatsArgs::default() };
        let error = counted(&none, &fixture.store, TODAY, None).unwrap_err();
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (Kind::Nothing, "nothing was counted in group `'x y'`")
        );
    }

    #[test]
    fn what_is_too_long_for_people_is_said() {
        let fixture = Fixture::new();
        for number in 0..MOST_GROUPS + 3 {
            let group = format!("g{number}");
            fixture.store.journal.append(&Record::new(Event::Hit, NOW, &group)).unwrap();
        }
        let text = counted(&StatsArgs::default(), &fixture.store, NOW, Some(80)).unwrap();
        assert!(text.contains("and 3 more; `memo stats --json` has all\n"), "{text}");
        let json = StatsArgs { json: true, ..StatsArgs::default() };
        let text = counted(&json, &fixture.store, NOW, Some(80)).unwrap();
        assert_eq!(text.matches("\"group\":").count(), MOST_GROUPS + 3);
    }

    #[test]
    fn nothing_counted_is_no_error() {
        let fixture = Fixture::new();
        let text = counted(&StatsArgs::default(), &fixture.store, NOW, None).unwrap();
        assert_eq!(text, "0 calls, 0 hits\nsaved 0ms, 0 B given back\nstored 0 entries, 0 B on disk\n");
    }
}
