//! What `memo singleton` says of itself, of what was typed wrongly, and of what it would do.

use snapbox::{assert_data_eq, str};

use crate::sandbox::Sandbox;

/// Checks how a call ends that starts nothing, and that stderr has this.
#[track_caller]
fn check(line: &str, code: i32, said: &str) {
    let ran = Sandbox::new().run(line);
    assert_eq!(ran.code, code, "`{line}`: {}", ran.stderr);
    assert!(ran.stderr.contains(said), "`{line}`: {}", ran.stderr);
}

#[test]
fn help_of_memo_has_the_rule_of_thumb_once_under_both_verbs() {
    let help = Sandbox::new().ok("memo --help");
    assert_eq!(help.matches("keeps running").count(), 1);
    let [run, singleton, rule, ls] =
        ["\n  run ", "\n  singleton ", "It ends? memo. It keeps running?", "\n  ls "]
            .map(|text| help.find(text).unwrap_or_else(|| panic!("`{text}`: {help}")));
    assert!(run < singleton && singleton < rule && rule < ls);
}

#[test]
fn each_subcommand_has_help_by_three_ways() {
    let sandbox = Sandbox::new();
    // What has nothing more to say clap prints closer together.
    let words = |line: &str| sandbox.ok(line).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for name in memo::cli::singleton::SUBCOMMANDS {
        let help = words(&format!("memo singleton {name} --help"));
        assert!(help.join(" ").contains(&format!("Usage: memo singleton {name}")), "{help:?}");
        assert_eq!(words(&format!("memo help singleton {name}")), help);
        assert_eq!(words(&format!("memo singleton help {name}")), help);
    }
    let help = words("memo help singleton");
    assert_eq!(words("memo singleton --help"), help);
    assert_eq!(words("memo singleton help"), help);
    check("memo help singleton nosuch", 2, "has no subcommand `nosuch`");
    check("memo help ls nosuch", 2, "it takes no `nosuch`");
}

#[test]
fn subcommands_that_were_used_wrongly_exit_with_2_and_others_with_125() {
    let neither = "neither a name nor a command was given";
    for name in ["status", "stop", "restart", "logs", "wait", "id"] {
        check(&format!("memo singleton {name}"), 2, neither);
        check(
            &format!("memo singleton {name} --nosuch"),
            2,
            &format!("`memo singleton {name}` has no option"),
        );
        check(&format!("memo singleton {name} a/b"), 2, "is no name of a singleton");
        check(&format!("memo singleton {name} -- nosuch"), 2, "no such command");
    }
    check("memo singleton", 125, neither);
    check("memo singleton --nosuch x -- true", 125, "see `memo singleton --help`");
    check("memo singleton -- nosuch", 127, "no such command");
    check("memo singleton call", 125, neither);
    check("memo singleton run x", 125, "no command to run while the singleton is held");
    check("memo singleton stop nosuch", 0, "");
    check("memo singleton logs x -n abc", 2, "does not take `abc`: it is no number of lines");
    check("memo singleton status nosuch", 1, "is not running");
    check("memo singleton ls x", 2, "");
    check("memo singleton stop --everywhere", 2, "`--all` is missing: another option needs it");
}

#[test]
fn a_subcommand_is_no_name() {
    for name in memo::cli::singleton::SUBCOMMANDS.into_iter().chain(["help"]) {
        check(&format!("memo singleton -v {name} -- true"), 125, "it is one of the subcommands");
    }
}

#[test]
fn who_gave_no_command_is_not_told_that_one_would_be_started() {
    check("memo singleton x --no-start", 75, "`memo singleton x -- COMMAND` starts it");
    check("memo singleton x --no-start -- true", 75, "without `--no-start` it is started");
}

#[test]
fn options_of_the_other_verb_are_said_to_be_that() {
    check("memo singleton -o out -- true", 125, "`-o` belongs to `memo run`");
    check("memo singleton stop a b", 2, "hint: `memo singleton stop NAME [OPTIONS]`");
    check("memo singleton a b", 125, "`b`: a command stands behind `--`");
}

