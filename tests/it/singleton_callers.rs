//! Whoever starts a singleton may be a substitution, a pipe, make, a terminal or cron: it is as if nobody had been there.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, getpid, kill_process_group};
use snapbox::{assert_data_eq, str};

use crate::crowd::{Caller, Ended, Gate, until};
use crate::living::{Process, Singletons, asleep};
use crate::outside::{Terminal, read_until};
use crate::sandbox::{Ran, Sandbox};

/// The singleton of most tests here. It has no descriptor of its own.
const READY: &str = "--ready-notify -- puppet notify READY=1 , pause";

/// One that is ready when the gate opens.
const GATED: &str = "db --print id --ready-notify -- puppet serve db waitfifo gate , notify READY=1";

/// Runs a shell line to its end, which comes when nobody has its stdout and stderr any more.
#[track_caller]
fn ends(all: &Singletons, line: &str) -> Ended {
    let ended = Caller::start(&mut all.shell(line)).end();
    assert_eq!(ended.status, 0, "{line}: {}", ended.stderr);
    ended
}

/// Returns what a process has open.
fn open(pid: i32) -> Vec<(i32, PathBuf)> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let number = |entry: &fs::DirEntry| entry.file_name().to_str().unwrap().parse().unwrap();
    let mut open: Vec<_> =
        open.filter_map(|fd| Some((number(&fd), fs::read_link(fd.path()).ok()?))).collect();
    open.sort();
    open
}

/// Returns the environment of a process, in its order.
fn environment(pid: i32) -> Vec<String> {
    let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    environment.split_terminator('\0').map(str::to_owned).collect()
}

/// Returns guardian, supervisor and process.
fn three(all: &Singletons, name: &str) -> [Process; 3] {
    [all.guardian(name), all.supervisor(name), all.service(name)]
}

#[track_caller]
fn has_nothing_of_the_callers(all: &Singletons, name: &str) {
    let open = open(all.service(name).pid);
    let numbers: Vec<i32> = open.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [0, 1, 2], "{name}: {open:?}");
    assert_eq!(open[0].1, Path::new("/dev/null"), "{name}");
    assert_eq!(open[1].1, open[2].1, "{name}: the log");
}

#[test]
fn whoever_reads_what_memo_prints_sees_its_end() {
    let all = Singletons::new();
    for (number, line) in [
        "x=$($M); echo $x",
        "x=`$M 2>&1`; echo $x",
        "$M | cat",
        "$M 2>&1 | cat",
        "cat <($M)",
        // Only the extra one is the pipe that is waited for.
        "$M 9>&1 >out | cat; cat out",
        "$M 250>&1 >out | cat; cat out",
        "{ exec 9> >(cat >all); $M 9>&9; exec 9>&-; wait $!; }",
        // As bats has it: descriptor 3 is the runner's own, and the command is run in a substitution.
        "{ exec 3>&1; x=$($M); echo $x >&3; } | cat",
        "{ exec 3>&1 4>&2; x=$(bash -c '$M' 2>&1); echo $x; } | cat",
        // A coprocess reads and writes.
        "coproc $M; cat <&${COPROC[0]}",
    ]
    .iter()
    .enumerate()
    {
        let name = format!("s{number}");
        let ended = ends(&all, &line.replace("$M", &format!("memo singleton {name} {READY}")));
        let shown = String::from_utf8(ended.stdout).unwrap();
        assert_eq!((shown.trim_end(), ended.stderr.as_str()), (all.id(&name).as_str(), ""), "{line}");
        has_nothing_of_the_callers(&all, &name);
    }
}

#[test]
fn a_lock_that_the_caller_holds_is_not_held_on() {
    let all = Singletons::new();
    ends(&all, &format!("exec 8>lock; flock 8; memo singleton s {READY}"));
    fs::File::open(all.path("lock")).unwrap().try_lock().unwrap();
    has_nothing_of_the_callers(&all, "s");
}

#[test]
fn a_stream_that_the_caller_reads_is_not_read() {
    let all = Singletons::new();
    let line = format!("printf '1\\n2\\n' | {{ memo singleton s {READY} >/dev/null; cat; }}");
    assert_eq!(ends(&all, &line).stdout, b"1\n2\n");
    has_nothing_of_the_callers(&all, "s");
}

const MAKEFILE: &str = "\
all: plain plus below last
plain:
	@memo singleton $@ $(READY)
plus:
	+@memo singleton $@ $(READY)
below:
	@+$(MAKE) --no-print-directory -f Makefile nested
