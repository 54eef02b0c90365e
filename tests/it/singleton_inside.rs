//! Singletons and other things of memo's in each other: a command that is run by memo starts one, one asks for itself,
//! one lives at a place with a long name.

use std::fs;

use snapbox::{assert_data_eq, str};

use crate::crowd::{Caller, Gate, until};
use crate::living::{Process, Singletons};
use crate::outside::{Terminal, patient};
use crate::sandbox::{Ran, Sandbox};

mod run {
    use super::*;

    /// A line under memo starts one, ends, is replayed, and the singleton lives.
    #[track_caller]
    fn check(line: &str) {
        let singletons = Singletons::new();
        singletons
            .script("start", "#!/bin/sh\nmemo singleton k -- puppet serve k >id && puppet bump started\n");
        for _ in 0..2 {
            let output = patient(&singletons, line).output().unwrap();
            let ran = Ran::from(output);
            assert_eq!(
                (ran.code, ran.stdout.trim_end(), ran.stderr.as_str()),
                (0, "started #1", ""),
                "{line}"
            );
        }
        let process = singletons.service("k");
        assert!(!process.has_ended());
        assert_eq!(singletons.starts(), [process.pid]);
        assert_eq!(singletons.read("id").trim_end(), singletons.id("k"));
        singletons.never_twice();
    }

    #[test]
    fn a_command_that_starts_one_ends_and_is_recorded() {
        check("memo ./start");
        check("memo --pty always ./start");
        check("memo --no-auto -o id ./start");
        check("x=$(memo ./start | cat); echo \"$x\"");
        check("memo memo ./start");
    }

    #[test]
    fn one_that_dies_leaves_it_alone() {
        let singletons = Singletons::new();
        singletons.script("start", "#!/bin/sh\nmemo singleton k -- puppet serve k >id; kill -9 $$\n");
        assert_eq!(singletons.run("memo ./start").code, 137);
        assert!(!singletons.service("k").has_ended());
    }

    #[test]
    fn a_memo_that_is_killed_leaves_it_alone() {
        let singletons = Singletons::new();
        let gate = Gate::new(&singletons, "gate");
        singletons
            .script("start", "#!/bin/sh\nmemo singleton k -- puppet serve k >id; : >up; read x <gate\n");
        let caller = Caller::start(&mut singletons.shell("exec memo ./start"));
        until("it is started", || singletons.path("up").exists());
        caller.kill(rustix::process::Signal::KILL);
        caller.end();
        drop(gate);
        assert!(!singletons.service("k").has_ended());
        assert_eq!(singletons.id("k -- puppet serve k"), singletons.read("id").trim_end());
    }

    #[test]
    fn one_in_a_terminal_is_not_its_background() {
        let singletons = Singletons::new();
        singletons.script("start", "#!/bin/sh\nmemo singleton k -- puppet serve k >id && echo started\n");
        let (shown, status) = Terminal::run(&singletons, "exec memo ./start").end();
        assert_eq!((shown.as_str(), status.code()), ("started\n", Some(0)));
        assert!(!singletons.service("k").has_ended());
    }
}

mod itself {
    use super::*;

    /// A service that asks for itself before it is what it is: as it was asked for, or with another key.
    fn world(key: &str) -> Singletons {
        let singletons = Singletons::new();
        singletons.script(
            "service",
            &format!(
                "#!/bin/sh\nmemo singleton k --print id {key} -- ./service >inner 2>error; echo $? >code; \
                 touch up; exec puppet serve k\n"
            ),
        );
        singletons
    }

    #[test]
    fn who_asks_from_inside_gets_itself() {
        let singletons = world("");
        let id = singletons.id("k --ready-file up -- ./service");
        assert_eq!((singletons.read("inner"), singletons.read("code").as_str()), (id.clone() + "\n", "0\n"));
        assert_eq!(singletons.id("k"), id);
        singletons.never_twice();
    }

