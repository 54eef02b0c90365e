//! `docs/recipes.md`: its YAML is parsed, and its shell lines are run.

use std::path::Path;

use saphyr::{LoadableYamlNode, Yaml};

use crate::sandbox::Sandbox;

const RECIPES: &str = include_str!("../../docs/recipes.md");

/// Returns the block of code under a heading.
fn block(heading: &str) -> String {
    let behind = RECIPES.split_once(&format!("\n## {heading}\n")).unwrap().1;
    let text = behind.split_once("\n```").unwrap().1.split_once('\n').unwrap().1;
    text.split_once("\n```\n").unwrap().0.to_owned() + "\n"
}

fn parsed(text: &str) -> Yaml<'_> {
    let [document] = Yaml::load_from_str(text).unwrap().try_into().unwrap();
    document
}

fn texts(list: &Yaml<'_>) -> Vec<String> {
    list.as_sequence().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// A project that the Makefile of the recipes builds.
fn project() -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.write("Makefile", block("Make"));
    sandbox
        .write("main.c", "#include \"size.h\"\nint size(void);\nint main(void) { return size() - SIZE; }\n");
    sandbox.write("size.c", "#include \"size.h\"\nint size(void) { return SIZE; }\n");
    sandbox.write("size.h", "#define SIZE 1\n");
    // As a runner has it: the store is where it is without MEMO_DIR.
    sandbox.unset("MEMO_DIR");
    sandbox
}

/// Returns calls and hits since the counters were set back.
fn counted(sandbox: &Sandbox) -> (u64, u64) {
    let text = sandbox.ok("memo stats --json");
    let number = |name: &str| {
        let behind = text.split_once(&format!("\"{name}\":")).unwrap().1;
        behind.split_once(',').unwrap().0.parse().unwrap()
    };
    (number("calls"), number("hits"))
}

/// Makes a checkout as new as a runner's.
fn check_out_again(sandbox: &Sandbox) {
    sandbox.ok("make clean >/dev/null; mkdir new; cp *.c *.h Makefile new; rm *.c *.h Makefile; mv new/* .; rmdir new");
}

#[test]
fn make_runs_no_compiler_for_what_was_built_before() {
    let sandbox = project();
    sandbox.ok("make && ./app && memo stats --zero && make clean && make && ./app");
    assert_eq!(counted(&sandbox), (2, 2));
    assert!(sandbox.ok("make").contains("up to date"));
    sandbox.write("size.h", "#define SIZE 2\n");
    sandbox.ok("touch size.h && memo stats --zero && make && ./app");
    assert_eq!(counted(&sandbox), (2, 0), "a header changed");
    sandbox.write("size.h", "#define SIZE 1\n");
    sandbox.ok("touch size.h && memo stats --zero && make && ./app");
    assert_eq!(counted(&sandbox), (2, 2), "and changed back");
    sandbox.ok("memo stats --zero && make clean && MEMO_MODE=off make && ./app");
    assert_eq!(counted(&sandbox), (0, 0));
}

#[test]
fn the_github_workflow_is_run_twice() {
    let mut sandbox = project();
    let summary = sandbox.root().join("summary");
    sandbox.set("GITHUB_STEP_SUMMARY", &summary);
    let text = block("GitHub Actions");
    let workflow = parsed(&text);
    assert!(workflow["on"].as_sequence().is_some(), "`on` is a word, and no truth value");
    let steps = workflow["jobs"]["build"]["steps"].as_sequence().unwrap();
    let cache = steps.iter().find(|step| {
        step.as_mapping_get("uses").is_some_and(|uses| uses.as_str().unwrap().starts_with("actions/cache@"))
    });
    let with = &cache.unwrap()["with"];
    assert_eq!(with["path"].as_str(), Some("~/.cache/memo"));
    let prefix = with["restore-keys"].as_str().unwrap();
    assert!(with["key"].as_str().unwrap().starts_with(prefix), "each run takes up an earlier one's cache");
    let lines: Vec<_> =
        steps.iter().filter_map(|step| step.as_mapping_get("run")?.as_str().map(str::to_owned)).collect();
    assert_eq!(lines.len(), 3);
    for (run, hits) in [0, 2].into_iter().enumerate() {
        for line in &lines {
            sandbox.ok(&format!("set -eo pipefail; {line}"));
        }
        assert_eq!(counted(&sandbox), (2, hits), "run {run}");
        assert!(sandbox.root().join("home/.cache/memo").is_dir());
        check_out_again(&sandbox);
    }
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(
        summary.contains("2 calls, 0 hits (0%)\n") && summary.contains("2 calls, 2 hits (100%)\n"),
        "{summary}"
    );
    assert_eq!(summary.matches("```\n").count(), 4);
}