nested:
	@x=$$(memo singleton $@ $(READY)); echo $$x
last: plain plus
	@memo singleton $@ $(READY)
";

#[test]
fn make_ends_and_its_jobs_are_its_own() {
    for line in ["make", "make -j4", "make -j2 | tee out", "make -j2 2>&1 | tee out", "make -j2 -O | cat"] {
        let mut all = Singletons::new();
        all.set("READY", READY);
        all.set("CARGO_MAKEFLAGS", "-j --jobserver-fds=3,4 --jobserver-auth=3,4");
        all.write("Makefile", MAKEFILE);
        let ended = ends(&all, line);
        let names = ["plain", "plus", "nested", "last"];
        assert_eq!(ended.stderr, "", "{line}");
        let ids: BTreeSet<String> = names.iter().map(|name| all.id(name)).collect();
        let shown = String::from_utf8(ended.stdout).unwrap();
        assert_eq!(shown.lines().map(str::to_owned).collect::<BTreeSet<_>>(), ids, "{line}");
        for name in names {
            has_nothing_of_the_callers(&all, name);
            for process in three(&all, name) {
                let makes = ["MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=", "CARGO_MAKEFLAGS="];
                let environment = environment(process.pid);
                let has = environment.iter().find(|entry| makes.iter().any(|name| entry.starts_with(name)));
                assert_eq!(has, None, "{line}: {name}: {}", process.command());
            }
        }
    }
}

/// Somebody who waits for a process that is not ready goes. The process goes on, and whoever comes next gets it.
#[track_caller]
fn another_caller_gets_it(all: &Singletons, gate: &mut Gate) {
    let id = all.status("db").text("instance");
    let next = Caller::start(&mut all.memo(GATED));
    until("it waits", || asleep(next.number()));
    gate.open();
    let ended = next.end();
    let shown = String::from_utf8(ended.stdout).unwrap();
    assert_eq!((ended.status, shown.trim_end(), ended.stderr.as_str()), (0, id.as_str(), ""));
    assert_eq!(all.starts(), [all.service("db").pid]);
    all.never_twice();
}

/// Returns a terminal in which somebody waits for a process that has been started.
fn waiting_in_a_terminal(all: &Singletons) -> Terminal {
    let terminal = Terminal::run(all, format!("exec memo singleton {GATED}"));
    until("it is started", || all.starts().len() == 1);
    until("somebody waits for it", || asleep(terminal.id().cast_signed()));
    terminal
}

#[test]
fn an_interrupt_ends_the_wait_alone() {
    for (key, signal) in [("\x03", Signal::INT), ("\x1c", Signal::QUIT)] {
        let all = Singletons::new();
        let mut gate = Gate::new(&all, "gate");
        let terminal = waiting_in_a_terminal(&all);
        terminal.types(key);
        assert_eq!(terminal.end().1.signal(), Some(signal.as_raw()));
        another_caller_gets_it(&all, &mut gate);
    }
}

#[test]
fn a_terminal_that_is_closed_ends_the_wait_alone() {
    let all = Singletons::new();
    let mut gate = Gate::new(&all, "gate");
    let terminal = waiting_in_a_terminal(&all);
    let caller = Process::of(terminal.id().cast_signed()).unwrap();
    drop(terminal);
    caller.gone();
    another_caller_gets_it(&all, &mut gate);
}

#[test]
fn whoever_waits_and_is_killed_is_alone_in_that() {
    for signal in [Signal::KILL, Signal::TERM, Signal::HUP] {
        let all = Singletons::new();
        let mut gate = Gate::new(&all, "gate");
        let caller = Caller::start(&mut all.memo(GATED));
        until("it is started", || all.starts().len() == 1);
        caller.kill(signal);
        assert_eq!(caller.end().status, 128 + signal.as_raw());
        another_caller_gets_it(&all, &mut gate);
    }
}

#[test]
fn whoever_waits_is_killed_with_its_group_alone() {
    for signal in [Signal::KILL, Signal::HUP, Signal::INT] {
        let all = Singletons::new();
        let mut gate = Gate::new(&all, "gate");
        let mut memo = all.memo(GATED);
        let caller = Caller::start(memo.process_group(0));
        until("it is started", || all.starts().len() == 1);
        kill_process_group(caller.pid(), signal).unwrap();
        assert_eq!(caller.end().status, 128 + signal.as_raw());
        another_caller_gets_it(&all, &mut gate);
    }
}

