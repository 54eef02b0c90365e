//! Many callers at once, and ways to know where each of them is without a clock.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
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

/// The files of a directory of the store, each by its device and number.
fn files(directory: &Path) -> Vec<(u64, u64)> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| (file.dev(), file.ino())).collect()
}

/// Returns the processes that have one of these files open.
fn users(files: &[(u64, u64)]) -> Vec<i32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let all = all.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let uses = |pid: &i32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut open = open.filter_map(|fd| fs::metadata(fd.path()).ok());
        open.any(|file| files.contains(&(file.dev(), file.ino())))
    };
    all.filter(uses).collect()
}

/// Returns whether a process has this file open.
pub fn is_in_use(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| !users(&[(file.dev(), file.ino())]).is_empty())
}

/// Waits until so many processes wait for a lease, in flock(2).
#[track_caller]
pub fn until_waiting(sandbox: &Sandbox, count: usize) {
    until_waiting_in(sandbox, "leases", count);
}

/// Waits until so many processes wait for a lock of a directory of the store. In `/proc/locks` not all of them are
/// to be seen from within a container: not those who wait for a lock that a process took which is gone.
#[track_caller]
pub fn until_waiting_in(sandbox: &Sandbox, directory: &str, count: usize) {
    let directory = sandbox.store().join(directory);
    let flock = format!("{} ", libc::SYS_flock);
    let waits = |pid: &&i32| {
        fs::read_to_string(format!("/proc/{pid}/syscall")).is_ok_and(|call| call.starts_with(&flock))
    };
    let waiting = || users(&files(&directory)).iter().filter(waits).count();
    until(&format!("{count} processes wait for one of {}", directory.display()), || waiting() == count);
}

/// Returns the process that holds the only lease there is.
#[track_caller]
pub fn holder(sandbox: &Sandbox) -> i32 {
    let mut found = None;
    until("somebody holds a lease", || {
        let leases = files(&sandbox.store().join("leases"));
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let held = |lock: &&str| {
            !lock.contains("->") && leases.iter().any(|(_, inode)| lock.contains(&format!(":{inode} ")))
        };
        let held = locks.lines().find(held);
        found = held.and_then(|lock| lock.split_whitespace().find_map(|word| word.parse().ok()));
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
