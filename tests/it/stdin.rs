//! memo takes from stdin what the command takes, on a miss and on a hit, and keys by it.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::Stdio;

use crate::check::{is_not_recorded, world};
use crate::outside::{Kind, Stream, read_until, run_on};
use crate::sandbox::{EARLY, Ran, Sandbox};

/// More than a pipe holds, so that one that has it is full.
fn filler() -> String {
    "0123456789abcde\n".repeat((64 << 10) / 16)
}

/// Runs the bare command and then memo three times, each on a stream made anew, and expects the same
/// output and the same rest.
#[track_caller]
fn check_same_rest(command: &str, make: impl Fn() -> Stream) {
    let sandbox = Sandbox::new();
    let bare = run_on(&sandbox, command, make());
    for round in 0..3 {
        let with = run_on(&sandbox, &format!("exec memo {command}"), make());
        assert_eq!(with, bare, "`{command}`, round {round}");
    }
}

#[test]
fn what_the_command_leaves_stays_there() {
    for kind in [Kind::Pipe, Kind::Socket] {
        for command in
            ["puppet", "puppet readline", "puppet readline , readline", "puppet read 1", "puppet readall"]
        {
            for bytes in ["", "one\ntwo\nthree\n", "no newline"] {
                check_same_rest(command, || Stream::ended(kind, bytes.as_bytes()));
            }
        }
    }
}

#[test]
fn what_the_command_leaves_of_a_stream_that_goes_on_stays_there() {
    for kind in [Kind::Pipe, Kind::Socket] {
        for command in ["puppet", "puppet readline", "puppet readline , readline", "puppet read 3"] {
            check_same_rest(command, || Stream::open(kind, b"one\ntwo\nthree\n"));
        }
    }
}

#[test]
fn a_full_pipe_is_left_as_it_is() {
    let bytes = filler();
    for command in ["puppet", "puppet readline", "puppet read 1000", "puppet read 5000 , read 5"] {
        // A read gets at most what one slot of the feed has.
        if !command.contains("5000") {
            check_same_rest(command, || Stream::ended(Kind::Pipe, bytes.as_bytes()));
        }
        let sandbox = Sandbox::new();
        let (out, rest) =
            run_on(&sandbox, &format!("memo {command}"), Stream::open(Kind::Pipe, bytes.as_bytes()));
        let taken = out.strip_suffix("[end]\n").unwrap_or(&out);
        assert_eq!(format!("{taken}{rest}"), bytes, "`{command}` loses nothing");
    }
}

#[test]
fn a_command_once_seen_reading_to_the_end_still_takes_only_what_it_takes() {
    let sandbox = Sandbox::new();
    // Its only line is all there was.
    assert_eq!(run_on(&sandbox, "memo puppet readline", Stream::ended(Kind::Pipe, b"a\n")).0, "a\n");
    let bytes = filler();
    for round in 0..2 {
        let stream = Stream::open(Kind::Pipe, bytes.as_bytes());
        let (out, rest) = run_on(&sandbox, "memo puppet readline", stream);
        assert_eq!((out.as_str(), rest.as_str()), ("0123456789abcde\n", &bytes[16..]), "round {round}");
    }
    assert_eq!(run_on(&sandbox, "yes | memo puppet readline", Stream::ended(Kind::Pipe, b"")).0, "y\n");
    let stream = Stream::ended(Kind::Socket, b"a\nb\n");
    assert_eq!(run_on(&sandbox, "memo puppet readline", stream), ("a\n".into(), "b\n".into()));
}

#[test]
fn an_endless_producer_ends_nothing() {
    // Row 10b's other side
    let sandbox = Sandbox::new();
    for _ in 0..3 {
        assert_eq!(run_on(&sandbox, "yes | memo head -1", Stream::ended(Kind::Pipe, b"")).0, "y\n");
        assert_eq!(sandbox.ok("echo y | memo head -1"), "y\n");
    }
}

#[test]
fn a_loop_keeps_its_lines() {
    // Rows 35 and 35b of the peers' matrix
    let sandbox = Sandbox::new();
    let line = "seq 3 | while read x; do memo puppet bump $x; done";
    assert_eq!(sandbox.ok(line), "1 #1\n2 #2\n3 #3\n");
    assert_eq!(sandbox.ok(line), "1 #1\n2 #2\n3 #3\n");
    // The first to read takes the rest, as without memo.
    for _ in 0..2 {
        assert_eq!(sandbox.ok("seq 3 | while read x; do memo cat; done"), "2\n3\n");
    }
}

