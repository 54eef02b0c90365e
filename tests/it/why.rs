//! `memo why`: each reason is caused, and read from `why`, from `--json` and from `-v`; and asking changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use snapbox::{assert_data_eq, str};

use crate::check::world;
use crate::sandbox::{EARLY, LATE, Ran, Sandbox};

/// Returns the text of a field of a JSON line.
fn field(json: &str, name: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{name}\":"))?;
    let text = rest.strip_prefix('"')?;
    Some(text[..text.find('"')?].to_owned())
}

/// What differs, as `--json` has it: reasons with names.
fn differs(json: &str) -> String {
    let Some((_, list)) = json.split_once("\"differs\":[") else { return String::new() };
    let list = list.split("}]").next().unwrap();
    let one = |object: &str| {
        format!("{}/{}", field(object, "reason").unwrap(), field(object, "name").unwrap_or_default())
    };
    if list.starts_with(']') {
        return String::new();
    }
    list.split("},{").map(one).collect::<Vec<_>>().join(" ")
}

/// Prepares a world by `before`; then `line`, a call of `memo`, is to miss for this reason, as all three say.
#[track_caller]
fn check(sandbox: &Sandbox, before: &[&str], line: &str, reason: &str, apart: &str) {
    for step in before {
        sandbox.run(step);
    }
    let ask = |how: &str| sandbox.run(line.replacen("memo ", how, 1));
    let plain = ask("memo why ");
    let first = plain.stdout.lines().next().unwrap_or_default();
    let said = first.strip_prefix("would run: ").unwrap_or_else(|| panic!("{line}: {plain:?}"));
    assert_eq!((said.split(": ").next().unwrap(), plain.code), (reason, 1), "{line}: {plain:?}");
    let json = ask("memo why --json ");
    assert_eq!(field(&json.stdout, "reason").as_deref(), Some(reason), "{line}: {json:?}");
    assert_eq!((differs(&json.stdout).as_str(), json.code), (apart, 1), "{line}: {json:?}");
    let ran = ask("memo -v ");
    if reason != "mode-off" {
        let missed = ran.missed().unwrap_or_else(|| panic!("{line}: {ran:?}"));
        assert_eq!(missed, said, "{line}: `-v` and `memo why` say the same");
    }
}

/// The same in a world where all is hashed, and in one where stat identities are trusted.
#[track_caller]
fn check_both(before: &[&str], line: &str, reason: &str, apart: &str) {
    for now in [EARLY, LATE] {
        let sandbox = world(now);
        sandbox.write("a", "one\n");
        sandbox.write("d/x", "one\n");
        check(&sandbox, before, line, reason, apart);
    }
}

mod missed {
    use super::*;

    #[test]
    fn never_seen() {
        check_both(&[], "memo ./bump a", "never-seen", "");
        check_both(&["memo ./bump one other"], "memo ./bump something else", "never-seen", "");
    }

    #[test]
    fn words() {
        check_both(&["memo ./bump a x"], "memo ./bump a y", "words", "words/");
        check_both(&["memo ./bump a x"], "memo ./bump a", "words", "words/");
        check_both(&["memo ./bump a x", "memo ./bump b q"], "memo ./bump a z", "words", "words/");
    }

    #[test]
    fn assignment() {
        check_both(&["memo B=1 ./bump a"], "memo B=2 ./bump a", "assignment", "assignment/B");
        check_both(&["memo ./bump a"], "memo B=2 ./bump a", "assignment", "assignment/B");
        check_both(&["memo B=2 ./bump a"], "memo ./bump a", "assignment", "assignment/B");
    }

    #[test]
    fn cwd() {
        check_both(&["memo puppet print q"], "cd d; memo puppet print q", "cwd", "cwd/");
        check_both(
            &["ln -s d l", "cd d; memo puppet print q"],
            "cd l; memo puppet print q",
            "cwd",
            "cwd/PWD",
        );
    }

