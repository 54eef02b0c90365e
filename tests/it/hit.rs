//! A repeated call is answered from the store, and nobody can tell.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use assert_cmd::assert::OutputAssertExt;
use snapbox::{assert_data_eq, str};

use crate::check::{in_both_worlds, is_not_recorded, runs_once, world};
use crate::sandbox::{EARLY, Sandbox};

#[test]
fn a_repeated_call_is_replayed() {
    let session = Sandbox::new().steps(&[
        "memo -v puppet bump a , eprint b",
        "memo -v puppet bump a , eprint b",
        "memo puppet bump a , eprint b",
        "memo -v puppet bump a , exit 3",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo -v puppet bump a , eprint b
memo: miss: never-seen
a #1
b
$ memo -v puppet bump a , eprint b
memo: hit: recorded [TIME] ago, [TIME] saved
a #1
b
$ memo puppet bump a , eprint b
a #1
b
$ memo -v puppet bump a , exit 3
memo: miss: words: `exit 3`, was `eprint b`
a #2
memo: not recorded: exit-status: 3
[exit 3]

"#]]
    );
}

#[test]
fn an_empty_home_is_enough() {
    // A01
    let mut sandbox = world(EARLY);
    sandbox.unset("MEMO_DIR");
    sandbox.unset("MEMO_TEST_NOW");
    assert_eq!(sandbox.ok("memo ./bump a"), "a #1\n");
    assert_eq!(sandbox.ok("memo ./bump a"), "a #1\n");
    assert_eq!(sandbox.ok("ls -A"), "bump\n");
    let store = sandbox.root().join("home/.cache/memo");
    assert_eq!(fs::metadata(store).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn memo_in_front_changes_nothing() {
    // A05; rows 1, 7 and 9 of the peers' matrix
    for command in [
        "printf 'a\\0b'",
        "printf ''",
        "sh -c 'echo o; echo e >&2'",
        "sh -c 'exit 7'",
        "sh -c 'kill -TERM $$'",
        "sh -c 'kill -KILL $$'",
        "puppet bytes 00ff80fe0a",
        "puppet fill 1000000 , efill 1000000",
        "puppet isatty 1 , isatty 0 , fds , signals",
    ] {
        in_both_worlds(|sandbox| {
            let bare = sandbox.shell(command).output().unwrap();
            for _ in 0..3 {
                let with = sandbox.shell(format!("memo {command}")).output().unwrap();
                assert!(with.stdout == bare.stdout, "stdout of `{command}`");
                assert!(with.stderr == bare.stderr, "stderr of `{command}`");
                assert_eq!(with.status, bare.status, "`{command}`");
            }
        });
    }
}

#[test]
fn the_order_of_both_streams_is_kept() {
    // Row 9 of the peers' matrix: one pipe for both.
    let sandbox = Sandbox::new();
    let line = "memo puppet print o1 , eprint e1 , print o2 , eprint e2 , eprint e3 , print o3";
    let shown = |session: String| session.lines().skip(1).collect::<Vec<_>>().join(" ");
    for _ in 0..3 {
        assert_eq!(shown(sandbox.steps(&[line])), "o1 e1 o2 e2 e3 o3");
    }
}

#[test]
fn a_death_by_signal_is_not_recorded() {
    // Row 8 of the peers' matrix
    let sandbox = world(EARLY);
    for (name, number) in [("TERM", 15), ("KILL", 9), ("INT", 2), ("SEGV", 11)] {
        let line = format!("memo -v sh -c './bump; kill -{name} $$'");
        is_not_recorded(&sandbox, &line, &format!("signal: {number}"));
        assert_eq!(sandbox.run(format!("exec {line}")).code, 128 + number);
    }
}

#[test]
fn calls_inside_calls_share_the_store() {
    // A04
    let sandbox = Sandbox::new();
    sandbox.script(
        "fact",
        "#!/bin/sh\necho . >>$RUNS\n[ $1 -lt 1 ] && { echo 1; exit 0; }\n\
         p=$(memo $0 $(($1 - 1))) || exit\necho $(($1 * p))\n",
    );
    assert_eq!(sandbox.ok("memo ./fact 10"), "3628800\n");
    assert_eq!(sandbox.runs(), 11);
    assert_eq!(sandbox.ok("memo ./fact 9"), "362880\n");
    assert_eq!(sandbox.runs(), 11);
}

#[test]
fn a_subcommand_is_one_only_as_the_first_word() {
    // B19
    let sandbox = Sandbox::new();
    for line in ["memo -- ls -d .", "memo run ls -d .", "memo --ttl 1h ls -d ."] {
        assert_eq!(sandbox.ok(line), ".\n", "{line}");
    }
}

#[test]
fn a_reader_who_leaves_harms_nothing() {
    // B03; row 10 of the peers' matrix
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        assert_eq!(sandbox.ok("memo seq 100000 | head -1"), "1\n");
        assert_eq!(sandbox.ok("memo seq 100000 | tail -1"), "100000\n");
    }
    let before = sandbox.manifests();
    assert_eq!(sandbox.ok("memo yes | head -1"), "y\n");
    assert_eq!(sandbox.manifests(), before);
}

#[test]
fn a_command_without_output_is_replayed() {
    in_both_worlds(|sandbox| {
        assert_eq!(runs_once(sandbox, "memo sh -c './bump >$HOME/x'").stdout, "");
    });
}

#[test]
fn words_are_passed_on_byte_for_byte() {
    let sandbox = Sandbox::new();
    for bytes in [&b"\xff\xfe"[..], b"", b"a b", b"a\nb", b"-x", b"--", b"$HOME", "\u{e9}".as_bytes()] {
        for _ in 0..2 {
            let expected = [bytes, b"\n"].concat();
            let mut memo = sandbox.memo();
            memo.args(["puppet", "print"]).arg(OsStr::from_bytes(bytes));
            memo.assert().success().stdout(expected).stderr("");
        }
    }
}
