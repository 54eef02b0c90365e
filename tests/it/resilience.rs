//! Cases of mise's tests of its task cache (resilience, concurrency) and of ccache's (cleanup, readonly), as
//! they concern memo. The names are theirs where they have one.

use std::fs;

use crate::check::world;
use crate::sandbox::{EARLY, Sandbox};

/// A command whose stdout and output file say the same, which is another thing each time.
const PAIR: &str = "sh -c 'echo $$ | tee out'";

#[test]
fn eight_concurrent_writers_leave_one_consistent_pair() {
    // mise: test_task_artifact_cache_concurrency
    let sandbox = Sandbox::new();
    sandbox.ok(&format!(
        "for i in 1 2 3 4 5 6 7 8; do mkdir $i; (cd $i; memo --refresh --no-cwd -n -o out {PAIR}) & done; wait"
    ));
    let hit = sandbox.run(format!("memo -v --no-cwd -n -o out {PAIR}"));
    assert!(hit.is_hit(), "{}", hit.stderr);
    assert_eq!(sandbox.read("out"), hit.stdout);
    for number in 1..=8 {
        let own = sandbox.read(format!("{number}/out"));
        assert!(own.trim().parse::<u32>().is_ok(), "{own:?}");
    }
    assert_eq!(fs::read_dir(sandbox.store().join("tmp")).unwrap().count(), 0);
}

#[test]
fn eight_concurrent_readers_restore_the_same_outputs() {
    let sandbox = world(EARLY);
    let line = "memo -o a -o b sh -c './bump x; puppet fill 200000 >a; puppet fill 70000 >b'";
    sandbox.ok(&format!("{line} && cp a a.first && cp b b.first && rm a b"));
    sandbox.ok(&format!("for i in 1 2 3 4 5 6 7 8; do {line} & done; wait; cmp a a.first && cmp b b.first"));
    assert_eq!(sandbox.runs(), 1);
    let names: Vec<_> =
        fs::read_dir(sandbox.path("")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.as_encoded_bytes().starts_with(b".")), "{names:?}");
}

#[test]
fn trailing_bytes_are_a_mismatch() {
    // mise: trailing bytes on archive
    let sandbox = world(EARLY);
    let line = "memo -v -o out sh -c './bump x; puppet fill 50000 >out; puppet fill 50000'";
    sandbox.ok(line);
    sandbox.ok("rm out; for f in $(find $MEMO_DIR/blobs -type f); do chmod u+w $f; printf x >>$f; done");
    let ran = sandbox.run(line);
    assert_eq!(
        (ran.code, ran.missed().map(|why| why.starts_with("damaged"))),
        (0, Some(true)),
        "{}",
        ran.stderr
    );
    assert_eq!((sandbox.runs(), sandbox.read("out").len()), (2, 50_000));
    assert!(sandbox.run(line).is_hit(), "what was damaged has been stored anew");
}

#[test]
fn files_of_the_file_system_are_not_deleted() {
    // ccache cleanup.bash: "No cleanup of .nfs* files"
    let sandbox = world(EARLY);
    sandbox.ok("memo puppet fill 50000 >/dev/null");
    let blob = sandbox.ok("find $MEMO_DIR/blobs -type f | head -1");
    let shard = blob.trim().rsplit_once('/').unwrap().0;
    sandbox.ok(&format!("touch -d 2001-01-01 {shard}/.nfs0123456789"));
    sandbox.ok("MEMO_TEST_NOW=4102444800 memo gc --max-size 1");
    assert_eq!(sandbox.ok(&format!("ls -A {shard}")), ".nfs0123456789\n");
}

#[test]
fn a_cleanup_within_the_limit_removes_nothing() {
    // ccache cleanup.bash: "Forced cache cleanup, no limits"
    let sandbox = world(EARLY);
    for name in ["a", "b", "c"] {
        sandbox.ok(&format!("memo ./bump {name}"));
    }
    assert_eq!(sandbox.ok("memo gc --max-size 1G"), "nothing to remove\n");
    assert_eq!(sandbox.manifests(), 3);
}

#[test]
fn the_store_is_cleaned_up_when_a_result_is_stored_and_not_when_one_is_found() {
    // ccache cleanup.bash: "Automatic cache cleanup"
    let mut sandbox = world(EARLY);
    sandbox.set("MEMO_MAX_SIZE", "1G");
    for name in ["a", "b", "c", "d"] {
        sandbox.ok(&format!("memo ./bump {name}"));
    }
    sandbox.set("MEMO_MAX_SIZE", "9K");
    sandbox.ok("memo ./bump d");
    assert_eq!(sandbox.manifests(), 4, "a hit");
    // Later, for among equally old ones the key decides which goes.
    sandbox.ok("MEMO_TEST_NOW=50000 MEMO_FAULT=gc.time=unlimited memo ./bump e");
    assert!(sandbox.manifests() <= 2, "{}", sandbox.manifests());
    assert!(sandbox.run("MEMO_TEST_NOW=50000 memo -v ./bump e").is_hit(), "what was stored last stays");
}

#[test]
fn a_read_only_cache_still_hits_and_takes_no_results() {
    // ccache readonly.bash
    let sandbox = world(EARLY);
    sandbox.ok("memo ./bump a");
    assert!(sandbox.run("MEMO_MODE=read-only memo -v ./bump a").is_hit());
    for run in 2..4 {
        assert_eq!(sandbox.ok("MEMO_MODE=read-only memo ./bump b"), format!("b #{run}\n"));
    }
    assert_eq!(sandbox.manifests(), 1);
}
