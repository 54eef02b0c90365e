//! `memo gc`, and the store that stays within its limits.

use snapbox::{assert_data_eq, str};

use crate::check::world;
use crate::sandbox::{EARLY, LATE, Sandbox};

#[test]
fn what_goes_is_foretold_and_said() {
    let sandbox = Sandbox::new();
    sandbox.ok("memo puppet bump a; memo puppet bump b");
    let session = sandbox.steps(&[
        "memo gc",
        "memo gc --max-size 4K --dry-run",
        "memo gc --max-size 4K",
        "memo gc --max-size 4K",
        "memo ls",
        "memo gc -x",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo gc
nothing to remove
$ memo gc --max-size 4K --dry-run
would remove 2 entries (8.0 KiB)
$ memo gc --max-size 4K
removed 2 entries (8.0 KiB)
$ memo gc --max-size 4K
nothing to remove
$ memo ls
$ memo gc -x
memo: error: `memo gc` makes room in the store; it takes no `-x`
memo:   hint: to memoize gc itself: `memo -- gc -x`
[exit 2]

"#]]
    );
}

#[test]
fn runs_keep_the_store_within_its_limit() {
    let mut sandbox = world(EARLY);
    sandbox.set("MEMO_MAX_SIZE", "100K");
    sandbox.set("MEMO_FAULT", "gc.time=unlimited");
    for i in 0..40 {
        sandbox.ok(&format!("memo ./bump {i}"));
    }
    let runs = sandbox.runs();
    sandbox.ok("memo ./bump 39");
    assert_eq!(sandbox.runs(), runs, "the newest is there");
    assert!((5..=25).contains(&sandbox.manifests()), "{}", sandbox.manifests());
}

#[test]
fn what_is_too_large_is_passed_on_and_not_kept() {
    let mut sandbox = world(EARLY);
    sandbox.set("MEMO_MAX_ENTRY", "1000");
    sandbox.write("large", "x".repeat(900));
    for (line, kept) in [
        ("memo -v cat large", true),
        ("memo -v cat large large", false),
        ("memo -v -o out cp large out", true),
        ("memo -v -o out2 sh -c 'cat large; cp large out2' large", false),
    ] {
        let ran = sandbox.run(line);
        assert_eq!(ran.code, 0, "{line}");
        assert_eq!(ran.unrecorded(), (!kept).then_some("too-large"), "{line}: {}", ran.stderr);
        assert_eq!(sandbox.run(line).is_hit(), kept, "{line}");
    }
    assert_eq!(sandbox.ok("memo cat large large").len(), 1800);
}

/// Records eight results with output files; the store then takes more than 32 KiB.
fn filled() -> Sandbox {
    let mut sandbox = world(EARLY);
    sandbox.set("MEMO_MAX_SIZE", "1G");
    for i in 0..8 {
        sandbox.ok(&format!("memo -o out{i} sh -c './bump {i}; echo {i} >out{i}'"));
    }
    sandbox
}

/// Killed at any point, gc loses nothing but entries: the store is sound, and every call gets its answer.
#[track_caller]
fn check_killed(sandbox: &Sandbox, point: &str, line: &str) {
    let ran = sandbox.run(format!("MEMO_FAULT={point}=kill,gc.time=unlimited {line}"));
    assert_eq!(ran.code, 137, "{point} is not reached by `{line}`: {}{}", ran.stdout, ran.stderr);
    let ran = sandbox.run("memo doctor");
    assert_eq!(ran.code, 0, "{point}, `{line}`: {}", ran.stdout);
    sandbox.ok("memo ls");
    for i in 0..8 {
        sandbox.ok(&format!("rm out{i}; memo -o out{i} sh -c './bump {i}; echo {i} >out{i}' >/dev/null"));
        assert_eq!(sandbox.read(format!("out{i}")), format!("{i}\n"));
    }
    let foretold = sandbox.ok("memo gc --max-size 24K --dry-run").replace("would remove", "removed");
    assert_eq!(sandbox.ok("memo gc --max-size 24K"), foretold);
    let ran = sandbox.run("memo doctor");
    assert_eq!(ran.code, 0, "{point}, `{line}`: {}", ran.stdout);
}

#[test]
fn a_killed_gc_leaves_a_sound_store() {
    let points = ["gc.locked", "gc.manifests", "gc.blobs", "gc.swept", "gc.index", "gc.usage"];
    for point in points.into_iter().chain(["fold.renamed", "fold.applied", "fold.removed"]) {
        check_killed(&filled(), point, "exec memo gc --max-size 16K");
    }
    for point in points.into_iter().chain(["gc.folded", "fold.renamed", "fold.applied", "fold.removed"]) {
        check_killed(&filled(), point, "MEMO_MAX_SIZE=16K exec memo ./bump new");
    }
}

#[test]
fn a_killed_renewal_leaves_a_sound_store() {
    for point in ["renew.locked", "commit.manifest", "renew.written"] {
        let sandbox = Sandbox::at(LATE);
        sandbox.write("input", "x".repeat(100_000));
        sandbox.ok("memo --no-exe cat input; cp -p input new && mv new input");
        let ran = sandbox.run(format!("MEMO_FAULT={point}=kill exec memo --no-exe cat input"));
        assert_eq!((ran.code, ran.stdout.len()), (137, 100_000), "{point}");
        assert_eq!(sandbox.run("memo doctor").code, 0, "{point}");
        assert!(sandbox.run("memo -v --no-exe cat input").is_hit(), "{point}");
    }
}

#[test]
fn a_kill_while_a_digest_is_written_down_leaves_a_sound_store() {
    let sandbox = Sandbox::at(LATE);
    sandbox.ok("truncate -s 16M large");
    let ran = sandbox.run("MEMO_FAULT=digests.written=kill exec memo --no-exe wc -c large");
    assert_eq!((ran.code, ran.stdout.as_str()), (137, "16777216 large\n"));
    assert_eq!(sandbox.run("memo doctor").code, 0);
    assert!(sandbox.run("memo -v --no-exe wc -c large").is_hit());
}
