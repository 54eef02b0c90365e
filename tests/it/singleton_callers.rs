//! Whoever asks for a singleton: pipelines, make, terminals, CI systems, cron. Nobody waits for the process that is left
//! behind, and what ends them does not end it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt;

use rustix::process::{Signal, kill_process_group};

use crate::crowd::{Caller, Gate, until};
use crate::living::{Process, Singletons, parent};
use crate::outside::{Terminal, patient};
use crate::sandbox::Sandbox;

const ASK: &str = "memo singleton k -- puppet serve k";

/// Returns what the three processes of a singleton are: guardian, supervisor, process.
#[track_caller]
fn three(singletons: &Singletons, name: &str) -> [i32; 3] {
    let [guardian, supervisor] = [singletons.guardian(name).pid, singletons.supervisor(name).pid];
    assert_eq!(parent(supervisor), guardian);
    [guardian, supervisor, singletons.service(name).pid]
}

/// Returns the open descriptors of a process, but for the name that `puppet serve` holds.
fn descriptors(pid: i32) -> BTreeSet<i32> {
    let named = fs::read_to_string("/proc/net/unix").unwrap();
    let is_name = |inode: &str| named.lines().any(|line| line.contains(&format!(" {inode} @")));
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(Result::unwrap);
    let inherited = open.filter(|entry| {
        let link = fs::read_link(entry.path()).unwrap_or_default().to_string_lossy().into_owned();
        !link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')).is_some_and(is_name)
    });
    inherited.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap()).collect()
}

/// Returns the names of the variables of a process.
fn variables(pid: i32) -> BTreeSet<String> {
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let names = environ.split(|byte| *byte == 0).filter_map(|entry| entry.split(|byte| *byte == b'=').next());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

mod descriptors {
    use super::*;

    /// A line ends, though the process it leaves behind does not; it printed the id so often.
    #[track_caller]
    fn ends(line: &str, times: usize) {
        let singletons = Singletons::new();
        let output = patient(&singletons, line).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "`{line}`: {:?} {out}{err}", output.status);
        assert_eq!((out, err.as_str()), ((singletons.id("k") + "\n").repeat(times), ""), "{line}");
        let [guardian, supervisor, service] = three(&singletons, "k");
        assert_eq!(super::descriptors(service), [0, 1, 2].into(), "{line}");
        // Guardian and supervisor have none but their own.
        for keeper in [guardian, supervisor] {
            for descriptor in super::descriptors(keeper) {
                let link = fs::read_link(format!("/proc/{keeper}/fd/{descriptor}"));
                let Ok(link) = link else { continue };
                let link = link.to_str().unwrap();
                let is_own = descriptor > 2 || link == "/dev/null" || link.ends_with("/sup.log");
                assert!(is_own, "{keeper} has {descriptor}: {link}");
            }
        }
        singletons.never_twice();
    }

    #[test]
    fn command_substitution_ends() {
        ends(&format!("x=$({ASK}); echo $x"), 1);
        ends(&format!("x=`{ASK} 2>&1`; y=$({ASK}); echo $x; echo $y"), 2);
    }

    #[test]
    fn a_pipeline_ends() {
        ends(&format!("{ASK} | cat"), 1);
        ends(&format!("set -o pipefail; echo | {ASK} 2>&1 | cat | cat"), 1);
        ends(&format!("while read x; do {ASK}; done < <(echo 1; echo 2)"), 2);
    }

    #[test]
    fn descriptors_that_were_handed_down_are_not_kept() {
        // Whoever reads the pipe gets its end.
        ends(&format!("{{ {ASK} >&2 2>/dev/null 9>&1 10>&1 250>&1; }} 2>&1 | cat"), 1);
        // bats watches descriptor 3.
        ends(&format!("exec 4>&1; {{ {ASK} 3>&4; }} | cat"), 1);
    }

    #[test]
    fn a_socket_in_place_of_a_terminal_ends() {
        // What a command over ssh has.
        let singletons = Singletons::new();
        let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let copy = || std::os::fd::OwnedFd::from(theirs.try_clone().unwrap());
        let mut memo = singletons.memo("k -- puppet serve k");
        memo.stdin(copy()).stdout(copy()).stderr(copy());
        let mut child = memo.spawn().unwrap();
        drop(memo);
        assert!(child.wait().unwrap().success());
        drop(theirs);
        let mut shown = String::new();
        std::io::Read::read_to_string(&mut ours, &mut shown).unwrap();
        assert_eq!(shown.trim_end(), singletons.id("k"));
    }
}

mod make {
    use super::*;

    /// Asks for one singleton in each recipe, by one that is told that it is a make and by one that is not.
    const MAKEFILE: &str = "\
all: a b c d
a c:
\t+@memo singleton k -- puppet serve k >$@
b d:
\t@memo singleton k -- puppet serve k >$@
";

