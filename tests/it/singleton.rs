//! Asking for a singleton: who gets the same process, what replaces it, and what stands in the way of that.
//!
//! Each process holds a name that only one can hold: was one started before all of the other had gone, that shows.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::Signal;
use snapbox::{assert_data_eq, str};

use crate::crowd::{Caller, Gate, until};
use crate::living::{Process, Singletons, asleep, switches};
use crate::sandbox::Ran;

/// The singleton of most tests here: it says itself when it is ready.
const DB: &str = "--ready-notify -- puppet serve db notify READY=1";

/// Returns a sandbox that is a project, in all of which a name is one and the same.
fn project() -> Singletons {
    let all = Singletons::new();
    fs::create_dir(all.path(".git")).unwrap();
    fs::create_dir(all.path("sub")).unwrap();
    all.write("conf", "old\n");
    all.script("bin/server", "#!/bin/sh\nexec puppet serve db notify READY=1 # old\n");
    all
}

/// Runs `memo singleton WORDS` by the shell, in a directory below, after what is done before it.
fn ask(all: &Singletons, before: &str, words: &str) -> Ran {
    all.run(format!("{before}\nexec memo singleton db --print id --ready-notify {words}"))
}

#[test]
fn whoever_asks_again_gets_the_same_process() {
    let all = Singletons::new();
    let id = all.id(&format!("db {DB}"));
    assert_eq!(all.id(&format!("db {DB}")), id);
    assert_eq!(all.id("db"), id);
    let process = all.service("db");
    assert_eq!(all.starts(), [process.pid]);
    assert!(!process.has_ended());
    all.line("stop db -q");
    assert!(process.has_ended());
    all.none_left();
    all.is_free("db");
}

/// Asks twice, with something done between; another process is there afterwards, and memo said why.
#[track_caller]
fn replaced(first: [&str; 2], second: [&str; 2], said: &str) {
    let all = project();
    let one = ask(&all, first[0], first[1]);
    assert_eq!((one.code, one.stderr.as_str()), (0, ""), "{first:?}");
    let old = all.service("db");
    let two = ask(&all, second[0], second[1]);
    let expected = format!("memo: singleton `db` is replaced: {said}\n");
    assert_eq!((two.code, two.stderr), (0, expected), "{second:?}");
    assert_ne!(one.stdout, two.stdout);
    assert!(old.has_ended(), "{second:?}");
    assert_eq!(all.starts(), [old.pid, all.service("db").pid], "{second:?}");
    all.never_twice();
}

const SERVE: &str = "-- puppet serve db notify READY=1";

#[test]
fn another_command_replaces_it() {
    replaced(["", SERVE], ["", "-- puppet serve db notify READY=1 print x"], "words");
}

#[test]
fn another_assignment_replaces_it() {
    let serve = "puppet serve db notify READY=1";
    replaced(["", &format!("-- A=1 {serve}")], ["", &format!("-- A=2 {serve}")], "assignment: `A`");
}

#[test]
fn a_declared_file_that_changed_replaces_it() {
    let words = format!("-i conf {SERVE}");
    replaced(["", &words], ["echo new >conf", &words], "input-changed: `conf`");
    replaced(["", &words], ["rm conf; mkdir conf", &words], "input-changed: `conf`");
    let words = format!("-i '*.conf' {SERVE}");
    replaced(["", &words], ["echo new >x.conf", &words], "tree-changed: `.`");
}

#[test]
fn a_declared_variable_that_changed_replaces_it() {
    let words = format!("-e COLOUR {SERVE}");
    replaced(["export COLOUR=1", &words], ["export COLOUR=2", &words], "env: `COLOUR`");
    replaced(["export COLOUR=1", &words], ["", &words], "env: `COLOUR`");
}

#[test]
fn a_declared_text_or_command_that_changed_replaces_it() {
    replaced(["", &format!("-k v=1 {SERVE}")], ["", &format!("-k v=2 {SERVE}")], "key-text: `v`");
    let words = format!("--key-cmd v='cat conf' {SERVE}");
    replaced(["", &words], ["echo new >conf", &words], "key-cmd: `v`");
}

