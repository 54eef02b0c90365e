//! What ages: answers that are given while a refresh runs behind, checks before a hit, groups with so many
//! entries.
//!
//! The clock is set between calls, and what runs behind waits at gates: `run` reads the fifo `gateN` in its Nth
//! run, if there is one.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use snapbox::{assert_data_eq, str};

use crate::crowd::{Caller, Gate, crowd, ends, is_in_use, nothing_piles_up, until, until_waiting};
use crate::sandbox::{Ran, Sandbox};

/// Prints `value`, of which memo knows nothing, and its words; leaves its parent's number in `behind`.
const RUN: &str = "#!/bin/sh
echo $PPID >behind.new && mv behind.new behind
echo . >>$RUNS
n=$(wc -l <$RUNS)
if [ -p gate$n ]; then read x <gate$n; fi
cat value; echo \"$@\"
[ ! -e fail ] || exit 3
";

/// Sets the clock to so many seconds after the first run.
fn at(sandbox: &mut Sandbox, seconds: u64) {
    sandbox.set("MEMO_TEST_NOW", (43_200 + seconds).to_string());
}

/// Returns a sandbox in which `run` was recorded as `old` and would print `new` now, 10 minutes later.
fn aged() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.script("run", RUN);
    sandbox.write("value", "old\n");
    sandbox.ok("memo ./run");
    sandbox.write("value", "new\n");
    at(&mut sandbox, 600);
    sandbox
}

const STALE: &str = "memo -v --stale 10m ./run";

/// Waits until nothing runs behind any more.
#[track_caller]
fn until_over(sandbox: &Sandbox) {
    until("the refresh is over", || {
        let left = |name: &str| fs::read_dir(sandbox.store().join(name)).is_ok_and(|files| files.count() > 0);
        let slots = sandbox.store().join("refresh.lock");
        !left("leases") && slots.exists() && !is_in_use(&slots)
    });
}

/// Returns the process that runs the refresh, once the command has begun in it.
#[track_caller]
fn refresher(sandbox: &Sandbox, runs: usize) -> i32 {
    until("it runs behind", || sandbox.runs() == runs);
    sandbox.read("behind").trim().parse().unwrap()
}

#[track_caller]
fn stale(ran: &Ran, stdout: &str, said: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (0, stdout), "{}", ran.stderr);
    let line = ran.stderr.lines().find_map(|line| line.strip_prefix("memo: stale: "));
    assert_eq!(line, Some(said), "{}", ran.stderr);
    assert!(ran.is_hit());
}

#[track_caller]
fn fresh(ran: &Ran, stdout: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (0, stdout), "{}", ran.stderr);
    assert!(ran.is_hit() && !ran.stderr.contains("stale"), "{}", ran.stderr);
}

#[track_caller]
fn missed(ran: &Ran, stdout: &str, why: &str) {
    assert_eq!((ran.code, ran.stdout.as_str()), (0, stdout), "{}", ran.stderr);
    assert_eq!(ran.missed(), Some(why));
}

#[test]
fn the_stale_answer_is_given_and_refreshed_behind() {
    let mut sandbox = aged();
    at(&mut sandbox, 599);
    fresh(&sandbox.run(STALE), "old\n\n");
    at(&mut sandbox, 600);
    let mut gate = Gate::new(&sandbox, "gate2");
    stale(&sandbox.run(STALE), "old\n\n", "it is refreshed behind");
    refresher(&sandbox, 2);
    stale(&sandbox.run(STALE), "old\n\n", "it is being refreshed");
    gate.open();
    until_over(&sandbox);
    fresh(&sandbox.run(STALE), "new\n\n");
    at(&mut sandbox, 1199);
    fresh(&sandbox.run(STALE), "new\n\n");
    assert_eq!(sandbox.runs(), 2);
    nothing_piles_up(&sandbox);
}

#[test]
fn the_time_to_live_still_ends_it() {
    let mut sandbox = aged();
    at(&mut sandbox, 3600);
    missed(&sandbox.run("memo -v --ttl 1h --stale 10m ./run"), "new\n\n", "expired");
    assert_eq!(sandbox.runs(), 2);
}

