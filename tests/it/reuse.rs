//! When what was recorded may be used again, and what memo says of it.

use snapbox::{assert_data_eq, str};

use crate::check::{hits, in_both_worlds, is_not_recorded, runs_once, world};
use crate::sandbox::{EARLY, Ran, Sandbox};

/// Runs a line at a time in seconds since 1970.
fn at(sandbox: &Sandbox, now: &str, line: &str) -> Ran {
    sandbox.run(format!("export MEMO_TEST_NOW={now}; {line}"))
}

/// The numbers of the runs whose output the calls print, each at its time.
#[track_caller]
fn check_runs(calls: &[(&str, &str)], expected: &str) {
    let sandbox = world(EARLY);
    let printed: Vec<String> = calls
        .iter()
        .map(|(now, line)| {
            let ran = at(&sandbox, now, line);
            assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
            ran.stdout.split_whitespace().last().unwrap_or_default().to_owned()
        })
        .collect();
    assert_eq!(printed.join(" "), expected);
}

mod ttl {
    use super::*;

    #[test]
    fn at_exactly_ttl_it_is_expired() {
        // B11
        let line = "memo --ttl 1d ./bump a";
        check_runs(&[("0", line), ("43200", line), ("86400", line)], "#1 #1 #2");
        check_runs(
            &[("0", line), ("86399.999999999", line), ("86400", line), ("172799", line)],
            "#1 #1 #2 #2",
        );
    }

    #[test]
    fn it_is_counted_from_when_it_was_recorded_not_from_when_it_was_used() {
        let line = "memo --ttl 10 ./bump a";
        check_runs(&[("0", line), ("6", line), ("9", line), ("12", line)], "#1 #1 #1 #2");
    }

    #[test]
    fn all_forms_are_read() {
        for (form, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("1d12h", 129_600),
            ("1 day 23hr 45minutes", 171_900),
            ("1.5d23.5h", 214_200),
            ("2 weeks", 1_209_600),
        ] {
            let line = format!("memo --ttl '{form}' ./bump a");
            let (before, then) = (format!("{}", seconds - 1), format!("{seconds}"));
            check_runs(&[("0", &line), (&before, &line), (&then, &line)], "#1 #1 #2");
        }
        let half = "memo --ttl 1500ms ./bump a";
        check_runs(&[("0", half), ("1.499", half), ("1.5", half)], "#1 #1 #2");
    }

    #[test]
    fn both_who_records_and_who_reads_have_a_say() {
        let (none, short, long) = ("memo ./bump a", "memo --ttl 10 ./bump a", "memo --ttl 100 ./bump a");
        check_runs(&[("0", none), ("9", short), ("10", short)], "#1 #1 #2");
        check_runs(&[("0", short), ("9", none), ("10", none)], "#1 #1 #2");
        check_runs(&[("0", short), ("10", long)], "#1 #2");
        check_runs(&[("0", long), ("10", short), ("10", none)], "#1 #2 #2");
    }

    #[test]
    fn what_was_recorded_in_the_future_is_expired() {
        check_runs(&[("100", "memo ./bump a"), ("99", "memo ./bump a"), ("99", "memo ./bump a")], "#1 #2 #2");
        check_runs(&[("100", "memo ./bump a"), ("100", "memo --ttl 1ms ./bump a")], "#1 #1");
    }

    #[test]
    fn the_variable_sets_it_and_the_option_wins() {
        let variable = "MEMO_TTL=10 memo ./bump a";
        check_runs(&[("0", variable), ("9", variable), ("10", variable)], "#1 #1 #2");
        check_runs(&[("0", "memo ./bump a"), ("50", "MEMO_TTL=10 memo --ttl 1h ./bump a")], "#1 #1");
        check_runs(&[("0", "memo ./bump a"), ("50", "MEMO_TTL=none memo ./bump a")], "#1 #1");
    }

