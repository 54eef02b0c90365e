//! The processes of a service: all that descend from one, told apart from any other that had or will have their
//! numbers, and signalled by descriptor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;

use super::start::SUPERVISE;
use crate::sys::pidfd::{self, Pidfd};
use crate::sys::{proc, process, signal};

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub parent: i32,
    /// When it started, in clock ticks since boot.
    pub started: u64,
    /// Whether it has ended, and nobody has waited for it yet.
    pub ended: bool,
    /// Its session's number.
    pub session: i32,
}

impl Process {
    /// Returns the process that has this number now.
    pub fn of(pid: i32) -> Option<Self> {
        let stat = proc::stat(pid)?;
        let proc::Stat { parent, session, started, .. } = stat;
        Some(Self { pid, parent, started, ended: stat.has_ended(), session })
    }

    /// Returns whether it runs, or at least has not ended, as far as this look back then told.
    pub fn is_alive(&self) -> bool {
        !self.ended
    }
}

/// Returns all processes that can be seen. It is no snapshot: they come and go while it is made.
pub fn processes() -> Vec<Process> {
    // The newest first: one that forks and ends again and again is the last that was listed, and has ended soon.
    proc::pids().into_iter().rev().filter_map(Process::of).collect()
}

/// Returns those of `all` that descend from `root`, parents before their children, without `root` itself. The dead
/// that nobody has waited for are among them.
pub fn descendants(all: &[Process], root: i32) -> Vec<Process> {
    let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process);
    }
    // Numbers that were given anew while `all` was read could make a circle.
    let mut seen = BTreeSet::from([root]);
    let mut found: Vec<Process> = Vec::new();
    let mut next = Some(root);
    let mut looked = 0;
    while let Some(parent) = next {
        for child in children.get(&parent).into_iter().flatten() {
            if seen.insert(child.pid) {
                found.push(**child);
            }
        }
        next = found.get(looked).map(|process| process.pid);
        looked += 1;
    }
    found
}

/// Sends a signal to this very process; returns whether that was possible.
///
/// The number is looked at again once its descriptor is open: from then on it cannot become another's.
pub fn send(process: &Process, signal: i32) -> bool {
    send_to(process.pid, process.started, signal)
}

/// Sends a signal to the process that has this number and started then, see [`send`].
pub fn send_to(pid: i32, started: u64, signal: i32) -> bool {
    match Pidfd::open(pid) {
        Ok(pidfd) => is_alive(pid, started) && pidfd.send(signal).is_ok(),
        Err(error) if pidfd::is_unsupported(&error) => {
            let alive = is_alive(pid, started);
            if alive {
                signal::send(pid, signal);
            }
            alive
        }
        Err(_) => false,
    }
}

/// Returns whether the process with this number that started then is there and has not ended.
pub fn is_alive(pid: i32, started: u64) -> bool {
    Process::of(pid).is_some_and(|process| process.started == started && process.is_alive())
}

/// Returns whether there is a process with this number that has not ended.
pub fn is_running(pid: i32) -> bool {
    Process::of(pid).is_some_and(|process| process.is_alive())
}

/// Returns the living processes below this one that belong to an instance it keeps: not those of an instance that was started
/// from inside it. Those come here too when their starter has ended, and live on.
pub fn of_instance(keeper: i32) -> Vec<Process> {
    parted(keeper).0
}

/// Returns the living processes of the instance that this process keeps, and how many guardians of other instances are
/// its children.
fn parted(keeper: i32) -> (Vec<Process>, usize) {
    let all = processes();
    let guards = |process: &&Process| {
        process.parent == keeper
            && fs::read(format!("/proc/{}/cmdline", process.pid))
                .is_ok_and(|words| words.split(|byte| *byte == 0).nth(1) == Some(SUPERVISE.as_bytes()))
    };
    let others: Vec<i32> = all.iter().filter(guards).map(|process| process.pid).collect();
    let all: Vec<Process> = all.into_iter().filter(|process| !others.contains(&process.pid)).collect();
    let mut found = descendants(&all, keeper);
    found.retain(Process::is_alive);
    (found, others.len())
}

/// Returns whether this process has children, and all of them are guardians of other instances; that is looked at
/// several times, for what comes and goes meanwhile.
pub fn others_alone_are_below(keeper: i32) -> bool {
    (0..3).all(|_| {
        let (own, others) = parted(keeper);
        own.is_empty() && others > 0
    })
}