    #[test]
    fn another_one_of_the_same_name_is_refused() {
        let singletons = world("-k other");
        singletons.line("k --ready-file up -- ./service");
        assert_eq!(singletons.read("code"), "125\n");
        assert_data_eq!(
            singletons.read("error"),
            str![[r#"
memo: error: singleton `k` cannot be replaced from inside itself
memo:   hint: ask for it as it was started, or give what it needs another name

"#]]
        );
        assert_eq!(singletons.starts().len(), 1);
    }

    #[test]
    fn one_that_is_started_from_inside_lives_on() {
        let singletons = Singletons::new();
        singletons.script(
            "outer",
            "#!/bin/sh\nmemo singleton inner -- puppet serve inner >id; touch up; exec puppet serve outer\n",
        );
        singletons.line("outer --ready-file up -- ./outer");
        let [inner, outer] = [singletons.service("inner"), singletons.service("outer")];
        singletons.line("stop outer");
        outer.gone();
        assert!(!inner.has_ended());
        assert_eq!(singletons.id("inner"), singletons.read("id").trim_end());
        // And so it does when all that keeps the other one is killed.
        singletons.line("outer --ready-file up -- ./outer");
        for keeper in [singletons.guardian("outer"), singletons.supervisor("outer")] {
            keeper.kill(rustix::process::Signal::KILL);
            keeper.gone();
        }
        singletons.line("outer --ready-file up -- ./outer");
        assert!(!inner.has_ended());
        singletons.never_twice();
    }

    #[test]
    fn two_that_ask_for_each_other_are_no_circle() {
        // a asks for b, and b for a, which is about to be ready.
        let singletons = Singletons::new();
        let ask = |name: &str, other: &str, option: &str| {
            format!(
                "#!/bin/sh\nmemo singleton {other} {option} -- ./{other} >{name}.{other}; touch {name}.up; exec puppet serve {name}\n"
            )
        };
        singletons.script("a", &ask("a", "b", "--ready-file b.up"));
        singletons.script("b", &ask("b", "a", "--ready-file a.up"));
        let id = singletons.id("a --ready-file a.up -- ./a");
        assert_eq!(singletons.read("b.a").trim_end(), id);
        assert_eq!(singletons.read("a.b").trim_end(), singletons.id("b"));
        singletons.never_twice();
    }
}

/// Returns a sandbox whose store's path is so long.
fn at_length(length: usize) -> Singletons {
    let mut singletons = Singletons::new();
    let store = singletons.root().join("long");
    let store = store.join("d".repeat(length - store.as_os_str().len() - 1));
    assert_eq!(store.as_os_str().len(), length);
    singletons.set("MEMO_DIR", &store);
    singletons
}

#[test]
fn a_place_with_a_long_name_is_as_good() {
    for length in [60, 70, 108, 140, 230] {
        let singletons = at_length(length);
        let id = singletons.line("k --ready-notify -- puppet serve k , notify READY=1 , pause");
        assert_eq!(singletons.line("id k"), id);
        assert_eq!(singletons.line("call c a -- cat"), "a");
        singletons.line("restart k");
        singletons.line("stop --all");
        assert_eq!(singletons.ran("status k").code, 1);
        assert_eq!(singletons.processes(), []);
    }
}

/// Returns the number and the arguments of the system call a process is in; `None` while it is in none, and where
/// nobody may look.
fn system_call(pid: i32) -> Option<Vec<u64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
    let number = |word: &str| match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    };
    text.split_whitespace().map(number).collect()
}

#[test]
fn nothing_wakes_it_up_while_nothing_happens() {
    let singletons = Singletons::new();
    // A time to live would be a time to wake up; that of one that answers calls is 15 min.
    singletons.line("k -- puppet serve k");
    singletons.line("c --framing line --idle none -- cat");
    assert_eq!(singletons.line("call c a"), "a");
    for name in ["k", "c"] {
        for keeper in [singletons.guardian(name), singletons.supervisor(name)] {
            if fs::read_to_string(format!("/proc/{}/syscall", keeper.pid)).is_err() {
                eprintln!("skipped: nobody may look at the system calls of others here");
                return;
            }
            until("it sleeps for as long as nothing happens", || is_in_endless_poll(&keeper));
        }
    }
}

/// Returns whether a process is in poll(2) without a limit.
fn is_in_endless_poll(process: &Process) -> bool {
    let Some(call) = system_call(process.pid) else { return false };
    // poll(2) where there is one, else ppoll(2), whose limit is a pointer.
    if cfg!(target_arch = "x86_64") {
        call[0] == 7 && call[3] as u32 == u32::MAX
    } else {
        call[0] == 73 && call[3] == 0
    }
}

#[test]
fn without_a_home_the_state_is_where_it_is_said() {
    let mut sandbox = Sandbox::new();
    sandbox.unset("HOME");
    let singletons = Singletons::of(sandbox);
    let id = singletons.id("k -- puppet serve k");
    assert_eq!(
        singletons
            .ok("XDG_STATE_HOME=/nowhere XDG_RUNTIME_DIR=/nowhere memo singleton k --print id")
            .trim_end(),
        id
    );
    assert!(singletons.line("k --print state").starts_with(singletons.store().to_str().unwrap()));
}
