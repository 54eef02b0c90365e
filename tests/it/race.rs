//! Several callers of one command at once: it runs once, all get its answer, and nobody waits for one who
//! cannot go on.
//!
//! Runs wait at a gate, so that who waits for whom is known and not a matter of time. The word of a fifo
//! would be "not recorded": the gate's name stands in the script.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::crowd::{
    Caller, Gate, LONG, all_are, crowd, ends, holder, long, nothing_piles_up, take_holder, until,
    until_waiting, world,
};
use crate::sandbox::Sandbox;

/// So many callers of a command that then succeeds or fails: it runs once.
#[track_caller]
fn one_run(count: usize, after: &str, status: i32, stdout: &[u8]) {
    let (sandbox, mut gate) = world("", after);
    let callers = crowd(&sandbox, count, &["./run"]);
    until_waiting(&sandbox, count - 1);
    gate.open();
    all_are(&ends(callers), status, stdout);
    assert_eq!(sandbox.runs(), 1);
    nothing_piles_up(&sandbox);
    // A failure was the answer to those who waited, and to nobody later.
    all_are(&ends(crowd(&sandbox, 1, &["./run"])), status, stdout);
    assert_eq!(sandbox.runs(), if status == 0 { 1 } else { 2 });
    nothing_piles_up(&sandbox);
}

#[test]
fn twenty_callers_are_answered_by_one_run() {
    one_run(20, "echo out", 0, b"out\n");
}

#[test]
fn two_hundred_callers_are_answered_by_one_run() {
    one_run(200, "echo out", 0, b"out\n");
}

#[test]
fn a_long_output_answers_all_who_wait() {
    one_run(20, LONG, 0, &long());
}

#[test]
fn a_failure_is_the_answer_for_all_who_wait() {
    one_run(20, "echo out; exit 3", 3, b"out\n");
}

#[test]
fn a_failure_is_the_answer_for_two_hundred_who_wait() {
    one_run(200, "echo out; exit 3", 3, b"out\n");
}

#[test]
fn a_failure_with_a_long_output_is_the_answer_for_all_who_wait() {
    one_run(20, &format!("{LONG}; exit 3"), 3, &long());
}

#[test]
fn a_run_that_was_signalled_says_nothing_and_one_of_those_who_wait_runs() {
    let (sandbox, mut gate) = world("", "echo out");
    let mut callers = crowd(&sandbox, 10, &["./run"]);
    until_waiting(&sandbox, 9);
    until("it runs", || sandbox.runs() == 1);
    let runner = take_holder(&sandbox, &mut callers);
    runner.kill(Signal::TERM);
    assert_eq!(runner.end().status, 128 + 15);
    until("the next one runs", || sandbox.runs() == 2);
    until_waiting(&sandbox, 8);
    gate.open();
    all_are(&ends(callers), 0, b"out\n");
    assert_eq!(sandbox.runs(), 2);
    nothing_piles_up(&sandbox);
}

#[test]
fn an_input_that_changes_meanwhile_makes_one_of_those_who_wait_run() {
    let (sandbox, mut gate) = world("cat in", "exit 0");
    sandbox.write("in", "old\n");
    let mut callers = crowd(&sandbox, 10, &["-i", "in", "./run"]);
    until_waiting(&sandbox, 9);
    until("it runs", || sandbox.runs() == 1);
    let runner = take_holder(&sandbox, &mut callers);
    let command = fs::read_to_string(sandbox.root().join("runs")).unwrap();
    until("it is at the gate", || at_gate(&sandbox, command.trim()));
    sandbox.write("in", "new\n");
    gate.open();
    assert_eq!(runner.end().stdout, b"old\n");
    all_are(&ends(callers), 0, b"new\n");
    assert_eq!(sandbox.runs(), 2);
    nothing_piles_up(&sandbox);
}

/// Whether this process has the gate open.
fn at_gate(sandbox: &Sandbox, pid: &str) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|path| path == sandbox.path("gate"))
}

/// The first to run waits at one gate and all others at another one: when all are there, none of them
/// waits for another.
fn two_gates(before: &str) -> (Sandbox, Gate, Gate) {
    let sandbox = Sandbox::new();
    let gates = "if mkdir first 2>/dev/null; then read x <gate; else read x <other; fi";
    sandbox.script("run", &format!("#!/bin/sh\n{before}\necho $$ >>$RUNS\n{gates}\necho out\n"));
    let (gate, other) = (Gate::new(&sandbox, "gate"), Gate::new(&sandbox, "other"));
    (sandbox, gate, other)
}