#[test]
fn what_stdin_has_is_in_the_key() {
    // Row 4 of the peers' matrix
    let sandbox = Sandbox::new();
    let read = |text: &str| sandbox.ok(&format!("printf '{text}' | memo sh -c 'cat; puppet bump ran'"));
    assert_eq!(read("a\\n"), "a\nran #1\n");
    assert_eq!(read("b\\n"), "b\nran #2\n");
    assert_eq!(read("a\\n"), "a\nran #1\n");
    assert_eq!(read("ab"), "abran #3\n");
    assert_eq!(read(""), "ran #4\n");
    assert_eq!(read("b\\n"), "b\nran #2\n");
}

#[test]
fn a_command_that_takes_nothing_is_answered_whatever_stdin_has() {
    let sandbox = Sandbox::new();
    for (kind, bytes) in [(Kind::Pipe, "a"), (Kind::Pipe, "b"), (Kind::Socket, "c")] {
        let stream = Stream::open(kind, bytes.as_bytes());
        let (out, rest) = run_on(&sandbox, "memo puppet bump x", stream);
        assert_eq!((out.as_str(), rest.as_str()), ("x #1\n", bytes));
    }
}

#[test]
fn a_silent_stream_is_a_value_of_its_own() {
    let sandbox = Sandbox::new();
    let run = || run_on(&sandbox, "memo puppet bump x", Stream::open(Kind::Pipe, b"")).0;
    assert_eq!((run(), run()), ("x #1\n".into(), "x #1\n".into()));
    assert_eq!(sandbox.ok("memo puppet bump x </dev/null"), "x #2\n");
    assert_eq!(sandbox.ok("memo puppet bump x <&-"), "x #3\n");
    assert_eq!(run(), "x #1\n");
    // The end at once is as good as /dev/null.
    assert_eq!(run_on(&sandbox, "memo puppet bump x", Stream::ended(Kind::Pipe, b"")).0, "x #2\n");
    assert_eq!(run_on(&sandbox, "memo puppet bump x", Stream::ended(Kind::Socket, b"")).0, "x #2\n");
}

#[test]
fn a_cold_pipeline_flows() {
    let sandbox = Sandbox::new();
    let mut memo = sandbox.memo();
    memo.args(["puppet", "readline", ",", "readline"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = memo.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let stdout = child.stdout.take().unwrap();
    stdin.write_all(b"first\n").unwrap();
    // The answer to the first line comes before there is a second one.
    assert_eq!(read_until(&stdout, "\n"), "first\n");
    stdin.write_all(b"second\n").unwrap();
    assert_eq!(read_until(&stdout, "\n"), "second\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_is_more_than_a_pipe_holds_arrives_whole() {
    let sandbox = Sandbox::new();
    let bare = sandbox.ok("seq 200000 | cksum");
    for line in [
        "seq 200000 | memo -v cksum",
        "seq 200000 | memo -v cat | cksum",
        "seq 200000 | memo tr a b | memo cat | memo cksum",
    ] {
        for _ in 0..3 {
            assert_eq!(sandbox.ok(line), bare, "{line}");
        }
    }
    let ran = sandbox.run("seq 200000 | memo -v cksum");
    assert!(ran.is_hit(), "{}", ran.stderr);
    assert_eq!(sandbox.ok("seq 200001 | memo cksum"), sandbox.ok("seq 200001 | cksum"));
}

#[test]
fn what_was_read_ahead_reaches_the_command_when_the_disk_is_full() {
    let sandbox = Sandbox::new();
    // Much is read to its end once, so that the next time it is read ahead of.
    sandbox.ok("seq 100000 | memo cksum");
    let bare = sandbox.ok("seq 900000 | cksum");
    for _ in 0..2 {
        // No file may be larger than 2 MiB: the second one read ahead does not fit.
        let ran = sandbox.run("set -o pipefail; seq 900000 | { ulimit -f 2048; exec memo cksum; } | cat");
        assert_eq!((ran.code, ran.stdout), (0, bare.clone()), "{}", ran.stderr);
    }
}

#[test]
fn a_stream_that_gets_its_end_late_is_waited_for() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.ok("printf a | memo sh -c 'cat; puppet bump .'"), "a. #1\n");
    let go = sandbox.fifo("go");
    let line = "{ printf a; puppet waitfifo go; } | memo sh -c 'cat; puppet bump .'";
    let child = sandbox.start(line);
    // It opens once the producer is at its end, which comes only then.
    drop(File::options().write(true).open(go).unwrap());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "a. #1\n");
}

mod file {
    use super::*;

