//! `memo singleton stop` and `restart`.

use std::time::{Duration, Instant};

use super::args::{RestartArgs, StopArgs};
use super::asking::ANSWER;
use super::wanted::parse_duration;
use super::words::{Wish, lacking, late, tell};
use super::{place, target};
use crate::action::instance::InstanceId;
use crate::cli::print;
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::config::duration::Shown;
use crate::error::{Error, Kind};
use crate::singleton::ask::{self, Lacking, SAID, Told};
use crate::singleton::client::{Connection, Heard, MARGIN};
use crate::singleton::guardian::longest_end;
use crate::singleton::message::{Busy, Reply, Request};
use crate::singleton::report::{Report, Stage};
use crate::singleton::slot::Slot;
use crate::singleton::tree;
use crate::singleton::verdict::{Last, Why};
use crate::sys::signal;
use crate::ui::{Talk, Ui};

/// Ends singletons. Returns the exit code.
///
/// # Errors
/// When one cannot be ended.
pub(super) fn stop(args: &StopArgs, config: &Config, around: &Surroundings, ui: &Ui) -> Result<u8, Error> {
    let quiet = Ui::new(Talk::Quiet);
    let ui = if args.quiet { &quiet } else { ui };
    let slots = if args.all {
        let root = place::root(config, around, ui)?;
        let scope = if args.everywhere { None } else { Some(place::scope(args.target.key.global, around)?) };
        place::slots(&root, scope.as_ref()).into_iter().map(|(_, slot)| slot).collect()
    } else {
        match target::slot(&args.target, config, around, ui) {
            Ok(slot) => vec![slot],
            // None that could be ended.
            Err(error) if error.kind() == Kind::Nothing => return Ok(0),
            Err(error) => return Err(error),
        }
    };
    let grace = args.grace.as_deref().map(|text| parse_duration("--grace", text)).transpose();
    let grace = grace.map_err(|error| error.of_kind(Kind::Usage))?;
    let instance = args.instance.as_deref().map(parse_instance).transpose()?;
    let wish = Stop { instance, grace, busy: args.busy.map_or(Busy::Kill, Busy::from) };
    let mut worst = 0;
    for (slot, stopped) in slots.iter().zip(all_at_once(&slots, &wish)) {
        let name = place::called(slot);
        match stopped {
            Ok(Stopped::Nothing) => {
                if let Some(hint) = target::elsewhere(slot, around).filter(|_| !args.all) {
                    ui.warning(format_args!("singleton `{name}` is not running"), Some(hint));
                }
            }
            Ok(Stopped::Ended(release_failed)) => {
                if let Some(why) = release_failed {
                    ui.caution(format_args!("the release of singleton `{name}` failed: {why}"), None);
                }
                ui.note(format_args!("singleton `{name}` is ended"), None);
            }
            Err(error) => {
                ui.error(&error);
                worst = worst.max(error.kind().code());
            }
        }
    }
    Ok(worst)
}

/// What is wished for.
struct Stop {
    /// Only this one.
    instance: Option<InstanceId>,
    /// How long it may take before it is killed; else as it was set.
    grace: Option<Duration>,
    /// What to do while others use it.
    busy: Busy,
}

/// What became of a slot.
enum Stopped {
    /// There was nothing to be ended.
    Nothing,
    /// It is ended; and what its release failed with, if it did.
    Ended(Option<String>),
}

/// Ends what is in each of these slots, all at one time: none waits for the grace of another.
fn all_at_once(slots: &[Slot], wish: &Stop) -> Vec<Result<Stopped, Error>> {
    if let [slot] = slots {
        return vec![stop_one(slot, wish)];
    }
    std::thread::scope(|scope| {
        let start = |slot| std::thread::Builder::new().spawn_scoped(scope, move || stop_one(slot, wish));
        let started: Vec<_> = slots.iter().map(start).collect();
        let ended = started.into_iter().zip(slots).map(|(thread, slot)| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // There may be no more of them.
            Err(_) => stop_one(slot, wish),
        });
        ended.collect()
    })
}

