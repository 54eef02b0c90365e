use super::*;
use crate::store::fixture::{Fixture, NOW, at, key, outcome};
use crate::store::lease::Taken;

/// A limit that nothing reaches.
const ROOM: Limits = Limits { most: u64::MAX, target: u64::MAX };

fn keys(fixture: &Fixture) -> Vec<ActionKey> {
    let mut keys: Vec<_> =
        Index::open(&fixture.store, NOW).unwrap().rows().unwrap().iter().map(|row| row.key).collect();
    keys.sort_unstable();
    keys
}

fn disk(fixture: &Fixture) -> u64 {
    Index::open(&fixture.store, NOW).unwrap().disk().unwrap()
}

/// Runs gc after it has foretold what it will do.
#[track_caller]
fn gc(fixture: &Fixture, limits: Limits) -> Went {
    let foretold = foretell(&fixture.store, NOW, limits).unwrap();
    let went = run(&fixture.store, NOW, limits).unwrap();
    assert_eq!(went, foretold);
    assert_eq!(run(&fixture.store, NOW, limits).unwrap(), Went::default(), "once is enough");
    went
}

/// What the files of a directory of the store take on disk.
fn of_files(fixture: &Fixture, directory: &str) -> (u64, u64) {
    let mut sum = (0, 0);
    for entry in walkdir::WalkDir::new(fixture.store.path().join(directory)) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() && entry.file_name() != ".lock" {
            sum.0 += 1;
            sum.1 += crate::store::blocks_on_disk(&entry.metadata().unwrap());
        }
    }
    sum
}

/// Sets the modification time of a file of the store, in s after 1970.
fn modified_at(fixture: &Fixture, path: &str, seconds: u64) {
    let time = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
    let times = std::fs::FileTimes::new().set_modified(time);
    File::options().write(true).open(fixture.store.path().join(path)).unwrap().set_times(times).unwrap();
}

/// Seconds at which a file is young, and at which it is old; tests run at 5000.
const LATE: Timestamp = at(5000);

#[test]
fn the_disk_is_counted_exactly() {
    let fixture = Fixture::new();
    for number in 0..4 {
        fixture.record_with_blob(1, &["a"], number, &"x".repeat(10_000 * number as usize));
        fixture.record_with_blob(2, &["b"], number, "shared");
    }
    let files =
        || ["manifests", "outcomes", "blobs"].map(|tree| of_files(&fixture, tree).1).iter().sum::<u64>();
    assert_eq!(disk(&fixture), files());
    let row = Index::open(&fixture.store, NOW).unwrap().rows().unwrap().pop().unwrap();
    clear::some(&fixture.store, &[(row.key, row.outcome)], NOW).unwrap();
    assert_eq!(disk(&fixture), files());
    let blobs = fixture.store.path().join("blobs");
    std::fs::remove_dir_all(&blobs).unwrap();
    std::fs::create_dir(&blobs).unwrap();
    assert_eq!(disk(&fixture), files());
    clear::all(&fixture.store, NOW).unwrap();
    assert_eq!(disk(&fixture), 0);
}

#[test]
fn the_least_recently_used_goes_and_the_rest_stays_whole() {
    let fixture = Fixture::new();
    let large = "x".repeat(100_000);
    let ids: Vec<_> =
        (1..=10).map(|i| fixture.record_with_blob(i, &["a"], i.into(), &format!("{i}{large}"))).collect();
    fixture.hit(1, ids[0], 900);
    let total = disk(&fixture);
    assert_eq!(gc(&fixture, Limits::new(total)), Went::default());
    let went = gc(&fixture, Limits::new(total - 1));
    assert_eq!((went.entries, went.files), (1, 0));
    assert_eq!(went.bytes, total / 10);
    assert_eq!(keys(&fixture), [1, 3, 4, 5, 6, 7, 8, 9, 10].map(key));
    assert_eq!(disk(&fixture), total - went.bytes);
    assert_eq!(of_files(&fixture, "blobs").0, 9);
    assert_eq!(gc(&fixture, Limits::new(0)).entries, 9);
    assert_eq!(disk(&fixture), 0);
}

#[test]
fn outcomes_of_one_key_go_one_by_one() {
    let fixture = Fixture::new();
    let ids: Vec<_> = (1..=5).map(|i| fixture.record(1, &["a"], i)).collect();
    fixture.hit(1, ids[0], 900);
    let total = disk(&fixture);
    let went = gc(&fixture, Limits { most: total - 1, target: total - 1 });
    assert_eq!(went.entries, 1);
    let rows = Index::open(&fixture.store, NOW).unwrap().rows().unwrap();
    assert!(rows.iter().all(|row| row.outcome != ids[1]), "the second was used the longest ago");
    assert_eq!(of_files(&fixture, "outcomes").0, 3);
}

