//! The cases of just's `tests/cache.rs`, by their names, as far as they concern memo: what a recipe is
//! there is a command here, its attributes are options or a rule of `memo.toml`.
//!
//! Where memo means something else the case says what: a missing output is put back instead of made anew.

use crate::check::{check_differ, check_differ_in, check_matters, check_same_in, hits, runs_once, world};
use crate::sandbox::{EARLY, Sandbox};

fn writes(name: &'static str, content: &'static str) -> impl Fn(&Sandbox) {
    move |sandbox| sandbox.write(name, content)
}

/// Writes a rule for `./bump`, which is the recipe.
fn rule(sandbox: &Sandbox, attributes: &str) {
    sandbox.write("memo.toml", format!("[[rule]]\nmatch = './bump'\n{attributes}\n"));
}

#[test]
fn hit_skips_execution() {
    let sandbox = world(EARLY);
    runs_once(&sandbox, "memo ./bump");
    hits(&sandbox, "memo ./bump");
}

#[test]
fn body_change_invalidates_cache() {
    check_matters(
        |_| {},
        "memo ./bump",
        |sandbox| sandbox.script("bump", "#!/bin/sh\necho . >>$RUNS; echo baz\n"),
    );
}

#[test]
fn different_recipes_do_not_share_entries() {
    check_differ_in(|sandbox| _ = sandbox.ok("cp bump bob"), "memo ./bump", "memo ./bob");
}

#[test]
fn positional_arguments_invalidate_cache() {
    check_differ("memo ./bump bar", "memo ./bump baz");
}

#[test]
fn environment_invalidates_cache() {
    let exported = |sandbox: &Sandbox| rule(sandbox, "env = ['value']");
    check_differ_in(exported, "value=bar memo ./bump", "value=baz memo ./bump");
}

#[test]
fn unexported_variable_does_not_invalidate_cache() {
    check_same_in(|_| {}, "value=bar memo ./bump", "value=baz memo ./bump");
}

#[test]
fn interpreter_invalidates_cache() {
    check_differ("memo sh -eu ./bump", "memo sh -u ./bump");
}

#[test]
fn working_directory_invalidates_cache() {
    let two = |sandbox: &Sandbox| _ = sandbox.ok("mkdir a b");
    check_differ_in(two, "cd a; memo ../bump", "cd b; memo ../bump");
}

#[test]
fn current_directory_invalidates_cache() {
    let two = |sandbox: &Sandbox| _ = sandbox.ok("mkdir a b");
    check_differ_in(two, "cd a; memo \"$OLDPWD/bump\"", "cd b; memo \"$OLDPWD/bump\"");
}

#[test]
fn extra_invalidates_cache() {
    for now in [EARLY, crate::sandbox::LATE] {
        let sandbox = world(now);
        rule(&sandbox, "key = 'a'");
        runs_once(&sandbox, "memo ./bump");
        rule(&sandbox, "key = 'b'");
        runs_once(&sandbox, "memo ./bump");
    }
}

#[test]
fn input_invalidates_cache() {
    let prepare = |sandbox: &Sandbox| {
        rule(sandbox, "input = 'foo'");
        sandbox.write("foo", "a");
    };
    check_matters(prepare, "memo ./bump", writes("foo", "b"));
}

#[test]
fn multiple_inputs_invalidate_cache() {
    let prepare = |sandbox: &Sandbox| {
        rule(sandbox, "input = ['foo', 'baz']");
        sandbox.write("foo", "a");
        sandbox.write("baz", "a");
    };
    check_matters(prepare, "memo ./bump", writes("baz", "b"));
    check_matters(prepare, "memo ./bump", writes("foo", "b"));
}

#[test]
fn input_expression_evaluated_with_arguments() {
    check_matters(writes("foo", "a"), "memo ./bump foo", writes("foo", "b"));
}

#[test]
fn symlink_to_file_is_followed() {
    let link = |sandbox: &Sandbox| {
        rule(sandbox, "input = 'link'");
        sandbox.write("foo", "a");
        sandbox.ok("ln -s foo link");
    };
    check_matters(link, "memo ./bump", writes("foo", "b"));
}

#[test]
fn missing_input_is_an_error() {
    // Of a call; of a rule it is a warning, and the command runs.
    let sandbox = world(EARLY);
    let ran = sandbox.run("memo -i foo ./bump");
    assert_eq!((ran.code, sandbox.runs()), (125, 0));
    rule(&sandbox, "input = 'foo'");
    let ran = sandbox.run("memo ./bump");
    assert_eq!((ran.code, sandbox.runs(), sandbox.manifests()), (0, 1, 0));
    assert!(ran.stderr.contains("`foo`, which a rule declares: No such file or directory"), "{}", ran.stderr);
}

#[test]
fn directory_input_is_the_tree_below_it() {
    let prepare = |sandbox: &Sandbox| {
        rule(sandbox, "input = 'foo'");
        sandbox.write("foo/a", "a");
        sandbox.ok("ln -s foo link");
    };
    check_matters(prepare, "memo ./bump", writes("foo/a", "b"));
    check_matters(prepare, "memo -i link ./bump x", writes("foo/b", ""));
}

/// Returns a world in which a rule declares what `sh -c` makes.
fn makes(outputs: &str) -> Sandbox {
    let sandbox = world(EARLY);
    sandbox.write("memo.toml", format!("[[rule]]\nmatch = 'sh -c'\noutput = {outputs}\n"));
    sandbox
}

#[test]
fn missing_output_is_put_back() {
    let sandbox = makes("'foo'");
    let line = "memo sh -c './bump; echo x >foo'";
    runs_once(&sandbox, line);
    sandbox.ok("rm foo");
    hits(&sandbox, line);
    assert_eq!(sandbox.read("foo"), "x\n");
}

#[test]
fn output_expression_evaluated_with_arguments() {
    let sandbox = world(EARLY);
    let line = "memo -o foo sh -c './bump; echo x >$0' foo";
    runs_once(&sandbox, line);
    sandbox.ok("rm foo");
    hits(&sandbox, line);
    assert_eq!(sandbox.read("foo"), "x\n");
}

#[test]
fn multiple_outputs() {
    let sandbox = makes("['foo', 'baz']");
    let line = "memo sh -c './bump; echo x >foo; echo y >baz'";
    runs_once(&sandbox, line);
    sandbox.ok("rm baz");
    hits(&sandbox, line);
    assert_eq!((sandbox.read("foo"), sandbox.read("baz")), ("x\n".to_owned(), "y\n".to_owned()));
}

#[test]
fn outputs_of_a_project_resolve_against_its_directory() {
    let sandbox = makes("'sub/foo'");
    sandbox.ok("mkdir sub");
    let line = "cd sub; memo sh -c '../bump; echo x >foo'";
    runs_once(&sandbox, line);
    sandbox.ok("rm sub/foo");
    hits(&sandbox, line);
    assert_eq!(sandbox.read("sub/foo"), "x\n");
}

#[test]
fn missing_output_after_run_is_not_recorded() {
    let sandbox = makes("'foo'");
    crate::check::is_not_recorded(&sandbox, "memo -v sh -c ./bump", "output-missing: `foo`");
}

#[test]
fn hit_prints_verbose_message() {
    let sandbox = world(EARLY);
    sandbox.ok("memo ./bump");
    let ran = sandbox.run("memo -v ./bump");
    assert!(ran.is_hit(), "{}", ran.stderr);
    assert_eq!(sandbox.run("memo ./bump").stderr, "");
}
