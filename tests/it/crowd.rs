//! Many callers at once, and ways to know where each of them is without a clock.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::Sandbox;

/// After this a wait has failed. It is never reached in a test that passes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until something holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::yield_now();
    }
}

/// A fifo that a command reads to its end: it goes on when the test opens the gate, and never waits again.
pub struct Gate {
    path: PathBuf,
    writer: Option<File>,
}

impl Gate {
    /// Makes one in the working directory.
    pub fn new(sandbox: &Sandbox, name: &str) -> Self {
        let path = sandbox.fifo(name);
        // For both, so that opening it waits for nobody.
        let writer = File::options().read(true).write(true).open(&path).unwrap();
        Self { path, writer: Some(writer) }
    }

    /// Lets through all who wait and all who come.
    pub fn open(&mut self) {
        let file = self.path.with_extension("open");
        fs::write(&file, "").unwrap();
        fs::rename(&file, &self.path).unwrap();
        self.writer = None;
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if self.writer.is_some() {
            self.open();
        }
    }
}

/// A process whose output is taken as it comes.
pub struct Caller {
    pid: Pid,
    ended: Receiver<Output>,
    done: bool,
}

impl Caller {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let (sender, ended) = channel();
        std::thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
        Self { pid, ended, done: false }
    }

    /// Returns its number.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends it a signal.
    pub fn kill(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// Returns its number.
    pub fn number(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let output = self.ended.recv_timeout(DEADLINE);
        self.done = output.is_ok();
        let output = output.unwrap_or_else(|_| panic!("{:?} does not end", self.pid));
        Ended {
            status: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if !self.done && self.ended.try_recv().is_err() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// How a caller ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Exit status; 128 and the signal for a death by signal.
    pub status: i32,
    /// Its stdout.
    pub stdout: Vec<u8>,
    /// Its stderr.
    pub stderr: String,
}

/// Starts `count` callers of one command line of memo's.
pub fn crowd(sandbox: &Sandbox, count: usize, words: &[&str]) -> Vec<Caller> {
    (0..count).map(|_| Caller::start(sandbox.memo().args(words))).collect()
}

/// Lets all of them end.
#[track_caller]
pub fn ends(callers: Vec<Caller>) -> Vec<Ended> {
    callers.into_iter().map(Caller::end).collect()
}

/// The locks on files of a directory of the store: whether somebody is still waiting for it, and which process
/// that is.
fn locks(sandbox: &Sandbox, directory: &str) -> Vec<(bool, i32)> {
    let leases = fs::read_dir(sandbox.store().join(directory)).into_iter().flatten().flatten();
    let inodes: Vec<String> =
        leases.filter_map(|lease| Some(format!(":{} ", lease.metadata().ok()?.ino()))).collect();
    let mut text = String::new();
    File::open("/proc/locks").unwrap().read_to_string(&mut text).unwrap();
    let of_leases = text.lines().filter(|line| inodes.iter().any(|inode| line.contains(inode.as_str())));
    of_leases
        .filter_map(|line| {
            let pid = line.split_whitespace().find_map(|word| word.parse().ok());
            Some((line.contains("->"), pid?))
        })
        .collect()
}

/// Waits until so many processes wait for a lease, in flock(2).
#[track_caller]
pub fn until_waiting(sandbox: &Sandbox, count: usize) {
    until_waiting_in(sandbox, "leases", count);
}

/// Waits until so many processes wait for a lock of a directory of the store.
#[track_caller]
pub fn until_waiting_in(sandbox: &Sandbox, directory: &str, count: usize) {
    let waiting = || locks(sandbox, directory).iter().filter(|(waits, _)| *waits).count();
    until(&format!("{count} processes wait for one of {directory}"), || waiting() == count);
}

/// Returns the process that holds the only lease there is.
#[track_caller]
pub fn holder(sandbox: &Sandbox) -> i32 {
    let mut found = None;
    until("somebody holds a lease", || {
        found = locks(sandbox, "leases").iter().find(|(waits, _)| !waits).map(|(_, pid)| *pid);
        found.is_some()
    });
    found.unwrap()
}

/// Takes the caller out that holds the only lease.
#[track_caller]
pub fn take_holder(sandbox: &Sandbox, callers: &mut Vec<Caller>) -> Caller {
    let pid = holder(sandbox);
    let place = callers.iter().position(|caller| caller.pid().as_raw_nonzero().get() == pid);
    callers.remove(place.expect("one of the callers holds it"))
}

/// Nothing may stay of runs that are over.
#[track_caller]
pub fn nothing_piles_up(sandbox: &Sandbox) {
    for directory in ["leases", "tmp"] {
        let left: Vec<_> = fs::read_dir(sandbox.store().join(directory))
            .into_iter()
            .flatten()
            .map(|file| file.unwrap().file_name())
            .collect();
        assert!(left.is_empty(), "{directory}: {left:?}");
    }
}

/// Longer than what memo keeps in memory, so that it stands in the file of the lease.
pub const LONG: &str = "puppet fill 100000";

/// Returns a sandbox with `run`, which counts its runs, does this, waits at the gate, and does that.
pub fn world(before: &str, after: &str) -> (Sandbox, Gate) {
    let sandbox = Sandbox::new();
    sandbox.script("run", &format!("#!/bin/sh\necho $$ >>$RUNS\n{before}\nread x <gate\n{after}\n"));
    let gate = Gate::new(&sandbox, "gate");
    (sandbox, gate)
}

/// All ended with this status and these bytes, and heard nothing of memo.
#[track_caller]
pub fn all_are(ended: &[Ended], status: i32, stdout: &[u8]) {
    for one in ended {
        assert_eq!((one.status, one.stderr.as_str()), (status, ""));
        assert!(one.stdout == stdout, "{} bytes: {}", one.stdout.len(), one.stdout.escape_ascii());
    }
}

/// What puppet fills with.
pub fn long() -> Vec<u8> {
    let byte = |i: usize| if i % 64 == 63 { b'\n' } else { b'a' + (i % 26) as u8 };
    (0..100_000).map(|i| byte(i % 65_536)).collect()
}
