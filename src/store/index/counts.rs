//! What happened, counted: hits, misses and commits by time, group and reason.
//!
//! Counters are no entries: gc and `clear` leave them alone, and only [`zero`] sets them back. They stand in no
//! file of the store, so an index that has to be thrown away takes them with it.
//!
//! # Size
//! Counted by the minute for [`MINUTES_KEPT`] days, by the day (UTC) for [`DAYS_KEPT`], and beyond that without a
//! time. Where either of the first two comes to more than [`MOST_ROWS`] rows, its oldest are moved on before
//! that; of what has no time the [`MOST_GROUPS`] most frequent groups keep their names.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Fault;
use super::column::unsigned;
use crate::action::identity::Timestamp;
use crate::store::journal::{Event, Group, Record};

/// For how many days minutes are told apart: a week, whatever the time of day.
const MINUTES_KEPT: i64 = 8;
/// For how many days days are told apart: a year, and the month before.
const DAYS_KEPT: i64 = 400;
/// Rows of either kind take some 80 bytes: together no more than 4 MB.
const MOST_ROWS: i64 = 20_000;
/// Groups are what users name them, so that there may be any number.
const MOST_GROUPS: i64 = 1_000;
/// The most a record may add to a sum: 104 days in ns, far from what overflows.
pub(super) const MOST: u64 = 1 << 53;

/// Seconds of a minute.
const MINUTE: i64 = 60;
/// Seconds of a day.
const DAY: i64 = 24 * 60 * MINUTE;
/// What is counted; the numbers stand in the index.
const EVENTS: [Event; 3] = [Event::Hit, Event::Miss, Event::Commit];

/// How exactly a row says when; the numbers stand in the index.
#[derive(Clone, Copy, Debug)]
enum Tier {
    Minute = 0,
    Day = 1,
    Ever = 2,
}

/// How often the same happened in one group, for the same reason, on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// When that day began, in UTC; `None` when that is no longer known.
    pub day: Option<Timestamp>,
    /// The group; empty where there were too many to keep apart.
    pub group: String,
    /// What.
    pub event: Event,
    /// The number of the reason for a miss, as in [`Record`].
    pub missed: u8,
    /// The number of the reason why it was not recorded, as in [`Record`].
    pub unrecorded: u8,
    /// How often and how much.
    pub sum: Sum,
}

/// How often, and the sums of what the records say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How often.
    pub times: u64,
    /// The sum of the amounts, as the event says.
    pub amount: u64,
    /// How long memo itself took, in ns.
    pub spent: u64,
    /// How many bytes were given back.
    pub bytes: u64,
}

/// What was counted from some time on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// From when on, exactly; `None` when nothing was counted yet.
    pub from: Option<Timestamp>,
    /// What.
    pub counts: Vec<Count>,
}

impl Sum {
    /// Adds another; a sum that does not fit stays at the most there is.
    pub fn add(&mut self, other: &Self) {
        let add = |a: u64, b: u64| a.saturating_add(b).min(i64::MAX.cast_unsigned() / 2);
        *self = Self {
            times: add(self.times, other.times),
            amount: add(self.amount, other.amount),
            spent: add(self.spent, other.spent),
            bytes: add(self.bytes, other.bytes),
        };
    }
}

/// What the records of a fold come to, before it is written: many records, few rows.
#[derive(Debug, Default)]
pub(super) struct Counted {
    sums: HashMap<(i64, Group, u8, u8, u8), Sum>,
    first: Option<Timestamp>,
}

impl Counted {
    /// Counts a record. One from the future counts as of now.
    pub(super) fn add(&mut self, record: &Record, now: Timestamp) {
        let time = record.time.min(now);
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        let minute = begin(time, MINUTE);
        let which = (minute, record.group, record.event as u8, record.missed, record.unrecorded);
        self.sums.entry(which).or_default().add(&Sum {
            times: 1,
            amount: record.amount.min(MOST),
            spent: record.spent.min(MOST),
            bytes: record.bytes.min(MOST),
        });
    }

    /// Writes it down, inside a transaction.
    pub(super) fn write(self, connection: &Connection, now: Timestamp) -> Result<(), Fault> {
        let Some(first) = self.first else { return Ok(()) };
        connection.execute("UPDATE meta SET counted_from = coalesce(counted_from, ?1)", [first.0])?;
        let mut statement = connection.prepare_cached(&format!(
            "INSERT INTO counts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) {ADDED}"
        ))?;
        for ((minute, group, event, missed, unrecorded), sum) in self.sums {
            statement.execute(params![
                Tier::Minute as u8,
                minute,
                group.as_str(),
                event,
                missed,
                unrecorded,
                sum.times.cast_signed(),
                sum.amount.cast_signed(),
                sum.spent.cast_signed(),
                sum.bytes.cast_signed(),
            ])?;
        }
        condense(connection, now)
    }
}

