//! Singletons below memo, memo below singletons, and one below another; and what shows of one from outside.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use snapbox::{assert_data_eq, str};

use crate::crowd::{Caller, Gate, until};
use crate::living::{Process, Singletons, asleep};
use crate::outside::read_until;
use crate::sandbox::Ran;

/// The singleton of most tests here: it says itself when it is ready.
const DB: &str = "db --ready-notify -- puppet serve db notify READY=1";

/// Where callers connect, and where the process says that it is ready.
const LISTENING: usize = 2;

/// Waits until so many have asked something that is answered later, and the supervisor has heard them.
#[track_caller]
fn until_asked(all: &Singletons, callers: &[&Caller]) {
    let supervisor = all.supervisor("db");
    until("all have asked", || {
        supervisor.sockets() == LISTENING + callers.len()
            && callers.iter().all(|caller| asleep(caller.number()))
            && asleep(supervisor.pid)
    });
}

#[test]
fn a_recorded_command_that_starts_one_ends_and_is_recorded() {
    let all = Singletons::new();
    let line = format!("memo -v sh -c 'memo singleton --print id {DB} >id; echo done'");
    let ended = Caller::start(&mut all.shell(&line)).end();
    assert_eq!((ended.status, ended.stdout.as_slice()), (0, b"done\n".as_slice()));
    let id = all.status("db").text("instance");
    assert_eq!(all.read("id").trim_end(), id);
    let again = all.run(&line);
    assert_eq!((again.stdout.as_str(), again.is_hit()), ("done\n", true), "{}", again.stderr);
    assert_eq!(all.id(DB), id);
    assert_eq!(all.starts().len(), 1);
}

#[test]
fn what_a_recorded_command_started_outlives_its_death() {
    let all = Singletons::new();
    let _gate = Gate::new(&all, "gate");
    let line = format!("exec memo sh -c 'memo singleton {DB}; exec puppet tellfifo there , waitfifo gate'");
    let there = all.fifo("there");
    let caller = Caller::start(&mut all.shell(line));
    // Somebody opens it for writing when the singleton is ready.
    drop(fs::File::open(there).unwrap());
    let service = all.service("db");
    caller.kill(Signal::TERM);
    assert_eq!(caller.end().status, 143);
    all.line(DB);
    assert_eq!(all.starts(), [service.pid]);
    assert!(!service.has_ended());
}

#[test]
fn a_command_that_holds_one_is_recorded() {
    let all = Singletons::new();
    let line =
        "memo -v memo singleton run db --ready-notify -- puppet serve db notify READY=1 --exec puppet bump x";
    for hit in [false, true] {
        let ran = all.run(line);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.is_hit()), (0, "x #1\n", hit), "{}", ran.stderr);
    }
    assert_eq!(all.status("db").number("leases"), 0);
    all.never_twice();
}

#[test]
fn a_reply_is_recorded_for_as_long_as_the_process_lives() {
    let all = Singletons::new();
    all.script("server", "#!/bin/sh\nwhile read x; do puppet bump $x; done\n");
    all.line("db --framing line -- ./server");
    let line = "memo -v --dep-singleton db memo singleton call db x";
    for (reply, hit) in [("x #1\n", false), ("x #1\n", true)] {
        let ran = all.run(line);
        assert_eq!((ran.stdout.as_str(), ran.is_hit()), (reply, hit), "{}", ran.stderr);
    }
    all.line("restart db");
    let ran = all.run(line);
    assert_eq!((ran.stdout.as_str(), ran.is_hit()), ("x #2\n", false), "{}", ran.stderr);
}

/// A server that does something as a part of itself before it is ready, and something when the gate has opened.
fn server(all: &Singletons, early: &str, late: &str) {
    let script = format!(
        "#!/bin/bash\n{early}\npuppet notify READY=1 , waitfifo gate\n{late}\nexec puppet serve db touch finished\n"
    );
    all.script("server", &script);
}

