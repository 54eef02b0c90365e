//! When a singleton is ready: each way to say so, and what is not believed.

use std::fs;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::sync::atomic::{AtomicU32, Ordering};

use snapbox::{assert_data_eq, str};

use crate::crowd::{Caller, Gate, until};
use crate::living::Singletons;
use crate::sandbox::{Ran, Sandbox};

/// Listens where it is told once the gate is open. What it is asked over HTTP it answers with what is in `status`.
const LISTENER: &str = r#"
import http.server, os, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open("asked", "a") as asked:
            asked.write(self.path + "\n")
        self.send_response(int(open("status").read()))
        self.end_headers()

    def log_message(self, *words):
        pass

open("begun", "w").close()
open("gate").read()
kind, where = sys.argv[1], sys.argv[2:]
if kind == "unix":
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(where[0])
    listener.listen()
elif kind == "http":
    http.server.HTTPServer((where[0], int(where[1])), Handler).serve_forever()
else:
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    listener = socket.create_server((where[0], int(where[1])), family=family)
open("never").read()
"#;

/// Returns a sandbox with that program; its gate is closed, and what it waits for at last never comes.
fn world() -> (Singletons, Gate) {
    let singletons = Singletons::of(Sandbox::new().with_running_clock());
    singletons.write("listener.py", LISTENER);
    singletons.fifo("never");
    let gate = Gate::new(&singletons, "gate");
    (singletons, gate)
}

/// Returns an address of this machine that no other test has.
fn address() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) + (std::process::id() << 6);
    let [_, a, b, c] = number.to_be_bytes();
    // 0 and 255 at the end are allowed here, but 127.0.0.x is what others use.
    format!("127.{}.{b}.{c}", a | 0x80)
}

/// The process is there, and has not become ready.
#[track_caller]
fn is_starting(singletons: &Singletons, name: &str) {
    assert_eq!(singletons.status(name).text("stage"), "starting");
}

/// Starts a caller, waits until its process runs, and lets that go on; returns what the caller printed.
#[track_caller]
fn opened(singletons: &Singletons, mut gate: Gate, line: &str) -> String {
    let caller = Caller::start(&mut singletons.shell(format!("exec memo singleton {line}")));
    until("it runs", || singletons.path("begun").exists());
    is_starting(singletons, "k");
    gate.open();
    let ended = caller.end();
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    String::from_utf8(ended.stdout).unwrap().trim_end().to_owned()
}

/// Nothing is left of a process that did not become ready, soon after it is told.
#[track_caller]
fn goes(singletons: &Singletons) {
    until("nothing is left", || singletons.processes().is_empty());
}

/// Runs a line that fails, and after which nothing may be left.
#[track_caller]
fn fails(singletons: &Singletons, line: &str) -> Ran {
    let ran = singletons.run(format!("memo singleton {line}"));
    goes(singletons);
    ran
}

#[test]
fn a_port() {
    for host in [address(), "[::1]".to_owned()] {
        let (singletons, gate) = world();
        // ::1 is only one, and its ports are everybody's.
        let port = if host.starts_with('[') { free_port() } else { 7777 };
        let bare = host.trim_matches(['[', ']']);
        let line = format!("k --ready-port {host}:{port} -- python3 listener.py port {bare} {port}");
        assert_eq!(opened(&singletons, gate, &line), format!("{host}:{port}"));
        assert_eq!(singletons.line("k --print port"), port.to_string());
    }
}

#[test]
fn a_port_of_localhost_is_either() {
    for bare in ["127.0.0.1", "::1"] {
        let (singletons, gate) = world();
        let port = free_port();
        let line = format!("k --ready-port {port} -- python3 listener.py port {bare} {port}");
        let host = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
        assert_eq!(opened(&singletons, gate, &line), format!("{host}:{port}"));
    }
}

#[test]
fn a_port_that_is_given() {
    let (singletons, gate) = world();
    singletons.script("start", "#!/bin/sh\nexec python3 listener.py port 127.0.0.1 $PORT\n");
    let shown = opened(&singletons, gate, "k --port auto -- ./start");
    let port = singletons.line("k --print port");
    assert_eq!(shown, format!("127.0.0.1:{port}"));
    assert!(std::net::TcpStream::connect(shown).is_ok());
    // The next one may get another, and whoever asks is told.
    singletons.line("restart k");
    let port = singletons.line("k --print port");
    assert_eq!(singletons.line("k --port auto -- ./start"), format!("127.0.0.1:{port}"));
}