fn parse_instance(text: &str) -> Result<InstanceId, Error> {
    InstanceId::from_hex(text).ok_or_else(|| {
        Error::new(Kind::Usage, format_args!("`{text}` is no id of an instance"))
            .hint("`memo singleton id NAME` prints one")
    })
}

/// Ends the instance in a slot, if there is one, and returns when all of it has gone.
fn stop_one(slot: &Slot, wish: &Stop) -> Result<Stopped, Error> {
    let name = place::called(slot);
    let said = |why| lacking(&name, why, Wish::plain(ANSWER));
    // What is started from now on is not waited for.
    let before = slot.record().map(|record| record.instance);
    let Some(mut connection) = Connection::open(slot).map_err(|error| said(Lacking::System(error)))? else {
        // One that is being ended or started by others is waited for by its lock.
        if slot.directory().exists() && !wait_for_lock(slot, before, longest_end(), wish)? {
            return Err(has_not(&name, slot, wish));
        }
        return Ok(Stopped::Nothing);
    };
    // Only a wait for others may take as long as they like.
    let (mut grace, mut ending) = (Duration::ZERO, before);
    connection.until((wish.busy != Busy::Wait).then(|| Instant::now() + ANSWER));
    let Stop { instance, grace: given, busy } = *wish;
    match connection.ask(&Request::Stop { instance, why: Why::Stopped, grace: given, busy }) {
        Heard::Reply(Reply::InUse { leases, calls }) => {
            return Err(Error::new(
                Kind::Left,
                format_args!("singleton `{name}` was not ended: it is in use by {}", leases + calls),
            )
            .hint("`--busy wait` waits until it is not, `--busy kill` does not"));
        }
        Heard::Late => return Err(late(&name, slot.record().map(|record| record.supervisor.pid), ANSWER)),
        // Of another instance than was meant nothing is ended.
        Heard::Reply(Reply::Gone) if instance.is_some() => return Ok(Stopped::Nothing),
        Heard::Reply(Reply::Stopping(patience, instance)) => (grace, ending) = (patience, Some(instance)),
        _ => {}
    }
    if !wait_for_lock(slot, ending, grace + longest_end(), wish)? {
        return Err(has_not(&name, slot, wish));
    }
    let last = Last::read(slot.directory()).filter(|last| Some(last.verdict.instance) == ending);
    if let Some(last) = last.as_ref().filter(|last| last.verdict.is_stuck) {
        return Err(Error::new(
            Kind::Usage,
            format_args!("singleton `{name}` was ended, but {}", last.verdict.note),
        )
        .hint("they may belong to another user, or wait for a disk"));
    }
    Ok(Stopped::Ended(last.and_then(|last| last.verdict.release_failed)))
}

fn has_not(name: &str, slot: &Slot, wish: &Stop) -> Error {
    let error = Error::new(Kind::Failed, format_args!("singleton `{name}` was told to end and has not"));
    if !nobody_listens(slot) {
        error.hint(format_args!("`memo singleton status {name}` shows its process"))
    } else if wish.grace.is_none() {
        error.hint("`--grace 0s` does not wait until it ends by itself")
    } else {
        error
    }
}

fn nobody_listens(slot: &Slot) -> bool {
    matches!(Connection::open(slot), Ok(None))
}

/// Waits until the lock of a slot is free, or another than this instance has it, which says that no process of the
/// instance is left.
fn wait_for_lock(
    slot: &Slot,
    before: Option<InstanceId>,
    limit: Duration,
    wish: &Stop,
) -> Result<bool, Error> {
    /// After this one looks whether another instance has come meanwhile.
    const STEP: Duration = Duration::from_millis(200);
    let is_meant = wish.instance.is_none() || wish.instance == before;
    // So long the guardian of one without a supervisor has, which knows nothing of this wish.
    let patience = wish.grace.filter(|_| is_meant);
    let begun = Instant::now();
    loop {
        let left = patience.map(|patience| patience.saturating_sub(begun.elapsed()));
        let step = left.filter(|left| !left.is_zero()).map_or(STEP, |left| left.min(STEP));
        if slot.lock(step)?.is_some() {
            return Ok(true);
        }
        let record = slot.record();
        if record.as_ref().map(|record| record.instance) != before {
            return Ok(true);
        }
        if patience.is_some_and(|patience| begun.elapsed() >= patience)
            && let Some((pid, started)) = record.and_then(|record| record.supervisor.process())
            && nobody_listens(slot)
        {
            tree::send_to(pid, started, signal::TERM);
        }
        if begun.elapsed() >= limit {
            return Ok(false);
        }
    }
}

