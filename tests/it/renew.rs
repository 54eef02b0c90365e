//! What a hit had to find out again is kept for the next one, and digests of large files for all.

use crate::sandbox::{LATE, Sandbox};

/// Returns the one manifest of the store.
fn manifest(sandbox: &Sandbox) -> Vec<u8> {
    let path = sandbox.ok("echo -n $MEMO_DIR/manifests/??/????*");
    std::fs::read(path).unwrap()
}

#[test]
fn a_hit_that_had_to_hash_much_need_not_the_next_time() {
    for (size, is_much) in [(100_000, true), (10_000, false)] {
        let sandbox = Sandbox::at(LATE);
        sandbox.write("input", "x".repeat(size));
        sandbox.ok("memo --no-exe cat input");
        let recorded = manifest(&sandbox);
        sandbox.ok("cp -p input new && mv new input");
        let ran = sandbox.run("MEMO_MODE=read-only memo -v --no-exe cat input");
        assert!(ran.is_hit(), "{}", ran.stderr);
        assert_eq!(manifest(&sandbox), recorded, "read-only is read-only");
        sandbox.ok("memo --no-exe cat input");
        let renewed = manifest(&sandbox);
        assert_eq!(renewed != recorded, is_much);
        let ran = sandbox.run("memo -v --no-exe cat input");
        assert!(ran.is_hit(), "{}", ran.stderr);
        assert_eq!(manifest(&sandbox), renewed, "once is enough");
    }
}

#[test]
fn a_hit_waits_for_no_lock_to_renew() {
    let sandbox = Sandbox::at(LATE);
    sandbox.write("input", "x".repeat(100_000));
    sandbox.ok("memo --no-exe cat input >/dev/null; cp -p input new && mv new input");
    let recorded = manifest(&sandbox);
    for lock in [".", "generation", "manifests/??/.lock"] {
        let line = format!("exec 9<$(echo $MEMO_DIR/{lock}); flock 9; memo -v --no-exe cat input >/dev/null");
        let ran = sandbox.run(line);
        assert!(ran.is_hit(), "{}", ran.stderr);
    }
    assert_eq!(manifest(&sandbox), recorded);
}

#[test]
fn the_digest_of_a_large_file_is_known_to_the_next_command() {
    use memo::action::known::KnownDigests;
    let sandbox = Sandbox::at(LATE);
    for (line, large) in [("memo --no-exe wc -c word", "word"), ("memo --no-exe wc -c <stdin", "stdin")] {
        sandbox.ok(&format!("truncate -s 16M {large}"));
        let user = rustix::process::geteuid().as_raw();
        let known = || {
            let store = memo::store::Store::open(&sandbox.store(), user, None).unwrap();
            let identity = memo::action::identity::Identity::of(&sandbox.path(large)).unwrap();
            memo::store::index::Digests::new(&store).get(&identity)
        };
        assert_eq!(known(), None);
        sandbox.ok(line);
        let file = std::fs::File::open(sandbox.path(large)).unwrap();
        let expected = memo::action::digest::Digest::of_file(&file, 16 << 20).unwrap();
        assert_eq!(known(), Some(expected));
    }
    sandbox.ok("truncate -s 1M small");
    sandbox.ok("rm $MEMO_DIR/index.db; memo --no-exe wc -c small");
    assert!(!sandbox.store().join("index.db").exists(), "an ordinary miss does not open it");
}
