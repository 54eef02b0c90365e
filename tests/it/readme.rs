//! The README: every command line in it is run, in order, and must print what stands there.

use crate::sandbox::Sandbox;

const README: &str = include_str!("../../README.md");

/// Lines that build memo. They cannot be run here, inside a build of memo, without waiting for it; each is
/// held to what it rests on by `lines_that_build_memo_are_right`.
const BUILDING: [&str; 4] = [
    "cargo run --release --locked -- sh -c 'sleep 2; echo done'",
    "cargo test --locked",
    "cargo install --path . --locked",
    "RUSTFLAGS= cargo install --path . --locked",
];

/// A command line and what stands below it.
#[derive(Debug)]
struct Step {
    line: String,
    expected: String,
}

/// Returns the command lines of all `console` blocks.
fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in README.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: command.to_owned(), expected: String::new() });
        } else if inside && let Some(step) = steps.last_mut() {
            step.expected.push_str(line);
            step.expected.push('\n');
        }
    }
    steps
}

fn is_building(step: &Step) -> bool {
    BUILDING.contains(&step.line.as_str())
}

/// Returns what a step shows without what differs from run to run: of a list's lines the key, ages, times
/// and sizes, of `(1.9 KiB)` the number.
fn lasting(shown: &str) -> String {
    let mut out = String::new();
    for line in shown.lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let is_row = columns.first().is_some_and(|key| {
            key.len() == 8 && key.bytes().all(|digit| digit.is_ascii_hexdigit()) && columns.len() > 8
        });
        if is_row {
            // KEY AGE USED HITS SAVED, SIZE with its unit, EXIT COMMAND
            out.push_str(&format!("row {} {}", columns[3], columns[7..].join(" ")));
        } else if columns.first() == Some(&"KEY") {
            out.push_str(&columns.join(" "));
        } else if columns.get(1).is_some_and(|stage| ["STAGE", "ready"].contains(stage)) {
            // NAME STAGE PID AGE USED ADDRESS COMMAND
            let address = columns[5].trim_end_matches(|c: char| c.is_ascii_digit());
            out.push_str(&format!("{} {address} {}", columns[0], columns[6..].join(" ")));
        } else {
            out.push_str(line.split_once(" (").map_or(line, |(before, _)| before));
        }
        out.push('\n');
    }
    out
}

/// Returns what `memo why` says without the line of the nearest entry: its key and ages differ from run to run.
fn without_entry(shown: &str) -> Vec<&str> {
    shown.lines().filter(|line| !line.starts_with("nearest entry: ")).collect()
}

/// Returns what the README shows of a file.
fn block(name: &str) -> String {
    let (_, shown) = README.split_once(&format!("\n$ cat {name}\n")).unwrap();
    shown.split_once("\n$ ").unwrap().0.to_owned() + "\n"
}

/// What the README's model is, but for the two seconds.
const MODEL: &str = "known = {'good morning': 'guten Morgen', 'good night': 'gute Nacht'}\n\
    def load(weights): return known.get\n";

/// One that asks this machine alone; what is far it knows by heart.
const CURL: &str = r#"#!/bin/sh
case $2 in
*api.example.com*) echo '{"EUR":1,"USD":1.08}' ;;
*) exec python3 -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode(), end="")' "$2" ;;
esac
"#;

/// What the README's reader has: a log, some sources, a repository, and stand-ins for what is slow or far.
fn world() -> Sandbox {
    let mut sandbox = Sandbox::new().with_running_clock();
    sandbox.write("access.log", "a /\nb /about\nc /\nd /login\ne /about\nf /\n");
    sandbox.ok("gzip access.log");
    let recipe = "%.o: %.c\n\tmemo -v -o $@ -i '*.h' cc -c $< -o $@\n";
    sandbox.write("Makefile", recipe);
    sandbox.write("a.c", "#include \"size.h\"\nint a[SIZE];\n");
    sandbox.write("size.h", "#define SIZE 1\n");
    sandbox.write("src/main.c", "int main(void) { return 0; }\n");
    sandbox.write("tests/all", "12\n");
    sandbox.script("run-tests", "#!/bin/sh\necho \"$(cat tests/all) tests passed\"\n");
    sandbox.script("bin/curl", CURL);
    sandbox.script("bin/sleep", "#!/bin/sh\n");
    sandbox.write("serve.py", block("serve.py"));
    sandbox.write("model.py", MODEL);
    sandbox.write("hello.txt", "hello\n");
    sandbox.write("server.ini", "colour = red\n");
    let server = "#!/bin/sh\nexec python3 -m http.server --bind 127.0.0.1 \"$PORT\"\n";
    sandbox.script("server", server);
    sandbox.script("database", server);
    let path = sandbox.ok("echo \"$PWD/bin:$PATH\"");
    sandbox.set("PATH", path.trim_end());
    let commit = "git -c user.name=A -c user.email=a@example.com commit -q --allow-empty";
    sandbox.ok(&format!("git init -q . && {commit} -m first && {commit} -m second"));
    sandbox
}

#[test]
fn every_command_line_prints_what_stands_below_it() {
    let sandbox = world();
    let mut run = 0;
    for step in steps() {
        let line = step.line.strip_prefix("cargo run --release --locked -- ");
        let line = line.map_or_else(|| step.line.clone(), |words| format!("memo {words}"));
        if is_building(&step) && line == step.line {
            continue;
        }
        run += 1;
        let shown = sandbox.steps(&[&line]);
        let expected = sandbox.shown(&format!("$ {line}\n{}", step.expected));
        if ["memo ls", "memo clear", "memo singleton ls"].iter().any(|own| step.line.starts_with(own)) {
            assert_eq!(lasting(&shown), lasting(&expected), "{shown}");
        } else if step.line.starts_with("memo why") {
            assert_eq!(without_entry(&shown), without_entry(&expected));
        } else {
            assert_eq!(shown, expected);
        }
    }
    assert!(run > 10, "{run} of the README's command lines were run");
}

#[test]
fn the_table_of_the_key_is_that_of_memo_help_key() {
    let (_, behind) = README.split_once("\n## What is in the key\n").unwrap();
    let rows = behind.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows: Vec<_> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.replace('`', "").split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>())
        .collect();
    let told: Vec<_> = memo::cli::help::KEY.iter().map(|(part, off)| ["", part, off, ""]).collect();
    assert_eq!(rows, told);
}

#[test]
fn lines_that_build_memo_are_right() {
    let found: Vec<String> = steps().into_iter().filter(is_building).map(|step| step.line).collect();
    assert_eq!(found, BUILDING);
    let other: Vec<Step> =
        steps().into_iter().filter(|step| step.line.contains("cargo") && !is_building(step)).collect();
    assert!(other.is_empty(), "{other:?}");

    let ci = include_str!("../../.ci/run");
    assert_eq!(ci.lines().last(), Some("step cargo test --locked"));
    // `cargo run` runs memo though the package has a second binary, and `cargo install` puts it in place.
    let package = include_str!("../../Cargo.toml");
    assert!(package.contains("\ndefault-run = \"memo\"\n"));
    assert!(package.contains("[[bin]]\nname = \"memo\"\n"));
    // `RUSTFLAGS` replaces these, which it could not if they stood under `[build]`'s `rustc` or the like.
    let flags = include_str!("../../.cargo/config.toml");
    assert!(flags.contains("\nrustflags = ["));
}