#[test]
fn without_stale_nothing_runs_behind() {
    let sandbox = aged();
    fresh(&sandbox.run("memo -v ./run"), "old\n\n");
    missed(&sandbox.run("memo -v --ttl 10m ./run"), "new\n\n", "expired");
    assert!(!sandbox.store().join("refresh.lock").exists());
}

#[test]
fn a_zero_refreshes_at_each_call() {
    let sandbox = aged();
    for (i, said) in ["old\n\n", "new\n\n", "new\n\n"].into_iter().enumerate() {
        stale(&sandbox.run("memo -v --stale 0 ./run"), said, "it is refreshed behind");
        until("it ran", || sandbox.runs() == i + 2);
        until_over(&sandbox);
    }
}

#[test]
fn twenty_stale_answers_start_one_refresh() {
    let sandbox = aged();
    let mut gate = Gate::new(&sandbox, "gate2");
    for one in ends(crowd(&sandbox, 20, &["--stale", "10m", "./run"])) {
        assert_eq!((one.status, one.stdout.as_slice(), one.stderr.as_str()), (0, &b"old\n\n"[..], ""));
    }
    refresher(&sandbox, 2);
    gate.open();
    until_over(&sandbox);
    for one in ends(crowd(&sandbox, 20, &["--stale", "10m", "./run"])) {
        assert_eq!(one.stdout, b"new\n\n");
    }
    assert_eq!(sandbox.runs(), 2);
    nothing_piles_up(&sandbox);
}

#[test]
fn who_is_late_does_not_refresh_what_was_refreshed() {
    // One looks up, and comes to the lease when the other's refresh is over.
    let sandbox = aged();
    let fifo = sandbox.fifo("fifo");
    let late = Caller::start(
        sandbox.memo().args(["-v", "--stale", "10m", "./run"]).env("MEMO_FAULT", "refresh.leased=stop:fifo"),
    );
    assert_eq!(fs::read_to_string(&fifo).unwrap(), "refresh.leased");
    // It has the lease: this one leaves it alone, and so would one that takes it now. So the store is changed by
    // hand as a refresh changes it.
    stale(&sandbox.run(STALE), "old\n\n", "it is being refreshed");
    for lease in fs::read_dir(sandbox.store().join("leases")).unwrap() {
        fs::remove_file(lease.unwrap().path()).unwrap();
    }
    sandbox.ok("memo --refresh ./run");
    fs::write(&fifo, "").unwrap();
    let late = late.end();
    assert_eq!(late.stdout, b"old\n\n");
    assert!(late.stderr.contains("memo: stale: it is being refreshed\n"), "{}", late.stderr);
    assert_eq!(sandbox.runs(), 2);
    nothing_piles_up(&sandbox);
}

#[test]
fn nobody_waits_for_the_refresh() {
    let sandbox = aged();
    let mut gate = Gate::new(&sandbox, "gate2");
    let line = "exec 9>extra; x=$(memo --stale 10m ./run); wait; echo $x; echo $$; ps -o sid= -p $$";
    let said = sandbox.ok(line);
    let said: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(said[0], "old");
    let pid = refresher(&sandbox, 2);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    let (parent, group, session, terminal) = (fields[1], fields[2], fields[3], fields[4]);
    assert_ne!(parent, said[1], "it is no child of the shell");
    assert_eq!(group, session, "no signal to the shell's jobs reaches it");
    assert_ne!((session, terminal), (said[2], ""));
    assert_ne!(session, pid.to_string(), "it cannot get a terminal");
    assert_eq!(terminal, "0");
    for number in 0..3 {
        assert_eq!(fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap(), PathBuf::from("/dev/null"));
    }
    for fd in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let open = fs::read_link(fd.path()).unwrap_or_default();
        assert_ne!(open, sandbox.path("extra"));
    }
    gate.open();
    until_over(&sandbox);
    assert_eq!(sandbox.ok("memo ./run"), "new\n\n");
}