/// What becomes of a row that is there already. No sum leaves half of what fits, so that none overflows.
const ADDED: &str = "ON CONFLICT DO UPDATE SET
    times = min(times, 4611686018427387903) + min(excluded.times, 4611686018427387903),
    amount = min(amount, 4611686018427387903) + min(excluded.amount, 4611686018427387903),
    spent = min(spent, 4611686018427387903) + min(excluded.spent, 4611686018427387903),
    bytes = min(bytes, 4611686018427387903) + min(excluded.bytes, 4611686018427387903)";

/// Moves on what is old, or too much.
fn condense(connection: &Connection, now: Timestamp) -> Result<(), Fault> {
    let today = begin(now, DAY);
    // Whole days at once, so that a day is never half of either kind.
    move_on(connection, Tier::Minute, today - MINUTES_KEPT * DAY)?;
    move_on(connection, Tier::Day, today - DAYS_KEPT * DAY)?;
    connection
        .prepare_cached(&format!(
            "INSERT INTO counts SELECT tier, at, '', event, missed, unrecorded, times, amount, spent, bytes
             FROM counts WHERE tier = ?1 AND grp NOT IN (SELECT grp FROM counts WHERE tier = ?1 AND grp <> ''
                 GROUP BY grp ORDER BY total(times) DESC, grp LIMIT ?2) AND grp <> '' {ADDED}"
        ))?
        .execute(params![Tier::Ever as u8, MOST_GROUPS])?;
    connection
        .prepare_cached(
            "DELETE FROM counts WHERE tier = ?1 AND grp NOT IN (SELECT grp FROM counts WHERE tier = ?1 AND grp <> ''
                 GROUP BY grp ORDER BY total(times) DESC, grp LIMIT ?2) AND grp <> ''",
        )?
        .execute(params![Tier::Ever as u8, MOST_GROUPS])?;
    Ok(())
}

/// Moves what began before `border` (s after 1970) to the next coarser tier, and what is too much there.
fn move_on(connection: &Connection, tier: Tier, border: i64) -> Result<(), Fault> {
    let (to, width) = match tier {
        Tier::Minute => (Tier::Day, DAY),
        Tier::Day | Tier::Ever => (Tier::Ever, i64::MAX),
    };
    let mut last_too_much = connection.prepare_cached(
        "SELECT at FROM counts WHERE tier = ?1 ORDER BY tier DESC, at DESC LIMIT 1 OFFSET ?2",
    )?;
    let too_much: Option<i64> =
        last_too_much.query_row(params![tier as u8, MOST_ROWS], |row| row.get(0)).optional()?;
    let border = too_much.map_or(border, |last| border.max(last + 1));
    let moved: i64 = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM counts WHERE tier = ?1 AND at < ?2)")?
        .query_row(params![tier as u8, border], |row| row.get(0))?;
    if moved == 0 {
        return Ok(());
    }
    connection
        .prepare_cached(&format!(
            "INSERT INTO counts
             SELECT ?1, at - at % ?2, grp, event, missed, unrecorded, times, amount, spent, bytes
             FROM counts WHERE tier = ?3 AND at < ?4 {ADDED}"
        ))?
        .execute(params![to as u8, width, tier as u8, border])?;
    connection
        .prepare_cached("DELETE FROM counts WHERE tier = ?1 AND at < ?2")?
        .execute(params![tier as u8, border])?;
    Ok(())
}

