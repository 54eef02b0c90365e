//! Commands that get a terminal of their own: what they see of it, and what a person sees of them.

use std::os::unix::process::ExitStatusExt;

use rustix::process::{Pid, Signal, kill_process};

use crate::outside::{Terminal, eventually};
use crate::sandbox::Sandbox;

const ALL: &str = "puppet isatty 0 , isatty 1 , isatty 2 , eprint err";

#[test]
fn a_command_sees_a_terminal_and_a_hit_gives_the_same_bytes() {
    let sandbox = Sandbox::new();
    // stdin is what it is.
    let bytes = "no terminal\r\nterminal\r\nterminal\r\nerr\r\n";
    for hit in [false, true] {
        let ran = sandbox.run(format!("memo -v --pty always {ALL}"));
        assert_eq!((ran.stdout.as_str(), ran.is_hit()), (bytes, hit), "{}", ran.stderr);
    }
    // Without it nothing changed, and neither answers for the other.
    let plain = "no terminal\nno terminal\nno terminal\n";
    for hit in [false, true] {
        let ran = sandbox.run(format!("memo -v {ALL}"));
        assert_eq!((ran.stdout.as_str(), ran.is_hit()), (plain, hit), "{}", ran.stderr);
    }
}

#[test]
fn colours_survive_only_with_a_terminal() {
    let mut sandbox = Sandbox::new();
    sandbox.set("TERM", "xterm");
    sandbox.ok("mkdir d d/e");
    for _ in 0..2 {
        assert_eq!(sandbox.ok("memo -- ls --color=auto d"), "e\n");
        assert!(sandbox.ok("memo --pty always ls --color=auto d").contains("\x1b["));
        assert_eq!(sandbox.ok("MEMO_PTY=always memo --pty never ls --color=auto d"), "e\n");
        assert!(sandbox.ok("MEMO_PTY=always memo -- ls --color=auto d").contains("\x1b["));
    }
}

#[test]
fn the_terminal_is_in_the_key() {
    let mut sandbox = Sandbox::new();
    sandbox.set("TERM", "xterm");
    let call = |before: &str| {
        let (shown, _) =
            Terminal::run(&sandbox, format!("{before}; exec memo -v --pty always stty size")).end();
        shown.replace("memo: miss: ", "").replace("never-seen\n", "ran ").replace('\n', "")
    };
    assert_eq!(call("stty cols 100 rows 30"), "ran 30 100");
    assert!(call("stty cols 100 rows 30").contains("hit"));
    assert!(call("stty cols 101 rows 30").contains("30 101"));
    assert!(call("stty cols 100 rows 31").contains("31 100"));
    assert!(!call("stty cols 100 rows 30; export TERM=vt100").contains("hit"));
    assert!(!call("stty cols 100 rows 30; export NO_COLOR=1").contains("hit"));
    assert!(call("stty cols 100 rows 30").contains("hit"));
    // No terminal anywhere.
    assert_eq!(sandbox.ok("memo --pty always sh -c 'stty size </dev/tty'"), "24 80\r\n");
}

#[test]
fn it_ends_as_the_command_does() {
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        assert_eq!(sandbox.run("memo --pty always --cache-exit 7 puppet exit 7").code, 7);
        assert_eq!(sandbox.run("memo --pty always puppet signal 15").code, 143);
    }
    sandbox.script("bad", "#!/nonexistent\n");
    let ran = sandbox.run("memo --pty always ./bad");
    assert_eq!(ran, sandbox.run("memo ./bad"));
    assert!(ran.stderr.starts_with("memo: error: cannot run `./bad`: "), "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_ends_it() {
    let sandbox = Sandbox::new();
    let mut line =
        crate::outside::patient(&sandbox, "memo --pty always yes | head -1; echo ${PIPESTATUS[0]}");
    let output = line.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "y\r\n141\n");
    assert_eq!(sandbox.manifests(), 0);
}

#[test]
fn keys_reach_the_command_and_the_terminal_comes_back() {
    let sandbox = Sandbox::new();
    let terminal = Terminal::run(
        &sandbox,
        "stty -a >before; memo -v --pty always sh -c 'echo ready; cat'; stty -a >after",
    );
    terminal.until("ready\r\n");
    terminal.types("line\n");
    terminal.until("line\r\nline\r\n");
    terminal.types("\x04");
    assert_eq!(terminal.end().0, "memo: not recorded: interactive\n");
    assert_eq!(sandbox.read("before"), sandbox.read("after"));
}

