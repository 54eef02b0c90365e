//! An entry as it is shown: a line of a list, an object of JSON.

use std::os::unix::ffi::OsStrExt;

use super::color::Look;
use super::json::Object;
use super::quote;
use super::table::{Cell, Side, shown_size};
use super::when::{shown_age, shown_duration, utc};
use crate::action::identity::Timestamp;
use crate::store::index::Row;

/// A column of a list of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The entry's name, eight digits of it.
    Key,
    /// All of the name.
    WholeKey,
    /// How long ago it was recorded.
    Age,
    /// How long ago it was used.
    Used,
    /// How often it was.
    Hits,
    /// The time that saved.
    Saved,
    /// Its size with all blobs it needs.
    Size,
    /// The exit status.
    Exit,
    /// The group.
    Group,
    /// The working directory.
    Directory,
    /// The call as the shell reads it.
    Command,
    /// The same; before it an exit status other than 0, for which there is no column.
    CommandWithExit,
}

impl Column {
    /// Returns its title and side.
    pub fn title(self) -> (&'static str, Side) {
        match self {
            Self::Key | Self::WholeKey => ("KEY", Side::Left),
            Self::Age => ("AGE", Side::Right),
            Self::Used => ("USED", Side::Right),
            Self::Hits => ("HITS", Side::Right),
            Self::Saved => ("SAVED", Side::Right),
            Self::Size => ("SIZE", Side::Right),
            Self::Exit => ("EXIT", Side::Right),
            Self::Group => ("GROUP", Side::Left),
            Self::Directory => ("DIRECTORY", Side::Left),
            Self::Command | Self::CommandWithExit => ("COMMAND", Side::Left),
        }
    }

    /// Returns what stands there for an entry, whose call is this line.
    pub fn cell(self, row: &Row, line: &str, now: Timestamp) -> Cell {
        let since = |time| shown_age(now.since(time).unwrap_or_default());
        let plain = |text: String| Cell::new(Look::Plain, text);
        let unused = || Cell::new(Look::Faint, "-");
        match self {
            Self::Key => Cell::new(Look::Key, row.outcome.0.short()),
            Self::WholeKey => Cell::new(Look::Key, row.outcome.to_string()),
            Self::Age if is_expired(row, now) => Cell::new(Look::Odd, "expired"),
            Self::Age => plain(since(row.recorded)),
            Self::Used | Self::Saved if row.hits == 0 => unused(),
            Self::Used => plain(since(row.used)),
            Self::Saved => plain(shown_duration(row.saved)),
            Self::Hits => plain(row.hits.to_string()),
            Self::Size => plain(shown_size(row.size)),
            Self::Exit if row.exit == 0 => plain("0".to_owned()),
            Self::Exit => Cell::new(Look::Odd, row.exit.to_string()),
            Self::Group => plain(quote::word(row.shown.group.as_bytes())),
            Self::Directory => plain(directory(row)),
            Self::CommandWithExit if row.exit != 0 => plain(format!("(exit {}) {line}", row.exit)),
            Self::Command | Self::CommandWithExit => plain(line.to_owned()),
        }
    }
}

/// Returns the working directory as the shell reads it; `-` when it is not part of the call.
pub fn directory(row: &Row) -> String {
    row.shown.directory.as_ref().map_or("-".to_owned(), |path| quote::word(path.as_os_str().as_bytes()))
}

/// Returns whether an entry is past its own `--ttl`; one from the future is, too.
pub fn is_expired(row: &Row, now: Timestamp) -> bool {
    match now.since(row.recorded) {
        Some(age) => row.ttl.is_some_and(|ttl| age >= ttl),
        None => true,
    }
}

/// Returns an entry, whose call is this line, as JSON.
pub fn object(row: &Row, line: &str, now: Timestamp) -> Object {
    let ns = |duration: std::time::Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{Fixture, NOW, at, outcome};
    use crate::store::index::Index;
    use crate::store::outcome::Outcome;
    use std::time::Duration;

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
    fn an_exit_status_without_a_column_stands_before_the_command() {
        let fixture = Fixture::new();
        fixture.commit(1, Outcome { exit: 3, ..outcome(&["a"], 900) }, "");
        let row = Index::open(&fixture.store, NOW).unwrap().rows().unwrap().remove(0);
        let cell = |column: Column| column.cell(&row, "a", NOW);
        assert_eq!(cell(Column::CommandWithExit), Cell::new(Look::Plain, "(exit 3) a"));
        assert_eq!(cell(Column::Command), Cell::new(Look::Plain, "a"));
        assert_eq!(cell(Column::Exit), Cell::new(Look::Odd, "3"));
    }
}
