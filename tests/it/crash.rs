//! The crash matrix: memo killed at each step of each thing it does.
//!
//! After it: the next call gives the right answer without waiting for anybody, the one after that is a
//! hit, `ls` and `clear` work, and the user's files are the old ones or the new ones, whole, with nothing
//! beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::crowd::Caller;
use crate::sandbox::{LATE, Sandbox};
use crate::tidy;

/// What is being done when memo is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// The first run in a store that is still to be made.
    First,
    /// A run whose outcome displaces another; its transcript is long, and it leaves two files.
    Record,
    /// A run that is fed by a pipe.
    Piped,
    /// A run that fails.
    Fail,
    /// A hit that puts one file over another and makes one anew.
    Replay,
    /// `memo ls`, which folds the journal.
    List,
    /// `memo clear`.
    Clear,
    /// `memo clear PATTERN`.
    ClearSome,
    /// `memo gc`.
    Collect,
    /// A run that finds the store over its limit.
    RecordFull,
    /// `memo doctor --fix` of a store with a damaged blob and without a directory.
    Mend,
    /// A hit that turns a directory into the one of another outcome.
    ReplayTree,
    /// A hit that fails on its last file and takes back what it did; then the command runs.
    Rollback,
    /// A hit that has to hash a large file, and keeps what it learned.
    Renew,
}

use Doing::{
    Clear, ClearSome, Collect, Fail, First, List, Mend, Piped, Record, RecordFull, Renew, Replay, ReplayTree,
    Rollback,
};

/// Every fault point there is, and what comes past it.
const MATRIX: &[(&str, &[Doing])] = &[
    ("lookup", &[First, Replay]),
    ("prepare.directories", &[First]),
    ("prepare.file", &[First]),
    ("prepare.secret", &[First]),
    ("lease.locked", &[First, Record]),
    ("lease.taken", &[First, Fail]),
    // Killed while it waits: tests/it/race.rs.
    ("wait.tick", &[]),
    // On a terminal, where nothing is changed: tests/it/progress.rs.
    ("progress.drawn", &[]),
    ("lease.verdict", &[First, Record, Fail]),
    ("lease.transcript", &[Fail]),
    ("lease.concluded", &[Record, Fail]),
    ("lease.removed", &[Record, Piped, Fail]),
    ("miss.observed", &[Record, Piped]),
    ("miss.ran", &[First, Record, Piped, Fail]),
    ("miss.late", &[Piped]),
    ("miss.outputs", &[Record, Piped]),
    ("blobs.adopt", &[First, Record]),
    ("blobs.place", &[Record]),
    ("commit.blobs", &[First, Record]),
    ("commit.displaced", &[Record]),
    ("commit.outcome", &[Record]),
    ("commit.journal", &[First, Record, Piped]),
    ("commit.manifest", &[First, Record, Piped]),
    ("commit.done", &[First, Record, Piped]),
    ("journal.locked", &[Record, Replay, Fail]),
    ("learn", &[Piped]),
    ("staging.noted", &[Replay, ReplayTree]),
    ("staging.made", &[Replay, ReplayTree]),
    ("replay.staged", &[Replay, ReplayTree]),
    ("replay.begun", &[Replay, ReplayTree]),
    ("replay.named", &[Replay, ReplayTree]),
    ("replay.swapped", &[Replay, ReplayTree]),
    ("replay.failed", &[Rollback]),
    ("replay.taken-back", &[Rollback]),
    ("restores.swept", &[Collect]),
    ("replay.streams", &[Replay]),
    ("replay.done", &[Replay]),
    ("fold.renamed", &[List, Clear, ClearSome]),
    ("fold.applied", &[List, ClearSome]),
    ("fold.removed", &[List, ClearSome]),
    ("journal.rename", &[List, ClearSome]),
    ("clear.generation", &[Clear]),
    ("clear.manifests", &[Clear, ClearSome]),
    ("clear.leases", &[Clear, ClearSome]),
    ("clear.blobs", &[Clear, ClearSome]),
    ("clear.journal", &[Clear]),
    ("generation.turn", &[First, Record, Piped, Clear, ClearSome, Collect, RecordFull, Mend]),
    ("gc.locked", &[Collect, RecordFull]),
    ("gc.folded", &[RecordFull]),
    ("gc.manifests", &[Collect, RecordFull]),
    ("gc.blobs", &[Collect, RecordFull]),
    ("gc.index", &[Collect, RecordFull]),
    ("gc.swept", &[Collect, RecordFull]),
    ("gc.usage", &[Collect, RecordFull]),
    ("doctor.looked", &[Mend]),
    ("doctor.made", &[Mend]),
    ("doctor.quarantined", &[Mend]),
    ("doctor.dropped", &[Mend]),
    ("doctor.index", &[Mend]),
    ("renew.locked", &[Renew]),
    ("renew.written", &[Renew]),
    ("digests.written", &[Renew]),
    // What runs behind is killed in `ageing`.
    ("refresh.leased", &[]),
    ("refresh.slot", &[]),
    ("refresh.forked", &[]),
    ("lease.handed", &[]),
    ("refresh.begun", &[]),
    ("refresh.failed", &[]),
    ("refresh.done", &[]),
];

