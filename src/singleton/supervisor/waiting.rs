//! Whether an instance is ready: everything that readiness asks for, each looked at until it is true once.
//!
//! What has to be asked for (a port, a file, a command) is asked by another process, one at a time, so that nothing
//! that does not answer holds the supervisor up.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::singleton::probe::{self, Probed};
use crate::singleton::readiness::{LogMatcher, Ready};
use crate::sys::process::{self, Ended, Launch};
use crate::sys::startup::Inherited;
use crate::sys::{end, signal};

/// How long an instance of which nothing is asked must live.
const SETTLED: Duration = Duration::from_millis(100);
/// The first pause between two looks; each is longer by half.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// What is still to be true before an instance is ready.
#[derive(Debug)]
pub(super) struct Waiting {
    left: Vec<Ready>,
    matcher: Option<LogMatcher>,
    probe: Option<i32>,
    look_at: Duration,
    pause: Duration,
    said: Probed,
    /// Where it was found.
    pub(super) address: Option<String>,
    /// What the log said that was looked for.
    pub(super) values: Vec<(String, String)>,
}

/// Why something is not ready.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// In a sentence.
    pub(super) note: String,
    /// What may help, if that is known.
    pub(super) hint: Option<String>,
    /// Where it listens instead.
    pub(super) listens: Vec<SocketAddr>,
}

impl Waiting {
    /// Returns what an instance that was started now has to become.
    pub(super) fn new(readiness: &[Ready], takes_calls: bool, now: Duration) -> Self {
        let of_log = readiness.iter().filter_map(|ready| match ready {
            Ready::Log(pattern) => Some(pattern.as_str()),
            _ => None,
        });
        let of_log: Vec<&str> = of_log.collect();
        let look_at = if readiness.is_empty() && !takes_calls { now + SETTLED } else { now };
        Self {
            left: readiness.to_vec(),
            // The patterns were compiled when they were typed.
            matcher: if of_log.is_empty() { None } else { LogMatcher::new(of_log).ok() },
            probe: None,
            look_at,
            pause: FIRST_PAUSE,
            said: Probed::Nothing,
            address: None,
            values: Vec::new(),
        }
    }

    /// Returns the process that looks whether it is ready, while there is one.
    pub(super) fn probe(&self) -> Option<i32> {
        self.probe
    }

    /// Returns when there is something to be looked at; `None` while that is not up to time.
    pub(super) fn next(&self) -> Option<Duration> {
        let asks = self.left.is_empty() || self.asked().is_some();
        (self.probe.is_none() && asks).then_some(self.look_at)
    }

    /// Returns whether everything is true.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.left.is_empty() && now >= self.look_at
    }

    fn asked(&self) -> Option<usize> {
        self.left.iter().position(|ready| !matches!(ready, Ready::Log(_) | Ready::Notify))
    }

    /// Takes what the process wrote to its log.
    pub(super) fn log(&mut self, bytes: &[u8]) {
        let Some(matcher) = &mut self.matcher else { return };
        if matcher.push(bytes) {
            self.logged();
        }
    }

    fn logged(&mut self) {
        let Some(matcher) = self.matcher.take() else { return };
        self.values = matcher.captured().to_vec();
        self.left.retain(|ready| !matches!(ready, Ready::Log(_)));
    }

    /// The process says that it is ready.
    pub(super) fn notified(&mut self) {
        self.left.retain(|ready| *ready != Ready::Notify);
    }

    /// Begins the next look, if it is time for one. `shell` prepares a shell command with the instance's environment.
    pub(super) fn look(
        &mut self,
        now: Duration,
        since: i64,
        shell: impl Fn(&std::ffi::OsStr) -> io::Result<Launch>,
    ) {
        let Some(position) = self.asked().filter(|_| self.probe.is_none() && now >= self.look_at) else {
            return;
        };
        let started = match &self.left[position] {
            Ready::Command(line) => shell(line)
                .and_then(|launch| launch.spawn(&Inherited::get()))
                .map(|started| Some(started.command)),
            ready => process::fork_child().inspect(|child| {
                if child.is_none() {
                    let supervisor = process::parent();
                    // It has all that the supervisor has open, the lock among it.
                    if !process::told_of_end_of(supervisor, signal::KILL) {
                        end::at_once(1);
                    }
                    end::at_once(probe::probe(ready, supervisor, since).code())
                }
            }),
        };
        match started {
            Ok(pid) => self.probe = pid,
            Err(_) => self.rest(now),
        }
    }

    /// Takes how a process ended; returns whether it was the one that looks.
    pub(super) fn ended(&mut self, pid: i32, how: Ended, now: Duration) -> bool {
        if self.probe != Some(pid) {
            return false;
        }
        self.probe = None;
        let position = self.asked();
        let is_command = position.is_some_and(|position| matches!(self.left[position], Ready::Command(_)));
        let said = match how {
            Ended::Exit(0) => Probed::Ready,
            // What exit codes say is said by copies of this process alone.
            Ended::Exit(code) if !is_command => Probed::from_code(code),
            _ => Probed::Nothing,
        };
        match position {
            Some(position) if said.is_ready() => {
                let ready = self.left.remove(position);
                self.address = self.address.take().or(said.address(&ready));
                self.pause = FIRST_PAUSE;
                self.look_at = now;
            }
            _ => {
                self.said = said;
                self.rest(now);
            }
        }
        true
    }

    fn rest(&mut self, now: Duration) {
        self.look_at = now + self.pause;
        self.pause = (self.pause * 3 / 2).min(LONGEST_PAUSE);
    }

    /// Ends the look that is under way.
    pub(super) fn give_up(&mut self) {
        if let Some(pid) = self.probe.take() {
            // A shell command leads a session; a copy of this process is in the supervisor's group.
            signal::send(-pid, signal::KILL);
            signal::send(pid, signal::KILL);
        }
    }

    /// Says why it is not ready, after it was waited for in vain.
    pub(super) fn missing(&self) -> Missing {
        let Some((ready, said)) = self.awaited() else { return Missing::default() };
        let mut note = said.sentence(ready);
        let listens =
            if said == Probed::Nothing { probe::elsewhere(ready, process::id()) } else { Vec::new() };
        if !listens.is_empty() {
            let shown: Vec<String> = listens.iter().map(|address| format!("`{address}`")).collect();
            note = format!("{note}; it listens at {} instead", shown.join(", "));
        }
        Missing { note, hint: said.hint(ready), listens }
    }

    /// Says what it waits for next; empty where that is only time.
    pub(super) fn sentence(&self) -> String {
        self.awaited().map(|(ready, said)| said.sentence(ready)).unwrap_or_default()
    }

    /// Returns the port that the log has named.
    pub(super) fn port(&self) -> Option<u16> {
        let (_, port) = self.values.iter().find(|(name, _)| name == "port")?;
        port.parse().ok().filter(|port| *port > 0)
    }

    /// Returns what it waits for next, and what was found there last.
    fn awaited(&self) -> Option<(&Ready, Probed)> {
        match self.asked() {
            Some(position) => Some((&self.left[position], self.said)),
            None => self.left.first().map(|ready| (ready, Probed::Nothing)),
        }
    }
}