/// Makes sure that a singleton is there, in no session that somebody else is in, and returns its id.
#[track_caller]
fn lives_apart(all: &Singletons, id: &str) {
    assert_eq!(all.id(&format!("db {READY}")), id);
    let [guardian, supervisor, service] = three(all, "db");
    assert_ne!(guardian.session(), Process::of(getpid().as_raw_nonzero().get()).unwrap().session());
    assert_eq!(supervisor.session(), guardian.session());
    assert_eq!(service.session(), service.pid);
    for process in [guardian, supervisor, service] {
        assert!(!process.has_ended());
        assert_eq!(process.terminal(), 0, "{} has a terminal", process.command());
    }
}

#[test]
fn it_is_in_no_group_of_the_callers() {
    for signal in [Signal::KILL, Signal::TERM, Signal::HUP, Signal::INT] {
        let all = Singletons::new();
        let _gate = Gate::new(&all, "gate");
        let line = format!("memo singleton db {READY}; puppet print returned , waitfifo gate");
        let mut shell = all.shell(line);
        let mut shell = shell.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let shown = read_until(shell.stdout.as_ref().unwrap(), "returned\n");
        kill_process_group(Pid::from_child(&shell), signal).unwrap();
        shell.wait().unwrap();
        lives_apart(&all, shown.lines().next().unwrap());
    }
}

#[test]
fn it_outlives_the_session_of_the_caller() {
    let all = Singletons::new();
    let terminal = Terminal::shell(&all);
    terminal.until("$ ");
    terminal.types(&format!("memo singleton db {READY}; echo do''ne\n"));
    let shown = terminal.until("done\r\n").replace('\r', "");
    let id = shown.lines().rev().nth(1).unwrap();
    terminal.types("exit\n");
    assert!(terminal.end().1.success());
    lives_apart(&all, id);

    // The leader dies of the hangup, and so does its group.
    let terminal =
        Terminal::run(&all, format!("memo singleton db {READY}; exec puppet print returned , pause"));
    let shown = terminal.until("returned\r\n");
    assert!(shown.starts_with(id), "{shown}");
    let leader = Process::of(terminal.id().cast_signed()).unwrap();
    drop(terminal);
    leader.gone();
    lives_apart(&all, id);
}

#[test]
fn a_ci_system_ends_what_it_finds_by_its_cookie() {
    let all = Singletons::new();
    // Of this test alone: all processes of the machine are looked at.
    let value = all.root().file_name().unwrap().to_str().unwrap();
    let found = |cookie: &str| {
        let entry = format!("{cookie}={value}");
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let has = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|known| known == entry.as_bytes())
        };
        numbers.filter(has).collect::<BTreeSet<i32>>()
    };
    let cookies = [
        "RUNNER_TRACKING_ID",
        "BUILD_ID",
        "JENKINS_NODE_COOKIE",
        "JENKINS_SERVER_COOKIE",
        "VSTS_PROCESS_LOOKUP_ID",
    ];
    for (number, cookie) in cookies.iter().enumerate() {
        let ask = |name: &str, words: &str| {
            let mut memo = all.memo(&format!(
                "{name} {words} --grace 0s --ready-notify -- puppet serve {name} leave pause , orphan pause , notify READY=1"
            ));
            assert_eq!(Ran::of(memo.env(cookie, value)).code, 0);
        };
        let name = format!("hidden{number}");
        ask(&name, "--survive-ci");
        assert_eq!(found(cookie), BTreeSet::new(), "{cookie}");
        let hidden = three(&all, &name);
        let name = format!("found{number}");
        ask(&name, "");
        let there = found(cookie);
        let three = three(&all, &name);
        for process in &three {
            assert!(there.contains(&process.pid), "{cookie}: {}", process.command());
        }
        for pid in there {
            if let Some(process) = Process::of(pid) {
                process.kill(Signal::KILL);
            }
        }
        three.iter().for_each(Process::gone);
        until("all has gone", || found(cookie).is_empty());
        assert!(!hidden.iter().any(Process::has_ended), "{cookie}");
    }
}

