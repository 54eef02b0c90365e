//! `memo singleton wait`: until an instance has ended, or is ready.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::args::WaitArgs;
use super::wanted::parse_duration;
use super::words::{Wish, lacking, status_of};
use super::{parsed, place, target};
use crate::cli::print;
use crate::cli::surroundings::Surroundings;
use crate::config::duration::Shown;
use crate::engine::Exit;
use crate::error::{Error, Kind};
use crate::singleton::ask::Lacking;
use crate::singleton::client::{Connection, Heard};
use crate::singleton::message::{Reply, Request};
use crate::ui::{Talk, Ui};

/// Waits for the end of an instance, and ends as it did.
///
/// # Errors
/// When there is none, or it takes too long.
pub(super) fn wait(words: &[OsString], around: &Surroundings) -> Result<Exit, Error> {
    let Some(args) = parsed::<WaitArgs>("wait", words, Kind::Usage)? else { return Ok(Exit::Code(0)) };
    let ui = Ui::new(Talk::Normal);
    let config = crate::cli::config(around, &ui);
    let slot = target::slot(&args.target, &config, around, &ui)?;
    let name = place::called(&slot);
    let limit = args.timeout.as_deref().map(|text| parse_duration("--timeout", text)).transpose();
    let limit = limit.map_err(|error| error.of_kind(Kind::Usage))?;
    let said = |why| lacking(&name, why, Wish::plain(limit.unwrap_or(Duration::MAX)));
    let connection = Connection::open(&slot).map_err(|error| said(Lacking::System(error)))?;
    let mut connection = connection.ok_or_else(|| target::nothing(&slot, around))?;
    connection.until(limit.map(|limit| Instant::now() + limit));
    let request = if args.ready { Request::Join } else { Request::AwaitEnd };
    match connection.ask(&request) {
        Heard::Reply(Reply::Ready(report)) => print::print(&(report.handle() + "\n")).map(|()| Exit::Code(0)),
        Heard::Reply(Reply::Failed(verdict)) => Err(said(Lacking::Failed(Box::new(verdict)))),
        Heard::Reply(Reply::Ended(verdict)) => {
            Ok(Exit::Code(status_of(verdict.ended).unwrap_or(Kind::Failed.code())))
        }
        Heard::Late => {
            let what = if args.ready { "is not ready" } else { "has not ended" };
            let limit = Shown(limit.unwrap_or_default());
            Err(Error::new(Kind::TimedOut, format_args!("singleton `{name}` {what} after {limit}")))
        }
        _ => Err(target::nothing(&slot, around)),
    }
}