const RUN: &str = "#!/bin/sh\necho . >>$RUNS\ncat in\npuppet fill 40000\ncat in >a\ncat in >b\n";
/// Somebody makes `c` after it was seen that it is not there.
const INTERFERED: &str = "#!/bin/sh
if [ ! -e ../interfered ]; then
    mkfifo ../fifo
    { cat ../fifo >/dev/null; touch ../interfered; echo other >c; echo >../fifo; } >/dev/null 2>&1 &
    export MEMO_FAULT=$MEMO_FAULT,replay.begun=stop:../fifo
fi
exec memo -i in -o a -o b -o c ./run3
";
const TREE: &str = "#!/bin/sh\necho . >>$RUNS\nw=$(cat in)\nrm -rf t\nmkdir -p t/$w/e\necho $w >t/f\necho $w >t/$w/x\necho $w\n";
const CALL: &str = "memo -i in -o a -o b ./run";
const FULL: &str = "export MEMO_MAX_SIZE=8K MEMO_MAX_ENTRY=1M; memo -i in -o a -o b ./run";

/// Returns a sandbox in which this can be done, and its line.
fn prepared(doing: Doing) -> (Sandbox, &'static str) {
    let sandbox = if doing == Renew { Sandbox::at(LATE) } else { Sandbox::new() };
    sandbox.script("run", RUN);
    sandbox.script("small", "#!/bin/sh\necho . >>$RUNS\ncat in\n[ ! -e fail ] || exit 3\n");
    sandbox.script("eater", "#!/bin/sh\necho . >>$RUNS\ncat\n");
    sandbox.script("run3", &RUN.replace("cat in >b", "cat in >b; cat in >c"));
    sandbox.script("interfered", INTERFERED);
    sandbox.script("tree", TREE);
    sandbox.write("in", "old\n");
    if doing != First {
        sandbox.ok(CALL);
        sandbox.ok("memo -i in ./small");
    }
    sandbox.write("in", "new\n");
    let line = match doing {
        First | Record => CALL,
        RecordFull => {
            sandbox.ok("memo ls");
            FULL
        }
        Piped => "echo piped | memo ./eater",
        Fail => {
            sandbox.write("fail", "");
            "memo -i in ./small"
        }
        Replay => {
            sandbox.ok(CALL);
            sandbox.write("a", "other\n");
            fs::remove_file(sandbox.path("b")).unwrap();
            CALL
        }
        ReplayTree => {
            sandbox.ok("memo -i in -o t ./tree");
            sandbox.write("in", "old\n");
            sandbox.ok("memo -i in -o t ./tree");
            sandbox.write("in", "new\n");
            "memo -i in -o t ./tree"
        }
        Rollback => {
            sandbox.ok("memo -i in -o a -o b -o c ./run3");
            sandbox.write("a", "other\n");
            sandbox.ok("rm b c");
            "./interfered"
        }
        Renew => {
            sandbox.write("large", vec![b'x'; 17 << 20]);
            sandbox.ok("memo --no-exe wc -c large");
            sandbox.ok("cp -p large new && mv new large");
            "memo --no-exe wc -c large"
        }
        Mend => {
            sandbox.ok(CALL);
            let shard = fs::read_dir(sandbox.store().join("blobs")).unwrap().next().unwrap().unwrap().path();
            let blob = fs::read_dir(shard).unwrap().next().unwrap().unwrap().path();
            fs::remove_file(&blob).unwrap();
            fs::write(blob, "damaged").unwrap();
            fs::remove_dir(sandbox.store().join("leases")).unwrap();
            "memo doctor --fix"
        }
        List | Clear | ClearSome | Collect => {
            sandbox.ok(CALL);
            sandbox.ok(CALL);
            if doing == Collect {
                sandbox.write("a", "other\n");
                let killed = sandbox.run(format!("export MEMO_FAULT=replay.named=kill; {CALL}"));
                assert_eq!(killed.code, 128 + 9);
                assert!(names(&sandbox.path("")).iter().any(|name| name.starts_with(".memo-")));
            }
            match doing {
                List => "memo ls",
                Clear => "memo clear --yes",
                Collect => "memo gc --max-size 1K",
                _ => "memo clear --yes '*./run*'",
            }
        }
    };
    (sandbox, line)
}

