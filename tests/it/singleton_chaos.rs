//! Many who ask for one singleton and disagree about it, while whatever lives is killed at random, for a while.
//!
//! Not part of `cargo test`: `MEMO_CHAOS_SECONDS=10 cargo test -- --ignored chaos`, as `.ci/run` does. As `chaos`, it
//! runs by time, for what it looks for is not known.

use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::Signal;

use crate::chaos::seconds;
use crate::crowd::Caller;
use crate::living::{Process, Singletons};
use crate::sandbox::Sandbox;

/// So many ask, again and again.
const ASKERS: usize = 8;
/// The pause between two kills: as many as leave time for something to become ready now and then.
const PAUSE: Duration = Duration::from_millis(25);

/// What somebody does who asks. What may come of it: an instance; his own death; that of the instance, or of its
/// guardian, before it was ready. A minute passes in a millisecond, so that nothing is a crash loop.
const ASKER: &str = r#"
RANDOM=$1
begun=${EPOCHREALTIME/./}
left=('print x' "orphan 'ignoring TERM setsid pause'")
while [ ! -e stop ]; do
    export MEMO_TEST_NOW=$(((${EPOCHREALTIME/./} - begun) / 1000 * 60 + 43200))
    which=$((RANDOM % 2))
    said=$(eval "exec memo singleton db -k $which --grace 200ms --ready-notify -- puppet serve db ${left[which]} notify READY=1" \
        2>&1 >/dev/null)
    code=$?
    echo "$code" >>asked
    case $code,$said in
        0,* | 137,*'ended before it was ready: signal 9'* | 125,*'ended before it was ready (terminated)'*) ;;
        137,*error:*) echo "$code: $said"; exit 1 ;;
        137,*) ;;
        *) echo "$code: $said"; exit 1 ;;
    esac
done
exit 0
"#;

/// What may be killed, and how many were.
const VICTIMS: [&str; 4] = ["puppet", "memo-singleton", "memo-guardian", "memo"];

#[test]
#[ignore = "runs for MEMO_CHAOS_SECONDS, 60 by default"]
fn chaos_of_singletons() {
    let all = Singletons::of(Sandbox::new());
    let ask = |number: usize| {
        Caller::start(all.command("/bin/bash").args(["-c", ASKER, "chaos", &(number + 1).to_string()]))
    };
    let askers: Vec<Caller> = (0..ASKERS).map(ask).collect();
    let mut killed = [0; VICTIMS.len()];
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    // By time, as in `chaos`; nothing is synchronised by it.
    let end = Instant::now() + Duration::from_secs(seconds());
    while Instant::now() < end {
        thread::park_timeout(PAUSE);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Of each kind as often as of another, however many there are; now and then everything that keeps one.
        let kind = usize::try_from(random >> 16).unwrap() % (VICTIMS.len() + 1);
        let living: Vec<Process> =
            all.processes().into_iter().filter_map(|(pid, _)| Process::of(pid)).collect();
        let is_victim = |process: &&Process| match VICTIMS.get(kind) {
            Some(name) => process.command() == *name,
            None => VICTIMS[1..3].contains(&process.command().as_str()),
        };
        let victims: Vec<&Process> = living.iter().filter(is_victim).collect();
        if victims.is_empty() {
            continue;
        }
        let chosen = usize::try_from(random >> 32).unwrap() % victims.len();
        for (number, victim) in victims.iter().enumerate() {
            if kind == VICTIMS.len() || number == chosen {
                let name = victim.command();
                victim.kill(Signal::KILL);
                if let Some(place) = VICTIMS.iter().position(|known| *known == name) {
                    killed[place] += 1;
                }
            }
        }
    }
    fs::write(all.path("stop"), "").unwrap();
    for asker in askers {
        let ended = asker.end();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!((ended.status, said.as_str()), (0, ""), "{}", ended.stderr);
    }
    all.never_twice();
    for text in ["0", "1"] {
        let line = format!("db -q -k {text} --force --ready-notify -- puppet serve db notify READY=1");
        all.line(&line);
        assert_eq!(all.puppets(), 1);
    }
    all.never_twice();
    let asked = all.read("asked");
    let got = asked.lines().filter(|code| *code == "0").count();
    eprintln!(
        "{got} of {} got an instance, {} were started; killed: {}",
        asked.lines().count(),
        all.starts().len(),
        VICTIMS
            .iter()
            .zip(killed)
            .map(|(name, times)| format!("{times} {name}"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    assert!(got > ASKERS && killed.iter().all(|times| *times > 0), "that is no chaos");
}