    #[test]
    fn what_is_no_duration_is_an_error() {
        let sandbox = Sandbox::new();
        let session = sandbox.steps(&[
            "memo --ttl 0 puppet bump a",
            "memo --ttl 0s puppet bump a",
            "memo --ttl soon puppet bump a",
            "memo --ttl -3 puppet bump a",
            "memo --ttl '' puppet bump a",
            "memo --ttl 99999999999999999999d puppet bump a",
            "memo --ttl",
            "MEMO_TTL=soon memo puppet bump a",
        ]);
        assert_eq!(sandbox.runs(), 1, "a variable never stops a command");
        assert_data_eq!(
            session,
            str![[r#"
$ memo --ttl 0 puppet bump a
memo: error: `--ttl 0` would keep nothing; the command was not run
memo:   hint: `MEMO_MODE=off` runs without the store, `--refresh` runs again and keeps the result
[exit 125]
$ memo --ttl 0s puppet bump a
memo: error: `--ttl 0s` would keep nothing; the command was not run
memo:   hint: `MEMO_MODE=off` runs without the store, `--refresh` runs again and keeps the result
[exit 125]
$ memo --ttl soon puppet bump a
memo: error: `--ttl soon`: invalid duration `soon`; the command was not run
memo:   hint: examples: 90, 90s, 15m, 1d12h
[exit 125]
$ memo --ttl -3 puppet bump a
memo: error: memo has no option `-3`; the command was not run
memo:   hint: options of memo stand before the command; see `memo --help`
[exit 125]
$ memo --ttl '' puppet bump a
memo: error: `--ttl `: invalid duration ``; the command was not run
memo:   hint: examples: 90, 90s, 15m, 1d12h
[exit 125]
$ memo --ttl 99999999999999999999d puppet bump a
memo: error: `--ttl 99999999999999999999d`: duration `99999999999999999999d` is too long; the command was not run
memo:   hint: examples: 90, 90s, 15m, 1d12h
[exit 125]
$ memo --ttl
memo: error: `--ttl` needs a value; the command was not run
[exit 125]
$ MEMO_TTL=soon memo puppet bump a
memo: warning: MEMO_TTL: invalid duration `soon`
memo:   hint: examples: 90, 90s, 15m, 1d12h
a #1

"#]]
        );
    }
}

mod refresh {
    use super::*;

    #[test]
    fn it_runs_and_replaces() {
        // I17, I26
        in_both_worlds(|sandbox| {
            assert_eq!(sandbox.ok("memo ./bump a"), "a #1\n");
            assert_eq!(sandbox.ok("memo --refresh ./bump a"), "a #2\n");
            assert_eq!(sandbox.ok("memo ./bump a"), "a #2\n");
            assert_eq!(sandbox.ok("MEMO_MODE=refresh memo ./bump a"), "a #3\n");
            assert_eq!(sandbox.ok("memo ./bump a"), "a #3\n");
        });
    }

    #[test]
    fn a_run_that_fails_leaves_what_was_recorded() {
        let sandbox = Sandbox::new();
        let line = "sh -c 'echo . >>$RUNS; test ! -e /tmp/memo-never; cat $HOME/x; test ! -e $HOME/bad'";
        sandbox.ok("echo good >~/x");
        assert_eq!(sandbox.ok(&format!("memo {line}")), "good\n");
        sandbox.ok("echo bad >~/x; touch ~/bad");
        let ran = sandbox.run(format!("memo --refresh {line}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, "bad\n"));
        assert_eq!(sandbox.ok(&format!("memo {line}")), "good\n");
    }

    #[test]
    fn it_reads_a_pipe_as_any_run_does() {
        let sandbox = world(EARLY);
        let line = |options: &str| format!("echo in | memo {options} sh -c './bump; cat'");
        for (options, expected) in [("", " #1\nin\n"), ("--refresh", " #2\nin\n"), ("", " #2\nin\n")] {
            assert_eq!(sandbox.ok(&line(options)), expected);
        }
    }
}

mod only_cached {
    use super::*;

    #[test]
    fn nothing_runs_that_is_not_there() {
        // I22
        let sandbox = Sandbox::new();
        sandbox.write("f", "1\n");
        let session = sandbox.steps(&[
            "memo --only-cached puppet bump f",
            "memo puppet bump f",
            "memo --only-cached puppet bump f",
            "echo 2 >f; memo --only-cached puppet bump f",
            "memo --only-cached -i nope puppet bump a",
            "memo --only-cached --refresh puppet bump a",
            "MEMO_DIR=/dev/null/x memo --only-cached puppet bump a",
            "echo x | memo --only-cached puppet bump a",
        ]);
        assert_eq!(sandbox.runs(), 1);
        assert_data_eq!(
            session,
            str![[r#"
$ memo --only-cached puppet bump f
memo: error: not recorded yet (never-seen); the command was not run
memo:   hint: without `--only-cached` it is run
[exit 75]
$ memo puppet bump f
f #1
$ memo --only-cached puppet bump f
f #1
$ echo 2 >f; memo --only-cached puppet bump f
memo: error: not recorded yet (input-changed: `f`); the command was not run
memo:   hint: without `--only-cached` it is run
[exit 75]
$ memo --only-cached -i nope puppet bump a
memo: error: cannot hash input `nope`: No such file or directory; the command was not run
memo:   hint: fix the path; a glob, `-i 'DIR/*'`, may match nothing
[exit 125]
$ memo --only-cached --refresh puppet bump a
memo: error: `--only-cached` does not go with `--refresh`; the command was not run
[exit 125]
$ MEMO_DIR=/dev/null/x memo --only-cached puppet bump a
memo: warning: running without the store: `/dev/null` is not a directory
memo:   hint: point MEMO_DIR at a directory of your own
memo: error: not recorded yet (never-seen); the command was not run
memo:   hint: without `--only-cached` it is run
[exit 75]
$ echo x | memo --only-cached puppet bump a
memo: error: not recorded yet (never-seen); the command was not run
memo:   hint: without `--only-cached` it is run
[exit 75]

"#]]
        );
    }
}

mod exit_status {
    use super::*;

    #[test]
    fn a_failure_is_passed_on_and_not_recorded() {
        // H21, and row 7 of the peers' matrix
        let sandbox = world(EARLY);
        for code in [1, 3, 42, 75, 125, 126, 127, 128, 255] {
            let line = format!("memo -v sh -c './bump; exit {code}'");
            is_not_recorded(&sandbox, &line, &format!("exit-status: {code}"));
            assert_eq!(sandbox.run(&line).code, code);
        }
    }

    #[test]
    fn one_that_is_asked_for_is_recorded() {
        for kept in ["0,3", "3", "0-3", "1-2,3"] {
            let sandbox = world(EARLY);
            let line = format!("memo --cache-exit {kept} sh -c './bump; exit 3'");
            assert_eq!(runs_once(&sandbox, &line).code, 3);
        }
        let sandbox = world(EARLY);
        is_not_recorded(&sandbox, "memo -v --cache-exit 3 ./bump", "exit-status: 0");
        assert_eq!(runs_once(&sandbox, "MEMO_CACHE_EXIT=0,3 memo sh -c './bump; exit 3'").code, 3);
    }

    #[test]
    fn a_reader_who_would_not_have_kept_it_runs() {
        let sandbox = world(EARLY);
        let (keeps, plain) =
            ("memo -v --cache-exit 0,3 sh -c './bump; exit 3'", "memo -v sh -c './bump; exit 3'");
        runs_once(&sandbox, keeps);
        let ran = sandbox.run(plain);
        assert_eq!((ran.code, ran.missed()), (3, Some("other-options")));
        assert_eq!(ran.unrecorded(), Some("exit-status: 3"));
        assert_eq!(hits(&sandbox, keeps).stdout, " #1\n");
    }

    #[test]
    fn codes_that_are_none_are_an_error() {
        let sandbox = Sandbox::new();
        let session = sandbox.steps(&[
            "memo --cache-exit x puppet bump a",
            "memo --cache-exit 256 puppet bump a",
            "memo --cache-exit 3-1 puppet bump a",
            "memo --cache-exit '' puppet bump a",
        ]);
        assert_eq!(sandbox.runs(), 0);
        assert_data_eq!(
            session,
            str![[r#"
$ memo --cache-exit x puppet bump a
memo: error: `--cache-exit` does not take `x`: invalid exit codes `x`; the command was not run
[exit 125]
$ memo --cache-exit 256 puppet bump a
memo: error: `--cache-exit` does not take `256`: invalid exit codes `256`; the command was not run
[exit 125]
$ memo --cache-exit 3-1 puppet bump a
memo: error: `--cache-exit` does not take `3-1`: invalid exit codes `3-1`; the command was not run
[exit 125]
$ memo --cache-exit '' puppet bump a
memo: error: `--cache-exit` does not take ``: invalid exit codes ``; the command was not run
[exit 125]

"#]]
        );
    }
}

mod mode {
    use super::*;

    #[test]
    fn off_runs_the_command_and_nothing_else() {
        let sandbox = Sandbox::new();
        let session = sandbox.steps(&[
            "memo puppet bump a",
            "MEMO_MODE=off memo -v puppet bump a",
            "MEMO_MODE=off memo --key-cmd x='echo ran >~/ran' A=1 _B=2 puppet env A env _B",
            "MEMO_MODE=off memo --only-cached puppet bump a",
            "MEMO_MODE=off memo -n cat <<<x",
            "MEMO_MODE=off memo nosuch",
            "MEMO_MODE=off memo sh -c 'exit 7'",
            "ls ~",
            "MEMO_DIR=$HOME/none MEMO_MODE=off memo puppet bump a; ls ~/none",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo puppet bump a
a #1
$ MEMO_MODE=off memo -v puppet bump a
a #2
$ MEMO_MODE=off memo --key-cmd x='echo ran >~/ran' A=1 _B=2 puppet env A env _B
A=1
_B=2
$ MEMO_MODE=off memo --only-cached puppet bump a
a #3
$ MEMO_MODE=off memo -n cat <<<x
$ MEMO_MODE=off memo nosuch
memo: error: cannot run `nosuch`: no such command
memo:   hint: is it a shell builtin or a function? try `memo sh -c '...'`
[exit 127]
$ MEMO_MODE=off memo sh -c 'exit 7'
[exit 7]
$ ls ~
$ MEMO_DIR=$HOME/none MEMO_MODE=off memo puppet bump a; ls ~/none
a #4
ls: cannot access '$T/home/none': No such file or directory
[exit 2]

"#]]
        );
    }

    #[test]
    fn read_only_answers_and_records_nothing() {
        let sandbox = world(EARLY);
        let before = sandbox.manifests();
        is_not_recorded(&sandbox, "MEMO_MODE=read-only memo -v ./bump a", "read-only");
        assert_eq!(sandbox.manifests(), before);
        runs_once(&sandbox, "memo ./bump a");
        hits(&sandbox, "MEMO_MODE=read-only memo ./bump a");
        sandbox.run("MEMO_DIR=$HOME/none MEMO_MODE=read-only memo ./bump a");
        assert!(!sandbox.root().join("home/none").exists());
    }

    #[test]
    fn one_that_is_unknown_is_a_warning() {
        let session = Sandbox::new()
            .steps(&["MEMO_MODE=readonly memo puppet print a", "MEMO_MODE= memo puppet print a"]);
        assert_data_eq!(
            session,
            str![[r#"
$ MEMO_MODE=readonly memo puppet print a
memo: warning: MEMO_MODE: unknown mode `readonly`
memo:   hint: did you mean `read-only`?
a
$ MEMO_MODE= memo puppet print a
a

"#]]
        );
    }
}

mod talk {
    use super::*;

    #[test]
    fn each_reason_is_said() {
        let sandbox = world(EARLY);
        sandbox.write("f", "1\n");
        sandbox.write("d/f", "1\n");
        let session = sandbox.steps(&[
            "memo -v ./bump a f d new",
            "memo -v ./bump a f d new",
            "echo 2 >f; memo -v ./bump a f d new",
            "rm f; memo -v ./bump a f d new",
            "echo 2 >f; echo x >new; memo -v ./bump a f d new",
            "rm new; touch d/g; memo -v ./bump a f d new",
            "echo '# c' >>bump; memo -v ./bump a f d new",
            "memo -v --refresh ./bump a f d new",
            "MEMO_TEST_NOW=50000 memo -v --ttl 1 ./bump a f d new",
            "echo x | memo -v sh -c './bump; cat'",
            "echo y | memo -v sh -c './bump; cat'",
            "echo y | memo -v sh -c './bump; cat'",
        ]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo -v ./bump a f d new
memo: miss: never-seen
a f d new #1
$ memo -v ./bump a f d new
memo: hit: recorded [TIME] ago, [TIME] saved
a f d new #1
$ echo 2 >f; memo -v ./bump a f d new
memo: miss: input-changed: `f`
a f d new #2
$ rm f; memo -v ./bump a f d new
memo: miss: input-gone: `f`
a f d new #3
$ echo 2 >f; echo x >new; memo -v ./bump a f d new
memo: miss: input-appeared: `new`
a f d new #4
$ rm new; touch d/g; memo -v ./bump a f d new
memo: miss: tree-changed: `d`
a f d new #5
$ echo '# c' >>bump; memo -v ./bump a f d new
memo: miss: program: `./bump`
a f d new #6
$ memo -v --refresh ./bump a f d new
memo: miss: refresh
a f d new #7
$ MEMO_TEST_NOW=50000 memo -v --ttl 1 ./bump a f d new
memo: miss: expired
a f d new #8
$ echo x | memo -v sh -c './bump; cat'
memo: miss: never-seen
 #9
x
$ echo y | memo -v sh -c './bump; cat'
memo: miss: stdin: a pipe with other bytes
 #10
y
$ echo y | memo -v sh -c './bump; cat'
memo: hit: recorded [TIME] ago, [TIME] saved
 #10
y

"#]]
        );
    }

    #[test]
    fn memo_is_silent_where_stderr_is_no_terminal() {
        // configure scripts test for an empty stderr.
        let sandbox = world(EARLY);
        sandbox.write("f", "1\n");
        for line in [
            "memo ./bump a",
            "memo ./bump a",
            "memo sh -c 'echo 2 >>f' sh f",
            "memo sh -c 'exit 3'",
            "memo cat <(echo x)",
            "memo -o missing ./bump",
            "memo -i f -o f ./bump",
            "memo sh -c 'kill -9 $$'",
        ] {
            assert_eq!(sandbox.run(line).stderr, "", "{line}");
        }
    }

    #[test]
    fn a_terminal_hears_notes() {
        let sandbox = Sandbox::new();
        sandbox.write("f", "1\n");
        let typed = |line: &str| {
            // A stdin at its end makes script(1) leave before it has passed on everything.
            let (silent, _keyboard) = std::io::pipe().unwrap();
            let mut shell = sandbox.shell(format!("exec script -qec \"{line}\" /dev/null"));
            Ran::of(shell.stdin(silent)).stdout.replace("\r\n", "\n")
        };
        assert_data_eq!(
            typed("memo puppet append f 2"),
            str![[r#"
memo: note: not recorded: word-file-rewritten: `f`
memo:   hint: if it is an output, say so: `-o f`

"#]]
        );
        assert_eq!(typed("memo -q puppet append f 2"), "");
        assert_eq!(typed("memo puppet print a"), "a\n");
        assert_eq!(typed("memo puppet print a"), "a\n");
        assert_eq!(typed("memo puppet exit 0 , exit 3 || true"), "");
    }

    #[test]
    fn quiet_silences_memo_and_not_the_command() {
        // B14
        let sandbox = Sandbox::new();
        for _ in 0..2 {
            assert_eq!(sandbox.run("memo -q sh -c 'echo e >&2'").stderr, "e\n");
            assert_eq!(sandbox.run("MEMO_DIR=/dev/null/x memo -q sh -c 'echo e >&2'").stderr, "e\n");
        }
        assert_ne!(sandbox.run("memo -q -i nope true").stderr, "", "an error is said all the same");
    }

    #[test]
    fn nothing_is_added_to_a_failing_command() {
        // H31
        let sandbox = Sandbox::new();
        for _ in 0..2 {
            let ran = sandbox.run("memo sh -c 'echo boom >&2; exit 1'");
            assert_eq!((ran.code, ran.stderr.as_str()), (1, "boom\n"));
        }
    }

    #[test]
    fn verbose_and_quiet_do_not_go_together() {
        let session = Sandbox::new().steps(&["memo -v -q puppet print a"]);
        assert_data_eq!(
            session,
            str![[r#"
$ memo -v -q puppet print a
memo: error: `--verbose` does not go with `--quiet`; the command was not run
[exit 125]

"#]]
        );
    }
}
