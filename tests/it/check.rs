//! Checks that many themes share: is this call the same as that one, and does this change matter?
//!
//! Each runs in two worlds: one in which no stat identity is trusted, so that everything is hashed, and
//! one in which all are. What runs is counted by `bump`, a script of the working directory.

use crate::sandbox::{EARLY, LATE, Ran, Sandbox};

/// Prints its words and how often it has really run.
const BUMP: &str = r#"#!/bin/sh
echo . >>"$RUNS"; echo "$* #$(wc -l <"$RUNS" | tr -d ' ')"
"#;

/// Returns a sandbox with `bump` in its working directory.
pub fn world(now: &str) -> Sandbox {
    let sandbox = Sandbox::at(now);
    sandbox.script("bump", BUMP);
    sandbox
}

/// Does the same in both worlds.
pub fn in_both_worlds(check: impl Fn(&Sandbox)) {
    for now in [EARLY, LATE] {
        check(&world(now));
    }
}

/// The next call must run, and a third like it must not.
#[track_caller]
pub fn runs_once(sandbox: &Sandbox, line: &str) -> Ran {
    let before = sandbox.runs();
    let ran = sandbox.run(line);
    assert_eq!(sandbox.runs(), before + 1, "`{line}` was to run: {}{}", ran.stdout, ran.stderr);
    let again = hits(sandbox, line);
    assert_eq!((again.code, &again.stdout), (ran.code, &ran.stdout), "`{line}` was replayed otherwise");
    ran
}

/// The next call must be answered from the store.
#[track_caller]
pub fn hits(sandbox: &Sandbox, line: &str) -> Ran {
    let before = sandbox.runs();
    let ran = sandbox.run(line);
    assert_eq!(sandbox.runs(), before, "`{line}` was to be a hit: {}{}", ran.stdout, ran.stderr);
    ran
}

/// The call must run each time, with this reason for not being recorded.
#[track_caller]
pub fn is_not_recorded(sandbox: &Sandbox, line: &str, why: &str) {
    for _ in 0..2 {
        let before = sandbox.runs();
        let ran = sandbox.run(line);
        assert_eq!(sandbox.runs(), before + 1, "`{line}` was to run: {}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.unrecorded(), Some(why), "`{line}`: {}", ran.stderr);
    }
}

/// Two lines call the same.
#[track_caller]
pub fn check_same(a: &str, b: &str) {
    check_same_in(|_| {}, a, b);
}

/// Two lines call the same in a world that was prepared.
#[track_caller]
pub fn check_same_in(prepare: impl Fn(&Sandbox), a: &str, b: &str) {
    for now in [EARLY, LATE] {
        let sandbox = world(now);
        prepare(&sandbox);
        let first = runs_once(&sandbox, a);
        let second = hits(&sandbox, b);
        assert_eq!(first.stdout, second.stdout);
    }
}

/// Two lines call something different, and both are kept.
#[track_caller]
pub fn check_differ(a: &str, b: &str) {
    check_differ_in(|_| {}, a, b);
}

/// Two lines call something different in a world that was prepared.
#[track_caller]
pub fn check_differ_in(prepare: impl Fn(&Sandbox), a: &str, b: &str) {
    for now in [EARLY, LATE] {
        let sandbox = world(now);
        prepare(&sandbox);
        let first = runs_once(&sandbox, a);
        runs_once(&sandbox, b);
        assert_eq!(hits(&sandbox, a).stdout, first.stdout);
    }
}

/// A change makes the call run again, and undoing nothing, it is recorded anew.
#[track_caller]
pub fn check_matters(prepare: impl Fn(&Sandbox), line: &str, change: impl Fn(&Sandbox)) {
    for now in [EARLY, LATE] {
        let sandbox = world(now);
        prepare(&sandbox);
        runs_once(&sandbox, line);
        change(&sandbox);
        runs_once(&sandbox, line);
    }
}

/// A change makes no difference to the call.
#[track_caller]
pub fn check_does_not_matter(prepare: impl Fn(&Sandbox), line: &str, change: impl Fn(&Sandbox)) {
    for now in [EARLY, LATE] {
        let sandbox = world(now);
        prepare(&sandbox);
        runs_once(&sandbox, line);
        change(&sandbox);
        hits(&sandbox, line);
    }
}
