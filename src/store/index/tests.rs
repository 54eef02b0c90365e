use super::*;
use crate::store::fixture::{Fixture, NOW, at, key, outcome};
use crate::store::journal::{Event, Record};

fn open(fixture: &Fixture) -> Index<'_> {
    Index::open(&fixture.store, NOW).unwrap()
}

fn rows(fixture: &Fixture) -> Vec<Row> {
    open(fixture).rows().unwrap()
}

/// What a row tells of its use.
fn uses(fixture: &Fixture) -> Vec<(u64, Timestamp)> {
    rows(fixture).iter().map(|row| (row.hits, row.used)).collect()
}

fn outcomes(fixture: &Fixture) -> Vec<OutcomeId> {
    rows(fixture).iter().map(|row| row.outcome).collect()
}

/// Changes an index behind memo's back.
pub(crate) fn tamper(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// The index that a store gets that cannot be written.
fn in_memory(fixture: &Fixture) -> Index<'_> {
    Index::in_memory(&fixture.store, Some(&path(&fixture.store)), NOW).unwrap()
}

#[test]
fn an_entry_is_listed_with_what_its_outcome_says() {
    let fixture = Fixture::new();
    let text = "x".repeat(100_000);
    let id = fixture.record_with_blob(7, &["printf", "a b"], 5, &text);
    let [row] = rows(&fixture).try_into().unwrap();
    let expected = outcome(&["printf", "a b"], 5);
    assert_eq!((row.key, row.outcome, row.recorded), (key(7), id, at(5)));
    assert_eq!((row.shown, row.duration, row.ttl), (expected.shown, expected.duration, None));
    assert_eq!((row.hits, row.used, row.saved), (0, at(5), std::time::Duration::ZERO));
    assert!(row.size > 100_000 && row.size < 101_000);
    assert_eq!(open(&fixture).total().unwrap(), Weight { entries: 1, bytes: row.size });
}

#[test]
fn the_journal_is_folded_once() {
    let fixture = Fixture::new();
    let id = fixture.record(1, &["a"], 5);
    fixture.hit(1, id, 7);
    fixture.hit(1, id, 6);
    assert_eq!(uses(&fixture), [(2, at(7))]);
    assert_eq!(uses(&fixture), [(2, at(7))]);
    assert_eq!(fixture.store.journal.taken().unwrap(), []);
    assert!(!fixture.store.journal.path().exists());
    fixture.hit(1, id, 8);
    assert_eq!(uses(&fixture), [(3, at(8))]);
    assert_eq!(rows(&fixture)[0].saved, std::time::Duration::from_secs(3));
}

#[test]
fn a_hit_of_an_unknown_outcome_or_from_the_future_does_no_harm() {
    let fixture = Fixture::new();
    let id = fixture.record(1, &["a"], 5);
    fixture.hit(2, id, 6);
    fixture.hit(1, id, 5000);
    assert_eq!(uses(&fixture), [(1, NOW)]);
}

#[test]
fn what_happened_is_counted() {
    let fixture = Fixture::new();
    let id = fixture.record(1, &["a"], 5);
    fixture.hit(1, id, 6);
    fixture.hit(1, id, 6);
    let miss = Record { missed: 7, unrecorded: 2, amount: 3, ..Record::new(Event::Miss, at(6), "a") };
    fixture.store.journal.append(&miss).unwrap();
    let counts = open(&fixture).counts(None).unwrap();
    assert_eq!(counts.from, Some(at(5)));
    let shown: Vec<_> = counts.counts.iter().map(|count| (&*count.group, count.event, count.sum)).collect();
    let size = Sum { times: 1, amount: rows(&fixture)[0].size, ..Sum::default() };
    assert_eq!(
        shown,
        [
            ("hits", Event::Hit, Sum { times: 2, amount: 2_000_000_000, spent: 0, bytes: 20 }),
            ("a", Event::Miss, Sum { times: 1, amount: 3, ..Sum::default() }),
            ("a", Event::Commit, size),
        ]
    );
    assert_eq!((counts.counts[1].missed, counts.counts[1].unrecorded), (7, 2));
    assert_eq!(open(&fixture).counts(None).unwrap(), counts, "counted once");
    assert_eq!(in_memory(&fixture).counts(None).unwrap(), counts);
}