#[test]
fn signals_mean_to_it_what_they_mean_to_others() {
    let all = Singletons::new();
    let callers = [
        "trap '' INT QUIT TERM PIPE; exec env --block-signal=TERM $M",
        "exec nohup $M",
        // In the background of a shell without job control INT and QUIT are ignored.
        "$M & wait $!",
        "trap '' TERM CHLD; x=$(env --block-signal $M)",
    ];
    for (number, caller) in callers.iter().enumerate() {
        // Rust's runtime ignores SIGPIPE, and so puppet does.
        let gate = Gate::new(&all, &format!("gate{number}"));
        let line = caller.replace("$M", &format!("memo singleton s{number} -- cat gate{number}"));
        let ran = all.run(&line);
        assert_eq!(ran.code, 0, "{caller}: {}", ran.stderr);
        let process = all.service(&format!("s{number}"));
        assert_eq!(process.signals(), [0, 0], "{caller}");
        let supervisor = all.supervisor(&format!("s{number}"));
        /// Where callers connect; and whoever waits.
        const SOCKETS: usize = 2;
        let waiting = Caller::start(&mut all.memo(&format!("wait s{number}")));
        until("somebody waits for its end", || {
            supervisor.sockets() == SOCKETS && asleep(waiting.number()) && asleep(supervisor.pid)
        });
        process.kill(Signal::TERM);
        assert_eq!(waiting.end().status, 143, "{caller}");
        drop(gate);
    }
}

/// What a user has left in a place that belongs to no sandbox.
struct Stranger<'a> {
    sandbox: &'a Sandbox,
    user: u32,
    processes: Vec<Process>,
    left: Option<PathBuf>,
}

impl<'a> Stranger<'a> {
    /// Returns a user whom nobody else is, who owns the sandbox; without the right to be another, oneself.
    fn of(sandbox: &'a Sandbox) -> Self {
        let user = rustix::process::geteuid();
        let user = if user.is_root() { 1_000_000_000 + std::process::id() } else { user.as_raw() };
        let mut stranger = Self { sandbox, user, processes: Vec::new(), left: None };
        if rustix::process::geteuid().is_root() {
            let owner = format!("{user}:{user}");
            assert!(
                sandbox
                    .command("chown")
                    .args(["-hR", &owner])
                    .arg(sandbox.root())
                    .status()
                    .unwrap()
                    .success()
            );
            stranger.left = Some(PathBuf::from(format!("/var/tmp/memo-{user}")));
        }
        stranger
    }

    /// Returns a shell line as a command that is given PATH and nothing else, as cron and sudo have it.
    fn shell(&self, line: &str) -> Command {
        let mut command = self.sandbox.command("setpriv");
        if self.left.is_some() {
            let user = self.user;
            command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
        }
        command.args(["/bin/bash", "-c", line]);
        for name in ["HOME", "MEMO_DIR", "RUNS", "MEMO_TEST_NOW"] {
            command.env_remove(name);
        }
        command
    }

    #[track_caller]
    fn ok(&self, line: &str) -> String {
        let ended = Caller::start(&mut self.shell(line)).end();
        let warned = format!(
            "memo: warning: singletons are kept in `/var/tmp/memo-{}/singleton`: there is no home directory\n\
             memo:   hint: set HOME, or point MEMO_DIR at a local directory of your own\n",
            self.user
        );
        let quiet = line.contains("2>&-") || line.ends_with(" -q");
        let expected = if quiet { "" } else { &warned };
        assert_eq!((ended.status, ended.stderr.as_str()), (0, expected), "{line}");
        String::from_utf8(ended.stdout).unwrap()
    }
}

impl Drop for Stranger<'_> {
    fn drop(&mut self) {
        for process in &self.processes {
            process.kill(Signal::KILL);
        }
        if let Some(left) = &self.left {
            let _ = fs::remove_dir_all(left);
        }
    }
}

#[test]
fn a_caller_who_has_next_to_nothing_gets_it_too() {
    let sandbox = Sandbox::new();
    let mut stranger = Stranger::of(&sandbox);
    let memo = format!("memo singleton db {READY}");
    let id = stranger.ok(&memo);
    let status: serde_json::Value =
        serde_json::from_str(&stranger.ok("memo singleton status db --json")).unwrap();
    for field in ["pid", "supervisor"] {
        let pid = i32::try_from(status[field].as_i64().unwrap()).unwrap();
        stranger.processes.push(Process::of(pid).unwrap());
    }
    // Whoever has nowhere to print to hears nothing, and it is there all the same.
    for (closed, shown) in [
        ("<&-", true),
        (">&-", false),
        ("2>&-", true),
        ("<&- >&-", false),
        ("<&- 2>&-", true),
        ("<&- >&- 2>&-", false),
    ] {
        let text = stranger.ok(&format!("{memo} {closed}"));
        assert_eq!(text, if shown { id.as_str() } else { "" }, "{closed}");
    }
    assert_eq!(stranger.ok("memo singleton db --print id"), id);

    let state = PathBuf::from(stranger.ok("memo singleton db --print state").trim_end());
    assert!(state.starts_with(format!("/var/tmp/memo-{}/singleton", stranger.user)), "{}", state.display());
    let scope = state.ancestors().nth(2).unwrap();
    if stranger.left.is_none() {
        stranger.left = Some(scope.to_owned());
    }
    for directory in scope.ancestors().take(3) {
        let metadata = directory.metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.permissions().mode() & 0o077), (stranger.user, 0));
    }
    stranger.ok("memo singleton stop db -q");
    assert!(stranger.processes.iter().all(Process::has_ended));
}