/// Ends a singleton and starts it again. Returns the exit code.
///
/// # Errors
/// When there is none, or it does not become ready.
pub(super) fn restart(
    args: &RestartArgs,
    config: &Config,
    around: &Surroundings,
    ui: &Ui,
) -> Result<u8, Error> {
    /// How long it may take by default: to end and to be ready.
    const TIMEOUT: Duration = Duration::from_secs(60);
    let quiet = Ui::new(Talk::Quiet);
    let ui = if args.quiet { &quiet } else { ui };
    let slot = target::slot(&args.target, config, around, ui)?;
    let name = place::called(&slot);
    let timeout = args.timeout.as_deref().map(|text| parse_duration("--timeout", text)).transpose();
    let timeout = timeout.map_err(|error| error.of_kind(Kind::Usage))?.unwrap_or(TIMEOUT);
    let plain = Wish::plain(timeout);
    let connection =
        Connection::open(&slot).map_err(|error| lacking(&name, Lacking::System(error), plain))?;
    let mut connection = connection.ok_or_else(|| target::nothing(&slot, around))?;
    let deadline = Instant::now() + timeout + MARGIN;
    connection.until(Some(deadline));
    let first_word = match connection.ask(&Request::Status) {
        Heard::Reply(Reply::Status(report)) => report.words.into_iter().next().unwrap_or_default(),
        _ => Vec::new(),
    };
    let first_word = String::from_utf8_lossy(&first_word);
    let said = |why| lacking(&name, why, Wish { first_word: &first_word, ..plain });
    let request = Request::Restart(args.busy.map_or(Busy::Wait, Busy::from));
    let heard = connection.ask_patiently(&request, Some(deadline), SAID, || {
        if let Some((leases, calls)) = users(&slot) {
            tell(ui, &name, Told::InUse { leases, calls }, &Vec::new);
        }
    });
    let not =
        |kind, why: String| Error::new(kind, format_args!("singleton `{name}` was not restarted: {why}"));
    match heard {
        Heard::Reply(Reply::Ready(report)) => print::print(&(report.handle() + "\n")).map(|()| 0),
        Heard::Reply(Reply::Failed(verdict)) => Err(said(Lacking::Failed(Box::new(verdict)))),
        Heard::Reply(Reply::InUse { leases, calls }) => {
            Err(not(Kind::Left, format!("it is in use by {} (`--busy fail`)", leases + calls))
                .hint("`--busy wait` waits until it is not, `--busy kill` does not"))
        }
        Heard::Reply(Reply::Refused(why)) => Err(not(Kind::Failed, why)),
        Heard::Late => Err(match users(&slot) {
            Some((leases, calls)) => {
                let users = leases + calls;
                not(Kind::TimedOut, format!("it was in use by {users} for all of {}", Shown(timeout)))
                    .hint("`--timeout` waits longer, `--busy kill` does not wait")
            }
            None => said(ask::late(&slot)),
        }),
        _ => Err(target::nothing(&slot, around)),
    }
}

/// Returns how many hold an instance that is ready, and how many requests are under way, if there are any.
fn users(slot: &Slot) -> Option<(u64, u64)> {
    let report = ask::report(slot, MARGIN).ok().flatten()?;
    let Report { stage, leases, calls, .. } = report;
    (stage == Stage::Ready && leases + calls > 0).then_some((leases, calls))
}
