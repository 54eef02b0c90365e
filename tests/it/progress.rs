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
fn a_container_on_a_terminal_from_outside_is_at_a_terminal() {
    // Its session and its process group are none that it can name: the kernel calls both 0.
    let sandbox = waiting();
    sandbox.fifo("go");
    let contained = "unshare --user --map-root-user --pid --fork --kill-child";
    if sandbox.run(format!("{contained} true")).code != 0 {
        eprintln!("skipped: there is no namespace for a test here");
        return;
    }
    let line = format!("exec {contained} memo --no-auto puppet print one , waitfifo go , print two");
    let terminal = Terminal::run(&sandbox, line);
    terminal.until("one\r\n");
    terminal.until(" 0 s  puppet print one , waitfifo go , print two\x1b[K");
    go(&sandbox, "go");
    let shown = terminal.until("two\r\n");
    assert!(shown.ends_with(&format!("{CLEAR}two\r\n")), "{shown:?}");
    assert!(terminal.end().1.success());
}

#[test]
fn what_took_long_last_time_has_a_bar() {
    let sandbox = waiting();
    sandbox.fifo("hold");
    // Beyond what it took last time there is no bar.
    for (took, words) in [("3600000", " s of about 1 h 00 min  sh -c "), ("0", " s, last time 0 s  sh -c ")] {
        let call = |content: &str| {
            sandbox.write("in", content);
            let line = "-i in sh -c 'read x <in; test $x = 1 && exit; puppet waitfifo hold'";
            let fault = format!("MEMO_FAULT=progress.delay=0,ran.duration={took}");
            Terminal::run(&sandbox, format!("export {fault}; exec memo -k {took} {line}"))
        };
        call("1").end();
        let terminal = call("2");
        terminal.until(words);
        go(&sandbox, "hold");
        assert!(terminal.end().0.ends_with("\x1b[K"));
    }
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

/// Of this size in bytes it is shown how far something is.
const LARGE: u64 = 16 << 20;

/// Makes a large file of zeros.
fn large(sandbox: &Sandbox, name: &str) {
    std::fs::File::create(sandbox.path(name)).unwrap().set_len(LARGE).unwrap();
}

/// A sandbox in which each line is drawn as soon as there is something new to say.
fn hasty() -> Sandbox {
    let mut sandbox = waiting();
    sandbox.set("MEMO_FAULT", "progress.delay=0,progress.interval=0");
    sandbox
}

#[test]
fn the_hashing_of_a_large_input_is_shown_until_something_is_written() {
    let sandbox = hasty();
    large(&sandbox, "big");
    let call = "exec memo -v -i big puppet print out";
    // The sandbox's clock is so early that each call hashes.
    for (verdict, line) in [("miss: never-seen", call), ("hit: ", call)] {
        let terminal = Terminal::run(&sandbox, line);
        terminal.until("] 16.00 MiB of 16.00 MiB, hashing big\x1b[K");
        let shown = terminal.until("\n");
        assert!(shown.contains(&format!("{CLEAR}memo: {verdict}")), "{shown:?}");
        let (shown, _) = terminal.end();
        // The line of the run may come once more between the output and the end.
        assert!(shown.contains("out\n"), "{shown:?}");
        assert!(!shown.contains("hashing"), "{shown:?}");
    }
    // A little smaller, and nothing is shown; nor is it to whoever does not want to see it.
    std::fs::File::create(sandbox.path("less")).unwrap().set_len(LARGE - 1).unwrap();
    for line in ["exec memo -i less true", "exec memo --progress never -i big puppet print out"] {
        for _ in 0..2 {
            let (shown, _) = Terminal::run(&sandbox, line).end();
            assert!(!shown.contains("hashing"), "{shown:?}");
        }
    }
}

#[test]
fn the_hashing_of_a_large_stdin_is_shown() {
    let sandbox = hasty();
    large(&sandbox, "big");
    let terminal = Terminal::run(&sandbox, "exec memo -v wc -c <big");
    terminal.until("] 16.00 MiB of 16.00 MiB, hashing stdin\x1b[K");
    let shown = terminal.until("\n");
    assert!(shown.contains(CLEAR), "{shown:?}");
    assert!(terminal.end().0.contains("16777216\n"));
}

#[test]
fn the_restoring_of_a_large_output_is_shown_before_anything_is_replayed() {
    let sandbox = hasty();
    let call = "exec memo -o out sh -c 'truncate -s 16M out; echo done'";
    Terminal::run(&sandbox, call).end();
    // There already: it is compared.
    let terminal = Terminal::run(&sandbox, call);
    terminal.until("] 16.00 MiB of 16.00 MiB, checking out\x1b[K");
    assert!(terminal.until("\n").ends_with(&format!("{CLEAR}done\r\n")));
    terminal.end();
    std::fs::remove_file(sandbox.path("out")).unwrap();
    let terminal = Terminal::run(&sandbox, call);
    terminal.until("] 16.00 MiB of 16.00 MiB, checking out\x1b[K");
    let shown = terminal.until("done\r\n");
    assert!(shown.ends_with(&format!("{CLEAR}done\r\n")), "{shown:?}");
    // Where blocks are shared there is nothing to copy.
    let copied = shown.contains("] 16.00 MiB of 16.00 MiB, restoring out\x1b[K");
    assert_eq!(copied, shown.contains("restoring"), "{shown:?}");
    assert!(copied || sandbox.run("cp --reflink=always out copy").code == 0, "{shown:?}");
    terminal.end();
    assert_eq!(std::fs::metadata(sandbox.path("out")).unwrap().len(), LARGE);
    assert!(
        !Terminal::run(&sandbox, "exec memo --progress never -o out sh -c 'truncate -s 16M out; echo done'")
            .end()
            .0
            .contains("out")
    );
}
