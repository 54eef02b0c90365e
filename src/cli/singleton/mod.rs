//! `memo singleton`: one long-running process per key, handed to everybody who asks.
//!
//! The first word behind it is one of the subcommands, or a name, or an option.

mod args;
mod asking;
mod call;
mod collect;
mod depend;
mod ensure;
mod hold;
mod list;
mod logs;
pub mod names;
mod place;
mod reason;
mod shown;
mod status;
mod stop;
mod target;
mod wait;
mod wanted;
mod words;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::{Args, Command, FromArgMatches};

use super::mistaken::subcommand_of_singleton;
use super::surroundings::Surroundings;
use super::{help, print, quote, usage};
use crate::config::Config;
use crate::engine::Exit;
use crate::error::{Error, Kind};
use crate::sys::signal;
use crate::ui::{Talk, Ui};

pub use args::SingletonArgs;
pub(super) use depend::{instances, still};

/// The subcommands, which are no names of singletons.
pub const SUBCOMMANDS: [&str; 11] =
    ["run", "call", "status", "ls", "stop", "restart", "logs", "wait", "id", "why", "gc"];

/// What stands under the options of `memo singleton --help`.
const AFTER: &str = "\
Subcommands (only as the first word; they are no names):
  run      hold it while another command runs
  call     hand it one request, and print its one reply
  status   say how it is
  ls       list those of this project
  stop     end it
  restart  end it and start it again, as it was started
  logs     print what it has written
  wait     wait until it has ended, or is ready
  id       print which instance it is
  why      say what would become of it, and why
  gc       remove what those that have ended left

A name that begins with `_` replaces nothing: environment variables, VAR=VALUE words before the
command, the NAME in -i, -k and --key-cmd.

Exit status: 0 it is ready; 75 --no-start, --on-change fail, --busy fail; 124 it was not ready in
time; 125 memo failed; 126 cannot be executed; 127 not found; else its own, when it ended before.";

/// Does what follows `memo singleton`.
pub fn singleton(words: &[OsString], around: &Surroundings) -> Exit {
    // What cannot be written is an error there, and not the end of memo.
    signal::ignore_file_limit();
    let first = words.first().and_then(|word| word.to_str()).unwrap_or_default();
    let rest = words.get(1..).unwrap_or_default();
    let done = match first {
        "run" => hold::hold(rest, around).map_err(as_asked),
        "call" => code(
            parsed::<args::CallArgs>("call", rest, Kind::Failed)
                .and_then(|args| args.map_or(Ok(0), |args| call::call(&args, around)))
                .map_err(as_asked),
        ),
        "status" => quiet("status", rest, around, status::status),
        "ls" => quiet("ls", rest, around, list::list),
        "stop" => quiet("stop", rest, around, stop::stop),
        "restart" => quiet("restart", rest, around, stop::restart),
        "logs" => quiet("logs", rest, around, logs::logs),
        "wait" => wait::wait(rest, around),
        "id" => quiet("id", rest, around, status::id),
        "why" => quiet("why", rest, around, reason::why),
        "gc" => quiet("gc", rest, around, collect::collect),
        "help" => code(help::of_singleton(rest)),
        _ => ensure::ensure(words, around).map_err(as_asked),
    };
    match done {
        Ok(exit) => exit,
        Err(error) => {
            Ui::new(Talk::Normal).error(&error);
            Exit::Code(error.kind().code())
        }
    }
}

/// Returns the error of whoever asks for an instance, whose own statuses 1 and 2 could be those of a process.
fn as_asked(error: Error) -> Error {
    match error.kind() {
        Kind::Nothing | Kind::Usage => error.of_kind(Kind::Failed),
        _ => error,
    }
}

/// Parses the words of a subcommand and does it.
fn quiet<T: Args + FromArgMatches>(
    name: &'static str,
    words: &[OsString],
    around: &Surroundings,
    then: impl FnOnce(&T, &Config, &Surroundings, &Ui) -> Result<u8, Error>,
) -> Result<Exit, Error> {
    let Some(args) = parsed::<T>(name, words, Kind::Usage)? else { return Ok(Exit::Code(0)) };
    let ui = Ui::new(Talk::Normal);
    let config = super::config(around, &ui);
    code(then(&args, &config, around, &ui))
}

fn code(done: Result<u8, Error>) -> Result<Exit, Error> {
    done.map(Exit::Code)
}

/// Returns the arguments of a subcommand; `None` when help was asked for and given.
fn parsed<T: Args + FromArgMatches>(
    name: &'static str,
    typed: &[OsString],
    kind: Kind,
) -> Result<Option<T>, Error> {
    let command = named::<T>(name);
    let words = std::iter::once(OsString::from("memo")).chain(typed.iter().cloned());
    let matches = match command.try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) if error.kind() == clap::error::ErrorKind::DisplayHelp => {
            return print::print(&error.render().to_string()).map(|()| None);
        }
        Err(error) => return Err(explained(name, typed, &error, kind)),
    };
    T::from_arg_matches(&matches).map(Some).map_err(|error| usage::explain(&error, kind))
}