#[test]
fn another_directory_replaces_it() {
    replaced(["", SERVE], ["cd sub", SERVE], "cwd");
    let again = "rm -r made; mkdir made; cd made";
    replaced(["mkdir made; cd made", SERVE], [again, SERVE], "cwd: it was removed and made again");
    // The process is still in the first.
    kept(["mkdir made; cd made", &format!("--no-cwd {SERVE}")], [again, &format!("--no-cwd {SERVE}")]);
}

#[test]
fn a_program_that_changed_replaces_it() {
    let change = "sed -i s/old/new/ bin/server";
    replaced(["", "-- bin/server"], [change, "-- bin/server"], "program: `bin/server`");
}

#[test]
fn several_things_that_changed_are_all_named() {
    let words = |text| format!("-k v={text} -e COLOUR -i conf {SERVE}");
    replaced(
        ["", &words("1")],
        ["export COLOUR=2; echo new >conf", &words("2")],
        "env: `COLOUR`, key-text: `v`, input-changed: `conf`",
    );
}

/// Asks twice, with something done between; the same process is there afterwards, and memo said nothing.
#[track_caller]
fn kept(first: [&str; 2], second: [&str; 2]) {
    let all = project();
    let one = ask(&all, first[0], first[1]);
    let two = ask(&all, second[0], second[1]);
    assert_eq!((one.code, one.stderr.as_str()), (0, ""), "{first:?}");
    assert_eq!(two, one, "{second:?}");
    assert_eq!(all.starts().len(), 1);
}

#[test]
fn a_file_that_was_only_touched_keeps_it() {
    let words = format!("-i conf {SERVE}");
    kept(["", &words], ["touch conf", &words]);
    kept(["", &words], ["cp conf x; mv x conf", &words]);
}

#[test]
fn what_was_not_declared_keeps_it() {
    kept(["export COLOUR=1", SERVE], ["export COLOUR=2", SERVE]);
    kept(["", SERVE], ["export LANG=C LC_ALL=C TZ=UTC", SERVE]);
    kept(["", SERVE], ["echo new >conf", SERVE]);
    kept(["", &format!("--no-cwd {SERVE}")], ["cd sub", &format!("--no-cwd {SERVE}")]);
    let change = "sed -i s/old/new/ bin/server";
    kept(["", "--no-exe -- bin/server"], [change, "--no-exe -- bin/server"]);
}

#[test]
fn what_begins_with_an_underscore_keeps_it() {
    let serve = "puppet serve db notify READY=1";
    kept(["", &format!("-- _A=1 {serve}")], ["", &format!("-- _A=2 {serve}")]);
    kept(["", SERVE], ["", &format!("-k _label=2 {SERVE}")]);
    kept(["", &format!("-i _c=conf {SERVE}")], ["echo new >conf", &format!("-i _c=conf {SERVE}")]);
}

#[test]
fn how_long_it_may_take_and_live_keeps_it() {
    let words = "--timeout 59s --idle 1h --ttl 1h --grace 9s --stop-signal INT --on-change fail --busy kill";
    kept(["", SERVE], ["", &format!("{words} --on-release true --restart on-failure {SERVE}")]);
}

