//! The line that shows how far a run is: what somebody at a terminal sees of it, and that nobody else does.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::outside::{Terminal, eventually};
use crate::sandbox::Sandbox;

/// How the line is cleared.
const CLEAR: &str = "\r\x1b[K";

/// A sandbox whose terminal can clear a line, and in which nobody waits for half a second.
fn waiting() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.set("TERM", "xterm");
    sandbox.set("MEMO_FAULT", "progress.delay=0");
    sandbox
}

/// Lets the one go on who waits for a fifo.
#[track_caller]
fn go(sandbox: &Sandbox, fifo: &str) {
    let now = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
    // Refused (ENXIO) until somebody reads it.
    eventually("somebody waits", || rustix::fs::open(sandbox.path(fifo), now, 0.into()).is_ok());
}

#[test]
fn somebody_at_a_terminal_sees_a_line_that_goes() {
    let sandbox = waiting();
    sandbox.fifo("go");
    let terminal = Terminal::run(&sandbox, "exec memo --no-auto puppet print one , waitfifo go , print two");
    terminal.until("one\r\n");
    terminal.until(" 0 s  puppet print one , waitfifo go , print two\x1b[K");
    go(&sandbox, "go");
    let shown = terminal.until("two\r\n");
    assert!(shown.ends_with(&format!("{CLEAR}two\r\n")), "{shown:?}");
    assert_eq!(terminal.end().0, "");
    // Never on a hit, and never in what is stored.
    let (shown, _) =
        Terminal::run(&sandbox, "exec memo --no-auto puppet print one , waitfifo go , print two").end();
    assert_eq!(shown, "one\ntwo\n");
}

#[test]
fn what_took_long_last_time_has_a_bar() {
    let sandbox = waiting();
    sandbox.fifo("hold");
    sandbox.write("in", "1");
    // The real clock runs: the recorded duration is that of the machine, so it is made a long one.
    let line = "exec memo -i in sh -c 'read x <in; test $x = 1 && exec sleep 1.1; exec puppet waitfifo hold'";
    Terminal::run(&sandbox, line).end();
    sandbox.write("in", "2");
    let terminal = Terminal::run(&sandbox, line);
    terminal.until(" 0 s of about 1 s  sh -c ");
    terminal.until("memo: ");
    // Until it has taken longer.
    terminal.until(", last time 1 s  sh -c ");
    go(&sandbox, "hold");
    assert!(terminal.end().0.ends_with("\x1b[K"));
}

#[test]
fn nothing_is_drawn_into_a_line_that_the_command_has_begun() {
    let sandbox = waiting();
    sandbox.fifo("go");
    sandbox.fifo("told");
    // "begun", and the next thing that is written is the rest of that line.
    let line = "exec memo --no-auto puppet bytes 626567756e , tellfifo told , waitfifo go , print rest , waitfifo go";
    let terminal = Terminal::run(&sandbox, line);
    terminal.until("begun");
    let _ = std::fs::read(sandbox.path("told")).unwrap();
    go(&sandbox, "go");
    let shown = terminal.until("\r\n");
    assert_eq!(shown, "rest\r\n");
    terminal.until("puppet bytes");
    go(&sandbox, "go");
    terminal.end();
}

#[test]
fn a_line_goes_also_after_somebody_has_set_the_terminal_up() {
    let sandbox = waiting();
    sandbox.fifo("go");
    let line = "exec memo --no-auto sh -c 'puppet waitfifo go; stty -icanon </dev/tty; echo out'";
    let terminal = Terminal::run(&sandbox, line);
    terminal.until("echo out\x1b[K");
    go(&sandbox, "go");
    let shown = terminal.until("out\r\n");
    assert!(shown.ends_with(&format!("{CLEAR}out\r\n")), "{shown:?}");
    terminal.end();
}

#[test]
fn stdout_elsewhere_leaves_the_line_alone() {
    let sandbox = waiting();
    sandbox.fifo("go");
    let terminal = Terminal::run(&sandbox, "exec memo --no-auto puppet print out , waitfifo go >out");
    terminal.until(" 0 s  puppet print out");
    go(&sandbox, "go");
    terminal.end();
    assert_eq!(sandbox.read("out"), "out\n");
}

/// Has every drawing end memo, and makes each be due as soon as the command has written something.
fn refusing(sandbox: &mut Sandbox) {
    sandbox.set("MEMO_FAULT", "progress.delay=0,progress.interval=0,progress.drawn=panic");
}

