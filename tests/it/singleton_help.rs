//! What `memo singleton` says of itself, of what was typed wrongly, and of what it would do.

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
    check("memo singleton stop a b", 2, "`memo singleton stop NAME [OPTIONS]`");
    check("memo singleton a b", 125, "`b`: a command stands behind `--`");
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
