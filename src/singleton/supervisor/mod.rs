//! The supervisor: it keeps one instance, answers those who ask for it, and ends when that has ended.
//!
//! One thread and one poll loop over everything that can happen: signals, the process's output, clients, the removal
//! of its directory. When nothing happens it sleeps in the kernel; the only deadlines are those that something was
//! asked for (`--idle`, `--ttl`, a start, a stop). What is to be done about an event the [`Machine`] says; here it is
//! done.

mod answers;
mod calls;
mod clients;
mod running;
mod waiting;

use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::inside;
use super::log::{self, Log};
use super::machine::{Effect, Event, Machine};
use super::message::Reply;
use super::notify::{self, Notice};
use super::probe;
use super::readiness::Ready;
use super::release::{self, Release};
use super::report::Stage;
use super::service::{Port, Service, with_variables};
use super::slot::{Record, Slot};
use super::tree;
use super::verdict::{Last, Verdict, Why};
use crate::action::identity::Timestamp;
use crate::action::instance::InstanceId;
use crate::config::Clock;
use crate::error::system_text;
use crate::fault;
use crate::store::holder::Holder;
use crate::sys::poll::{self, Watch};
use crate::sys::process::{self, Ended, OpenFiles};
use crate::sys::signal::{self, Signals};
use crate::sys::socket;
use crate::sys::startup::Inherited;
use crate::sys::watch::Changes;
use calls::{Calls, Heard};
use clients::{ClientId, Clients, Role};
use running::Running;
use waiting::{Missing, Waiting};

/// How many of the last lines of a log are told to whoever waited in vain.
pub(super) const TAIL: usize = 20;
/// How large a log may become before it is moved aside, in bytes; two are kept, and the instance's before.
const MOST_LOG: u64 = 8 << 20;
/// How often the directory is looked at where the kernel does not tell of its removal.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Keeps an instance of a service until it has ended.
pub(super) fn supervise(
    service: Service,
    lock: File,
    listener: UnixListener,
    first: UnixStream,
    clock: Clock,
) {
    let stops = [signal::TERM, signal::INT, signal::HUP, signal::QUIT];
    let Ok(signals) = Signals::hold(&[&stops[..], &[signal::CHLD]].concat(), &Inherited::get()) else {
        return;
    };
    // Orphans of the instance come here, so that their end is seen.
    if process::adopt_orphans().is_err() || listener.set_nonblocking(true).is_err() {
        return;
    }
    let slot = Slot::at(service.slot.clone());
    let begun = Instant::now();
    // Each client is one; the process gets what its caller had.
    let open_files = process::allow_open_files();
    let mut clients = Clients::default();
    clients.admit(first);
    let mut supervisor = Supervisor {
        machine: Machine::new(begun.elapsed(), &service.settings),
        changes: Changes::of_names(slot.directory()).ok(),
        log: Log::new(slot.directory(), MOST_LOG),
        instance: InstanceId::from_bytes([0; 16]),
        started: clock.now(),
        stamp: clock.stamp(),
        ready: None,
        running: None,
        waiting: Waiting::new(&[], true, Duration::ZERO),
        address: None,
        port: None,
        status: String::new(),
        calls: Calls::default(),
        release: None,
        release_failed: None,
        errno: None,
        note: String::new(),
        missing: Missing::default(),
        open_files,
        full: false,
        failed: None,
        left: false,
        service,
        slot,
        lock,
        listener,
        signals,
        clients,
        clock,
        begun,
    };
    supervisor.start();
    supervisor.serve();
}

