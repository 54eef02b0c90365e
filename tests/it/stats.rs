//! `memo stats`: what real calls come to.

use snapbox::{assert_data_eq, str};

use crate::check::world;
use crate::crowd::{Gate, crowd, ends, until_waiting};
use crate::sandbox::{EARLY, Sandbox};

/// Returns what `memo stats` prints, with what differs from run to run as `[..]`: times and sizes.
fn counted(sandbox: &Sandbox, options: &str) -> String {
    let text = sandbox.ok(&format!("memo stats --json {options}"));
    let mut out = String::new();
    for field in text.trim_end().split_inclusive([',', '{', '[']) {
        match field.split_once(':') {
            Some((name, value)) if name.ends_with("_seconds\"") || name.ends_with("_bytes\"") => {
                let end = value.trim_start_matches(|c: char| c.is_ascii_digit() || "-.".contains(c));
                assert_ne!(end.len(), value.len(), "{field}");
                out.push_str(&format!("{name}:N{end}"));
            }
            _ => out.push_str(field),
        }
    }
    out
}

fn number(sandbox: &Sandbox, options: &str, name: &str) -> u64 {
    let text = sandbox.ok(&format!("memo stats --json {options}"));
    let behind = text.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{name}: {text}")).1;
    behind.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

fn calls(sandbox: &Sandbox) -> [u64; 3] {
    ["calls", "hits", "misses"].map(|name| number(sandbox, "", name))
}

#[test]
fn one_miss_and_three_hits() {
    // E06
    let sandbox = world(EARLY);
    for _ in 0..4 {
        sandbox.ok("memo -g build ./bump a");
    }
    sandbox.ok("memo -g other ./bump a");
    assert_data_eq!(
        counted(&sandbox, "").replace(",\"", ",\n\""),
        str![[r#"
{"since":"1970-01-01T12:00:00Z",
"calls":5,
"hits":4,
"misses":1,
"recorded":1,
"saved_seconds":N,
"hit_seconds":N,
"run_seconds":N,
"given_bytes":N,
"stored_entries":1,
"stored_bytes":N,
"disk_bytes":N,
"missed":{"never-seen":1},
"not_recorded":{},
"groups":[{"group":"build",
"calls":4,
"hits":3,
"misses":1,
"recorded":1,
"saved_seconds":N,
"hit_seconds":N,
"run_seconds":N,
"given_bytes":N,
"stored_entries":1,
"stored_bytes":N},{"group":"other",
"calls":1,
"hits":1,
"misses":0,
"recorded":0,
"saved_seconds":N,
"hit_seconds":N,
"run_seconds":N,
"given_bytes":N,
"stored_entries":0,
"stored_bytes":N}],
"days":[{"day":"1970-01-01",
"calls":5,
"hits":4,
"misses":1,
"recorded":1,
"saved_seconds":N,
"hit_seconds":N,
"run_seconds":N,
"given_bytes":N}]}
"#]]
    );
    assert!(number(&sandbox, "", "given_bytes") > 0);
    let again = counted(&sandbox, "");
    assert_eq!(counted(&sandbox, ""), again, "looking changes nothing");
}

#[test]
fn each_way_to_miss_and_not_to_be_recorded_is_counted_once() {
    let sandbox = world(EARLY);
    sandbox.write("in", "1\n");
    let reasons = |kind: &str| {
        let text = counted(&sandbox, "");
        let behind = text.split_once(&format!("\"{kind}\":")).unwrap().1;
        behind.split_once('}').unwrap().0.to_owned() + "}"
    };
    sandbox.ok("memo ./bump in; echo 2 >in; memo ./bump in; memo --refresh ./bump in");
    assert_eq!(reasons("missed"), r#"{"input-changed":1,"never-seen":1,"refresh":1}"#);
    assert_eq!(reasons("not_recorded"), "{}");
    sandbox
        .run("memo sh -c 'exit 3'; memo sh -c 'kill -TERM $$'; memo cat /dev/tty; mkfifo p; memo test -e p");
    sandbox.run("memo -o none true; memo -i in -o in true; MEMO_MODE=read-only memo ./bump new");
    sandbox.run("MEMO_MAX_ENTRY=10K memo puppet fill 40000 >/dev/null; memo -i in sh -c 'echo 3 >in'");
    assert_eq!(
        reasons("not_recorded"),
        concat!(
            r#"{"special-word":2,"exit-status":1,"input-changed-meanwhile":1,"output-is-input":1,"#,
            r#""output-missing":1,"read-only":1,"signal":1,"too-large":1}"#
        )
    );
    let before = calls(&sandbox);
    assert_eq!(before, [12, 0, 12]);
    // None of these is a call that a store answers or takes in.
    sandbox
        .run("MEMO_MODE=off memo true; memo --only-cached ./bump never; memo nosuch; memo -i missing true");
    sandbox.run("memo ls; MEMO_DIR=/dev/null/x memo true");
    assert_eq!(calls(&sandbox), before);
}

#[test]
fn those_who_wait_for_a_run_are_hits() {
    for status in [0, 3] {
        let sandbox = Sandbox::new();
        sandbox.script("run", &format!("#!/bin/sh\nread x <gate\nexit {status}\n"));
        let mut gate = Gate::new(&sandbox, "gate");
        let callers = crowd(&sandbox, 3, &["./run"]);
        until_waiting(&sandbox, 2);
        gate.open();
        ends(callers);
        assert_eq!(calls(&sandbox), [3, 2, 1], "status {status}");
    }
}

#[test]
fn a_read_only_store_is_counted_in_as_far_as_it_takes_records() {
    let sandbox = world(EARLY);
    sandbox.ok("memo ./bump a");
    sandbox.ok("MEMO_MODE=read-only memo ./bump a; MEMO_MODE=read-only memo ./bump b");
    assert_eq!(calls(&sandbox), [3, 1, 2]);
    // Where there is no store, none is made for a counter.
    sandbox
        .ok("mkdir $RUNS.store; MEMO_DIR=$RUNS.store MEMO_MODE=read-only memo ./bump b; rmdir $RUNS.store");
}

#[test]
fn since_counts_what_was_just_done() {
    let sandbox = world(EARLY);
    let at = |now: u64, line: &str| sandbox.ok(&format!("export MEMO_TEST_NOW={now}; {line}"));
    let first = |now: u64, options: &str| {
        at(now, &format!("memo stats {options}")).lines().next().unwrap().to_owned()
    };
    at(100_000, "memo ./bump a; memo ./bump a");
    at(200_000, "memo ./bump a; memo ./bump b; memo ./bump b");
    assert_eq!(first(200_010, ""), "since 1970-01-02T03:46:40Z: 5 calls, 3 hits (60%)");
    assert_eq!(first(200_010, "--since 1h"), "since 1970-01-03T06:33:00Z: 3 calls, 2 hits (66%)");
    assert_eq!(first(200_010, "--since 1970-01-03"), "since 1970-01-03T00:00:00Z: 3 calls, 2 hits (66%)");
    assert_eq!(first(200_010, "--since 1970-01-02"), first(200_010, ""));
    at(300_000, "memo stats --zero; memo ./bump b");
    assert_eq!(first(300_000, ""), "since 1970-01-04T11:20:00Z: 1 call, 1 hit (100%)");
}

#[test]
fn a_group_with_a_long_name_is_one_group() {
    let sandbox = world(EARLY);
    let long = "a-group-whose-name-is-longer-than-what-a-record-takes";
    sandbox.ok(&format!("memo -g {long} ./bump a; memo -g {long} ./bump a"));
    assert_eq!(number(&sandbox, &format!("-g {long}"), "calls"), 2);
    assert_eq!(number(&sandbox, &format!("-g {long}"), "stored_entries"), 1);
    assert_eq!(sandbox.ok("memo stats --json").matches("\"group\"").count(), 1);
}

#[test]
fn counters_outlive_a_clear() {
    let sandbox = world(EARLY);
    sandbox.ok("memo ./bump a; memo ./bump a; memo clear --yes; memo ./bump a; memo clear -g bump --yes");
    assert_eq!(calls(&sandbox), [3, 1, 2]);
    assert_eq!(number(&sandbox, "", "stored_entries"), 0);
    assert_eq!(sandbox.ok("memo stats --zero"), "");
    assert_eq!(calls(&sandbox), [0, 0, 0]);
}

#[test]
fn where_no_store_is_none_is_made() {
    let sandbox = Sandbox::new();
    assert_eq!(
        sandbox.ok("memo stats"),
        "0 calls, 0 hits\nsaved 0ms, 0 B given back\nstored 0 entries, 0 B on disk\n"
    );
    assert_eq!(sandbox.ok("memo stats --zero"), "");
    assert!(!sandbox.store().exists());
}

#[test]
fn what_is_wrong_is_said() {
    let sandbox = world(EARLY);
    sandbox.ok("memo ./bump a");
    assert_data_eq!(
        sandbox.steps(&[
            "memo stats -g none",
            "memo stats --since yesterday",
            "memo stats --zero --json",
            "memo stats build",
        ]),
        str![[r#"
$ memo stats -g none
memo: error: nothing was counted in group `none`
memo:   hint: `memo stats` lists all groups
[exit 1]
$ memo stats --since yesterday
memo: error: `--since` does not take `yesterday`: neither a duration (1h, 7d) nor a date (2026-01-31, 2026-01-31T12:00Z)
[exit 2]
$ memo stats --zero --json
memo: error: `--zero` does not go with `--json`
[exit 2]
$ memo stats build
memo: error: `memo stats` says what memo was good for; it takes no `build`
memo:   hint: to memoize stats itself: `memo -- stats build`
[exit 2]

"#]]
    );
}
