//! `memo singleton stop` and `restart`.

use std::time::{Duration, Instant};

use super::args::{RestartArgs, StopArgs};
use super::asking::ANSWER;
use super::wanted::parse_duration;
use super::words::{Wish, lacking, late};
use super::{place, target};
use crate::action::instance::InstanceId;
use crate::cli::print;
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::error::{Error, Kind};
use crate::singleton::ask::Lacking;
use crate::singleton::client::{Connection, Heard, MARGIN};
use crate::singleton::message::{Busy, Reply, Request};
use crate::singleton::slot::Slot;
use crate::singleton::verdict::{Last, Why};
use crate::ui::{Talk, Ui};

/// How long a stop may take besides the grace: killing, `--on-release`, and a process that waits for a disk.
const LONGEST: Duration = Duration::from_secs(120);

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
        vec![target::slot(&args.target, config, around, ui)?]
    };
    let grace = args.grace.as_deref().map(|text| parse_duration("--grace", text)).transpose();
    let grace = grace.map_err(|error| error.of_kind(Kind::Usage))?;
    let instance = args.instance.as_deref().map(parse_instance).transpose()?;
    let request =
        Request::Stop { instance, why: Why::Stopped, grace, busy: args.busy.map_or(Busy::Kill, Busy::from) };
    for slot in slots {
        stop_one(&slot, &request, ui)?;
    }
    Ok(0)
}

fn parse_instance(text: &str) -> Result<InstanceId, Error> {
    InstanceId::from_hex(text).ok_or_else(|| {
        Error::new(Kind::Usage, format_args!("`{text}` is no id of an instance"))
            .hint("`memo singleton id NAME` prints one")
    })
}

/// Ends the instance in a slot, if there is one, and returns when all of it has gone.
fn stop_one(slot: &Slot, request: &Request, ui: &Ui) -> Result<(), Error> {
    let name = place::called(slot);
    let said = |why| lacking(&name, why, Wish::plain(ANSWER));
    let Some(mut connection) = Connection::open(slot).map_err(|error| said(Lacking::System(error)))? else {
        // One that is being ended or started by others is waited for by its lock.
        return match slot.directory().exists() {
            true => wait_for_lock(slot, LONGEST).map(|_| ()),
            false => Ok(()),
        };
    };
    // Only a wait for others may take as long as they like.
    let mut grace = Duration::ZERO;
    let waits = matches!(request, Request::Stop { busy: Busy::Wait, .. });
    connection.until((!waits).then(|| Instant::now() + ANSWER));
    match connection.ask(request) {
        Heard::Reply(Reply::InUse { leases, calls }) => {
            return Err(Error::new(
                Kind::Left,
                format_args!("singleton `{name}` was not ended: it is in use by {}", leases + calls),
            )
            .hint("`--busy wait` waits until it is not, `--busy kill` does not"));
        }
        Heard::Late => return Err(late(&name, slot.record().map(|record| record.supervisor.pid), ANSWER)),
        // Of another instance than was meant nothing is ended.
        Heard::Reply(Reply::Gone) if matches!(request, Request::Stop { instance: Some(_), .. }) => {
            return Ok(());
        }
        Heard::Reply(Reply::Stopping(patience)) => grace = patience,
        _ => {}
    }
    let instance = slot.record().map(|record| record.instance);
    if !wait_for_lock(slot, grace + LONGEST)? {
        return Err(Error::new(Kind::Failed, format_args!("singleton `{name}` was told to end and has not"))
            .hint(format_args!("`memo singleton status {name}` shows its process")));
    }
    let last = Last::read(slot.directory()).filter(|last| Some(last.verdict.instance) == instance);
    if let Some(last) = last.as_ref().filter(|last| last.verdict.is_stuck) {
        return Err(Error::new(
            Kind::Usage,
            format_args!("singleton `{name}` was ended, but {}", last.verdict.note),
        )
        .hint("they may belong to another user, or wait for a disk"));
    }
    if let Some(why) = last.and_then(|last| last.verdict.release_failed) {
        ui.warning(format_args!("the release of singleton `{name}` failed: {why}"), None);
    }
    ui.note(format_args!("singleton `{name}` is ended"), None);
    Ok(())
}

/// Waits until the lock of a slot is free, which says that no process of the instance is left.
fn wait_for_lock(slot: &Slot, limit: Duration) -> Result<bool, Error> {
    /// After this one looks whether another instance has come meanwhile.
    const STEP: Duration = Duration::from_millis(200);
    let before = slot.record().map(|record| record.instance);
    let deadline = Instant::now() + limit;
    loop {
        if slot.lock(STEP)?.is_some() {
            return Ok(true);
        }
        if slot.record().map(|record| record.instance) != before {
            return Ok(true);
        }
        if Instant::now() >= deadline {
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
    let slot = target::slot(&args.target, config, around, ui)?;
    let name = place::called(&slot);
    let timeout = args.timeout.as_deref().map(|text| parse_duration("--timeout", text)).transpose();
    let timeout = timeout.map_err(|error| error.of_kind(Kind::Usage))?.unwrap_or(TIMEOUT);
    let said = |why| lacking(&name, why, Wish::plain(timeout));
    let connection = Connection::open(&slot).map_err(|error| said(Lacking::System(error)))?;
    let mut connection = connection.ok_or_else(|| target::nothing(&slot, around))?;
    connection.until(Some(Instant::now() + timeout + MARGIN));
    match connection.ask(&Request::Restart) {
        Heard::Reply(Reply::Ready(report)) => print::print(&(report.handle() + "\n")).map(|()| 0),
        Heard::Reply(Reply::Failed(verdict)) => Err(said(Lacking::Failed(Box::new(verdict)))),
        Heard::Late => Err(said(Lacking::Late(slot.record().map(|record| record.supervisor.pid)))),
        _ => Err(target::nothing(&slot, around)),
    }
}
