//! File systems and kernels that lack something: locks, hard links, files without a name, moves that replace
//! nothing, copies inside the kernel, times that can be trusted. The answers are the same, and nothing is said.
//!
//! What such a system answers is made by `puppet without`, in which these system calls fail.

use std::fs;

use crate::sandbox::{LATE, Ran, Sandbox};

/// Runs a shell line where these calls fail.
fn run(sandbox: &Sandbox, denied: &str, line: &str) -> Ran {
    Ran::of(sandbox.command("puppet").args(["without", denied, "/bin/bash", "-c", line]))
}

#[track_caller]
fn hits(ran: &Ran, what: &str) {
    assert!(ran.is_hit(), "{what}: {}", ran.stderr);
    assert!(!ran.stderr.contains("warning"), "{what}: {}", ran.stderr);
}

/// Everything memo does, where these calls fail: the bytes, statuses and files are right, without a warning,
/// and the second time everything is a hit.
#[track_caller]
fn check(denied: &str) {
    let sandbox = Sandbox::at(LATE);
    sandbox
        .script("make", "#!/bin/sh\necho . >>$RUNS\ncat in\npuppet fill 90000 , eprint err\ncat in >out\n");
    sandbox.write("in", "input\n");
    let run = |line: &str| run(&sandbox, denied, line);
    let bare = sandbox.run("./make");
    let line = "memo -i in -o out ./make";
    assert_eq!(run(line), bare, "{denied}");
    let verbose = "memo -v -i in -o out ./make";
    for old in [None, Some("old\n"), Some("input\n")] {
        fs::remove_file(sandbox.path("out")).unwrap();
        if let Some(old) = old {
            sandbox.write("out", old);
        }
        for to in ["", " >log", " >>log", " | cat"] {
            let again = run(&format!("{verbose}{to}"));
            hits(&again, &format!("{denied}{to}"));
            let stdout = if to.contains('g') {
                fs::read_to_string(sandbox.path("log")).unwrap()
            } else {
                again.stdout
            };
            assert!(stdout.ends_with(&bare.stdout), "{denied}{to}");
            assert!(again.stderr.ends_with("err\n"), "{denied}{to}: {}", again.stderr);
            assert_eq!(sandbox.read("out"), "input\n", "{denied}{to}");
        }
    }
    let word = "memo -v puppet write new text";
    run(word);
    fs::remove_file(sandbox.path("new")).unwrap();
    hits(&run(word), denied);
    assert_eq!(sandbox.read("new"), "text\n", "{denied}");
    // Both streams into one pipe, and into pipes of their own.
    for to in [" 2>&1 | cat", " 2> >(cat >&2) | cat"] {
        let wanted = sandbox.run(format!("puppet eprint e , fill 90000 , eprint e{to}"));
        let line = format!("memo -q puppet eprint e , fill 90000 , eprint e{to}");
        for _ in 0..2 {
            let ran = run(&line);
            assert!(ran.stdout == wanted.stdout && ran.code == 0, "{denied}{to}: {}", ran.stderr);
        }
    }
    for bytes in [5, 300_000] {
        let line = format!("puppet fill {bytes} | memo -v wc -c");
        for round in 0..3 {
            let ran = run(&line);
            assert_eq!(
                (ran.code, ran.stdout.trim()),
                (0, bytes.to_string().as_str()),
                "{denied}: {}",
                ran.stderr
            );
            assert!(!ran.stderr.contains("warning"), "{denied}: {}", ran.stderr);
            // Without tee(2) nobody can look at what waits in a pipe without taking it.
            let is_seen = !denied.contains("tee") || bytes > 65_536;
            assert!(round < 2 || ran.is_hit() || !is_seen, "{denied}: {}", ran.stderr);
        }
    }
    for _ in 0..2 {
        let failed = run("memo puppet print x , exit 3");
        assert_eq!((failed.code, failed.stdout.as_str(), failed.stderr.as_str()), (3, "x\n", ""), "{denied}");
    }
    for line in
        ["memo ls", "memo doctor", "memo doctor --fix", "memo gc", "memo clear --yes '*wc -c*'", "memo ls"]
    {
        let ran = run(line);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{denied}: `{line}`: {}", ran.stdout);
    }
    assert!(!run("memo ls").stdout.contains("wc -c"), "{denied}");
    hits(&run(verbose), denied);
    assert_eq!(sandbox.runs(), 2, "{denied}");
    assert_eq!(fs::read_dir(sandbox.store().join("leases")).unwrap().count(), 0, "{denied}");
    assert_eq!(fs::read_dir(sandbox.store().join("tmp")).unwrap().count(), 0, "{denied}");
    assert_eq!(run("memo clear --yes").code, 0, "{denied}");
    assert_eq!(run(line), bare, "{denied}, after a clear");
}

