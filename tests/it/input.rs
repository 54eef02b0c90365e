//! Inputs over time: what is the same although it was touched, what is not although it looks the same,
//! and what changes while the command runs.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;

use snapbox::{assert_data_eq, str};

use crate::check::{hits, in_both_worlds, runs_once, world};
use crate::sandbox::{EARLY, Ran, Sandbox};

#[test]
fn other_bytes_of_the_same_size_and_time_are_another_content() {
    // H19, I23. Young files only: nothing but their bytes can tell.
    for sandbox in [world(EARLY), world(EARLY).with_running_clock()] {
        for line in ["memo -i f ./bump", "memo -i . ./bump", "memo ./bump f", "memo ./bump -i ."] {
            sandbox.write("f", "one\n");
            sandbox.ok("touch -r f stamp");
            runs_once(&sandbox, line);
            sandbox.ok("printf 'two\\n' >f; touch -r stamp f");
            runs_once(&sandbox, line);
        }
    }
}

/// Writes a file in place and gives it its old modification time back: only the change time tells.
fn forge(sandbox: &Sandbox, name: &str, content: &str) {
    let path = sandbox.path(name);
    let before = std::fs::metadata(&path).unwrap();
    // The kernel's clock goes in ticks of up to 10 ms: until the next one this looks like no change at all.
    while std::fs::metadata(&path).unwrap().ctime_nsec() == before.ctime_nsec() {
        std::fs::write(&path, content).unwrap();
        sandbox.modified_at(name, before.mtime().try_into().unwrap());
    }
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!((after.ino(), after.len(), after.mtime()), (before.ino(), before.len(), before.mtime()));
}

#[test]
fn a_forged_time_is_seen_through_where_stat_is_trusted() {
    for line in ["memo -i f ./bump", "memo -i d ./bump", "memo ./bump f", "memo ./bump d", "memo sh ./f"] {
        in_both_worlds(|sandbox| {
            sandbox.write("f", "./bump 1\n");
            sandbox.write("d/f", "1");
            runs_once(sandbox, line);
            forge(sandbox, "f", "./bump 2\n");
            forge(sandbox, "d/f", "2");
            runs_once(sandbox, line);
        });
    }
    in_both_worlds(|sandbox| {
        runs_once(sandbox, "memo ./bump");
        let other = sandbox.read("bump").replace("$*", "$@");
        forge(sandbox, "bump", &other);
        runs_once(sandbox, "memo ./bump");
    });
}

#[test]
fn the_middle_of_a_large_file_counts() {
    // H18: whole files are hashed, never samples.
    in_both_worlds(|sandbox| {
        let mut bytes = vec![b'x'; 9 << 20];
        sandbox.write("f", &bytes);
        runs_once(sandbox, "memo ./bump f");
        bytes[5 << 20] = b'y';
        sandbox.write("f", &bytes);
        runs_once(sandbox, "memo ./bump f");
    });
}

#[test]
fn a_branch_switched_back_is_a_hit() {
    for line in ["memo -i f ./bump", "memo ./bump f", "memo -i 'd/*' ./bump", "memo -i d ./bump", "memo sh f"]
    {
        in_both_worlds(|sandbox| {
            let content = |text: &str| {
                sandbox.write("f", format!("./bump {text}\n"));
                sandbox.write("d/f", text);
            };
            content("a");
            let a = runs_once(sandbox, line);
            content("b");
            let b = runs_once(sandbox, line);
            for _ in 0..2 {
                content("a");
                assert_eq!(hits(sandbox, line).stdout, a.stdout);
                content("b");
                assert_eq!(hits(sandbox, line).stdout, b.stdout);
            }
        });
    }
}

#[test]
fn a_loop_over_contents_is_remembered() {
    let sandbox = world(EARLY);
    for n in 0..20 {
        sandbox.write("f", n.to_string());
        assert_eq!(sandbox.ok("memo ./bump f"), format!("f #{}\n", n + 1));
    }
    for n in 0..20 {
        sandbox.write("f", n.to_string());
        assert_eq!(sandbox.ok("memo ./bump f"), format!("f #{}\n", n + 1));
    }
}