    #[track_caller]
    fn check(line: &str) {
        let singletons = Singletons::new();
        singletons.write("Makefile", MAKEFILE);
        singletons.write("one.mk", "x:\n\t+@memo singleton k -- puppet serve k\n");
        let output = patient(&singletons, line).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "`{line}`: {said}");
        // Nobody misses a token of the jobserver.
        assert_eq!(said, "", "{line}");
        for pid in three(&singletons, "k") {
            let variables = variables(pid);
            for of_make in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CARGO_MAKEFLAGS"] {
                assert!(!variables.contains(of_make), "{line}: {variables:?}");
            }
        }
        assert_eq!(super::descriptors(singletons.service("k").pid), [0, 1, 2].into());
        assert_eq!(singletons.starts().len(), 1);
        singletons.never_twice();
    }

    #[test]
    fn recipes_of_a_parallel_make_end() {
        check("export CARGO_MAKEFLAGS=x; make -s -j4 && cmp a b && cmp b c && cmp c d");
    }

    #[test]
    fn a_make_that_is_read_ends() {
        check("set -o pipefail; make -s -j4 | tee all");
        check("set -o pipefail; make -s -j2 -f one.mk x 2>&1 | tee all | cat");
        check("x=$(make -s -j4 -f one.mk x); test \"$x\"");
    }
}

/// A caller has gone in the middle of its wait: its process goes on, and whoever comes next gets it.
#[track_caller]
fn survives(end: impl FnOnce(&Singletons, &str)) {
    let singletons = Singletons::new();
    let mut gate = Gate::new(&singletons, "gate");
    let ask = "memo singleton k --ready-file up -- puppet serve k , touch begun , waitfifo gate , touch up";
    end(&singletons, ask);
    let id = singletons.status("k").text("instance");
    assert_eq!(singletons.status("k").text("stage"), "starting");
    let next = Caller::start(&mut singletons.shell(format!("exec {ask}")));
    gate.open();
    let ended = next.end();
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), format!("{id}\n"));
    let process = singletons.service("k");
    assert_eq!(singletons.starts(), [process.pid]);
    assert!(!process.has_ended());
    // Nobody can send it anything by a terminal.
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    assert_eq!(fields[2..5], [&process.pid.to_string(), &process.pid.to_string(), "0"], "{stat}");
}

#[track_caller]
fn until_begun(singletons: &Singletons) {
    until("it runs", || singletons.path("begun").exists());
}

mod ends_of_callers {
    use super::*;

    #[test]
    fn an_interrupt_ends_the_caller_alone() {
        survives(|singletons, ask| {
            let terminal = Terminal::run(singletons, format!("exec {ask}"));
            until_begun(singletons);
            terminal.types("\x03");
            use std::os::unix::process::ExitStatusExt;
            assert_eq!(terminal.end().1.signal(), Some(2));
        });
    }

    #[test]
    fn so_does_a_terminal_that_is_closed() {
        survives(|singletons, ask| {
            let terminal = Terminal::run(singletons, format!("exec {ask}"));
            until_begun(singletons);
            let caller = Process::of(terminal.id().cast_signed()).unwrap();
            drop(terminal);
            caller.gone();
        });
    }

    #[test]
    fn so_do_signals() {
        for signal in [Signal::KILL, Signal::TERM, Signal::HUP, Signal::QUIT] {
            survives(|singletons, ask| {
                let caller = Caller::start(&mut singletons.shell(format!("ulimit -c 0; exec {ask}")));
                until_begun(singletons);
                caller.kill(signal);
                assert_eq!(caller.end().status, 128 + signal.as_raw());
            });
        }
    }

    #[test]
    fn so_does_a_signal_to_its_group() {
        for signal in [Signal::KILL, Signal::INT, Signal::TERM] {
            survives(|singletons, ask| {
                let caller = Caller::start(singletons.shell(format!("{ask}; true")).process_group(0));
                until_begun(singletons);
                kill_process_group(caller.pid(), signal).unwrap();
                caller.end();
            });
        }
    }

    #[test]
    fn so_does_the_end_of_its_session() {
        // The leader ends, and the kernel hangs up on everybody in the foreground.
        survives(|singletons, ask| {
            singletons.fifo("leave");
            let terminal =
                Terminal::run(singletons, format!("{ask} & echo $! >caller; puppet waitfifo leave"));
            until_begun(singletons);
            let caller = Process::of(singletons.read("caller").trim().parse().unwrap()).unwrap();
            singletons.ok("puppet tellfifo leave");
            terminal.end();
            caller.gone();
        });
    }