#[test]
fn a_subcommand_that_was_typed_wrongly_is_not_taken_for_a_name() {
    let session = Sandbox::new().steps(&[
        "memo singleton stats db",
        "memo singleton kill 'd b' -q",
        "memo singleton ps -a",
        "memo singleton list x",
        "memo singleton list",
        "memo singleton stauts",
        "memo singleton ls db",
        "memo singleton gc db",
        "memo singleton stop x y",
        "memo singleton call x y z",
        "memo singleton web sleep 10",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton stats db
memo: error: `memo singleton` has no subcommand `stats`
memo:   hint: did you mean `memo singleton status db`?
[exit 125]
$ memo singleton kill 'd b' -q
memo: error: `memo singleton` has no subcommand `kill`
memo:   hint: did you mean `memo singleton stop 'd b' -q`?
[exit 125]
$ memo singleton ps -a
memo: error: `memo singleton` has no subcommand `ps`
memo:   hint: did you mean `memo singleton ls -a`?
[exit 125]
$ memo singleton list x
memo: error: `memo singleton` has no subcommand `list`
memo:   hint: did you mean `memo singleton ls`?
[exit 125]
$ memo singleton list
memo: error: singleton `list` is not running
memo:   hint: `memo singleton list -- COMMAND` starts it
memo:   hint: did you mean `memo singleton ls`?
[exit 125]
$ memo singleton stauts
memo: error: singleton `stauts` is not running
memo:   hint: `memo singleton stauts -- COMMAND` starts it
memo:   hint: did you mean `memo singleton status NAME`?
[exit 125]
$ memo singleton ls db
memo: error: `db`: `memo singleton ls` takes no name
memo:   hint: `memo singleton ls [OPTIONS]`
[exit 2]
$ memo singleton gc db
memo: error: `db`: `memo singleton gc` takes no name
memo:   hint: `memo singleton gc [OPTIONS]`
[exit 2]
$ memo singleton stop x y
memo: error: `y`: `memo singleton stop` takes one name
memo:   hint: `memo singleton stop NAME [OPTIONS]`
[exit 2]
$ memo singleton call x y z
memo: error: `z`: `memo singleton call` takes one name and one request
memo:   hint: `memo singleton call [NAME [REQ]] [OPTIONS] [-- [VAR=VALUE]... COMMAND [ARG]...]`
[exit 125]
$ memo singleton web sleep 10
memo: error: `sleep`: a command stands behind `--`
memo:   hint: `memo singleton [NAME] [OPTIONS] -- [VAR=VALUE]... COMMAND [ARG]...`
[exit 125]

"#]]
    );
}

#[test]
fn hints_can_be_pasted() {
    let sandbox = Sandbox::new();
    sandbox.write("plain", "echo\n");
    let session = sandbox.steps(&[
        "memo singleton db -- cd /tmp",
        "memo singleton db -- -x",
        "memo singleton db -- ./plain",
        "memo singleton call db x -- cd /tmp",
        "memo singleton run db --exec cd /tmp",
        "memo ./plain",
        "memo singleton 'we b'",
        "memo singleton 'we b' -- sleep 1",
        "memo singleton ''",
        "memo singleton status ''",
    ]);
    assert_data_eq!(
        session,
        str![[r#"
$ memo singleton db -- cd /tmp
memo: error: cannot run `cd`: no such command
memo:   hint: is it a shell builtin or a function? try `-- sh -c '...'`
[exit 127]
$ memo singleton db -- -x
memo: error: cannot run `-x`: no such command
memo:   hint: memo's own options stand before `--`; see `memo --help`
[exit 127]
$ memo singleton db -- ./plain
memo: error: cannot run `./plain`: Permission denied
memo:   hint: `chmod +x ./plain`, or run it by its interpreter: `-- sh ./plain`
[exit 126]
$ memo singleton call db x -- cd /tmp
memo: error: cannot run `cd`: no such command
memo:   hint: is it a shell builtin or a function? try `-- sh -c '...'`
[exit 127]
$ memo singleton run db --exec cd /tmp
memo: error: cannot run `cd`: no such command
memo:   hint: is it a shell builtin or a function? try `--exec sh -c '...'`
[exit 127]
$ memo ./plain
memo: error: cannot run `./plain`: Permission denied
memo:   hint: `chmod +x ./plain`, or run it by its interpreter: `memo sh ./plain`
[exit 126]
$ memo singleton 'we b'
memo: error: `we b` is no name of a singleton: ` ` is none of the letters, digits, `_`, `.`, `-`
memo:   hint: a command stands behind `--`: `memo singleton -- 'we b'`
[exit 125]
$ memo singleton 'we b' -- sleep 1
memo: error: `we b` is no name of a singleton: ` ` is none of the letters, digits, `_`, `.`, `-`
[exit 125]
$ memo singleton ''
memo: error: `` is no name of a singleton: a name has at least one character
[exit 125]
$ memo singleton status ''
memo: error: `` is no name of a singleton: a name has at least one character
[exit 2]

"#]]
    );
}

#[test]
fn what_could_never_be_is_refused() {
    let itself = "`--dep-singleton a`: a singleton cannot depend on itself; the command was not run";
    for words in ["a", "call a x", "run a", "why a"] {
        let exec = if words == "run a" { "--exec true" } else { "" };
        check(&format!("memo singleton {words} --dep-singleton a -- cat {exec}"), 125, itself);
    }
    check("memo singleton a --timeout 0 -- cat", 125, "`--timeout 0`: nobody could answer in that time");
}

#[test]
fn why_says_what_asking_would_do() {
    let sandbox = Sandbox::new();
    let why = |options: &str| {
        let ran = sandbox.run(format!("memo singleton why x {options} -- cat"));
        (ran.code, ran.stdout)
    };
    let said = |what: &str| format!("singleton `x` would be {what}\n");
    assert_eq!(why(""), (1, said("started") + "  not-running\n"));
    sandbox.ok("memo singleton x --framing line -- cat");
    assert_eq!(why(""), (0, said("used")));
    assert_eq!(why("--framing line"), (0, said("used")));
    assert_eq!(why("--framing json"), (1, said("replaced") + "  framing\n"));
    assert_eq!(why("--ready-cmd true"), (1, said("replaced") + "  readiness\n"));
    let later = sandbox.run("MEMO_TEST_NOW=99999 memo singleton why x --ttl 1h -- cat");
    assert_eq!((later.code, later.stdout), (1, said("replaced") + "  expired\n"));
    assert_eq!(why("-k a"), (1, said("replaced") + "  key-text\n"));
}