#[test]
fn locks() {
    for denied in ["flock=ENOLCK", "flock=EOPNOTSUPP", "flock=ENOSYS", "flock=ENOLCK,fcntl-lock=ENOLCK"] {
        check(denied);
    }
}

#[test]
fn files_without_a_name() {
    for denied in ["unnamed=EOPNOTSUPP", "unnamed=EISDIR", "unnamed=EINVAL"] {
        check(denied);
    }
}

/// Runs a call that has two outputs again and again; they are always right, and nothing is said.
#[track_caller]
fn check_right(denied: &str) {
    let sandbox = Sandbox::at(LATE);
    for n in 0..3 {
        let ran = run(&sandbox, denied, "memo -o out puppet print x , write new text , write out text");
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "x\n", ""), "{denied}, {n}");
        assert_eq!(
            (sandbox.read("new"), sandbox.read("out")),
            ("text\n".into(), "text\n".into()),
            "{denied}"
        );
        fs::remove_file(sandbox.path("new")).unwrap();
        sandbox.write("out", "other\n");
    }
    assert_eq!(fs::read_dir(sandbox.path("")).unwrap().count(), 1, "{denied}: something was left behind");
}

#[test]
fn hard_links() {
    // A file without a name cannot get one then, as without /proc: the command is run.
    for denied in ["linkat=EPERM", "linkat=EXDEV", "unnamed=EOPNOTSUPP,renameat2=EINVAL,linkat=EPERM"] {
        check_right(denied);
    }
}

#[test]
fn moves_that_replace_nothing() {
    for denied in ["renameat2=EINVAL", "renameat2=ENOSYS", "unnamed=EOPNOTSUPP,renameat2=EINVAL"] {
        check(denied);
    }
}

#[test]
fn copies_inside_the_kernel() {
    for errno in ["EINVAL", "ENOSYS", "EXDEV", "EOPNOTSUPP"] {
        check(&format!("reflink={errno},copy_file_range={errno}"));
    }
    for errno in ["EINVAL", "ENOSYS"] {
        check(&format!("sendfile={errno},splice={errno},tee={errno},pwritev2={errno}"));
    }
}

#[test]
fn handles_that_stay_good() {
    // ESTALE: what NFS says when somebody else has removed an open file.
    for (point, runs) in [("manifest.read", 3), ("outcome.read", 3), ("blob.read", 3), ("journal.write", 2)] {
        let sandbox = Sandbox::new();
        sandbox.script("run", "#!/bin/sh\necho . >>$RUNS\ncat in\npuppet fill 40000\ncat in >out\n");
        // The older outcome is kept in a file of its own.
        for content in ["old\n", "new\n", "old\n"] {
            sandbox.write("in", content);
            let _ = fs::remove_file(sandbox.path("out"));
            let fault = format!("MEMO_FAULT={point}=errno:116 memo -i in -o out ./run");
            let ran =
                if sandbox.runs() < 2 { sandbox.run("memo -i in -o out ./run") } else { sandbox.run(fault) };
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{point}");
            assert!(ran.stdout.len() == 40_004 && ran.stdout.starts_with(content), "{point}");
            assert_eq!(sandbox.read("out"), content, "{point}");
        }
        assert_eq!(sandbox.runs(), runs, "{point}");
        assert!(sandbox.run("memo -v -i in -o out ./run").is_hit(), "{point}");
    }
}

#[test]
fn times_that_can_be_trusted() {
    check("statfs=ENOSYS");
    // Everything is compared by content there, also what nobody has touched for years.
    let sandbox = Sandbox::at(LATE);
    sandbox.write("in", "1234\n");
    sandbox.ok("touch -d 2001-01-01 in");
    assert_eq!(run(&sandbox, "statfs=ENOSYS", "memo -i in wc -c in").stdout, "5 in\n");
    assert!(run(&sandbox, "statfs=ENOSYS", "memo -v -i in wc -c in").is_hit());
}