#[test]
fn the_gitlab_job_is_run_twice() {
    let sandbox = project();
    let text = block("GitLab CI");
    let job = &parsed(&text)["build"];
    assert_eq!(texts(&job["cache"]["paths"]), ["memo.tar"]);
    // Runners with Docker clone under umask 0000.
    sandbox.ok("chmod 0777 .");
    for hits in [0, 2] {
        let both = [texts(&job["before_script"]), texts(&job["script"])].concat();
        sandbox.ok(&format!("set -eo pipefail; {}", both.join("\n")));
        let after = sandbox.ok(&format!("set -e; {}", texts(&job["after_script"]).join("\n")));
        assert!(after.contains(&format!("2 calls, {hits} hits ")), "{after}");
        // The next job gets nothing but the cache.
        check_out_again(&sandbox);
        sandbox.ok("rm -r ~/.cache");
        assert!(Path::new(&sandbox.path("memo.tar")).is_file());
    }
}

#[test]
fn the_git_hook_stops_a_script_that_is_wrong() {
    let sandbox = Sandbox::new();
    sandbox.ok("git init -q . && git config user.name A && git config user.email a@example.com");
    sandbox.script(".git/hooks/pre-commit", &block("A git hook"));
    sandbox.write("a.sh", "echo a\n");
    sandbox.write("b c.sh", "echo b\n");
    sandbox.ok("git add . && git commit -qm first");
    assert_eq!(counted(&sandbox), (2, 0));
    sandbox.write("a.sh", "if\n");
    let ran = sandbox.run("git add . && git commit -qm second");
    assert!(ran.code != 0 && ran.stderr.contains("a.sh"), "{ran:?}");
    sandbox.ok("memo stats --zero");
    sandbox.write("a.sh", "echo a\n");
    sandbox.ok("git add . && git commit -q --amend -m first");
    assert_eq!(counted(&sandbox), (0, 0), "nothing is left to be committed but the message");
    sandbox.ok("git rm -q --cached 'b c.sh' && git commit -qm without && git add . && git commit -qm with");
    assert_eq!(counted(&sandbox), (1, 1), "it passed before");
}

#[test]
fn the_prompt_shows_a_star() {
    let sandbox = Sandbox::new();
    sandbox.ok("git init -q .");
    sandbox.write("../home/.bashrc", block("A shell prompt"));
    let prompt = |now: u64| {
        let home = format!("export MEMO_TEST_NOW={now}; . ~/.bashrc; printf '%s' \"${{PS1@P}}\"");
        sandbox.shown(&sandbox.ok(&home))
    };
    let sign = if rustix::process::geteuid().is_root() { '#' } else { '$' };
    assert_eq!(prompt(100), format!("$T/work{sign} "));
    sandbox.write("new", "");
    assert_eq!(prompt(109), format!("$T/work{sign} "), "asked once in ten seconds");
    assert_eq!(prompt(110), format!("$T/work*{sign} "));
    sandbox.ok("rm -r .git");
    assert_eq!(prompt(200), format!("$T/work{sign} "), "nothing is said where there is no repository");
}

/// A project with a server that serves its files, and a curl that asks it.
fn project_with_server(name: &str) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.script(name, "#!/bin/sh\nexec python3 -m http.server --bind 127.0.0.1 \"$PORT\"\n");
    sandbox.script(
        "bin/curl",
        "#!/bin/sh\nexec python3 -c 'import sys, urllib.request as r; \
         print(r.urlopen(sys.argv[1]).read().decode(), end=\"\")' \"$2\"\n",
    );
    let path = sandbox.ok("echo \"$PWD/bin:$PATH\"");
    sandbox.set("PATH", path.trim_end());
    sandbox
}

#[test]
fn all_targets_of_make_have_one_server() {
    let sandbox = project_with_server("api-server");
    sandbox.write("Makefile", block("A server for make"));
    sandbox.write("api.conf", "a\n");
    sandbox.write("report", "all is well\n");
    sandbox.write("health", "ok\n");
    let said = sandbox.ok("make -s -j2 report.txt check | tee log");
    assert!(said.ends_with("ok\n"), "{said}");
    assert_eq!(sandbox.read("report.txt"), "all is well\n");
    let id = sandbox.ok("memo singleton id api");
    sandbox.ok("make -s check");
    assert_eq!(sandbox.ok("memo singleton id api"), id);
    sandbox.write("api.conf", "b\n");
    sandbox.ok("make -s check");
    assert_ne!(sandbox.ok("memo singleton id api"), id);
    sandbox.ok("make -s stop");
    assert_eq!(sandbox.run("memo singleton id api").code, 1);
}

