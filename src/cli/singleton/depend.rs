//! `--dep-singleton NAME`: which instance a singleton is, as something that others depend on.

use std::ffi::OsStr;
use std::time::{Duration, Instant};

use super::args::KeyArgs;
use super::place;
use super::words::{Wish, lacking};
use crate::action::instance::InstanceId;
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::error::{Error, Kind};
use crate::singleton::ask::Lacking;
use crate::singleton::client::{Connection, Heard};
use crate::singleton::inside;
use crate::singleton::message::{Reply, Request};
use crate::singleton::scope::Scope;
use crate::singleton::slot::Slot;
use crate::ui::{Talk, Ui};

/// How long one that is being started is waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// Returns the singletons with these names, each with the instance that is running.
///
/// # Errors
/// When one of them is not running.
pub(in crate::cli) fn instances(
    names: &[String],
    around: &Surroundings,
    config: &Config,
) -> Result<Vec<(String, InstanceId)>, Error> {
    let instance = |name: &String| {
        let found = instance(name, config, around)?;
        found.map(|instance| (name.clone(), instance)).ok_or_else(|| not_running_here(name))
    };
    names.iter().map(instance).collect()
}

fn not_running_here(name: &str) -> Error {
    let error =
        Error::new(Kind::Failed, format_args!("singleton `{name}` is not running; the command was not run"));
    error.hint(format_args!("`memo singleton {name} -- COMMAND` starts it"))
}

/// Makes sure that what is asked for by a name does not depend on that name: each call would replace it.
///
/// # Errors
/// When it does.
pub(super) fn not_on_itself(name: Option<&str>, key: &KeyArgs) -> Result<(), Error> {
    match name.filter(|name| key.dep_singleton.iter().any(|other| other == name)) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            Kind::Failed,
            format_args!(
                "`--dep-singleton {name}`: a singleton cannot depend on itself; the command was not run"
            ),
        )),
    }
}

/// Makes sure that singletons still are the instances they were.
///
/// # Errors
/// The name of one that is not.
pub(in crate::cli) fn still(
    singletons: &[(String, InstanceId)],
    around: &Surroundings,
    config: &Config,
) -> Result<(), String> {
    let other = |(name, known): &&(String, InstanceId)| !is_still(name, *known, config, around);
    singletons.iter().find(other).map_or(Ok(()), |(name, _)| Err(name.clone()))
}

/// Returns the instance of a singleton, once it is ready; `None` when it is not running. A name that does not run in
/// the project is looked for among those that are good everywhere.
///
/// # Errors
/// When it fails to become ready, or its supervisor does not answer.
fn instance(name: &str, config: &Config, around: &Surroundings) -> Result<Option<InstanceId>, Error> {
    let ui = Ui::new(Talk::Quiet);
    let root = place::root(config, around, &ui)?;
    for scope in [place::scope(false, around).ok(), Some(Scope::Global)].into_iter().flatten() {
        let slot = match place::slot_of(name, &scope, &root) {
            Ok(slot) => slot,
            Err(error) if name.starts_with('@') && error.kind() == Kind::Nothing => {
                return Ok(None);
            }
            Err(error) => return Err(error.of_kind(Kind::Failed)),
        };
        if let Some(instance) = ready(name, &slot, around.environment.get(inside::STACK))? {
            return Ok(Some(instance));
        }
    }
    Ok(None)
}

fn ready(name: &str, slot: &Slot, stack: Option<&OsStr>) -> Result<Option<InstanceId>, Error> {
    let said = |why| lacking(name, why, Wish::plain(LIMIT));
    let deadline = Instant::now() + LIMIT;
    loop {
        let connection = Connection::open(slot).map_err(|error| said(Lacking::System(error)))?;
        let Some(mut connection) = connection else { return Ok(None) };
        connection.until(Some(deadline));
        if let Some(inside) = inside::instance_of(slot, stack) {
            connection.send(&Request::Inside(inside));
        }
        match connection.ask(&Request::Join) {
            Heard::Reply(Reply::Ready(report)) => return Ok(Some(report.instance)),
            Heard::Reply(Reply::Failed(verdict)) => return Err(said(Lacking::Failed(Box::new(verdict)))),
            Heard::Late => {
                return Err(said(Lacking::Late(slot.record().map(|record| record.supervisor.pid))));
            }
            // It is going; whether another one comes is seen when its lock is free, or its socket answers.
            _ => {
                let wait = Duration::from_millis(50).min(deadline.saturating_duration_since(Instant::now()));
                if slot.lock(wait)?.is_some() {
                    return Ok(None);
                }
            }
        }
    }
}

/// Returns whether a singleton still is this instance.
fn is_still(name: &str, known: InstanceId, config: &Config, around: &Surroundings) -> bool {
    instance(name, config, around).is_ok_and(|instance| instance == Some(known))
}
