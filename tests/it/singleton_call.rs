//! Calls: one request in, one reply out, and never another's, whatever happens to callers and processes.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use rustix::process::Signal;
use snapbox::{assert_data_eq, str};

use crate::crowd::{Caller, Gate, until};
use crate::living::Singletons;
use crate::sandbox::Ran;

/// Answers each line with how many it was asked and with what; some it answers otherwise.
const SERVER: &str = r#"
import os, sys, threading

def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()

for number, line in enumerate(sys.stdin, 1):
    request = line.rstrip("\n")
    if request == "hold":
        with open("held", "a") as held:
            held.write(f"{os.getpid()}\n")
        open("gate").read()
    if request == "die":
        print("dying", file=sys.stderr, flush=True)
        sys.exit(3)
    if request == "stray":
        say("reply\nstray\n")
        continue
    say(f"{number}:{request}\n")
    if request == "later":
        open("gate").read()
        say("later\n")
"#;

/// Returns a sandbox with that server.
fn world() -> Singletons {
    let singletons = Singletons::new();
    singletons.write("server.py", SERVER);
    singletons
}

/// Starts a caller with one request; the server is started if it does not run.
fn caller(singletons: &Singletons, request: &str) -> Caller {
    Caller::start(&mut singletons.memo(&format!("call m {request} -- python3 server.py")))
}

/// Calls the server, which is started if it does not run.
fn call(singletons: &Singletons, request: &str) -> Ran {
    singletons.ran(&format!("call m {request} -- python3 server.py"))
}

/// Waits until the server holds so many requests to it, and until so many were begun with.
#[track_caller]
fn until_held(singletons: &Singletons, calls: i64, held: usize) {
    until("the server is asked", || {
        fs::read_to_string(singletons.path("held")).map_or(0, |held| held.lines().count()) == held
    });
    until("they are queued", || singletons.status("m").number("calls") == calls);
}

#[test]
fn five_hundred_callers_at_once_get_their_own_replies() {
    let singletons = world();
    let mut gate = Gate::new(&singletons, "gate");
    let first = caller(&singletons, "hold");
    until_held(&singletons, 1, 1);
    let all = singletons.start("for i in $(seq 500); do memo singleton call m r$i >out.$i 2>&1 & done; wait");
    // All of them wait at one time.
    until_held(&singletons, 501, 1);
    gate.open();
    assert!(all.wait_with_output().unwrap().status.success());
    assert_eq!(String::from_utf8_lossy(&first.end().stdout), "1:hold\n");
    let mut numbers = BTreeSet::new();
    for i in 1..=500 {
        let reply = singletons.read(format!("out.{i}"));
        let (number, request) = reply.trim_end().split_once(':').unwrap_or_else(|| panic!("{i}: {reply}"));
        assert_eq!(request, format!("r{i}"));
        numbers.insert(number.parse::<u32>().unwrap());
    }
    // One after the other, and each once.
    assert_eq!(numbers, (2..=501).collect());
}

