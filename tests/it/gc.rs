//! `memo gc`, and the store that stays within its limits.

use snapbox::{assert_data_eq, str};

use crate::check::world;
use crate::sandbox::{EARLY, Sandbox};

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
