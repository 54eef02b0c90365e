//! A sandbox with singletons in it: who of them lives, which process is which, and that none is left behind.
//!
//! What a process belongs to says its environment, which holds MEMO_DIR, or of guardians and supervisors, which have
//! none of it, their command line, which names the slot.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::crowd::until;
use crate::sandbox::{Ran, Sandbox};

/// After this a wait has failed. It is never reached in a test that passes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A sandbox whose singletons end with the test. A test after which a process is left has failed.
pub struct Singletons {
    sandbox: Sandbox,
}

/// A process that was there when it was looked for. It is meant by a descriptor, and never by a number that another
/// may have by now.
pub struct Process {
    /// Its number.
    pub pid: i32,
    descriptor: OwnedFd,
}

/// A singleton as `status --json` shows it.
pub struct Status(serde_json::Value);

impl Singletons {
    /// Returns a sandbox without any.
    pub fn new() -> Self {
        Self::of(Sandbox::new())
    }

    /// Returns those of a sandbox.
    pub fn of(sandbox: Sandbox) -> Self {
        Self { sandbox }
    }

    /// Returns `memo singleton WORDS` as a command; words are separated by spaces.
    pub fn memo(&self, words: &str) -> Command {
        let mut memo = self.sandbox.memo();
        memo.arg("singleton").args(words.split_whitespace());
        memo
    }

    /// Runs `memo singleton WORDS`.
    pub fn ran(&self, words: &str) -> Ran {
        Ran::of(&mut self.memo(words))
    }

    /// Runs `memo singleton WORDS`, which must end with 0, and returns the line it prints.
    #[track_caller]
    pub fn line(&self, words: &str) -> String {
        let ran = self.ran(words);
        assert_eq!(ran.code, 0, "`memo singleton {words}`: {}{}", ran.stdout, ran.stderr);
        ran.stdout.trim_end().to_owned()
    }

    /// Asks for a singleton and returns the id of its instance.
    #[track_caller]
    pub fn id(&self, words: &str) -> String {
        self.line(&format!("--print id {words}"))
    }

    /// Returns how a singleton is that runs.
    #[track_caller]
    pub fn status(&self, name: &str) -> Status {
        Status(serde_json::from_str(&self.line(&format!("status {name} --json"))).unwrap())
    }

    /// Returns the process of a singleton.
    #[track_caller]
    pub fn service(&self, name: &str) -> Process {
        Process::of(self.status(name).pid("pid")).unwrap()
    }

    /// Returns the supervisor of a singleton.
    #[track_caller]
    pub fn supervisor(&self, name: &str) -> Process {
        Process::of(self.status(name).pid("supervisor")).unwrap()
    }

    /// Returns the guardian of a singleton.
    #[track_caller]
    pub fn guardian(&self, name: &str) -> Process {
        Process::of(parent(self.status(name).pid("supervisor"))).unwrap()
    }

    /// Returns the numbers of all processes that `puppet serve` was, in their order.
    pub fn starts(&self) -> Vec<i32> {
        let starts = fs::read_to_string(self.root().join("starts")).unwrap_or_default();
        starts.lines().map(|pid| pid.parse().unwrap()).collect()
    }

    /// Makes sure that there was never one beside another.
    #[track_caller]
    pub fn never_twice(&self) {
        let twice = fs::read_to_string(self.root().join("DUP")).unwrap_or_default();
        assert_eq!(twice, "", "one beside another, of {:?}", self.starts());
    }

    /// Returns all processes of this sandbox that have not ended, as `PID COMMAND LINE`.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let of = |pid: i32, file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let directory = [b"MEMO_DIR=", self.store().as_os_str().as_encoded_bytes(), b"\0"].concat();
        let root = self.root().as_os_str().as_encoded_bytes();
        let numbers = fs::read_dir("/proc").unwrap().flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        // One that has ended and was not waited for has neither.
        numbers
            .filter_map(|pid| {
                let words = of(pid, "cmdline");
                let keeps = contains(&words, b"__supervise") && contains(&words, root);
                (keeps || contains(&of(pid, "environ"), &directory))
                    .then(|| (pid, String::from_utf8_lossy(&words).replace('\0', " ").trim_end().to_owned()))
            })
            .collect()
    }

    /// Returns how many puppets there are.
    pub fn puppets(&self) -> usize {
        self.all_called("puppet").len()
    }

    /// Returns the only process that is called so; guardians are `memo-guardian`, supervisors `memo-singleton`.
    #[track_caller]
    pub fn called(&self, name: &str) -> Process {
        let mut found = self.all_called(name);
        assert_eq!(found.len(), 1, "{name}: {:?}", self.processes());
        found.remove(0)
    }

    /// Returns the processes that are called so.
    pub fn all_called(&self, name: &str) -> Vec<Process> {
        let processes = self.processes().into_iter().filter_map(|(pid, _)| Process::of(pid));
        processes.filter(|process| process.command() == name).collect()
    }

    /// Makes sure that none of its processes is there now.
    #[track_caller]
    pub fn none_left(&self) {
        let left = self.processes();
        assert!(left.is_empty(), "left: {left:#?}");
    }

    /// Makes sure that nobody holds the lock of a slot: who would start one gets it.
    #[track_caller]
    pub fn is_free(&self, name: &str) {
        let lock = fs::File::open(self.slot(name).join("lock")).unwrap();
        lock.try_lock().unwrap();
    }

    /// Returns the directory of the slot of a name in this sandbox's working directory.
    #[track_caller]
    pub fn slot(&self, name: &str) -> std::path::PathBuf {
        let scopes = fs::read_dir(self.store().join("singleton")).unwrap().flatten();
        let found: Vec<_> =
            scopes.map(|scope| scope.path().join(name)).filter(|slot| slot.is_dir()).collect();
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found.into_iter().next().unwrap()
    }
}