/// Kills a process, and with it the group that its session began with: a process that forks and ends again and again
/// is gone before it is killed, but a group is killed at once.
pub fn kill(process: &Process) {
    // As long as somebody is in the session, its number is nobody else's. That of memo's own processes is spared.
    let own = Process::of(process::id()).map(|me| me.session);
    let is_of_instance = process.session > 1 && Some(process.session) != own;
    if is_of_instance && is_alive(process.pid, process.started) {
        signal::send(-process.session, signal::KILL);
    }
    send(process, signal::KILL);
}

/// Returns the user's processes that were started with this `NAME=VALUE` in their environment, without the caller.
///
/// Those that overwrote their environment since, or were started without it, are not found.
pub fn with_variable(entry: &[u8]) -> Vec<Process> {
    let (me, user) = (process::id(), process::user());
    let is_one = |process: &Process| {
        let directory = format!("/proc/{}", process.pid);
        process.pid != me
            && process.is_alive()
            && fs::metadata(&directory).is_ok_and(|metadata| metadata.uid() == user)
            && fs::read(format!("{directory}/environ")).is_ok_and(|environment| has_entry(&environment, entry))
            // What was read was its own, and not that of another one with its number.
            && is_alive(process.pid, process.started)
    };
    processes().into_iter().filter(is_one).collect()
}

fn has_entry(environment: &[u8], entry: &[u8]) -> bool {
    environment.split(|byte| *byte == 0).any(|found| found == entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command, Stdio};

    /// Starts a process that lives as long as its stdin is open.
    fn child() -> Child {
        Command::new("cat").stdin(Stdio::piped()).env("MEMO_TREE_TEST", "a=b").spawn().unwrap()
    }

    fn process(pid: i32, parent: i32) -> Process {
        Process { pid, parent, started: 1, ended: false, session: 1 }
    }

    #[test]
    fn descendants_are_found_at_any_depth() {
        let all = [(1, 0), (9, 5), (5, 1), (6, 5), (7, 9), (8, 1)].map(|(pid, parent)| process(pid, parent));
        let pids = |root| descendants(&all, root).iter().map(|process| process.pid).collect::<Vec<_>>();
        assert_eq!(pids(5), [9, 6, 7]);
        assert_eq!(pids(1), [5, 8, 9, 6, 7]);
        assert_eq!(pids(7), [] as [i32; 0]);
        assert_eq!(pids(99), [] as [i32; 0]);
    }

    #[test]
    fn a_circle_has_an_end() {
        let all = [process(2, 3), process(3, 2), process(4, 4)];
        assert_eq!(descendants(&all, 2), [process(3, 2)]);
        assert_eq!(descendants(&all, 4), []);
    }

    #[test]
    fn an_entry_is_compared_whole() {
        let environment = b"A=1\0MEMO=xy\0B=\0";
        assert!(has_entry(environment, b"MEMO=xy"));
        assert!(has_entry(environment, b"A=1"));
        for not in [&b"MEMO=x"[..], b"EMO=xy", b"MEMO"] {
            assert!(!has_entry(environment, not));
        }
    }

    #[test]
    fn a_child_is_found_signalled_and_dead_as_a_zombie() {
        let mut child = child();
        let pid = child.id().cast_signed();
        let found = descendants(&processes(), process::id());
        let found = *found.iter().find(|process| process.pid == pid).unwrap();
        assert_eq!(found.parent, process::id());
        assert!(is_alive(pid, found.started) && !is_alive(pid, found.started + 1));
        assert_eq!(with_variable(b"MEMO_TREE_TEST=a=b").iter().filter(|one| one.pid == pid).count(), 1);
        assert!(with_variable(b"MEMO_TREE_TEST=a").is_empty());

        let another = Process { started: found.started + 1, ..found };
        assert!(!send(&another, 9), "it has the number of one that is gone");
        let pidfd = Pidfd::open(pid).unwrap();
        assert!(send(&found, 9));
        crate::sys::poll::wait_for(pidfd.as_raw_fd(), crate::sys::poll::READ).unwrap();
        assert!(!is_alive(pid, found.started), "nobody has waited for it yet");
        assert!(!send(&found, 9));
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert!(!is_alive(pid, found.started));
    }
}
