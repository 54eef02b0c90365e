//! Completions in real shells: names that only the store knows.

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

#[test]
fn bash_offers_keys_and_groups() {
    if !is_there("bash") {
        return;
    }
    let (sandbox, keys) = recorded();
    let script = r#"
        source <(memo completions bash)
        read -ra COMP_WORDS <<<"$1"
        [[ $1 != *" " ]] || COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _memo_or_command memo "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let offered = |line: &str| lines(&sandbox, &["bash", "--norc", "-c", script, "bash"], line);
    // Bash takes `=` for a word of its own.
    assert_eq!(offered("memo ls --group = bu"), ["build"]);
    assert_eq!(offered("memo ls --group ="), ["bench", "build"]);
    assert_eq!(offered("memo clear -- xx"), [""; 0]);
    check(&sandbox, &keys, offered);
}

#[test]
fn zsh_offers_keys_and_groups() {
    if !is_there("zsh") {
        return;
    }
    let (sandbox, keys) = recorded();
    // Outside of its line editor zsh has no completion: what our functions are given and call stands in for it.
    let script = r#"
        compdef() { }
        _memo() { [[ $PREFIX != -* ]] || print -- --color }
        compset() { PREFIX=${PREFIX#$2} }
        _describe() { local names=("${(@P)3}"); print -l -- ${names%%:*} }
        functions[loaded]=$functions[_memo]
        eval "$(memo completions zsh)"
        functions[_memo]=$functions[loaded]
        words=("${(@s: :)1}")
        CURRENT=$#words PREFIX=$words[-1]
        _memo_or_command
    "#;
    let offered = |line: &str| {
        let offered = lines(&sandbox, &["zsh", "-f", "-c", script, "zsh"], line);
        // What it is given it narrows down by itself.
        let begun = line.rsplit([' ', '=']).next().unwrap().to_owned();
        offered.into_iter().filter(|word| word.starts_with(&begun)).collect::<Vec<_>>()
    };
    assert_eq!(offered("memo ls --group=bu"), ["build"]);
    check(&sandbox, &keys, offered);
}

#[test]
fn fish_offers_keys_and_groups() {
    if !is_there("fish") {
        return;
    }
    let (sandbox, keys) = recorded();
    let script = "memo completions fish | source; complete -C $argv[1]";
    let offered = |line: &str| {
        let mut offered = lines(&sandbox, &["fish", "--no-config", "-c", script], line);
        for word in &mut offered {
            word.truncate(word.find('\t').unwrap_or(word.len()));
        }
        offered
    };
    assert_eq!(offered("memo ls --group=bu"), ["--group=build"]);
    assert_eq!(offered("memo clear -- xx"), [""; 0]);
    check(&sandbox, &keys, offered);
}
