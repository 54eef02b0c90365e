//! How the life of a singleton ends, and what is done then: stops, idle and old ones, checks, releases, restarts.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use snapbox::{assert_data_eq, str};

use crate::crowd::{Caller, Gate, until};
use crate::living::{Process, Singletons};
use crate::sandbox::Sandbox;

const SERVE: &str = "puppet serve k";

/// Waits until a singleton has ended, and returns what is said of that: why, and how.
#[track_caller]
fn ended(singletons: &Singletons, name: &str) -> String {
    let mut how = None;
    until("it has ended", || {
        let said = singletons.ran(&format!("status {name}")).stderr;
        how = said.split_once("ago: ").and_then(|(_, how)| how.split(';').next()).map(str::to_owned);
        how.is_some()
    });
    how.unwrap()
}

/// Starts a command that holds `k` until a gate is open.
fn held(singletons: &Singletons, gate: &str) -> (Caller, Gate) {
    let gate_file = Gate::new(singletons, gate);
    let before = singletons.status("k").number("leases");
    let holder = Caller::start(&mut singletons.memo(&format!("run k --exec puppet waitfifo {gate}")));
    until("it is held", || singletons.status("k").number("leases") == before + 1);
    (holder, gate_file)
}

mod stop {
    use super::*;

    /// A service ends so when it is stopped, and then all of it has gone and whoever starts the next gets the lock.
    #[track_caller]
    fn check(start: &str, stop: &str, how: &str) {
        let singletons = Singletons::new();
        singletons.fifo("never");
        singletons.ok(&format!("memo singleton k {start}"));
        singletons.line(stop);
        singletons.none_left();
        singletons.is_free("k");
        assert_eq!(ended(&singletons, "k"), format!("stopped ({how})"), "{start}");
        singletons.line(stop);
        singletons.never_twice();
    }

    #[test]
    fn one_that_obeys_ends_as_it_likes() {
        check("-- puppet serve k", "stop k", "signal 15");
        let trap = |signal| format!("puppet block {signal} , touch up , await , exit 5");
        check(&format!("--ready-file up -- {}", trap("TERM")), "stop k", "exit 5");
        check(&format!("--ready-file up --stop-signal USR1 -- {}", trap("USR1")), "stop k", "exit 5");
        check(&format!("--ready-file up --stop-signal 2 -- {}", trap("INT")), "stop k", "exit 5");
    }

    #[test]
    fn one_that_does_not_is_killed() {
        let ignoring = "puppet ignoring TERM serve k , touch up";
        check(&format!("--ready-file up -- {ignoring}"), "stop k --grace 50ms", "signal 9");
        check(&format!("--ready-file up --grace 50ms -- {ignoring}"), "stop k", "signal 9");
        check(&format!("--ready-file up -- {ignoring}"), "stop --all --grace 0s", "signal 9");
        // And so are those that it leaves behind.
        let leaves = "puppet serve k , orphan \"ignoring TERM touch up , pause\"";
        check(&format!("--ready-file up --grace 50ms -- {leaves}"), "stop k", "signal 15");
    }

