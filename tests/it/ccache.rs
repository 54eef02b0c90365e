//! The cases of ccache's suites `base` and `config`, by their names, as far as they concern memo. What is
//! specific to compilers (preprocessing, sloppiness, `-MD`) is left to the tests of depfiles.

use std::os::unix::fs::PermissionsExt;

use crate::check::{check_does_not_matter, check_matters, check_same_in, hits, runs_once, world};
use crate::sandbox::{EARLY, LATE, Sandbox};

const COMPILE: &str = "memo -v -o test1.o cc -c test1.c -o test1.o";

/// Returns a sandbox with a source file.
fn source(now: &str) -> Sandbox {
    let sandbox = Sandbox::at(now);
    sandbox.write("test1.c", "int test1(void) { return 1; }\n");
    sandbox
}

/// Runs a line and returns whether it was a hit. Both ways it must end with 0.
#[track_caller]
fn hit(sandbox: &Sandbox, line: &str) -> bool {
    let ran = sandbox.run(line);
    assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
    ran.is_hit()
}

#[test]
fn base_case() {
    for now in [EARLY, LATE] {
        let sandbox = source(now);
        sandbox.ok("cc -c test1.c -o reference.o");
        assert!(!hit(&sandbox, COMPILE));
        sandbox.ok("rm test1.o");
        assert!(hit(&sandbox, COMPILE));
        sandbox.ok("cmp reference.o test1.o");
        sandbox.write("test1.c", "int test1(void) { return 2; }\n");
        assert!(!hit(&sandbox, COMPILE));
        sandbox.write("test1.c", "int test1(void) { return 1; }\n");
        assert!(hit(&sandbox, COMPILE), "both are kept");
        sandbox.ok("cmp reference.o test1.o");
    }
}

#[test]
fn ccache_ccache_gcc() {
    let sandbox = source(EARLY);
    let twice = "memo memo cc -c test1.c -o test1.o";
    sandbox.ok(twice);
    sandbox.ok("test -s test1.o && rm test1.o");
    sandbox.ok(twice);
    sandbox.ok("test -s test1.o");
}

#[test]
fn could_not_find_the_compiler() {
    let sandbox = source(EARLY);
    assert_eq!(sandbox.run("memo nosuchcc -c test1.c").code, 127);
    assert_eq!(sandbox.run("memo ./test1.c").code, 126);
}

#[test]
fn output_to_file_in_nonexistent_directory() {
    let sandbox = source(EARLY);
    let without = sandbox.run("cc -c test1.c -o out/test1.o");
    for _ in 0..2 {
        let ran = sandbox.run("memo cc -c test1.c -o out/test1.o");
        assert_eq!((ran.code, ran.stdout, ran.stderr), (without.code, String::new(), without.stderr.clone()));
    }
    assert_eq!(sandbox.manifests(), 0);
}

#[test]
fn lang() {
    let ran = |sandbox: &Sandbox, lang: &str| hit(sandbox, &format!("LANG={lang} {COMPILE}"));
    let sandbox = source(EARLY);
    assert!(!ran(&sandbox, "C"));
    assert!(ran(&sandbox, "C"));
    assert!(!ran(&sandbox, "sv_SE"));
}

#[test]
fn ccache_disable() {
    let sandbox = source(EARLY);
    let off = format!("MEMO_MODE=off {COMPILE}");
    assert!(!hit(&sandbox, &off) && !hit(&sandbox, &off));
    assert_eq!(sandbox.manifests(), 0);
    user(&sandbox, "mode = 'off'\n");
    assert!(!hit(&sandbox, COMPILE) && !hit(&sandbox, COMPILE));
    assert!(!hit(&sandbox, &format!("MEMO_MODE=on {COMPILE}")));
    assert!(hit(&sandbox, &format!("MEMO_MODE=on {COMPILE}")));
}

#[test]
fn ccache_recache() {
    let sandbox = source(EARLY);
    assert!(!hit(&sandbox, COMPILE));
    assert!(!hit(&sandbox, &format!("MEMO_MODE=refresh {COMPILE}")));
    assert!(hit(&sandbox, COMPILE));
}

#[test]
fn ccache_nohashdir() {
    check_same_in(
        |sandbox| _ = sandbox.ok("mkdir a b; ln bump a; ln bump b"),
        "cd a; memo --no-cwd --no-exe $OLDPWD/bump",
        "cd b; memo --no-cwd --no-exe $OLDPWD/bump",
    );
}

#[test]
fn ccache_extrafiles() {
    let files = |sandbox: &Sandbox| {
        sandbox.write("a", "a\n");
        sandbox.write("b", "b\n");
        sandbox.write("memo.toml", "[[rule]]\nmatch = '*'\ninput = ['a', 'b']\n");
    };
    check_matters(files, "memo ./bump", |sandbox| sandbox.write("b", "b2\n"));
    check_matters(files, "memo ./bump", |sandbox| sandbox.write("a", "a2\n"));
}

#[test]
fn ccache_compilercheck_content() {
    check_matters(
        |_| {},
        "memo ./bump",
        |sandbox| {
            sandbox.script("bump", "#!/bin/sh\necho . >>$RUNS # other\n");
        },
    );
    check_does_not_matter(|_| {}, "memo ./bump", |sandbox| _ = sandbox.ok("touch bump"));
}