#[test]
fn what_expired_goes_first() {
    let fixture = Fixture::new();
    fixture.record(1, &["a"], 1);
    let ttl = Some(Duration::from_secs(10));
    fixture.commit(2, crate::store::outcome::Outcome { ttl, ..outcome(&["b"], 900) }, "");
    let total = disk(&fixture);
    assert_eq!(gc(&fixture, Limits { most: total - 1, target: total - 1 }).entries, 1);
    assert_eq!(keys(&fixture), [key(1)]);
}

#[test]
fn a_manifest_without_entries_goes_too() {
    let fixture = Fixture::new();
    fixture.store.learn(&key(1), 0, |stdin| stdin.reads_all = Some(Duration::ZERO)).unwrap();
    fixture.record(2, &["a"], 1);
    fixture.store.learn(&key(2), 0, |stdin| stdin.reads_all = Some(Duration::ZERO)).unwrap();
    assert_eq!(gc(&fixture, ROOM), Went::default());
    let went = gc(&fixture, Limits { most: 1, target: 0 });
    assert_eq!((went.entries, went.files), (1, 1));
    assert_eq!(keys(&fixture), []);
    assert_eq!(of_files(&fixture, "manifests"), (0, 0), "what was known of stdin went with the last entry");
}

#[test]
fn files_without_an_entry_stay_for_an_hour() {
    let fixture = Fixture::new();
    fixture.record_with_blob(1, &["a"], 1, "wanted");
    let blob = fixture.store.blobs.put_bytes(b"unwanted").unwrap();
    let blob = format!("blobs/{}/{blob}", &blob.to_string()[..2]);
    let outcome = format!("outcomes/ab/{}", "ab".repeat(32));
    let none = "tmp/blob-999999999-7".to_owned();
    let mine = format!("tmp/spool-{}-999", std::process::id());
    std::fs::create_dir_all(fixture.store.path().join("outcomes/ab")).unwrap();
    std::fs::set_permissions(
        fixture.store.path().join(&blob),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    for path in [&outcome, &none, &mine] {
        std::fs::write(fixture.store.path().join(path), "x").unwrap();
    }
    let all = [&blob, &outcome, &none, &mine];
    let gone = |now: i64| {
        let foretold = foretell(&fixture.store, at(now), ROOM).unwrap();
        let went = run(&fixture.store, at(now), ROOM).unwrap();
        assert_eq!(went, foretold);
        let there: Vec<_> = all.iter().map(|path| fixture.store.path().join(path).exists()).collect();
        (went.files, there)
    };
    for path in all {
        modified_at(&fixture, path, 1000);
    }
    assert_eq!(gone(1000 + 3599), (0, vec![true; 4]));
    assert_eq!(gone(1000 + 3600), (3, vec![false, false, false, true]), "its maker is there");
    assert_eq!(gone(1000 + 86400), (1, vec![false; 4]));
    assert_eq!(keys(&fixture), [key(1)]);
}

#[test]
fn a_blob_that_lost_its_entry_stays_for_an_hour_unless_there_is_no_room() {
    let replaced = |now: Timestamp, limits| {
        let fixture = Fixture::new();
        for (seconds, text) in [(1, "old"), (2, "new")] {
            let digest = fixture.store.blobs.put_bytes(text.as_bytes()).unwrap();
            let transcript = crate::store::outcome::Transcript::Blob { digest, length: 3 };
            fixture.commit(
                1,
                crate::store::outcome::Outcome { transcript, ..outcome(&["a"], seconds) },
                "same",
            );
            // The index sees both.
            disk(&fixture);
        }
        for entry in walkdir::WalkDir::new(fixture.store.path().join("blobs")) {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                std::fs::set_permissions(entry.path(), std::os::unix::fs::PermissionsExt::from_mode(0o600))
                    .unwrap();
                let path = entry.path().strip_prefix(fixture.store.path()).unwrap().to_str().unwrap();
                modified_at(&fixture, path, 4000);
            }
        }
        let went = run(&fixture.store, now, limits).unwrap();
        (went.entries, went.files)
    };
    assert_eq!(replaced(LATE, ROOM), (0, 0));
    assert_eq!(replaced(at(7600), ROOM), (0, 1));
    assert_eq!(replaced(LATE, Limits { most: 8192, target: 8192 }), (0, 1));
}