#[test]
fn a_torn_journal_is_folded_as_far_as_it_is_whole() {
    let fixture = Fixture::new();
    let id = fixture.record(1, &["a"], 5);
    let hit = Record::new(Event::Hit, at(6), "a");
    let record = Record { key: key(1), outcome: id, amount: u64::MAX, ..hit }.encode();
    let torn = [&record[..], &record[..40], &record[..], &record[..159]].concat();
    std::fs::write(fixture.store.journal.path(), torn).unwrap();
    assert_eq!(uses(&fixture), [(2, at(6))]);
}

#[test]
fn a_fold_that_was_killed_after_the_rename_is_done_by_the_next() {
    let fixture = Fixture::new();
    let id = fixture.record(1, &["a"], 5);
    fixture.hit(1, id, 6);
    fold::take_away(&open(&Fixture::new()).connection, &fixture.store).unwrap();
    fixture.hit(1, id, 7);
    fold::take_away(&open(&Fixture::new()).connection, &fixture.store).unwrap();
    fixture.hit(1, id, 8);
    let taken: Vec<_> =
        fixture.store.journal.taken().unwrap().into_iter().map(|(number, _)| number).collect();
    assert_eq!(taken, [1, 2]);
    assert_eq!(uses(&fixture), [(3, at(8))]);
    assert_eq!(fixture.store.journal.taken().unwrap(), []);
}

#[test]
fn a_fold_that_was_killed_before_it_removed_the_journal_is_not_applied_twice() {
    let fixture = Fixture::new();
    let id = fixture.record(1, &["a"], 5);
    fixture.hit(1, id, 6);
    let bytes = std::fs::read(fixture.store.journal.path()).unwrap();
    assert_eq!(uses(&fixture), [(1, at(6))]);
    let left = fixture.store.path().join("journal.1");
    std::fs::write(&left, &bytes).unwrap();
    assert_eq!(uses(&fixture), [(1, at(6))]);
    assert!(!left.exists());
    fixture.hit(1, id, 7);
    fold::take_away(&open(&fixture).connection, &fixture.store).unwrap();
    assert_eq!(uses(&fixture), [(2, at(7))]);
}

#[test]
fn a_number_is_never_given_twice() {
    let fixture = Fixture::new();
    let id = fixture.record(1, &["a"], 5);
    let index = open(&fixture);
    for number in 2..5 {
        fixture.hit(1, id, 6);
        fold::take_away(&index.connection, &fixture.store).unwrap();
        let taken = fixture.store.journal.taken().unwrap();
        assert_eq!(taken.last().map(|(number, _)| *number), Some(number));
    }
    assert_eq!(uses(&fixture), [(3, at(6))]);
    crate::store::clear::all(&fixture.store, NOW).unwrap();
    fixture.hit(1, id, 6);
    fold::take_away(&open(&Fixture::new()).connection, &fixture.store).unwrap();
    // Without the memory of the cleared index this is `journal.1`, which must not count as folded.
    let id = fixture.record(1, &["a"], 5);
    std::fs::rename(fixture.store.path().join("journal.1"), fixture.store.path().join("journal.9")).unwrap();
    fixture.hit(1, id, 7);
    assert_eq!(uses(&fixture), [(2, at(7))]);
}

#[test]
fn an_index_that_is_missing_damaged_or_foreign_is_built_anew() {
    let fixture = Fixture::new();
    let id = fixture.record_with_blob(1, &["a"], 5, "content");
    let before = rows(&fixture);
    let path = path(&fixture.store);
    let whole = std::fs::read(&path).unwrap();
    let mut garbled = whole.clone();
    for byte in &mut garbled[200..] {
        *byte ^= 0x55;
    }
    let check = |what: &str| {
        assert_eq!(rows(&fixture), before, "{what}");
        let header = std::fs::read(&path).unwrap();
        assert_eq!(&header[..15], b"SQLite format 3", "{what}");
    };
    std::fs::remove_file(&path).unwrap();
    check("missing");
    std::fs::write(&path, b"no database at all, but long enough to look like one").unwrap();
    std::fs::write(fixture.store.path().join("index.db-wal"), b"left over").unwrap();
    check("no database");
    std::fs::write(&path, b"").unwrap();
    check("empty");
    std::fs::write(&path, &whole[..5000]).unwrap();
    check("cut");
    std::fs::write(&path, garbled).unwrap();
    check("garbled");
    for sql in
        ["PRAGMA user_version = 0", "PRAGMA application_id = 7", "DROP TABLE entries", "DELETE FROM meta"]
    {
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        fixture.hit(1, id, 6);
        let found = rows(&fixture);
        assert_eq!((found.len(), found[0].outcome, found[0].hits), (1, id, 1), "{sql}");
    }
}

