//! A runner that is killed while others wait for it: one of them takes over, and nothing stays behind.

use std::fs;

use rustix::process::{Signal, kill_process};

use crate::crowd::{
    Caller, LONG, all_are, crowd, ends, long, nothing_piles_up, take_holder, until, until_waiting, world,
};
use crate::sandbox::{LATE, Sandbox};

#[test]
fn a_runner_that_is_killed_is_succeeded_by_one_of_those_who_wait() {
    let (sandbox, mut gate) = world("", "echo out");
    let mut callers = crowd(&sandbox, 10, &["./run"]);
    for dead in 1..4 {
        until_waiting(&sandbox, 10 - dead);
        until("it runs", || sandbox.runs() == dead);
        let runner = take_holder(&sandbox, &mut callers);
        runner.kill(Signal::KILL);
        assert_eq!(runner.end().status, 128 + 9);
    }
    until_waiting(&sandbox, 6);
    gate.open();
    all_are(&ends(callers), 0, b"out\n");
    assert_eq!(sandbox.runs(), 4);
    nothing_piles_up(&sandbox);
}

/// Nothing may stay of runs that are over, once gc has taken what killed ones have left.
#[track_caller]
fn nothing_piles_up_after_gc(sandbox: &Sandbox) {
    sandbox.ok(&format!("MEMO_TEST_NOW={LATE} memo gc"));
    nothing_piles_up(sandbox);
}

/// Where a runner that is recorded may be killed, and whether it has started the command and recorded it then.
const DEATHS: [(&str, bool, bool); 15] = [
    ("lease.taken", false, false),
    ("miss.observed", false, false),
    ("miss.ran", true, false),
    ("miss.outputs", true, false),
    ("blobs.place", true, false),
    ("lease.verdict", true, false),
    ("lease.concluded", true, false),
    ("generation.turn", true, false),
    ("blobs.adopt", true, false),
    ("commit.blobs", true, false),
    ("commit.outcome", true, false),
    ("commit.journal", true, false),
    ("commit.manifest", true, false),
    ("commit.done", true, true),
    ("lease.removed", true, true),
];

#[test]
fn a_runner_that_is_killed_anywhere_is_succeeded_by_one_of_nineteen() {
    for (point, has_run, is_recorded) in DEATHS {
        let (sandbox, mut gate) = world("", &format!("echo out >out; {LONG}"));
        let stop = sandbox.fifo("stop");
        let words = ["-o", "out", "./run"];
        let fault = format!("{point}=stop:{}", stop.display());
        let runner = Caller::start(sandbox.memo().args(words).env("MEMO_FAULT", fault));
        let is_there = || assert_eq!(fs::read_to_string(&stop).unwrap(), point);
        if has_run {
            until("it runs", || sandbox.runs() == 1);
        } else {
            is_there();
        }
        let callers = crowd(&sandbox, 19, &words);
        until_waiting(&sandbox, 19);
        gate.open();
        if has_run {
            is_there();
        }
        runner.kill(Signal::KILL);
        assert_eq!(runner.end().status, 128 + 9, "{point}");
        all_are(&ends(callers), 0, &long());
        assert_eq!(sandbox.read("out"), "out\n", "{point}");
        let taken_over = usize::from(!is_recorded);
        assert_eq!(sandbox.runs(), usize::from(has_run) + taken_over, "{point}");
        nothing_piles_up_after_gc(&sandbox);
    }
}

#[test]
fn a_runner_that_is_killed_at_random_is_succeeded_by_one_of_nineteen() {
    const LINES: u32 = 300;
    let count = format!("i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo $i; echo $i >at; done");
    let expected: String = (1..=LINES).map(|line| format!("{line}\n")).collect();
    let seed = std::process::id();
    let mut random = seed;
    for round in 0..5 {
        let (sandbox, mut gate) = world("", &count);
        let mut callers = crowd(&sandbox, 20, &["./run"]);
        until_waiting(&sandbox, 19);
        let runner = take_holder(&sandbox, &mut callers);
        gate.open();
        // xorshift (Marsaglia 2003)
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        let line = random % LINES;
        let at = || fs::read_to_string(sandbox.path("at")).ok().and_then(|at| at.trim().parse().ok());
        until("it has come so far", || line == 0 || at().is_some_and(|at: u32| at >= line));
        // It may just have ended by itself.
        let _ = kill_process(runner.pid(), Signal::KILL);
        let ended = runner.end();
        let context = format!("seed {seed}, round {round}, at line {line}");
        all_are(&ends(callers), 0, expected.as_bytes());
        match ended.status {
            0 => assert_eq!(sandbox.runs(), 1, "{context}"),
            137 => assert!((1..=2).contains(&sandbox.runs()), "{context}: {} runs", sandbox.runs()),
            status => panic!("{context}: {status}"),
        }
        nothing_piles_up_after_gc(&sandbox);
    }
}

#[test]
fn the_command_dies_with_a_runner_that_is_killed() {
    let (sandbox, _gate) = world("", "echo out");
    let runner = Caller::start(sandbox.memo().arg("./run"));
    until("it runs", || sandbox.runs() == 1);
    let command = fs::read_to_string(sandbox.root().join("runs")).unwrap();
    let command = format!("/proc/{}", command.trim());
    assert!(fs::exists(&command).unwrap());
    runner.kill(Signal::KILL);
    assert_eq!(runner.end().status, 128 + 9);
    until("the command is gone", || {
        // One that nobody has waited for yet is gone as well.
        let status = fs::read_to_string(format!("{command}/stat")).unwrap_or_default();
        status.is_empty() || status.contains(") Z ")
    });
}
