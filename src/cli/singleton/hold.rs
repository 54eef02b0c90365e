//! `memo singleton run NAME --exec CMD`: an instance is held while a command runs.

use std::ffi::OsString;

use super::args::HoldArgs;
use super::asking::{Asking, prefix, variables};
use super::words::{Wish, not_running};
use crate::action::search;
use crate::cli::command::not_runnable_behind;
use crate::cli::surroundings::Surroundings;
use crate::engine::Exit;
use crate::error::{Error, Kind, system_text};
use crate::exec::{launch, passing};
use crate::singleton::client::Heard;
use crate::singleton::inside;
use crate::singleton::message::{Reply, Request};
use crate::singleton::service::with_variables;
use crate::sys::process::{Ended, is_not_found};
use crate::ui::Ui;

/// Holds an instance while a command runs, and ends as that does.
///
/// # Errors
/// Why there is no instance, or why the command cannot be run.
pub(super) fn hold(words: &[OsString], around: &Surroundings) -> Result<Exit, Error> {
    // What follows is the command's, whatever it looks like.
    let place = words.iter().position(|word| word == "--exec");
    let (own, command) = match place {
        Some(place) => (&words[..place], &words[place + 1..]),
        None => (words, &words[words.len()..]),
    };
    let Some(args) = super::parsed::<HoldArgs>("run", own, Kind::Failed)? else { return Ok(Exit::Code(0)) };
    let Some(first) = command.first() else {
        return Err(Error::new(Kind::Failed, "no command to run while the singleton is held")
            .hint("`memo singleton run NAME --exec COMMAND [ARG]...`"));
    };
    let program = search::find(first, around.environment.get("PATH"))
        .map_err(|why| not_runnable_behind("--exec", first, why))?;
    let ui = Ui::new(args.ask.talk());
    let config = crate::cli::config(around, &ui);
    let asking = Asking {
        name: args.name.as_deref(),
        args: &args.ask,
        command: &args.command,
        is_call: false,
        config: &config,
        around,
        ui: &ui,
    };
    let wanted = asking.wanted()?;
    let asked = loop {
        let mut asked = asking.ask_for(&wanted)?;
        match asked.got.connection.ask(&Request::Lease) {
            Heard::Reply(Reply::Ready(report)) => {
                asked.got.report = report;
                break asked;
            }
            // It has gone since.
            Heard::Reply(Reply::Gone) | Heard::Gone => {}
            _ => return Err(not_running(&asked.name, &Wish::plain(wanted.timeout))),
        }
    };
    let outer = around.environment.get(inside::STACK);
    let stack = inside::stack(&asked.slot, asked.got.report.instance, outer);
    let mut told = variables(&prefix(&asked.name), &asked.slot, &asked.got.report);
    told.push((inside::STACK.into(), stack));
    let all = with_variables(&around.environment.to_vec(), told);
    let all = all.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
    let started = launch::prepare(&program, command, all, &[])
        .and_then(|launch| passing::run(&launch, &around.inherited));
    // The connection is the lease: it ends with this process, however that ends.
    drop(asked);
    match started {
        Ok(Ended::Exit(code)) => Ok(Exit::Code(code)),
        Ok(Ended::Signal(signal)) => Ok(Exit::Signal(signal)),
        Err(error) => {
            let kind = if is_not_found(&error) { Kind::NotFound } else { Kind::NotExecutable };
            Err(Error::new(kind, format_args!("cannot run `{}`: {}", first.display(), system_text(&error))))
        }
    }
}