#[test]
fn a_damage_that_shows_only_in_a_query_is_met_too() {
    let fixture = Fixture::new();
    let id = fixture.record(1, &["a"], 5);
    let mut index = open(&fixture);
    index.connection.execute_batch("UPDATE entries SET shown = x'ff'").unwrap();
    assert_eq!(index.rows().unwrap().len(), 1);
    index.connection.execute_batch("DROP TABLE blobs").unwrap();
    assert!(matches!(index.find(&id.to_string()).unwrap(), Named::Entries(_)));
    assert_eq!(index.total().unwrap().entries, 1);
}

#[test]
fn an_index_of_a_newer_memo_is_left_alone() {
    let fixture = Fixture::new();
    fixture.record(1, &["a"], 5);
    let path = path(&fixture.store);
    let before = rows(&fixture);
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(rows(&fixture), before);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_store_of_a_newer_memo_is_refused() {
    let fixture = Fixture::new();
    std::fs::write(fixture.store.path().join("FORMAT"), "99\n").unwrap();
    assert!(matches!(Index::open(&fixture.store, NOW), Err(Trouble::Newer { found: 99, .. })));
}

#[test]
fn what_cannot_be_written_is_read_all_the_same() {
    let fixture = Fixture::new();
    let id = fixture.record(1, &["a"], 5);
    fixture.hit(1, id, 6);
    // Nobody, not even root, can write to a directory as if it were a file.
    std::fs::create_dir(path(&fixture.store)).unwrap();
    assert_eq!(uses(&fixture), [(1, at(6))]);
    assert_eq!(uses(&fixture), [(1, at(6))]);
    assert!(path(&fixture.store).is_dir());
}

#[test]
fn a_copy_in_memory_knows_what_the_file_knows_and_changes_nothing() {
    let fixture = Fixture::new();
    let id = fixture.record_with_blob(1, &["a"], 5, "content");
    fixture.hit(1, id, 6);
    let expected = (rows(&fixture), open(&fixture).total().unwrap());
    let mut index = in_memory(&fixture);
    assert_eq!((index.rows().unwrap(), index.total().unwrap()), expected);
    fixture.hit(1, id, 7);
    let bytes = std::fs::read(path(&fixture.store)).unwrap();
    assert_eq!(in_memory(&fixture).rows().unwrap()[0].hits, 2);
    assert_eq!(in_memory(&fixture).rows().unwrap()[0].hits, 2);
    assert!(fixture.store.journal.path().exists());
    assert_eq!(std::fs::read(path(&fixture.store)).unwrap(), bytes);
    assert_eq!(uses(&fixture), [(2, at(7))]);
}

#[test]
fn another_process_that_does_not_let_go_stops_nobody() {
    let fixture = Fixture::new();
    fixture.record(1, &["a"], 5);
    let before = rows(&fixture);
    let held = std::fs::File::create(fixture.store.journal.path()).unwrap();
    held.lock_shared().unwrap();
    fixture.record(2, &["b"], 6);
    assert_eq!(rows(&fixture).len(), before.len() + 1);
}

#[test]
fn a_replaced_outcome_goes_and_its_blobs_are_not_needed_any_more() {
    let fixture = Fixture::new();
    fixture.commit(1, outcome(&["a"], 1), "input");
    assert_eq!(rows(&fixture).len(), 1);
    let newer = fixture.commit(1, outcome(&["a"], 2), "input");
    let other = fixture.commit(1, outcome(&["a"], 3), "other input");
    assert_eq!(outcomes(&fixture), [other, newer]);
    let total = open(&fixture).total().unwrap();
    let size: u64 = rows(&fixture).iter().map(|row| row.size).sum();
    assert_eq!(total, Weight { entries: 2, bytes: size });
}

#[test]
fn a_record_that_comes_before_its_manifest_is_made_good_when_that_comes() {
    let fixture = Fixture::new();
    let other = Fixture::new();
    let id = other.record(1, &["a"], 5);
    let journal = std::fs::read(other.store.journal.path()).unwrap();
    std::fs::write(fixture.store.journal.path(), journal).unwrap();
    assert_eq!(outcomes(&fixture), []);
    let to = fixture.store.manifest_path(&key(1));
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::rename(other.store.manifest_path(&key(1)), to).unwrap();
    assert_eq!(outcomes(&fixture), [id]);
}

#[test]
fn an_entry_without_a_record_is_found() {
    let fixture = Fixture::new();
    assert_eq!(outcomes(&fixture), []);
    let id = fixture.record(1, &["a"], 5);
    std::fs::remove_file(fixture.store.journal.path()).unwrap();
    assert_eq!(outcomes(&fixture), [id]);
}

#[test]
fn an_entry_is_listed_only_while_all_its_files_are_there() {
    let fixture = Fixture::new();
    let old = fixture.record(1, &["a"], 1);
    let new = fixture.record_with_blob(1, &["a"], 2, "content");
    let inline = fixture.record(2, &["b"], 3);
    assert_eq!(outcomes(&fixture), [inline, new, old]);
    let store = &fixture.store;
    let full = open(&fixture).total().unwrap();

    let blob = store.blobs.path(&Digest::of(b"content"));
    let bytes = std::fs::read(&blob).unwrap();
    std::fs::remove_file(&blob).unwrap();
    assert_eq!(outcomes(&fixture), [inline, old]);
    assert_eq!(open(&fixture).total().unwrap().bytes, full.bytes - 7);
    std::fs::write(&blob, bytes).unwrap();
    assert_eq!(outcomes(&fixture), [inline, new, old]);
    assert_eq!(open(&fixture).total().unwrap(), full);

    std::fs::remove_dir_all(store.path().join("outcomes")).unwrap();
    assert_eq!(outcomes(&fixture), [inline, new]);
    std::fs::write(store.manifest_path(&key(2)), "garbage").unwrap();
    assert_eq!(outcomes(&fixture), [new]);
    std::fs::remove_dir_all(store.path().join("manifests")).unwrap();
    assert_eq!(outcomes(&fixture), []);
}

#[test]
fn reading_changes_neither_use_nor_order() {
    let fixture = Fixture::new();
    fixture.record(1, &["a"], 1);
    fixture.record(2, &["b"], 2);
    let before = rows(&fixture);
    let journal = fixture.store.journal.path().exists();
    for _ in 0..3 {
        assert_eq!(rows(&fixture), before);
    }
    assert_eq!(fixture.store.journal.path().exists(), journal);
}

#[test]
fn an_opening_that_finds_nothing_new_writes_nothing() {
    let fixture = Fixture::new();
    fixture.record(1, &["a"], 1);
    // Long after the last change, so that the directories are trusted.
    let later = Timestamp(i64::MAX);
    Index::open(&fixture.store, later).unwrap();
    let before = crate::action::identity::Identity::of(&path(&fixture.store)).unwrap();
    assert_eq!(Index::open(&fixture.store, later).unwrap().rows().unwrap().len(), 1);
    assert_eq!(crate::action::identity::Identity::of(&path(&fixture.store)).unwrap(), before);
}

#[test]
fn names_are_found_by_their_beginning() {
    let fixture = Fixture::new();
    let a = fixture.record(1, &["a"], 1);
    let b = fixture.record(1, &["a"], 2);
    let c = fixture.record(2, &["c"], 3);
    let mut index = open(&fixture);
    let mut found = |prefix: &str| match index.find(prefix).unwrap() {
        Named::Entries(rows) => rows.iter().map(|row| row.outcome).collect(),
        Named::Nothing => Vec::new(),
        Named::Ambiguous(_) => panic!("{prefix} is ambiguous"),
    };
    assert_eq!(found(&a.to_string()[..8]), [a]);
    assert_eq!(found(&b.to_string().to_uppercase()), [b]);
    assert_eq!(found("020202"), [c]);
    let mut both = [a, b];
    both.sort();
    assert_eq!(found(&key(1).to_string()), both);
    for nothing in ["", "020", "0202zz", "0303", &format!("{a}0"), "\u{fc}\u{fc}"] {
        assert_eq!(index.find(nothing).unwrap(), Named::Nothing, "{nothing}");
    }
}

#[test]
fn a_beginning_of_several_names_is_ambiguous() {
    let fixture = Fixture::new();
    fixture.record(1, &["a"], 1);
    let mut other = key(1);
    let mut bytes = *other.as_bytes();
    bytes[31] = 2;
    other = ActionKey::from_bytes(bytes);
    let commit = crate::store::Commit {
        outcome: outcome(&["b"], 2),
        observations: Vec::new(),
        undeclared: false,
        transcript: None,
    };
    fixture.store.commit(&other, commit, None, 0, NOW).unwrap();
    let mut index = open(&fixture);
    assert!(matches!(index.find("0101").unwrap(), Named::Ambiguous(rows) if rows.len() == 2));
    assert!(matches!(index.find(&other.to_string()).unwrap(), Named::Entries(rows) if rows.len() == 1));
}
