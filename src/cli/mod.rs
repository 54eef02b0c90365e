//! The command line: one file for each subcommand, and here which of them is meant.
//!
//! A subcommand is one only as the very first word. Everything else is `memo run`, whose options stop at
//! the first word that is none. clap builds only the command that is asked for: the whole tree would cost
//! 0.14 ms more, a sixth of a hit.

pub mod clear;
pub mod color;
pub mod command;
pub mod completions;
pub mod config;
pub mod details;
pub mod doctor;
pub mod entry;
pub mod gc;
pub mod help;
pub mod json;
pub mod ls;
pub mod mistaken;
pub mod part;
pub mod pattern;
pub mod print;
pub mod quote;
pub mod run;
pub mod show;
pub mod singleton;
pub mod stats;
pub mod surroundings;
pub mod table;
pub mod tally;
mod usage;
pub mod when;
pub mod why;

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Args, Command, FromArgMatches};

use crate::config::{Clock, Config, Environment, Place};
use crate::engine::Exit;
use crate::error::{Error, Kind};
use crate::singleton::guardian;
use crate::store::Store;
use crate::store::location::Trouble;
use crate::sys::startup::Inherited;
use crate::sys::{descriptor, process, signal, terminal};
use crate::ui::{Talk, Ui};
use completions::CompletionsArgs;
use run::RunArgs;
use surroundings::Surroundings;

/// The subcommands, but for `run`.
pub const SUBCOMMANDS: &[&str] =
    &["singleton", "ls", "show", "clear", "why", "stats", "gc", "doctor", "config", "completions", "help"];

