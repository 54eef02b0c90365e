//! `memo doctor`: what it says and how it ends.

use snapbox::{assert_data_eq, str};

use crate::sandbox::Sandbox;

#[test]
fn damage_is_said_and_set_right() {
    let sandbox = Sandbox::new();
    let session = sandbox.steps(&[
        "memo doctor",
        "memo -o out puppet write out text",
        "memo doctor",
        "chmod u+w $MEMO_DIR/blobs/*/*; echo other >$(echo $MEMO_DIR/blobs/*/*)",
        "memo doctor",
        "memo doctor --fix",
        "memo doctor",
        "ls $MEMO_DIR/quarantine | wc -l",
        "memo ls",
    ]);
    let session = session.replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
    assert_data_eq!(
        session,
        str![[r#"
$ memo doctor
memo [VERSION], store format 1
limits: 5.0 GiB, 1.3 GiB for an entry
store: `$T/store`
nothing was recorded there yet
$ memo -o out puppet write out text
$ memo doctor
memo [VERSION], store format 1
limits: 5.0 GiB, 1.3 GiB for an entry
store: `$T/store`
entries: 1 (manifests: 1, outcomes: 0, blobs: 1; 8.0 KiB)
no problems
$ chmod u+w $MEMO_DIR/blobs/*/*; echo other >$(echo $MEMO_DIR/blobs/*/*)
$ memo doctor
memo [VERSION], store format 1
limits: 5.0 GiB, 1.3 GiB for an entry
store: `$T/store`
entries: 1 (manifests: 1, outcomes: 0, blobs: 1; 8.0 KiB)
problem: `blobs/42/42173aaf951b10db722cc40c3bcd55cdb4b9ae148114a9e115cb74d18e7bb8c3`: it does not have the content its name says; `--fix` would move it to `quarantine/`
1 problem
[exit 1]
$ memo doctor --fix
memo [VERSION], store format 1
limits: 5.0 GiB, 1.3 GiB for an entry
store: `$T/store`
entries: 1 (manifests: 1, outcomes: 0, blobs: 1; 8.0 KiB)
problem: `blobs/42/42173aaf951b10db722cc40c3bcd55cdb4b9ae148114a9e115cb74d18e7bb8c3`: it does not have the content its name says; fix: move it to `quarantine/`
1 problem, all fixed
$ memo doctor
memo [VERSION], store format 1
limits: 5.0 GiB, 1.3 GiB for an entry
store: `$T/store`
entries: 0 (manifests: 0, outcomes: 0, blobs: 0; 0 B)
in quarantine: 1
no problems
$ ls $MEMO_DIR/quarantine | wc -l
1
$ memo ls

"#]]
    );
}

#[test]
fn a_file_that_every_store_has_is_missed_and_made() {
    let sandbox = Sandbox::new();
    sandbox.ok("memo puppet bump a");
    let state = "cd $MEMO_DIR; find . -printf '%p %y %m %T@\\n' | sort; find . -type f | sort | xargs cksum";
    for name in ["FORMAT", "generation", "CACHEDIR.TAG"] {
        for (damage, what) in [
            ("rm $FILE", "it is missing"),
            (": >$FILE", ""),
            ("rm $FILE; mkdir $FILE", "it is no regular file"),
        ] {
            sandbox.ok(&format!("FILE=$MEMO_DIR/{name}; {damage}"));
            let before = sandbox.ok(state);
            let looked = sandbox.run("memo doctor");
            assert_eq!(looked.code, 1, "{name}, {damage}: {}", looked.stdout);
            assert!(looked.stdout.contains(&format!("problem: `{name}`: {what}")), "{}", looked.stdout);
            assert!(looked.stdout.ends_with("\n1 problem\n"), "{}", looked.stdout);
            assert_eq!(sandbox.ok(state), before, "{name}, {damage}: looking changed something");
            assert!(sandbox.ok("memo doctor --fix").ends_with("1 problem, all fixed\n"));
            assert!(sandbox.ok("memo doctor").ends_with("no problems\n"));
        }
    }
    assert!(sandbox.run("memo -v puppet bump a").is_hit());
}

#[test]
fn what_killed_runs_left_is_said_and_is_no_damage() {
    let sandbox = Sandbox::new();
    let session = sandbox.steps(&[
        "memo puppet print kept",
        "(MEMO_FAULT=miss.observed=kill memo puppet bump a; true) 2>/dev/null",
        "memo doctor >/dev/null",
        "echo mine >$MEMO_DIR/leases/notes",
        "memo gc",
        "(MEMO_FAULT=miss.observed=kill memo puppet bump a; true) 2>/dev/null",
        "memo doctor | tail -n 3",
        "memo doctor --fix | tail -n 2",
        "memo doctor | tail -n 2",
        "cat $MEMO_DIR/quarantine/leases-notes",
        "memo puppet bump a",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo puppet print kept
kept
$ (MEMO_FAULT=miss.observed=kill memo puppet bump a; true) 2>/dev/null
$ memo doctor >/dev/null
$ echo mine >$MEMO_DIR/leases/notes
$ memo gc
removed 1 file without an entry (4.0 KiB)
$ (MEMO_FAULT=miss.observed=kill memo puppet bump a; true) 2>/dev/null
$ memo doctor | tail -n 3
left by killed runs, for gc to remove: leases: 1, files in `tmp/`: 0 (4.0 KiB)
problem: `leases/notes`: it is none of memo's; `--fix` would move it to `quarantine/`
1 problem
$ memo doctor --fix | tail -n 2
problem: `leases/notes`: it is none of memo's; fix: move it to `quarantine/`
1 problem, all fixed
$ memo doctor | tail -n 2
in quarantine: 1
no problems
$ cat $MEMO_DIR/quarantine/leases-notes
mine
$ memo puppet bump a
a #1

"#]]
    );
}

#[test]
fn a_store_that_is_not_for_us_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.ok("memo puppet bump a");
    let before = sandbox.ok("ls -lR $MEMO_DIR");
    for (prepare, undo, said) in [
        ("echo 7 >$MEMO_DIR/FORMAT", "echo 1 >$MEMO_DIR/FORMAT", "has format 7, this memo reads up to 1"),
        ("chmod go+w $MEMO_DIR", "chmod go-w $MEMO_DIR", "others may write to `$T/store` (mode 722)"),
    ] {
        sandbox.ok(prepare);
        let ran = sandbox.run("memo doctor --fix");
        sandbox.ok(undo);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(sandbox.shown(&ran.stdout).contains(said), "{}", ran.stdout);
        assert_eq!(ran.stderr, "");
    }
    let strip = |text: String| {
        text.lines().filter(|line| !line.contains("FORMAT")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(strip(sandbox.ok("ls -lR $MEMO_DIR")), strip(before));
}

#[test]
fn somebody_elses_store_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.ok("mkdir -m 755 $MEMO_DIR");
    if !rustix::process::geteuid().is_root() {
        return;
    }
    sandbox.ok("chown 1234 $MEMO_DIR");
    let ran = sandbox.run("memo doctor --fix");
    assert_eq!(ran.code, 1);
    assert!(
        sandbox.shown(&ran.stdout).contains("problem: `$T/store` belongs to user 1234"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_killed_doctor_leaves_the_rest_to_the_next() {
    for point in ["looked", "made", "quarantined", "dropped", "index"] {
        let sandbox = Sandbox::new();
        sandbox.ok("memo -o out puppet write out text; memo puppet bump kept");
        sandbox.ok("chmod u+w $MEMO_DIR/blobs/*/*; echo other >$(echo $MEMO_DIR/blobs/*/*)");
        let ran = sandbox.run(format!("MEMO_FAULT=doctor.{point}=kill exec memo doctor --fix"));
        assert_eq!(ran.code, 137, "{point}");
        sandbox.ok("memo doctor --fix");
        let said = sandbox.ok("memo doctor");
        assert!(said.contains("entries: 1 (") && said.contains("in quarantine: 1\n"), "{point}: {said}");
        let runs = sandbox.runs();
        sandbox.ok("memo puppet bump kept");
        assert_eq!(sandbox.runs(), runs);
    }
}
