//! Singletons whose callers, supervisors and guardians are killed: at each step there is, and all of them at once.
//!
//! After it: the next one who asks gets a process, there is one process and never was one beside another, nothing of the
//! one before is left, and `--on-release` ran once for what was there.

use std::collections::BTreeSet;
use std::fs;

use memo::action::instance::InstanceId;
use memo::singleton::slot::Record;
use memo::store::holder::Holder;
use rustix::process::Signal;

use crate::crowd::{Caller, until};
use crate::living::{Process, Singletons};
use crate::tidy;

/// Who comes to a fault point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Whoever starts it.
    Caller,
    /// Its supervisor, when it is started.
    Supervisor,
    /// Its supervisor, when it is ended.
    AtItsEnd,
}

/// Every fault point of singletons, who comes there, and how often an instance has to be released that was killed
/// there.
const MATRIX: &[(&str, Whose, &[usize])] = &[
    ("singleton.locked", Whose::Caller, &[0]),
    ("singleton.swept", Whose::Caller, &[0]),
    ("singleton.listens", Whose::Caller, &[0]),
    // It is there, and stays.
    ("singleton.started", Whose::Caller, &[0]),
    // There was no process yet; whether there was one nobody can know.
    ("singleton.spawning", Whose::Supervisor, &[0, 1]),
    ("singleton.spawned", Whose::Supervisor, &[1]),
    ("singleton.ready", Whose::Supervisor, &[1]),
    ("singleton.ended", Whose::AtItsEnd, &[1]),
];

/// The singleton here.
const DB: &[&str] = &[
    "db",
    "--print",
    "id",
    "--grace",
    "100ms",
    "--ready-notify",
    "--on-release",
    "echo $MEMO_SINGLETON_INSTANCE >>released",
    "--",
    "puppet",
    "serve",
    "db",
    "notify",
    "READY=1",
];

/// Returns how many releases there were, each of another instance.
fn released(all: &Singletons) -> usize {
    let released = fs::read_to_string(all.path("released")).unwrap_or_default();
    let ids: BTreeSet<&str> = released.lines().collect();
    assert_eq!(ids.len(), released.lines().count(), "released twice: {released}");
    ids.len()
}

/// Asks, gets an instance, and that is the only one; returns its id.
#[track_caller]
fn works(all: &Singletons, place: &str) -> String {
    let asked = Caller::start(all.memo("").args(DB)).end();
    assert_eq!((asked.status, asked.stderr.as_str()), (0, ""), "{place}, then again");
    let id = String::from_utf8(asked.stdout).unwrap();
    assert_eq!(all.status("db").text("instance"), id.trim_end(), "{place}, then again");
    assert_eq!(all.puppets(), 1, "{place}, then again");
    all.never_twice();
    id
}

#[test]
fn killed_at_each_step() {
    for (point, whose, times) in MATRIX {
        let all = Singletons::new();
        let fifo = all.fifo("fifo");
        let fault = |action: &str| format!("{point}={action}");
        match whose {
            Whose::Caller => {
                let killed = Caller::start(all.memo("").args(DB).env("MEMO_FAULT", fault("kill"))).end();
                assert_eq!(killed.status, 128 + 9, "{point}: {}", killed.stderr);
            }
            Whose::Supervisor => {
                let stop = fault(&format!("stop:{}", fifo.display()));
                let caller = Caller::start(all.memo("").args(DB).env("MEMO_FAULT", stop));
                assert_eq!(fs::read_to_string(&fifo).unwrap(), *point);
                // Else it would start the next one, which would come there too.
                caller.kill(Signal::KILL);
                caller.end();
                all.called("memo-singleton").kill(Signal::KILL);
            }
            Whose::AtItsEnd => {
                let asked = Caller::start(all.memo("").args(DB).env("MEMO_FAULT", fault("kill"))).end();
                assert_eq!(asked.status, 0, "{point}: {}", asked.stderr);
                let supervisor = all.supervisor("db");
                assert_eq!(all.ran("stop db -q").code, 0, "{point}");
                assert!(supervisor.has_ended(), "{point}");
                all.none_left();
            }
        }
        let id = works(&all, point);
        assert!(times.contains(&released(&all)), "{point}: released {} times", released(&all));
        let before = released(&all);
        assert_eq!(works(&all, point), id, "{point}, then twice again");
        all.line("stop db -q");
        all.none_left();
        all.is_free("db");
        assert_eq!(released(&all), before + 1, "{point}, then stopped");
    }
}

#[test]
fn every_fault_point_of_singletons_is_in_the_matrix() {
    let known = MATRIX.iter().map(|(point, ..)| *point).chain([REMOVING]);
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    let points = tidy::fault_points().into_iter().filter(|point| point.starts_with("singleton."));
    assert_eq!(points.collect::<BTreeSet<_>>(), known);
}

/// Where gc is when a slot has its name no more, and is still there.
const REMOVING: &str = "singleton.removing";

