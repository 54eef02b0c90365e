//! The command line: one file for each subcommand, and here which of them is meant.
//!
//! A subcommand is one only as the very first word. Everything else is `memo run`, whose options stop at
//! the first word that is none. clap builds only the command that is asked for: the whole tree would cost
//! 0.14 ms more, a sixth of a hit.

pub mod completions;
pub mod run;
mod usage;

use std::ffi::OsString;

use clap::{Args, Command, FromArgMatches};

use crate::config::{Clock, Config, Environment, Place};
use crate::engine::Exit;
use crate::error::{Error, Kind};
use crate::sys::startup::Inherited;
use crate::ui::{Talk, Ui};
use run::{RunArgs, Surroundings};

/// The subcommands, but for `run`.
pub const SUBCOMMANDS: &[&str] = &["completions"];

/// Does what the command line asks for.
pub fn main(mut words: impl Iterator<Item = OsString>) -> Exit {
    let _name = words.next();
    let mut words: Vec<OsString> = words.collect();
    let environment = Environment::read();
    let place = Place::read(&environment);
    let clock = Clock::read(&environment);
    let around = Surroundings { environment, place, clock, inherited: Inherited::get() };
    let subcommand = words.first().and_then(|word| word.to_str()).map(str::to_owned);
    match subcommand.as_deref() {
        Some("completions") => subcommand_exit(completions::main(&words[1..])),
        Some("run") => {
            words.remove(0);
            run_exit(words, &around)
        }
        _ => run_exit(words, &around),
    }
}

/// The command `memo run`, which is also plain `memo`.
pub fn run_command() -> Command {
    usage::dressed(RunArgs::augment_args(Command::new("memo")))
}

fn run_exit(words: Vec<OsString>, around: &Surroundings) -> Exit {
    let parsed = usage::parse(run_command(), words).and_then(|matches| {
        RunArgs::from_arg_matches(&matches)
            .map_err(|error| usage::Stopped::Error(usage::explain(&error, Kind::Failed)))
    });
    let args = match parsed {
        Ok(args) => args,
        Err(stopped) => return stopped.exit(Kind::Failed),
    };
    let ui = Ui::new(args.talk());
    let config = Config::load(&around.environment, &around.place, &mut |warning| {
        ui.warning(warning.message, warning.hint.as_deref());
    });
    match run::run(args, config, around, &ui) {
        Ok(exit) => exit,
        Err(error) => failed(&error, &ui),
    }
}

fn subcommand_exit(done: Result<u8, Error>) -> Exit {
    match done {
        Ok(code) => Exit::Code(code),
        Err(error) => failed(&error, &Ui::new(Talk::Normal)),
    }
}

fn failed(error: &Error, ui: &Ui) -> Exit {
    ui.error(error);
    Exit::Code(error.kind().code())
}

/// The whole tree of commands, for completions and the manual.
pub fn tree() -> Command {
    run_command()
        .disable_help_subcommand(true)
        .subcommand(
            completions::CompletionsArgs::augment_args(Command::new("completions"))
                .about("Print completions for a shell"),
        )
        .subcommand(
            RunArgs::augment_args(Command::new("run"))
                .about("Run a command, or replay it")
                .args_override_self(true),
        )
}