#[test]
fn nobody_else_sees_anything() {
    let mut sandbox = waiting();
    refusing(&mut sandbox);
    sandbox.fifo("go");
    let call = "--no-auto puppet print x , waitfifo go";
    // Each is another call, or the second would be a hit.
    let mut number = 0;
    for line in [
        format!("exec memo --progress never {call}"),
        format!("exec memo -q {call}"),
        format!("export TERM=dumb; exec memo {call}"),
        format!("unset TERM; exec memo {call}"),
        format!("export MEMO_PROGRESS=never; exec memo {call}"),
        format!("export MEMO_HELD=0; exec memo --progress always {call}"),
        // Started by a script: others of its job may be writing too.
        format!("memo {call}; exit"),
        format!("exec memo {call} 2>err"),
        // Somebody has set the terminal up.
        format!("stty -icanon; exec memo {call}"),
        format!("stty -echo; exec memo {call}"),
    ] {
        number += 1;
        let line = line.replace("--no-auto", &format!("--no-auto -k {number}"));
        let terminal = Terminal::run(&sandbox, &line);
        terminal.until("x\r\n");
        go(&sandbox, "go");
        let (shown, _) = terminal.end();
        assert_eq!(shown.trim_end(), "", "{line}");
    }
    // The call that all these differ from.
    let terminal = Terminal::run(&sandbox, format!("exec memo {call}"));
    terminal.until("fault point progress.drawn");
    terminal.until("\n");
}

#[test]
fn whoever_waits_for_an_answer_is_known() {
    let sandbox = Sandbox::new();
    sandbox.fifo("go");
    let mut child = sandbox.command("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = child.id() as i32;
    eventually("it reads stdin", || memo::sys::process::reads_stdin(pid));
    drop(child.stdin.take());
    child.wait().unwrap();
    // Reading something else, and being no more.
    let mut child = sandbox.command("puppet").args(["waitfifo", "go"]).stdin(Stdio::piped()).spawn().unwrap();
    let opens = || std::fs::read_to_string(format!("/proc/{}/wchan", child.id())).is_ok();
    eventually("it is there", opens);
    assert!(!memo::sys::process::reads_stdin(child.id() as i32));
    go(&sandbox, "go");
    child.wait().unwrap();
    assert!(!memo::sys::process::reads_stdin(pid));
}

#[test]
fn always_is_wherever_stderr_goes() {
    let sandbox = waiting();
    sandbox.fifo("hold");
    let mut child = sandbox.start("memo --no-auto --progress always puppet print out , waitfifo hold");
    let stderr = child.stderr.take().unwrap();
    crate::outside::read_until(&stderr, " 0 s  puppet print out , waitfifo hold\x1b[K");
    go(&sandbox, "hold");
    assert_eq!(child.wait_with_output().unwrap().stdout, b"out\n");
}

#[test]
fn a_stop_and_a_signal_take_the_line_away() {
    let sandbox = waiting();
    sandbox.fifo("hold");
    let terminal = Terminal::shell(&sandbox);
    terminal.until("$ ");
    terminal.types("memo sh -c 'exec puppet waitfifo ho''ld'\n");
    terminal.until(" 0 s  sh -c");
    terminal.types("\x1a");
    let shown = terminal.until("Stopped");
    assert!(shown.contains(CLEAR), "{shown:?}");
    terminal.until("$ ");
    terminal.types("bg\n");
    terminal.until("$ ");
    terminal.types("echo no''w; kill -INT %1; wait\n");
    // In the background nothing was drawn.
    let shown = terminal.until("now\r\n");
    assert!(!shown.contains("puppet waitfifo hold\x1b[K"), "{shown:?}");
    terminal.until("$ ");
    terminal.types("memo sh -c 'exec puppet waitfifo ho''ld'\n");
    terminal.until(" 0 s  sh -c");
    terminal.types("\x03");
    let shown = terminal.until("$ ");
    assert!(shown.contains(CLEAR), "{shown:?}");
    terminal.types("exit\n");
    terminal.end();
}

#[test]
fn a_waiter_says_for_whom_it_waits_and_goes_quietly() {
    let sandbox = waiting();
    sandbox.fifo("hold");
    let mut first = sandbox.start("exec memo --no-auto puppet print ready , waitfifo hold");
    crate::outside::read_until(first.stdout.as_ref().unwrap(), "ready\n");
    let terminal =
        Terminal::run(&sandbox, "exec memo --no-auto puppet print ready , waitfifo hold </dev/null");
    terminal.until(&format!("waiting for the same command, pid {}, ", first.id()));
    let waiter = Pid::from_raw(terminal.id() as i32).unwrap();
    kill_process(waiter, Signal::TERM).unwrap();
    let (shown, status) = terminal.end();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(status.signal(), Some(15));
    assert!(shown.ends_with("\x1b[K"), "{shown:?}");
    go(&sandbox, "hold");
    eventually("the first ends", || first.try_wait().unwrap().is_some());
}

#[test]
fn a_narrow_terminal_gets_a_short_line() {
    let sandbox = waiting();
    sandbox.fifo("go");
    let long = "x".repeat(100);
    let terminal = Terminal::run(
        &sandbox,
        format!("stty cols 30; exec memo --no-auto puppet print {long} , waitfifo go"),
    );
    terminal.until(&format!("{long}\r\n"));
    let shown = terminal.until("\x1b[K");
    let line = shown.trim_start_matches('\r').trim_end_matches("\x1b[K");
    assert!(line.len() < 30 && line.contains(" 0 s  puppet print xx"), "{line:?}");
    go(&sandbox, "go");
    terminal.end();
}