impl Deref for Singletons {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl DerefMut for Singletons {
    fn deref_mut(&mut self) -> &mut Sandbox {
        &mut self.sandbox
    }
}

impl Drop for Singletons {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let stopped = self.ran("stop --all --everywhere --busy kill --grace 0s --quiet");
            let ended = || self.processes().is_empty();
            if stopped.code == 0 {
                until(&format!("none is left of {:#?}", self.processes()), ended);
                return;
            }
            self.kill_all();
            panic!("`stop --all` ended with {}: {}", stopped.code, stopped.stderr);
        }
        self.kill_all();
    }
}

impl Singletons {
    /// Kills whatever there is, until nothing is.
    fn kill_all(&self) {
        for _ in 0..1000 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for (pid, _) in left {
                if let Some(process) = Process::of(pid) {
                    process.kill(Signal::KILL);
                    process.gone();
                }
            }
        }
    }
}

impl Process {
    /// Returns the process that has this number now, if there is one.
    pub fn of(pid: i32) -> Option<Self> {
        let descriptor = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        Some(Self { pid, descriptor })
    }

    /// Sends it a signal, if it is still there.
    pub fn kill(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.descriptor, signal);
    }

    /// Waits for its end.
    #[track_caller]
    pub fn gone(&self) {
        assert!(self.ends_within(DEADLINE), "{} does not end", self.pid);
    }

    /// Returns whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.ends_within(Duration::ZERO)
    }

    /// Returns its name.
    pub fn command(&self) -> String {
        fs::read_to_string(format!("/proc/{}/comm", self.pid)).unwrap_or_default().trim_end().to_owned()
    }

    /// Returns its session; 0 if the leader of that is outside this process's namespace.
    #[track_caller]
    pub fn session(&self) -> i32 {
        stat(self.pid, 3)
    }

    /// Returns the device number of its terminal; 0 without one.
    #[track_caller]
    pub fn terminal(&self) -> i32 {
        stat(self.pid, 4)
    }

    /// Returns which signals it blocks and which it ignores, in bits from signal 1.
    pub fn signals(&self) -> [u64; 2] {
        // 32 and 33 are glibc's own: what std starts ignores 32, and no program can change that by way of glibc.
        let own = 0b11 << 31;
        ["SigBlk", "SigIgn"].map(|name| u64::from_str_radix(&field(self.pid, name), 16).unwrap() & !own)
    }

    /// Returns how many sockets it has open.
    pub fn sockets(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.pid)).into_iter().flatten().flatten();
        let open = open.filter_map(|fd| fs::read_link(fd.path()).ok());
        open.filter(|path| path.as_os_str().as_encoded_bytes().starts_with(b"socket:")).count()
    }

    fn ends_within(&self, time: Duration) -> bool {
        let time = Timespec::try_from(time).unwrap();
        loop {
            match poll(&mut [PollFd::new(&self.descriptor, PollFlags::IN)], Some(&time)) {
                Ok(n) => return n > 0,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("poll: {error}"),
            }
        }
    }
}

impl Status {
    /// Returns a field that is a text.
    #[track_caller]
    pub fn text(&self, field: &str) -> String {
        self.0[field].as_str().unwrap_or_else(|| panic!("{field}: {}", self.0)).to_owned()
    }

    /// Returns a field that is a number.
    #[track_caller]
    pub fn number(&self, field: &str) -> i64 {
        self.0[field].as_i64().unwrap_or_else(|| panic!("{field}: {}", self.0))
    }

    fn pid(&self, field: &str) -> i32 {
        i32::try_from(self.number(field)).unwrap()
    }
}

/// Returns the parent of a process.
#[track_caller]
pub fn parent(pid: i32) -> i32 {
    field(pid, "PPid").parse().unwrap()
}

/// Returns whether a process waits for something: it has done all that was to be done before.
pub fn asleep(pid: i32) -> bool {
    field(pid, "State").starts_with('S')
}

/// Returns how often a process has begun to wait, or was made to.
pub fn switches(pid: i32) -> String {
    ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"].map(|name| field(pid, name)).join(" ")
}

/// Returns a field of `/proc/PID/status` (proc(5)); empty if there is no such process.
fn field(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_default().trim().to_owned()
}

/// Returns a field of `/proc/PID/stat` (proc(5)) that is a number, counted from the state as 0.
#[track_caller]
fn stat(pid: i32, n: usize) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(n).unwrap().parse().unwrap()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