/// Returns a port that nobody listens at now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn an_answer_over_http() {
    let (singletons, gate) = world();
    let host = address();
    singletons.write("status", "503");
    let url = format!("http://{host}:7777/health?x=1");
    let line = format!("k --ready-http '{url}' --ready-status 204 -- python3 listener.py http {host} 7777");
    let mut gate = gate;
    gate.open();
    let caller = Caller::start(&mut singletons.shell(format!("exec memo singleton {line}")));
    let asked = || fs::read_to_string(singletons.path("asked")).unwrap_or_default();
    for (status, times) in [("503", 2), ("200", 4)] {
        fs::write(singletons.path("new"), status).unwrap();
        fs::rename(singletons.path("new"), singletons.path("status")).unwrap();
        until("it is asked again", || asked().lines().count() >= times);
        is_starting(&singletons, "k");
    }
    fs::write(singletons.path("new"), "204").unwrap();
    fs::rename(singletons.path("new"), singletons.path("status")).unwrap();
    assert_eq!(String::from_utf8(caller.end().stdout).unwrap(), format!("{url}\n"));
    assert!(asked().lines().all(|path| path == "/health?x=1"));
}

#[test]
fn a_socket() {
    let (singletons, gate) = world();
    // By a name of the caller's directory.
    let shown = opened(&singletons, gate, "k --ready-unix s -- python3 listener.py unix s");
    assert_eq!(shown, singletons.path("s").to_str().unwrap());
}

#[test]
fn a_line_of_the_log_and_what_it_names() {
    let (singletons, gate) = world();
    singletons.write(
        "start",
        ": >begun; echo listening on nothing; cat gate; \
         printf 'x\\033[1;32mlistening on 10.0.0.1:99 as \\033[0mme \\r\\n' >&2; exec puppet pause\n",
    );
    let regex = r"listening on (?<addr>\S+:\d+) as (?<user_name>\w+)";
    let shown = opened(&singletons, gate, &format!("k --ready-log '{regex}' -- sh start"));
    assert_eq!(shown, "10.0.0.1:99");
    assert_eq!(
        singletons.ok("eval \"$(memo singleton k --print env)\"; echo $K_ADDR $K_USER_NAME"),
        "10.0.0.1:99 me\n"
    );
    let json: serde_json::Value = serde_json::from_str(&singletons.line("status k --json")).unwrap();
    assert_eq!(json["values"]["user_name"], "me");
}

#[test]
fn a_command_that_succeeds() {
    let (singletons, gate) = world();
    // In the process's directory and environment.
    singletons.write("start", ": >begun; cat gate; echo $X >flag; exec puppet pause\n");
    let shown = opened(
        &singletons,
        gate,
        "k --ready-cmd 'test \"$(cat flag)\" = \"$X\"' --print pid -- X=3 sh start",
    );
    assert_eq!(shown.parse::<i32>().unwrap(), singletons.service("k").pid);
}

#[test]
fn a_command_that_does_not_end_ends_with_the_wait() {
    let (singletons, _gate) = world();
    let line = "k --timeout 1s --ready-cmd 'puppet waitfifo never & wait' -- puppet pause";
    assert_eq!(fails(&singletons, line).code, 124);
}

#[test]
fn a_file_that_is_written() {
    let (singletons, gate) = world();
    // One that was there before says nothing.
    singletons.write("up", "");
    singletons.write("start", ": >begun; cat gate; echo >up; exec puppet pause\n");
    let id = opened(&singletons, gate, "k --ready-file up -- sh start");
    assert_eq!(singletons.line("id k"), id);
}

#[test]
fn a_notice() {
    let (singletons, gate) = world();
    singletons.write(
        "start",
        "puppet notify 'STATUS=warming up'; : >begun; cat gate; \
         sh -c 'puppet notify X_ADDR=here:1; puppet notify READY=1' & exec puppet pause\n",
    );
    let status = || singletons.status("k").text("status");
    let caller = Caller::start(&mut singletons.memo("k --ready-notify -- sh start"));
    until("it has begun", || singletons.path("begun").exists());
    until("it says what it does", || status() == "warming up");
    is_starting(&singletons, "k");
    let mut gate = gate;
    gate.open();
    // A process of its tree may say it as well.
    assert_eq!(caller.end().stdout, b"here:1\n");
}