#[test]
fn all_steps_of_a_ci_job_have_one_database() {
    let mut sandbox = project_with_server("database");
    sandbox.script("run-tests", "#!/bin/sh\necho \"$1 $DB_ADDR\"; echo \"$1\" >>\"$MEMO_STATE/asked\"\n");
    // As a runner has it.
    sandbox.unset("MEMO_DIR");
    let text = block("A database for a CI job");
    let workflow = parsed(&text);
    let steps = workflow["jobs"]["test"]["steps"].as_sequence().unwrap();
    let mut shown = Vec::new();
    for step in steps.iter().filter_map(|step| step.as_mapping_get("run")?.as_str()) {
        shown.push(sandbox.ok(&format!("set -eo pipefail; {step}")).trim_end().to_owned());
    }
    let [address, unit, browser, _, stopped] = shown.try_into().unwrap();
    assert_eq!([unit, browser], [format!("unit {address}"), format!("browser {address}")]);
    assert_eq!(stopped, "");
    assert_eq!(sandbox.run("memo singleton status db").code, 1);
    assert_eq!(sandbox.ok("cat ~/.local/state/memo/singleton/*/db/state/asked"), "unit\nbrowser\n");
}

#[test]
fn all_shells_have_one_agent() {
    let sandbox = Sandbox::new();
    if sandbox.run("command -v ssh-agent").code != 0 {
        eprintln!("skipped: there is no ssh-agent");
        return;
    }
    sandbox.write("../home/.bashrc", block("An ssh-agent"));
    let agent =
        |directory: &str| sandbox.ok(&format!("cd {directory}; . ~/.bashrc; echo \"$SSH_AUTH_SOCK\""));
    let socket = agent(".");
    assert!(socket.ends_with("/agent/state/s\n"), "{socket}");
    assert_eq!(agent("/"), socket);
    // 1: it has no keys. 2: there is no agent.
    assert_eq!(sandbox.run(". ~/.bashrc; ssh-add -l").code, 1);
    sandbox.ok("memo singleton stop agent --global");
}

#[test]
fn a_worker_is_loaded_once() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "formatter.py",
        "import sys\n\
         open('loaded', 'a').write('x')\n\
         read, out = sys.stdin.buffer, sys.stdout.buffer\n\
         while line := read.readline():\n    \
             assert read.readline().strip() == b''\n    \
             text = read.read(int(line.split()[1])).upper()\n    \
             out.write(b'Content-Length: %d\\r\\n\\r\\n' % len(text) + text)\n    \
             out.flush()\n",
    );
    sandbox.write("one.txt", "one\ntwo\n");
    sandbox.write("two.txt", "three");
    let recipe = block("A worker");
    assert_eq!(sandbox.ok(&recipe), "ONE\nTWO\nTHREE");
    assert_eq!(sandbox.read("loaded"), "x");
    sandbox.ok("echo >>formatter.py");
    assert_eq!(sandbox.ok(&recipe), "ONE\nTWO\nTHREE");
    assert_eq!(sandbox.read("loaded"), "xx");
}

#[test]
fn each_worktree_has_a_server() {
    let sandbox = project_with_server("dev-server");
    sandbox.ok(
        "git init -q . && git config user.name A && git config user.email a@example.com && mkdir below && \
         echo >below/x && git add . && git commit -qm first && git worktree add -q ../other",
    );
    let recipe = block("A server for each worktree");
    let said = sandbox.ok(&recipe);
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("127.0.0.1:") && lines[1].starts_with("127.0.0.1:"), "{said}");
    assert_ne!(lines[0], lines[1]);
    assert_eq!(lines.len(), 5, "{said}");
    let again = sandbox.ok(&format!("{recipe}\ncd below; serve"));
    assert_eq!(again.lines().last(), Some(lines[0]));
}

#[test]
fn every_recipe_is_run() {
    let headings: Vec<_> = RECIPES.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let of_results = ["Make", "GitHub Actions", "GitLab CI", "A git hook", "A shell prompt"];
    let of_singletons = [
        "A server for make",
        "A database for a CI job",
        "An ssh-agent",
        "A worker",
        "A server for each worktree",
    ];
    assert_eq!(headings, [of_results, of_singletons].concat());
    let blocks = RECIPES.lines().filter(|line| line.starts_with("```")).count();
    assert_eq!(blocks, 2 * headings.len(), "one block under each");
}