/// Starts a command that waits in the middle, makes a change, and lets it end.
fn change_meanwhile(sandbox: &Sandbox, options: &str, word: &str, change: &str) -> Ran {
    sandbox.fifo("began");
    sandbox.fifo("go");
    // The last act is for a memo that does not run the command: then nobody waits for what never begins.
    let child = sandbox.start(&format!(
        "memo -v {options} sh -c './bump; : >began; read line <go; echo $line' sh {word}; : <>began"
    ));
    drop(File::open(sandbox.path("began")).unwrap());
    sandbox.ok(change);
    // Open for reading too, so that it waits for nobody; what is written stays there until it is closed.
    let mut go = File::options().read(true).write(true).open(sandbox.path("go")).unwrap();
    go.write_all(b"end\n").unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn an_input_that_changes_while_the_command_runs_is_not_recorded() {
    // I35
    let cases = [
        ("-i f", "", "echo 22 >f", "input-changed-meanwhile: `f`"),
        ("-i f", "", "rm f", "input-changed-meanwhile: `f`"),
        ("-i f", "", "chmod +x f", "input-changed-meanwhile: `f`"),
        ("-i d", "", "echo 22 >d/f", "input-changed-meanwhile: `d/f`"),
        ("-i d", "", "echo 22 >d/new", "input-changed-meanwhile: `d`"),
        ("-i 'd/*.c'", "", "echo 22 >d/new.c", "input-changed-meanwhile: `d`"),
        ("", "f", "echo 22 >f", "word-file-rewritten: `f`"),
        ("", "f", "rm f", "word-file-rewritten: `f`"),
        ("", "d", "touch d/f", "word-file-rewritten: `d`"),
        ("", "new", "mkdir new", "word-file-rewritten: `new`"),
        ("-i f", "", "touch f", ""),
        ("", "f", "touch f", ""),
        ("-i 'd/*.c'", "", "echo 22 >d/new.h", ""),
    ];
    for (options, word, change, why) in cases {
        in_both_worlds(|sandbox| {
            sandbox.write("f", "1\n");
            sandbox.write("d/f", "1\n");
            let ran = change_meanwhile(sandbox, options, word, change);
            assert_eq!((ran.code, ran.stdout.as_str()), (0, " #1\nend\n"), "{change}");
            assert_eq!(ran.unrecorded().unwrap_or_default(), why, "{options} {word} {change}");
        });
    }
}

#[test]
fn a_program_that_changes_while_it_runs_is_not_recorded() {
    in_both_worlds(|sandbox| {
        sandbox.script("tool", "#!/bin/sh\n./bump\necho '# c' >>tool; exit\n");
        let ran = sandbox.run("memo -v ./tool");
        assert_eq!(ran.unrecorded(), Some("input-changed-meanwhile: `./tool`"), "{}", ran.stderr);
    });
}

#[test]
fn a_command_that_edits_its_own_input_runs_every_time() {
    // I36
    let sandbox = Sandbox::new();
    sandbox.write("f", "");
    let session =
        sandbox.steps(&["memo -i f sh -c 'echo x >>f'", "memo -v -i f sh -c 'echo x >>f'", "cat f"]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo -i f sh -c 'echo x >>f'
$ memo -v -i f sh -c 'echo x >>f'
memo: miss: never-seen
memo: not recorded: input-changed-meanwhile: `f`
$ cat f
x
x

"#]]
    );
}

#[test]
fn a_file_that_is_stdin_and_changes_is_not_recorded() {
    in_both_worlds(|sandbox| {
        sandbox.write("f", "1\n");
        let ran = sandbox.run("memo -v sh -c './bump; cat; echo 2 >>f' <f");
        assert_eq!(ran.unrecorded(), Some("input-changed-meanwhile: `/dev/stdin`"), "{}", ran.stderr);
    });
}

#[test]
fn what_cannot_be_hashed_is_an_error_before_anything_runs() {
    // A06, A08, U12
    let sandbox = Sandbox::new();
    sandbox.fifo("p");
    sandbox.fifo("tree-p");
    sandbox.ok("mkdir tree; mv tree-p tree/p; ln -s p to; ln -s nowhere dangling; >a=b.txt");
    let session = sandbox.steps(&[
        "memo -i nope.csv puppet bump a",
        "memo -i data=nope.csv puppet bump a",
        "memo -i p puppet bump a",
        "memo -i n=p puppet bump a",
        "memo -i to puppet bump a",
        "memo -i tree puppet bump a",
        "memo -i 'tree/*' puppet bump a",
        "memo -i tree -i '!p' puppet bump a",
        "memo -i dangling puppet bump a",
        "memo -i a=b.txt puppet bump a",
        "memo -i /dev/null puppet bump a",
        "memo -i '' puppet bump a",
        "memo -i f/g puppet bump a",
        "MEMO_MODE=off memo -i nope.csv puppet bump a",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo -i nope.csv puppet bump a
memo: error: cannot hash input `nope.csv`: No such file or directory; the command was not run
memo:   hint: fix the path; a glob, `-i 'DIR/*'`, may match nothing
[exit 125]
$ memo -i data=nope.csv puppet bump a
memo: error: cannot hash input `data` (nope.csv): No such file or directory; the command was not run
memo:   hint: fix the path; a glob, `-i 'DIR/*'`, may match nothing
[exit 125]
$ memo -i p puppet bump a
memo: error: cannot hash input `p`: a fifo has no content that could be keyed; the command was not run
memo:   hint: keep it out of the key by its name: `-i _p=p`
[exit 125]
$ memo -i n=p puppet bump a
memo: error: cannot hash input `n` (p): a fifo has no content that could be keyed; the command was not run
memo:   hint: keep it out of the key by its name: `-i _n=p`
[exit 125]
$ memo -i to puppet bump a
memo: error: cannot hash input `to`: a fifo has no content that could be keyed; the command was not run
memo:   hint: keep it out of the key by its name: `-i _to=to`
[exit 125]
$ memo -i tree puppet bump a
memo: error: cannot hash input `tree/p`: a fifo has no content that could be keyed; the command was not run
memo:   hint: leave it out: `-i '!tree/p'`
[exit 125]
$ memo -i 'tree/*' puppet bump a
memo: error: cannot hash input `tree/p`: a fifo has no content that could be keyed; the command was not run
memo:   hint: leave it out: `-i '!tree/p'`
[exit 125]
$ memo -i tree -i '!p' puppet bump a
a #1
$ memo -i dangling puppet bump a
memo: error: cannot hash input `dangling`: No such file or directory; the command was not run
memo:   hint: fix the path; a glob, `-i 'DIR/*'`, may match nothing
[exit 125]
$ memo -i a=b.txt puppet bump a
memo: error: cannot hash input `a` (b.txt): No such file or directory; the command was not run
memo:   hint: `a=b.txt` is there; a path with `=` is written `-i ./a=b.txt`
[exit 125]
$ memo -i /dev/null puppet bump a
memo: error: cannot hash input `/dev/null`: a device has no content that could be keyed; the command was not run
memo:   hint: keep it out of the key by its name: `-i _null=/dev/null`
[exit 125]
$ memo -i '' puppet bump a
memo: error: cannot hash input `./p`: a fifo has no content that could be keyed; the command was not run
memo:   hint: leave it out: `-i '!./p'`
[exit 125]
$ memo -i f/g puppet bump a
memo: error: cannot hash input `f/g`: No such file or directory; the command was not run
memo:   hint: fix the path; a glob, `-i 'DIR/*'`, may match nothing
[exit 125]
$ MEMO_MODE=off memo -i nope.csv puppet bump a
a #2

"#]]
    );
}

#[test]
fn what_cannot_be_read_is_an_error_before_anything_runs() {
    // U13
    let sandbox = Sandbox::new();
    sandbox.write("s.db", "1");
    sandbox.write("d/s.db", "1");
    sandbox.ok("chmod 000 s.db d/s.db");
    let mut session = String::new();
    for line in [
        "memo -i db=s.db puppet bump a",
        "memo -i s.db puppet bump a",
        "memo -i d puppet bump a",
        "memo -i 'd/*' puppet bump a",
    ] {
        let ran = sandbox.run_unprivileged(line);
        session.push_str(&format!("$ {line}\n{}{}[exit {}]\n", ran.stdout, ran.stderr, ran.code));
    }
    assert_eq!(sandbox.runs(), 0);
    let ran = sandbox.run_unprivileged("memo -i _db=s.db puppet bump a");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "a #1\n"));
    assert_data_eq!(
        session,
        str![[r#"
$ memo -i db=s.db puppet bump a
memo: error: cannot hash input `db` (s.db): Permission denied; the command was not run
memo:   hint: make it readable, or keep it out of the key by its name: `-i _db=s.db`
[exit 125]
$ memo -i s.db puppet bump a
memo: error: cannot hash input `s.db`: Permission denied; the command was not run
memo:   hint: make it readable, or keep it out of the key by its name: `-i _s=s.db`
[exit 125]
$ memo -i d puppet bump a
memo: error: cannot hash input `d/s.db`: Permission denied; the command was not run
memo:   hint: leave it out: `-i '!d/s.db'`
[exit 125]
$ memo -i 'd/*' puppet bump a
memo: error: cannot hash input `d/s.db`: Permission denied; the command was not run
memo:   hint: leave it out: `-i '!d/s.db'`
[exit 125]

"#]]
    );
}

#[test]
fn a_program_that_can_be_run_but_not_read_counts_by_its_stat_identity() {
    let sandbox = world(EARLY);
    sandbox.ok("cp /bin/echo tool; chmod 0111 tool");
    assert_eq!(sandbox.run_unprivileged("memo ./tool a").stdout, "a\n");
    assert!(sandbox.run_unprivileged("memo -v ./tool a").is_hit());
    sandbox.ok("touch tool; chmod 0111 tool");
    let ran = sandbox.run_unprivileged("memo -v ./tool a");
    assert!(ran.missed().is_some(), "{}", ran.stderr);
}
