//! Many who ask at once for what is not there: one starts it and all get it. And nobody is ever given a process that
//! is dead.

use std::fs;

use rustix::process::Signal;

use crate::crowd::{Caller, ends};
use crate::living::Singletons;

/// The singleton here: it says itself when it is ready.
const DB: &str = "--ready-notify -- puppet serve db notify READY=1";

/// Lets so many ask at once; all get the one process that is started.
#[track_caller]
fn one_start(all: &Singletons, count: usize) -> String {
    let before = all.starts().len();
    let callers: Vec<Caller> =
        (0..count).map(|_| Caller::start(&mut all.memo(&format!("db --print id {DB}")))).collect();
    let ended = ends(callers);
    let id = String::from_utf8(ended[0].stdout.clone()).unwrap();
    for one in &ended {
        let got = (one.status, String::from_utf8_lossy(&one.stdout), one.stderr.as_str());
        assert_eq!(got, (0, id.as_str().into(), ""));
    }
    assert_eq!(all.starts().len(), before + 1, "of {count} callers");
    all.never_twice();
    assert_eq!(all.puppets(), 1);
    assert_eq!(all.id("db"), id.trim_end());
    id
}

#[test]
fn fifty_who_ask_at_once_get_one_process() {
    let all = Singletons::new();
    let mut ids = Vec::new();
    for round in 0..5 {
        ids.push(one_start(&all, 50));
        if round % 2 == 0 {
            all.line("stop db -q");
        } else {
            // What is left of it then is cleaned up while others ask already.
            let process = all.service("db");
            process.kill(Signal::KILL);
            process.gone();
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each process has an id of its own");
}

#[test]
fn two_hundred_who_ask_at_once_get_one_process() {
    one_start(&Singletons::new(), 200);
}

#[test]
fn what_an_earlier_one_left_stands_in_nobodys_way() {
    let all = Singletons::new();
    all.line(&format!("db {DB}"));
    let (slot, lock) = (all.slot("db"), all.slot("db").join("lock"));
    let whole = fs::read(&lock).unwrap();
    for left in [b"".as_slice(), b"\0\0\0\0", b"12345\n", &whole[..whole.len() / 2], &whole] {
        all.line("stop db -q");
        fs::write(&lock, left).unwrap();
        // A socket that nobody listens on.
        let _ = fs::remove_file(slot.join("s"));
        drop(std::os::unix::net::UnixListener::bind(slot.join("s")).unwrap());
        one_start(&all, 20);
    }
    for directory in ["s", "log", "deps", "last"] {
        all.line("stop db -q");
        let _ = fs::remove_file(slot.join(directory));
        fs::write(slot.join(directory), "rubbish").unwrap();
        one_start(&all, 20);
    }
}

#[test]
fn gc_is_in_nobodys_way() {
    let all = Singletons::new();
    let until_done = "until [ -e done ]; do memo singleton gc --older-than 0 >removed || exit; done";
    let collectors: Vec<_> = (0..2).map(|_| Caller::start(&mut all.shell(until_done))).collect();
    let mut said = String::new();
    for _ in 0..60 {
        let ran = all.ran("db -- false");
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        said = ran.stderr;
    }
    all.write("done", "");
    for collector in collectors {
        let ended = collector.end();
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    }
    assert_eq!(said, "memo: error: singleton `db` ended before it was ready: exit 1\n");
}

#[test]
fn nobody_gets_a_process_that_is_dead() {
    /// Between two rounds: a crash loop is none when its ends are hours apart.
    const APART: u64 = 7200;
    let mut all = Singletons::new();
    let mut before = String::new();
    for round in 0..100_u64 {
        all.set("MEMO_TEST_NOW", (43_200 + round * APART).to_string());
        let id = all.id(&format!("db {DB}"));
        assert_ne!(id, before, "round {round}");
        let starts = all.starts();
        assert_eq!(starts.len() as u64, round + 1);
        let process = crate::living::Process::of(*starts.last().unwrap()).unwrap();
        assert!(!process.has_ended(), "round {round}");
        process.kill(Signal::KILL);
        // Until then it may well be handed out.
        process.gone();
        before = id;
    }
    all.never_twice();
}
