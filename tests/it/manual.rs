//! The man pages: free of faults, complete, and their examples run.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use memo::config::Config;
use memo::config::rule::RuleKey;

use crate::sandbox::Sandbox;

const PAGES: [&str; 3] = ["man/memo.1", "man/memo-singleton.1", "man/memo.toml.5"];
const MEMO: &str = include_str!("../../man/memo.1");
const SINGLETON: &str = include_str!("../../man/memo-singleton.1");
const FILES: &str = include_str!("../../man/memo.toml.5");
const DEFAULT: &str = include_str!("../../config/default.toml");

/// Returns a section of a page.
fn section<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, behind) = page.split_once(&format!("\n.SH {name}\n")).unwrap();
    behind.split("\n.SH ").next().unwrap()
}

/// Returns a text as a reader of the page sees it.
fn plain(roff: &str) -> String {
    let text = roff.replace("\\(aq", "'").replace("\\(dq", "\"").replace("\\-", "-");
    let text = text.replace("\\fB", "").replace("\\fI", "").replace("\\fP", "").replace("\\e", "\\");
    assert!(!text.contains("\\("), "{text}");
    text
}

/// Returns the examples of a section: what stands between `.EX` and `.EE`.
fn examples(page: &str) -> Vec<String> {
    let blocks = section(page, "EXAMPLES").split("\n.EX\n").skip(1);
    blocks.map(|block| plain(block.split_once("\n.EE").unwrap().0) + "\n").collect()
}

/// Returns what the items of a section are called: the line behind each `.TP`.
fn items(text: &str) -> Vec<String> {
    let titles = text.split("\n.TP\n").skip(1).map(|item| item.lines().next().unwrap());
    titles.map(|line| plain(line.split_once(' ').unwrap().1)).collect()
}

#[test]
fn formatters_find_no_fault() {
    let programs: [&[&str]; 3] = [
        &["groff", "-man", "-ww", "-z"],
        &["man", "--warnings", "-l"],
        &["mandoc", "-T", "lint", "-W", "warning"],
    ];
    for words in programs {
        for page in PAGES {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
            let checked =
                Command::new(words[0]).args(&words[1..]).arg(path).env("LC_ALL", "C.UTF-8").output();
            match checked {
                Ok(output) => {
                    let said = String::from_utf8_lossy(&output.stderr);
                    assert!(output.status.success() && said.is_empty(), "{words:?} {page}: {said}");
                    let lint = String::from_utf8_lossy(&output.stdout);
                    assert!(words[0] != "mandoc" || lint.is_empty(), "{page}: {lint}");
                }
                Err(_) => eprintln!("not checked: there is no `{}`", words[0]),
            }
        }
    }
}

#[test]
fn every_key_stands_in_memo_toml_5_with_its_value() {
    let told = items(section(FILES, "KEYS"));
    let keys: Vec<_> = Config::keys().collect();
    let names: Vec<_> = told.iter().map(|item| item.split(" = ").next().unwrap()).collect();
    assert_eq!(names, keys, "all, in this order");
    for item in told {
        let line = item.replace("[...]", "[");
        assert!(DEFAULT.lines().any(|known| known == line), "config/default.toml has no `{line}`");
    }
}

#[test]
fn every_key_of_a_rule_stands_in_memo_toml_5() {
    assert_eq!(items(section(FILES, "RULES")), RuleKey::ALL.map(RuleKey::name));
}

#[test]
fn what_a_project_does_not_decide_is_told() {
    let projects = plain(section(FILES, "PROJECTS"));
    let told = projects.split_once("anything.\n.BR ").unwrap().1.split_once(" are not obeyed").unwrap().0;
    for key in Config::keys() {
        let sandbox = Sandbox::new();
        let line = DEFAULT.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
        let line = if line.ends_with('[') { format!("{key} = []") } else { line.to_owned() };
        sandbox.write("memo.toml", line);
        let ran = sandbox.run("memo true");
        assert_eq!(ran.code, 0);
        let refused = ran.stderr.contains("not obeyed in a project");
        assert!(refused || ran.stderr.is_empty(), "{key}: {}", ran.stderr);
        let word = |word: &str| word == key;
        assert_eq!(told.split([' ', ',', '"', '\n']).any(word), refused, "{key}");
        let marked = section(FILES, "KEYS").split("\n.TP\n").any(|item| {
            plain(item).starts_with(&format!(".B {key} = ")) && item.contains("\nNot in a project.")
        });
        assert_eq!(marked, refused, "{key}");
    }
}

#[test]
fn every_variable_stands_in_memo_1() {
    let told = plain(section(MEMO, "ENVIRONMENT"));
    for key in Config::keys() {
        let variable = format!("MEMO_{}", key.to_uppercase().replace('-', "_"));
        let named = told
            .lines()
            .any(|line| line.starts_with(".B") && line.split([' ', '"', ',']).any(|word| word == variable));
        assert!(named, "{variable}");
    }
}