#[track_caller]
fn all_run(count: usize) {
    // It leaves no `out`: that is known at its end.
    let (sandbox, mut gate, mut other) = two_gates("");
    let callers = crowd(&sandbox, count, &["-o", "out", "./run"]);
    until_waiting(&sandbox, count - 1);
    gate.open();
    until("all run at once", || sandbox.runs() == count);
    other.open();
    all_are(&ends(callers), 0, b"out\n");
    nothing_piles_up(&sandbox);
}

#[test]
fn what_cannot_be_shared_is_run_by_all_twenty_at_once() {
    all_run(20);
}

#[test]
fn what_cannot_be_shared_is_run_by_all_two_hundred_at_once() {
    all_run(200);
}

#[test]
fn what_is_too_large_to_keep_holds_nobody_up() {
    // The limit stops the spool long before the command ends: nobody waits for its end.
    let (sandbox, mut gate, mut other) = two_gates(LONG);
    let start = || Caller::start(&mut sandbox.shell("ulimit -f 16; exec memo -q ./run"));
    let callers: Vec<Caller> = (0..5).map(|_| start()).collect();
    until("all run at once", || sandbox.runs() == 5);
    other.open();
    gate.open();
    let stdout = [long(), b"out\n".to_vec()].concat();
    for one in ends(callers) {
        assert_eq!(one.status, 0, "{}", one.stderr);
        assert!(one.stdout == stdout, "{} bytes", one.stdout.len());
    }
    nothing_piles_up(&sandbox);
}

#[test]
fn a_failure_whose_output_does_not_fit_answers_nobody_else() {
    // The head and the verdict of the lease fit the limit, and what stands between them does not.
    let out = "0123456789".repeat(60);
    let (sandbox, mut gate) = world("", &format!("echo {out}; exit 3"));
    let line = "exec prlimit --fsize=400 memo -q ./run";
    let callers: Vec<Caller> = (0..5).map(|_| Caller::start(&mut sandbox.shell(line))).collect();
    until_waiting(&sandbox, 4);
    gate.open();
    for one in ends(callers) {
        assert_eq!((one.status, one.stdout), (3, format!("{out}\n").into_bytes()), "{}", one.stderr);
    }
    nothing_piles_up(&sandbox);
}

#[test]
fn a_reader_that_stalls_holds_nobody_up() {
    // `memo big | less`; memo notices after 1 s.
    let sandbox = Sandbox::new();
    let words = ["puppet", "bump", "x", ",", "fill", "2000000"];
    let mut stalled = sandbox.memo().args(words).stdout(Stdio::piped()).spawn().unwrap();
    until("it runs", || sandbox.runs() == 1);
    holder(&sandbox);
    let other = Caller::start(sandbox.memo().args(words)).end();
    assert_eq!((other.status, other.stdout.len()), (0, 2_000_005));
    assert_eq!(sandbox.runs(), 2);
    let mut bytes = Vec::new();
    stalled.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    assert!(stalled.wait().unwrap().success());
    assert!(bytes[5..] == other.stdout[5..]);
    nothing_piles_up(&sandbox);
}

#[test]
fn a_runner_that_is_stopped_holds_nobody_up() {
    let (sandbox, mut gate) = world("", "echo out");
    let runner = Caller::start(sandbox.memo().arg("./run"));
    until("it runs", || sandbox.runs() == 1);
    runner.kill(Signal::STOP);
    let other = Caller::start(sandbox.memo().arg("./run"));
    until("the other one runs", || sandbox.runs() == 2);
    gate.open();
    all_are(&[other.end()], 0, b"out\n");
    runner.kill(Signal::CONT);
    all_are(&[runner.end()], 0, b"out\n");
    nothing_piles_up(&sandbox);
}

#[test]
fn a_call_of_the_same_inside_itself_runs() {
    let sandbox = Sandbox::new();
    sandbox.script("run", "#!/bin/sh\necho . >>$RUNS\nmkdir in 2>/dev/null && memo ./run\necho out\n");
    all_are(&ends(crowd(&sandbox, 1, &["./run"])), 0, b"out\nout\n");
    assert_eq!(sandbox.runs(), 2);
    nothing_piles_up(&sandbox);
}