struct Supervisor {
    service: Service,
    slot: Slot,
    lock: File,
    listener: UnixListener,
    signals: Signals,
    /// Tells when something in the directory is removed.
    changes: Option<Changes>,
    clients: Clients,
    clock: Clock,
    begun: Instant,
    machine: Machine,
    log: Log,
    instance: InstanceId,
    started: Timestamp,
    /// When it was started by the clock by which the kernel stamps files, which is a tick behind: what is written at once
    /// is not older than that.
    stamp: Timestamp,
    ready: Option<Timestamp>,
    running: Option<Running>,
    waiting: Waiting,
    /// What the process says it is reached by.
    address: Option<String>,
    port: Option<u16>,
    /// What it says of itself.
    status: String,
    calls: Calls,
    /// The process that runs `--on-release`.
    release: Option<i32>,
    release_failed: Option<String>,
    errno: Option<i32>,
    note: String,
    /// Why it was not ready in time: looked at before it is asked to end, after which it listens nowhere.
    missing: Missing,
    /// How many descriptors its process may have.
    open_files: OpenFiles,
    /// Whether there are no descriptors left for those who connect.
    full: bool,
    /// The last who had come when it failed to start: they share that failure, and who comes later does not.
    failed: Option<ClientId>,
    /// Whether there is nothing left to do.
    left: bool,
}

impl Supervisor {
    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn serve(&mut self) {
        while !self.left {
            let mut watches = vec![
                Watch::new(self.signals.raw(), poll::READ),
                if self.full { Watch::nothing() } else { Watch::new(self.listener.as_raw_fd(), poll::READ) },
                self.changes
                    .as_ref()
                    .map_or(Watch::nothing(), |changes| Watch::new(changes.raw(), poll::READ)),
            ];
            let fixed = watches.len();
            Running::watch(self.running.as_ref(), self.calls.writes(), &mut watches);
            let of_clients = watches.len();
            self.clients.watch(&mut watches);
            let limit = self.next().map(|next| next.saturating_sub(self.now()));
            if poll::wait(&mut watches, limit).is_err() {
                return;
            }
            // First: nobody is to be told of a process that has ended.
            self.signals();
            self.reap();
            self.output(&watches[fixed..of_clients]);
            self.look();
            if watches[2].any() && self.changes.as_ref().is_some_and(Changes::take) || self.changes.is_none()
            {
                self.look_after_place();
            }
            self.clients.exchange(&watches[of_clients..]);
            if watches[1].any() {
                self.let_in();
            }
            self.answer();
            self.part_with_gone();
            self.call();
            self.happen(Event::Time);
        }
        if let Some(newest) = self.failed {
            self.tell_of_failure(newest);
        }
        self.clients.flush();
    }

