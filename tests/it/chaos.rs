//! Everything at once, for a while: many processes on few keys, and all that looks after the store.
//!
//! Not part of `cargo test`: `MEMO_CHAOS_SECONDS=10 cargo test -- --ignored chaos`, as `.ci/run` does. It alone
//! runs by time, for what it looks for is not known.

use std::fs;
use std::time::{Duration, Instant};

use crate::crowd::Caller;
use crate::sandbox::Sandbox;

const PROCESSES: usize = 50;
const KEYS: usize = 10;

/// What a run does, by its number: succeed or fail, write little or much, leave a file or none.
const RUN: &str = r#"#!/bin/bash
puppet print "$1" , eprint "e$1"
(($1 % 3)) || puppet fill 50000
((($1 % 4) > 1)) || { printf '%s\n' "$1" >"t$$" && mv "t$$" "out$1"; }
exit $(($1 % 5 == 4 ? 3 : 0))
"#;

/// What a worker does: calls at random, and each answer is compared with that of a run without memo.
const WORKER: &str = r#"
RANDOM=$1
while [ ! -e stop ]; do
    key=$((RANDOM % 10)); options=()
    (((key % 4) > 1)) || options=(-o "out$key")
    case $((RANDOM % 12)) in
        0) options+=(--refresh) ;;
        1) options+=(--cache-exit 0,3) ;;
    esac
    answer=$(memo "${options[@]}" ./run $key 2>"err$1" | md5sum; echo "${PIPESTATUS[0]}")
    echo . >>calls
    [ "$answer" = "$(cat "expected$key")" ] || { echo "key $key: $answer: $(cat "err$1")"; exit 1; }
    [ "$(cat "err$1")" = "e$key" ] || { echo "key $key said: $(cat "err$1")"; exit 1; }
    [ ! -e "out$key" ] || [ "$(cat "out$key")" = $key ] || { echo "key $key: out is torn"; exit 1; }
    if [ $((RANDOM % 20)) = 0 ]; then
        memo "${options[@]}" ./run $key >/dev/null 2>&1 &
        for ((n = RANDOM % 12; n > 0; n--)); do cat "expected$key" >/dev/null; done
        kill -KILL $!
        wait $! 2>/dev/null
    fi
done
exit 0
"#;

/// What those do who look after the store: each command must succeed and be silent on stderr.
///
/// But that `ls` and `clear PATTERN` may come when nothing is recorded.
const KEEPER: &str = r#"
while [ ! -e stop ]; do
    echo "$*" >>rounds
    said=$("$@" 2>&1 >/dev/null); code=$?
    case $code,$said in 0, | 1,*"nothing recorded"*) ;; *) echo "$*: $code $said"; exit 1 ;; esac
done
exit 0
"#;

/// Returns how long a run takes.
#[expect(clippy::disallowed_methods, reason = "how long the test runs is the caller's choice")]
pub fn seconds() -> u64 {
    std::env::var("MEMO_CHAOS_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(60)
}

#[test]
#[ignore = "runs for MEMO_CHAOS_SECONDS, 60 by default"]
fn chaos() {
    let sandbox = Sandbox::new().with_running_clock();
    sandbox.script("run", RUN);
    for key in 0..KEYS {
        let line = format!(
            "./run {key} 2>/dev/null | md5sum >expected{key}; echo ${{PIPESTATUS[0]}} >>expected{key}"
        );
        sandbox.ok(&line);
    }
    sandbox.ok("rm -f out*");
    let mut keepers: Vec<Vec<&str>> =
        vec![vec!["memo", "ls"], vec!["memo", "clear", "--yes", "*run 1*"], vec!["memo", "ls", "--json"]];
    for subcommand in ["gc", "doctor"] {
        if sandbox.run(format!("memo {subcommand} --help")).code == 0 && is_subcommand(&sandbox, subcommand) {
            keepers.push(vec!["memo", subcommand]);
        }
    }
    keepers.push(vec![
        "bash",
        "-c",
        "memo clear --yes || exit; for i in {1..50}; do [ -e stop ] || memo ls >/dev/null || exit; done",
    ]);
    let bash = |script: &str, words: &[&str]| {
        Caller::start(sandbox.command("/bin/bash").args(["-c", script, "chaos"]).args(words))
    };
    let mut callers: Vec<Caller> = (0..PROCESSES).map(|i| bash(WORKER, &[&(i + 1).to_string()])).collect();
    callers.extend(keepers.iter().map(|words| bash(KEEPER, words)));
    // The one wait for time there is in the tests; nothing is synchronised by it.
    let end = Instant::now() + Duration::from_secs(seconds());
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
    fs::write(sandbox.path("stop"), "").unwrap();
    for caller in callers {
        let ended = caller.end();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!((ended.status, said.as_str()), (0, ""), "{}", ended.stderr);
    }
    // Of runs that were killed a lease may be left; the next one that needs it takes it.
    for key in 0..KEYS {
        sandbox.run(format!("memo ./run {key}"));
        sandbox.run(format!("memo -o out{key} ./run {key}"));
    }
    let leases = fs::read_dir(sandbox.store().join("leases")).unwrap().count();
    let temporary = fs::read_dir(sandbox.store().join("tmp")).unwrap().count();
    let calls = sandbox.read("calls").lines().count();
    assert!(calls > PROCESSES, "{calls} calls are no chaos");
    eprintln!("{calls} calls");
    for keeper in ["gc", "doctor", "clear", "ls"] {
        let rounds = sandbox.read("rounds");
        let rounds = rounds.lines().filter(|line| line.split(' ').any(|word| word == keeper)).count();
        assert!(rounds > 0, "`memo {keeper}` never ran");
        eprintln!("{rounds} times {keeper}");
    }
    eprintln!("left by killed runs: {leases} leases, {temporary} temporary files");
    sandbox.ok("memo clear --yes");
    assert_eq!(fs::read_dir(sandbox.store().join("leases")).unwrap().count(), 0);
    let hidden = fs::read_dir(sandbox.path("")).unwrap().flatten();
    let hidden = hidden.filter(|file| file.file_name().as_encoded_bytes().starts_with(b".memo-")).count();
    eprintln!("left beside outputs: {hidden}");
}

/// Whether memo has it: the help of any other word is that of the command of this name.
fn is_subcommand(sandbox: &Sandbox, name: &str) -> bool {
    sandbox.ok("memo --help").lines().any(|line| line.trim_start().starts_with(&format!("{name} ")))
}