#[test]
fn calls_inside_different_calls_share_one_run() {
    let (sandbox, mut gate) = world("", "echo out");
    sandbox.script("a", "#!/bin/sh\nmemo ./run\n");
    sandbox.script("b", "#!/bin/sh\necho b; memo ./run\n");
    let a = Caller::start(sandbox.memo().arg("./a"));
    let b = Caller::start(sandbox.memo().arg("./b"));
    until_waiting(&sandbox, 1);
    gate.open();
    all_are(&[a.end()], 0, b"out\n");
    all_are(&[b.end()], 0, b"b\nout\n");
    assert_eq!(sandbox.runs(), 1);
    nothing_piles_up(&sandbox);
}

/// Two commands of which each calls the other, the first time it is run, when the gate is open.
fn cycle() -> (Sandbox, Gate) {
    let sandbox = Sandbox::new();
    for (name, other) in [("a", "b"), ("b", "a")] {
        let calls = format!("mkdir in-{name} 2>/dev/null && {{ read x <gate; memo ./{other}; }}");
        sandbox.script(name, &format!("#!/bin/sh\necho {name} >>$RUNS\n{calls}\necho {name}\n"));
    }
    let gate = Gate::new(&sandbox, "gate");
    (sandbox, gate)
}

#[test]
fn calls_that_wait_for_each_other_get_on() {
    let (sandbox, mut gate) = cycle();
    let tick = sandbox.fifo("tick");
    let limit = |faults: &str| format!("MEMO_FAULT={faults} exec memo ");
    // What `a` calls stops after it has waited in vain for a second, and then takes its time for over.
    let a = limit(&format!("wait.tick=stop:{},wait.inside=0", tick.display())) + "./a";
    let a = Caller::start(&mut sandbox.shell(a));
    let b = Caller::start(&mut sandbox.shell(limit("wait.inside=unlimited") + "./b"));
    until("both run", || sandbox.runs() == 2);
    gate.open();
    assert_eq!(fs::read_to_string(&tick).unwrap(), "wait.tick");
    // And what `b` calls waits for `a`: nobody else could end this.
    until_waiting(&sandbox, 1);
    assert_eq!(sandbox.runs(), 2);
    fs::write(&tick, "").unwrap();
    all_are(&[a.end()], 0, b"b\na\n");
    all_are(&[b.end()], 0, b"b\na\nb\n");
    // `b` once more, for `a`: unrecorded, so that the answer to others is that of the whole run.
    assert_eq!(fs::read_to_string(sandbox.root().join("runs")).unwrap().lines().count(), 3);
    all_are(&ends(crowd(&sandbox, 1, &["./a"])), 0, b"b\na\n");
    all_are(&ends(crowd(&sandbox, 1, &["./b"])), 0, b"b\na\nb\n");
    assert_eq!(sandbox.runs(), 3);
    nothing_piles_up(&sandbox);
}

#[test]
fn a_call_that_comes_back_to_itself_by_another_one_gets_on_at_once() {
    let (mut sandbox, mut gate) = cycle();
    // Whoever waits for itself waits for ever.
    sandbox.set("MEMO_FAULT", "wait.inside=unlimited");
    gate.open();
    all_are(&ends(crowd(&sandbox, 1, &["./a"])), 0, b"a\nb\na\n");
    assert_eq!(sandbox.runs(), 3);
    all_are(&ends(crowd(&sandbox, 1, &["./a"])), 0, b"a\nb\na\n");
    all_are(&ends(crowd(&sandbox, 1, &["./b"])), 0, b"a\nb\n");
    assert_eq!(sandbox.runs(), 3);
    nothing_piles_up(&sandbox);
}

#[test]
fn unrelated_calls_do_not_wait() {
    let (sandbox, mut gate) = world("", "echo out");
    let runner = Caller::start(sandbox.memo().arg("./run"));
    until("it runs", || sandbox.runs() == 1);
    for n in 0..20 {
        let n = n.to_string();
        all_are(&ends(crowd(&sandbox, 1, &["puppet", "print", &n])), 0, format!("{n}\n").as_bytes());
        all_are(&ends(crowd(&sandbox, 1, &["-k", &n, "puppet", "print", "x"])), 0, b"x\n");
    }
    gate.open();
    all_are(&[runner.end()], 0, b"out\n");
}

#[test]
fn only_cached_never_waits() {
    let (sandbox, mut gate) = world("", "echo out");
    let runner = Caller::start(sandbox.memo().arg("./run"));
    until("it runs", || sandbox.runs() == 1);
    let asked = Caller::start(sandbox.memo().args(["--only-cached", "./run"])).end();
    assert_eq!((asked.status, asked.stdout), (75, Vec::new()));
    gate.open();
    all_are(&[runner.end()], 0, b"out\n");
    all_are(&ends(crowd(&sandbox, 1, &["--only-cached", "./run"])), 0, b"out\n");
}

