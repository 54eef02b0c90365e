//! Completions in real shells: names that only the store and the singletons know.

use std::fs;
use std::path::Path;

use crate::check::world;
use crate::sandbox::{EARLY, Sandbox};

/// A world with two entries in two groups; returns their keys as they are completed, the newest first.
fn recorded() -> (Sandbox, [String; 2]) {
    let sandbox = world(EARLY);
    sandbox.ok("MEMO_TEST_NOW=100 memo -g build ./bump a; MEMO_TEST_NOW=200 memo -g bench ./bump b");
    let list = sandbox.ok("memo ls --json");
    let keys: Vec<String> = list.lines().map(|line| line[8..16].to_owned()).collect();
    (sandbox, keys.try_into().unwrap())
}

fn is_there(shell: &str) -> bool {
    let there =
        ["/bin", "/usr/bin", "/usr/local/bin"].iter().any(|place| Path::new(place).join(shell).exists());
    if !there {
        eprintln!("skipped: there is no {shell}");
    }
    there
}

/// Checks what a shell offers for command lines that end where the cursor is.
#[track_caller]
fn check(sandbox: &Sandbox, keys: &[String; 2], offered: impl Fn(&str) -> Vec<String>) {
    let [new, old] = keys;
    let cases: [(&str, &[&str]); 9] = [
        ("memo show ", &[new, old]),
        (&format!("memo show {}", &old[..3]), &[old]),
        (&format!("memo clear --yes {}", &new[..5]), &[new]),
        ("memo show zz", &[]),
        ("memo ls -g be", &["bench"]),
        ("memo clear --group b", &["bench", "build"]),
        ("memo stats -g bu", &["build"]),
        ("memo -g ben", &["bench"]),
        ("memo run --ttl 1h -g bu", &["build"]),
    ];
    for (line, expected) in cases {
        assert_eq!(offered(line), expected, "{line}");
    }
    assert!(offered("memo show --col").iter().any(|word| word == "--color"));
    // Somebody presses a key where nothing was recorded, or where the store cannot be used.
    fs::remove_dir_all(sandbox.store()).unwrap();
    assert_eq!(offered("memo show "), [""; 0]);
    fs::write(sandbox.store(), "no directory").unwrap();
    assert_eq!(offered("memo ls -g "), [""; 0]);
}