#[test]
fn ccache_compilercheck_none() {
    check_does_not_matter(
        |_| {},
        "memo --no-exe ./bump",
        |sandbox| {
            sandbox.script("bump", "#!/bin/sh\necho . >>$RUNS # other\n");
        },
    );
}

#[test]
fn ccache_compilercheck_string() {
    crate::check::check_differ("memo --no-exe -k cc=foo ./bump", "memo --no-exe -k cc=bar ./bump");
}

#[test]
fn ccache_compilercheck_command() {
    let line = "memo --no-exe --key-cmd 'cc=cat version' ./bump";
    let version = |sandbox: &Sandbox| sandbox.write("version", "1\n");
    check_matters(version, line, |sandbox| sandbox.write("version", "2\n"));
}

#[test]
fn ccache_compilercheck_unknown_command() {
    let sandbox = world(EARLY);
    let ran = sandbox.run("memo --key-cmd cc=unknown_command ./bump");
    assert_eq!((ran.code, sandbox.runs()), (125, 0), "{}", ran.stderr);
    // From a rule, it is no fault of the call's.
    user(&sandbox, "[[rule]]\nmatch = './bump'\nkey-cmd = 'cc=unknown_command'\n");
    let ran = sandbox.run("memo ./bump");
    assert_eq!((ran.code, sandbox.runs(), sandbox.manifests()), (0, 1, 0), "{}", ran.stderr);
}

#[test]
fn failure_to_write_output_file() {
    let sandbox = source(EARLY);
    sandbox.ok("mkdir out; chmod 777 .");
    let line = "memo cc -c test1.c -o out/test1.o";
    sandbox.run_unprivileged(line);
    let ran = sandbox.run_unprivileged(&format!("rm out/test1.o; chmod 555 out; {line}"));
    assert_ne!(ran.code, 0, "{}", ran.stderr);
    assert!(!sandbox.path("out/test1.o").exists());
}

#[test]
fn output_to_dev_null() {
    let sandbox = source(EARLY);
    let line = "memo cc -c test1.c -o /dev/null";
    sandbox.ok(line);
    sandbox.ok(line);
    sandbox.ok("test -c /dev/null");
}

#[test]
fn empty_object_file() {
    let sandbox = Sandbox::new();
    let line = "memo -v sh -c ': >test.o' test.o";
    assert!(!hit(&sandbox, line));
    sandbox.ok("rm test.o");
    assert!(hit(&sandbox, line));
    assert_eq!(std::fs::metadata(sandbox.path("test.o")).unwrap().len(), 0);
}

#[test]
fn caching_stderr() {
    let sandbox = source(EARLY);
    sandbox.write("warns.c", "int f(int x) { if (x) { int unused; } return 0; }\n");
    let line = "memo cc -Wall -W -c warns.c -o warns.o";
    let first = sandbox.run(line);
    assert!(first.stderr.contains("unused"), "{}", first.stderr);
    sandbox.ok("rm warns.o");
    assert_eq!(sandbox.run(line.replace("memo", "memo --only-cached")), first);
}

#[test]
fn caching_stdout_and_stderr() {
    let sandbox = Sandbox::new();
    let line = "memo sh -c 'echo out; echo err >&2'";
    let first = sandbox.run(line);
    assert_eq!((first.stdout.as_str(), first.stderr.as_str()), ("out\n", "err\n"));
    assert_eq!(sandbox.run(line.replace("memo", "memo --only-cached")), first);
}

#[test]
fn ccache_umask() {
    let sandbox = source(EARLY);
    assert!(!hit(&sandbox, &format!("umask 022; {COMPILE}")));
    sandbox.ok("rm test1.o");
    assert!(hit(&sandbox, &format!("umask 077; {COMPILE}")));
    let mode = std::fs::metadata(sandbox.path("test1.o")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The store is for the user alone, whatever the mask is.
    assert_eq!(std::fs::metadata(sandbox.store()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn environment_origin() {
    let sandbox = Sandbox::new();
    user(&sandbox, "max-size = '75'\n");
    let shown = sandbox.ok("MEMO_MAX_SIZE=40 memo config");
    assert!(shown.contains("max-size = \"40\"  # MEMO_MAX_SIZE\n"), "{shown}");
    assert!(sandbox.ok("memo config").contains("max-size = \"75\"  # "));
}

#[test]
fn invalid_environment_value() {
    // ccache ends with an error; memo warns, and the command runs.
    let sandbox = world(EARLY);
    let ran = sandbox.run("MEMO_RELOCATABLE=yes memo ./bump");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, " #1\n"));
    assert_eq!(
        ran.stderr,
        "memo: warning: MEMO_RELOCATABLE: `yes` is neither true nor false\nmemo:   hint: for example: `relocatable = true`\n"
    );
    runs_once(&sandbox, "MEMO_RELOCATABLE= memo ./bump x");
    hits(&sandbox, "memo ./bump x");
}

fn user(sandbox: &Sandbox, text: &str) {
    sandbox.write("../home/.config/memo/config.toml", text);
}