#[test]
fn a_refresh_is_not_answered_by_a_run_that_began_before_it() {
    let (sandbox, mut gate) = world("", "wc -l <$RUNS");
    let runner = Caller::start(sandbox.memo().arg("./run"));
    until("it runs", || sandbox.runs() == 1);
    let refresh = Caller::start(sandbox.memo().args(["--refresh", "./run"]));
    until_waiting(&sandbox, 1);
    gate.open();
    all_are(&[runner.end()], 0, b"1\n");
    all_are(&[refresh.end()], 0, b"2\n");
    all_are(&ends(crowd(&sandbox, 1, &["./run"])), 0, b"2\n");
    nothing_piles_up(&sandbox);
}

#[test]
fn refreshes_share_a_run_that_began_after_all_of_them() {
    let (sandbox, mut gate) = world("", "echo out");
    let runner = Caller::start(sandbox.memo().arg("./run"));
    until("it runs", || sandbox.runs() == 1);
    let refreshes = crowd(&sandbox, 10, &["--refresh", "./run"]);
    until_waiting(&sandbox, 10);
    // The second run waits too, until all have asked for the lease that it has.
    runner.kill(Signal::TERM);
    assert_eq!(runner.end().status, 128 + 15);
    until_waiting(&sandbox, 9);
    gate.open();
    all_are(&ends(refreshes), 0, b"out\n");
    assert_eq!(sandbox.runs(), 2);
    nothing_piles_up(&sandbox);
}

#[test]
fn what_is_cleared_while_it_runs_is_not_recorded() {
    let (sandbox, mut gate) = world("", "echo out");
    let mut callers = crowd(&sandbox, 5, &["./run"]);
    until_waiting(&sandbox, 4);
    until("it runs", || sandbox.runs() == 1);
    let runner = take_holder(&sandbox, &mut callers);
    sandbox.ok("memo clear --yes");
    gate.open();
    all_are(&[runner.end()], 0, b"out\n");
    all_are(&ends(callers), 0, b"out\n");
    nothing_piles_up(&sandbox);

    // One alone leaves nothing.
    let (sandbox, mut gate) = world("", "echo out");
    let runner = Caller::start(sandbox.memo().arg("./run"));
    until("it runs", || sandbox.runs() == 1);
    sandbox.ok("memo clear --yes");
    gate.open();
    all_are(&[runner.end()], 0, b"out\n");
    assert_eq!(sandbox.manifests(), 0);
    nothing_piles_up(&sandbox);
}

#[test]
fn a_refresh_whose_entry_is_cleared_while_it_runs_is_not_recorded() {
    let sandbox = Sandbox::new();
    let mut gate = Gate::new(&sandbox, "gate");
    sandbox.script("run", "#!/bin/sh\necho . >>$RUNS\n[ -e wait ] && read x <gate\nwc -l <$RUNS\n");
    sandbox.ok("memo puppet print other");
    assert_eq!(sandbox.ok("memo ./run"), "1\n");
    sandbox.write("wait", "");
    let runner = Caller::start(sandbox.memo().args(["--refresh", "./run"]));
    until("it runs", || sandbox.runs() == 2);
    sandbox.ok("memo clear --yes '*./run*'");
    gate.open();
    all_are(&[runner.end()], 0, b"2\n");
    assert_eq!(sandbox.ok("memo ./run"), "3\n");
    assert_eq!(sandbox.manifests(), 2);
    nothing_piles_up(&sandbox);
}

#[test]
fn a_caller_that_is_killed_while_it_waits_changes_nothing() {
    let (sandbox, mut gate) = world("", "echo out");
    let mut callers = crowd(&sandbox, 10, &["./run"]);
    until_waiting(&sandbox, 9);
    let pid = holder(&sandbox);
    let is_runner = |caller: &Caller| caller.pid().as_raw_nonzero().get() == pid;
    let waiting: Vec<Pid> = callers.iter().filter(|one| !is_runner(one)).map(Caller::pid).collect();
    for &pid in &waiting[..5] {
        kill_process(pid, Signal::KILL).unwrap();
    }
    until_waiting(&sandbox, 4);
    gate.open();
    callers.retain(|caller| !waiting[..5].contains(&caller.pid()));
    all_are(&ends(callers), 0, b"out\n");
    assert_eq!(sandbox.runs(), 1);
    nothing_piles_up(&sandbox);
}