    /// Lets those in who have connected, as long as there are descriptors for them.
    fn let_in(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.clients.admit(stream),
                Err(error) => {
                    // The others wait in the queue until somebody has gone.
                    self.full = error.kind() != ErrorKind::WouldBlock && process::is_scarcity(&error);
                    return;
                }
            }
        }
    }

    /// Tells those of the failure whose question is on its way, whoever started it among them: it may have been quicker
    /// to fail than to be asked for.
    fn tell_of_failure(&mut self, newest: ClientId) {
        /// How long a question may take.
        const LIMIT: Duration = Duration::from_secs(1);
        let until = self.now() + LIMIT;
        while self.clients.are_silent(newest) && self.now() < until {
            let mut watches = Vec::new();
            self.clients.watch(&mut watches);
            if poll::wait(&mut watches, Some(until.saturating_sub(self.now()))).unwrap_or(0) == 0 {
                return;
            }
            self.clients.exchange(&watches);
            for (client, request) in self.clients.requests() {
                if !self.tell_if_failed(client, request.as_ref()) {
                    self.clients.tell(client, &Reply::Gone);
                }
            }
            self.clients.take_gone();
        }
    }

    /// Returns when something is to be done if nothing happens.
    fn next(&self) -> Option<Duration> {
        let life = self.machine.next(&self.service.settings);
        let starting = self.machine.stage() == Stage::Starting;
        let look = if starting { self.waiting.next() } else { None };
        let place = self.changes.is_none().then(|| self.now() + LOOK_AGAIN);
        life.into_iter().chain(look).chain(place).min()
    }

    fn signals(&mut self) {
        let mut asked = false;
        while let Some(arrived) = self.signals.next() {
            asked |= arrived.signal != signal::CHLD;
        }
        if asked {
            self.happen(Event::Stop(Why::Terminated));
        }
    }

    fn reap(&mut self) {
        while let Some((pid, how)) = process::any_ended() {
            let now = self.now();
            if self.running.as_ref().is_some_and(|running| running.pid == pid && !running.ended) {
                self.main_ended(how);
            } else if self.release == Some(pid) {
                self.release = None;
                self.release_failed = match how {
                    Ended::Exit(0) => None,
                    Ended::Exit(code) => Some(format!("exit {code}")),
                    Ended::Signal(signal) => Some(format!("signal {signal}")),
                };
                self.happen(Event::Released);
            } else {
                self.waiting.ended(pid, how, now);
            }
        }
        if self.machine.awaits_end_of_tree() && self.nothing_is_left() {
            self.drain();
            self.running = None;
            self.happen(Event::TreeGone);
        }
    }

    /// Returns the processes of the instance: all below this one that have not ended.
    fn tree(&self) -> Vec<tree::Process> {
        let mut tree = tree::of_instance(process::id());
        tree.retain(|process| Some(process.pid) != self.release);
        tree
    }

    /// Returns whether no process of the instance is left.
    fn nothing_is_left(&self) -> bool {
        !process::has_children() || tree::others_alone_are_below(process::id())
    }

    fn main_ended(&mut self, how: Ended) {
        // What it said last is part of what is told of its end.
        self.drain();
        if let Some(running) = &mut self.running {
            running.ended = true;
            running.stdin = None;
        }
        let leaves = || {
            let tree = self.tree();
            // What looks whether it is ready is nothing of its own.
            let probe = self.waiting.probe();
            let of_probe = probe.map_or(Vec::new(), |probe| tree::descendants(&tree, probe));
            let mut others = tree.iter().filter(|process| Some(process.pid) != probe);
            others.any(|process| of_probe.iter().all(|one| one.pid != process.pid))
        };
        if how == Ended::Exit(0) && self.machine.stage() == Stage::Starting && leaves() {
            self.note = "it put itself into the background and left its processes behind".to_owned();
        }
        self.happen(Event::Ended(how));
    }

    /// Takes what the process has written and not yet been read of.
    fn drain(&mut self) {
        while self.take_output(true, true) {}
    }

    fn output(&mut self, watches: &[Watch]) {
        let [stdin, stdout, said, notice] = watches else { return };
        if stdin.any()
            && let Some(running) = &mut self.running
            && let Some(pipe) = &running.stdin
            && self.calls.write(pipe).is_err()
        {
            // It reads no more. That it has ended, if it has, is about to be told.
            running.stdin = None;
        }
        self.take_output(stdout.any(), said.any());
        if notice.any() {
            self.notices();
        }
    }

    /// Reads what the process wrote to stdout and to its log; returns whether there was anything.
    fn take_output(&mut self, stdout: bool, said: bool) -> bool {
        let mut any = false;
        let mut buffer = [0; 64 << 10];
        if said && let Some(n) = self.running.as_mut().and_then(|running| running.read_log(&mut buffer)) {
            any = true;
            self.log.write(&buffer[..n]);
            self.waiting.log(&buffer[..n]);
        }
        if stdout && let Some(n) = self.running.as_mut().and_then(|running| running.read_stdout(&mut buffer))
        {
            any = true;
            match self.calls.hear(&buffer[..n]) {
                None => {
                    self.log.write(&buffer[..n]);
                    self.waiting.log(&buffer[..n]);
                }
                Some(Heard::Nothing) => {}
                Some(Heard::Reply(client, body)) => {
                    self.clients.tell(client, &Reply::Answer(body));
                    self.count_users();
                }
                Some(Heard::Poison(why)) => self.poison(why),
            }
        }
        any
    }

    fn poison(&mut self, why: String) {
        if self.note.is_empty() {
            self.note = why;
        }
        self.happen(Event::Stop(Why::Poisoned));
    }

    fn notices(&mut self) {
        let mut buffer = [0; 4096];
        while let Some((length, pid)) = self
            .running
            .as_ref()
            .and_then(|running| running.notices.as_ref())
            .and_then(|(socket, _)| socket.receive(&mut buffer))
        {
            // Whoever is none of the instance's processes says nothing about it. Of one that has ended since, as a
            // script's `systemd-notify` soon has, that cannot be found out; only this user reaches the socket.
            let all = tree::processes();
            let is_one = |all: &[tree::Process]| all.iter().any(|process| process.pid == pid);
            if is_one(&all) && !is_one(&tree::descendants(&all, process::id())) {
                continue;
            }
            for notice in notify::parse(&buffer[..length]) {
                match notice {
                    Notice::Ready => self.waiting.notified(),
                    Notice::Status(status) => self.status = status,
                    Notice::Address(address) => self.address = Some(address),
                    Notice::ExtendTimeout(time) => {
                        self.happen(Event::Longer(time));
                        let waits = |role: &Role| matches!(role, Role::Ensuring(_) | Role::Joining);
                        self.clients.remark(waits, &Reply::Longer(time));
                    }
                    Notice::Stopping | Notice::Reloading => {}
                }
            }
        }
    }

    /// Looks whether the instance has become ready.
    fn look(&mut self) {
        if self.machine.stage() != Stage::Starting {
            return;
        }
        let now = self.now();
        let Some(running) = self.running.as_ref().filter(|running| !running.ended) else { return };
        if self.waiting.is_over(now) {
            self.ready = Some(self.clock.now());
            fault::point("singleton.ready");
            self.happen(Event::Ready);
            return;
        }
        let (service, environment) = (&self.service, &running.environment);
        self.waiting.look(now, self.stamp.0, |line| running::shell(line, environment, &service.directory));
    }

    /// Ends the instance when its directory, lock or socket is not what it was: nobody can find it any more.
    fn look_after_place(&mut self) {
        if !self.slot.is_where_it_was(&self.lock) {
            self.happen(Event::Stop(Why::Removed));
        }
    }

    /// Goes on with the calls.
    fn call(&mut self) {
        let Some(framing) = self.service.framing.filter(|_| self.machine.stage() == Stage::Ready) else {
            return;
        };
        self.calls.begin(framing);
        let Some(running) = &mut self.running else { return };
        if let Some(stdin) = &running.stdin
            && self.calls.write(stdin).is_err()
        {
            running.stdin = None;
        }
    }

    /// Lets something happen to the instance, and does what is to be done about it.
    fn happen(&mut self, event: Event) {
        let effects = self.machine.step(event, self.now(), &self.service.settings);
        for effect in effects {
            self.act(effect);
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Start => self.start(),
            Effect::TellReady => self.tell_waiting(),
            Effect::TellFailed => {
                self.let_in();
                self.failed = Some(self.clients.newest());
                let verdict = self.verdict();
                self.clients.tell_those(|role| {
                    matches!(role, Role::Ensuring(_) | Role::Joining).then(|| Reply::Failed(verdict.clone()))
                });
                self.drop_calls(&verdict);
            }
            Effect::TellLonger => {
                let longer = self.service.settings.grace + super::machine::KILL_LIMIT;
                let waits = |role: &Role| matches!(role, Role::Ensuring(_) | Role::Joining);
                self.clients.remark(waits, &Reply::Longer(longer));
            }
            Effect::TellGone => {
                self.clients.tell_those(|role| {
                    matches!(role, Role::Ensuring(_) | Role::Joining).then_some(Reply::Gone)
                });
            }
            Effect::Terminate => {
                if self.machine.why() == Why::TimedOut && self.missing.note.is_empty() {
                    self.missing = self.waiting.missing();
                }
                self.waiting.give_up();
                self.terminate();
                self.tell_stopping();
                self.join_restarting();
            }
            Effect::Kill => {
                self.tree().iter().for_each(tree::kill);
            }
            Effect::Release => self.begin_release(),
            Effect::KillRelease => {
                if let Some(pid) = self.release.take() {
                    signal::send(-pid, signal::KILL);
                    let limit = super::machine::RELEASE_LIMIT.as_secs();
                    self.release_failed = Some(format!("not done after {limit} s"));
                }
            }
            Effect::Record => {
                if self.machine.is_stuck() {
                    let stuck = self.tree().iter().map(|process| process.pid.to_string()).collect::<Vec<_>>();
                    self.note = format!("its processes {} cannot be killed", stuck.join(", "));
                }
                fault::point("singleton.ended");
                let verdict = self.verdict();
                let fingerprint = self.service.fingerprint;
                if self.slot.is_locked_by(&self.lock) {
                    let quick = self.machine.was_quick();
                    Last::keep(self.slot.directory(), verdict.clone(), fingerprint, quick);
                }
                self.clients
                    .tell_those(|role| (*role == Role::AwaitingEnd).then(|| Reply::Ended(verdict.clone())));
                self.drop_calls(&verdict);
            }
            Effect::Leave => {
                // Who has not been told when it was recorded waited for the next one.
                let verdict = self.verdict();
                self.clients
                    .tell_those(|role| (*role == Role::AwaitingEnd).then(|| Reply::Ended(verdict.clone())));
                self.clients.tell_those(|role| {
                    matches!(role, Role::Ensuring(_) | Role::Joining | Role::Stopping).then_some(Reply::Gone)
                });
                self.left = true;
            }
        }
    }

    /// Gives up the call that will have no reply; those that were not begun with wait for the next instance, if there
    /// is to be one.
    fn drop_calls(&mut self, verdict: &Verdict) {
        if let Some(client) = self.calls.take_current() {
            self.clients.tell(client, &Reply::Unanswered(verdict.clone()));
        }
        if !self.machine.will_be_ready() {
            for client in self.calls.take_waiting() {
                self.clients.tell(client, &Reply::Gone);
            }
        }
        self.calls.renew();
    }

    /// Asks the processes to end: first the one that was started, and when it has ended the rest.
    fn terminate(&mut self) {
        let stop = self.service.settings.stop_signal;
        match self.running.as_ref().filter(|running| !running.ended) {
            // It has not been waited for, so that its number is still its own, and so is its group's.
            Some(running) => {
                signal::send(-running.pid, stop);
                signal::send(-running.pid, signal::CONT);
            }
            None => {
                for process in self.tree() {
                    tree::send(&process, signal::TERM);
                    tree::send(&process, signal::CONT);
                }
            }
        }
    }

    fn verdict(&self) -> Verdict {
        let note = if self.note.is_empty() { &self.missing.note } else { &self.note };
        Verdict {
            instance: self.instance,
            why: self.machine.why(),
            ended: self.machine.ended(),
            was_ready: self.machine.was_ready(),
            errno: self.errno,
            note: note.clone(),
            hint: self.missing.hint.clone(),
            listens: self.missing.listens.clone(),
            limit: self.machine.limit(),
            port: self.port,
            tail: log::tail(self.slot.directory(), TAIL),
            started: self.started,
            finished: self.clock.now(),
            release_failed: self.release_failed.clone(),
            is_stuck: self.machine.is_stuck(),
        }
    }

    /// Starts a new instance.
    fn start(&mut self) {
        match self.try_start() {
            Ok(()) => {}
            Err(why) => {
                match why {
                    NotStarted::System(error) if process::is_not_found(&error) && self.lacks_directory() => {
                        self.note = self.cannot_start().unwrap_or_default();
                    }
                    NotStarted::System(error) => {
                        self.errno = error.raw_os_error();
                        self.note = system_text(&error);
                    }
                    NotStarted::Slot(error) => {
                        self.note = format!("cannot write to its slot: {}", system_text(&error))
                    }
                    NotStarted::Taken(note) => self.note = note,
                }
                // Nothing of it has to be released.
                let _ = Release::take(&self.slot, self.instance);
                self.happen(Event::NotStarted);
            }
        }
    }

    fn lacks_directory(&self) -> bool {
        !self.service.directory.is_dir()
    }

    /// Returns why it could not be started now, as far as that can be seen.
    fn cannot_start(&self) -> Option<String> {
        let program: PathBuf = self.service.directory.join(&self.service.program).components().collect();
        if self.lacks_directory() {
            Some(format!("its directory `{}` is not there", self.service.directory.display()))
        } else if !program.exists() {
            Some(format!("its program `{}` is not there", program.display()))
        } else {
            None
        }
    }

    fn try_start(&mut self) -> Result<(), NotStarted> {
        self.instance = InstanceId::new()?;
        (self.started, self.stamp) = (self.clock.now(), self.clock.stamp());
        (self.ready, self.address, self.errno, self.release_failed) = (None, None, None, None);
        self.failed = None;
        self.status.clear();
        self.note.clear();
        self.missing = Missing::default();
        self.log.rotate_for_new_instance();
        self.port = match self.service.port {
            None => None,
            Some(Port::Fixed(port)) => Some(port),
            Some(Port::Auto) => Some(socket::free_port()?),
        };
        let readiness = self.service.readiness_at(self.port);
        for ready in &readiness {
            if let Ready::Port { host, port } | Ready::Http { host, port, .. } = ready
                && let Some(taken) = probe::is_taken(*host, *port)
            {
                let by = taken.pid.map_or(String::new(), |pid| format!(" by process {pid}"));
                return Err(NotStarted::Taken(format!("port {port} is taken{by}")));
            }
        }
        self.slot.make_state().map_err(NotStarted::Slot)?;
        self.write_record(0).map_err(NotStarted::Slot)?;
        self.keep_release().map_err(NotStarted::Slot)?;
        fault::point("singleton.spawning");
        let wants_notices = readiness.contains(&Ready::Notify);
        let port = self.port.map(|port| ("PORT".into(), port.to_string().into()));
        let told = release::told(&self.slot, self.instance, &self.service.name);
        let outer = self.service.environment.iter().find(|(name, _)| name == inside::STACK);
        let stack = inside::stack(&self.slot, self.instance, outer.map(|(_, stack)| stack.as_os_str()));
        let added = told.into_iter().chain(port).chain([(inside::STACK.into(), stack)]);
        let environment = with_variables(&self.service.environment, added);
        let running = Running::start(&self.service, &self.slot, environment, wants_notices, self.open_files)?;
        let pid = running.pid;
        self.running = Some(running);
        fault::point("singleton.spawned");
        let _ = self.write_record(pid);
        self.waiting = Waiting::new(&readiness, self.service.framing.is_some(), self.now());
        self.look();
        Ok(())
    }

    /// Keeps what is to be run when the instance has gone, for whoever is left to run it.
    fn keep_release(&self) -> std::io::Result<()> {
        let Some(line) = self.service.settings.on_release.clone() else { return Ok(()) };
        let directory = self.service.directory.clone();
        Release { instance: self.instance, line, directory }.keep(&self.slot)
    }

    /// Notes the instance in the lock's file, before it is there: should everything be killed, the next start looks for
    /// processes that belong to it.
    fn write_record(&mut self, pid: i32) -> std::io::Result<()> {
        let bytes = Record { instance: self.instance, supervisor: Holder::me(), pid }.encode();
        // In one call, and over the one before, of which nothing counts that is behind it: there is no moment without.
        self.lock.seek(SeekFrom::Start(0))?;
        self.lock.write_all(&bytes)
    }

    fn begin_release(&mut self) {
        let told = release::told(&self.slot, self.instance, &self.service.name);
        let environment = with_variables(&self.service.environment, told);
        let started = Release::take(&self.slot, self.instance).map(|release| {
            running::shell(&release.line, &environment, &release.directory)
                .and_then(|launch| launch.spawn(&Inherited::get()))
        });
        match started {
            Some(Ok(started)) => self.release = Some(started.command),
            Some(Err(error)) => {
                self.release_failed = Some(system_text(&error));
                self.happen(Event::Released);
            }
            None => self.happen(Event::Released),
        }
    }
}

enum NotStarted {
    Slot(std::io::Error),
    System(std::io::Error),
    Taken(String),
}

impl From<std::io::Error> for NotStarted {
    fn from(error: std::io::Error) -> Self {
        Self::System(error)
    }
}
