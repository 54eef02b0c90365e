//! A hit gives back what the run gave, to whoever takes it, in which order ever.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use crate::outside::{eventually, patient};
use crate::sandbox::{Ran, Sandbox};

/// More than two pipes hold.
const MUCH: usize = 3 << 20;

/// Checks that a shell line that redirects `$CMD` leaves the same behind without memo, on a miss and on
/// two hits: its stdout and status, and the file `out`.
#[track_caller]
fn check_redirected(line: &str, command: &str) {
    let sandbox = Sandbox::new();
    let run = |prefix: &str| {
        let _ = fs::remove_file(sandbox.path("out"));
        let ran = sandbox.run(line.replace("$CMD", &format!("{prefix}{command}")));
        (ran.code, ran.stdout, fs::read_to_string(sandbox.path("out")).ok())
    };
    let bare = run("");
    for round in 0..3 {
        assert_eq!(run("memo "), bare, "`{line}`, round {round}");
    }
}

const BOTH: &str = "puppet print o1 , eprint e1 , print o2 , print o3 , eprint e2 , eprint e3 , print o4";

#[test]
fn streams_that_are_one_keep_their_order() {
    for line in [
        "$CMD 2>&1 | cat",
        "$CMD >out 2>&1",
        "$CMD >>out 2>&1",
        ": >out; $CMD >>out 2>>out",
        "exec 3>&1; { $CMD 2>&1; } | cat >&3",
        "{ echo before; $CMD; echo after; } >out 2>&1",
    ] {
        check_redirected(line, BOTH);
        check_redirected(line, "puppet fill 200000 , efill 100000 , fill 70000 , eprint e , exit 3");
    }
}

#[test]
fn streams_that_are_two_each_get_their_own() {
    for line in
        ["$CMD 2>out", "$CMD 2>out | cat", "$CMD >out 2>/dev/null", "$CMD >/dev/null 2>out", "$CMD 2>&1 >out"]
    {
        check_redirected(line, BOTH);
        check_redirected(line, "puppet fill 200000 , efill 300000 , fill 5 , exit 3");
    }
}

#[test]
fn a_closed_stream_is_closed_for_the_command() {
    let shows =
        "sh -c 's=; for n in 0 1 2; do [ -e /proc/$$/fd/$n ] && s=$s$n; done; echo $s; echo $s >&2; exit N'";
    for line in
        ["$CMD >&- 2>out", "$CMD 2>&-", "$CMD <&-", "$CMD <&- 2>&-", "$CMD <&- >&- 2>out", "$CMD >&- 2>&-"]
    {
        for status in ["0", "3"] {
            check_redirected(&format!("{line}; echo $?"), &shows.replace('N', status));
        }
    }
}

#[test]
fn a_stream_that_was_closed_is_another_call() {
    let sandbox = Sandbox::new();
    sandbox.ok("memo sh -c 'puppet bump .; true'");
    sandbox.run("memo sh -c 'puppet bump .; true' >&-");
    assert_eq!(sandbox.runs(), 2);
}

#[test]
fn a_file_is_written_where_its_offset_is() {
    let sandbox = Sandbox::new();
    for round in 0..3 {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(sandbox.path("f"))
            .unwrap();
        file.write_all(b"0123456789").unwrap();
        file.seek(std::io::SeekFrom::Start(2)).unwrap();
        let status =
            sandbox.shell("memo puppet print abc").stdout(file.try_clone().unwrap()).status().unwrap();
        assert!(status.success());
        assert_eq!(
            (sandbox.read("f").as_str(), file.stream_position().unwrap()),
            ("01abc\n6789", 6),
            "{round}"
        );
    }
}

#[test]
fn a_full_device_is_told_and_no_success() {
    let sandbox = Sandbox::new();
    sandbox.ok("memo puppet fill 300000");
    for line in ["memo puppet print x >/dev/full", "memo puppet fill 300000 >/dev/full"] {
        for _ in 0..2 {
            let ran = sandbox.run(line);
            assert_eq!(ran.code, 125);
            assert_eq!(
                ran.stderr,
                "memo: error: cannot write the command's output: No space left on device\n"
            );
        }
    }
}

#[test]
fn each_reader_gets_its_stream_in_whichever_order_they_are_read() {
    let sandbox = Sandbox::new();
    let command = format!("memo puppet fill {MUCH} , efill {MUCH}");
    // Recorded with both read as they come.
    let whole = sandbox.shell(&command).output().unwrap();
    assert_eq!((whole.stdout.len(), whole.stderr.len()), (MUCH, MUCH));
    // Replayed with the one that was written last read first.
    let mut child =
        patient(&sandbox, &command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut out, mut err) = (vec![0; MUCH], vec![0; MUCH]);
    child.stderr.take().unwrap().read_exact(&mut err).unwrap();
    child.stdout.take().unwrap().read_exact(&mut out).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(out == whole.stdout && err == whole.stderr);
}