#[test]
fn who_has_no_home_in_the_environment_gets_the_same_one() {
    let mut all = Singletons::new();
    all.unset("MEMO_DIR");
    let id = all.id(&format!("db {READY}"));
    let user = rustix::process::geteuid().as_raw();
    let home = all.root().join("home");
    all.write("passwd", format!("u:x:{user}:{user}::{}:/bin/sh\n", home.display()));
    let passwd = all.path("passwd");
    all.set("MEMO_TEST_PASSWD", passwd);
    for set in ["-u HOME", "HOME=", "HOME=home"] {
        let ran = all.run(format!("env {set} memo singleton db --print id {READY}"));
        assert_eq!((ran.stdout.trim_end(), ran.stderr.as_str()), (id.as_str(), ""), "{set}");
        let store = all.ok(&format!("env {set} memo config dir"));
        assert_eq!(store.trim_end(), home.join(".cache/memo").to_str().unwrap());
        assert_eq!(all.ok(&format!("env {set} memo config --path")), all.ok("memo config --path"));
        let told = all.ok(&format!("env {set} MEMO_MODE=off memo sh -c 'echo ${{HOME-none}}'"));
        let expected = set.strip_prefix("HOME=").unwrap_or("none");
        assert_eq!(told.trim_end(), expected, "it is in no variable");
    }
    assert_eq!(all.ok("HOME=$PWD memo config dir").trim_end(), all.path(".cache/memo").to_str().unwrap());
}

#[test]
fn it_can_be_started_with_any_stream_closed() {
    let all = Singletons::new();
    for (number, closed) in ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"].iter().enumerate() {
        ends(&all, &format!("memo singleton s{number} {READY} {closed}"));
        has_nothing_of_the_callers(&all, &format!("s{number}"));
    }
}

#[test]
fn a_script_that_ends_at_the_first_error_goes_on() {
    let all = Singletons::new();
    let session = all.steps(&[
        "set -euo pipefail; x=$(memo singleton db -- puppet serve db); memo singleton db --no-start | grep -qx $x; \
         memo singleton id db | grep -qx $x; memo singleton stop db -q; memo singleton stop db; echo on",
        "set -e; x=$(memo singleton db -- nosuch); echo on",
        "set -e; memo singleton db --no-start -- puppet serve db; echo on",
        "set -e; if memo singleton status db 2>/dev/null; then echo runs; else echo \"does not: $?\"; fi",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ set -euo pipefail; x=$(memo singleton db -- puppet serve db); memo singleton db --no-start | grep -qx $x; memo singleton id db | grep -qx $x; memo singleton stop db -q; memo singleton stop db; echo on
on
$ set -e; x=$(memo singleton db -- nosuch); echo on
memo: error: cannot run `nosuch`: no such command
memo:   hint: is it a shell builtin or a function? try `-- sh -c '...'`
[exit 127]
$ set -e; memo singleton db --no-start -- puppet serve db; echo on
memo: error: singleton `db` is not running
memo:   hint: without `--no-start` it is started
memo:   hint: the last one ended 0s ago: stopped (signal 15); `memo singleton logs db`
[exit 75]
$ set -e; if memo singleton status db 2>/dev/null; then echo runs; else echo "does not: $?"; fi
does not: 1

"#]]
    );
}

#[test]
fn callers_that_xargs_starts_get_one_and_the_same() {
    let all = Singletons::new();
    let ended = ends(
        &all,
        "seq 40 | xargs -P8 -I% memo singleton db --print id -k _n=% --ready-notify -- puppet serve db notify READY=1",
    );
    assert_eq!(ended.stderr, "");
    let id = all.id("db");
    let shown = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(shown.lines().collect::<Vec<_>>(), vec![id.as_str(); 40]);
    assert_eq!(all.starts().len(), 1);
    all.never_twice();
}