#[test]
fn a_job_stops_and_goes_on() {
    let sandbox = Sandbox::new();
    let terminal = Terminal::shell(&sandbox);
    terminal.until("$ ");
    terminal.types("memo --pty always sh -c 'echo rea''dy; read x; echo [$x]'\n");
    terminal.until("ready\r\n");
    terminal.types("\x1a");
    terminal.until("Stopped");
    terminal.until("$ ");
    // The shell's own terminal is as it was, and the command does not run on.
    terminal.types("stty -a | grep -o ' icanon'; fg\n");
    terminal.until(" icanon\r\n");
    terminal.until("[$x]'\r\n");
    terminal.types("typed\n");
    terminal.until("[typed]\r\n");
    terminal.until("$ ");
    terminal.types("echo status=$?; exit\n");
    assert!(terminal.end().0.contains("status=0\n"));
}

#[test]
fn an_interrupt_reaches_the_command_once() {
    let sandbox = Sandbox::new();
    let line = "exec memo --pty always puppet block INT , print ready , await , readline , pending , exit 4";
    let terminal = Terminal::run(&sandbox, line);
    terminal.until("ready\r\n");
    terminal.types("\x03");
    terminal.until("got INT\r\n");
    // A second signal would have been there by then.
    terminal.types("on\n");
    let (shown, status) = terminal.end();
    assert_eq!((shown.as_str(), status.code()), ("on\non\npending \n", Some(4)));
}

#[test]
fn a_signal_to_memo_reaches_the_command_and_the_terminal_comes_back() {
    let sandbox = Sandbox::new();
    let line =
        "stty -a >before; memo --pty always bash -c 'echo $PPID >leader; echo ready; read x'; stty -a >after";
    for signal in [Signal::TERM, Signal::HUP] {
        let terminal = Terminal::run(&sandbox, line);
        terminal.until("ready\r\n");
        // The leader's parent is memo.
        let leader: i32 = sandbox.read("leader").trim().parse().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{leader}/stat")).unwrap();
        let memo: i32 = stat.rsplit(") ").next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        kill_process(Pid::from_raw(memo).unwrap(), signal).unwrap();
        terminal.end();
        assert_eq!(sandbox.read("before"), sandbox.read("after"), "{signal:?}");
    }
}

#[test]
fn nothing_outlives_a_memo_that_is_killed() {
    let sandbox = Sandbox::new();
    let line = "exec memo --pty always bash -c 'echo $PPID $$ >pids; echo ready; read x'";
    let terminal = Terminal::run(&sandbox, line);
    terminal.until("ready\r\n");
    let pids = sandbox.read("pids");
    kill_process(Pid::from_raw(terminal.id() as i32).unwrap(), Signal::KILL).unwrap();
    assert_eq!(terminal.end().1.signal(), Some(9));
    for pid in pids.split_whitespace() {
        let stat = format!("/proc/{pid}/stat");
        eventually("it ends too", || {
            std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
        });
    }
}

#[test]
fn a_window_that_changes_is_told() {
    let sandbox = Sandbox::new();
    sandbox.fifo("changed");
    let line = "stty cols 90 rows 20; (read x <changed; stty cols 91 </dev/tty) & \
                exec memo -v --pty always bash -c \
                'stty size; puppet block WINCH , tellfifo changed , await; stty size'";
    let terminal = Terminal::run(&sandbox, line);
    terminal.until("20 90\r\n");
    terminal.until("got WINCH\r\n20 91\r\n");
    assert_eq!(terminal.end().0, "memo: not recorded: interactive\n");
}

#[test]
fn in_the_background_the_terminal_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.fifo("go");
    let terminal = Terminal::shell(&sandbox);
    terminal.until("$ ");
    terminal
        .types("memo --pty always sh -c 'puppet waitfifo go; echo do''ne' & stty -a | grep -o ' icanon'\n");
    terminal.until(" icanon\r\n");
    terminal.until("$ ");
    terminal.types("echo >go; wait; exit\n");
    // Its own terminal has ended the line, and so does this one, which memo has not set up.
    terminal.until("done\r\r\n");
    terminal.end();
}

#[test]
fn a_full_screen_is_not_recorded() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("memo -v --pty always printf '\\033[?1049hx'");
    assert_eq!(ran.unrecorded(), Some("interactive"));
}