/// What a process inside of the singleton asks for, with the exit status of each: before it is ready, and after.
fn asked(all: &Singletons, asks: &[&str]) -> [String; 2] {
    let mut gate = Gate::new(all, "gate");
    let lines: String =
        asks.iter().map(|ask| format!("memo singleton {ask}\necho \"[exit $?]\"\n")).collect();
    let lines = lines.replace("SAME", "--ready-notify -- ./server");
    server(all, &format!("{{ {lines}}} >early 2>&1"), &format!("{{ {lines}}} >late 2>&1"));
    let ask = "db --ready-notify -- ./server";
    let id = all.id(ask);
    gate.open();
    until("it has asked again", || all.path("finished").exists());
    assert_eq!(all.id(ask), id);
    assert_eq!(all.starts().len(), 1);
    ["early", "late"].map(|name| all.read(name).replace(&id, "[ID]"))
}

#[test]
fn one_that_asks_for_itself_gets_itself() {
    let all = Singletons::new();
    let [early, late] = asked(
        &all,
        &[
            "db SAME",
            "db",
            "id db",
            "db --no-start SAME",
            // It may not be ready yet, and could not replace itself.
            "db --check false SAME",
            "db --on-change keep -k other SAME",
            "db --on-change fail -k other SAME",
            "run db SAME --exec sh -c 'echo $DB_INSTANCE; memo singleton db'",
            "run db --exec puppet exit 3",
        ],
    );
    assert_eq!(early, late);
    assert_data_eq!(
        late,
        str![[r#"
[ID]
[exit 0]
[ID]
[exit 0]
[ID]
[exit 0]
[ID]
[exit 0]
[ID]
[exit 0]
memo: warning: singleton `db` is kept although this changed: key-text
memo:   hint: without `--on-change keep` it is replaced
[ID]
[exit 0]
memo: error: singleton `db` was not replaced: key-text (`--on-change fail`)
memo:   hint: `memo singleton stop db` ends it
[exit 75]
[ID]
[ID]
[exit 0]
[exit 3]

"#]]
    );
}

#[test]
fn one_that_has_become_too_old_gets_itself_too() {
    let all = Singletons::new();
    let [mut gate, mut held] = ["gate", "held"].map(|name| Gate::new(&all, name));
    let ask = "db --ttl 1ms --ready-notify -- ./server";
    server(&all, "", &format!("{{ memo singleton {ask}; echo $?; }} >late 2>&1"));
    let holder = Caller::start(&mut all.memo(&format!("run {ask} --exec puppet waitfifo held")));
    until("it is held", || all.ran("status db --json").stdout.contains("\"leases\":1,"));
    let id = all.status("db").text("instance");
    gate.open();
    until("it has asked", || all.path("finished").exists());
    assert_eq!(all.read("late"), format!("{id}\n0\n"));
    held.open();
    assert_eq!(holder.end().status, 0);
}

#[test]
fn one_cannot_replace_itself() {
    let all = Singletons::new();
    let asks = [
        "db -k other SAME",
        "db --force SAME",
        "db --force --busy kill SAME",
        "run db -k other SAME --exec puppet print held",
    ];
    let [early, late] = asked(&all, &asks);
    assert_eq!(early, late);
    assert_data_eq!(
        late,
        str![[r#"
memo: error: singleton `db` cannot be replaced from inside itself
memo:   hint: ask for it as it was started, or give what it needs another name
[exit 125]
memo: error: singleton `db` cannot be replaced from inside itself
memo:   hint: ask for it as it was started, or give what it needs another name
[exit 125]
memo: error: singleton `db` cannot be replaced from inside itself
memo:   hint: ask for it as it was started, or give what it needs another name
[exit 125]
memo: error: singleton `db` cannot be replaced from inside itself
memo:   hint: ask for it as it was started, or give what it needs another name
[exit 125]

"#]]
    );
}

#[test]
fn one_that_it_started_cannot_replace_it_either() {
    let all = Singletons::new();
    let mut gate = Gate::new(&all, "gate");
    let below = "memo singleton db -k other --ready-notify -- ./server; echo [exit $?]; \
                 exec puppet serve below notify READY=1";
    all.script("below", &format!("#!/bin/sh\n{{ {below}; }} >shown 2>&1\n"));
    server(&all, "memo singleton below --ready-notify -- ./below", "");
    let id = all.id("db --ready-notify -- ./server");
    assert_data_eq!(
        all.read("shown"),
        str![[r#"
memo: error: singleton `db` cannot be replaced from inside itself
memo:   hint: ask for it as it was started, or give what it needs another name
[exit 125]

"#]]
    );
    gate.open();
    assert_eq!(all.id("db --ready-notify -- ./server"), id);
}

/// Returns a singleton `outer` that has started another one, `db`.
fn nested() -> Singletons {
    let all = Singletons::new();
    all.script(
        "outer",
        &format!("#!/bin/sh\nmemo singleton {DB}\nexec puppet serve outer leave pause , notify READY=1\n"),
    );
    all.line("outer --grace 0s --ready-notify -- ./outer");
    all
}

/// Ends the outer one of two; the inner one lives on, and is found by whoever starts the outer one again.
#[track_caller]
fn inner_lives_on(end: impl FnOnce(&Singletons)) {
    let all = nested();
    let id = all.status("db").text("instance");
    let inner = [all.guardian("db"), all.supervisor("db"), all.service("db")];
    let outer = all.service("outer");
    end(&all);
    outer.gone();
    assert_eq!(all.id(DB), id);
    all.line("outer --grace 0s --ready-notify -- ./outer");
    assert_eq!(all.id(DB), id);
    assert!(!inner.iter().any(Process::has_ended));
    all.line("stop db -q");
    inner.iter().for_each(Process::gone);
    assert!(!all.service("outer").has_ended());
    all.never_twice();
}

#[test]
fn one_that_another_started_outlives_it() {
    inner_lives_on(|all| {
        all.line("stop outer -q");
        all.is_free("outer");
    });
    inner_lives_on(|all| {
        all.line("restart outer");
    });
    inner_lives_on(|all| all.service("outer").kill(Signal::KILL));
}

#[test]
fn one_that_another_started_outlives_the_supervision_of_that() {
    inner_lives_on(|all| {
        let guardian = all.guardian("outer");
        all.supervisor("outer").kill(Signal::KILL);
        guardian.gone();
        all.is_free("outer");
    });
    inner_lives_on(|all| {
        let supervisor = all.supervisor("outer");
        all.guardian("outer").kill(Signal::KILL);
        supervisor.gone();
    });
    inner_lives_on(|all| {
        let [guardian, supervisor] = [all.guardian("outer"), all.supervisor("outer")];
        // Neither can do anything for the other.
        for process in [&guardian, &supervisor] {
            process.kill(Signal::STOP);
        }
        for process in [&guardian, &supervisor] {
            process.kill(Signal::KILL);
            process.gone();
        }
        all.line("outer -q --force --grace 0s --ready-notify -- ./outer");
    });
}

#[test]
fn a_place_with_a_long_path_is_as_good() {
    for length in [107, 108, 140, 250] {
        let mut all = Singletons::new();
        let root = all.root().to_str().unwrap().to_owned();
        let path = format!("{root}/{}", "d".repeat(length - root.len() - 1));
        assert_eq!(path.len(), length);
        all.set("MEMO_DIR", &path);
        let words = "db --framing line --ready-notify -- ./server";
        all.script("server", "#!/bin/sh\npuppet notify READY=1\nexec cat\n");
        let id = all.id("db --ready-notify -- puppet serve db notify READY=1");
        assert_eq!(all.id("db"), id, "{length}");
        let ran = all.ran("stop db");
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{length}");
        let mut call = all.memo("call db hello");
        assert_eq!(Ran::of(call.args(words.split(' ').skip(1))).stdout, "hello\n", "{length}");
        assert_eq!(all.line("call db again"), "again", "{length}");
        assert!(PathBuf::from(all.line("db --print log")).starts_with(&path), "{length}");
        all.line("stop db -q");
        assert_eq!(all.ran("status db").code, 1, "{length}");
        all.none_left();
    }
}

/// What proc(5) shows of a process that is in poll(2) without a limit: three arguments, the last of which is -1.
#[cfg(target_arch = "x86_64")]
fn is_in_poll_for_ever(pid: i32) -> bool {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap();
    let words: Vec<&str> = call.split_whitespace().collect();
    let limit = words.get(3).and_then(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok());
    // An int: the upper half of the register says nothing.
    words.first() == Some(&"7") && limit.is_some_and(|limit| limit as u32 == u32::MAX)
}

#[cfg(target_arch = "x86_64")]
#[test]
fn who_keeps_it_sleeps_until_something_happens() {
    let all = Singletons::new();
    let singletons = [
        "--ready-notify -- puppet serve s0 notify READY=1",
        "--ready-log up -- puppet serve s1 eprint up",
        "--ready-file up --restart on-failure -- puppet serve s2 touch up",
        // 15 minutes are what one that answers calls has else.
        "--framing line --idle none -- puppet serve s3",
    ];
    for (number, words) in singletons.iter().enumerate() {
        all.line(&format!("s{number} {words}"));
    }
    for number in 0..singletons.len() {
        let name = format!("s{number}");
        for process in [all.guardian(&name), all.supervisor(&name)] {
            let what = format!("{} of {name} waits without a limit", process.command());
            until(&what, || is_in_poll_for_ever(process.pid));
        }
    }
}

#[test]
fn who_keeps_it_has_nothing_of_the_callers_environment() {
    let mut all = Singletons::new();
    for (name, value) in [("SECRET", "1"), ("BUILD_ID", "7"), ("LD_LIBRARY_PATH", "/x"), ("MEMO_LOG", "off")]
    {
        all.set(name, value);
    }
    all.line("db --ready-notify -- TOKEN=2 puppet serve db notify READY=1");
    for process in [all.guardian("db"), all.supervisor("db")] {
        let environment = fs::read_to_string(format!("/proc/{}/environ", process.pid)).unwrap();
        let mut entries: Vec<&str> = environment.split_terminator('\0').collect();
        entries.sort_unstable();
        assert_eq!(entries, ["BUILD_ID=7", "MEMO_TEST_NOW=43200"], "{}", process.command());
    }
    let environment = fs::read_to_string(format!("/proc/{}/environ", all.service("db").pid)).unwrap();
    for entry in ["SECRET=1", "BUILD_ID=7", "LD_LIBRARY_PATH=/x", "TOKEN=2", "MEMO_SINGLETON_NAME=db"] {
        assert!(environment.split('\0').any(|known| known == entry), "{entry}");
    }
}

#[test]
fn results_and_singletons_are_kept_apart() {
    let all = Singletons::new();
    all.ok("memo puppet bump a");
    let id = all.id(DB);
    let state = all.line("db --print state");
    fs::write(PathBuf::from(&state).join("kept"), "").unwrap();
    let session = all.steps(&[
        "memo ls | wc -l",
        "memo doctor",
        "memo gc --max-size 1K",
        "memo clear --yes",
        "memo doctor",
        "memo ls",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo ls | wc -l
2
$ memo doctor
memo 0.1.0, store format 1
limits: 5.0 GiB, 1.3 GiB for an entry
store: `$T/store`
entries: 1 (manifests: 1, outcomes: 0, blobs: 0; 4.0 KiB)
no problems
$ memo gc --max-size 1K
removed 1 entry (4.0 KiB)
$ memo clear --yes
nothing to remove
$ memo doctor
memo 0.1.0, store format 1
limits: 5.0 GiB, 1.3 GiB for an entry
store: `$T/store`
entries: 0 (manifests: 0, outcomes: 0, blobs: 0; 0 B)
no problems
$ memo ls

"#]]
    );
    assert_eq!(all.id(DB), id);
    assert_eq!(all.starts().len(), 1);
    assert!(PathBuf::from(&state).join("kept").exists());

    assert_eq!(all.ok("memo puppet bump a"), "a #2\n");
    all.line("stop --all -q");
    all.line("gc --older-than 0 --state");
    assert!(!PathBuf::from(&state).exists());
    let again = all.run("memo -v puppet bump a");
    assert_eq!((again.stdout.as_str(), again.is_hit()), ("a #2\n", true), "{}", again.stderr);
}

/// Returns the names in a JSON object, sorted.
fn names(line: &str) -> String {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
    let mut names: Vec<String> = object.keys().cloned().collect();
    names.sort();
    names.join(" ")
}

#[test]
fn programs_read_objects_of_which_nothing_goes() {
    let all = Singletons::new();
    let asked = all.line(&format!("--json {DB}"));
    assert_data_eq!(
        names(&asked),
        str![
            "address age calls directory fingerprint framing idle instance leases log name pid port ready_after restarts stage state status supervisor time_left ttl unused values waits_for words"
        ]
    );
    assert_eq!(names(&all.line("status db --json")), names(&asked));
    all.line("other -- puppet serve other");
    all.line("stop other -q");
    let listed = all.line("ls --json --all");
    let listed: Vec<&str> = listed.lines().collect();
    assert_eq!(listed.len(), 2);
    assert_eq!(
        names(listed[0]).split(' ').filter(|name| *name != "scope").collect::<Vec<_>>(),
        names(&asked).split(' ').collect::<Vec<_>>()
    );
    assert_data_eq!(names(listed[1]), str!["ended instance name note scope stage why"]);
    let status = all.status("db");
    assert_eq!((status.text("name"), status.text("stage")), ("db".to_owned(), "ready".to_owned()));
    assert_eq!(status.number("pid"), i64::from(all.starts()[0]));
    assert_eq!(status.number("leases") + status.number("calls") + status.number("restarts"), 0);
    assert_eq!(status.text("directory"), all.path("").to_str().unwrap().trim_end_matches('/'));
}

#[test]
fn what_is_not_unicode_is_still_an_object() {
    let all = Singletons::new();
    all.ok("mkdir $'d\\377'; cd $'d\\377'; memo singleton db --ready-notify -- puppet serve db notify $'STATUS=\\377\\nREADY=1' , args $'\\377\"'");
    for line in ["status db --json", "ls --json"] {
        let shown = all.ok(&format!("cd $'d\\377'; memo singleton {line}"));
        assert!(names(&shown).contains("directory"), "{shown}");
    }
    all.ok("cd $'d\\377'; memo singleton status db >/dev/null; memo singleton stop -q db");
}

#[test]
fn its_directory_outlives_it() {
    let all = Singletons::new();
    all.script(
        "server",
        "#!/bin/sh\nputs=$MEMO_STATE/f\necho x >>$puts\nexec puppet serve db notify READY=1\n",
    );
    let ask = "db -q --ready-notify -- ./server";
    all.line(ask);
    let state = PathBuf::from(all.line("db --print state"));
    let text = || fs::read_to_string(state.join("f")).unwrap();
    all.line("restart db");
    assert_eq!(text(), "x\nx\n");
    let running = all.steps(&["memo singleton gc --older-than 0 --state"]);
    assert_data_eq!(
        running,
        str![[r#"
$ memo singleton gc --older-than 0 --state
removed what 0 singletons left

"#]]
    );
    assert_eq!(text(), "x\nx\n");
    assert_eq!(all.starts().len(), 2);
    all.line("stop db -q");
    let session = all.steps(&[
        "memo singleton gc",
        "memo singleton gc --older-than 0",
        "memo singleton gc --older-than 0 --state --dry-run",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton gc
removed what 0 singletons left
$ memo singleton gc --older-than 0
removed what 0 singletons left
kept 1 with something in $MEMO_STATE; `--state` removes that too
$ memo singleton gc --older-than 0 --state --dry-run
would remove what 1 singleton left

"#]]
    );
    assert_eq!(text(), "x\nx\n");
    all.line(ask);
    assert_eq!(text(), "x\nx\nx\n");
    all.line("stop db -q");
    let session =
        all.steps(&["memo singleton gc --older-than 0 --state", "memo singleton gc --older-than 0"]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton gc --older-than 0 --state
removed what 1 singleton left
$ memo singleton gc --older-than 0
removed what 0 singletons left

"#]]
    );
    assert!(!state.exists());
    let left: Vec<_> = fs::read_dir(all.store().join("singleton")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    all.line(ask);
    assert_eq!(text(), "x\n");
}

#[test]
fn what_it_wrote_is_shown() {
    let all = Singletons::new();
    let session = all.steps(&[
        "memo singleton logs db",
        "memo singleton db --ready-notify -- puppet print one , eprint two , print three , notify READY=1 , pause >id",
        "memo singleton logs db",
        "memo singleton logs db -n 2",
        "memo singleton logs db -n 0",
        "memo singleton logs db | head -n 1",
        "memo singleton logs db --previous",
        "memo singleton stop db -q",
        "memo singleton logs db -n 1",
        "memo singleton db --ready-notify -- puppet bytes 6e6577 , notify READY=1 , pause >id",
        "memo singleton logs db",
        "memo singleton logs db -f --previous",
        "memo singleton logs db --previous",
        "memo singleton logs db --previous -n 1",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton logs db
memo: error: singleton `db` is not running
[exit 1]
$ memo singleton db --ready-notify -- puppet print one , eprint two , print three , notify READY=1 , pause >id
$ memo singleton logs db
one
two
three
$ memo singleton logs db -n 2
two
three
$ memo singleton logs db -n 0
$ memo singleton logs db | head -n 1
one
$ memo singleton logs db --previous
memo: error: singleton `db` has no log of an instance before
[exit 1]
$ memo singleton stop db -q
$ memo singleton logs db -n 1
three
$ memo singleton db --ready-notify -- puppet bytes 6e6577 , notify READY=1 , pause >id
$ memo singleton logs db
new[no newline]
$ memo singleton logs db -f --previous
memo: error: `--follow` does not go with `--previous`
[exit 2]
$ memo singleton logs db --previous
one
two
three
$ memo singleton logs db --previous -n 1
three

"#]]
    );
}

#[test]
fn what_it_writes_is_shown_until_it_ends() {
    let all = Singletons::new();
    let mut gate = Gate::new(&all, "gate");
    all.line(
        "db --ready-notify -- puppet print one , print two , notify READY=1 , waitfifo gate , print three , exit 3",
    );
    let followers = ["logs -f db", "logs -f db -n 1", "logs -f db -n 0"];
    let followers = followers.map(|words| Caller::start(&mut all.memo(words)));
    // They read from it too what ends them.
    until_asked(&all, &followers.iter().collect::<Vec<_>>());
    gate.open();
    let expected = ["one\ntwo\nthree\n", "two\nthree\n", "three\n"];
    for (follower, expected) in followers.into_iter().zip(expected) {
        let ended = follower.end();
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), expected);
    }
    // Of one that has ended there is nothing to wait for.
    let ended = Caller::start(&mut all.memo("logs -f db")).end();
    assert_eq!((ended.status, ended.stdout.as_slice()), (0, b"one\ntwo\nthree\n".as_slice()));
}

#[test]
fn it_is_printed_how_to_reach_it() {
    let all = Singletons::new();
    let session = all.steps(&[
        "memo singleton db-1 --ready-log 'on (?<addr>\\S+) for (?<user>.*)' -- puppet print \"on host:1 for it's \\$HOME\" , pause",
        "memo singleton db-1 --print addr",
        "memo singleton db-1 --print port",
        "memo singleton db-1 --print env",
        "eval \"$(memo singleton db-1 --print env)\"; echo \"$DB_1_ADDR $DB_1_USER\"; kill -0 $DB_1_PID; cat $DB_1_LOG; \
         ls -d $DB_1_STATE $MEMO_STATE; test $DB_1_INSTANCE = $(memo singleton id db-1)",
        "test $(memo singleton db-1 --print pid) = $(memo singleton status db-1 --json | sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')",
        "cat $(memo singleton db-1 --print log); ls $(memo singleton db-1 --print state)",
        "memo singleton --print env -- puppet pause | sed 's/=.*//'",
        "memo singleton db-1 --print env --json",
        "memo singleton db-1 --print nothing",
    ]);
    let id = all.id("db-1");
    let pid = all.service("db-1").pid.to_string();
    let scope = all.slot("db-1").parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    assert_data_eq!(
        session.replace(&id, "[ID]").replace(&scope, "[SCOPE]").replace(&format!("PID={pid}"), "PID=[PID]"),
        str![[r#"
$ memo singleton db-1 --ready-log 'on (?<addr>/S+) for (?<user>.*)' -- puppet print "on host:1 for it's /$HOME" , pause
host:1
$ memo singleton db-1 --print addr
host:1
$ memo singleton db-1 --print port
memo: error: singleton `db-1` has no port that is known
memo:   hint: `--port auto` gives it one, `--ready-port PORT` says which it has
[exit 125]
$ memo singleton db-1 --print env
export MEMO_STATE=$T/store/singleton/[SCOPE]/db-1/state
export DB_1_ADDR=host:1
export DB_1_INSTANCE=[ID]
export DB_1_PID=[PID]
export DB_1_LOG=$T/store/singleton/[SCOPE]/db-1/log
export DB_1_STATE=$T/store/singleton/[SCOPE]/db-1/state
export DB_1_USER='it'/''s $HOME'
$ eval "$(memo singleton db-1 --print env)"; echo "$DB_1_ADDR $DB_1_USER"; kill -0 $DB_1_PID; cat $DB_1_LOG; ls -d $DB_1_STATE $MEMO_STATE; test $DB_1_INSTANCE = $(memo singleton id db-1)
host:1 it's $HOME
on host:1 for it's $HOME
$T/store/singleton/[SCOPE]/db-1/state
$T/store/singleton/[SCOPE]/db-1/state
$ test $(memo singleton db-1 --print pid) = $(memo singleton status db-1 --json | sed 's/.*"pid":/([0-9]*/).*//1/')
$ cat $(memo singleton db-1 --print log); ls $(memo singleton db-1 --print state)
on host:1 for it's $HOME
$ memo singleton --print env -- puppet pause | sed 's/=.*//'
export MEMO_STATE
export SINGLETON_ADDR
export SINGLETON_INSTANCE
export SINGLETON_PID
export SINGLETON_LOG
export SINGLETON_STATE
$ memo singleton db-1 --print env --json
memo: error: `--print` does not go with `--json`; the command was not run
[exit 125]
$ memo singleton db-1 --print nothing
memo: error: `--print` does not take `nothing`; the command was not run
memo:   hint: it takes `addr`, `id`, `pid`, `port`, `log`, `state`, `env`
[exit 125]

"#]]
    );
}

#[test]
fn whoever_stays_sees_what_it_writes_and_ends_it() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let all = Singletons::new();
        let mut memo =
            all.memo("db --foreground --ready-notify -- puppet serve db notify READY=1 , print hello");
        let mut child = memo.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        read_until(&stdout, "hello\n");
        let service = all.service("db");
        kill_process(Pid::from_child(&child), signal).unwrap();
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
        assert!(service.has_ended());
        all.line("stop db -q");
        all.none_left();
    }
}

#[test]
fn whoever_stays_ends_as_it_does() {
    let all = Singletons::new();
    let mut gate = Gate::new(&all, "gate");
    let line = "db --foreground --ready-notify -- puppet print one , notify READY=1 , waitfifo gate , eprint two , exit 7";
    let first = Caller::start(&mut all.memo(line));
    until("it is ready", || all.ran("status db --json").stdout.contains("\"ready\""));
    // Somebody else may stay with it too.
    let second = Caller::start(&mut all.memo(line));
    let supervisor = all.supervisor("db");
    let ready = format!("memo: singleton `db` is ready: {}\n", all.id("db"));
    // Each has got it over one connection, and hears of its end over another.
    until("both stay", || supervisor.sockets() == LISTENING + 4 && asleep(supervisor.pid));
    gate.open();
    for caller in [first, second] {
        let ended = caller.end();
        let shown = String::from_utf8(ended.stdout).unwrap();
        assert_eq!((ended.status, shown.as_str(), ended.stderr.as_str()), (7, "one\ntwo\n", ready.as_str()));
    }
    // Whoever stays hears of the end before the last of it has gone.
    until("all has gone", || all.processes().is_empty());
}

#[test]
fn whoever_stays_is_told_nothing_who_wants_quiet_and_cannot_print_too() {
    let all = Singletons::new();
    let mut gate = Gate::new(&all, "gate");
    let line = "db --foreground -q --ready-notify -- puppet notify READY=1 , waitfifo gate , exit 3";
    let stays = Caller::start(&mut all.memo(line));
    until("it is ready", || all.ran("status db --json").stdout.contains("\"ready\""));
    let supervisor = all.supervisor("db");
    until("somebody stays", || supervisor.sockets() == LISTENING + 2 && asleep(supervisor.pid));
    gate.open();
    let ended = stays.end();
    assert_eq!((ended.status, ended.stderr.as_str()), (3, ""));
    let session = all.steps(&[
        "memo singleton db --foreground --print pid -- true",
        "memo singleton db --json --foreground -- true",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton db --foreground --print pid -- true
memo: error: `--foreground` does not go with `--print`; the command was not run
[exit 125]
$ memo singleton db --json --foreground -- true
memo: error: `--json` does not go with `--foreground`; the command was not run
[exit 125]

"#]]
    );
}

#[test]
fn whoever_waits_ends_as_it_does() {
    let all = Singletons::new();
    for (act, status) in [("exit 7", 7), ("exit 0", 0), ("signal KILL", 137), ("signal SEGV", 139)] {
        let mut gate = Gate::new(&all, "gate");
        all.line(&format!("db --ready-notify -- puppet notify READY=1 , waitfifo gate , {act}"));
        let waiting = [(); 3].map(|()| Caller::start(&mut all.memo("wait db")));
        until_asked(&all, &waiting.iter().collect::<Vec<_>>());
        gate.open();
        for caller in waiting {
            let ended = caller.end();
            assert_eq!(
                (ended.status, ended.stdout.as_slice(), ended.stderr.as_str()),
                (status, &b""[..], "")
            );
        }
        fs::remove_file(all.path("gate")).unwrap();
    }
    all.line(DB);
    let waiting = Caller::start(&mut all.memo("wait db"));
    until_asked(&all, &[&waiting]);
    all.line("stop db -q");
    assert_eq!(waiting.end().status, 143);
    let session = all.steps(&[
        "memo singleton wait db",
        "memo singleton wait db --ready",
        "memo singleton db -- puppet serve db >id",
        "memo singleton wait db --timeout 1ms",
        "memo singleton wait db --ready --timeout 60s | cmp - id",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton wait db
memo: error: singleton `db` is not running
memo:   hint: the last one ended 0s ago: stopped (signal 15); `memo singleton logs db`
[exit 1]
$ memo singleton wait db --ready
memo: error: singleton `db` is not running
memo:   hint: the last one ended 0s ago: stopped (signal 15); `memo singleton logs db`
[exit 1]
$ memo singleton db -- puppet serve db >id
$ memo singleton wait db --timeout 1ms
memo: error: singleton `db` has not ended after 1 ms
[exit 124]
$ memo singleton wait db --ready --timeout 60s | cmp - id

"#]]
    );
}