    #[test]
    fn env() {
        check_both(&["B=1 memo -e B ./bump a"], "B=2 memo -e B ./bump a", "env", "env/B");
        check_both(&["memo -e B ./bump a"], "B= memo -e B ./bump a", "env", "env/B");
        check_both(&["memo ./bump a"], "LANG=C memo ./bump a", "env", "env/LANG");
    }

    #[test]
    fn key_text() {
        check_both(&["memo -k 1 ./bump a"], "memo -k 2 ./bump a", "key-text", "key-text/");
        check_both(&["memo -k v=1 ./bump a"], "memo -k v=2 ./bump a", "key-text", "key-text/v");
    }

    #[test]
    fn key_cmd() {
        check_both(
            &["memo --key-cmd 'v=cat a' ./bump", "echo two >a"],
            "memo --key-cmd 'v=cat a' ./bump",
            "key-cmd",
            "key-cmd/v",
        );
    }

    #[test]
    fn stdin() {
        check_both(&["memo puppet readall <a"], "memo puppet readall", "stdin", "stdin/");
        check_both(&["memo puppet readall <a", "echo two >a"], "memo puppet readall <a", "stdin", "stdin/");
        check_both(&["memo puppet print x"], "memo puppet print x <&-", "stdin", "stdin/");
    }

    #[test]
    fn a_pipe_is_not_read_and_everything_else_is_as_it_was() {
        let sandbox = world(EARLY);
        sandbox.ok("echo one | memo puppet readall");
        let asked = sandbox.run("(echo one; echo two) | (memo why puppet readall; cat)");
        assert!(asked.stdout.starts_with("would run: stdin: it was not read\n"), "{asked:?}");
        assert!(asked.stdout.ends_with("\none\ntwo\n"), "nothing is taken: {asked:?}");
        let told = |text: &str| sandbox.run(format!("echo {text} | memo why --stdin auto puppet readall"));
        assert_eq!(told("one").code, 0);
        assert!(told("two").stdout.starts_with("would run: stdin: a pipe with other bytes\n"));
        // What takes nothing hits whatever the pipe has.
        sandbox.ok("echo one | memo puppet print x");
        assert_eq!(sandbox.run("echo two | memo why puppet print x").code, 0);
    }

