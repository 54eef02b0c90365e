//! `memo singleton [NAME] -- COMMAND`: an instance that is ready, and one line to reach it by.

use std::ffi::OsString;

use super::args::{PrintChoice, SingletonArgs};
use super::asking::{Asked, Asking, prefix, variables};
use super::{logs, parsed, place, shown, takes_no_name};
use crate::cli::mistaken::subcommand_of_singleton;
use crate::cli::surroundings::Surroundings;
use crate::cli::{print, quote};
use crate::engine::Exit;
use crate::error::{Error, Kind};
use crate::ui::Ui;

/// Gets an instance and prints how to reach it.
///
/// # Errors
/// Why there is none.
pub(super) fn ensure(words: &[OsString], around: &Surroundings) -> Result<Exit, Error> {
    let Some(args) = parsed::<SingletonArgs>("", words, Kind::Failed)? else { return Ok(Exit::Code(0)) };
    let alone = args.name.as_deref().filter(|name| args.command.is_empty() && !name.is_empty());
    if let Some(name) = alone.filter(|name| !name.starts_with('@')) {
        place::check_name(name).map_err(|error| {
            let word = quote::word(name.as_bytes());
            error.hint(format_args!("a command stands behind `--`: `memo singleton -- {word}`"))
        })?;
    }
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
    let asked = asking.ask().map_err(|error| match alone.and_then(subcommand_of_singleton) {
        // Of one that ran once the name is right.
        Some(meant) if asking.wanted().is_ok_and(|wanted| !wanted.meant.slot.directory().exists()) => {
            let name = if takes_no_name(meant) { "" } else { " NAME" };
            error.hint(format_args!("did you mean `memo singleton {meant}{name}`?"))
        }
        _ => error,
    })?;
    if args.foreground {
        ui.done(format_args!("singleton `{}` is ready: {}", asked.name, asked.got.report.handle()), None);
        return logs::stay(asked, around);
    }
    print::print(&text(&args, &asked, around)?).map(|()| Exit::Code(0))
}

fn text(args: &SingletonArgs, asked: &Asked, around: &Surroundings) -> Result<String, Error> {
    let (report, slot) = (&asked.got.report, &asked.slot);
    if args.json {
        return Ok(shown::object(&asked.name, slot, report, around.clock.now()).line());
    }
    let line = |text: String| Ok(text + "\n");
    match args.print.unwrap_or(PrintChoice::Addr) {
        PrintChoice::Addr => line(report.handle()),
        PrintChoice::Id => line(report.instance.to_string()),
        PrintChoice::Pid => line(report.pid.to_string()),
        PrintChoice::Port => match report.port {
            Some(port) => line(port.to_string()),
            None => Err(Error::new(
                Kind::Failed,
                format_args!("singleton `{}` has no port that is known", asked.name),
            )
            .hint("`--port auto` gives it one, `--ready-port PORT` says which it has")),
        },
        PrintChoice::Log => line(slot.log().display().to_string()),
        PrintChoice::State => line(slot.state().display().to_string()),
        PrintChoice::Env => {
            let all = variables(&prefix(&asked.name), slot, report);
            let set = all.iter().map(|(name, value)| {
                format!("export {}={}\n", name.display(), quote::word(value.as_encoded_bytes()))
            });
            Ok(set.collect())
        }
    }
}