#[test]
fn a_lease_that_nobody_holds_goes_and_one_that_is_held_stays() {
    let fixture = Fixture::new();
    let Ok(Taken::Ours(lease)) = fixture.store.lease(&key(1)) else { panic!() };
    std::fs::write(fixture.store.lease_path(&key(2)), "killed").unwrap();
    assert_eq!(gc(&fixture, ROOM).files, 1);
    assert!(lease.is_current());
    assert!(!fixture.store.lease_path(&key(2)).exists());
}

#[test]
fn a_run_looks_after_the_store_only_when_that_is_due() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let index = store.path().join("index.db");
    fixture.record(1, &["a"], 1);
    after_commit(store, NOW, Limits::new(1 << 20), None);
    assert!(!index.exists(), "there is room");
    let amount = store.journal.added(LONG).unwrap();
    assert!(is_due(store, Limits::new(amount - 1)));
    assert!(!is_due(store, Limits::new(amount)));
    for second in 0..1024 {
        fixture.hit(1, OutcomeId(Digest::of(b"")), second);
    }
    assert!(is_due(store, ROOM));
    after_commit(store, NOW, Limits::new(1 << 20), None);
    assert!(index.exists());
    let total = disk(&fixture);
    assert_eq!(Usage::read(store), Some(Usage { total, finished: true }));
    assert!(!is_due(store, Limits::new(total)));
    assert!(is_due(store, Limits::new(total - 1)), "the limit is another now");
}

#[test]
fn a_run_removes_what_is_too_much_piece_by_piece() {
    let fixture = Fixture::new();
    let large = "x".repeat(10_000);
    for i in 0..200 {
        fixture.record_with_blob(i, &["a"], i.into(), &format!("{i}{large}"));
    }
    let total = disk(&fixture);
    let limits = Limits::new(total / 2);
    let steps = std::cell::Cell::new(0);
    // Time for one batch at a time.
    let some = |most| {
        steps.set(0);
        a_little(&fixture.store, NOW, limits, None, &|_| {
            steps.set(steps.get() + 1);
            steps.get() <= most
        })
        .unwrap()
    };
    let mut before = 200;
    for _ in 0..2 {
        some(2);
        let left = keys(&fixture).len();
        assert_eq!(left, (before - 16).max(90));
        before = left;
    }
    assert!(some(100));
    let left = keys(&fixture);
    assert!(left.iter().eq(&(0..200).map(key).collect::<Vec<_>>()[200 - left.len()..]), "the newest stay");
    assert!((80..=90).contains(&left.len()));
    assert!(disk(&fixture) <= limits.most);
    let foretold = foretell(&fixture.store, NOW, limits).unwrap();
    assert_eq!(foretold, Went::default());
}

#[test]
fn a_journal_is_folded_piece_by_piece() {
    let fixture = Fixture::new();
    let id = fixture.record(1, &["a"], 1);
    for second in 0..200 {
        fixture.hit(1, id, second);
    }
    let mut pieces = 0;
    while !a_little(&fixture.store, NOW, ROOM, None, &{
        let steps = std::cell::Cell::new(0);
        move |_| {
            steps.set(steps.get() + 1);
            steps.get() <= 3
        }
    })
    .unwrap()
    {
        assert!(!Usage::read(&fixture.store).unwrap().finished);
        assert!(is_due(&fixture.store, ROOM));
        pieces += 1;
        assert!(pieces < 20);
    }
    assert!(pieces > 1);
    assert!(Usage::read(&fixture.store).unwrap().finished);
    let hits = Index::open(&fixture.store, NOW).unwrap().rows().unwrap()[0].hits;
    assert_eq!(hits, 200);
}

#[test]
fn a_directory_is_taken_in_piece_by_piece() {
    let fixture = Fixture::new();
    for number in 0..100 {
        let mut name = [7; 32];
        name[31] = number;
        let outcome = outcome(&["a"], number.into());
        let commit =
            crate::store::Commit { outcome, observations: Vec::new(), transcript: None, undeclared: false };
        fixture.store.commit(&ActionKey::from_bytes(name), commit, None, 0, NOW).unwrap();
    }
    let mut pieces = 0;
    let entries = || {
        let mut index = Index::open_as_it_is(&fixture.store, NOW).unwrap();
        (index.is_whole().unwrap(), index.total().unwrap().entries)
    };
    while !entries().0 {
        let asked = std::cell::Cell::new(0);
        // Time to begin, but not for more than what is done between two looks at the clock.
        let left = |_| asked.replace(asked.get() + 1) == 0;
        a_little(&fixture.store, NOW, ROOM, None, &left).unwrap();
        pieces += 1;
        assert!(pieces < 20, "{:?}", entries());
        assert!(entries().1 >= (32 * pieces).min(100), "{:?}", entries());
    }
    assert!(pieces > 3);
    assert_eq!(entries(), (true, 100));
}