#[test]
fn the_pages_have_their_sections() {
    for name in
        ["KEYS", "STDIN", "OUTPUTS", "EXIT STATUS", "FILES", "ENVIRONMENT", "EXAMPLES", "LIMITS", "SEE ALSO"]
    {
        assert!(section(MEMO, name).lines().count() > 2, "{name}");
    }
    for name in memo::cli::SUBCOMMANDS {
        assert!(section(MEMO, "SYNOPSIS").contains(&format!("memo {name}\"")), "{name}");
    }
}

#[test]
fn the_examples_of_memo_toml_5_have_no_fault() {
    let [project, own] = examples(FILES).try_into().unwrap();
    let sandbox = Sandbox::new();
    sandbox.write("memo.toml", project);
    sandbox.write("../home/.config/memo/config.toml", own);
    let ran = sandbox.run("memo config");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(
        ran.stdout.contains("relocatable = true") && ran.stdout.contains("ttl = \"1d\""),
        "{}",
        ran.stdout
    );
    sandbox.write("include/a.h", "int a;\n");
    sandbox.write("a.c", "#include \"include/a.h\"\n");
    sandbox.ok("memo -o a.o cc -c a.c -o a.o && rm a.o");
    sandbox.write("include/a.h", "int b;\n");
    let ran = sandbox.run("memo -v -o a.o cc -c a.c -o a.o");
    assert_eq!(ran.missed(), Some("input-changed: `include/a.h`"), "{}", ran.stderr);
}

/// What the reader of memo.1 has.
fn world() -> Sandbox {
    let mut sandbox = Sandbox::new().with_running_clock();
    sandbox.write("access.log", "a /\nb /about\nc /\n");
    sandbox.ok("gzip access.log");
    sandbox.write("a.c", "#include \"size.h\"\nint a[SIZE];\n");
    sandbox.write("size.h", "#define SIZE 1\n");
    sandbox.write("../home/rates", "{}\n");
    sandbox.script("bin/curl", "#!/bin/sh\necho run >>~/asked\ncat ~/rates\n");
    sandbox.script("ask-the-server", "#!/bin/sh\necho answer\n");
    sandbox.script("bin/date", "#!/bin/sh\necho 2026-11-23\n");
    sandbox.script("report", "#!/bin/sh\necho report\n");
    let path = sandbox.ok("echo \"$PWD/bin:$PATH\"");
    sandbox.set("PATH", path.trim_end());
    // A depfile's names count only if they lie before the start.
    sandbox.next_tick();
    sandbox.set("TOKEN", OsStr::new("secret"));
    let commit = "git -c user.name=A -c user.email=a@example.com commit -q --allow-empty";
    sandbox.ok(&format!("git init -q . && {commit} -m first"));
    sandbox
}

/// Returns whether a line asks for a subcommand.
fn is_subcommand(line: &str) -> bool {
    line.split(' ').nth(1).is_some_and(|word| memo::cli::SUBCOMMANDS.contains(&word))
}

#[test]
fn the_examples_of_memo_1_show_what_was_recorded() {
    let sandbox = world();
    sandbox.write("src/a.c", "int f(void) { }\n");
    sandbox.script("bin/less", "#!/bin/sh\nexec cat\n");
    sandbox.ok("memo -o a.o cc -Wall -c src/a.c -o a.o");
    let listed = sandbox.ok("memo ls");
    let key = listed.lines().nth(1).unwrap().split(' ').next().unwrap();
    let mut shown = String::new();
    for line in examples(MEMO).iter().flat_map(|example| example.lines()).filter(|line| is_subcommand(line)) {
        let text = sandbox.ok(&line.replace(" 5b92", &format!(" {key}")));
        assert!(text.contains("src/a.c") || line.ends_with("> yesterday.o"), "`{line}`: {text}");
        shown.push_str(&text);
    }
    assert!(shown.contains("warning: "), "{shown}");
    sandbox.ok("cmp a.o yesterday.o");
}

#[test]
fn the_examples_of_memo_1_hit_the_second_time() {
    let mut run = 0;
    for example in examples(MEMO) {
        if example.starts_with('%') {
            run += 1;
            let sandbox = world();
            sandbox.write("Makefile", example.replace("memo ", "memo -v "));
            let built = |line: &str| Sandbox::run(&sandbox, format!("rm -f a.o; {line}"));
            let cold = built("make -s a.o");
            assert!(cold.code == 0 && cold.missed() == Some("never-seen"), "{cold:?}");
            let warm = built("make -s a.o");
            assert!(warm.is_hit(), "{example}: {warm:?}");
            sandbox.write("size.h", "#define SIZE 2\n");
            sandbox.next_tick();
            assert_eq!(built("make -s a.o").missed(), Some("input-changed: `size.h`"), "{example}");
            continue;
        }
        for line in example.lines().filter(|line| !is_subcommand(line)) {
            run += 1;
            let sandbox = world();
            let line = line.replacen("memo ", "memo -v ", 1);
            let cold = sandbox.run(&line);
            assert!(cold.code == 0 && cold.missed() == Some("never-seen"), "`{line}`: {cold:?}");
            let warm = sandbox.run(&line);
            assert!(warm.code == 0 && warm.is_hit() && warm.stdout == cold.stdout, "`{line}`: {warm:?}");
            // The token is a name that begins with `_`.
            let other = sandbox.run(format!("TOKEN=other; {line}"));
            assert!(other.is_hit(), "`{line}`: {other:?}");
        }
    }
    assert!(run >= 8, "{run} examples were run");
}