/// Does what the command line asks for.
pub fn main(mut words: impl Iterator<Item = OsString>) -> Exit {
    let _name = words.next();
    let mut words: Vec<OsString> = words.collect();
    let environment = Environment::read();
    let clock = Clock::read(&environment);
    if words.first().is_some_and(|word| word == guardian::SUPERVISE) {
        return Exit::Code(guardian::guard(&clock));
    }
    let environment = environment.with_home(process::user());
    let place = Place::read(&environment);
    let around = Surroundings { environment, place, clock, inherited: Inherited::get() };
    let subcommand = words.first().and_then(|word| word.to_str()).map(str::to_owned);
    match subcommand.as_deref() {
        Some("singleton") => singleton::singleton(&words[1..], &around),
        Some("ls") => subcommand_exit(list(&words[1..], &around)),
        Some("show") => subcommand_exit(show_entry(&words[1..], &around)),
        Some("clear") => subcommand_exit(clear(&words[1..], &around)),
        Some("why") => subcommand_exit(explain(&words[1..], &around)),
        Some("stats") => subcommand_exit(count(&words[1..], &around)),
        Some("gc") => subcommand_exit(collect(&words[1..], &around)),
        Some("doctor") => subcommand_exit(examine(&words[1..], &around)),
        Some("config") => subcommand_exit(configured(&words[1..], &around)),
        Some("completions") => subcommand_exit(complete(&words[1..], &around)),
        Some("help") => subcommand_exit(explain_topic(&words[1..])),
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

fn list(words: &[OsString], around: &Surroundings) -> Result<u8, Error> {
    let Some(args) = subcommand::<ls::LsArgs>("ls", words)? else { return Ok(0) };
    let ui = Ui::new(Talk::Normal);
    let paint = paint(args.color, around);
    let width = terminal::width(descriptor::standard(1));
    ls::ls(&args, &store(around, &ui)?, around.clock.now(), &ui, width, paint)
}

fn show_entry(words: &[OsString], around: &Surroundings) -> Result<u8, Error> {
    let Some(args) = subcommand::<show::ShowArgs>("show", words)? else { return Ok(0) };
    let store = store(around, &Ui::new(Talk::Normal))?;
    show::show(&args, &store, around.clock.now(), paint(args.color, around))
}

fn clear(words: &[OsString], around: &Surroundings) -> Result<u8, Error> {
    clear::check(words)?;
    let Some(args) = subcommand::<clear::ClearArgs>("clear", words)? else { return Ok(0) };
    let directory = around.place.directory.as_deref().unwrap_or(Path::new(""));
    let (store, config) = store_and_config(around, &Ui::new(Talk::Normal))?;
    clear::clear(&args, &store, &config, around.clock.now(), directory)
}

fn explain(words: &[OsString], around: &Surroundings) -> Result<u8, Error> {
    let Some(args) = subcommand::<why::WhyArgs>("why", words)? else { return Ok(0) };
    let ui = Ui::new(args.run.talk());
    let config = config(around, &ui);
    let width = terminal::width(descriptor::standard(1));
    why::why(&args, config, around, &ui, width)
}

fn count(words: &[OsString], around: &Surroundings) -> Result<u8, Error> {
    let Some(args) = subcommand::<stats::StatsArgs>("stats", words)? else { return Ok(0) };
    let width = terminal::width(descriptor::standard(1));
    stats::stats(&args, &store(around, &Ui::new(Talk::Normal))?, around.clock.now(), width)
}

fn collect(words: &[OsString], around: &Surroundings) -> Result<u8, Error> {
    let Some(args) = subcommand::<gc::GcArgs>("gc", words)? else { return Ok(0) };
    let (store, config) = store_and_config(around, &Ui::new(Talk::Normal))?;
    gc::gc(&args, &store, around.clock.now(), config.max_size)
}

fn examine(words: &[OsString], around: &Surroundings) -> Result<u8, Error> {
    let Some(args) = subcommand::<doctor::DoctorArgs>("doctor", words)? else { return Ok(0) };
    let config = config(around, &Ui::new(Talk::Normal));
    doctor::doctor(&args, &config, process::user(), around.clock.now())
}

fn configured(words: &[OsString], around: &Surroundings) -> Result<u8, Error> {
    let Some(args) = subcommand::<config::ConfigArgs>("config", words)? else { return Ok(0) };
    let mut warnings = Vec::new();
    let config = Config::load(&around.environment, &around.place, &mut |warning| warnings.push(warning));
    let user_file = Config::user_file(&around.environment);
    config::config(&args, &config, &warnings, user_file, &Ui::new(Talk::Normal))
}

fn complete(words: &[OsString], around: &Surroundings) -> Result<u8, Error> {
    let Some(args) = subcommand::<CompletionsArgs>("completions", words)? else { return Ok(0) };
    let text = match args.shell {
        Some(shell) => String::from_utf8_lossy(&completions::generate(shell)).into_owned(),
        // Whoever pressed a key wants no errors in the middle of the line.
        None => names(&args.list, around).unwrap_or_default(),
    };
    print::print(&text).map(|()| 0)
}

/// Returns the names that completions ask for.
fn names(words: &[String], around: &Surroundings) -> Result<String, Error> {
    let quiet = Ui::new(Talk::Quiet);
    let Some((kind, prefix)) = completions::asked(words) else { return Ok(String::new()) };
    match kind.of_singletons() {
        Some(wanted) => singleton::names::names(wanted, prefix, &config(around, &quiet), around),
        None => completions::list(kind, prefix, &store(around, &quiet)?, around.clock.now()),
    }
}

fn explain_topic(words: &[OsString]) -> Result<u8, Error> {
    let Some(args) = subcommand::<help::HelpArgs>("help", words)? else { return Ok(0) };
    help::help(&args)
}

/// Returns the arguments of a subcommand; `None` when help was asked for and given.
fn subcommand<T: Args + FromArgMatches>(name: &'static str, words: &[OsString]) -> Result<Option<T>, Error> {
    // What cannot be written to the store is an error there, and not the end of memo.
    signal::ignore_file_limit();
    let command = T::augment_args(Command::new(name))
        .display_name(format!("memo {name}"))
        .bin_name(format!("memo {name}"));
    let matches = match command.try_get_matches_from(std::iter::once(&OsString::from(name)).chain(words)) {
        Ok(matches) => matches,
        Err(error) => {
            return match error.kind() {
                ErrorKind::DisplayHelp => print::print(&error.render().to_string()).map(|()| None),
                ErrorKind::UnknownArgument => Err(mistaken::mistaken(name, words, &error)),
                _ => Err(usage::explain(&error, Kind::Usage)),
            };
        }
    };
    T::from_arg_matches(&matches).map(Some).map_err(|error| usage::explain(&error, Kind::Usage))
}

/// Returns whether stdout gets colours.
fn paint(when: color::When, around: &Surroundings) -> color::Paint {
    let terminal = terminal::is_terminal(descriptor::standard(1));
    color::Paint::decide(when, &around.environment, terminal)
}

/// Opens the store for looking after it.
fn store(around: &Surroundings, ui: &Ui) -> Result<Store, Error> {
    store_and_config(around, ui).map(|(store, _)| store)
}

fn store_and_config(around: &Surroundings, ui: &Ui) -> Result<(Store, Config), Error> {
    let config = config(around, ui);
    let place = config.store.clone().map_err(Trouble::Nowhere);
    let store = place.and_then(|path| Store::open(&path, process::user(), None))?;
    Ok((store, config))
}

fn config(around: &Surroundings, ui: &Ui) -> Config {
    Config::load(&around.environment, &around.place, &mut |warning| {
        ui.warning(warning.message, warning.hint.as_deref());
    })
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
        .subcommand(RunArgs::augment_args(Command::new("run")).about("Run a command, or replay it"))
        .subcommand(singleton::tree())
        .subcommand(ls::LsArgs::augment_args(Command::new("ls")))
        .subcommand(show::ShowArgs::augment_args(Command::new("show")))
        .subcommand(clear::ClearArgs::augment_args(Command::new("clear")))
        .subcommand(why::WhyArgs::augment_args(Command::new("why")))
        .subcommand(stats::StatsArgs::augment_args(Command::new("stats")))
        .subcommand(gc::GcArgs::augment_args(Command::new("gc")))
        .subcommand(doctor::DoctorArgs::augment_args(Command::new("doctor")))
        .subcommand(config::ConfigArgs::augment_args(Command::new("config")))
        .subcommand(CompletionsArgs::augment_args(Command::new("completions")))
        .subcommand(help::HelpArgs::augment_args(Command::new("help")))
}