#[test]
fn a_miss_does_not_hold_one_stream_up_for_the_other() {
    // As without memo: each has a writer of its own.
    let sandbox = Sandbox::new();
    let line = format!("exec memo sh -c 'puppet fill {MUCH} & puppet efill {MUCH}; wait'");
    for _ in 0..2 {
        for stderr_first in [true, false] {
            let mut child =
                patient(&sandbox, &line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
            let mut bytes = vec![0; MUCH];
            if stderr_first {
                err.read_exact(&mut bytes).unwrap();
                out.read_exact(&mut bytes).unwrap();
            } else {
                out.read_exact(&mut bytes).unwrap();
                err.read_exact(&mut bytes).unwrap();
            }
            drop((out, err));
            assert!(child.wait().unwrap().success());
        }
    }
}

#[test]
fn a_pipe_without_blocking_gets_everything_and_stays_so() {
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        let (mut reader, writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let mut command = sandbox.shell("memo puppet fill 1000000");
        let mut child = command.stdout(writer.try_clone().unwrap()).spawn().unwrap();
        drop(command);
        let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
        drop(writer);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 1_000_000);
        assert!(flags.contains(rustix::fs::OFlags::NONBLOCK));
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_socket_is_as_good_as_a_pipe() {
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut command = sandbox.shell("memo puppet fill 1000000 , exit 0");
        let mut child = command.stdout(std::os::fd::OwnedFd::from(theirs)).spawn().unwrap();
        drop(command);
        let mut bytes = Vec::new();
        ours.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 1_000_000);
        assert!(child.wait().unwrap().success());
    }
}

mod reader_gone {
    use super::*;

    /// Returns the statuses of a pipeline.
    fn statuses(sandbox: &Sandbox, pipeline: &str) -> String {
        sandbox.ok(&format!("{pipeline}; echo ${{PIPESTATUS[*]}}")).lines().last().unwrap().to_owned()
    }

    #[test]
    fn the_command_is_told_as_without_memo() {
        let sandbox = Sandbox::new();
        for (command, status) in [
            ("yes", "141 0"),
            ("seq 1000000", "141 0"),
            // Only seq is told; the shell around it goes on.
            ("sh -c 'seq 1000000; echo end >>out'", "0 0"),
            ("sh -c 'seq 1000000; exit 4'", "4 0"),
            ("sh -c 'trap \"\" PIPE; seq 1000000 2>/dev/null; echo $? >>out; exit 5'", "5 0"),
        ] {
            assert_eq!(statuses(&sandbox, &format!("{command} | head -1")), status, "{command}");
            for _ in 0..2 {
                assert_eq!(statuses(&sandbox, &format!("memo {command} | head -1")), status, "{command}");
            }
        }
        assert_eq!(sandbox.manifests(), 0);
    }

    #[test]
    fn a_hit_ends_as_the_command_would() {
        let sandbox = Sandbox::new();
        sandbox.ok("memo seq 1000000 | tail -1");
        assert_eq!(statuses(&sandbox, "memo seq 1000000 | head -1"), "141 0");
        // Where SIGPIPE is ignored memo has nothing to say.
        let ran = sandbox.run("trap '' PIPE; memo seq 1000000 | head -1; exit ${PIPESTATUS[0]}");
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "1\n", ""));
    }

    #[test]
    fn memo_sleeps_while_a_command_has_nothing_for_a_socket_that_is_gone() {
        let sandbox = Sandbox::new();
        let (hold, started) = (sandbox.fifo("hold"), sandbox.fifo("started"));
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut command = sandbox.memo();
        command.args(["puppet", "tellfifo", "started", ",", "waitfifo", "hold", ",", "print", "x"]);
        let mut child = command.stdout(std::os::fd::OwnedFd::from(theirs)).spawn().unwrap();
        drop((command, ours));
        drop(File::open(started).unwrap());
        let stat = format!("/proc/{}/stat", child.id());
        eventually("memo sleeps", || fs::read_to_string(&stat).unwrap().contains(") S "));
        drop(File::options().write(true).open(hold).unwrap());
        assert!(!child.wait().unwrap().success());
    }
}

#[test]
fn memory_does_not_grow_with_what_passes() {
    // 100 MB in and 100 MB out with 24 MiB of address space beyond what the program itself takes.
    let sandbox = Sandbox::new();
    let limited = "ulimit -v 65536; exec memo";
    for _ in 0..2 {
        let ran = sandbox.run(format!(
            "set -o pipefail; head -c 100000000 /dev/zero | ({limited} cat) | ({limited} wc -c)"
        ));
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "100000000\n", ""));
    }
}

#[test]
fn what_somebody_left_behind_keeps_writing() {
    let sandbox = Sandbox::new();
    for round in 1..=2 {
        let go = sandbox.fifo(&format!("go{round}"));
        let line =
            format!("exec memo -v sh -c 'puppet bump .; (puppet waitfifo go{round} , print late) & exit 4'");
        let mut child = sandbox.start(&line);
        // memo leaves as the command does, and the pipe stays open as it does.
        assert_eq!(child.wait().unwrap().code(), Some(4));
        drop(File::options().write(true).open(go).unwrap());
        let ran = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(ran.stdout).unwrap(), format!(". #{round}\nlate\n"));
        let ran = Ran { code: 4, stdout: String::new(), stderr: String::from_utf8(ran.stderr).unwrap() };
        assert_eq!(ran.unrecorded(), Some("pipe-held"));
    }
}