#[test]
fn all_that_was_asked_for() {
    let (singletons, gate) = world();
    singletons.write("start", "echo up; : >begun; cat gate; : >second; exec puppet pause\n");
    opened(&singletons, gate, "k --ready-log up --ready-file second -- sh start");
}

#[test]
fn who_joins_waits_too() {
    let (singletons, mut gate) = world();
    singletons.write("start", ": >begun; cat gate; : >up; exec puppet pause\n");
    let first = Caller::start(&mut singletons.memo("k --ready-file up -- sh start"));
    until("it runs", || singletons.path("begun").exists());
    let others = ["wait k --ready", "k", "k --ready-file up -- sh start"]
        .map(|words| Caller::start(&mut singletons.memo(words)));
    assert_eq!(singletons.ran("wait k --ready --timeout 1ms").code, 124);
    is_starting(&singletons, "k");
    gate.open();
    let id = first.end().stdout;
    for other in others {
        assert_eq!(other.end().stdout, id);
    }
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

#[test]
fn a_port_that_the_log_names() {
    let singletons = Singletons::new();
    let start = "--ready-log 'at (?<port>[0-9]+)' -- puppet print 'at 22' , pause";
    assert_eq!(singletons.ok(&format!("memo singleton k --print port {start}")), "22\n");
    assert_eq!(singletons.ok("eval \"$(memo singleton k --print env)\"; echo $K_PORT"), "22\n");
    assert_eq!(singletons.status("k").number("port"), 22);
}

#[test]
fn status_says_what_is_waited_for() {
    let singletons = Singletons::new();
    let starts = Caller::start(&mut singletons.memo("k --ready-file never --timeout 1h -- puppet serve k"));
    until("it runs", || !singletons.starts().is_empty());
    is_starting(&singletons, "k");
    let shown = singletons.shown(&singletons.ok("memo singleton status k"));
    let waits = shown.lines().find(|line| line.contains("waits"));
    let expected = "  waits     for 59m at most: `$T/work/never` is not there, or older than the service";
    assert_eq!(waits, Some(expected), "{shown}");
    singletons.line("stop k");
    assert_eq!(starts.end().status, 125);
}

mod strangers {
    use super::*;

    #[test]
    fn a_port_that_is_taken_is_said_at_once() {
        let singletons = Singletons::new();
        let listener = std::net::TcpListener::bind((address(), 0)).unwrap();
        let at = listener.local_addr().unwrap();
        for option in [format!("--ready-port {at}"), format!("--ready-http http://{at}/")] {
            let ran = fails(&singletons, &format!("k {option} -- puppet serve k"));
            let said = ran.stderr.replace(&at.port().to_string(), "PORT");
            // Any process that has it: what another test starts has it too for a moment.
            let (said, pid) = said.trim_end().rsplit_once(' ').unwrap();
            assert_eq!((ran.code, pid.parse::<u32>().is_ok()), (125, true), "{}", ran.stderr);
            assert_data_eq!(
                said,
                str![[r#"
memo: error: singleton `k` was not started: port PORT is taken by process
"#]]
            );
        }
        let listed = singletons.ok("memo singleton ls -a");
        let why = format!("(not-started: port {} is taken by process {})", at.port(), std::process::id());
        assert!(listed.contains(&why), "{listed}");
        // It was not even started.
        assert_eq!(singletons.starts(), [0; 0]);
    }

    #[test]
    fn one_who_comes_later_is_not_believed() {
        let singletons = Singletons::new();
        let mut gate = Gate::new(&singletons, "gate");
        let host = address();
        singletons.write("start", ": >begun; cat gate; exit 7\n");
        let caller = Caller::start(&mut singletons.memo(&format!("k --ready-port {host}:7777 -- sh start")));
        until("it runs", || singletons.path("begun").exists());
        let listener = std::net::TcpListener::bind((host, 7777)).unwrap();
        for _ in 0..3 {
            listener.accept().unwrap();
        }
        is_starting(&singletons, "k");
        gate.open();
        assert_eq!(caller.end().status, 7);
    }

    #[test]
    fn the_socket_of_another_is_not_believed() {
        let singletons = Singletons::new();
        let _listener = UnixListener::bind(singletons.path("s")).unwrap();
        let session = singletons.steps(&["memo singleton k --ready-unix s --timeout 1s -- puppet serve k"]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo singleton k --ready-unix s --timeout 1s -- puppet serve k
memo: error: singleton `k` was not ready within 1 s: `$T/work/s` is answered by a process that is not the service's
memo:   hint: if a container or another daemon listens for the service, ask by `--ready-cmd`; else take another port
[exit 124]

"#]]
        );
        goes(&singletons);
    }

    #[test]
    fn a_notice_of_another_is_not_believed() {
        let (singletons, mut gate) = world();
        singletons.write(
            "start",
            ": >begun; cat gate; puppet notify STATUS=mine; puppet waitfifo second , notify READY=1 , pause\n",
        );
        let mut second = Gate::new(&singletons, "second");
        let caller = Caller::start(&mut singletons.memo("k --ready-notify -- sh start"));
        until("it runs", || singletons.path("begun").exists());
        let socket = singletons.slot("k").join("n");
        UnixDatagram::unbound().unwrap().send_to(b"READY=1\nX_ADDR=theirs\n", socket).unwrap();
        gate.open();
        // What was sent before this was read before it.
        until("it says something", || singletons.status("k").text("status") == "mine");
        is_starting(&singletons, "k");
        second.open();
        let ended = caller.end();
        assert_eq!((ended.status, ended.stdout), (0, (singletons.line("id k") + "\n").into_bytes()));
    }
}

mod in_vain {
    use super::*;

    #[test]
    fn it_is_said_what_is_missing_and_nothing_is_left() {
        let singletons = Singletons::new();
        singletons.fifo("never");
        singletons.write("start", "echo one; echo two >&2; puppet leave pause; exec puppet pause\n");
        let options = [
            "--ready-port 127.254.253.252:7",
            "--ready-http http://127.254.253.252:7/x",
            "--ready-unix s",
            "--ready-log up",
            "--ready-cmd 'test -e up'",
            "--ready-file up",
            "--ready-notify",
            "--ready-log two --ready-file up",
        ];
        // All at one time, so that each can have long enough for its two lines.
        let start = |(i, option): (usize, &&str)| {
            let line = format!("exec memo singleton k{i} --timeout 4s {option} -- sh start");
            Caller::start(&mut singletons.shell(line))
        };
        let callers: Vec<Caller> = options.iter().enumerate().map(start).collect();
        let mut session = String::new();
        for (caller, option) in callers.into_iter().zip(options) {
            let ended = caller.end();
            session += &format!("{option}: exit {}\n{}", ended.status, singletons.shown(&ended.stderr));
        }
        goes(&singletons);
        for i in 0..options.len() {
            singletons.is_free(&format!("k{i}"));
        }
        assert_data_eq!(
            session,
            str![[r#"
--ready-port 127.254.253.252:7: exit 124
memo: error: singleton `k0` was not ready within 4 s: nothing listens at `127.254.253.252:7`
memo:   | one
memo:   | two
memo:   hint: `--timeout 5m` gives it longer
--ready-http http://127.254.253.252:7/x: exit 124
memo: error: singleton `k1` was not ready within 4 s: `http://127.254.253.252:7/x` is not answered
memo:   | one
memo:   | two
memo:   hint: `--timeout 5m` gives it longer
--ready-unix s: exit 124
memo: error: singleton `k2` was not ready within 4 s: nothing listens at `$T/work/s`
memo:   | one
memo:   | two
memo:   hint: `--timeout 5m` gives it longer
--ready-log up: exit 124
memo: error: singleton `k3` was not ready within 4 s: no line of the log matches `up`
memo:   | one
memo:   | two
memo:   hint: a program that writes to no terminal may keep its lines back: `python3 -u`, `stdbuf -oL`
--ready-cmd 'test -e up': exit 124
memo: error: singleton `k4` was not ready within 4 s: `test -e up` does not succeed
memo:   | one
memo:   | two
memo:   hint: `--timeout 5m` gives it longer
--ready-file up: exit 124
memo: error: singleton `k5` was not ready within 4 s: `$T/work/up` is not there, or older than the service
memo:   | one
memo:   | two
memo:   hint: `--timeout 5m` gives it longer
--ready-notify: exit 124
memo: error: singleton `k6` was not ready within 4 s: the service did not send READY=1 to NOTIFY_SOCKET
memo:   | one
memo:   | two
memo:   hint: `--timeout 5m` gives it longer
--ready-log two --ready-file up: exit 124
memo: error: singleton `k7` was not ready within 4 s: `$T/work/up` is not there, or older than the service
memo:   | one
memo:   | two
memo:   hint: `--timeout 5m` gives it longer

"#]]
        );
    }

    #[test]
    fn it_is_said_where_it_listens_instead() {
        let (singletons, mut gate) = world();
        gate.open();
        let host = address();
        // What the caller's shell makes of `$PORT`, which it does not know.
        let server = |port: &str, given: &str| format!("python3 listener.py port {host} {port} {given}");
        let lines = [
            format!("k0 --port auto --timeout 4s -- {}", server("7770", "$PORT")),
            format!("k1 --port auto --timeout 4s -- sh -c '{}'", server("7771", "")),
            format!("k2 --ready-port 127.254.253.252:7 --timeout 4s -- {}", server("7772", "")),
        ];
        let callers =
            lines.map(|line| Caller::start(&mut singletons.shell(format!("exec memo singleton {line}"))));
        let mut session = String::new();
        for caller in callers {
            let ended = caller.end();
            let said = ended.stderr.replace(&host, "HOST");
            let port = said.split_once("listens at `127.0.0.1:").and_then(|(_, rest)| rest.split('`').next());
            session += &format!("{}: {}", ended.status, said.replace(port.unwrap_or("none"), "PORT"));
        }
        goes(&singletons);
        assert_data_eq!(
            session,
            str![[r#"
124: memo: error: singleton `k0` was not ready within 4 s: nothing listens at `127.0.0.1:PORT`; it listens at `HOST:7770` instead
memo:   hint: the port it is given is in $PORT, which a shell has to put in: `-- sh -c 'exec python3 listener.py port HOST 7770 "$PORT"'`
124: memo: error: singleton `k1` was not ready within 4 s: nothing listens at `127.0.0.1:PORT`; it listens at `HOST:7771` instead
memo:   hint: `--ready-port HOST:7771` waits until it listens there
124: memo: error: singleton `k2` was not ready within 4 s: nothing listens at `127.254.253.252:7`; it listens at `HOST:7772` instead
memo:   hint: `--ready-port HOST:7772` waits until it listens there

"#]]
        );
    }

    #[test]
    fn the_status_is_said_that_came() {
        let (singletons, mut gate) = world();
        gate.open();
        singletons.write("status", "404");
        let host = address();
        let line = format!(
            "k --ready-http http://{host}:7777/ --timeout 4s -- python3 listener.py http {host} 7777"
        );
        let ran = fails(&singletons, &line);
        assert_data_eq!(
            ran.stderr.replace(&host, "HOST"),
            str![[r#"
memo: error: singleton `k` was not ready within 4 s: `http://HOST:7777/` is answered with status 404, not 200-399
memo:   hint: `--ready-status 404` says that this is right; `--timeout 5m` gives it longer

"#]]
        );
    }

    #[test]
    fn a_port_that_no_shell_has_put_in_is_said() {
        let singletons = Singletons::new();
        let session = singletons.steps(&["memo singleton k --port auto -- false '$PORT'"]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo singleton k --port auto -- false '$PORT'
memo: error: singleton `k` ended before it was ready: exit 1
memo:   hint: the port it is given is in $PORT, which a shell has to put in: `-- sh -c 'exec false "$PORT"'`
[exit 1]

"#]]
        );
    }

    #[test]
    fn who_did_not_ask_for_that_is_told_who_did() {
        let singletons = Singletons::new();
        let first = Caller::start(&mut singletons.memo("k --ready-log never --timeout 4s -- puppet serve k"));
        until("it starts", || singletons.ran("status k").code == 0);
        let second = singletons.run("memo singleton k --timeout 5m -- puppet serve k");
        assert_eq!(first.end().status, 124);
        assert_data_eq!(
            second.stderr,
            str![[r#"
memo: error: singleton `k` was not ready within 4 s: no line of the log matches `never`
memo:   hint: it was started by another call, which asked for that; `--force` replaces one that starts

"#]]
        );
    }

    #[test]
    fn more_time_is_given_to_whoever_asks_for_it() {
        // The process has four seconds, asks for a minute, and takes longer than it had.
        let (singletons, mut gate) = world();
        singletons.write(
            "start",
            "puppet notify EXTEND_TIMEOUT_USEC=60000000; : >begun; cat gate; puppet notify READY=1; exec puppet pause\n",
        );
        let caller = Caller::start(&mut singletons.memo("k --ready-notify --timeout 4s -- sh start"));
        until("it runs", || singletons.path("begun").exists());
        until("it is older than it might have become", || {
            singletons.ran("status k").code == 0 && age(&singletons) > 4.5
        });
        gate.open();
        assert_eq!(caller.end().status, 0);
    }

    fn age(singletons: &Singletons) -> f64 {
        let json: serde_json::Value = serde_json::from_str(&singletons.line("status k --json")).unwrap();
        json["age"].as_f64().unwrap()
    }
}

#[test]
fn what_cannot_be_waited_for_is_refused() {
    let singletons = Singletons::new();
    let options = [
        "--ready-port x",
        "--ready-port db.internal:5432",
        "--ready-port \\$PORT",
        "--ready-http 'http://localhost:$PORT/up'",
        "--ready-http localhost:8080",
        "--ready-http https://localhost/",
        "--ready-http http://localhost --ready-status 2xx",
        "--ready-status 204",
        "--ready-log 'a(b'",
        "--ready-log '(?<pid>.)'",
        "--ready-log '(?<PORT>.)'",
        "--port http",
    ];
    let lines: Vec<String> =
        options.iter().map(|option| format!("memo singleton k {option} -- puppet pause")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_data_eq!(
        singletons.steps(&lines),
        str![[r#"
$ memo singleton k --ready-port x -- puppet pause
memo: error: `--ready-port x`: `x` is no port, and no address with a port; the command was not run
memo:   hint: examples: 5432, 127.0.0.1:5432, [::1]:5432, '$PORT'
[exit 125]
$ memo singleton k --ready-port db.internal:5432 -- puppet pause
memo: error: `--ready-port db.internal:5432`: `db.internal` is a name, and memo looks up no names but `localhost`; the command was not run
memo:   hint: give its address, or ask by `--ready-cmd 'nc -z db.internal 5432'`
[exit 125]
$ memo singleton k --ready-port /$PORT -- puppet pause
memo: error: `--ready-port '$PORT'`: it is given no $PORT; the command was not run
memo:   hint: `--port auto` gives it a free one, `--port 8080` this one
[exit 125]
$ memo singleton k --ready-http 'http://localhost:$PORT/up' -- puppet pause
memo: error: `--ready-http 'http://localhost:$PORT/up'`: it is given no $PORT; the command was not run
memo:   hint: `--port auto` gives it a free one, `--port 8080` this one
[exit 125]
$ memo singleton k --ready-http localhost:8080 -- puppet pause
memo: error: `--ready-http localhost:8080`: `localhost:8080` is no URL that memo can ask; the command was not run
memo:   hint: examples: http://localhost:8080/health, 'http://[::1]:$PORT'
[exit 125]
$ memo singleton k --ready-http https://localhost/ -- puppet pause
memo: error: `--ready-http https://localhost/`: `https://localhost/` needs TLS, which memo does not speak; the command was not run
memo:   hint: ask by `--ready-cmd 'curl -fsk https://localhost/'`
[exit 125]
$ memo singleton k --ready-http http://localhost --ready-status 2xx -- puppet pause
memo: error: `--ready-http http://localhost`: `2xx` is no HTTP status, and no range of them; the command was not run
memo:   hint: examples: 200-399, 204
[exit 125]
$ memo singleton k --ready-status 204 -- puppet pause
memo: error: `--ready-http` is missing: another option needs it; the command was not run
[exit 125]
$ memo singleton k --ready-log 'a(b' -- puppet pause
memo: error: `--ready-log a(b`: `a(b` is no regular expression: found open group without closing ')'; the command was not run
memo:   hint: example: 'listening on (?<addr>/S+)'
[exit 125]
$ memo singleton k --ready-log '(?<pid>.)' -- puppet pause
memo: error: `--ready-log (?<pid>.)`: the group `pid` cannot be published: that is what memo itself says of a singleton; the command was not run
memo:   hint: another name: `(?<its_pid>...)`
[exit 125]
$ memo singleton k --ready-log '(?<PORT>.)' -- puppet pause
memo: error: `--ready-log (?<PORT>.)`: the group `PORT` cannot be published: that is what memo itself says of a singleton; the command was not run
memo:   hint: `(?<port>...)` is what it is reached by
[exit 125]
$ memo singleton k --port http -- puppet pause
memo: error: `--port http`: it is no port; the command was not run
memo:   hint: `--port 8080`, or `--port auto` for one that is free
[exit 125]

"#]]
    );
    assert!(singletons.starts().is_empty());
}