#[test]
fn a_request_is_a_word_or_all_of_stdin() {
    let singletons = world();
    let start = "memo singleton call m";
    assert_eq!(singletons.ok(&format!("{start} 'a b' -- python3 server.py")), "1:a b\n");
    assert_eq!(singletons.ok(&format!("echo in | {start}")), "2:in\n");
    assert_eq!(singletons.ok(&format!("printf in | {start} -")), "3:in\n");
    assert_eq!(singletons.ok(&format!("{start} -q -4.5")), "4:-4.5\n");
    // Without a command nothing is started.
    let session = singletons.steps(&[
        "printf 'a\\nb' | memo singleton call m",
        "memo singleton call nothing x",
        "memo singleton call m --no-strat",
        "memo singleton call m --json",
        "memo singleton call m -x",
        "memo singleton quiet -- puppet serve quiet >id",
        "memo singleton call quiet x",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ printf 'a/nb' | memo singleton call m
memo: error: singleton `m` cannot be called: a request is one line, and this one has 2
[exit 125]
$ memo singleton call nothing x
memo: error: singleton `nothing` is not running
memo:   hint: `memo singleton call nothing REQ -- COMMAND` starts it
[exit 125]
$ memo singleton call m --no-strat
memo: error: `memo singleton call` has no option `--no-strat`
memo:   hint: did you mean `--no-start`?
memo:   hint: a request that begins with `-` goes on stdin
[exit 125]
$ memo singleton call m --json
memo: error: `memo singleton call` has no option `--json`
memo:   hint: options of the command stand behind `--`; see `memo singleton call --help`
memo:   hint: a request that begins with `-` goes on stdin
[exit 125]
$ memo singleton call m -x
memo: error: `memo singleton call` has no option `-x`
memo:   hint: options of the command stand behind `--`; see `memo singleton call --help`
memo:   hint: a request that begins with `-` goes on stdin
[exit 125]
$ memo singleton quiet -- puppet serve quiet >id
$ memo singleton call quiet x
memo: error: singleton `quiet` cannot be called: it was not started to answer calls
memo:   hint: `--framing line` (json, lsp), when it is started, lets it answer calls
[exit 125]

"#]]
    );
}

#[test]
fn what_begins_with_a_dash_is_never_sent() {
    let singletons = world();
    singletons.line("m --framing line -- python3 server.py");
    for word in ["--no-strat", "--reply-timeut=5s", "--json", "-x", "-5x"] {
        assert_eq!(singletons.ran(&format!("call m {word}")).code, 125, "{word}");
    }
    assert_eq!(singletons.ok("echo --json | memo singleton call m -q"), "1:--json\n");
}

#[test]
fn what_it_says_before_it_is_asked_is_no_reply() {
    let singletons = Singletons::new();
    singletons.write("server.sh", "echo loading; echo loaded; while read x; do echo \"<$x>\"; done\n");
    let call = "memo singleton call m --ready-log loaded";
    assert_eq!(singletons.ok(&format!("{call} a -- sh server.sh")), "<a>\n");
    assert_eq!(singletons.ok("memo singleton call m b"), "<b>\n");
    assert_eq!(singletons.ok("memo singleton logs m"), "loading\nloaded\n");
}

mod framing {
    use super::*;

    #[test]
    fn json_is_one_value_in_and_one_out() {
        let singletons = Singletons::new();
        singletons.write(
            "server.py",
            "import json, sys\nfor line in sys.stdin:\n    x = json.loads(line)\n    \
             print(x['raw'] if 'raw' in x else json.dumps({'n': x['n'] + 1, 's': x['s']}), flush=True)\n",
        );
        singletons.write("request", "{\n  \"n\": 1,\n  \"s\": \"ab\"\n}\n");
        let session = singletons.steps(&[
            "memo singleton call j --framing json -- python3 server.py <request",
            "memo singleton call j '{\"n\": 41, \"s\": [null]}'",
            "memo singleton call j '{\"n\": 41'",
            "memo singleton call j '{\"raw\": \"no json\"}'",
            "memo singleton call j --framing json '{\"n\": 2, \"s\": 0}' -- python3 server.py",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo singleton call j --framing json -- python3 server.py <request
{"n": 2, "s": "ab"}
$ memo singleton call j '{"n": 41, "s": [null]}'
{"n": 42, "s": [null]}
$ memo singleton call j '{"n": 41'
memo: error: singleton `j` cannot be called: a request is one JSON value, and this is none: EOF while parsing an object at line 1 column 8
[exit 125]
$ memo singleton call j '{"raw": "no json"}'
memo: error: singleton `j` ended before it had replied: poisoned: the reply is no JSON value: expected ident at line 1 column 2
[exit 125]
$ memo singleton call j --framing json '{"n": 2, "s": 0}' -- python3 server.py
{"n": 3, "s": 0}

"#]]
        );
    }

    #[test]
    fn lsp_has_any_bytes() {
        let singletons = Singletons::new();
        // What it is told it says, header and all.
        singletons.line("l --framing lsp -- cat");
        singletons.write("request", b"{\n\x00\xff\r\n\r\nContent-Length: 3\r\n\r\n");
        singletons.ok("memo singleton call l <request >reply; cmp request reply");
        assert_eq!(singletons.ok("memo singleton call l ''"), "");
        assert_eq!(singletons.ok("memo singleton call l x"), "x");
    }

    #[test]
    fn another_one_is_another_process() {
        let singletons = Singletons::new();
        let first = singletons.id("c --framing line -- cat");
        assert_eq!(singletons.id("c --framing line -- cat"), first);
        assert_eq!(singletons.id("c -- cat"), first);
        let session = singletons.steps(&[
            "memo singleton c --print port --framing json -- cat",
            "memo singleton c --framing netstring -- cat",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo singleton c --print port --framing json -- cat
memo: singleton `c` is replaced: framing
memo: error: singleton `c` has no port that is known
memo:   hint: `--port auto` gives it one, `--ready-port PORT` says which it has
[exit 125]
$ memo singleton c --framing netstring -- cat
memo: error: `--framing netstring`: it is none of the framings; the command was not run
memo:   hint: it takes `line`, `json`, `lsp`
[exit 125]

"#]]
        );
        assert_ne!(singletons.id("c -- cat"), first);
    }
}

#[test]
fn twenty_megabytes_go_both_ways_at_once() {
    // A process that answers while it reads; who writes all before it reads would wait for ever.
    let singletons = Singletons::new();
    let length = 20 << 20;
    for (framing, end) in [("line", "\n"), ("lsp", "")] {
        let request = "0123456789abcde ".repeat(length / 16) + end;
        singletons.write("request", &request);
        singletons.ok(&format!("memo singleton call {framing} --framing {framing} -- cat <request >reply"));
        assert!(singletons.read("reply") == request, "{framing}");
        assert_eq!(singletons.ok(&format!("memo singleton call {framing} x")).trim_end(), "x");
    }
}

#[test]
fn a_caller_that_is_killed_leaves_its_reply_to_nobody() {
    let singletons = world();
    let _gate = Gate::new(&singletons, "gate");
    let killed = caller(&singletons, "hold");
    until_held(&singletons, 1, 1);
    let first = singletons.id("m");
    // This one waits behind it, and one that waits may go.
    let waits = caller(&singletons, "waits");
    until_held(&singletons, 2, 1);
    let leaves = caller(&singletons, "leaves");
    until_held(&singletons, 3, 1);
    leaves.kill(Signal::KILL);
    leaves.end();
    until_held(&singletons, 2, 1);
    assert_eq!(singletons.id("m"), first);
    killed.kill(Signal::KILL);
    assert_eq!(killed.end().status, 137);
    let waited = waits.end();
    assert_eq!((waited.status, String::from_utf8_lossy(&waited.stdout)), (0, "1:waits\n".into()));
    assert_eq!(call(&singletons, "next").stdout, "2:next\n");
    assert_ne!(singletons.id("m"), first);
}

#[test]
fn a_reply_that_comes_too_late_goes_to_nobody() {
    let singletons = world();
    let _gate = Gate::new(&singletons, "gate");
    let first = singletons.id("m --framing line -- python3 server.py");
    let session = singletons.steps(&["memo singleton call m --reply-timeout 100ms hold"]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton call m --reply-timeout 100ms hold
memo: error: singleton `m` did not reply within 100 ms; it is ended
memo:   hint: `--reply-timeout` gives it longer
memo:   hint: a program that writes to no terminal may keep its replies back: `python3 -u`, `stdbuf -oL`
[exit 124]

"#]]
    );
    assert_eq!(call(&singletons, "next").stdout, "1:next\n");
    assert_ne!(singletons.id("m"), first);
}

#[test]
fn a_process_that_dies_of_a_request_is_an_error_and_then_another() {
    let singletons = world();
    let session = singletons.steps(&[
        "memo singleton call m a -- python3 server.py",
        "memo singleton call m die -- python3 server.py",
        "memo singleton call m b -- python3 server.py",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton call m a -- python3 server.py
1:a
$ memo singleton call m die -- python3 server.py
memo: error: singleton `m` ended before it had replied: exit 3
memo:   | dying
[exit 3]
$ memo singleton call m b -- python3 server.py
1:b

"#]]
    );
}

#[test]
fn a_reply_that_nobody_asked_for_ends_it() {
    let singletons = world();
    let session = singletons.steps(&[
        "memo singleton call m a -- python3 server.py",
        "memo singleton call m stray -- python3 server.py",
        "memo singleton call m b -- python3 server.py",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton call m a -- python3 server.py
1:a
$ memo singleton call m stray -- python3 server.py
memo: error: singleton `m` ended before it had replied: poisoned: it wrote `stray`, which nobody had asked for
[exit 125]
$ memo singleton call m b -- python3 server.py
1:b

"#]]
    );
    // Between two calls, too.
    let mut gate = Gate::new(&singletons, "gate");
    assert_eq!(call(&singletons, "later").stdout, "2:later\n");
    gate.open();
    until("it has ended", || singletons.ran("status m").code == 1);
    assert_data_eq!(
        singletons.steps(&["memo singleton status m"]),
        str![[r#"
$ memo singleton status m
memo: error: singleton `m` is not running
memo:   hint: the last one ended 0s ago: poisoned (signal 15): it wrote `later`, which nobody had asked for; `memo singleton logs m`
[exit 1]

"#]]
    );
    assert_eq!(call(&singletons, "c").stdout, "1:c\n");
}

#[test]
fn one_that_is_replaced_answers_what_it_was_asked_before() {
    let singletons = world();
    let mut gate = Gate::new(&singletons, "gate");
    let asked = caller(&singletons, "hold");
    until_held(&singletons, 1, 1);
    let replaces = Caller::start(&mut singletons.memo("m -k other --framing line -- python3 server.py"));
    // Whoever comes once it is promised to go waits for the next one.
    until("it is promised to go", || singletons.ran("m --timeout 100ms").code == 124);
    gate.open();
    assert_eq!(String::from_utf8_lossy(&asked.end().stdout), "1:hold\n");
    assert_eq!(replaces.end().status, 0);
    assert_eq!(singletons.line("call m new"), "1:new");
}

mod kept {
    use super::*;

    /// A server that counts what it is asked, over all that it ever was.
    const COUNTS: &str = "while read x; do echo $x >>asked; echo \"<$x>\"; done\n";

    #[test]
    fn replies_are_kept_as_long_as_the_instance_lives() {
        let singletons = Singletons::new();
        singletons.write("server.sh", COUNTS);
        let asked = || fs::read_to_string(singletons.path("asked")).map_or(0, |asked| asked.lines().count());
        singletons.line("m --framing line -- sh server.sh");
        let call = |request: &str, expected: usize| {
            let reply = singletons.ok(&format!("memo --dep-singleton m memo singleton call m {request}"));
            assert_eq!((reply, asked()), (format!("<{request}>\n"), expected));
        };
        call("a", 1);
        call("a", 1);
        call("b", 2);
        call("a", 2);
        singletons.line("restart m");
        call("a", 3);
        call("a", 3);
        singletons.line("m -k other --framing line -- sh server.sh");
        call("a", 4);
        call("b", 5);
        call("b", 5);
    }

    #[test]
    fn a_chain_is_as_new_as_what_it_begins_with() {
        let singletons = Singletons::new();
        singletons.script("bump", "#!/bin/sh\necho . >>\"$RUNS\"; echo \"$@\"\n");
        singletons.write("a.conf", "1");
        let chain = "memo singleton a -i a.conf -- puppet serve a >a.id &&
            memo singleton b --dep-singleton a -- puppet serve b >b.id &&
            memo --dep-singleton b ./bump \"$(cat b.id)\" 2>&1";
        let mut seen = BTreeSet::new();
        let mut check = |is_new: bool| {
            let before = singletons.runs();
            let shown = singletons.ok(chain);
            assert_eq!(seen.insert(singletons.read("b.id")), is_new, "{shown}");
            assert_eq!(singletons.runs() - before, usize::from(is_new), "{shown}");
        };
        check(true);
        check(false);
        singletons.write("a.conf", "2");
        check(true);
        check(false);
        singletons.line("stop a");
        check(true);
        singletons.line("restart a");
        check(true);
        singletons.line("restart b");
        check(true);
        check(false);
        singletons.never_twice();
        singletons.write("a.conf", "3");
        let said = singletons.run(chain).stderr;
        let said = said.lines().filter(|line| line.contains("replaced")).collect::<Vec<_>>().join("\n");
        assert_data_eq!(
            said,
            str![[r#"
memo: singleton `a` is replaced: input-changed: `a.conf`
memo: singleton `b` is replaced: singleton: `a`
"#]]
        );
    }
}

#[test]
fn nobody_reads_the_reply_and_nothing_is_lost() {
    // The caller's stdout is closed; its reply was given, and the next one is asked as ever.
    let singletons = world();
    singletons.line("m --framing line -- python3 server.py");
    let id = singletons.id("m");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    singletons.memo("call m a").stdout(Stdio::from(writer)).stderr(Stdio::null()).status().unwrap();
    assert_eq!(singletons.line("call m b"), "2:b");
    assert_eq!(singletons.id("m"), id);
}