/// Returns what was counted, or only from some time on: from the beginning of that minute, or of that day
/// where minutes are no longer told apart.
pub(super) fn since(
    connection: &Connection,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<Counts, Fault> {
    let began: Option<i64> = connection.query_row("SELECT counted_from FROM meta", [], |row| row.get(0))?;
    let asked = since.map(|since| {
        let day = begin(since, DAY);
        let minutes = day >= begin(now, DAY) - MINUTES_KEPT * DAY;
        if minutes { begin(since, MINUTE) } else { day }
    });
    let mut sums: HashMap<(Option<i64>, String, u8, u8, u8), Sum> = HashMap::new();
    let mut statement = connection.prepare_cached(
        "SELECT tier, at, grp, event, missed, unrecorded, times, amount, spent, bytes FROM counts
         WHERE ?1 IS NULL OR tier = 0 AND at >= ?1 OR tier = 1 AND at >= ?1 - ?1 % ?2",
    )?;
    let mut rows = statement.query(params![asked, DAY])?;
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(1)?;
        let day = (row.get::<_, u8>(0)? != Tier::Ever as u8).then_some(at - at.rem_euclid(DAY));
        let which = (day, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
        sums.entry(which).or_default().add(&sum(row)?);
    }
    let mut counts = Vec::with_capacity(sums.len());
    for ((day, group, number, missed, unrecorded), sum) in sums {
        let event = EVENTS.into_iter().find(|event| *event as u8 == number);
        let event = event.ok_or_else(|| Fault::Damaged(format!("there is no event {number}")))?;
        counts.push(Count { day: day.map(at), group, event, missed, unrecorded, sum });
    }
    counts.sort_by(|a, b| {
        let key = |count: &Count| (count.day, count.event as u8, count.missed, count.unrecorded);
        key(a).cmp(&key(b)).then_with(|| a.group.cmp(&b.group))
    });
    let from = began.map(|began| asked.map_or(Timestamp(began), |asked| at(asked).max(Timestamp(began))));
    Ok(Counts { from, counts })
}

/// Sets everything back, as of now.
pub(super) fn zero(connection: &Connection, now: Timestamp) -> Result<(), Fault> {
    connection.execute_batch("DELETE FROM counts")?;
    connection.execute("UPDATE meta SET counted_from = ?1", [now.0])?;
    Ok(())
}

fn sum(row: &Row<'_>) -> Result<Sum, Fault> {
    Ok(Sum {
        times: unsigned(row.get(6)?),
        amount: unsigned(row.get(7)?),
        spent: unsigned(row.get(8)?),
        bytes: unsigned(row.get(9)?),
    })
}

/// Returns when the minute or day of a time began, in s after 1970. What was before counts as then.
fn begin(time: Timestamp, width: i64) -> i64 {
    let seconds = time.0.max(0) / 1_000_000_000;
    seconds - seconds % width
}

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds.saturating_mul(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::Fixture;
    use crate::store::index::Index;

    const TODAY: i64 = 1000 * DAY;

    fn hit(fixture: &Fixture, seconds: i64, group: &str) {
        let record = Record { amount: 5, spent: 2, bytes: 3, ..Record::new(Event::Hit, at(seconds), group) };
        fixture.store.journal.append(&record).unwrap();
    }

    fn counted(fixture: &Fixture, now: i64, since: Option<i64>) -> Vec<(Option<i64>, String, u64)> {
        let counts = Index::open(&fixture.store, at(now)).unwrap().counts(since.map(at)).unwrap();
        let day = |count: &Count| count.day.map(|day| day.0 / 1_000_000_000 / DAY);
        counts.counts.iter().map(|count| (day(count), count.group.clone(), count.sum.times)).collect()
    }

    fn rows(fixture: &Fixture, tier: Tier) -> i64 {
        let index = Index::open(&fixture.store, at(TODAY)).unwrap();
        let sql = "SELECT count(*) FROM counts WHERE tier = ?1";
        index.connection.query_row(sql, [tier as u8], |row| row.get(0)).unwrap()
    }

    #[test]
    fn sums_are_kept_by_day_and_group() {
        let fixture = Fixture::new();
        hit(&fixture, TODAY, "a");
        hit(&fixture, TODAY + 200, "a");
        hit(&fixture, TODAY + 200, "b");
        hit(&fixture, TODAY - 1, "a");
        let counts = Index::open(&fixture.store, at(TODAY + 300)).unwrap().counts(None).unwrap();
        assert_eq!(counts.from, Some(at(TODAY - 1)));
        assert_eq!(
            counts.counts[1],
            Count {
                day: Some(at(TODAY)),
                group: "a".into(),
                event: Event::Hit,
                missed: 0,
                unrecorded: 0,
                sum: Sum { times: 2, amount: 10, spent: 4, bytes: 6 }
            }
        );
        let days: Vec<_> =
            counts.counts.iter().map(|c| (c.day.unwrap().0 / 1_000_000_000, &*c.group)).collect();
        assert_eq!(days, [(TODAY - DAY, "a"), (TODAY, "a"), (TODAY, "b")]);
    }

    #[test]
    fn since_is_exact_to_the_minute_for_a_week() {
        let fixture = Fixture::new();
        let week = TODAY - 7 * DAY;
        hit(&fixture, week + 59, "before");
        hit(&fixture, week + 60, "after");
        hit(&fixture, TODAY, "after");
        let after: u64 = counted(&fixture, TODAY, Some(week + 119)).iter().map(|count| count.2).sum();
        assert_eq!(after, 2);
        assert_eq!(counted(&fixture, TODAY, Some(week)).len(), 3);
        assert_eq!(counted(&fixture, TODAY, Some(TODAY + 60)), []);
        let from =
            |since| Index::open(&fixture.store, at(TODAY)).unwrap().counts(Some(at(since))).unwrap().from;
        assert_eq!(from(week + 119), Some(at(week + 60)));
        assert_eq!(from(0), Some(at(week + 59)), "no earlier than what was counted first");
    }

    #[test]
    fn what_is_old_is_counted_by_the_day_and_then_at_all() {
        let fixture = Fixture::new();
        hit(&fixture, TODAY - 9 * DAY, "a");
        hit(&fixture, TODAY - 9 * DAY + 7200, "a");
        hit(&fixture, TODAY - 8 * DAY, "a");
        hit(&fixture, TODAY - 401 * DAY, "a");
        let expected =
            [(None, "a".to_owned(), 1), (Some(991), "a".to_owned(), 2), (Some(992), "a".to_owned(), 1)];
        assert_eq!(counted(&fixture, TODAY, None), expected);
        assert_eq!([Tier::Minute, Tier::Day, Tier::Ever].map(|tier| rows(&fixture, tier)), [1, 1, 1]);
        assert_eq!(counted(&fixture, TODAY, Some(TODAY - 9 * DAY + 7000)), expected[1..], "the whole day");
        // A day later one more is moved on, and nothing is counted twice.
        hit(&fixture, TODAY + DAY, "a");
        assert_eq!(counted(&fixture, TODAY + DAY, None)[..3], expected);
        assert_eq!([Tier::Minute, Tier::Day, Tier::Ever].map(|tier| rows(&fixture, tier)), [1, 2, 1]);
    }

    #[test]
    fn however_many_groups_there_are_the_index_stays_small() {
        let fixture = Fixture::new();
        let mut counted = Counted::default();
        for number in 0..MOST_ROWS + 10 {
            let group = format!("g{number}");
            for _ in 0..1 + number % 2 {
                counted.add(&Record::new(Event::Hit, at(TODAY), &group), at(TODAY));
            }
        }
        let index = Index::open(&fixture.store, at(TODAY)).unwrap();
        let transaction = index.connection.unchecked_transaction().unwrap();
        counted.write(&transaction, at(TODAY)).unwrap();
        transaction.commit().unwrap();
        drop(index);
        assert_eq!([Tier::Minute, Tier::Day].map(|tier| rows(&fixture, tier)), [0, 0]);
        assert_eq!(rows(&fixture, Tier::Ever), MOST_GROUPS + 1);
        let counts = Index::open(&fixture.store, at(TODAY)).unwrap().counts(None).unwrap().counts;
        let times: u64 = counts.iter().map(|count| count.sum.times).sum();
        assert_eq!(times, (MOST_ROWS + 10).cast_unsigned() * 3 / 2, "none is lost");
        let others = counts.iter().find(|count| count.group.is_empty()).unwrap();
        assert_eq!(
            others.sum.times,
            times - 2 * MOST_GROUPS.cast_unsigned(),
            "the frequent keep their names"
        );
    }

    #[test]
    fn counters_outlive_what_they_counted_and_are_set_back_by_themselves() {
        let fixture = Fixture::new();
        let id = fixture.record(1, &["a"], 5);
        fixture.hit(1, id, 6);
        hit(&fixture, 70, "a");
        let before = counted(&fixture, 100, None);
        assert_eq!(before.len(), 3, "two hits and a commit");
        crate::store::clear::all(&fixture.store, at(100)).unwrap();
        assert_eq!(counted(&fixture, 100, None), before);
        hit(&fixture, 80, "a");
        let mut index = Index::open(&fixture.store, at(100)).unwrap();
        index.zero().unwrap();
        assert_eq!(index.counts(None).unwrap(), Counts { from: Some(at(100)), counts: Vec::new() });
        drop(index);
        hit(&fixture, 130, "a");
        assert_eq!(counted(&fixture, 130, None), [(Some(0), "a".to_owned(), 1)]);
    }

    #[test]
    fn no_sum_overflows() {
        let fixture = Fixture::new();
        for _ in 0..3 {
            let mut counted = Counted::default();
            let record = Record { amount: u64::MAX, ..Record::new(Event::Hit, at(TODAY), "a") };
            for _ in 0..2000 {
                counted.add(&record, at(TODAY));
            }
            let index = Index::open(&fixture.store, at(TODAY)).unwrap();
            counted.write(&index.connection, at(TODAY)).unwrap();
        }
        let sum = Index::open(&fixture.store, at(TODAY)).unwrap().counts(None).unwrap().counts[0].sum;
        assert_eq!((sum.times, sum.amount), (6000, i64::MAX.cast_unsigned() / 2));
    }
}