    /// Runs `memo -v COMMAND` on a file from an offset; returns the run and the offset afterwards.
    fn from_offset(sandbox: &Sandbox, command: &str, offset: u64) -> (Ran, u64) {
        let mut file = File::open(sandbox.path("f")).unwrap();
        file.seek(std::io::SeekFrom::Start(offset)).unwrap();
        let ran = Ran::of(sandbox.shell(format!("exec memo -v {command}")).stdin(file.try_clone().unwrap()));
        (ran, file.stream_position().unwrap())
    }

    #[test]
    fn a_hit_moves_the_offset_as_the_run_did() {
        let sandbox = Sandbox::new();
        sandbox.write("f", "one\ntwo\nthree\n");
        for (command, offset, out, after) in [
            ("puppet readline", 0, "one\n", 4),
            ("puppet readline", 4, "two\n", 8),
            ("puppet readall", 4, "two\nthree\n", 14),
            ("puppet read 2", 1, "ne", 3),
            ("puppet print x", 5, "x\n", 5),
        ] {
            let (ran, at) = from_offset(&sandbox, command, offset);
            assert_eq!((ran.stdout.as_str(), at, ran.is_hit()), (out, after, false), "{command}");
            let (ran, at) = from_offset(&sandbox, command, offset);
            assert_eq!((ran.stdout.as_str(), at, ran.is_hit()), (out, after, true), "{command}");
        }
    }

    #[test]
    fn commands_that_share_it_go_on_where_the_one_before_stopped() {
        let sandbox = Sandbox::new();
        sandbox.write("f", "one\ntwo\nthree\n");
        for _ in 0..2 {
            let line = "{ read a; memo puppet readline; cat; } <f";
            assert_eq!(sandbox.ok(line), "two\nthree\n");
        }
    }

    #[test]
    fn one_that_the_command_writes_to_is_not_recorded() {
        let sandbox = world(EARLY);
        sandbox.write("f", "one\n");
        let line = "memo -v sh -c './bump; read x; echo more >&0' <>f";
        is_not_recorded(&sandbox, line, "input-changed-meanwhile: `/dev/stdin`");
    }

    #[test]
    fn one_that_is_open_for_writing_alone_is_not_recorded() {
        let sandbox = world(EARLY);
        is_not_recorded(&sandbox, "memo -v ./bump 0>>f", "stdin: it is not open for reading");
    }
}

#[test]
fn a_named_fifo_is_a_pipe() {
    let sandbox = Sandbox::new();
    sandbox.fifo("p");
    for _ in 0..3 {
        let out = sandbox.ok("printf 'a\\nb\\n' >p & exec memo sh -c 'cat; puppet bump .' <p");
        assert_eq!(out, "a\nb\n. #1\n");
    }
    assert_eq!(sandbox.ok("printf 'c\\n' >p & exec memo sh -c 'cat; puppet bump .' <p"), "c\n. #2\n");
}

#[test]
fn a_device_is_read_and_not_recorded() {
    let sandbox = world(EARLY);
    let line = "memo -v sh -c './bump; head -c 3 | od -An -tx1' </dev/zero";
    is_not_recorded(&sandbox, line, "stdin: it is a device");
    assert!(sandbox.ok(line).ends_with(" 00 00 00\n"));
}

#[test]
fn without_stdin_it_is_neither_given_nor_touched() {
    let sandbox = Sandbox::new();
    for option in ["-n", "--stdin none"] {
        let line = format!("memo {option} puppet readline");
        for _ in 0..2 {
            let (out, rest) = run_on(&sandbox, &line, Stream::open(Kind::Pipe, b"a\n"));
            assert_eq!((out.as_str(), rest.as_str()), ("[end]\n", "a\n"), "{line}");
        }
    }
}

#[test]
fn a_part_that_was_taken_is_not_recorded() {
    let sandbox = Sandbox::new();
    for n in 1..=2 {
        let line = "memo -v sh -c 'puppet readline , bump .'";
        let output =
            sandbox.shell(line).stdin(Stream::ended(Kind::Pipe, b"a\nb\n").stdin()).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("a\n. #{n}\n"));
    }
}

#[test]
fn a_stream_without_blocking_is_waited_for() {
    // O_NONBLOCK is set by whoever has the other end, or by a terminal's program.
    let sandbox = Sandbox::new();
    let line = "memo cat";
    for round in 0..2 {
        let (reader, mut writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        writer.write_all(b"a\n").unwrap();
        drop(writer);
        let mut child = sandbox.shell(line).stdin(reader).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        assert_eq!(out, "a\n", "round {round}");
        child.wait().unwrap();
    }
}
