//! Asking for an instance: the loop that ends with one that is ready, or with why there is none.
//!
//! Whoever finds nobody listening tries the lock. Who gets it starts the instance; who does not is told soon, for
//! somebody is starting or ending one: the wait for the lock is cut short to look at the socket again.
//!
//! # Replacement
//! Two callers who disagree about what an instance depends on must not keep each other from ever having one: an instance
//! becomes ready and is handed to whoever started it before it can be replaced, unless nobody waits for it any more. It
//! is stopped, all of it, before the next one starts, under the same lock.

use std::ffi::OsString;
use std::io;
use std::time::{Duration, Instant};

use super::client::{Connection, Heard, MARGIN};
use super::dependencies::Kept;
use super::machine::{LOOP_ENDS, LOOP_TIME};
use super::message::{Busy, Change, Ensure, Reply, Request};
use super::release;
use super::report::{Report, Stage};
use super::service::Service;
use super::slot::{Lock, Slot};
use super::start;
use super::tree;
use super::verdict::{End, Last, Verdict, Why};
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::instance::InstanceId;
use crate::fault;
use crate::store::location::Trouble;
use crate::sys::poll;
use crate::sys::signal;

/// What is done when what an instance depends on has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// It is replaced.
    Replace,
    /// It is used all the same.
    Keep,
    /// That is an error.
    Fail,
}

/// Says whether an instance still is good, or how it failed; it may take so long.
pub type Check<'a> = &'a dyn Fn(&Report, Duration) -> Result<(), String>;

/// What somebody wants of a slot.
pub struct Ask<'a> {
    /// Which slot.
    pub slot: &'a Slot,
    /// What is to be kept there; none when only what is there is wanted.
    pub service: Option<&'a Service>,
    /// What is said to the supervisor.
    pub ensure: Option<Ensure>,
    /// The instance of this slot that the caller is inside of.
    pub inside: Option<InstanceId>,
    /// What is kept for those who ask later why it changed; made when an instance is started.
    pub kept: &'a dyn Fn() -> Option<Kept>,
    /// What to do when what it depends on changed.
    pub on_change: OnChange,
    /// What to do while others use what is to be replaced.
    pub busy: Busy,
    /// Whether one that is there is stopped first.
    pub force: bool,
    /// Whether nothing is started.
    pub no_start: bool,
    /// Whether CI systems are not to find it.
    pub survive_ci: bool,
    /// How long all of this may take.
    pub timeout: Duration,
    /// The caller's environment.
    pub environment: &'a [(OsString, OsString)],
    /// The clock.
    pub now: &'a dyn Fn() -> Timestamp,
    /// What is asked before one that is there is handed out.
    pub check: Option<Check<'a>>,
    /// Is told what is done besides.
    pub tell: &'a dyn Fn(Told<'_>),
}