    #[test]
    fn what_is_ready_outlives_the_terminal_it_was_started_in() {
        let singletons = Singletons::new();
        let terminal = Terminal::shell(&singletons);
        terminal.until("$ ");
        terminal.types(&format!("{ASK}; {ASK} & wait; echo do''ne\n"));
        terminal.until("done\r\n");
        let process = singletons.service("k");
        let shell = Process::of(terminal.id().cast_signed()).unwrap();
        drop(terminal);
        shell.gone();
        assert!(!process.has_ended());
        assert_eq!(singletons.starts(), [process.pid]);
        singletons.never_twice();
    }
}

mod ci {
    use super::*;

    const COOKIES: [&str; 5] = [
        "RUNNER_TRACKING_ID",
        "BUILD_ID",
        "JENKINS_NODE_COOKIE",
        "JENKINS_SERVER_COOKIE",
        "VSTS_PROCESS_LOOKUP_ID",
    ];

    /// Asks in a job; returns which of a CI system's variables each of the three processes has.
    fn cookies(option: &str) -> [Vec<&'static str>; 3] {
        let mut singletons = Singletons::new();
        for cookie in COOKIES {
            singletons.set(cookie, "job 7");
        }
        singletons.line(&format!("k {option} -- puppet serve k"));
        three(&singletons, "k").map(|pid| {
            let variables = variables(pid);
            COOKIES.into_iter().filter(|cookie| variables.contains(*cookie)).collect()
        })
    }

    #[test]
    fn a_job_can_end_what_it_has_left() {
        assert_eq!(cookies(""), [(); 3].map(|()| COOKIES.to_vec()));
    }

    #[test]
    fn unless_it_is_to_survive() {
        assert_eq!(cookies("--survive-ci"), [(); 3].map(|()| Vec::<&str>::new()));
    }

    #[test]
    fn the_variables_make_no_other_process() {
        let singletons = Singletons::new();
        let id = singletons.id("k -- puppet serve k");
        assert_eq!(singletons.ok(&format!("BUILD_ID=7 {ASK}")).trim_end(), id);
    }
}

mod cron {
    use super::*;

    #[test]
    fn without_stdin_it_is_the_same() {
        for closed in ["<&-", "<&- 2>&-", "</dev/null 2>/dev/full"] {
            let singletons = Singletons::new();
            let line = format!("memo singleton k --print id -- puppet serve k {closed}");
            let output = patient(&singletons, &line).output().unwrap();
            assert!(output.status.success(), "{closed}");
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), singletons.id("k"), "{closed}");
            let [_, _, service] = three(&singletons, "k");
            assert_eq!(super::descriptors(service), [0, 1, 2].into());
            assert_eq!(fs::read_link(format!("/proc/{service}/fd/0")).unwrap().to_str(), Some("/dev/null"));
        }
    }

    #[test]
    fn without_stdout_it_is_started_all_the_same() {
        let singletons = Singletons::new();
        singletons.run(format!("{ASK} >&-"));
        let [_, _, service] = three(&singletons, "k");
        assert_eq!(super::descriptors(service), [0, 1, 2].into());
        assert_eq!(singletons.ok(ASK).trim_end(), singletons.id("k"));
        assert_eq!(singletons.starts().len(), 1);
    }

    #[test]
    fn without_an_environment_it_is_found_by_the_next_call() {
        let mut sandbox = Sandbox::new();
        for name in ["HOME", "MEMO_DIR", "MEMO_TEST_NOW"] {
            sandbox.unset(name);
        }
        // Where one user's files are that has no home is the same for all tests: the name is this one's.
        let singletons = Unhoused(sandbox);
        let sandbox = &singletons.0;
        let first = sandbox.ok(&format!("cd / && cd - >/dev/null; {ASK} <&-"));
        let second = sandbox.ok(&format!("exec env -i PATH=\"$PATH\" RUNS=\"$RUNS\" {ASK} <&-"));
        assert_eq!(first, second);
        let state = sandbox.ok("memo singleton k --print state");
        assert!(fs::metadata(state.trim_end()).unwrap().is_dir(), "{state}");
    }

    /// A sandbox whose singletons are outside of it.
    struct Unhoused(Sandbox);

    impl Drop for Unhoused {
        fn drop(&mut self) {
            let state = self.0.run("memo singleton k --print state").stdout;
            let stopped = self.0.run("memo singleton stop k --grace 0s");
            let mut above = std::path::Path::new(state.trim_end()).ancestors().skip(2);
            if let Some(scope) = above.next().filter(|_| state.contains("/singleton/")) {
                let _ = fs::remove_dir_all(scope);
                // Those above it only if nobody else has anything there.
                for directory in above.take(2) {
                    let _ = fs::remove_dir(directory);
                }
            }
            if !std::thread::panicking() {
                assert_eq!(stopped.code, 0, "{}", stopped.stderr);
            }
        }
    }
}
