//! `--dep-singleton NAME`: which instance a singleton is, as something that others depend on.

use std::time::{Duration, Instant};

use super::place;
use super::words::{Wish, lacking};
use crate::action::instance::InstanceId;
use crate::cli::run::Surroundings;
use crate::config::Config;
use crate::error::Error;
use crate::singleton::ask::Lacking;
use crate::singleton::client::{Connection, Heard};
use crate::singleton::message::{Reply, Request};
use crate::singleton::scope::Scope;
use crate::singleton::slot::Slot;
use crate::ui::{Talk, Ui};

/// How long one that is being started is waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// Returns the instance of a singleton, once it is ready; `None` when it is not running. A name that does not run in
/// the project is looked for among those that are good everywhere.
///
/// # Errors
/// When it fails to become ready, or its supervisor does not answer.
pub(in crate::cli) fn instance(
    name: &str,
    config: &Config,
    around: &Surroundings,
) -> Result<Option<InstanceId>, Error> {
    let ui = Ui::new(Talk::Quiet);
    let root = place::root(config, around, &ui)?;
    for scope in [place::scope(false, around).ok(), Some(Scope::Global)].into_iter().flatten() {
        let slot = match place::slot_of(name, &scope, &root) {
            Ok(slot) => slot,
            Err(error) if name.starts_with('@') && error.kind() == crate::error::Kind::Nothing => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if let Some(instance) = ready(name, &slot)? {
            return Ok(Some(instance));
        }
    }
    Ok(None)
}

fn ready(name: &str, slot: &Slot) -> Result<Option<InstanceId>, Error> {
    let said = |why| lacking(name, why, Wish::plain(LIMIT));
    let deadline = Instant::now() + LIMIT;
    loop {
        let connection = Connection::open(slot).map_err(|error| said(Lacking::System(error)))?;
        let Some(mut connection) = connection else { return Ok(None) };
        connection.until(Some(deadline));
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
pub(in crate::cli) fn is_still(
    name: &str,
    known: InstanceId,
    config: &Config,
    around: &Surroundings,
) -> bool {
    instance(name, config, around).is_ok_and(|instance| instance == Some(known))
}
