//! What was counted, added up: in all, by group, by day, by reason.

use std::collections::BTreeMap;

use crate::action::identity::Timestamp;
use crate::action::reason::{Missed, Unrecorded};
use crate::store::index::{Count, Row, Sum};
use crate::store::journal::{Event, Group};

/// Sums of calls, and of what is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that were answered; the amount is how long their runs took.
    pub hits: Sum,
    /// Calls that ran; the amount is how long.
    pub misses: Sum,
    /// How many of the runs were recorded.
    pub recorded: u64,
    /// How many entries are stored.
    pub entries: u64,
    /// Their bytes; what several share counts for each.
    pub stored: u64,
}

impl Tally {
    /// Returns how many calls there were.
    pub fn calls(&self) -> u64 {
        self.hits.times + self.misses.times
    }

    /// Returns the time that hits saved, without the time they took, in ns.
    pub fn saved(&self) -> i128 {
        i128::from(self.hits.amount) - i128::from(self.hits.spent)
    }

    /// Returns whether there were hits, and no time was saved by them.
    pub fn is_in_vain(&self) -> bool {
        self.hits.times > 0 && self.saved() <= 0 && self.hits.spent > 0
    }

    fn count(&mut self, count: &Count) {
        match count.event {
            Event::Hit => self.hits.add(&count.sum),
            Event::Miss => self.misses.add(&count.sum),
            Event::Commit => self.recorded += count.sum.times,
            // The miss is counted.
            Event::Unrecorded => {}
        }
    }

    fn store(&mut self, row: &Row) {
        self.entries += 1;
        self.stored += row.size;
    }
}

/// All tallies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// All together.
    pub all: Tally,
    /// By group, what saved most first; the empty name is for groups that are no longer told apart.
    pub groups: Vec<(String, Tally)>,
    /// By day (UTC), the latest first; `None` for what is longer ago than days are told apart.
    pub days: Vec<(Option<Timestamp>, Tally)>,
    /// How many calls missed for a reason, the most frequent first.
    pub missed: Vec<(&'static str, u64)>,
    /// How many runs were not recorded for a reason, the most frequent first.
    pub unrecorded: Vec<(&'static str, u64)>,
}

impl Tallies {
    /// Adds up what was counted and what is stored, of one group or of all.
    pub fn of(counts: &[Count], rows: &[Row], group: Option<&str>) -> Self {
        // What was counted has names as long as the journal takes them.
        let wanted = |name: &str| group.is_none_or(|group| Group::new(group) == Group::new(name));
        let mut all = Tally::default();
        let mut groups: BTreeMap<String, Tally> = BTreeMap::new();
        let mut days: BTreeMap<Option<Timestamp>, Tally> = BTreeMap::new();
        let (mut missed, mut unrecorded) = (BTreeMap::new(), BTreeMap::new());
        for count in counts.iter().filter(|count| wanted(&count.group)) {
            all.count(count);
            groups.entry(count.group.clone()).or_default().count(count);
            days.entry(count.day).or_default().count(count);
            if count.event == Event::Miss {
                if let Some(name) = Missed::name_of(count.missed) {
                    *missed.entry(name).or_default() += count.sum.times;
                }
                if let Some(name) = Unrecorded::name_of(count.unrecorded) {
                    *unrecorded.entry(name).or_default() += count.sum.times;
                }
            }
        }
        for row in rows.iter().filter(|row| wanted(&row.shown.group)) {
            all.store(row);
            groups.entry(Group::new(&row.shown.group).as_str().to_owned()).or_default().store(row);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, tally)| std::cmp::Reverse((tally.saved(), tally.calls(), tally.stored)));
        let days = days.into_iter().rev().collect();
        Self { all, groups, days, missed: frequent(missed), unrecorded: frequent(unrecorded) }
    }
}

fn frequent(reasons: BTreeMap<&'static str, u64>) -> Vec<(&'static str, u64)> {
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    reasons
}