/// What is told on the way.
#[derive(Debug)]
pub enum Told<'a> {
    /// It is replaced, because of this.
    Replacing(Change),
    /// It is kept although this changed.
    Keeping(Change),
    /// It is replaced because `--check` failed so.
    CheckFailed(&'a str),
    /// It is waited for others, for whom one is started that is not as this one is to be.
    Starting,
    /// It is waited for others who use it.
    InUse {
        /// How many hold it.
        leases: u64,
        /// How many requests are under way.
        calls: u64,
    },
    /// It was replaced so often in a minute.
    Thrashing(usize),
    /// What `--on-release` failed with.
    ReleaseFailed(&'a str),
}

/// An instance that is ready.
#[derive(Debug)]
pub struct Got {
    /// Which.
    pub report: Report,
    /// Whether it was started for this call.
    pub fresh: bool,
    /// The connection over which it was got.
    pub connection: Connection,
}

/// Why there is none.
#[derive(Debug)]
pub enum Lacking {
    /// Nobody runs it, and nothing was to be started.
    NotRunning,
    /// It ended before it was ready.
    Failed(Box<Verdict>),
    /// What it depends on changed, and it was to be left.
    Changed(Box<Report>, Change),
    /// Others use what was to be replaced, and it was to be left.
    InUse {
        /// How many hold it.
        leases: u64,
        /// How many requests are under way.
        calls: u64,
    },
    /// Others used what was to be replaced for as long as could be waited.
    StillInUse {
        /// How many hold it.
        leases: u64,
        /// How many requests are under way.
        calls: u64,
    },
    /// It was still being started, or ended, when the caller's time was over.
    StillGoing(Stage),
    /// It took too long; a supervisor that does not answer.
    Late(Option<i32>),
    /// It ended by itself again and again, so often.
    Looping(Box<Last>, usize),
    /// `--check` failed so, and it was to be left, or could not be started again.
    CheckFailed(String),
    /// It was asked for from inside itself, and is not what it was to be.
    Inside,
    /// The slot cannot be used.
    Trouble(Trouble),
    /// The supervisor could not be started.
    System(io::Error),
    /// The supervisor said no.
    Refused(String),
}

impl From<Trouble> for Lacking {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// The first and the longest wait for a lock before the socket is looked at again.
const WAITS: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];
/// After so long it is said what is waited for.
pub const SAID: Duration = Duration::from_secs(1);
/// So many supervisors that were killed are enough for one call.
const LOST: usize = 3;
/// So many replacements within [`LOOP_TIME`] are worth a warning.
const THRASHING: usize = 3;

/// Gets an instance that is ready.
///
/// # Errors
/// [`Lacking`], with the reason.
pub fn ask(ask: &Ask<'_>) -> Result<Got, Lacking> {
    let mut going = Going {
        ask,
        deadline: Instant::now() + ask.timeout,
        started: false,
        lost: 0,
        wait: WAITS[0],
        force: ask.force,
        check: ask.check,
    };
    loop {
        if let Some(got) = going.once()? {
            return Ok(got);
        }
    }
}

struct Going<'a> {
    ask: &'a Ask<'a>,
    deadline: Instant,
    /// Whether this call has started one.
    started: bool,
    /// How many supervisors that it started were killed.
    lost: usize,
    wait: Duration,
    /// Whether what is there is still to be stopped.
    force: bool,
    /// The check that is still to be made: only of one that was there before.
    check: Option<Check<'a>>,
}

