//! `memo ls`: into pipes, files and terminals.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::check::world;
use crate::sandbox::{EARLY, Sandbox};

/// Returns what a shell line shows on a terminal of so many columns.
fn on_terminal(sandbox: &Sandbox, columns: u16, line: &str) -> String {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    tcsetwinsize(&ours, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut shell = sandbox.shell(line);
    shell.stdout(theirs.try_clone().unwrap()).stderr(Stdio::null());
    let mut child = shell.spawn().unwrap();
    drop((shell, theirs));
    let mut bytes = Vec::new();
    // Ends with EIO when the last of their descriptors goes.
    let _ = File::from(ours).read_to_end(&mut bytes);
    assert!(child.wait().unwrap().success(), "{line}");
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let sandbox = world(EARLY);
    sandbox.ok("for i in 1 2 3; do memo ./bump $i; done");
    for options in ["", "--json", "-l", "--sort size"] {
        // Whether it is killed by SIGPIPE or told EPIPE.
        for before in ["", "trap '' PIPE;"] {
            // The reader is gone before the first line: `true` has ended when memo begins.
            let ran =
                sandbox.run(format!("{before} exec 3> >(true); wait $!; memo ls {options} >&3; echo $?"));
            assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("0\n", ""), "{options} {before}");
        }
    }
    let full = sandbox.run("memo ls >/dev/full");
    assert_eq!(full.code, 125);
}

#[test]
fn lines_fit_the_terminal_and_files_get_them_whole() {
    let sandbox = world(EARLY);
    let long = "x".repeat(300);
    let wide = "\u{4e2d}\u{6587}".repeat(40);
    sandbox.ok(&format!("memo ./bump {long}; memo ./bump '{wide}'; memo ./bump e\u{301}"));
    for columns in [40, 80, 140] {
        let shown = on_terminal(&sandbox, columns, "memo ls --color never");
        assert_eq!(shown.lines().count(), 4, "{shown}");
        for line in shown.lines() {
            let width: usize =
                line.chars().map(|c| if ('\u{4e00}'..'\u{a000}').contains(&c) { 2 } else { 1 }).sum();
            assert!(width <= usize::from(columns), "{columns}: {line}");
        }
        assert_eq!(shown.matches('…').count(), 2, "{columns}: {shown}");
    }
    assert_eq!(on_terminal(&sandbox, 80, "memo ls | cat"), sandbox.ok("memo ls"));
    let listed = sandbox.ok("memo ls");
    assert!(listed.contains(&long) && listed.contains(&wide), "{listed}");
    assert!(on_terminal(&sandbox, 80, "memo ls -l").contains(&long));
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let sandbox = world(EARLY);
    sandbox.ok("memo --cache-exit 0-3 ./bump a || true");
    let colored = |text: &str| text.contains('\x1b');
    for command in ["memo ls", "memo show $(memo ls --json | cut -c 9-40)"] {
        let shown = |variables: &str, option: &str| {
            on_terminal(&sandbox, 80, &format!("{variables} {} {option}", command))
        };
        let plain = sandbox.ok(command);
        assert!(!colored(&plain));
        assert!(colored(&shown("TERM=xterm", "")));
        for variables in ["TERM=dumb", "TERM=xterm NO_COLOR=1", "TERM=xterm CLICOLOR=0"] {
            assert!(!colored(&shown(variables, "")), "{variables}");
            assert!(colored(&shown(variables, "--color always")), "{variables}");
        }
        assert!(!colored(&shown("TERM=xterm", "--color never")));
        assert!(colored(&sandbox.ok(&format!("export CLICOLOR_FORCE=1; {command}"))));
        let painted = sandbox.ok(&format!("{command} --color always"));
        let mut stripped = String::new();
        for piece in painted.split("\x1b[") {
            stripped += if stripped.is_empty() && !painted.starts_with('\x1b') {
                piece
            } else {
                piece.split_once('m').map_or("", |(_, text)| text)
            };
        }
        assert_eq!(stripped, plain, "colours change nothing else");
    }
    assert!(!colored(&sandbox.ok("memo ls --json --color always")), "JSON has none");
}

#[test]
fn what_a_terminal_would_obey_is_not_shown_raw() {
    let sandbox = world(EARLY);
    sandbox.ok("memo -g $'g\\e[2J' ./bump $'\\e]0;x\\a' $'a\\nb' $'\\xe2\\x80\\xae' $'\\xff'");
    for options in ["", "-l", "--json"] {
        let shown = sandbox.ok(&format!("memo ls {options}"));
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{shown}");
        assert_eq!(shown.lines().count(), if options == "--json" { 1 } else { 2 });
    }
    let shown = sandbox.ok("memo ls");
    let end = r"  ./bump $'\033]0;x\007' $'a\nb' $'\342\200\256' $'\377'";
    assert!(shown.trim_end().ends_with(end), "{shown}");
}

#[test]
fn order_and_number_can_be_chosen() {
    let sandbox = world(EARLY);
    for (now, word) in [(100, "old"), (200, "middle"), (300, "new")] {
        sandbox.ok(&format!("MEMO_TEST_NOW={now} memo ./bump {word}"));
    }
    sandbox.ok("MEMO_TEST_NOW=400 memo ./bump middle");
    let words = |options: &str| {
        let text = sandbox.ok(&format!("memo ls {options}"));
        text.lines()
            .skip(1)
            .map(|line| line.rsplit(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(words(""), "new middle old");
    assert_eq!(words("-r"), "old middle new");
    assert_eq!(words("-n 2"), "new middle");
    assert_eq!(words("-rn1"), "old");
    assert_eq!(words("--sort hits -n 1"), "middle");
    assert_eq!(words("--sort used -r"), "old new middle");
    assert_eq!(words("--sort command --limit 2 '*d*'"), "middle old");
    let ran = sandbox.run("memo ls -n many");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("does not take `many`"), "{}", ran.stderr);
}
