//! The cases in which the best of the others fails or is weak, by their numbers in the peers' matrix
//! (`bkt` 0.8.2); those of one run for many callers, of cleaning up, of stale answers and of colours have
//! their own places.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::sandbox::Sandbox;

#[test]
fn case_03_a_hit_of_much_output_is_no_slower_in_kind() {
    // bkt holds all of it in memory; here neither a miss nor a hit may.
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        let line = "set -o pipefail; (ulimit -v 65536; exec memo puppet fill 80000000) | cksum";
        assert_eq!(sandbox.ok(line), sandbox.ok("puppet fill 80000000 | cksum"));
    }
}

#[test]
fn case_04_stdin_is_in_the_key() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.ok("echo a | memo cat; echo b | memo cat; echo a | memo cat"), "a\nb\na\n");
}

#[test]
fn case_05_an_input_that_changed_is_seen() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "one\n");
    assert_eq!(sandbox.ok("memo cat f; echo two >f; memo cat f"), "one\ntwo\n");
    // 5c: by content, whatever its time says.
    assert_eq!(sandbox.ok("touch -r f t; echo six >f; touch -r t f; memo cat f"), "six\n");
    // 5d: a new time alone changes nothing.
    sandbox.ok("memo puppet bump f");
    assert_eq!(sandbox.ok("touch f; memo puppet bump f"), "f #1\n");
}

#[test]
fn case_05f_a_file_deep_in_a_declared_tree_is_seen() {
    let sandbox = Sandbox::new();
    sandbox.write("d/e/f", "one\n");
    let line = "memo -i d sh -c 'cat d/*/f'";
    assert_eq!(sandbox.ok(&format!("{line}; echo two >d/e/f; {line}")), "one\ntwo\n");
}

#[test]
fn case_05g_the_same_relative_input_in_two_directories_is_two() {
    let sandbox = Sandbox::new();
    sandbox.write("a/f", "a\n");
    sandbox.write("b/f", "b\n");
    sandbox.ok("touch -r a/f b/f");
    assert_eq!(sandbox.ok("for d in a b a; do (cd $d; memo -i f cat f); done"), "a\nb\na\n");
}

#[test]
fn case_06_the_program_counts() {
    let sandbox = Sandbox::new();
    sandbox.script("s", "#!/bin/sh\necho v1\n");
    assert_eq!(sandbox.ok("memo ./s"), "v1\n");
    sandbox.script("s", "#!/bin/sh\necho v2\n");
    assert_eq!(sandbox.ok("memo ./s"), "v2\n");
    sandbox.script("bin/s", "#!/bin/sh\necho other\n");
    assert_eq!(sandbox.ok("PATH=.:$PATH memo s; PATH=bin:$PATH memo s"), "v2\nother\n");
    // 6b
    sandbox.script("x/s", "#!/bin/sh\necho x\n");
    sandbox.script("y/s", "#!/bin/sh\necho y\n");
    assert_eq!(sandbox.ok("for d in x y x; do (cd $d; memo ./s); done"), "x\ny\nx\n");
}

#[test]
fn case_08_a_death_by_signal_is_one_and_not_kept() {
    let sandbox = Sandbox::new();
    for (name, status) in [("TERM", 143), ("KILL", 137), ("SEGV", 139), ("INT", 130)] {
        for _ in 0..2 {
            let ran = sandbox.run(format!("exec memo sh -c 'puppet bump x; kill -{name} $$'"));
            assert_eq!(ran.code, status, "{name}");
        }
    }
    assert_eq!(sandbox.runs(), 8);
}

#[test]
fn case_09_interleaved_streams_keep_their_order() {
    let sandbox = Sandbox::new();
    let line = "memo sh -c 'for i in 1 2 3 4; do echo o$i; echo e$i >&2; done' 2>&1 | tr '\\n' ' '";
    for _ in 0..2 {
        assert_eq!(sandbox.ok(line), "o1 e1 o2 e2 o3 e3 o4 e4 ");
    }
}

#[test]
fn case_10_a_reader_that_leaves_is_not_waited_for() {
    let sandbox = Sandbox::new();
    let go = sandbox.fifo("go");
    // The command would wait for ever after its first line; the next one it writes ends it.
    let line =
        "memo sh -c 'echo first; echo >left; exec puppet waitfifo go , fill 1000000' | { head -1; : >go; }";
    assert_eq!(sandbox.ok(line), "first\n");
    drop(go);
    // 10b
    for _ in 0..2 {
        assert_eq!(sandbox.ok("memo yes | head -1"), "y\n");
    }
}