impl Going<'_> {
    /// Tries once; `None` says that what was there has gone.
    fn once(&mut self) -> Result<Option<Got>, Lacking> {
        let ask = self.ask;
        if Instant::now() >= self.deadline {
            return Err(self.late());
        }
        if let Some(connection) = Connection::open(ask.slot).map_err(Lacking::System)? {
            return self.talk(connection, false);
        }
        if ask.slot.directory().symlink_metadata().is_err() && (ask.no_start || ask.service.is_none()) {
            return Err(Lacking::NotRunning);
        }
        match ask.slot.lock(self.wait)? {
            Some(lock) => {
                let Some(service) = ask.service.filter(|_| !ask.no_start) else {
                    return Err(Lacking::NotRunning);
                };
                let connection = self.start(lock, service)?;
                // Whoever starts it hears from the supervisor that it was too late. One that is killed again and
                // again is not started for ever.
                if !self.started {
                    self.deadline = Instant::now() + service.settings.timeout + MARGIN;
                    self.started = true;
                }
                (self.force, self.check) = (false, None);
                self.talk(connection, true)
            }
            None => {
                self.wait = (self.wait * 2).min(WAITS[1]);
                Ok(None)
            }
        }
    }

    fn talk(&mut self, mut connection: Connection, fresh: bool) -> Result<Option<Got>, Lacking> {
        let ask = self.ask;
        connection.until(Some(self.deadline));
        if self.force {
            self.force = false;
            if ask.inside.is_some() && instance_there(&mut connection) == ask.inside {
                return Err(Lacking::Inside);
            }
            let stop = stop(None, Why::Restarted, ask.busy);
            return self.stop(connection, &stop);
        }
        if let Some(inside) = ask.inside {
            connection.send(&Request::Inside(inside));
        }
        let request = ask.ensure.clone().map_or(Request::Join, Request::Ensure);
        let heard = self.hear(&mut connection, &request, |report| {
            let is_another = ask.ensure.as_ref().is_some_and(|ensure| report.change(ensure, false).is_some());
            (report.stage == Stage::Starting && is_another).then_some(Told::Starting)
        });
        match heard {
            Heard::Reply(Reply::Ready(report)) => {
                let is_inside = Some(report.instance) == ask.inside;
                // Between the answer and now it may have ended.
                if !is_inside && !is_there(&report, &connection) {
                    return Ok(None);
                }
                // What is not good any more cannot be replaced from inside, and may only not be ready yet.
                if let Some(check) = self.check.take().filter(|_| !is_inside)
                    && let Err(why) = check(&report, self.deadline.saturating_duration_since(Instant::now()))
                {
                    if ask.no_start || ask.service.is_none() {
                        return Err(Lacking::CheckFailed(why));
                    }
                    // What the check took is not taken from what is to come.
                    self.deadline = Instant::now() + ask.timeout;
                    let stop = stop(Some(&report), Why::CheckFailed, ask.busy);
                    return self.replace(connection, &stop, Told::CheckFailed(&why));
                }
                self.note_release(fresh);
                Ok(Some(Got { report, fresh, connection }))
            }
            Heard::Reply(Reply::Failed(verdict)) => Err(Lacking::Failed(Box::new(verdict))),
            Heard::Reply(Reply::Changed(report, change)) => match ask.on_change {
                // Age is nothing that it depends on; and it is as good as it was.
                on_change if change == Change::Expired && (ask.no_start || on_change == OnChange::Keep) => {
                    Ok(Some(Got { report, fresh: false, connection }))
                }
                _ if change == Change::Expired => {
                    let stop = stop(Some(&report), Why::Expired, ask.busy);
                    self.stop(connection, &stop)
                }
                OnChange::Fail => Err(Lacking::Changed(Box::new(report), change)),
                _ if ask.no_start => Err(Lacking::Changed(Box::new(report), change)),
                OnChange::Keep => {
                    (ask.tell)(Told::Keeping(change));
                    if report.stage == Stage::Ready {
                        return Ok(Some(Got { report, fresh: false, connection }));
                    }
                    match connection.ask(&Request::Join) {
                        Heard::Reply(Reply::Ready(report)) => {
                            Ok(Some(Got { report, fresh: false, connection }))
                        }
                        Heard::Reply(Reply::Failed(verdict)) => Err(Lacking::Failed(Box::new(verdict))),
                        Heard::Late => Err(self.late()),
                        _ => Ok(None),
                    }
                }
                OnChange::Replace if Some(report.instance) == ask.inside => Err(Lacking::Inside),
                OnChange::Replace => {
                    let stop = stop(Some(&report), Why::Replaced, ask.busy);
                    self.replace(connection, &stop, Told::Replacing(change))
                }
            },
            Heard::Reply(Reply::Refused(why)) => Err(Lacking::Refused(why)),
            Heard::Reply(Reply::Unsupported) => Err(Lacking::Refused(
                "its supervisor, of another memo, does not know what was asked".to_owned(),
            )),
            Heard::Reply(_) | Heard::Gone => Ok(None),
            Heard::Late => Err(self.late()),
        }
    }

    fn late(&self) -> Lacking {
        late(self.ask.slot)
    }

    /// Has what is there stopped, and says so: before, for that may take long, unless it may be refused.
    fn replace(
        &self,
        connection: Connection,
        request: &Request,
        told: Told<'_>,
    ) -> Result<Option<Got>, Lacking> {
        if self.ask.busy == Busy::Fail {
            let gone = self.stop(connection, request)?;
            (self.ask.tell)(told);
            return Ok(gone);
        }
        (self.ask.tell)(told);
        self.stop(connection, request)
    }

    /// Has what is there stopped; then it is to be tried again.
    fn stop(&self, mut connection: Connection, request: &Request) -> Result<Option<Got>, Lacking> {
        let heard = self.hear(&mut connection, request, |report| {
            let (leases, calls) = (report.leases, report.calls);
            (leases + calls > 0).then_some(Told::InUse { leases, calls })
        });
        match heard {
            Heard::Reply(Reply::InUse { leases, calls }) => Err(Lacking::InUse { leases, calls }),
            Heard::Late => match report(self.ask.slot, MARGIN) {
                Ok(Some(Report { leases, calls, .. })) if leases + calls > 0 => {
                    Err(Lacking::StillInUse { leases, calls })
                }
                _ => Err(self.late()),
            },
            // The next try waits for the lock.
            _ => Ok(None),
        }
    }

    /// Asks something; when the answer takes long, says what for, if `what` knows by how the instance is then.
    fn hear(
        &self,
        connection: &mut Connection,
        request: &Request,
        what: impl Fn(&Report) -> Option<Told<'static>>,
    ) -> Heard {
        connection.ask_patiently(request, Some(self.deadline), SAID, || {
            if let Ok(Some(report)) = report(self.ask.slot, MARGIN)
                && let Some(told) = what(&report)
            {
                (self.ask.tell)(told);
            }
        })
    }

    fn start(&mut self, lock: Lock, service: &Service) -> Result<Connection, Lacking> {
        let ask = self.ask;
        let last = Last::read(ask.slot.directory());
        if let Some(last) = last.as_ref().filter(|_| !ask.force) {
            let now = (ask.now)();
            if let Some(times) = loops(last, &service.fingerprint, now) {
                return Err(Lacking::Looping(Box::new(last.clone()), times));
            }
            if self.started && last.verdict.why == Why::SupervisorLost {
                self.lost += 1;
                if self.lost == LOST {
                    return Err(Lacking::Failed(Box::new(last.verdict.clone())));
                }
            }
            let replaced = last.ends.iter().filter(|end| end.why == Why::Replaced && is_recent(end, now));
            let replaced: Vec<_> = replaced.collect();
            // What was replaced comes back: it is no edit after another, but callers who want different things.
            let returns = replaced.iter().any(|end| end.fingerprint == service.fingerprint);
            let replaced = replaced.len();
            if replaced >= THRASHING && returns {
                (ask.tell)(Told::Thrashing(replaced));
            }
        }
        sweep(ask.slot, last.as_ref(), ask.environment);
        fault::point("singleton.swept");
        if let Some(kept) = (ask.kept)() {
            // Without it nothing is wrong; it is only not known why something changed.
            let _ = kept.keep(ask.slot.directory());
        }
        let environment = ask.environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        let stream = start::start(ask.slot, lock, service, environment, ask.survive_ci);
        stream.map(Connection::new).map_err(Lacking::System)
    }

    /// Says that what the instance before left was not released as it should have been.
    fn note_release(&self, fresh: bool) {
        if !fresh {
            return;
        }
        if let Some(why) = Last::read(self.ask.slot.directory()).and_then(|last| last.verdict.release_failed)
        {
            (self.ask.tell)(Told::ReleaseFailed(&why));
        }
    }
}