#[test]
fn a_change_can_be_passed_over_or_be_an_error() {
    let all = project();
    let id = all.id(&format!("db -k v=1 {DB}"));
    let session = all.steps(&[
        "memo singleton why db -k v=1 -- puppet serve db notify READY=1",
        "memo singleton why db -k v=2 -- puppet serve db notify READY=1",
        "memo singleton db --on-change keep -k v=2 -- puppet serve db notify READY=1",
        "memo singleton db --on-change fail -k v=2 -- puppet serve db notify READY=1",
        "memo singleton db --no-start -k v=2 -- puppet serve db notify READY=1",
        "memo singleton db",
        "memo singleton why other -- puppet serve other",
    ]);
    assert_data_eq!(
        session.replace(&id, "[ID]"),
        str![[r#"
$ memo singleton why db -k v=1 -- puppet serve db notify READY=1
singleton `db` would be used
$ memo singleton why db -k v=2 -- puppet serve db notify READY=1
singleton `db` would be replaced
  key-text: `v`
[exit 1]
$ memo singleton db --on-change keep -k v=2 -- puppet serve db notify READY=1
memo: warning: singleton `db` is kept although this changed: key-text: `v`
memo:   hint: without `--on-change keep` it is replaced
[ID]
$ memo singleton db --on-change fail -k v=2 -- puppet serve db notify READY=1
memo: error: singleton `db` was not replaced: key-text: `v` (`--on-change fail`)
memo:   hint: `memo singleton stop db` ends it
[exit 75]
$ memo singleton db --no-start -k v=2 -- puppet serve db notify READY=1
memo: error: singleton `db` was not replaced: key-text: `v` (`--no-start`)
memo:   hint: `memo singleton stop db` ends it
[exit 75]
$ memo singleton db
[ID]
$ memo singleton why other -- puppet serve other
singleton `other` would be started
  not-running
[exit 1]

"#]]
    );
    assert_eq!(all.starts().len(), 1);
}

#[test]
fn what_is_not_there_is_not_started_when_nobody_wants_that() {
    let all = Singletons::new();
    let session = all.steps(&[
        "memo singleton db --no-start -- puppet serve db",
        "memo singleton db",
        "memo singleton status db",
        "memo singleton stop db",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton db --no-start -- puppet serve db
memo: error: singleton `db` is not running
memo:   hint: without `--no-start` it is started
[exit 75]
$ memo singleton db
memo: error: singleton `db` is not running
memo:   hint: `memo singleton db -- COMMAND` starts it
[exit 125]
$ memo singleton status db
memo: error: singleton `db` is not running
[exit 1]
$ memo singleton stop db

"#]]
    );
    assert!(all.starts().is_empty());
}

#[test]
fn callers_who_disagree_all_get_what_they_want() {
    /// So often each of them asks.
    const TIMES: usize = 10;
    let all = Singletons::new();
    let caller = |text: &str| {
        let line = format!(
            "for ((i = 0; i < {TIMES}; i++)); do memo singleton db -k {text} {DB} || exit; done; echo done"
        );
        Caller::start(&mut all.shell(line))
    };
    let callers = ["one", "two"].map(caller);
    let ended = callers.map(Caller::end);
    for one in &ended {
        assert_eq!(one.status, 0, "{}", one.stderr);
        assert_eq!(one.stdout.iter().filter(|byte| **byte == b'\n').count(), TIMES + 1);
    }
    all.never_twice();
    // As often as they come in turn; at least once, for both have been there.
    assert!((2..=2 * TIMES).contains(&all.starts().len()), "{:?}", all.starts());
    let last = all.ran(&format!("db -k one {DB}"));
    assert_eq!(last.code, 0, "{}", last.stderr);
}

#[test]
fn that_callers_disagree_is_said_but_not_of_one_edit_after_another() {
    let all = project();
    for text in ["1", "2", "1"] {
        all.line(&format!("db -q -k v={text} {DB}"));
    }
    let session = all.steps(&[
        "memo singleton db -k v=3 --ready-notify -- puppet serve db notify READY=1 >ids",
        "memo singleton db -k v=1 --ready-notify -- puppet serve db notify READY=1 >ids",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton db -k v=3 --ready-notify -- puppet serve db notify READY=1 >ids
memo: singleton `db` is replaced: key-text: `v`
$ memo singleton db -k v=1 --ready-notify -- puppet serve db notify READY=1 >ids
memo: singleton `db` is replaced: key-text: `v`
memo: warning: singleton `db` was replaced 4 times in the last minute: callers disagree about it
memo:   hint: `memo singleton why` says what differs; `--on-change keep` lets one of them have its way

"#]]
    );
}

/// Returns a singleton that somebody holds until the gate opens. Then that is noted in `order`, as is each start.
fn held() -> (Singletons, Gate, Caller) {
    let all = project();
    let gate = Gate::new(&all, "gate");
    let holder = Caller::start(
        &mut all.memo(&format!("run db {HELD} --exec puppet waitfifo gate , append order released")),
    );
    until("it is held", || all.ran("status db --json").stdout.contains("\"leases\":1,"));
    (all, gate, holder)
}

const HELD: &str = "--ready-notify -- puppet append order started , serve db notify READY=1";

/// Starts somebody who wants another one, and returns when memo has said that it is replaced.
fn replacing(all: &Singletons, words: &str) -> (std::process::Child, BufReader<std::process::ChildStderr>) {
    let mut memo = all.memo(&format!("db -k new {words} {HELD}"));
    let mut child = memo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "memo: singleton `db` is replaced: key-text\n");
    (child, stderr)
}

#[test]
fn a_replacement_waits_for_whoever_holds_it() {
    let (all, mut gate, holder) = held();
    let old = all.service("db");
    let (child, _stderr) = replacing(&all, "");
    until("it waits", || asleep(child.id().cast_signed()));
    assert_eq!(all.status("db").number("leases"), 1);
    assert!(!old.has_ended());
    gate.open();
    assert_eq!(holder.end().status, 0);
    let replaced = child.wait_with_output().unwrap();
    assert!(replaced.status.success());
    assert_eq!(all.read("order"), "started\nreleased\nstarted\n");
    assert!(old.has_ended());
    all.never_twice();
}

#[test]
fn whoever_is_killed_holds_nothing() {
    let (all, _gate, holder) = held();
    let (child, _stderr) = replacing(&all, "");
    holder.kill(Signal::KILL);
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(all.read("order"), "started\nstarted\n");
    all.never_twice();
}

#[test]
fn whoever_gives_up_waiting_leaves_it_to_others() {
    let (all, mut gate, holder) = held();
    let (mut child, _stderr) = replacing(&all, "");
    child.kill().unwrap();
    child.wait().unwrap();
    // Somebody who wants the one that is there gets it again.
    let ran = all.ran(&format!("db {HELD}"));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    gate.open();
    assert_eq!(holder.end().status, 0);
    assert_eq!(all.read("order"), "started\nreleased\n");
}

#[test]
fn one_that_is_held_can_be_left_or_ended_all_the_same() {
    let (all, mut gate, holder) = held();
    let old = all.service("db");
    let session = all.steps(&[
        "memo singleton db -k new --busy fail -- puppet serve db",
        "memo singleton stop db --busy fail",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton db -k new --busy fail -- puppet serve db
memo: error: singleton `db` was not replaced: it is in use by 1 (`--busy fail`)
memo:   hint: `--busy wait` waits until it is not, `--busy kill` does not
[exit 75]
$ memo singleton stop db --busy fail
memo: error: singleton `db` was not ended: it is in use by 1
memo:   hint: `--busy wait` waits until it is not, `--busy kill` does not
[exit 75]

"#]]
    );
    assert!(!old.has_ended());
    let ran = all.ran(&format!("db -k new --busy kill {HELD}"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(old.has_ended());
    // The command that held it goes on to its end.
    gate.open();
    assert_eq!(holder.end().status, 0);
    assert_eq!(all.read("order"), "started\nstarted\nreleased\n");
    all.never_twice();
}

#[test]
fn whoever_waits_for_the_end_of_the_one_before_sleeps() {
    let all = Singletons::new();
    let mut gate = Gate::new(&all, "gate");
    let release = all.path("gate");
    let mut memo = all.memo("db --ready-notify --on-release");
    memo.arg(format!("cat {}", release.display()));
    memo.args(["--", "puppet", "serve", "db", "notify", "READY=1"]);
    assert_eq!(Ran::of(&mut memo).code, 0);
    let old = all.service("db");
    let mut asker = all.memo(&format!("db -q -k new {DB}"));
    let asker = Caller::start(&mut asker);
    old.gone();
    let pid = asker.number();
    until("what the one before leaves is released", || all.all_called("cat").len() == 1);
    // Others run meanwhile, many times over: one that asked again and again would have had a turn.
    until("it waits and does nothing", || {
        let before = switches(pid);
        (0..20).all(|_| all.ran("status db").code == 0 && switches(pid) == before)
    });
    gate.open();
    assert_eq!(asker.end().status, 0);
    all.never_twice();
}

#[test]
fn ci_systems_find_it_unless_it_is_to_survive_them() {
    let mut all = Singletons::new();
    let cookies = ["RUNNER_TRACKING_ID", "BUILD_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE"];
    for cookie in cookies {
        all.set(cookie, "1");
    }
    for (name, words, there) in [("found", "", true), ("hidden", "--survive-ci", false)] {
        all.line(&format!("{name} {words} -- puppet serve {name}"));
        for process in [all.guardian(name), all.supervisor(name), all.service(name)] {
            let environment = fs::read_to_string(format!("/proc/{}/environ", process.pid)).unwrap();
            for cookie in cookies {
                let entry = format!("{cookie}=1");
                let has = environment.split('\0').any(|known| known == entry);
                assert_eq!(has, there, "{name}: {cookie} of {}", process.command());
            }
        }
    }
}

#[test]
fn it_starts_with_no_signal_ignored_or_blocked() {
    let all = Singletons::new();
    let callers = [
        "trap '' HUP INT QUIT TERM PIPE; exec",
        "exec env --block-signal=TERM,INT,CHLD,USR1",
        "exec env --ignore-signal=INT,QUIT,CHLD,PIPE --block-signal",
    ];
    for (number, caller) in callers.iter().enumerate() {
        let gate = Gate::new(&all, &format!("gate{number}"));
        let ran = all.run(format!("{caller} memo singleton s{number} -- cat gate{number}"));
        assert_eq!(ran.code, 0, "{caller}: {}", ran.stderr);
        let process = all.service(&format!("s{number}"));
        assert_eq!(process.signals(), [0, 0], "{caller}");
        all.line(&format!("stop -q s{number}"));
        drop(gate);
    }
}

#[test]
fn no_process_of_it_has_the_lock() {
    let all = Singletons::new();
    all.line("db -- puppet serve db leave pause , orphan pause");
    until("all are there", || all.puppets() == 3);
    let lock = all.slot("db").join("lock");
    let [guardian, supervisor] = [all.guardian("db").pid, all.supervisor("db").pid];
    for (pid, words) in all.processes() {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let has = open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|path| path == lock);
        assert_eq!(has, [guardian, supervisor].contains(&pid), "{words}");
    }
    assert!(all.ran("stop db").code == 0);
    all.none_left();
    all.is_free("db");
}

#[test]
fn what_cannot_be_run_or_ends_at_once_is_said_at_once() {
    let all = Singletons::new();
    all.write("data", "x\n");
    let session = all.steps(&[
        "memo singleton x -- nosuch",
        "memo singleton x -- ./data",
        "memo singleton x -- puppet exit 7",
        "memo singleton x -- puppet print hello , eprint err , exit 7",
        "memo singleton x -- puppet exit 0",
        "memo singleton x -- puppet signal KILL",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton x -- nosuch
memo: error: cannot run `nosuch`: no such command
memo:   hint: is it a shell builtin or a function? try `-- sh -c '...'`
[exit 127]
$ memo singleton x -- ./data
memo: error: cannot run `./data`: Permission denied
memo:   hint: `chmod +x ./data`, or run it by its interpreter: `-- sh ./data`
[exit 126]
$ memo singleton x -- puppet exit 7
memo: error: singleton `x` ended before it was ready: exit 7
[exit 7]
$ memo singleton x -- puppet print hello , eprint err , exit 7
memo: error: singleton `x` ended before it was ready: exit 7
memo:   | hello
memo:   | err
[exit 7]
$ memo singleton x -- puppet exit 0
memo: error: singleton `x` ended before it was ready: exit 0
[exit 125]
$ memo singleton x -- puppet signal KILL
memo: error: singleton `x` ended before it was ready: signal 9
[exit 137]

"#]]
    );
    // It is told before the last of it has gone.
    until("nothing is left", || all.processes().is_empty());
    all.is_free("x");
}

#[test]
fn what_is_not_ready_in_time_is_ended() {
    let all = Singletons::new();
    let options = "--timeout 200ms --grace 100ms";
    let session = all.steps(&[
        &format!("memo singleton x {options} --ready-notify -- puppet serve x"),
        &format!("memo singleton x {options} --ready-log up -- puppet serve x"),
        &format!("memo singleton x {options} --ready-file f -- puppet ignoring TERM serve x leave pause"),
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton x --timeout 200ms --grace 100ms --ready-notify -- puppet serve x
memo: error: singleton `x` was not ready within 200 ms: the service did not send READY=1 to NOTIFY_SOCKET
memo:   hint: `--timeout 5m` gives it longer
[exit 124]
$ memo singleton x --timeout 200ms --grace 100ms --ready-log up -- puppet serve x
memo: error: singleton `x` was not ready within 200 ms: no line of the log matches `up`
memo:   hint: a program that writes to no terminal may keep its lines back: `python3 -u`, `stdbuf -oL`
[exit 124]
$ memo singleton x --timeout 200ms --grace 100ms --ready-file f -- puppet ignoring TERM serve x leave pause
memo: error: singleton `x` was not ready within 200 ms: `$T/work/f` is not there, or older than the service
memo:   hint: `--timeout 5m` gives it longer
[exit 124]

"#]]
    );
    // Whoever asked heard of it before the last had gone.
    until("it has ended", || all.processes().is_empty());
    all.is_free("x");
    all.never_twice();
}

#[test]
fn what_ends_before_it_is_ready_has_done_so_for_all_who_wait() {
    let all = Singletons::new();
    let mut gate = Gate::new(&all, "gate");
    let line = "x --ready-notify -- puppet print hello , append runs . , waitfifo gate , exit 7";
    let callers: Vec<Caller> = (0..50).map(|_| Caller::start(&mut all.memo(line))).collect();
    let supervisor = || all.ran("status x --json").code == 0;
    until("it is started", || supervisor() && all.path("runs").exists());
    let supervisor: Process = all.supervisor("x");
    /// Where callers connect, and where the process says that it is ready.
    const LISTENING: usize = 2;
    // All are let in, have asked, and wait; and the supervisor has heard them.
    until("all wait", || {
        supervisor.sockets() == callers.len() + LISTENING
            && callers.iter().all(|caller| asleep(caller.number()))
            && asleep(supervisor.pid)
    });
    gate.open();
    for caller in callers {
        let ended = caller.end();
        assert_eq!(ended.status, 7, "{}", ended.stderr);
        assert_eq!(
            ended.stderr,
            "memo: error: singleton `x` ended before it was ready: exit 7\nmemo:   | hello\n"
        );
    }
    assert_eq!(all.read("runs"), ".\n");
}

#[test]
fn what_is_kept_is_said_whatever_else_is_warned_of() {
    let all = Singletons::new();
    all.write("memo.toml", "bad\n");
    let id = all.ok("memo singleton db -q --print id -k a -- puppet serve db");
    let ran = all.run("memo singleton db --print id --on-change keep -k b -- puppet serve db");
    assert_eq!((ran.code, ran.stdout), (0, id));
    let kept = "memo: warning: singleton `db` is kept although this changed: key-text\n\
                memo:   hint: without `--on-change keep` it is replaced\n";
    let warned = ran.stderr.strip_suffix(kept).unwrap_or_else(|| panic!("{}", ran.stderr));
    assert!(warned.starts_with("memo: warning: ") && warned.contains("memo.toml:1: "), "{warned}");
}