#[test]
fn one_that_is_started_while_the_one_before_is_removed_lives() {
    for killed in [false, true] {
        let all = Singletons::new();
        works(&all, "first");
        all.line("stop db -q");
        let fifo = all.fifo("fifo");
        let mut gc = all.memo("gc --older-than 0");
        gc.env("MEMO_FAULT", format!("{REMOVING}=stop:{}", fifo.display()));
        let gc = Caller::start(&mut gc);
        assert_eq!(fs::read_to_string(&fifo).unwrap(), REMOVING);
        let id = works(&all, REMOVING);
        if killed {
            gc.kill(Signal::KILL);
            assert_eq!(gc.end().status, 128 + 9);
        } else {
            fs::write(&fifo, "").unwrap();
            assert_eq!(String::from_utf8(gc.end().stdout).unwrap(), "removed what 1 singleton left\n");
        }
        assert_eq!(all.line("ls --all").lines().count(), 2);
        assert_eq!(works(&all, REMOVING), id);
        assert_eq!(all.line("gc --older-than 0"), "removed what 0 singletons left");
        let scope = all.slot("db").parent().unwrap().to_owned();
        let left: BTreeSet<_> =
            fs::read_dir(scope).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, BTreeSet::from(["db".into(), "scope".into()]));
    }
}

/// A singleton that is hard to end: each of its processes holds its name, ignores TERM, and all but the first lead
/// sessions of their own, one of them without a parent.
const HARD: &str = "memo singleton db --print id --grace 100ms --ready-notify -- puppet ignoring TERM serve db \
    leave 'ignoring TERM setsid , touch left , pause' orphan 'ignoring TERM setsid , touch orphaned , pause' \
    notify READY=1";

/// Returns one that runs, its id and all of its processes.
fn hard() -> (Singletons, String, Vec<Process>) {
    let all = Singletons::new();
    let id = all.ok(HARD);
    until("all are there", || ["left", "orphaned"].iter().all(|file| all.path(file).exists()));
    let processes = all.all_called("puppet");
    assert_eq!(processes.len(), 3);
    (all, id, processes)
}

/// Asks again: it is another one, and of the one before nothing is left.
#[track_caller]
fn another(all: &Singletons, id: &str, processes: &[Process]) {
    let again = all.ok(HARD);
    for process in processes {
        assert!(process.has_ended(), "{} is still there", process.pid);
    }
    assert_ne!(again, id);
    all.never_twice();
}

#[test]
fn a_supervisor_that_is_killed_leaves_nothing() {
    let (all, id, processes) = hard();
    all.supervisor("db").kill(Signal::KILL);
    another(&all, &id, &processes);
    assert_eq!(all.ran("logs db --previous").code, 0);
}

#[test]
fn a_guardian_that_is_killed_ends_it_cleanly() {
    let (all, _, processes) = hard();
    let supervisor = all.supervisor("db");
    all.guardian("db").kill(Signal::KILL);
    supervisor.gone();
    for process in processes {
        assert!(process.has_ended(), "{} is still there", process.pid);
    }
    all.none_left();
    all.is_free("db");
    all.never_twice();
}

#[test]
fn when_both_are_killed_the_next_start_looks_for_what_they_left() {
    let (all, id, processes) = hard();
    // Another one is not taken for it.
    let other = all.id("other -- puppet serve other");
    let both = [all.supervisor("db"), all.guardian("db")];
    both.iter().for_each(|process| process.kill(Signal::STOP));
    both.iter().for_each(|process| process.kill(Signal::KILL));
    both.iter().for_each(Process::gone);
    all.is_free("db");
    assert!(processes.iter().any(|process| !process.has_ended()), "then nothing is left to be found");
    another(&all, &id, &processes);
    assert_eq!(all.id("other"), other);
}

#[test]
fn whoever_has_the_number_of_one_that_is_gone_is_left_alone() {
    let all = Singletons::new();
    all.line("db -- puppet serve db");
    all.line("stop db -q");
    let lock = all.slot("db").join("lock");
    // As at a loss of power: nobody has noted its end.
    fs::remove_file(all.slot("db").join("last")).unwrap();
    // It holds the lock of nothing, and knows nothing of an instance.
    let stranger = Caller::start(all.command("puppet").args(["setsid", "pause"]));
    let instance = InstanceId::from_bytes([7; 16]);
    // This test itself, with its own start time.
    let record = Record { instance, supervisor: Holder::me(), pid: stranger.number() };
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let other = "00000000-0000-4000-8000-000000000000";
    let bytes = record.encode();
    let place = bytes.windows(other.len()).position(|part| part == boot.trim_end().as_bytes()).unwrap();
    let mut of_another_boot = bytes.clone();
    of_another_boot[place..place + other.len()].copy_from_slice(other.as_bytes());
    for (number, bytes) in [bytes, of_another_boot].into_iter().enumerate() {
        fs::write(&lock, bytes).unwrap();
        all.line("db -- puppet serve db");
        assert!(!Process::of(stranger.number()).unwrap().has_ended());
        assert_eq!(all.starts().len(), number + 2);
        all.line("stop db -q");
        fs::remove_file(all.slot("db").join("last")).unwrap();
    }
}