#[test]
fn make_does_not_wait_and_its_jobs_stay_its_own() {
    let mut sandbox = aged();
    sandbox.script("flags", "#!/bin/sh\nread x <slow\necho \"flags:$MAKEFLAGS\"\n");
    sandbox.write("Makefile", "all: a b\na b:\n\t+@memo -n --stale 10m ./flags $@\n");
    let mut gate = Gate::new(&sandbox, "slow");
    gate.open();
    sandbox.ok("memo -n ./flags a; memo -n ./flags b");
    at(&mut sandbox, 1200);
    let slow = sandbox.path("slow");
    fs::remove_file(slow).unwrap();
    let mut gate = Gate::new(&sandbox, "slow");
    assert_eq!(sandbox.ok("make -s -j2"), "flags:\nflags:\n");
    gate.open();
    until_over(&sandbox);
    let text = sandbox.ok("memo -n ./flags a; memo -n ./flags b");
    assert!(text.lines().count() == 2 && !text.contains("jobserver") && !text.contains("-j"), "{text}");
    let ls = sandbox.ok("memo ls --json");
    let young = ls.lines().filter(|line| line.contains("flags") && line.contains("T12:20:00Z"));
    assert_eq!(young.count(), 2, "both were refreshed: {ls}");
}

#[test]
fn a_refresh_is_inside_nothing() {
    let mut sandbox = Sandbox::new();
    sandbox.ok("memo puppet env MEMO_HELD");
    at(&mut sandbox, 600);
    sandbox.set("MEMO_HELD", "x".repeat(64));
    sandbox.ok("memo --stale 10m puppet env MEMO_HELD");
    until_over(&sandbox);
    let held = sandbox.ok("memo -v puppet env MEMO_HELD");
    assert_eq!(held.trim().len(), "MEMO_HELD=".len() + 64, "{held}");
    assert!(!held.contains('x'), "{held}");
}

#[test]
fn who_does_not_take_a_stale_answer_waits_for_the_refresh() {
    let sandbox = aged();
    let mut gate = Gate::new(&sandbox, "gate2");
    sandbox.ok(STALE);
    refresher(&sandbox, 2);
    let waits = Caller::start(sandbox.memo().args(["--ttl", "10m", "./run"]));
    until_waiting(&sandbox, 1);
    gate.open();
    assert_eq!(waits.end().stdout, b"new\n\n");
    until_over(&sandbox);
    assert_eq!(sandbox.runs(), 2);
}

#[test]
fn a_clear_wins_over_a_refresh() {
    for line in ["memo clear --yes", "memo clear --yes '*./run*'"] {
        let sandbox = aged();
        let mut gate = Gate::new(&sandbox, "gate2");
        sandbox.ok(STALE);
        let pid = refresher(&sandbox, 2);
        sandbox.ok(line);
        gate.open();
        until("it has ended", || !is_there(pid));
        missed(&sandbox.run("memo -v ./run"), "new\n\n", "never-seen");
        assert_eq!(sandbox.runs(), 3, "{line}");
        nothing_piles_up(&sandbox);
    }
}

