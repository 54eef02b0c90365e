//! What a person sees: an interactive shell in tmux, whose screen is read back.

use std::process::{Command, Stdio};

use crate::outside::eventually;
use crate::sandbox::Sandbox;

/// A screen with a shell on it. Its server goes when it is dropped.
struct Screen<'a> {
    sandbox: &'a Sandbox,
}

impl<'a> Screen<'a> {
    /// Returns a screen of so many columns; `None` where there is no tmux.
    fn open(sandbox: &'a Sandbox, columns: u16) -> Option<Self> {
        let is_there = sandbox.command("tmux").arg("-V").stdout(Stdio::null()).status().is_ok();
        if !is_there {
            eprintln!("skipped: there is no tmux");
            return None;
        }
        let screen = Self { sandbox };
        let columns = columns.to_string();
        let shell = "env PS1='$ ' bash --norc --noediting -i";
        let session = ["new-session", "-d", "-x", &columns, "-y", "12", shell];
        screen.ask(&[&session[..], &[";", "set-option", "-g", "status", "off"]].concat());
        screen.shows("$");
        Some(screen)
    }

    fn tmux(&self, words: &[&str]) -> Command {
        let mut tmux = self.sandbox.command("tmux");
        // A socket of its own, by a path that is short enough for one.
        tmux.args(["-f", "/dev/null", "-u", "-S"]).arg(self.sandbox.root().join("t")).args(words);
        tmux
    }

    #[track_caller]
    fn ask(&self, words: &[&str]) -> String {
        let output = self.tmux(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types a line.
    #[track_caller]
    fn types(&self, line: &str) {
        self.ask(&["send-keys", "-l", line]);
        self.ask(&["send-keys", "Enter"]);
    }

    /// Returns the lines that are on the screen, without the empty ones at its end.
    #[track_caller]
    fn lines(&self) -> Vec<String> {
        let text = self.ask(&["capture-pane", "-p"]);
        text.trim_end().lines().map(str::to_owned).collect()
    }

    /// Waits until the screen is this one.
    #[track_caller]
    fn shows(&self, expected: &str) {
        let expected: Vec<&str> = expected.lines().collect();
        let mut last = Vec::new();
        eventually(&format!("{expected:?}"), || {
            let now = self.lines();
            if now != last {
                // Says of a test that fails how it came so far.
                eprintln!("{now:?}");
                last = now;
            }
            last == expected
        });
    }

    /// Waits until the screen is one line and below it another that begins and ends so; returns that. The line of a
    /// run may be there before the command has written anything.
    #[track_caller]
    fn line_below(&self, above: &str, begins: &str, ends: &str) -> String {
        let mut last = String::new();
        eventually(&format!("{above}, {begins}...{ends}"), || match &self.lines()[..] {
            [first, line] if first == above && line.starts_with(begins) && line.ends_with(ends) => {
                last.clone_from(line);
                true
            }
            _ => false,
        });
        last
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).stderr(Stdio::null()).status();
    }
}

/// Lets the one go on who waits for a fifo.
fn go(sandbox: &Sandbox) {
    std::fs::write(sandbox.path("go"), "").unwrap();
}

#[test]
fn the_line_is_there_while_it_runs_and_leaves_nothing() {
    for columns in [80, 140] {
        let mut sandbox = Sandbox::new();
        sandbox.set("TERM", "xterm");
        sandbox.set("MEMO_FAULT", "progress.delay=0");
        sandbox.fifo("go");
        let Some(screen) = Screen::open(&sandbox, columns) else { return };
        let filling = "x".repeat(100);
        let call = format!("memo -- sh -c 'echo one; read x <go; echo two #{filling}'");
        sandbox.write("call", &call);
        screen.types("clear; . ./call");
        let line = screen.line_below("one", "memo: ", "...");
        // The command is cut at 60 characters, and the line is one line.
        assert!(line.contains(" s  sh -c echo one; read x <go; echo two #xxx"), "{line}");
        go(&sandbox);
        screen.shows("one\ntwo\n$");
        // A hit shows what the run has left, and no line before it.
        screen.types("clear; . ./call");
        screen.shows("one\ntwo\n$");
    }
}

#[test]
fn ctrl_c_takes_the_line_away() {
    let mut sandbox = Sandbox::new();
    sandbox.set("TERM", "xterm");
    sandbox.set("MEMO_FAULT", "progress.delay=0");
    sandbox.fifo("go");
    sandbox.write("call", "memo --no-auto puppet print one , waitfifo go");
    let Some(screen) = Screen::open(&sandbox, 80) else { return };
    screen.types("clear; . ./call");
    screen.line_below("one", "memo: ", "waitfifo go");
    screen.ask(&["send-keys", "C-c"]);
    screen.shows("one\n\n$");
}