#[test]
fn one_that_finds_another_at_work_leaves_it_to_that() {
    let fixture = Fixture::new();
    fixture.record(1, &["a"], 1);
    let other = lock_file(&fixture.store).unwrap();
    other.lock().unwrap();
    assert!(!a_little(&fixture.store, NOW, Limits::new(0), None, &|_| true).unwrap());
    assert_eq!(keys(&fixture), [key(1)]);
}

#[test]
fn where_no_store_is_none_is_made() {
    let mut fixture = Fixture::new();
    let path = fixture.store.path().join("nowhere");
    fixture.store = Store::open(&path, crate::sys::process::user(), None).unwrap();
    assert_eq!(gc(&fixture, Limits::new(0)), Went::default());
    assert!(!path.exists());
}

#[test]
#[ignore = "a measurement: cargo test --release --lib measure_gc -- --ignored --nocapture"]
fn measure_gc() {
    use crate::action::observation::Observation;
    let mut fixture = Fixture::new();
    const ENTRIES: u32 = 100_000;
    let commit = |fixture: &Fixture, number: u32| {
        let key = ActionKey::from_bytes(*Digest::of(&number.to_le_bytes()).as_bytes());
        let outcome = outcome(&["printf", &number.to_string()], 100 + i64::from(number) / 1000);
        let commit = crate::store::Commit {
            outcome,
            observations: Vec::<Observation>::new(),
            undeclared: false,
            transcript: None,
        };
        fixture.store.commit(&key, commit, None, 0, NOW).unwrap();
    };
    let begun = Instant::now();
    for number in 0..ENTRIES {
        commit(&fixture, number);
    }
    println!("{ENTRIES} commits: {:?}", begun.elapsed());
    let mut times = Vec::new();
    let measure = |fixture: &mut Fixture, what: &str, limits: Limits, times: &mut Vec<Duration>| {
        let begun = Instant::now();
        let due = is_due(&fixture.store, limits);
        let asked = begun.elapsed();
        after_commit(&fixture.store, NOW, limits, None);
        times.push(begun.elapsed());
        println!("{what}: due {due} ({asked:?}), {:?}, {:?}", begun.elapsed(), Usage::read(&fixture.store));
        Usage::read(&fixture.store).is_some_and(|usage| usage.finished)
    };
    let mut steps = 0;
    while !measure(&mut fixture, "building the index", ROOM, &mut times) {
        steps += 1;
        assert!(steps < 10_000);
    }
    let begun = Instant::now();
    let total = Index::open(&fixture.store, NOW).unwrap().disk().unwrap();
    println!("full opening: {:?}; {total} bytes", begun.elapsed());
    times.clear();
    for round in 0..20 {
        commit(&fixture, ENTRIES + round);
        measure(&mut fixture, "one commit, room", ROOM, &mut times);
    }
    for round in 0..20 {
        commit(&fixture, ENTRIES + 1000 + round);
        measure(&mut fixture, "one commit, over the limit", Limits::new(total), &mut times);
    }
    times.sort();
    println!("median {:?}, longest {:?}", times[times.len() / 2], times.last().unwrap());
    let begun = Instant::now();
    println!("all: {:?} in {:?}", run(&fixture.store, NOW, Limits::new(total / 2)).unwrap(), begun.elapsed());
}

#[test]
fn who_waits_for_commits_keeps_nobody_from_the_index() {
    // A `clear` that has `generation` waits for the index: both would wait until their patience is over.
    let fixture = Fixture::new();
    fixture.record(1, &["a"], 1);
    let committing = Generation::shared(&fixture.store, 0, Duration::from_secs(60)).unwrap();
    let store = fixture.store.clone();
    let gc = std::thread::spawn(move || run(&store, NOW, ROOM));
    while Generation::try_shared(&fixture.store).unwrap().is_some() {
        assert!(!gc.is_finished(), "it does not wait for commits");
    }
    let mut index = Index::open_as_it_is(&fixture.store, NOW).unwrap();
    index.begin().unwrap();
    index.finish().unwrap();
    drop(committing);
    gc.join().unwrap().unwrap();
}