/// Runs a script with a command line as its first argument; returns what it printed. It may print nothing else.
#[track_caller]
fn lines(sandbox: &Sandbox, shell: &[&str], line: &str) -> Vec<String> {
    let output = sandbox.command(shell[0]).args(&shell[1..]).arg(line).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

const BASH: &str = r#"
    source <(memo completions bash)
    read -ra COMP_WORDS <<<"$1"
    [[ $1 != *" " ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _memo_or_command memo "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\n' "${COMPREPLY[@]}"
"#;

#[test]
fn bash_offers_keys_and_groups() {
    if !is_there("bash") {
        return;
    }
    let (sandbox, keys) = recorded();
    let offered = |line: &str| lines(&sandbox, &["bash", "--norc", "-c", BASH, "bash"], line);
    // Bash takes `=` for a word of its own.
    assert_eq!(offered("memo ls --group = bu"), ["build"]);
    assert_eq!(offered("memo ls --group ="), ["bench", "build"]);
    assert_eq!(offered("memo clear -- xx"), [""; 0]);
    check(&sandbox, &keys, offered);
}

// Outside of its line editor zsh has no completion: what our functions are given and call stands in for it.
const ZSH: &str = r#"
    compdef() { }
    _memo() { [[ $PREFIX != -* || $words[3] == web ]] || print -l -- --color --ready-http }
    _normal() { [[ $CURRENT != 1 ]] || print -- puppet }
    compset() { PREFIX=${PREFIX#$2} }
    _describe() { local names=("${(@P)${@[-1]}}"); print -l -- ${names%%:*} }
    functions[loaded]=$functions[_memo]
    eval "$(memo completions zsh)"
    functions[_memo]=$functions[loaded]
    words=("${(@s: :)1}")
    CURRENT=$#words PREFIX=$words[-1]
    _memo_or_command
"#;

fn of_zsh(sandbox: &Sandbox, line: &str) -> Vec<String> {
    let offered = lines(sandbox, &["zsh", "-f", "-c", ZSH, "zsh"], line);
    // What it is given it narrows down by itself.
    let begun = line.rsplit([' ', '=']).next().unwrap().to_owned();
    offered.into_iter().filter(|word| word.starts_with(&begun)).collect()
}

#[test]
fn zsh_offers_keys_and_groups() {
    if !is_there("zsh") {
        return;
    }
    let (sandbox, keys) = recorded();
    let offered = |line: &str| of_zsh(&sandbox, line);
    assert_eq!(offered("memo ls --group=bu"), ["build"]);
    check(&sandbox, &keys, offered);
}

fn of_fish(sandbox: &Sandbox, line: &str) -> Vec<String> {
    let script = "memo completions fish | source; complete -C $argv[1]";
    let mut offered = lines(sandbox, &["fish", "--no-config", "-c", script], line);
    for word in &mut offered {
        word.truncate(word.find('\t').unwrap_or(word.len()));
    }
    offered
}

#[test]
fn fish_offers_keys_and_groups() {
    if !is_there("fish") {
        return;
    }
    let (sandbox, keys) = recorded();
    let offered = |line: &str| of_fish(&sandbox, line);
    assert_eq!(offered("memo ls --group=bu"), ["--group=build"]);
    assert_eq!(offered("memo clear -- xx"), [""; 0]);
    check(&sandbox, &keys, offered);
}

/// A world with two singletons in the project and one that is good everywhere. They end with their directory.
fn with_singletons() -> Sandbox {
    let sandbox = Sandbox::new();
    for what in ["web", "worker", "--global tunnel"] {
        sandbox.ok(&format!("memo singleton {what} --framing line -- cat"));
    }
    sandbox
}

/// Checks what a shell offers behind `memo singleton`.
#[track_caller]
fn check_singletons(offered: impl Fn(&str) -> Vec<String>) {
    let cases: [(&str, &[&str]); 18] = [
        ("memo singleton w", &["wait", "web", "why", "worker"]),
        ("memo singleton stop ", &["web", "worker"]),
        ("memo singleton stop wo", &["worker"]),
        ("memo singleton stop web ", &[]),
        ("memo singleton status --global ", &["tunnel"]),
        ("memo singleton ls ", &[]),
        ("memo singleton logs -n 3 we", &["web"]),
        ("memo singleton call web ", &[]),
        ("memo singleton b --dep-singleton t", &["tunnel"]),
        ("memo --dep-singleton ", &["tunnel", "web", "worker"]),
        ("memo singleton web -- pupp", &["puppet"]),
        ("memo singleton -- pupp", &["puppet"]),
        ("memo singleton run web --exec pupp", &["puppet"]),
        ("memo singleton why web --timeout 3s -- pupp", &["puppet"]),
        ("memo singleton web --ready-ht", &["--ready-http"]),
        ("memo singleton ls --dep", &[]),
        ("memo singleton ls --exe", &[]),
        ("memo singleton stop web --exe", &[]),
    ];
    for (line, expected) in cases {
        let mut offered = offered(line);
        offered.sort();
        assert_eq!(offered, expected, "{line}");
    }
}

#[test]
fn bash_offers_singletons() {
    if is_there("bash") {
        let sandbox = with_singletons();
        let offered = |line: &str| lines(&sandbox, &["bash", "--norc", "-c", BASH, "bash"], line);
        assert_eq!(offered("memo singleton web -- A = 1 pupp"), ["puppet"]);
        assert_eq!(offered("memo singleton b --dep-singleton = we"), ["web"]);
        check_values(offered);
        check_singletons(offered);
    }
}

/// Checks what a shell offers behind options; of zsh only what is not clap's can be seen here.
#[track_caller]
fn check_values(offered: impl Fn(&str) -> Vec<String>) {
    let cases: [(&str, &[&str]); 4] = [
        ("memo singleton --framing ", &["json", "line", "lsp"]),
        ("memo singleton call web --framing l", &["line", "lsp"]),
        ("memo singleton web --port ", &["auto"]),
        ("memo singleton run web --exe", &["--exec"]),
    ];
    for (line, expected) in cases {
        let mut offered = offered(line);
        offered.sort();
        assert_eq!(offered, expected, "{line}");
    }
}

/// What bash-completion has for the command behind `memo` moves the cursor's word.
#[test]
fn bash_offers_subcommands_beside_commands() {
    if is_there("bash") {
        let sandbox = Sandbox::new();
        let script = format!("_command_offset() {{ ((COMP_CWORD -= $1)); COMPREPLY=(singly); }}\n{BASH}");
        let offered = |line: &str| lines(&sandbox, &["bash", "--norc", "-c", &script, "bash"], line);
        assert_eq!(offered("memo sing"), ["singly", "singleton"]);
        assert_eq!(offered("memo -v sing"), ["singly"]);
    }
}

#[test]
fn zsh_offers_singletons() {
    if is_there("zsh") {
        let sandbox = with_singletons();
        assert_eq!(of_zsh(&sandbox, "memo singleton web -- A=1 pupp"), ["puppet"]);
        assert_eq!(of_zsh(&sandbox, "memo singleton b --dep-singleton=we"), ["web"]);
        check_singletons(|line| of_zsh(&sandbox, line));
    }
}

#[test]
fn fish_offers_singletons() {
    if is_there("fish") {
        let sandbox = with_singletons();
        assert_eq!(of_fish(&sandbox, "memo singleton web -- A=1 pupp"), ["puppet"]);
        assert_eq!(of_fish(&sandbox, "memo singleton b --dep-singleton=we"), ["--dep-singleton=web"]);
        check_values(|line| of_fish(&sandbox, line));
        check_singletons(|line| of_fish(&sandbox, line));
    }
}

#[test]
fn names_of_singletons_come_with_their_commands() {
    let sandbox = Sandbox::new();
    let listed = |kind: &str| sandbox.ok(&format!("memo completions --list {kind}"));
    assert_eq!(listed("singletons"), "");
    assert!(!sandbox.store().join("singleton").exists(), "nothing is made by pressing a key");
    sandbox.ok("memo singleton web --framing line -- A=1 cat");
    sandbox.ok("memo singleton --framing line -- cat && memo singleton stop web");
    let shown = listed("singletons");
    let (unnamed, web) = shown.split_once('\n').unwrap();
    assert!(unnamed.starts_with('@') && unnamed.ends_with("\tcat"), "{shown}");
    assert_eq!(web, "web\t(not running)\n");
    assert_eq!(listed("singletons we"), web);
    assert_eq!(listed("global-singletons"), "");
    assert_eq!(listed("any-singletons"), shown);
}