/// What the line prints, and how it ends, when nobody is killed.
fn expected(doing: Doing) -> (i32, String) {
    let (sandbox, line) = prepared(doing);
    let ran = sandbox.run(line);
    (ran.code, ran.stdout)
}

fn names(directory: &Path) -> BTreeSet<String> {
    fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

fn killed_at(point: &str, doing: Doing, (code, stdout): &(i32, String)) {
    let place = format!("{doing:?} killed at {point}");
    let (sandbox, line) = prepared(doing);
    let before = names(&sandbox.path(""));
    let fault = format!("export MEMO_FAULT={point}=kill,gc.time=unlimited; {line}; exit $?");
    let killed = sandbox.run(format!("{{ {fault}; }} 2>/dev/null"));
    assert_eq!(killed.code, 128 + 9, "{place}: it does not come there: {}", killed.stderr);

    let known = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
    let left: Vec<_> = names(&sandbox.path("")).difference(&before).cloned().collect();
    // What is staged with a name is noted, and goes with the next restore or gc.
    let staged = |name: &str| matches!(doing, Replay | ReplayTree | Rollback) && name.starts_with(".memo-");
    assert!(left.iter().all(|name| known.contains(name) || staged(name)), "{place} leaves {left:?}");
    for name in known {
        // A run that was killed may have left what the command itself leaves then: an empty file.
        let text = fs::read_to_string(sandbox.path(&name)).unwrap_or_default();
        assert!(["", "old\n", "new\n", "other\n"].contains(&text.as_str()), "{place}: {name} has {text:?}");
        let torn = text.is_empty() && doing == Replay && fs::exists(sandbox.path(&name)).unwrap();
        assert!(!torn, "{place}: {name} is torn");
    }

    // Right, and at once: the deadline of `Caller` is what a stuck key meets.
    let again = Caller::start(&mut sandbox.shell(line)).end();
    let staged: Vec<_> =
        names(&sandbox.path("")).into_iter().filter(|name| name.starts_with(".memo-")).collect();
    assert!(staged.is_empty(), "{place}, then again: {staged:?} stays");
    if doing == ReplayTree {
        let tree = sandbox.ok("find t | sort | tr '\\n' ' '; cat t/f t/new/x");
        assert_eq!(tree, "t t/f t/new t/new/e t/new/x new\nnew\n", "{place}, then again");
    }
    if !matches!(doing, ClearSome | Mend) {
        // There may be nothing left that could be removed or mended.
        assert_eq!((again.status, again.stderr.as_str()), (*code, ""), "{place}, then again");
    }
    if doing == RecordFull {
        assert!(again.stdout == stdout.as_bytes(), "{place}, then again: {} bytes", again.stdout.len());
    }
    if !matches!(doing, List | Clear | ClearSome | Collect | RecordFull | Mend) {
        assert!(again.stdout == stdout.as_bytes(), "{place}, then again: {} bytes", again.stdout.len());
        let runs = sandbox.runs();
        let third = sandbox.run(line);
        assert_eq!((third.code, &third.stdout), (*code, stdout), "{place}, then twice again");
        assert_eq!(sandbox.runs(), runs + usize::from(doing == Fail), "{place}: no hit afterwards");
    }
    sandbox.ok(CALL);
    let runs = sandbox.runs();
    assert!(sandbox.ok(CALL).starts_with("new\n"));
    assert_eq!(sandbox.runs(), runs, "{place}: no hit afterwards");
    assert_eq!((sandbox.read("a"), sandbox.read("b")), ("new\n".to_owned(), "new\n".to_owned()), "{place}");

    for line in ["memo ls", "memo clear --yes", CALL] {
        let ran = sandbox.run(line);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{place}, then `{line}`");
    }
    assert_eq!(names(&sandbox.store().join("leases")), BTreeSet::new(), "{place}");
}

/// Goes through what is done there.
fn check(doing: Doing) {
    let expected = expected(doing);
    for (point, places) in MATRIX {
        if places.contains(&doing) {
            killed_at(point, doing, &expected);
        }
    }
}

#[test]
fn in_the_first_run_of_a_store() {
    check(First);
}

#[test]
fn in_a_run_that_is_recorded() {
    check(Record);
}

#[test]
fn in_a_run_that_is_fed_by_a_pipe() {
    check(Piped);
}

#[test]
fn in_a_run_that_fails() {
    check(Fail);
}

#[test]
fn in_a_hit() {
    check(Replay);
}

#[test]
fn in_a_hit_of_a_directory() {
    check(ReplayTree);
}

#[test]
fn in_a_restore_that_is_taken_back() {
    check(Rollback);
}

#[test]
fn in_a_list() {
    check(List);
}

#[test]
fn in_a_clear() {
    check(Clear);
    check(ClearSome);
}

#[test]
fn in_a_collection() {
    check(Collect);
    check(RecordFull);
}

#[test]
fn in_a_renewal() {
    check(Renew);
}

#[test]
fn in_a_repair() {
    check(Mend);
}

#[test]
fn every_fault_point_is_in_the_matrix() {
    // Those of singletons: tests/it/singleton_crash.rs.
    let mut points = tidy::fault_points();
    points.retain(|point| !point.starts_with("singleton."));
    let known: BTreeSet<String> = MATRIX.iter().map(|(point, _)| (*point).to_owned()).collect();
    let missing: Vec<_> = points.difference(&known).collect();
    let gone: Vec<_> = known.difference(&points).collect();
    assert!(missing.is_empty(), "points that MATRIX does not have: {missing:?}");
    assert!(gone.is_empty(), "points that the sources do not have: {gone:?}");
}

/// What changes a store or the user's files, and is a step only if a test can stop memo there.
const CHANGES: [&str; 11] = [
    "fs::rename(",
    ".exchange(",
    ".move_new(",
    ".make_directory(",
    "remove_file(",
    "remove_dir_all(",
    ".persist(",
    ".persist_new(",
    "write_all_at(",
    ".adopt(",
    "transaction.commit()",
];

/// Functions that change something and have no point of their own, and why.
const WITHOUT: &[(&str, &str, &str)] = &[
    ("store/temporary.rs", "persist", "its callers have"),
    (
        "store/restores.rs",
        "remove_staged",
        "`restores.swept`, and `staging.made` is what it looks like half done",
    ),
    ("store/restores.rs", "write", "`staging.noted`, `replay.begun`"),
    ("replay/outputs/swap.rs", "take_one_back", "`replay.taken-back`"),
    ("store/temporary.rs", "drop", "what it leaves when killed is what any kill leaves"),
    ("store/clear.rs", "empty", "its callers have, between one directory and the next"),
    ("store/clear.rs", "remove", "its callers have"),
    ("store/clear.rs", "remove_journals", "`journal.remove`, `clear.journal`"),
    ("store/journal.rs", "remove", "`clear.blobs` before it, `clear.journal` after it"),
    ("store/mod.rs", "make_directory", "what it takes away is none of the store's"),
    ("store/mod.rs", "remove_directory", "what it takes away is none of the store's"),
    ("store/mod.rs", "remove", "`clear.manifests`"),
    ("store/lease.rs", "drop", "`lease.removed`"),
    ("store/lease.rs", "take", "`lease.taken`"),
    ("store/lease.rs", "remove_abandoned", "`gc.swept`"),
    ("store/mod.rs", "evict", "`clear.manifests`, `gc.manifests`"),
    ("store/usage.rs", "note", "`gc.usage`"),
    ("store/doctor/fix.rs", "quarantine", "`doctor.made` before it, `doctor.quarantined` after it"),
    ("store/doctor/fix.rs", "renumber", "`doctor.looked` before it, `doctor.made` after it"),
    ("store/index/fold.rs", "directories", "what was taken in is taken in again by the next fold"),
    ("store/index/fold.rs", "remove", "`fold.applied` before it, `fold.removed` after it"),
];

#[test]
fn every_step_has_a_fault_point() {
    let mut found = Vec::new();
    for source in tidy::sources() {
        // The index is SQLite's to keep whole; what it has of its own is the fold.
        let index = source.path.starts_with("store/index/") && source.path != "store/index/fold.rs";
        if index || !(source.path.starts_with("store/") || source.path.starts_with("replay/")) {
            continue;
        }
        let mut function = (String::new(), Vec::new(), false);
        let end = (0, "fn end(".to_owned());
        for (number, line) in source.lines.iter().chain([&end]) {
            if let Some(name) = tidy::function(line) {
                let (name, changes, has_point) = std::mem::replace(&mut function, (name, Vec::new(), false));
                let known = WITHOUT.iter().any(|(path, known, _)| *path == source.path && *known == name);
                if !has_point && !known {
                    found.extend(changes);
                }
            }
            function.2 |= line.contains("fault::point(");
            if CHANGES.iter().any(|change| line.contains(change)) {
                function.1.push(format!("src/{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "steps without a fault point:\n{}", found.join("\n"));
}