#[test]
fn case_14_15_a_store_that_cannot_be_used_stops_nothing() {
    let mut sandbox = Sandbox::new();
    sandbox.set("MEMO_DIR", "/proc/nothing");
    for _ in 0..2 {
        let ran = sandbox.run("memo sh -c 'echo ran; exit 3'");
        assert_eq!((ran.code, ran.stdout.as_str()), (3, "ran\n"));
        assert_eq!(ran.stderr.matches("memo: warning: ").count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn case_16b_one_flipped_byte_is_never_served() {
    let sandbox = Sandbox::new();
    sandbox.ok("memo puppet print Hello");
    let manifest = sandbox.ok("find $MEMO_DIR/manifests -type f -size +0");
    let bytes = fs::read(manifest.trim()).unwrap();
    let place = bytes.windows(5).position(|window| window == b"Hello").expect("it stands inline");
    // Every byte of the answer, and of what stands around it.
    for position in place.saturating_sub(20)..(place + 20).min(bytes.len()) {
        let mut damaged = bytes.clone();
        damaged[position] ^= 2;
        fs::write(manifest.trim(), &damaged).unwrap();
        assert_eq!(sandbox.ok("memo puppet print Hello"), "Hello\n", "byte {position}");
    }
}

#[test]
fn case_17_the_working_directory_counts() {
    let sandbox = Sandbox::new();
    sandbox.ok("mkdir a b");
    let out = sandbox.ok("for d in a b a; do (cd $d; memo pwd); done");
    let place = |name: &str| format!("{}\n", sandbox.path(name).display());
    assert_eq!(out, [place("a"), place("b"), place("a")].concat());
}

#[test]
fn case_18_the_environment_counts_where_it_is_asked_for() {
    let sandbox = Sandbox::new();
    let line = "memo -e V sh -c 'echo ${V-unset}'";
    let out = sandbox.ok(&format!("{line}; V= {line}; V=a {line}; V=b {line}; V=a {line}; {line}"));
    assert_eq!(out, "unset\n\na\nb\na\nunset\n");
}

#[test]
fn case_19_no_time_to_live_panics() {
    let sandbox = Sandbox::new();
    for (ttl, code) in
        [("0", 125), ("0s", 125), ("5", 0), ("1h", 0), ("-1", 125), ("", 125), ("99999999999999999999d", 125)]
    {
        let ran = sandbox.run(format!("memo --ttl '{ttl}' true"));
        assert_eq!(ran.code, code, "{ttl}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panic"), "{}", ran.stderr);
    }
}

#[test]
fn case_21_what_cannot_be_run_ends_as_in_a_shell() {
    let sandbox = Sandbox::new();
    sandbox.write("plain", "x");
    sandbox.script("without", "echo \"ran $1\"\n");
    sandbox.script("bad", "#!/nonexistent/sh\n");
    for (command, code) in
        [("nosuch", 127), ("./nosuch", 127), ("./plain", 126), ("/", 126), (".", 126), ("./bad", 127)]
    {
        let ran = sandbox.run(format!("memo {command}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{command}");
    }
    for _ in 0..2 {
        assert_eq!(sandbox.ok("memo ./without a"), "ran a\n");
    }
}

#[test]
fn case_24_no_word_of_the_command_is_memos_own() {
    let sandbox = Sandbox::new();
    for word in ["--warm", "-v", "--refresh", "--", "-k", "--help", "-n", "--version", "clear"] {
        for _ in 0..2 {
            assert_eq!(sandbox.ok(&format!("memo puppet args {word} x")), format!("{word}\nx\n"));
        }
    }
}

#[test]
fn case_28_output_files_come_back() {
    let sandbox = Sandbox::new();
    for line in
        ["memo -o out sh -c 'echo made >out; puppet bump done'", "memo puppet write out made , bump done"]
    {
        let said = sandbox.ok(line);
        sandbox.ok("rm out");
        assert_eq!(sandbox.ok(line), said);
        assert_eq!(sandbox.read("out"), "made\n");
        sandbox.ok("rm out");
    }
}

#[test]
fn case_30_a_full_device_is_an_error_and_told() {
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        let ran = sandbox.run("memo echo x >/dev/full");
        assert_eq!((ran.code, ran.stderr.lines().count()), (125, 1), "{}", ran.stderr);
    }
}

#[test]
fn case_35_a_loop_keeps_its_lines() {
    let sandbox = Sandbox::new();
    for _ in 0..2 {
        assert_eq!(sandbox.ok("seq 4 | while read x; do memo echo $x; done"), "1\n2\n3\n4\n");
    }
}

#[test]
fn case_38_a_long_name_is_a_name() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(4000);
    for _ in 0..2 {
        let ran = sandbox.run(format!("memo -g {long} -k {long} puppet bump x"));
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "x #1\n", ""));
    }
}

#[test]
fn case_47_a_store_that_somebody_else_prepared_is_not_used() {
    let sandbox = Sandbox::new();
    sandbox.ok("memo puppet bump x");
    fs::set_permissions(sandbox.store(), PermissionsExt::from_mode(0o777)).unwrap();
    let ran = sandbox.run("memo puppet bump x");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "x #2\n"));
    assert!(ran.stderr.contains("memo: warning: "), "{}", ran.stderr);
}