    #[test]
    fn streams() {
        let sandbox = world(EARLY);
        sandbox.ok("memo puppet print q , eprint r >out 2>err");
        let said = "streams: stdout and stderr are one, were two";
        for (line, expected) in [
            ("memo why puppet print q , eprint r >out 2>&1", format!("would run: {said}\n")),
            ("memo why --json puppet print q , eprint r >out 2>&1", r#""reason":"streams""#.to_owned()),
            ("memo -v puppet print q , eprint r >out 2>&1", format!("memo: miss: {said}\n")),
        ] {
            sandbox.run(line);
            assert!(sandbox.read("out").contains(&expected), "{line}: {}", sandbox.read("out"));
        }
        sandbox.ok("memo puppet print s , eprint t >out 2>err");
        let asked = sandbox.run("memo why puppet print s , eprint t 2>&1 | cat");
        assert!(asked.stdout.contains("\n  hint: with `2>&1` their order"), "{asked:?}");
        // The other way round, and asked for as it was recorded.
        sandbox.ok("memo puppet print r , eprint t >out 2>&1");
        let asked = sandbox.run("memo why puppet print r , eprint t");
        assert!(asked.stdout.contains("\n  hint: it was recorded behind `2>&1`"), "{asked:?}");
        let asked = sandbox.run("memo why puppet print r , eprint t 2>&1 | cat");
        assert!(asked.stdout.starts_with("would hit: "), "{asked:?}");
        let asked = sandbox.run("memo why puppet print q , eprint r 2>&-");
        assert!(asked.stdout.starts_with("would run: streams: `stderr` is new\n"), "{asked:?}");
    }

    #[test]
    fn program() {
        check_both(
            &["memo puppet print x", "mkdir bin; ln -s \"$(command -v puppet)\" bin/puppet"],
            "PATH=$PWD/bin:$PATH; memo puppet print x",
            "program",
            "program/",
        );
        check_both(&["memo ./bump a", "echo '# x' >>bump"], "memo ./bump a", "program", "program/./bump");
    }

    #[test]
    fn inputs() {
        check_both(&["memo ./bump a", "echo two >a"], "memo ./bump a", "input-changed", "input-changed/a");
        check_both(
            &["memo -i d ./bump", "echo two >d/x"],
            "memo -i d ./bump",
            "input-changed",
            "input-changed/d/x",
        );
        check_both(&["memo ./bump a", "rm a"], "memo ./bump a", "input-gone", "input-gone/a");
        check_both(&["memo ./bump n", "echo two >n"], "memo ./bump n", "input-appeared", "input-appeared/n");
        check_both(&["memo ./bump d", "echo two >d/y"], "memo ./bump d", "tree-changed", "tree-changed/d");
        check_both(
            &["memo -i d ./bump", "echo two >d/y"],
            "memo -i d ./bump",
            "tree-changed",
            "tree-changed/d",
        );
    }

    /// As after a branch was switched back and a file was edited: not what the other branch has differs.
    #[test]
    fn what_changed_is_said_of_the_nearest_outcome_and_not_of_the_last_one() {
        let record = ["echo one >b", "memo ./bump b a", "echo two >b", "memo ./bump b a", "echo one >b"];
        check_both(
            &[&record[..], &["echo two >a"]].concat(),
            "memo ./bump b a",
            "input-changed",
            "input-changed/a",
        );
        // However many were recorded since.
        let many = "for i in $(seq 20); do echo $i >b; memo ./bump b a; done; echo one >b";
        check_both(
            &[&record[..], &[many, "echo two >a"]].concat(),
            "memo ./bump b a",
            "input-changed",
            "input-changed/a",
        );
        // Whatever order the files are compared in.
        let record = ["echo one >a", "memo ./bump a b", "echo two >a", "memo ./bump a b", "echo one >a"];
        check_both(
            &[&["echo one >b"], &record[..], &["echo two >b"]].concat(),
            "memo ./bump a b",
            "input-changed",
            "input-changed/b",
        );
        // And that is what the first line names.
        for (changed, call) in [("a", "./bump b a"), ("b", "./bump a b")] {
            let sandbox = world(EARLY);
            let switched = if changed == "a" { "b" } else { "a" };
            let to = |name: &str, text: &str| sandbox.write(name, text);
            to(changed, "one");
            for branch in ["one", "two"] {
                to(switched, branch);
                sandbox.ok(&format!("memo {call}"));
            }
            to(switched, "one");
            to(changed, "two");
            let expected = format!("input-changed: `{changed}`");
            let asked = sandbox.run(format!("memo why {call}"));
            assert!(asked.stdout.starts_with(&format!("would run: {expected}\n")), "{asked:?}");
            assert_eq!(sandbox.run(format!("memo -v {call}")).missed(), Some(expected.as_str()));
        }
        // Of two that are equally near it is the newer one.
        let sandbox = world(EARLY);
        sandbox.ok("export MEMO_TEST_NOW=1; echo 1 >a; echo 1 >b; memo ./bump b a");
        sandbox.ok("export MEMO_TEST_NOW=2; echo 2 >a; echo 2 >b; memo ./bump b a");
        check(&sandbox, &["echo 1 >b"], "memo ./bump b a", "input-changed", "input-changed/b");
    }

    /// `why` does not make the check, so it cannot know.
    #[test]
    fn a_check_that_fails() {
        let sandbox = world(EARLY);
        sandbox.ok("memo ./bump a");
        let asked = sandbox.run("memo why --check false ./bump a");
        assert!(asked.stdout.starts_with("would hit: "), "{asked:?}");
        assert!(asked.stdout.contains("\nif `--check` agrees, which was not run\n"), "{asked:?}");
        let asked = sandbox.run("memo why --json --check false ./bump a");
        assert!(asked.stdout.contains(r#""hit":true,"reason":null,"#), "{asked:?}");
        assert!(asked.stdout.contains(r#""unchecked":true,"#), "{asked:?}");
        let ran = sandbox.run("memo -v --check false ./bump a");
        let missed = ran.missed().unwrap();
        assert_eq!(missed.split(": ").next(), Some("check-failed"), "{ran:?}");
        let counted = sandbox.ok("memo stats --json");
        assert!(counted.contains("check-failed"), "{counted}");
    }

    #[test]
    fn age_and_options() {
        check_both(
            &["MEMO_TEST_NOW=1 memo ./bump a"],
            "MEMO_TEST_NOW=11 memo --ttl 10 ./bump a",
            "expired",
            "",
        );
        check_both(
            &["memo --cache-exit 3 puppet exit 3"],
            "memo --cache-exit 0 puppet exit 3",
            "other-options",
            "",
        );
        check_both(&["memo ./bump a"], "memo --no-auto ./bump a", "other-options", "other-options/--no-auto");
        check_both(&["memo ./bump a"], "memo -i d ./bump a", "other-options", "other-options/-i");
        check_both(&["memo ./bump a"], "memo -o out ./bump a", "other-options", "other-options/-o");
        check_both(&["memo ./bump a"], "memo --refresh ./bump a", "refresh", "");
        check_both(&["memo ./bump a"], "export MEMO_MODE=off; memo ./bump a", "mode-off", "");
    }

    #[test]
    fn damaged() {
        let spoil = "for f in $(find $MEMO_DIR/manifests -type f ! -name .lock); do echo >>$f; done";
        let sandbox = world(EARLY);
        check(&sandbox, &["memo ./bump a", spoil], "memo ./bump a", "damaged", "");
        let spoil = "for f in $(find $MEMO_DIR/blobs -type f); do chmod u+w $f; echo >>$f; done";
        let sandbox = world(EARLY);
        check(&sandbox, &["memo puppet fill 50000", spoil], "memo puppet fill 50000", "damaged", "");
    }

    #[test]
    fn an_output_in_the_way() {
        let sandbox = world(EARLY);
        let run = "memo -o out sh -c 'mkdir out; echo x >out/a'";
        check(&sandbox, &[run, "rm -r out; mkdir -p out/a"], run, "output-in-the-way", "");
    }

    #[test]
    fn of_two_entries_the_one_with_fewer_differences_is_the_nearest() {
        let sandbox = world(EARLY);
        sandbox.ok("export MEMO_TEST_NOW=1; A=1 B=1 memo -e A -e B ./bump x");
        sandbox.ok("A=2 B=2 memo -e A -e B ./bump x");
        let asked = sandbox.run("A=1 B=2 C=3 memo why --json -e A -e B -e C ./bump x");
        assert_eq!(differs(&asked.stdout), "env/A env/C", "the newer of those that are equal");
        let asked = sandbox.run("A=1 B=1 memo why --json -e A -e B -k t ./bump x");
        assert_eq!(differs(&asked.stdout), "key-text/");
        // Whether or not the journal was folded into the index.
        sandbox.ok("memo ls");
        let again = sandbox.run("A=1 B=1 memo why --json -e A -e B -k t ./bump x");
        assert_eq!(differs(&again.stdout), "key-text/");
    }
}

/// Runs a line that is not recorded, and reads that from `-v` and, afterwards, from `memo why`.
#[track_caller]
fn check_refused(sandbox: &Sandbox, line: &str, reason: &str, about: &str) {
    let ran = sandbox.run(line.replacen("memo ", "memo -v ", 1));
    assert_eq!(
        ran.unrecorded().map(|said| said.split(": ").next().unwrap()),
        Some(reason),
        "{line}: {ran:?}"
    );
    let call = line.replacen("memo ", "memo why ", 1);
    for fold in ["", "memo ls >/dev/null;"] {
        let asked = sandbox.run(format!("{fold} {call}"));
        let expected = format!("not recorded: {reason}{}{about}\n", if about.is_empty() { "" } else { ": " });
        assert!(asked.stdout.contains(&expected) || !asked.stdout.contains("last run"), "{line}: {asked:?}");
        let json = sandbox.run(line.replacen("memo ", "memo why --json ", 1));
        let (_, last) = json.stdout.split_once("\"last_run\":").unwrap_or_else(|| panic!("{line}: {json:?}"));
        assert_eq!(field(last, "unrecorded").as_deref(), Some(reason), "{line}: {json:?}");
        assert_eq!(field(last, "about").as_deref(), Some(about), "{line}: {json:?}");
    }
}

mod unrecorded {
    use super::*;

    #[test]
    fn by_what_the_run_did() {
        let sandbox = world(EARLY);
        sandbox.write("in", "1\n");
        for (line, reason, about) in [
            ("memo puppet exit 3", "exit-status", "3"),
            ("memo --cache-exit 3 puppet exit 0", "exit-status", "0"),
            ("memo puppet signal 9", "signal", "9"),
            ("memo -i in sh -c 'echo x >>in'", "input-changed-meanwhile", "in"),
            ("memo puppet append in x", "word-file-rewritten", "in"),
            ("memo -o out puppet print x", "output-missing", "out"),
            ("memo --strict -o out sh -c 'echo >out; echo >more'", "undeclared-output", "more"),
            ("memo -o made sh -c 'mkfifo made'", "output-special", "made"),
            ("memo --depfile d puppet print x", "depfile", "d"),
        ] {
            check_refused(&sandbox, line, reason, about);
        }
    }

    #[test]
    fn by_what_is_there_before() {
        let sandbox = world(EARLY);
        sandbox.write("in", "1\n");
        sandbox.fifo("fifo");
        sandbox.ok("mkdir big; cd big; seq 10001 | xargs touch");
        for (line, reason, about) in [
            ("memo ls fifo", "special-word", "fifo"),
            ("memo ls -d big", "tree-too-large", "big"),
            ("memo -i in -o in puppet print x", "output-is-input", "in"),
            ("MEMO_MODE=read-only memo puppet print x", "read-only", ""),
        ] {
            check_refused(&sandbox, line, reason, about);
            let asked = sandbox.run(line.replacen("memo ", "memo why --json ", 1));
            assert_eq!(field(&asked.stdout, "unrecorded").as_deref(), Some(reason), "{line}: {asked:?}");
        }
    }

    #[test]
    fn by_the_pipes_around_it() {
        let sandbox = world(EARLY);
        let last = |line: &str| {
            let asked = sandbox.run(line.replacen("memo ", "memo why --json ", 1));
            let (_, last) = asked.stdout.split_once("\"last_run\":").unwrap_or_else(|| panic!("{asked:?}"));
            field(last, "unrecorded").unwrap()
        };
        sandbox.run("memo puppet fill 300000 , fill 300000 | head -c 1");
        assert_eq!(last("memo puppet fill 300000 , fill 300000"), "reader-gone");
        sandbox.run("(echo a; echo b) | memo puppet readline");
        assert_eq!(last("memo puppet readline"), "stdin");
        sandbox.run("MEMO_MAX_ENTRY=10K memo puppet fill 40000");
        assert_eq!(last("memo puppet fill 40000"), "too-large");
        sandbox.run("script -qec 'memo sh -c \"read x\"' /dev/null <<<hello");
        assert_eq!(last("memo sh -c 'read x'"), "interactive");
    }

    #[test]
    fn a_process_that_stays_behind() {
        let mut sandbox = world(EARLY);
        let stay = sandbox.fifo("stay").display().to_string();
        sandbox.set("STAY", stay);
        let line = "memo sh -c 'puppet spawn-holder $STAY'";
        let mut child = sandbox.start(line);
        child.wait().unwrap();
        sandbox.ok("echo >stay");
        let asked = sandbox.run(line.replacen("memo", "memo why --json", 1));
        assert!(asked.stdout.contains("\"last_run\":{\"unrecorded\":\"pipe-held\""), "{asked:?}");
    }

    #[test]
    fn a_call_inside_itself() {
        let sandbox = world(EARLY);
        sandbox.script("again", "#!/bin/sh\n[ -n \"$INSIDE\" ] || INSIDE=1 memo -v ./again\nexit 3\n");
        let at = |now: u64, line: &str| sandbox.run(format!("export MEMO_TEST_NOW={now}; {line}"));
        let ran = at(10, "memo ./again");
        assert!(ran.stderr.contains("memo: not recorded: same-key\n"), "{ran:?}");
        // The run around it ended after it.
        let asked = at(20, "memo why ./again");
        assert!(asked.stdout.contains("not recorded: exit-status: 3\n"), "{asked:?}");
        let inner = at(
            30,
            "MEMO_HELD=$(memo why --json ./again | sed 's/.*\"action\":\"\\([0-9a-f]*\\)\".*/\\1/') memo -v ./again",
        );
        assert!(inner.stderr.contains("memo: not recorded: same-key\n"), "{inner:?}");
        let asked = at(40, "memo why ./again");
        assert!(asked.stdout.contains("not recorded: same-key\n"), "{asked:?}");
    }

    #[test]
    fn by_what_it_is() {
        let sandbox = world(EARLY);
        sandbox.script("make", "#!/bin/sh\necho made\n");
        sandbox.ok("memo puppet print x");
        check_refused(&sandbox, "memo ./make", "build-driver", "make");
        let asked = sandbox.run("memo why ./make");
        assert!(asked.stdout.starts_with("would run: build-driver: `make`\n"), "{asked:?}");
        assert!(asked.stdout.contains("`-i src`"), "with what can be done about it: {asked:?}");
        sandbox.write("memo.toml", "[[rule]]\nmatch = \"puppet\"\ninput = [\"nosuch\"]\n");
        let ran = sandbox.run("memo -v puppet print x");
        assert!(ran.stderr.contains("not recorded"), "{ran:?}");
        let asked = sandbox.run("memo why --json puppet print x");
        assert_eq!(field(&asked.stdout, "unrecorded").as_deref(), Some("unkeyed"), "{asked:?}");
        let (_, last) = asked.stdout.split_once("\"last_run\":").unwrap_or_else(|| panic!("{asked:?}"));
        assert_eq!(field(last, "unrecorded").as_deref(), Some("unkeyed"), "{asked:?}");
        let asked = sandbox.run("memo why puppet print x");
        assert!(asked.stdout.contains("last run, 0s ago: not recorded: unkeyed"), "{asked:?}");
        let asked = sandbox.run("MEMO_DIR=/dev/null/x memo why --json /bin/true");
        assert_eq!(field(&asked.stdout, "unrecorded").as_deref(), Some("store"), "{asked:?}");
    }

    #[test]
    fn a_run_that_is_recorded_ends_it() {
        let sandbox = world(EARLY);
        sandbox.write("in", "1\n");
        let at = |now: u64, line: &str| sandbox.run(format!("export MEMO_TEST_NOW={now}; {line}"));
        at(10, "memo sh -c 'exit $(cat in)'");
        let asked = at(30, "memo why sh -c 'exit $(cat in)'");
        assert!(asked.stdout.contains("last run, 20s ago: not recorded: exit-status: 1\n"), "{asked:?}");
        sandbox.write("in", "0\n");
        at(40, "memo sh -c 'exit $(cat in)'");
        let asked = at(50, "memo why -k x sh -c 'exit $(cat in)'");
        assert!(!asked.stdout.contains("not recorded"), "{asked:?}");
    }
}

/// What a file is, as far as a change would show.
#[derive(PartialEq)]
struct Looked {
    inode: u64,
    mode: u32,
    /// Of modification and of change, in s and ns.
    times: [i64; 4],
    content: Vec<u8>,
}

/// Returns all files below a directory.
fn everything(directory: &Path) -> BTreeMap<PathBuf, Looked> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
        found.insert(path, Looked { inode: metadata.ino(), mode: metadata.mode(), times, content });
    }
    found
}

#[test]
fn asking_changes_nothing() {
    for fold in [false, true] {
        let sandbox = world(EARLY);
        sandbox.write("a", "one\n");
        sandbox.write("d/x", "one\n");
        sandbox.ok(
            "memo ./bump a; memo ./bump a; memo -o out puppet write out x; memo puppet fill 50000 >/dev/null",
        );
        sandbox.run("memo puppet exit 3; echo one | memo puppet readall; B=1 memo -e B ./bump a d");
        sandbox.ok("rm out; echo more >>d/x");
        if fold {
            sandbox.ok("memo ls; memo puppet print after");
        }
        let before = everything(sandbox.root());
        for line in [
            "memo why ./bump a",
            "memo why --json ./bump b",
            "memo why -v -o out puppet write out x",
            "memo why puppet fill 50000",
            "memo why puppet exit 3",
            "echo one | memo why puppet readall",
            "echo one | memo why --stdin auto puppet readall",
            "memo why puppet readall <a",
            "B=2 memo why -e B ./bump a d",
            "memo why --refresh ./bump a",
            "memo why -o new puppet write new x",
            "memo why --check 'touch checked' ./bump a",
            "memo why --stale 1s ./bump a",
            "memo why -i nosuch true",
            "memo why make",
        ] {
            let asked = sandbox.run(line);
            assert!(asked.code <= 2, "{line}: {asked:?}");
            assert!(everything(sandbox.root()) == before, "{line} changed something");
        }
    }
    // Where no store is none is made.
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run("memo why true").stdout, "would run: never-seen\n");
    assert!(!sandbox.store().exists());
}

#[test]
fn no_value_is_stored_or_said() {
    let sandbox = world(EARLY);
    let calls = [
        "S=s3cret-1 memo -e S -k t=s3cret-2 -k s3cret-3 --key-cmd 'c=echo s3cret-4' A=s3cret-5 _B=s3cret-6 puppet readall",
        "S=s3cret-a memo -e S -k t=s3cret-b -k s3cret-c --key-cmd 'c=echo s3cret-d' A=s3cret-e _B=s3cret-f puppet readall",
    ];
    for call in calls {
        sandbox.ok(&format!("echo s3cret-7 | {call} >/dev/null; true"));
    }
    // The command's own output is what it is.
    sandbox.ok("memo clear --yes");
    for call in calls {
        let silent = call.replace("puppet readall", "puppet countall");
        sandbox.ok(&format!("echo s3cret-7 | {silent}"));
        for how in ["memo why", "memo why --json", "memo -v"] {
            let line = silent.replacen("memo", how, 1).replace("-e S", "-e S -k more");
            let asked = sandbox.run(format!("echo s3cret-8 | {line}"));
            assert!(!format!("{}{}", asked.stdout, asked.stderr).contains("s3cret"), "{asked:?}");
        }
    }
    sandbox.ok("memo ls");
    let store = everything(&sandbox.store());
    for (path, file) in &store {
        let content = String::from_utf8_lossy(&file.content);
        assert!(!content.contains("s3cret"), "{}", path.display());
    }
    let key = fs::symlink_metadata(sandbox.store().join("key")).unwrap();
    assert_eq!((key.mode() & 0o777, key.len()), (0o600, 40));
}

#[test]
fn what_is_not_hashed_is_said_and_whether_it_changed() {
    let sandbox = world(EARLY);
    sandbox.write("db", "x\n");
    let call = |t: u8| format!("memo why -i _db=db -k _l={t} _T={t} ./bump");
    sandbox.ok(&call(1).replace("why ", ""));
    let said = |line: &str| {
        let asked = sandbox.run(line);
        let lines: Vec<&str> = asked.stdout.lines().collect();
        format!("{} ... {}", lines[0].split(": ").next().unwrap(), lines[lines.len() - 1])
    };
    assert_eq!(said(&call(1)), "would hit ... not hashed: _T (unchanged), _db, _l (unchanged)");
    assert_eq!(said(&call(2)), "would hit ... not hashed: _T (changed), _db, _l (changed)");
    let other = call(2).replace("./bump", "A=1 ./bump");
    assert_eq!(said(&other), "would run ... not hashed: _T (changed), _db, _l (changed)");
    let json = sandbox.run(other.replace("why", "why --json")).stdout;
    assert!(json.contains(r#""ignored":[{"name":"_T","changed":true},{"name":"_db"},"#), "{json}");
}

#[test]
fn what_differs_is_laid_out_in_lines_that_fit() {
    let sandbox = world(EARLY);
    sandbox.write("a", "one\n");
    sandbox.ok("B=1 memo -e B ./bump a 2>/dev/null");
    sandbox.ok("echo two >>a");
    // Digests under a random key, and how long a run took, are left out.
    let text = sandbox
        .ok("B=2 memo why -e B ./bump a | sed 's/\\[[0-9a-f]*\\]/[SEAL]/; s/took .*/took [TIME]/'; true");
    let text = text.lines().map(|line| match line.split_once("nearest entry: ") {
        Some((_, rest)) => format!("nearest entry: [KEY]{}\n", &rest[8..]),
        None => format!("{line}\n"),
    });
    assert_data_eq!(
        text.collect::<String>(),
        str![[r#"
would run: env: `B` has another value
nearest entry: [KEY], recorded 0s ago, took [TIME]
  env             B
                  is  [SEAL]
                  was [SEAL]
  input-changed   a
                  is  04d2649e, mode 644, 8 B
                  was e0e63aa4, mode 644

"#]]
    );
}

#[test]
fn without_the_secret_nothing_is_said_of_values() {
    let sandbox = world(EARLY);
    sandbox.ok("B=1 memo -e B ./bump a; rm $MEMO_DIR/key");
    let asked = sandbox.run("B=2 memo why --json -e B ./bump a");
    assert_eq!(differs(&asked.stdout), "", "{asked:?}");
    assert_eq!(field(&asked.stdout, "reason").as_deref(), Some("never-seen"));
    // The next run makes a new one, and what is recorded from then on is told apart.
    sandbox.ok("B=3 memo -e B ./bump a");
    let asked = sandbox.run("B=4 memo why --json -e B ./bump a");
    assert_eq!(field(&asked.stdout, "reason").as_deref(), Some("env"), "{asked:?}");
}

#[test]
fn an_exit_status_for_scripts() {
    let sandbox = world(EARLY);
    sandbox.ok("memo ./bump a");
    for (line, code) in [
        ("memo why ./bump a", 0),
        ("memo why ./bump b", 1),
        ("memo why", 2),
        ("memo why --nosuch ./bump a", 2),
        ("memo why -i missing ./bump a", 2),
        ("memo why nosuch", 2),
        ("memo why --ttl 0 ./bump a", 2),
        ("memo why --help", 0),
    ] {
        assert_eq!(sandbox.run(line).code, code, "{line}");
    }
}

#[test]
fn an_index_that_is_gone_or_damaged_is_done_without() {
    let sandbox = world(EARLY);
    sandbox.ok("memo ./bump a x; memo ls");
    let expected = sandbox.run("memo why ./bump a y").stdout;
    assert!(expected.starts_with("would run: words: `y`, was `x`\n"), "{expected}");
    for spoil in ["rm $MEMO_DIR/index.db", "echo damaged >$MEMO_DIR/index.db", ": >$MEMO_DIR/index.db"] {
        sandbox.ok(spoil);
        let before = everything(&sandbox.store());
        assert_eq!(sandbox.run("memo why ./bump a y").stdout, expected, "{spoil}");
        assert!(everything(&sandbox.store()) == before, "{spoil}");
    }
}

#[test]
fn a_terminal_is_a_stdin_of_its_own() {
    let sandbox = world(EARLY);
    sandbox.ok("memo puppet print x");
    let asked = Ran::of(
        sandbox.command("script").args(["-qec", "memo why puppet print x", "/dev/null"]).stdin(Stdio::null()),
    );
    assert!(asked.stdout.contains("would run: stdin: a terminal, was empty"), "{asked:?}");
    assert!(asked.stdout.contains("hint: with `-n` the command has an empty stdin everywhere"), "{asked:?}");
    let without = sandbox.ok("script -qec 'memo why -n puppet print x' /dev/null </dev/null");
    assert!(without.starts_with("would hit: "), "and then it hits: {without}");
}