    #[test]
    fn one_that_ends_while_it_is_looked_at_has_left_nothing() {
        let singletons = Singletons::new();
        singletons.fifo("looked");
        let look = "--ready-cmd 'puppet tellfifo looked , pause'";
        let ran = singletons.run(format!("memo singleton k {look} -- puppet waitfifo looked"));
        assert_data_eq!(
            ran.stderr,
            str![[r#"
memo: error: singleton `k` ended before it was ready: exit 0

"#]]
        );
        until("nothing is left", || singletons.processes().is_empty());
    }

    #[test]
    fn one_that_was_stopped_goes_on_to_end() {
        let singletons = Singletons::new();
        singletons.line(&format!("k -- {SERVE}"));
        let process = singletons.service("k");
        process.kill(Signal::STOP);
        singletons.line("stop k");
        process.gone();
        // It was not killed for want of an answer.
        assert_eq!(ended(&singletons, "k"), "stopped (signal 15)");
    }

    #[test]
    fn what_is_not_there_is_stopped() {
        let singletons = Singletons::new();
        let session = singletons.steps(&[
            "memo singleton stop k",
            "memo singleton k -- puppet serve k >id",
            "memo singleton stop k",
            "memo singleton stop k",
            "memo singleton stop --all",
            "memo singleton stop k --instance xyz",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo singleton stop k
$ memo singleton k -- puppet serve k >id
$ memo singleton stop k
$ memo singleton stop k
$ memo singleton stop --all
$ memo singleton stop k --instance xyz
memo: error: `xyz` is no id of an instance
memo:   hint: `memo singleton id NAME` prints one
[exit 2]

"#]]
        );
    }

    /// Returns one whose supervisor was killed, and what is left of it, which ends when it is killed and not before.
    fn lost(singletons: &Singletons) -> [Process; 2] {
        let left = "orphan \"ignoring TERM setsid , touch left , pause\"";
        singletons.ok(&format!(
            "memo singleton k --grace 1h --ready-file left -- puppet ignoring TERM serve k , {left}"
        ));
        let (guardian, supervisor) = (singletons.guardian("k"), singletons.supervisor("k"));
        let service = singletons.service("k");
        let left =
            singletons.all_called("puppet").into_iter().find(|puppet| puppet.pid != service.pid).unwrap();
        supervisor.kill(Signal::KILL);
        supervisor.gone();
        [guardian, left]
    }

    #[test]
    fn one_without_a_supervisor_is_not_said_to_be_ended_when_it_is_not() {
        let singletons = Singletons::new();
        let [guardian, left] = lost(&singletons);
        assert_data_eq!(
            singletons.steps(&["MEMO_FAULT=stop.longest=0 memo singleton stop k"]),
            str![[r#"
$ MEMO_FAULT=stop.longest=0 memo singleton stop k
memo: error: singleton `k` was told to end and has not
memo:   hint: `--grace 0s` does not wait until it ends by itself
[exit 125]

"#]]
        );
        assert!(!left.has_ended() && !guardian.has_ended());
    }

    #[test]
    fn one_without_a_supervisor_has_no_longer_than_it_is_given() {
        let singletons = Singletons::new();
        let [guardian, left] = lost(&singletons);
        singletons.line("stop k --grace 0s");
        assert!(left.has_ended());
        guardian.gone();
        singletons.is_free("k");
        assert_eq!(ended(&singletons, "k"), "supervisor-lost");
    }

    #[test]
    fn of_all_one_that_cannot_be_ended_is_no_hindrance_to_the_others() {
        let singletons = Singletons::new();
        for name in ["a", "b", "k", "z"] {
            singletons.line(&format!("{name} -- puppet serve {name}"));
        }
        let (holder, mut gate) = held(&singletons, "gate");
        let silent = singletons.supervisor("b");
        silent.kill(Signal::STOP);
        let session = singletons.steps(&["memo singleton stop --all --busy fail"]);
        silent.kill(Signal::CONT);
        let session = session.replace(&silent.pid.to_string(), "PID");
        assert_data_eq!(
            session,
            str![[r#"
$ memo singleton stop --all --busy fail
memo: error: singleton `b`: its supervisor (process PID) did not answer within 5 s
memo:   hint: if it was stopped, `kill -CONT PID` lets it go on
memo: error: singleton `k` was not ended: it is in use by 1
memo:   hint: `--busy wait` waits until it is not, `--busy kill` does not
[exit 124]

"#]]
        );
        // It hears of that after all.
        silent.gone();
        assert_eq!(singletons.puppets(), 2);
        gate.open();
        assert_eq!(holder.end().status, 0);
    }

    #[test]
    fn all_are_ended_at_one_time() {
        let singletons = Singletons::new();
        let mut gate = Gate::new(&singletons, "gate");
        for name in ["a", "b"] {
            let acts = format!(
                "serve {name} , block TERM , touch up{name} , await , append asked x , waitfifo gate"
            );
            singletons.line(&format!("{name} --grace 1h --ready-file up{name} -- puppet {acts} , exit 0"));
        }
        let stop = Caller::start(&mut singletons.memo("stop --all"));
        // Neither has ended when both are asked to.
        until("both are asked", || {
            fs::read_to_string(singletons.path("asked")).is_ok_and(|asked| asked.lines().count() == 2)
        });
        gate.open();
        assert_eq!(stop.end().status, 0);
        singletons.none_left();
    }

    #[test]
    fn a_late_one_does_not_hit_the_next_instance() {
        let singletons = Singletons::new();
        let first = singletons.id(&format!("k -- {SERVE}"));
        singletons.line("stop k");
        let second = singletons.id(&format!("k -- {SERVE}"));
        singletons.line(&format!("stop k --instance {first}"));
        assert_eq!(singletons.id("k"), second);
        singletons.line(&format!("stop k --instance {second}"));
        singletons.none_left();
    }

    #[test]
    fn one_that_is_held_is_left_or_waited_for_or_not() {
        let singletons = Singletons::new();
        singletons.line(&format!("k -- {SERVE}"));
        let (first, mut gate) = held(&singletons, "gate1");
        let (second, mut other) = held(&singletons, "gate2");
        assert_data_eq!(
            singletons.steps(&["memo singleton stop k --busy fail"]),
            str![[r#"
$ memo singleton stop k --busy fail
memo: error: singleton `k` was not ended: it is in use by 2
memo:   hint: `--busy wait` waits until it is not, `--busy kill` does not
[exit 75]

"#]]
        );
        let process = singletons.service("k");
        let waits = Caller::start(&mut singletons.memo("stop k --busy wait"));
        // Whoever comes now waits for what comes after it.
        until("it is promised to go", || singletons.ran("k --timeout 100ms").code == 124);
        gate.open();
        first.end();
        until("it is held by one", || singletons.status("k").number("leases") == 1);
        assert!(!process.has_ended());
        other.open();
        assert_eq!([second.end().status, waits.end().status], [0, 0]);
        process.gone();

        singletons.line(&format!("k -- {SERVE}"));
        let (holder, mut gate) = held(&singletons, "gate3");
        singletons.line("stop k");
        singletons.is_free("k");
        gate.open();
        assert_eq!(holder.end().status, 0);
        singletons.never_twice();
    }

    #[test]
    fn those_who_wait_for_it_are_told() {
        let singletons = Singletons::new();
        let start = "k --ready-file never -- puppet serve k , touch up";
        let starts = Caller::start(&mut singletons.memo(start));
        until("it runs", || singletons.path("up").exists());
        singletons.line("stop k");
        let ended = starts.end();
        assert_eq!(ended.status, 125);
        assert_data_eq!(
            ended.stderr,
            str![[r#"
memo: error: singleton `k` was ended before it was ready (stopped)

"#]]
        );
        assert_eq!(singletons.ran("wait k --ready").code, 1);
        assert_eq!(singletons.ran("k").code, 125);
    }

    #[test]
    fn one_that_puts_itself_into_the_background_is_told_not_to() {
        let singletons = Singletons::new();
        let session = singletons
            .steps(&["memo singleton k --ready-file never -- puppet serve k , leave pause , exit 0"]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo singleton k --ready-file never -- puppet serve k , leave pause , exit 0
memo: error: singleton `k` ended before it was ready: exit 0: it put itself into the background and left its processes behind
memo:   hint: let it stay in the foreground: `nginx -g 'daemon off;'`, `redis-server --daemonize no`
[exit 125]

"#]]
        );
        until("nothing is left", || singletons.processes().is_empty());
    }
}

mod wait {
    use super::*;

    #[test]
    fn it_ends_as_the_process_does() {
        let singletons = Singletons::new();
        for (acts, status) in [("exit 0", 0), ("exit 7", 7), ("signal 9", 137)] {
            let mut gate = Gate::new(&singletons, "gate");
            singletons.line(&format!("k -- puppet serve k , waitfifo gate , {acts}"));
            let process = singletons.service("k");
            let wait = Caller::start(&mut singletons.memo("wait k"));
            // Once it waits for an answer it has asked, and once a later question is answered that was read.
            until("it waits", || waits_for_answer(&wait));
            singletons.status("k");
            gate.open();
            assert_eq!(wait.end().status, status, "{acts}");
            process.gone();
            fs::remove_file(singletons.path("gate")).unwrap();
        }
        singletons.line(&format!("k -- {SERVE}"));
        let session =
            singletons.steps(&["memo singleton wait k --timeout 10ms", "memo singleton wait nobody"]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo singleton wait k --timeout 10ms
memo: error: singleton `k` has not ended after 10 ms
[exit 124]
$ memo singleton wait nobody
memo: error: singleton `nobody` is not running
[exit 1]

"#]]
        );
    }

    /// Returns whether a caller sleeps in recvfrom(2) or read(2) of a socket.
    pub(super) fn waits_for_answer(caller: &Caller) -> bool {
        let directory = format!("/proc/{}", caller.pid().as_raw_nonzero());
        let stat = fs::read_to_string(format!("{directory}/stat")).unwrap();
        let sleeps = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'));
        let connected = fs::read_dir(format!("{directory}/fd")).unwrap().flatten().any(|entry| {
            fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy().starts_with("socket:"))
        });
        sleeps && connected
    }
}

mod idle {
    use super::*;

    #[test]
    fn nobody_uses_it_and_it_ends() {
        let singletons = Singletons::new();
        singletons.line(&format!("k --idle 50ms -- {SERVE}"));
        assert_eq!(ended(&singletons, "k"), "idle (signal 15)");
        until("nothing is left", || singletons.processes().is_empty());
    }

    #[test]
    fn it_does_not_while_it_starts() {
        let singletons = Singletons::new();
        let mut gate = Gate::new(&singletons, "gate");
        let start = "k --idle 20ms --ready-file up -- puppet serve k , waitfifo gate , touch up";
        let starts = Caller::start(&mut singletons.memo(start));
        until("it runs", || !singletons.starts().is_empty());
        longer_than(20, || assert_eq!(singletons.status("k").text("stage"), "starting"));
        gate.open();
        assert_eq!(starts.end().status, 0);
        assert_eq!(ended(&singletons, "k"), "idle (signal 15)");
    }

    #[test]
    fn it_does_not_while_it_is_held() {
        let singletons = Singletons::new();
        let id = singletons.id(&format!("k --idle 1m -- {SERVE}"));
        let (holder, mut gate) = held(&singletons, "gate");
        // The latest to say something wins.
        singletons.line(&format!("k --idle 20ms -- {SERVE}"));
        longer_than(20, || assert_eq!(singletons.line("id k"), id));
        gate.open();
        assert_eq!(holder.end().status, 0);
        assert_eq!(ended(&singletons, "k"), "idle (signal 15)");
    }

    #[test]
    fn it_does_not_while_it_answers() {
        let singletons = Singletons::new();
        let mut gate = Gate::new(&singletons, "gate");
        singletons
            .write("server.sh", "read x; puppet serve k , exit 0; read y <gate; echo \"<$x>\"; read x\n");
        let call = Caller::start(&mut singletons.memo("call k a --idle 20ms -- bash server.sh"));
        until("it is asked", || !singletons.starts().is_empty());
        longer_than(20, || assert_eq!(singletons.status("k").number("calls"), 1));
        gate.open();
        assert_eq!(call.end().stdout, b"<a>\n");
        assert_eq!(ended(&singletons, "k"), "idle (signal 15)");
    }

    /// Looks again and again for longer than so many ms.
    fn longer_than(time: u64, look: impl Fn()) {
        let end = Instant::now() + Duration::from_millis(time * 2);
        while Instant::now() < end {
            look();
        }
    }

    #[test]
    fn who_comes_when_it_is_about_to_end_gets_one() {
        // Aimed at the moment, from a little before to a little after it.
        let singletons = Singletons::new();
        for shot in 0..40 {
            let request = format!("r{shot}");
            let called = singletons.ran(&format!("call k {request} --idle 20ms -- cat"));
            assert_eq!((called.code, called.stdout, called.stderr), (0, request + "\n", String::new()));
            let aim = Instant::now() + Duration::from_micros(15_000 + shot * 200);
            until("it is time", || Instant::now() >= aim);
        }
    }
}

#[test]
fn one_that_is_old_ends_when_nobody_uses_it() {
    let singletons = Singletons::new();
    let id = singletons.id(&format!("k -- {SERVE}"));
    let (holder, mut gate) = held(&singletons, "gate");
    singletons.line(&format!("k --ttl 1h -- {SERVE}"));
    assert_eq!(singletons.line("id k"), id);
    let told = singletons.ran(&format!("k --ttl 1ms --busy fail -- {SERVE}"));
    assert_eq!(told.code, 75, "{}", told.stderr);
    assert_eq!(singletons.line("id k"), id);
    gate.open();
    assert_eq!(holder.end().status, 0);
    assert_eq!(ended(&singletons, "k"), "expired (signal 15)");
}

#[test]
fn one_that_is_old_before_it_is_ready_is_handed_out() {
    let singletons = Singletons::new();
    let session = singletons.steps(&[
        "memo singleton k --ttl 1ms --print log -- puppet serve k >id",
        "memo singleton k --ttl 0s -- puppet serve k",
        "memo singleton k --idle 0s -- puppet serve k",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton k --ttl 1ms --print log -- puppet serve k >id
$ memo singleton k --ttl 0s -- puppet serve k
memo: error: `--ttl 0s`: it would be over before anybody could use it; the command was not run
memo:   hint: `--ttl none` sets no limit
[exit 125]
$ memo singleton k --idle 0s -- puppet serve k
memo: error: `--idle 0s`: it would be over before anybody could use it; the command was not run
memo:   hint: `--idle none` sets no limit
[exit 125]

"#]]
    );
}

mod place {
    use super::*;

    #[test]
    fn what_is_left_of_one_that_lost_its_place_does_nothing_to_the_next() {
        let singletons = Singletons::new();
        singletons.ok(
            "memo singleton k --grace 10m --on-release 'echo old >>released' -- puppet ignoring TERM serve k",
        );
        let [process, supervisor, guardian] =
            [singletons.service("k"), singletons.supervisor("k"), singletons.guardian("k")];
        let slot = singletons.slot("k");
        fs::rename(&slot, slot.with_file_name(".moved")).unwrap();
        let id = singletons.ok("memo singleton k --on-release 'echo new >>released' -- puppet serve other");
        supervisor.kill(Signal::KILL);
        supervisor.gone();
        // It cleans up, and is told that it may not take ten minutes.
        guardian.kill(Signal::TERM);
        guardian.gone();
        process.gone();
        assert_eq!(singletons.ok("memo singleton id k"), id);
        assert!(!singletons.path("released").exists());
        assert!(singletons.ran("stop k").code == 0 && singletons.read("released") == "new\n");
        singletons.never_twice();
    }

    /// What has lost its place ends by itself, and the next one is a new one.
    #[track_caller]
    fn check(what: impl Fn(&Singletons) -> std::path::PathBuf) {
        let singletons = Singletons::new();
        let id = singletons.id(&format!("k -- {SERVE}"));
        let [process, guardian] = [singletons.service("k"), singletons.guardian("k")];
        let gone = what(&singletons);
        // Something may be written there until it has seen that.
        until("it is removed", || {
            let removed = if gone.is_dir() { fs::remove_dir_all(&gone) } else { fs::remove_file(&gone) };
            removed.is_ok() || !gone.exists()
        });
        process.gone();
        guardian.gone();
        singletons.none_left();
        assert_ne!(singletons.id(&format!("k -- {SERVE}")), id);
    }

    #[test]
    fn one_whose_directory_is_removed_ends() {
        check(|singletons| singletons.store());
        check(|singletons| singletons.store().join("singleton"));
        check(|singletons| singletons.slot("k"));
    }

    #[test]
    fn one_whose_directory_is_moved_ends() {
        for below in ["", "singleton", "singleton/*", "singleton/*/k"] {
            let singletons = Singletons::new();
            let id = singletons.id(&format!("k -- {SERVE}"));
            let [process, guardian] = [singletons.service("k"), singletons.guardian("k")];
            singletons.ok(&format!("mv $MEMO_DIR/{below} ../moved"));
            process.gone();
            guardian.gone();
            assert_ne!(singletons.id(&format!("k -- {SERVE}")), id);
        }
    }

    #[test]
    fn one_whose_socket_or_lock_is_removed_ends() {
        check(|singletons| singletons.slot("k").join("s"));
        check(|singletons| singletons.slot("k").join("lock"));
    }

    #[test]
    fn what_is_removed_beside_it_is_nothing_to_it() {
        let singletons = Singletons::new();
        let id = singletons.id(&format!("k -- {SERVE}"));
        let slot = singletons.slot("k");
        for name in ["log", "sup.log", "deps", "state"] {
            let path = slot.join(name);
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
            assert_eq!(singletons.id("k"), id, "{name}");
        }
        assert_eq!(singletons.id(&format!("k -- {SERVE}")), id);
        assert_eq!(singletons.starts().len(), 1);
    }
}

#[test]
fn a_supervisor_that_does_not_answer_is_said_and_no_other_is_started() {
    let singletons = Singletons::new();
    let id = singletons.id(&format!("k -- {SERVE}"));
    let supervisor = singletons.supervisor("k");
    supervisor.kill(Signal::STOP);
    let session = singletons.steps(&[
        "memo singleton k --timeout 200ms -- puppet serve k",
        "memo singleton k --timeout 200ms",
        "memo singleton k --timeout 200ms -k other -- puppet serve k",
    ]);
    let session = session.replace(&supervisor.pid.to_string(), "[PID]");
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton k --timeout 200ms -- puppet serve k
memo: error: singleton `k`: its supervisor (process [PID]) did not answer within 200 ms
memo:   hint: if it was stopped, `kill -CONT [PID]` lets it go on
[exit 124]
$ memo singleton k --timeout 200ms
memo: error: singleton `k`: its supervisor (process [PID]) did not answer within 200 ms
memo:   hint: if it was stopped, `kill -CONT [PID]` lets it go on
[exit 124]
$ memo singleton k --timeout 200ms -k other -- puppet serve k
memo: error: singleton `k`: its supervisor (process [PID]) did not answer within 200 ms
memo:   hint: if it was stopped, `kill -CONT [PID]` lets it go on
[exit 124]

"#]]
    );
    supervisor.kill(Signal::CONT);
    assert_eq!(singletons.id("k"), id);
    assert_eq!(singletons.starts().len(), 1);
    singletons.never_twice();
}

mod release {
    use super::*;

    const LINE: &str = "--on-release 'echo $MEMO_SINGLETON_INSTANCE $MEMO_SINGLETON_NAME >>released'";

    /// Returns the instances that were released, in their order.
    fn released(singletons: &Singletons) -> Vec<String> {
        let released = fs::read_to_string(singletons.path("released")).unwrap_or_default();
        released.lines().map(|line| line.strip_suffix(" k").unwrap().to_owned()).collect()
    }

    fn ask(singletons: &Singletons, options: &str) -> String {
        singletons.ok(&format!("memo singleton k --print id {options} {LINE} -- {SERVE}")).trim().to_owned()
    }

    /// An instance ends so, and is released once, before the next one is there; which is released too.
    #[track_caller]
    fn once(options: &str, end: impl FnOnce(&Singletons)) {
        let singletons = Singletons::new();
        let mut ids = vec![ask(&singletons, options)];
        end(&singletons);
        // Of an instance that goes nobody is given; whoever asks waits until it has gone.
        ids.push(ask(&singletons, options));
        assert_eq!(released(&singletons)[..1], ids[..1], "{options}");
        singletons.line("stop k");
        assert_eq!(released(&singletons), ids, "{options}");
        singletons.never_twice();
    }

    /// Whoever asks is given another one from now on.
    fn until_gone(singletons: &Singletons, process: &Process) {
        process.gone();
        until("its end is seen", || singletons.ran("id k").code == 1);
    }

    #[test]
    fn when_it_is_stopped() {
        once("", |singletons| assert_eq!(singletons.line("stop k"), ""));
        once("--grace 0s", |singletons| assert_eq!(singletons.line("stop k"), ""));
    }

    #[test]
    fn when_it_is_replaced() {
        let singletons = Singletons::new();
        let ids: Vec<String> = ["-k 1", "-k 2", "-k 2 --force", "-k 3"]
            .iter()
            .map(|options| ask(&singletons, options))
            .collect();
        assert_eq!(released(&singletons), ids[..3]);
        singletons.line("restart k");
        assert_eq!(released(&singletons), ids);
        singletons.line("stop k");
        assert_eq!(released(&singletons).len(), 5);
        assert_eq!(BTreeSet::from_iter(released(&singletons)).len(), 5);
    }

    #[test]
    fn when_its_time_is_over() {
        let singletons = Singletons::new();
        let ids = ["--idle 50ms", "--ttl 50ms"].map(|options| {
            let id = ask(&singletons, options);
            let why = ended(&singletons, "k");
            assert!(["idle (signal 15)", "expired (signal 15)"].contains(&why.as_str()), "{why}");
            id
        });
        assert_eq!(released(&singletons), ids);
    }

    #[test]
    fn when_its_check_fails() {
        once("--check 'test ! -e bad || ! rm bad'", |singletons| singletons.write("bad", ""));
    }

    #[test]
    fn when_it_crashes() {
        once("", |singletons| {
            let process = singletons.service("k");
            process.kill(Signal::KILL);
            until_gone(singletons, &process);
        });
    }

    #[test]
    fn when_it_never_was_ready() {
        let singletons = Singletons::new();
        let ran =
            singletons.run(format!("memo singleton k --ready-file never {LINE} -- puppet serve k , exit 7"));
        assert_eq!(ran.code, 7, "{}", ran.stderr);
        until("it is released", || !released(&singletons).is_empty());
        // What could not even be started has nothing to be released.
        singletons.script("bad", "#!/nonexistent/interpreter\n");
        assert_eq!(singletons.run(format!("memo singleton k {LINE} -- ./bad")).code, 127);
        singletons.line("stop k");
        assert_eq!(released(&singletons).len(), 1);
    }

    #[test]
    fn when_its_supervisor_is_killed() {
        once("", |singletons| {
            let [process, supervisor] = [singletons.service("k"), singletons.supervisor("k")];
            supervisor.kill(Signal::KILL);
            supervisor.gone();
            process.gone();
        });
    }

    #[test]
    fn when_its_guardian_is_killed() {
        once("", |singletons| {
            let [process, guardian] = [singletons.service("k"), singletons.guardian("k")];
            guardian.kill(Signal::KILL);
            guardian.gone();
            process.gone();
        });
    }

    #[test]
    fn when_both_are_killed() {
        once("", |singletons| {
            let (process, supervisor, guardian) =
                (singletons.service("k"), singletons.supervisor("k"), singletons.guardian("k"));
            // So that neither sees the end of the other.
            supervisor.kill(Signal::STOP);
            guardian.kill(Signal::STOP);
            supervisor.kill(Signal::KILL);
            guardian.kill(Signal::KILL);
            supervisor.gone();
            guardian.gone();
            process.gone();
            assert_eq!(released(singletons), [""; 0]);
        });
    }

    #[test]
    fn when_it_fails_is_said() {
        let singletons = Singletons::new();
        let session = singletons.steps(&[
            "memo singleton k --on-release 'exit 3' -- puppet serve k >id",
            "memo singleton stop k",
            "memo singleton k --on-release 'kill -9 $$' -- puppet serve k >id",
            "memo singleton k --on-release true -k other -- puppet serve k >id",
            "memo singleton stop k",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo singleton k --on-release 'exit 3' -- puppet serve k >id
$ memo singleton stop k
memo: warning: the release of singleton `k` failed: exit 3
$ memo singleton k --on-release 'kill -9 $$' -- puppet serve k >id
memo: warning: the release of singleton `k` failed: exit 3
$ memo singleton k --on-release true -k other -- puppet serve k >id
memo: singleton `k` is replaced: key-text
memo: warning: the release of singleton `k` failed: signal 9
$ memo singleton stop k

"#]]
        );
    }

    #[test]
    fn it_runs_where_and_as_the_process_did() {
        let singletons = Singletons::new();
        singletons.ok("mkdir d; cd d; memo singleton k --global --on-release 'echo $X $PWD $MEMO_STATE >>r' -- X=1 puppet serve k");
        let state = singletons.line("k --global --print state");
        singletons.line("stop k --global");
        assert_eq!(singletons.read("d/r"), format!("1 {} {state}\n", singletons.path("d").display()));
    }
}

#[test]
fn a_check_that_fails_replaces_it() {
    let singletons = Singletons::new();
    singletons.write("good", "");
    let ask = "memo singleton k --print id --check \
               'echo \"$MEMO_PID $MEMO_INSTANCE\" >>checked; kill -0 $MEMO_PID && test -e good' -- puppet serve k";
    let first = singletons.ok(ask);
    // Of one that was started for it nothing need be asked.
    assert!(!singletons.path("checked").exists());
    assert_eq!(singletons.ok(ask), first);
    let pid = singletons.service("k").pid;
    assert_eq!(singletons.read("checked"), format!("{pid} {first}"));
    singletons.ok("rm good");
    let ran = singletons.run(ask);
    assert_ne!(ran.stdout, first);
    assert_data_eq!(
        ran.stderr,
        str![[r#"
memo: singleton `k` is replaced: check-failed: exit 1

"#]]
    );
    assert_eq!(singletons.read("checked").lines().count(), 2);
    singletons.never_twice();
}

#[test]
fn a_check_that_takes_all_of_the_time_leaves_enough_for_another() {
    let singletons = Singletons::new();
    singletons.fifo("never");
    let id = singletons.id(&format!("k -- {SERVE}"));
    let ran = singletons.run("memo singleton k --timeout 3s --check 'read x <never' -- puppet serve k");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_ne!(ran.stdout.trim_end(), id);
    assert_eq!(ran.stderr, "memo: singleton `k` is replaced: check-failed: not done after 3 s\n");
    assert_eq!(singletons.starts().len(), 2);
}

mod restart {
    use super::*;

    #[test]
    fn one_that_fails_is_started_again_by_itself() {
        let singletons = Singletons::new();
        let start = format!("k --restart on-failure -- {SERVE}");
        let mut seen = BTreeSet::from([singletons.id(&start)]);
        for _ in 0..2 {
            let process = singletons.service("k");
            process.kill(Signal::KILL);
            process.gone();
            until("there is another", || {
                let ran = singletons.ran("wait k --ready");
                ran.code == 0 && seen.insert(ran.stdout.trim().to_owned())
            });
        }
        assert_eq!(singletons.status("k").number("restarts"), 2);
        assert_eq!(singletons.starts().len(), 3);
        assert!(seen.contains(&singletons.id(&start)));
        singletons.line("stop k");
        singletons.none_left();
        assert_eq!(singletons.starts().len(), 3);
        singletons.never_twice();
    }

    #[test]
    fn who_waits_for_an_end_between_two_waits_for_the_next() {
        let singletons = Singletons::new();
        for last in ["kill", "stop"] {
            singletons.line(&format!("k --restart on-failure -- {SERVE}"));
            let process = singletons.service("k");
            let supervisor = singletons.supervisor("k");
            // It hears of the end and of the question at one time.
            supervisor.kill(Signal::STOP);
            process.kill(Signal::KILL);
            process.gone();
            let wait = Caller::start(&mut singletons.memo("wait k"));
            until("it waits", || super::wait::waits_for_answer(&wait));
            if last == "stop" {
                // While nothing runs: how the last one ended is all there is to say.
                let stop = Caller::start(&mut singletons.memo("stop k"));
                until("it waits", || super::wait::waits_for_answer(&stop));
                supervisor.kill(Signal::CONT);
                assert_eq!(stop.end().status, 0);
            } else {
                supervisor.kill(Signal::CONT);
                until("there is another", || singletons.ran("wait k --ready").code == 0);
                singletons.service("k").kill(Signal::INT);
                until("it is over", || singletons.status("k").number("restarts") == 2);
            }
            // It may be stopped only after it was started again.
            let expected: &[i32] = if last == "stop" { &[137, 143] } else { &[130] };
            let ended = wait.end();
            assert!(expected.contains(&ended.status), "{last}: {} {}", ended.status, ended.stderr);
            singletons.line("stop k");
        }
        singletons.none_left();
    }

    #[test]
    fn one_that_has_done_its_work_is_not() {
        let singletons = Singletons::new();
        let mut gate = Gate::new(&singletons, "gate");
        singletons.line("k --restart on-failure -- puppet serve k , waitfifo gate , exit 0");
        gate.open();
        assert_eq!(ended(&singletons, "k"), "exited (exit 0)");
        // And one that is to be is not when nobody says so any more.
        singletons.line(&format!("k --restart on-failure -- {SERVE}"));
        singletons.line(&format!("k --restart no -- {SERVE}"));
        singletons.service("k").kill(Signal::KILL);
        assert_eq!(ended(&singletons, "k"), "exited (signal 9)");
        assert_eq!(singletons.starts().len(), 2);
    }

    #[test]
    fn one_that_fails_again_and_again_is_left() {
        let singletons = Singletons::new();
        // Each ends once it was ready, and not before; the first also not before whoever started it has heard of it.
        let mut gate = Gate::new(&singletons, "gate");
        let script =
            "echo starting; puppet append began x; memo singleton wait k --ready; read x <gate; exit 3\n";
        singletons.write("start", script);
        let starts = Caller::start(&mut singletons.memo("k --restart on-failure -- sh start"));
        assert_eq!(starts.end().status, 0);
        gate.open();
        // One supervisor is with all of them.
        until("it is given up", || singletons.processes().is_empty());
        assert_eq!(ended(&singletons, "k"), "exited (exit 3)");
        assert_eq!(singletons.read("began").lines().count(), 5);
        let ran = singletons.ran("k -- sh start");
        assert_eq!(ran.code, 125);
        assert!(ran.stderr.contains("5 times in the last minute"), "{}", ran.stderr);
    }

    #[test]
    fn by_hand_it_is_what_it_was() {
        let singletons = Singletons::new();
        let first = singletons.id("k -k v --framing line -- X=1 cat");
        let printed = singletons.ok("X=2 memo singleton restart k");
        assert_ne!(printed.trim(), first);
        assert_eq!(singletons.id("k -k v -- X=1 cat"), printed.trim());
        assert_eq!(singletons.line("call k a"), "a");
        assert_data_eq!(
            singletons.steps(&["memo singleton restart nobody"]),
            str![[r#"
$ memo singleton restart nobody
memo: error: singleton `nobody` is not running
[exit 1]

"#]]
        );
    }
}

mod restart_by_hand {
    use super::*;

    #[test]
    fn one_that_is_held_is_left_or_waited_for_or_not() {
        let singletons = Singletons::new();
        let first = singletons.id(&format!("k -- {SERVE}"));
        let (holder, mut gate) = held(&singletons, "gate1");
        assert_data_eq!(
            singletons.steps(&["memo singleton restart k --busy fail"]),
            str![[r#"
$ memo singleton restart k --busy fail
memo: error: singleton `k` was not restarted: it is in use by 1 (`--busy fail`)
memo:   hint: `--busy wait` waits until it is not, `--busy kill` does not
[exit 75]

"#]]
        );
        let process = singletons.service("k");
        // Whoever gives up waiting leaves it to others.
        let gives_up = Caller::start(&mut singletons.memo("restart k"));
        until("it is promised to go", || singletons.ran("k --timeout 100ms").code == 124);
        gives_up.kill(Signal::KILL);
        gives_up.end();
        until("it is not", || singletons.ran("k --timeout 100ms").code == 0);
        assert_eq!(singletons.line("id k"), first);

        let waits = Caller::start(&mut singletons.memo("restart k -q"));
        until("it is promised to go", || singletons.ran("k --timeout 100ms").code == 124);
        assert!(!process.has_ended());
        gate.open();
        let ended = waits.end();
        assert_eq!((holder.end().status, ended.status, ended.stderr.as_str()), (0, 0, ""));
        process.gone();
        let second = String::from_utf8(ended.stdout).unwrap().trim_end().to_owned();
        assert_eq!(singletons.line("id k"), second);
        assert_ne!(first, second);

        let (holder, mut gate) = held(&singletons, "gate2");
        assert_ne!(singletons.line("restart k --busy kill"), second);
        gate.open();
        assert_eq!(holder.end().status, 0);
        singletons.never_twice();
    }

    #[test]
    fn one_that_waits_in_vain_says_for_whom() {
        let singletons = Singletons::new();
        singletons.line(&format!("k -- {SERVE}"));
        let (_holder, _gate) = held(&singletons, "gate");
        assert_data_eq!(
            singletons.steps(&["memo singleton restart k --timeout 10ms"]),
            str![[r#"
$ memo singleton restart k --timeout 10ms
memo: singleton `k` is in use by 1; waiting until it is not
memo: error: singleton `k` was not restarted: it was in use by 1 for all of 10 ms
memo:   hint: `--timeout` waits longer, `--busy kill` does not wait
[exit 124]

"#]]
        );
    }

    #[test]
    fn one_that_cannot_be_started_again_is_not_ended() {
        let singletons = Singletons::new();
        singletons.ok("mkdir -p sub/.git; cp $(command -v puppet) own");
        singletons.ok("cd sub && memo singleton k --global -- puppet serve k");
        singletons.ok("memo singleton p -- ./own serve p");
        singletons.ok("rm -r sub own");
        let session = singletons.steps(&["memo singleton restart k --global", "memo singleton restart p"]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo singleton restart k --global
memo: error: singleton `k` was not restarted: its directory `$T/work/sub` is not there
[exit 125]
$ memo singleton restart p
memo: error: singleton `p` was not restarted: its program `$T/work/own` is not there
[exit 125]

"#]]
        );
        assert_eq!(singletons.starts().len(), 2);
        assert_eq!(singletons.puppets(), 1);
    }

    #[test]
    fn its_directory_is_made_again() {
        let singletons = Singletons::new();
        let state = singletons.line(&format!("k --print state -- {SERVE}"));
        fs::remove_dir(&state).unwrap();
        singletons.line("restart k");
        assert!(fs::metadata(&state).unwrap().is_dir());
    }
}

#[test]
fn a_name_that_is_good_elsewhere_is_pointed_out() {
    let singletons = Singletons::new();
    singletons.line(&format!("k --global -- {SERVE}"));
    singletons.line("here -- puppet serve here");
    let session = singletons.steps(&[
        "memo singleton stop k",
        "memo singleton stop k -q",
        "memo singleton status k",
        "memo singleton stop here --global",
        "memo singleton status here --global",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton stop k
memo: warning: singleton `k` is not running
memo:   hint: one of that name runs with `--global`
$ memo singleton stop k -q
$ memo singleton status k
memo: error: singleton `k` is not running
memo:   hint: one of that name runs with `--global`
[exit 1]
$ memo singleton stop here --global
memo: warning: singleton `here` is not running
memo:   hint: one of that name runs in this project, without `--global`
$ memo singleton status here --global
memo: error: singleton `here` is not running
memo:   hint: one of that name runs in this project, without `--global`
[exit 1]

"#]]
    );
    assert_eq!(singletons.puppets(), 2);
}

#[test]
fn digits_that_stand_for_none_are_none() {
    let singletons = Singletons::new();
    singletons.line(&format!("-- {SERVE}"));
    let session = singletons.steps(&[
        "memo singleton stop @",
        "memo singleton stop @xyz",
        "memo singleton status @xyz",
        "memo singleton @xyz",
        "memo singleton @",
        "memo singleton call @xyz a",
        "memo singleton run @xyz --exec true",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton stop @
memo: error: `@` stands for none: at least one digit follows it
memo:   hint: `memo singleton ls` shows them
[exit 2]
$ memo singleton stop @xyz
$ memo singleton status @xyz
memo: error: there is no singleton `@xyz`
memo:   hint: `memo singleton ls` lists them
[exit 1]
$ memo singleton @xyz
memo: error: there is no singleton `@xyz`
memo:   hint: `memo singleton ls` lists them
[exit 125]
$ memo singleton @
memo: error: `@` stands for none: at least one digit follows it
memo:   hint: `memo singleton ls` shows them
[exit 125]
$ memo singleton call @xyz a
memo: error: there is no singleton `@xyz`
memo:   hint: `memo singleton ls` lists them
[exit 125]
$ memo singleton run @xyz --exec true
memo: error: there is no singleton `@xyz`
memo:   hint: `memo singleton ls` lists them
[exit 125]

"#]]
    );
    assert_eq!(singletons.puppets(), 1);
}

#[test]
fn one_that_ends_at_once_again_and_again_is_not_started_but_by_force() {
    let singletons = Singletons::new();
    let start = "k -- puppet print hello , serve k";
    for _ in 0..5 {
        singletons.line(start);
        let process = singletons.service("k");
        process.kill(Signal::KILL);
        process.gone();
        assert_eq!(ended(&singletons, "k"), "exited (signal 9)");
    }
    let session = singletons.steps(&[
        "memo singleton k -- puppet print hello , serve k",
        "memo singleton why k -- puppet print hello , serve k",
        "memo singleton k --force -- puppet print hello , serve k >id",
        "memo singleton k -- puppet print hello , serve k >id2; cmp id id2",
        "memo singleton stop k; memo singleton k -- puppet print mended , serve k >id",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton k -- puppet print hello , serve k
memo: error: singleton `k` was not started: it ended by itself soon after it was ready, 5 times in the last minute
memo:   | hello
memo:   hint: `--force` starts it all the same
[exit 125]
$ memo singleton why k -- puppet print hello , serve k
singleton `k` would be refused
  it ended by itself soon after it was ready, 5 times in the last minute
[exit 1]
$ memo singleton k --force -- puppet print hello , serve k >id
$ memo singleton k -- puppet print hello , serve k >id2; cmp id id2
$ memo singleton stop k; memo singleton k -- puppet print mended , serve k >id

"#]]
    );
    assert_eq!(singletons.starts().len(), 7);
}

#[test]
fn one_whose_supervisor_is_killed_each_time_is_not_started_for_ever() {
    let singletons = Singletons::new();
    singletons.write("start", "echo x >>n; kill -9 $PPID; exec puppet pause\n");
    assert_data_eq!(
        singletons.steps(&["memo singleton k -- sh start", "wc -l <n"]),
        str![[r#"
$ memo singleton k -- sh start
memo: error: singleton `k` was ended before it was ready (supervisor-lost)
[exit 125]
$ wc -l <n
3

"#]]
    );
    singletons.none_left();
}

#[test]
fn what_is_old_is_kept_where_nothing_is_to_be_changed() {
    let singletons = Singletons::new();
    let id = singletons.id(&format!("k -- {SERVE}"));
    let (holder, mut gate) = held(&singletons, "gate");
    for option in ["--ttl 1ms --no-start", "--on-change keep"] {
        let ran = singletons.ran(&format!("k {option} -- {SERVE}"));
        assert_eq!((ran.code, ran.stdout, ran.stderr), (0, format!("{id}\n"), String::new()), "{option}");
    }
    gate.open();
    assert_eq!(holder.end().status, 0);
}

#[test]
fn without_its_command_it_is_not_changed() {
    let singletons = Singletons::new();
    let id = singletons.id(&format!("k -- {SERVE}"));
    assert_data_eq!(
        singletons.steps(&[
            "memo singleton k --force",
            "memo singleton run k --force --exec true",
            "memo singleton k --idle 1h",
            "memo singleton call k --framing line x",
            "memo singleton k --no-start -i nofile",
            "memo singleton k --check false",
            "memo singleton k --check false --no-start -- puppet serve k",
            "memo singleton why k --check false -- puppet serve k",
        ]),
        str![[r#"
$ memo singleton k --force
memo: error: `--force` needs the command; nothing was done
memo:   hint: `memo singleton restart k` starts it again as it was started
[exit 125]
$ memo singleton run k --force --exec true
memo: error: `--force` needs the command; nothing was done
memo:   hint: `memo singleton restart k` starts it again as it was started
[exit 125]
$ memo singleton k --idle 1h
memo: error: `--idle` needs the command; nothing was done
memo:   hint: `memo singleton NAME OPTIONS -- COMMAND [ARG]...`
[exit 125]
$ memo singleton call k --framing line x
memo: error: `--framing` needs the command; nothing was done
memo:   hint: `memo singleton NAME OPTIONS -- COMMAND [ARG]...`
[exit 125]
$ memo singleton k --no-start -i nofile
memo: error: `--input` needs the command; nothing was done
memo:   hint: `memo singleton NAME OPTIONS -- COMMAND [ARG]...`
[exit 125]
$ memo singleton k --check false
memo: error: singleton `k` was not replaced: check-failed: exit 1
memo:   hint: with its command it is; `memo singleton restart` starts it again as it was started
[exit 75]
$ memo singleton k --check false --no-start -- puppet serve k
memo: error: singleton `k` was not replaced: check-failed: exit 1
memo:   hint: without `--no-start` it is
[exit 75]
$ memo singleton why k --check false -- puppet serve k
singleton `k` would be used
  unless `--check` fails

"#]]
    );
    assert_eq!(singletons.line("k --check true --timeout 1m --no-start"), id);
    assert_eq!(singletons.starts().len(), 1);
}

#[test]
fn one_that_nobody_waits_for_any_more_is_not_waited_for() {
    let singletons = Singletons::new();
    let never = Caller::start(&mut singletons.memo(&format!("k -k v=1 --ready-file never -- {SERVE}")));
    until("it is started", || singletons.starts().len() == 1);
    // Somebody else waits for him.
    singletons.write("start", format!("exec memo singleton k -k v=2 -- {SERVE} 2>said\n"));
    let other = Caller::start(&mut singletons.shell("exec sh start"));
    until("it is said", || singletons.path("said").metadata().is_ok_and(|said| said.len() > 0));
    rustix::process::kill_process(never.pid(), Signal::KILL).unwrap();
    let other = other.end();
    assert_eq!(other.status, 0, "{}", other.stderr);
    assert_data_eq!(
        singletons.read("said"),
        str![[r#"
memo: singleton `k` is being started for others, and not as it is wanted here; waiting until it is ready
memo: singleton `k` is replaced: key-text: `v`

"#]]
    );
    assert_eq!(singletons.starts().len(), 2);
    singletons.never_twice();
}

#[test]
fn one_that_is_started_is_kept_too() {
    let singletons = Singletons::new();
    let gone = Caller::start(&mut singletons.memo(&format!("k -k v=1 --ready-file up -- {SERVE}")));
    until("it is started", || singletons.starts().len() == 1);
    rustix::process::kill_process(gone.pid(), Signal::KILL).unwrap();
    gone.end();
    let line = format!("exec memo singleton k -k v=2 --on-change keep -- {SERVE} 2>said");
    let kept = Caller::start(&mut singletons.shell(line));
    until("it is said", || singletons.path("said").metadata().is_ok_and(|said| said.len() > 0));
    singletons.write("up", "");
    let kept = kept.end();
    assert_eq!((kept.status, kept.stdout), (0, (singletons.line("id k") + "\n").into_bytes()));
    assert_eq!(singletons.starts().len(), 1);
}

#[test]
fn its_directory_outlives_instances() {
    // A file of the instance before says nothing of this one.
    let singletons = Singletons::of(Sandbox::new().with_running_clock());
    singletons.write("start", "puppet append $MEMO_STATE/starts x; touch up; exec puppet serve k\n");
    let start = "k --ready-file up";
    let state = singletons.line(&format!("{start} --print state -- sh start"));
    let count = || fs::read_to_string(format!("{state}/starts")).unwrap().lines().count();
    assert_eq!(count(), 1);
    singletons.line("stop k");
    singletons.line(&format!("{start} -k other -- sh start"));
    singletons.line(&format!("{start} -k third -- sh start"));
    assert_eq!(count(), 3);
    assert_eq!(singletons.line("k --print state"), state);
    assert_eq!(
        singletons.ok("memo singleton run k --exec sh -c 'echo $MEMO_STATE $K_STATE'"),
        format!("{state} {state}\n")
    );
    singletons.line("stop k");
    singletons.line("gc --older-than 0s");
    assert_eq!(count(), 3);
    singletons.line(&format!("{start} -- sh start"));
    assert_eq!(count(), 4);
    singletons.line("stop k");
    singletons.line("gc --older-than 0s --state");
    assert!(!fs::exists(&state).unwrap());
}

#[test]
fn logs_do_not_grow_without_end() {
    let singletons = Singletons::new();
    let start = "k --ready-file up -- puppet fill 40000000 , efill 128 , print end , touch up , serve k";
    for again in [false, true] {
        singletons.line(start);
        let files =
            fs::read_dir(singletons.slot("k")).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
        let bytes: u64 = files.map(|metadata| metadata.len()).sum();
        assert!(bytes < 25 << 20, "{bytes}");
        // The last is what is kept.
        until("the log is read", || singletons.ok("memo singleton logs k -n 1") == "end\n");
        singletons.line("stop k");
        singletons.ok("rm up");
        if again {
            assert!(singletons.slot("k").join("prev.log").exists());
        }
    }
}