/// What the reader of memo-singleton.1 has: a model that loads at once, a database that listens, tests that look.
fn world_of_singletons() -> Sandbox {
    let sandbox = world();
    sandbox.write("conf.py", "\n");
    sandbox.write("model.py", "import sys\nfor line in sys.stdin: print(line.strip().upper(), flush=True)\n");
    sandbox.script("database", "#!/bin/sh\nexec python3 -m http.server --bind 127.0.0.1 \"$PORT\"\n");
    sandbox.script("tests", "#!/bin/sh\necho \"$1 $DB_PORT $MEMO_STATE\"\n");
    sandbox
}

#[test]
fn the_examples_of_memo_singleton_1_are_run() {
    let sandbox = world_of_singletons();
    let [model, web, db, chain, tunnel] = examples(SINGLETON).try_into().unwrap();

    let said = sandbox.ok(&format!("set -e; {}", model.replace("memo --dep", "memo -v --dep")));
    assert_eq!(said, "GOOD MORNING\n".repeat(3));
    assert_eq!(sandbox.run("memo singleton status model").code, 1);

    let said = sandbox.ok(&format!("set -e; {web}\necho \"$url\""));
    let asked = sandbox.read("../home/asked");
    assert_eq!(asked, "run\n");
    let address = said.lines().last().unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{said}");
    assert_eq!(sandbox.ok("memo singleton web"), format!("{address}\n"));

    let said = sandbox.ok(&format!("set -e; {db}"));
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words[0], format!("127.0.0.1:{}", words[1]));
    assert!(words[2].ends_with("/db/state"), "{said}");

    let both = |line: &str| {
        let ran = sandbox.run(format!("set -e; {}", line.replace("memo --dep", "memo -v --dep")));
        assert_eq!(ran.code, 0, "{ran:?}");
        (ran.stdout.lines().map(str::to_owned).collect::<Vec<_>>(), ran.stderr)
    };
    let (first, said) = both(&chain);
    assert!(said.ends_with("memo: miss: never-seen\n"), "{said}");
    let (again, said) = both(&chain);
    assert!(said.starts_with("memo: hit: ") && again == first, "{said}");
    sandbox.ok("memo singleton stop a");
    let (other, said) = both(&chain);
    assert!(said.contains("singleton `b` is replaced: singleton: `a`"), "{said}");
    assert!(said.ends_with("memo: miss: singleton: `b` is another process now\n"), "{said}");
    assert!(other[0] != first[0] && other[1] != first[1] && other[2] == first[2]);

    let id = sandbox.ok(&tunnel);
    assert_eq!(sandbox.ok(&format!("TOKEN=other; {tunnel}")), id);
}

#[test]
fn memo_singleton_1_names_what_it_gives() {
    for name in memo::cli::singleton::SUBCOMMANDS {
        assert!(section(SINGLETON, "SYNOPSIS").contains(&format!("memo singleton {name}\"")), "{name}");
    }
    let sandbox = world_of_singletons();
    sandbox.write(
        "told.py",
        "import os, socket\n\
         told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
         listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))\n\
         told.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'])\n\
         while True: listener.accept()\n",
    );
    let before = sandbox.ok("env");
    sandbox.ok("memo singleton x --port auto --ready-notify -- sh -c 'env >told; exec python3 told.py'");
    let held = sandbox.ok("memo singleton run x --exec env");
    let told = plain(section(SINGLETON, "ENVIRONMENT"));
    let named = |name: &str| told.split([' ', '\n', ',', '"']).any(|word| word == name);
    let is_new =
        |name: &str| name != "_" && !before.lines().any(|line| line.starts_with(&format!("{name}=")));
    let names = |text: &str| {
        let names = text.lines().map(|line| line.split('=').next().unwrap().to_owned());
        names.collect::<Vec<_>>().into_iter()
    };
    let mut found = 0;
    for name in names(&sandbox.read("told")).filter(|name| is_new(name)) {
        assert!(named(&name), "{name}");
        found += 1;
    }
    assert_eq!(found, 6, "{}", sandbox.read("told"));
    for name in names(&held).filter(|name| is_new(name)) {
        assert!(named(&name.replace("X_", "NAME_")), "{name}");
        found += 1;
    }
    assert_eq!(found, 14, "{held}");
}
