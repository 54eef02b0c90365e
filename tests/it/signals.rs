//! Signals, terminals and what is left behind: the command meets them as it would without memo.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, ExitStatus};

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};

use crate::check::world;
use crate::outside::{Terminal, eventually, read_until};
use crate::sandbox::{EARLY, Sandbox};

/// A command that says that it is ready, and what it was sent; it ends with 5 after that. A shell with a trap and a
/// `read` would miss what comes between the two.
const TOLD: &str = "puppet block HUP,INT,QUIT,TERM,USR1,USR2 , print ready , await , exit 5";
/// A command that lets itself be killed.
const KILLED: &str = "puppet print ready , waitfifo hold";

const SIGNALS: [(Signal, &str, bool); 6] = [
    (Signal::HUP, "HUP", true),
    (Signal::INT, "INT", true),
    (Signal::QUIT, "QUIT", true),
    (Signal::TERM, "TERM", true),
    (Signal::USR1, "USR1", false),
    (Signal::USR2, "USR2", false),
];

/// Starts a line and waits until its command is ready.
fn started(sandbox: &Sandbox, line: &str) -> (Child, ChildStdout) {
    let mut child = sandbox.start(&format!("exec {line}"));
    let stdout = child.stdout.take().unwrap();
    read_until(&stdout, "ready\n");
    (child, stdout)
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn finish(mut child: Child, mut stdout: ChildStdout) -> (ExitStatus, String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    stdout.read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (child.wait().unwrap(), out, err)
}

#[test]
fn a_signal_to_memo_reaches_the_command() {
    let sandbox = Sandbox::new();
    sandbox.fifo("hold");
    for (signal, name, ends) in SIGNALS {
        let (child, stdout) = started(&sandbox, &format!("memo -v --cache-exit 5 -k {name} {TOLD}"));
        kill_process(pid(&child), signal).unwrap();
        let (status, out, err) = finish(child, stdout);
        assert_eq!((status.code(), out), (Some(5), format!("got {name}\n")));
        if ends {
            // It may have done less than it would have.
            assert!(err.contains("memo: not recorded: signal: "), "{name}: {err}");
        }
    }
}

#[test]
fn memo_dies_of_what_the_command_dies_of() {
    let sandbox = Sandbox::new();
    sandbox.fifo("hold");
    for (signal, name, _) in SIGNALS {
        let (child, stdout) = started(&sandbox, &format!("memo {KILLED}"));
        kill_process(pid(&child), signal).unwrap();
        let (status, _, err) = finish(child, stdout);
        assert_eq!((status.signal(), err.as_str()), (Some(signal.as_raw()), ""), "{name}");
        assert!(!status.core_dumped());
    }
    assert_eq!(sandbox.manifests(), 0);
}

#[test]
fn the_command_does_not_outlive_memo() {
    // Row 11b of the peers' matrix
    let sandbox = Sandbox::new();
    sandbox.fifo("hold");
    for signal in [Signal::KILL, Signal::ALARM, Signal::ABORT] {
        let (mut child, stdout) = started(&sandbox, "memo bash -c 'echo $$; echo ready; read <>hold'");
        kill_process(pid(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
        // Its stdout was a pipe to memo; only what memo left in ours is there.
        drop(stdout);
        let line = format!("/proc/{}/task", child.id());
        assert!(fs::metadata(line).is_err());
    }
    let (mut child, mut stdout) = {
        let mut child = sandbox.start("exec memo bash -c 'echo $$ >pid; echo ready; read <>hold'");
        let stdout = child.stdout.take().unwrap();
        (child, stdout)
    };
    read_until(&stdout, "ready\n");
    let command = Pid::from_raw(sandbox.read("pid").trim().parse().unwrap()).unwrap();
    test_kill_process(command).unwrap();
    kill_process(pid(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    eventually("the command dies with memo", || is_gone(command));
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

/// A process that nobody has waited for yet is gone too.
fn is_gone(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn memo_leaves_when_it_is_told_to_though_nobody_takes_the_output() {
    let sandbox = Sandbox::new();
    for line in ["exec memo yes", "exec memo sh -c 'trap \"exit 5\" TERM; yes & wait'"] {
        let mut child = sandbox.start(line);
        let mut stdout = child.stdout.take().unwrap();
        // More than memo could hold would have to be read for it to go on.
        stdout.read_exact(&mut [0; 2]).unwrap();
        kill_process(pid(&child), Signal::TERM).unwrap();
        let status = child.wait().unwrap();
        assert!(status.signal() == Some(15) || status.code() == Some(5), "{status}");
    }
}

#[test]
fn what_was_ignored_or_blocked_is_so_for_the_command() {
    let sandbox = Sandbox::new();
    for setting in [
        "",
        "trap '' INT QUIT; exec",
        "trap '' HUP USR1 USR2 IO; exec",
        "trap '' CHLD; exec",
        "trap '' PIPE TERM XFSZ; exec",
        "exec env --block-signal=INT,TERM,CHLD,IO,USR1",
        "exec env --block-signal",
        "exec env --ignore-signal=INT,CHLD,PIPE --block-signal=PIPE,HUP",
    ] {
        // grep touches neither; SIGPIPE's bit is right too.
        let shown = |prefix: &str| {
            sandbox.ok(&format!("{setting} {prefix} grep -E 'Sig(Ign|Blk|Pnd)' /proc/self/status"))
        };
        let bare = shown("");
        for _ in 0..2 {
            assert_eq!(shown("memo"), bare, "{setting}");
        }
        let ran = sandbox.run(format!("{setting} memo sh -c 'exit 7'"));
        assert_eq!(ran.code, 7, "{setting}");
    }
}

#[test]
fn a_hangup_that_was_ignored_ends_nothing() {
    // nohup
    let sandbox = Sandbox::new();
    let go = sandbox.fifo("go");
    let (child, stdout) = started(&sandbox, "nohup memo sh -c 'echo ready; puppet waitfifo go , print done'");
    kill_process(pid(&child), Signal::HUP).unwrap();
    drop(File::options().write(true).open(go).unwrap());
    let (status, out, _) = finish(child, stdout);
    assert_eq!((status.code(), out.as_str()), (Some(0), "done\n"));
}

#[test]
fn descriptors_are_passed_on_and_none_is_added() {
    // Row 33 of the peers' matrix
    let sandbox = Sandbox::new();
    for line in
        ["$M puppet fds", "$M puppet , fds 7</dev/null 19>/dev/null", "echo x | $M puppet readall , fds 5<&0"]
    {
        let bare = sandbox.ok(&line.replace("$M", ""));
        for _ in 0..2 {
            assert_eq!(sandbox.ok(&line.replace("$M", "memo --no-auto")), bare, "{line}");
        }
    }
    sandbox.ok("memo sh -c 'echo three >&3' 3>three");
    assert_eq!(sandbox.read("three"), "three\n");
}

#[test]
fn a_wait_for_what_is_left_behind_is_as_long_as_without_memo() {
    // Row 25 of the peers' matrix
    let sandbox = Sandbox::new();
    let go = sandbox.fifo("go");
    let mut child = sandbox.start("x=$(memo puppet spawn-holder go , print hi); echo \"[$x] $?\"");
    let mut stdout = child.stdout.take().unwrap();
    // Somebody opens it for reading: the one who holds the pipe. Until it is closed nothing can be said.
    let go = File::options().write(true).open(go).unwrap();
    assert!(child.try_wait().unwrap().is_none());
    drop(go);
    let mut out = String::new();
    stdout.read_to_string(&mut out).unwrap();
    assert_eq!(out, "[hi] 0\n");
    child.wait().unwrap();
}

#[test]
fn the_same_call_inside_itself_runs() {
    let sandbox = world(EARLY);
    sandbox.write("r", "[ \"$D\" ] && echo end || D=1 memo sh ./r\n");
    assert_eq!(sandbox.ok("memo sh ./r"), "end\n");
}

mod terminal {
    use super::*;

    #[test]
    fn a_command_sees_its_stdin_and_both_streams_are_shown() {
        let sandbox = Sandbox::new();
        for _ in 0..2 {
            let (shown, status) = Terminal::run(&sandbox, "memo puppet isatty 0 , eprint e , exit 0").end();
            assert_eq!((shown.as_str(), status.code()), ("terminal\ne\n", Some(0)));
        }
        assert_eq!(sandbox.manifests(), 1);
    }

    #[test]
    fn what_is_typed_is_left_for_who_reads_it() {
        let sandbox = Sandbox::new();
        for _ in 0..2 {
            let terminal =
                Terminal::run(&sandbox, "stty -echo; echo go; memo puppet print x; read y; echo [$y]");
            terminal.until("go\r\n");
            terminal.types("typed\n");
            assert_eq!(terminal.end().0, "x\n[typed]\n");
        }
        assert_eq!(sandbox.manifests(), 1);
    }

    #[test]
    fn a_talk_with_a_person_is_not_recorded() {
        let sandbox = Sandbox::new();
        for talk in ["puppet print go , readline", "sh -c 'echo go; read x </dev/tty; echo $x'"] {
            for _ in 0..2 {
                let terminal = Terminal::run(&sandbox, format!("exec memo -v {talk}"));
                terminal.until("go\r\n");
                terminal.types("typed\n");
                let (shown, _) = terminal.end();
                assert!(shown.contains("typed\ntyped\nmemo: not recorded: interactive\n"), "{talk}: {shown}");
            }
        }
        let (shown, _) = Terminal::run(&sandbox, "exec memo -v printf '\\033[?1049h'").end();
        assert!(shown.contains("memo: not recorded: interactive\n"), "{shown}");
        let (shown, _) = Terminal::run(&sandbox, "exec memo -v sh -c 'stty -echo; echo x'").end();
        assert!(shown.contains("memo: not recorded: interactive\n"), "{shown}");
    }

    #[test]
    fn an_interrupt_reaches_the_command_once() {
        // Row 11 of the peers' matrix: memo waits for what the command does about it.
        let sandbox = Sandbox::new();
        sandbox.fifo("go");
        let line = "exec memo puppet block INT , print ready , await , waitfifo go , pending , exit 4";
        let terminal = Terminal::run(&sandbox, line);
        terminal.until("ready\r\n");
        terminal.types("\x03");
        terminal.until("got INT\r\n");
        // A second signal would have been there by then.
        drop(File::options().write(true).open(sandbox.path("go")).unwrap());
        let (shown, status) = terminal.end();
        assert_eq!((shown.as_str(), status.code()), ("pending \n", Some(4)));
    }

    #[test]
    fn keys_end_memo_as_they_end_the_command() {
        let sandbox = Sandbox::new();
        sandbox.fifo("hold");
        for (key, signal) in [("\x03", 2), ("\x1c", 3)] {
            let terminal = Terminal::run(&sandbox, format!("ulimit -c 0; exec memo {KILLED}"));
            terminal.until("ready\r\n");
            terminal.types(key);
            assert_eq!(terminal.end().1.signal(), Some(signal));
        }
    }

    #[test]
    fn a_job_can_be_stopped_and_go_on() {
        let sandbox = Sandbox::new();
        let hold = sandbox.fifo("hold");
        let terminal = Terminal::shell(&sandbox);
        terminal.until("$ ");
        terminal.types("memo sh -c 'echo rea''dy; puppet waitfifo hold; echo don''e'\n");
        terminal.until("ready\r\n");
        terminal.types("\x1a");
        terminal.until("Stopped");
        terminal.until("$ ");
        terminal.types("fg\n");
        // Whoever opens it is running again.
        drop(File::options().write(true).open(hold).unwrap());
        terminal.until("done\r\n");
        terminal.until("$ ");
        terminal.types("echo status=$?; exit\n");
        assert!(terminal.end().0.contains("status=0\n"));
    }

    #[test]
    fn a_job_in_the_background_stops_when_it_reads() {
        let sandbox = Sandbox::new();
        let terminal = Terminal::shell(&sandbox);
        terminal.until("$ ");
        terminal.types("memo puppet readline & wait; fg\n");
        terminal.until("Stopped");
        terminal.until("memo puppet readline\r\n");
        terminal.types("line\n");
        terminal.until("line\r\nline\r\n");
        terminal.types("exit\n");
        terminal.end();
    }

    #[test]
    fn a_stopped_terminal_does_not_hold_memo() {
        let sandbox = Sandbox::new();
        let terminal = Terminal::run(&sandbox, "exec memo yes");
        terminal.until("y\r\n");
        // Ctrl-S; and nobody reads.
        terminal.types("\x13");
        let memo = Pid::from_raw(terminal.id() as i32).unwrap();
        kill_process(memo, Signal::TERM).unwrap();
        eventually("memo dies", || is_gone(memo));
    }

    #[test]
    fn a_hangup_ends_both() {
        let sandbox = Sandbox::new();
        sandbox.fifo("hold");
        let terminal = Terminal::run(&sandbox, "exec memo bash -c 'echo $$ >pid; echo ready; read <>hold'");
        terminal.until("ready\r\n");
        let memo = Pid::from_raw(terminal.id() as i32).unwrap();
        let command = Pid::from_raw(sandbox.read("pid").trim().parse().unwrap()).unwrap();
        drop(terminal);
        eventually("memo ends", || is_gone(memo));
        eventually("the command ends", || is_gone(command));
    }
}

#[test]
fn a_signal_to_the_group_ends_both() {
    use std::os::unix::process::CommandExt;
    let sandbox = Sandbox::new();
    sandbox.fifo("hold");
    let mut child = sandbox
        .shell(format!("exec memo {KILLED}"))
        .process_group(0)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    read_until(child.stdout.as_ref().unwrap(), "ready\n");
    kill_process_group(pid(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}