/// Returns the error of usage, for what is often typed wrongly with its own hint.
fn explained(name: &str, typed: &[OsString], error: &clap::Error, kind: Kind) -> Error {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let argument = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let of_run =
        ["-o", "--output", "--refresh", "--only-cached", "--cache-exit", "--stale", "--strict", "--depfile"];
    let long = argument.split('=').next().unwrap_or_default();
    if error.kind() == ErrorKind::UnknownArgument && of_run.contains(&long) {
        return Error::new(
            kind,
            format_args!(
                "`{long}` belongs to `memo run`, which stores results; `memo singleton` keeps a process running"
            ),
        );
    }
    if error.kind() != ErrorKind::UnknownArgument {
        return usage::explain(error, kind);
    }
    let spelled = spelled(name);
    let has_command = typed.iter().any(|word| word == "--");
    if !argument.starts_with('-') || name.is_empty() && !has_command && other_subcommand(typed).is_some() {
        return superfluous(name, typed, &argument, kind);
    }
    let unknown = Error::new(kind, format_args!("`{spelled}` has no option `{long}`"));
    let unknown = match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(suggested)) => unknown.hint(format_args!("did you mean `{suggested}`?")),
        _ => unknown.hint(format_args!("options of the command stand behind `--`; see `{spelled} --help`")),
    };
    if name == "call" { unknown.hint("a request that begins with `-` goes on stdin") } else { unknown }
}

/// Returns the error for a word that nothing takes where it stands.
fn superfluous(name: &str, typed: &[OsString], word: &str, kind: Kind) -> Error {
    if name.is_empty()
        && let Some((first, meant)) = other_subcommand(typed)
    {
        let error = Error::new(kind, format_args!("`memo singleton` has no subcommand `{first}`"));
        let words =
            typed[1..].iter().filter(|word| !takes_no_name(meant) || word.as_bytes().starts_with(b"-"));
        let line = words.map(|word| format!(" {}", quote::word(word.as_bytes()))).collect::<String>();
        return error.hint(format_args!("did you mean `memo singleton {meant}{line}`?"));
    }
    let spelled = spelled(name);
    let message = match name {
        "" | "run" | "why" => format!("`{word}`: a command stands behind `--`"),
        "call" => format!("`{word}`: `{spelled}` takes one name and one request"),
        name if takes_no_name(name) => format!("`{word}`: `{spelled}` takes no name"),
        _ => format!("`{word}`: `{spelled}` takes one name"),
    };
    Error::new(kind, message).hint(format_args!("`{}`", synopsis(name).lines().next().unwrap_or_default()))
}

/// Returns the first word, and which subcommand it was meant for.
fn other_subcommand(typed: &[OsString]) -> Option<(&str, &'static str)> {
    let first = typed.first()?.to_str()?;
    Some((first, subcommand_of_singleton(first)?))
}

fn takes_no_name(subcommand: &str) -> bool {
    ["ls", "gc"].contains(&subcommand)
}

/// Returns a subcommand by its name.
fn named<T: Args>(name: &'static str) -> Command {
    let command = T::augment_args(Command::new(if name.is_empty() { "singleton" } else { name }))
        .display_name(spelled(name))
        .bin_name(spelled(name))
        .override_usage(synopsis(name))
        .max_term_width(100);
    if name.is_empty() { command.after_help(AFTER) } else { command }
}

fn spelled(name: &str) -> String {
    if name.is_empty() { "memo singleton".to_owned() } else { format!("memo singleton {name}") }
}

/// Returns how a subcommand is called.
fn synopsis(name: &str) -> String {
    const COMMAND: &str = "-- [VAR=VALUE]... COMMAND [ARG]...";

    match name {
        "" => format!(
            "memo singleton [NAME] [OPTIONS] {COMMAND}\n       memo singleton NAME [OPTIONS]\n       memo singleton {}",
            SUBCOMMANDS.join(" | ")
        ),
        "run" => format!("memo singleton run [NAME] [OPTIONS] [{COMMAND}] --exec CMD [ARG]..."),
        "call" => format!("memo singleton call [NAME [REQ]] [OPTIONS] [{COMMAND}]"),
        "why" => format!("memo singleton why [NAME] [OPTIONS] {COMMAND}"),
        name if takes_no_name(name) => format!("memo singleton {name} [OPTIONS]"),
        "stop" => format!(
            "memo singleton stop NAME [OPTIONS]\n       memo singleton stop [OPTIONS] {COMMAND}\n       memo singleton stop --all [OPTIONS]"
        ),
        name => {
            format!("memo singleton {name} NAME [OPTIONS]\n       memo singleton {name} [OPTIONS] {COMMAND}")
        }
    }
}

/// Returns the one without a subcommand, for help: those stand under its options.
pub fn command() -> Command {
    named::<SingletonArgs>("")
}

/// Returns the whole of it, for completions, the manual and help.
pub fn tree() -> Command {
    use args::{
        CallArgs, CollectArgs, HoldArgs, IdArgs, ListArgs, LogsArgs, ReasonArgs, RestartArgs, StatusArgs,
        StopArgs, WaitArgs,
    };
    command().disable_help_subcommand(true).subcommands([
        named::<HoldArgs>("run"),
        named::<CallArgs>("call"),
        named::<StatusArgs>("status"),
        named::<ListArgs>("ls"),
        named::<StopArgs>("stop"),
        named::<RestartArgs>("restart"),
        named::<LogsArgs>("logs"),
        named::<WaitArgs>("wait"),
        named::<IdArgs>("id"),
        named::<ReasonArgs>("why"),
        named::<CollectArgs>("gc"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subcommand_is_one_that_clap_takes() {
        tree().debug_assert();
        let names: Vec<String> = tree().get_subcommands().map(|one| one.get_name().to_owned()).collect();
        assert_eq!(names, SUBCOMMANDS);
    }
}