/// Returns how often what a command depends on has ended by itself in the last minute, soon after it was ready, if that is
/// so often that it is not to be started. What was mended since is something else.
pub fn loops(last: &Last, fingerprint: &Digest, now: Timestamp) -> Option<usize> {
    let quick = |end: &&End| end.quick && end.fingerprint == *fingerprint && is_recent(end, now);
    Some(last.ends.iter().filter(quick).count()).filter(|times| *times >= LOOP_ENDS)
}

fn is_recent(end: &End, now: Timestamp) -> bool {
    now.since(end.at).is_some_and(|since| since < LOOP_TIME)
}

/// Returns the request to stop an instance.
fn stop(report: Option<&Report>, why: Why, busy: Busy) -> Request {
    Request::Stop { instance: report.map(|report| report.instance), why, grace: None, busy }
}

/// Ends what an instance has left whose guardian and supervisor were killed at one time; the lock must be held.
///
/// Its processes are found by the variable that all of them were given. One that has overwritten its environment is
/// not found. What it would have run when it had gone is run.
pub fn sweep(slot: &Slot, last: Option<&Last>, environment: &[(OsString, OsString)]) {
    let Some(record) = slot.record() else { return };
    if last.is_some_and(|last| last.verdict.instance == record.instance) {
        return;
    }
    let cookie = [release::INSTANCE.as_bytes(), b"=", record.instance.to_string().as_bytes()].concat();
    let begun = Instant::now();
    loop {
        let left = tree::with_variable(&cookie);
        if left.is_empty() || begun.elapsed() > super::machine::KILL_LIMIT {
            break;
        }
        for process in &left {
            tree::send(process, signal::KILL);
        }
        // Until the kernel has taken them away.
        let _ = poll::wait(&mut [], Some(Duration::from_millis(5)));
    }
    release::run_left(slot, record.instance, environment);
}