fn is_there(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn so_many_are_refreshed_at_a_time() {
    let mut sandbox = aged();
    sandbox.set("MEMO_REFRESH_JOBS", "1");
    at(&mut sandbox, 0);
    sandbox.write("value", "old\n");
    for key in 1..=5 {
        sandbox.ok(&format!("memo ./run {key}"));
    }
    at(&mut sandbox, 600);
    let mut gate = Gate::new(&sandbox, "gate7");
    let call = |key: usize| sandbox.run(format!("memo -v --stale 10m ./run {key}"));
    stale(&call(1), "old\n1\n", "it is refreshed behind");
    refresher(&sandbox, 7);
    for key in 2..=5 {
        stale(&call(key), &format!("old\n{key}\n"), "not refreshed now: no more than 1 at a time");
    }
    stale(&call(1), "old\n1\n", "it is being refreshed");
    gate.open();
    until_over(&sandbox);
    assert_eq!(sandbox.runs(), 7);
    stale(&call(2), "old\n2\n", "it is refreshed behind");
    until("it runs", || sandbox.runs() == 8);
    until_over(&sandbox);
    nothing_piles_up(&sandbox);
}

#[test]
fn what_cannot_be_refreshed_behind_is_run_by_the_caller() {
    let mut sandbox = aged();
    sandbox.write("in", "in\n");
    for line in
        ["echo x | memo cat", "memo cat <in", "memo -o out sh -c 'echo >out'", "memo sh -c 'true' out2"]
    {
        sandbox.ok(line);
    }
    at(&mut sandbox, 1200);
    for line in [
        "echo x | memo -v --stale 10m cat",
        "memo -v --stale 10m cat <in",
        "memo -v --stale 10m -o out sh -c 'echo >out'",
        "MEMO_MODE=read-only memo -v --stale 10m ./run",
        "MEMO_REFRESH_JOBS=0 memo -v --stale 10m ./run",
    ] {
        let ran = sandbox.run(line);
        assert_eq!((ran.code, ran.is_hit()), (0, false), "{line}: {}", ran.stderr);
        assert!(!ran.stderr.contains("memo: stale"), "{line}: {}", ran.stderr);
    }
    let kept = sandbox.run("memo -v --only-cached --stale 1m --ttl 1d ./run");
    assert_eq!(sandbox.runs(), 3, "one of the two was recorded");
    fresh_or_quiet(&kept);
}

#[track_caller]
fn fresh_or_quiet(ran: &Ran) {
    assert!(ran.code == 0 && ran.is_hit() && !ran.stderr.contains("stale"), "{}", ran.stderr);
}

#[test]
fn with_only_cached_nothing_is_run_behind() {
    let sandbox = aged();
    fresh_or_quiet(&sandbox.run("memo -v --only-cached --stale 10m ./run"));
    assert!(!sandbox.store().join("refresh.lock").exists());
    assert_eq!(sandbox.runs(), 1);
}

#[test]
fn on_a_terminal_the_command_gets_no_terminal() {
    let sandbox = Sandbox::new();
    let line = |options: &str| format!("script -qec 'memo {options} puppet isatty 0' /dev/null </dev/null");
    assert_eq!(sandbox.ok(&line("")).trim(), "terminal");
    assert_eq!(sandbox.ok(&line("--stale 10m")).trim(), "no terminal");
    assert_eq!(sandbox.ok("memo -n puppet isatty 0"), "no terminal\n");
}

#[test]
fn a_refresh_that_fails_leaves_the_answer_and_is_not_tried_at_once() {
    let mut sandbox = aged();
    sandbox.write("fail", "");
    stale(&sandbox.run(STALE), "old\n\n", "it is refreshed behind");
    until_over(&sandbox);
    assert_eq!(sandbox.runs(), 2);
    stale(&sandbox.run(STALE), "old\n\n", "not refreshed now: that failed 0 ms ago: exit-status: 3");
    at(&mut sandbox, 659);
    stale(&sandbox.run(STALE), "old\n\n", "not refreshed now: that failed 59 s ago: exit-status: 3");
    assert_eq!(sandbox.runs(), 2);
    at(&mut sandbox, 660);
    fs::remove_file(sandbox.path("fail")).unwrap();
    stale(&sandbox.run(STALE), "old\n\n", "it is refreshed behind");
    until("it runs", || sandbox.runs() == 3);
    until_over(&sandbox);
    fresh(&sandbox.run(STALE), "new\n\n");
    nothing_piles_up(&sandbox);
}

/// Nothing is refreshed by asking.
#[test]
fn why_says_what_is_stale_and_that_its_refresh_failed() {
    let mut sandbox = aged();
    sandbox.write("fail", "");
    let (why, json) = ("memo why --stale 10m ./run", "memo why --json --stale 10m ./run");
    let asked = sandbox.ok(why);
    assert!(
        asked.starts_with("would hit: ") && asked.contains("\nit would be refreshed behind: stale\n"),
        "{asked}"
    );
    assert!(!asked.contains("failed"), "{asked}");
    let asked = sandbox.ok(json);
    assert!(asked.contains(r#""stale":true,"#) && !asked.contains("failed_refresh"), "{asked}");
    assert_eq!(sandbox.runs(), 1);
    stale(&sandbox.run(STALE), "old\n\n", "it is refreshed behind");
    until_over(&sandbox);
    at(&mut sandbox, 659);
    let asked = sandbox.ok(why);
    assert!(asked.contains("\nlast refresh behind, 59s ago: failed: exit-status: 3\n"), "{asked}");
    let asked = sandbox.ok(json);
    assert!(asked.contains(r#""failed_refresh":{"why":"exit-status: 3","age_seconds":59.000,"#), "{asked}");
    assert_eq!(sandbox.runs(), 2);
}

#[test]
fn who_waits_for_a_refresh_that_fails_gets_its_failure() {
    let sandbox = aged();
    sandbox.write("fail", "");
    let mut gate = Gate::new(&sandbox, "gate2");
    sandbox.ok(STALE);
    refresher(&sandbox, 2);
    let waits = Caller::start(sandbox.memo().args(["--ttl", "10m", "./run"]));
    until_waiting(&sandbox, 1);
    gate.open();
    let ended = waits.end();
    assert_eq!((ended.status, ended.stdout.as_slice()), (3, &b"new\n\n"[..]));
    assert_eq!(sandbox.runs(), 2);
}

#[test]
fn a_refresh_that_is_killed_leaves_the_answer_and_frees_its_place() {
    let mut sandbox = aged();
    sandbox.set("MEMO_REFRESH_JOBS", "1");
    let _gate = Gate::new(&sandbox, "gate2");
    sandbox.ok(STALE);
    let pid = refresher(&sandbox, 2);
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    until("it is gone", || !is_there(pid));
    stale(&sandbox.run(STALE), "old\n\n", "it is refreshed behind");
    until("it runs", || sandbox.runs() == 3);
    until_over(&sandbox);
    fresh(&sandbox.run(STALE), "new\n\n");
    nothing_piles_up(&sandbox);
}

#[test]
fn a_refresh_that_is_asked_to_end_ends_with_its_command() {
    let sandbox = aged();
    let _gate = Gate::new(&sandbox, "gate2");
    sandbox.ok(STALE);
    let pid = refresher(&sandbox, 2);
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    until_over(&sandbox);
    stale(&sandbox.run(STALE), "old\n\n", "not refreshed now: that failed 0 ms ago: signal: 15");
}

#[test]
fn killed_at_any_step_a_refresh_costs_nothing_but_itself() {
    // The first two are steps of the caller's.
    for (point, fails) in [
        ("refresh.leased", false),
        ("refresh.slot", false),
        ("refresh.forked", false),
        ("lease.handed", false),
        ("refresh.begun", false),
        ("miss.observed", false),
        ("miss.ran", false),
        ("commit.journal", false),
        ("commit.manifest", false),
        ("refresh.failed", true),
        ("refresh.done", true),
    ] {
        let mut sandbox = aged();
        sandbox.set("MEMO_REFRESH_JOBS", "1");
        if fails {
            sandbox.write("fail", "");
        }
        let caller = sandbox.run(format!("MEMO_FAULT={point}=kill memo -v --stale 10m ./run"));
        if ["refresh.leased", "refresh.slot"].contains(&point) {
            assert_eq!(caller.code, 128 + 9, "{point}");
        } else {
            assert_eq!((caller.code, caller.stdout.as_str()), (0, "old\n\n"), "{point}: {}", caller.stderr);
        }
        let _ = fs::remove_file(sandbox.path("fail"));
        // What the kill left is nobody's: the next one who asks refreshes, or finds it done.
        at(&mut sandbox, 700);
        until("it is refreshed", || sandbox.ok("memo --stale 10m ./run") == "new\n\n");
        until_over(&sandbox);
        fresh(&sandbox.run(STALE), "new\n\n");
        assert!(sandbox.runs() <= 3, "{point}: {} runs", sandbox.runs());
        let ran = sandbox.run("memo doctor");
        assert_eq!(ran.code, 0, "{point}: {}", ran.stdout);
    }
}

#[test]
fn a_directory_that_is_gone_is_refreshed_nowhere() {
    let sandbox = aged();
    sandbox.ok("mkdir there; cp run there; cd there; cp ../value .; MEMO_TEST_NOW=43200 memo ./run");
    let fifo = sandbox.fifo("fifo");
    let line = "cd there && MEMO_FAULT=lease.handed=stop:$OLDPWD/fifo memo --stale 10m ./run";
    assert_eq!(sandbox.ok(line), "new\n\n");
    let mut name = String::new();
    fs::File::open(&fifo).unwrap().read_to_string(&mut name).unwrap();
    assert_eq!(name, "lease.handed");
    sandbox.ok("mv there gone; mkdir there; cp gone/* there");
    fs::File::options().write(true).open(&fifo).unwrap().write_all(b"on").unwrap();
    until_over(&sandbox);
    assert_eq!(sandbox.runs(), 2);
    let said = sandbox.run("cd there; memo -v --stale 10m ./run");
    stale(&said, "new\n\n", "not refreshed now: that failed 0 ms ago: the working directory is gone");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let session = Sandbox::new().steps(&[
        "memo --stale 1h --ttl 30m true",
        "memo --stale 30m --ttl 30m true",
        "MEMO_TTL=30m memo --stale 1h true",
        "memo --stale soon true",
        "memo --max-entries 0 true",
        "memo --max-size much true",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo --stale 1h --ttl 30m true
memo: error: `--stale 1h` never comes: what is 30 min old is not used any more; the command was not run
memo:   hint: from `--stale` to `--ttl` the old result is given: `--stale 10m --ttl 1h`
[exit 125]
$ memo --stale 30m --ttl 30m true
memo: error: `--stale 30m` never comes: what is 30 min old is not used any more; the command was not run
memo:   hint: from `--stale` to `--ttl` the old result is given: `--stale 10m --ttl 1h`
[exit 125]
$ MEMO_TTL=30m memo --stale 1h true
memo: error: `--stale 1h` never comes: what is 30 min old is not used any more; the command was not run
memo:   hint: from `--stale` to `--ttl` the old result is given: `--stale 10m --ttl 1h`
[exit 125]
$ memo --stale soon true
memo: error: `--stale soon`: invalid duration `soon`; the command was not run
memo:   hint: examples: 90, 90s, 15m, 1d12h
[exit 125]
$ memo --max-entries 0 true
memo: error: `--max-entries` does not take `0`: expected a number from 1 up; the command was not run
[exit 125]
$ memo --max-size much true
memo: error: `--max-size` does not take `much`: invalid size `much`; the command was not run
[exit 125]

"#]]
    );
}

#[test]
fn a_check_that_fails_makes_a_miss() {
    let sandbox = aged();
    let line = "memo -v --check 'test ! -e bad; s=$?; echo out; echo no good >&2; exit $s' ./run";
    fresh(&sandbox.run(line), "old\n\n");
    sandbox.write("bad", "");
    missed(&sandbox.run(line), "new\n\n", "check-failed: exit 1: no good");
    fs::remove_file(sandbox.path("bad")).unwrap();
    fresh(&sandbox.run(line), "new\n\n");
    fresh(&sandbox.run("memo -v ./run"), "new\n\n");
    assert_eq!(sandbox.runs(), 2);
    let refused = sandbox.run("memo --only-cached --check false ./run");
    assert_eq!((refused.code, refused.stdout.as_str()), (75, ""));
    assert!(refused.stderr.contains("not recorded yet (check-failed: exit 1)"), "{}", refused.stderr);
}

#[test]
fn a_check_runs_only_before_a_hit_and_once() {
    let sandbox = Sandbox::new();
    sandbox.script("run", RUN);
    sandbox.write("value", "v\n");
    let line = "memo --check 'echo x >>checks; read y; [ -z \"$y\" ]' ./run <<<stdin";
    sandbox.ok("echo first | memo ./run; memo ./run");
    assert!(!sandbox.path("checks").exists());
    sandbox.ok("memo --check 'echo x >>checks' ./run other");
    assert!(!sandbox.path("checks").exists(), "there is nothing to check");
    sandbox.ok(line);
    sandbox.ok("memo --check 'echo x >>checks' ./run other >/dev/null 2>&1");
    assert_eq!(sandbox.read("checks"), "x\nx\n", "once each");
}

#[test]
fn callers_whose_checks_fail_share_a_run_that_began_after_them() {
    let sandbox = aged();
    let mut gate = Gate::new(&sandbox, "gate2");
    let callers = crowd(&sandbox, 5, &["--check", "false", "./run"]);
    until_waiting(&sandbox, 4);
    gate.open();
    for one in ends(callers) {
        assert_eq!((one.status, one.stdout.as_slice(), one.stderr.as_str()), (0, &b"new\n\n"[..], ""));
    }
    assert!(sandbox.runs() <= 3, "{}", sandbox.runs());
    nothing_piles_up(&sandbox);
}

#[test]
fn a_check_comes_before_a_stale_answer() {
    let sandbox = aged();
    missed(&sandbox.run("memo -v --stale 10m --check false ./run"), "new\n\n", "check-failed: exit 1");
    assert!(!sandbox.store().join("refresh.lock").exists());
}

#[test]
fn a_group_keeps_what_was_used_last() {
    let mut sandbox = Sandbox::new();
    sandbox.set("MEMO_FAULT", "gc.time=unlimited");
    let mut said = String::new();
    for (second, word) in [0, 1, 0, 2, 0, 1].into_iter().enumerate() {
        at(&mut sandbox, second as u64);
        said += &sandbox.ok(&format!("memo -g g --max-entries 2 puppet bump {word}"));
    }
    assert_eq!(said, "0 #1\n1 #2\n0 #1\n2 #3\n0 #1\n1 #4\n");
    assert_eq!(sandbox.ok("memo ls -g g").lines().count(), 1 + 2);
}

#[test]
fn a_group_of_one_keeps_the_last() {
    let mut sandbox = Sandbox::new();
    sandbox.set("MEMO_FAULT", "gc.time=unlimited");
    // All at one time.
    let call = |word: u32| sandbox.ok(&format!("memo -g g --max-entries 1 puppet bump {word}"));
    let said: String = [1, 2, 1, 1].into_iter().map(call).collect();
    assert_eq!(said, "1 #1\n2 #2\n1 #3\n1 #3\n");
    sandbox.ok("memo -g other puppet bump 3; memo puppet bump 4");
    assert_eq!(sandbox.ok("memo ls").lines().count(), 1 + 3, "other groups are not touched");
}

#[test]
fn in_a_group_what_expired_goes_first() {
    let mut sandbox = Sandbox::new();
    sandbox.set("MEMO_FAULT", "gc.time=unlimited");
    sandbox.ok("memo -g g puppet bump a");
    at(&mut sandbox, 5);
    sandbox.ok("memo -g g --ttl 10 puppet bump b");
    at(&mut sandbox, 20);
    sandbox.ok("memo -g g --max-entries 2 puppet bump c");
    let left = sandbox.ok("memo ls -g g");
    assert!(left.contains("bump a") && left.contains("bump c") && !left.contains("bump b"), "{left}");
}

#[test]
fn a_run_can_bound_the_store() {
    let mut sandbox = Sandbox::new();
    sandbox.set("MEMO_FAULT", "gc.time=unlimited");
    for word in 0..20 {
        sandbox.ok(&format!("memo --max-size 20K puppet bump {word}"));
    }
    assert!((1..=5).contains(&sandbox.manifests()), "{}", sandbox.manifests());
    let large = sandbox.run("memo -v --max-size 20K puppet fill 6000");
    assert_eq!(large.unrecorded(), Some("too-large"), "a quarter of it is the bound of one");
}