/// Returns whether a process that was ready a moment ago still is there. In another pid namespace neither it nor its
/// supervisor can be seen; then the supervisor's word is all there is.
fn is_there(report: &Report, connection: &Connection) -> bool {
    tree::is_running(report.pid) || !tree::is_running(report.supervisor) && connection.is_open()
}

/// Returns which instance the supervisor at the other end keeps now.
fn instance_there(connection: &mut Connection) -> Option<InstanceId> {
    match connection.ask(&Request::Status) {
        Heard::Reply(Reply::Status(report)) => Some(report.instance),
        _ => None,
    }
}

/// Returns why there was no answer in time.
pub fn late(slot: &Slot) -> Lacking {
    match report(slot, MARGIN) {
        Ok(Some(Report { stage, .. })) if stage != Stage::Ready => Lacking::StillGoing(stage),
        // What its supervisor left, which was killed, is still being ended.
        Ok(None) => Lacking::StillGoing(Stage::Stopping),
        _ => Lacking::Late(slot.record().map(|record| record.supervisor.pid)),
    }
}

/// Returns the report of the instance that is there now, whatever it is about to do; `None` where there is none.
///
/// # Errors
/// [`Lacking::Late`] when its supervisor does not answer.
pub fn report(slot: &Slot, limit: Duration) -> Result<Option<Report>, Lacking> {
    let Some(mut connection) = Connection::open(slot).map_err(Lacking::System)? else { return Ok(None) };
    connection.until(Some(Instant::now() + limit));
    let mut asked = || match connection.ask(&Request::Status) {
        Heard::Reply(Reply::Status(report)) => {
            let is_there = report.stage != Stage::Ready || is_there(&report, &connection);
            Ok(Some((report, is_there)))
        }
        Heard::Late => Err(Lacking::Late(slot.record().map(|record| record.supervisor.pid))),
        _ => Ok(None),
    };
    match asked()? {
        // It ended since the supervisor has said that. What becomes of it the supervisor says when it is asked again.
        Some((_, false)) => Ok(asked()?.filter(|(_, is_there)| *is_there).map(|(report, _)| report)),
        answer => Ok(answer.map(|(report, _)| report)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::singleton::message;
    use crate::singleton::report::tests::example;
    use crate::singleton::scope::Scope;
    use crate::singleton::slot::Called;

    /// A supervisor that gives these answers to one caller and goes.
    fn supervisor(listener: UnixListener, replies: Vec<Reply>) -> std::thread::JoinHandle<()> {
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut arrived, mut buffer) = (Vec::new(), [0; 4096]);
            for reply in replies {
                while message::take(&mut arrived).unwrap().is_none() {
                    let n = stream.read(&mut buffer).unwrap();
                    arrived.extend_from_slice(&buffer[..n]);
                }
                stream.write_all(&reply.encode()).unwrap();
            }
        })
    }

    #[test]
    fn of_one_that_ends_while_it_is_asked_for_the_supervisor_is_asked_again() {
        let root = std::env::temp_dir().join(format!("memo-ask-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let slot = Slot::new(&root, &Scope::Global, &Called::Name("a".into()));
        // Makes the directory.
        let _lock = slot.lock(Duration::ZERO).unwrap().unwrap();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let me = std::process::id().cast_signed();
        let ready = Report { pid: ended.id().cast_signed(), supervisor: me, ..example() };
        let resting = Report { stage: Stage::Resting, ..ready.clone() };
        let alive = Report { pid: me, ..ready.clone() };
        for (answers, expected) in [
            (vec![ready.clone(), resting.clone()], Some(&resting)),
            (vec![ready.clone()], None),
            (vec![ready.clone(), ready.clone()], None),
            (vec![resting.clone()], Some(&resting)),
            (vec![alive.clone()], Some(&alive)),
        ] {
            let answers = answers.into_iter().map(Reply::Status).collect();
            let thread = supervisor(slot.listen().unwrap(), answers);
            let report = report(&slot, Duration::from_secs(60)).ok().flatten();
            assert_eq!(report.as_ref(), expected);
            thread.join().unwrap();
        }
        std::fs::remove_dir_all(&root).unwrap();
    }
}
