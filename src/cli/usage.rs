//! What clap says, in memo's words: help, and errors of usage.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};

use crate::engine::Exit;
use crate::error::{Error, Kind};
use crate::sys::descriptor;
use crate::ui::{Talk, Ui};

/// What stands under the options of `memo --help`.
const AFTER: &str = "\
Subcommands (only as the very first word; `memo -- ls` memoizes ls):
  run          the same as memo alone
  singleton    keep one process for everybody who asks, and print how to reach it

It ends? memo. It keeps running? memo singleton.
It must not decide what is reused? Begin its name with `_`.

  ls           list what is recorded
  show         show all that is known of an entry, or print what it holds
  clear        remove what is recorded
  why          say whether a command would hit, and why not
  stats        say how often memo answered, and what that saved
  gc           remove what is too much, and what nothing needs
  doctor       look for damage in the store
  config       print what is configured, and where it comes from
  completions  print completions for a shell
  help         what is in the key (`memo help key`); stdin, outputs, exit; or a subcommand

A name that begins with `_` is passed on but never hashed: environment variables, NAME=VALUE words
before the command, the NAME in -i, -k and --key-cmd.

Exit status: the command's own; 125 memo failed, 126 cannot be executed, 127 not found,
75 --only-cached and nothing is stored.
MEMO_MODE=off|on|read-only|refresh is the switch for a whole script, MEMO_DIR moves the store.";

/// Adds what is the same for every command.
pub fn dressed(command: Command) -> Command {
    command
        .version(env!("CARGO_PKG_VERSION"))
        .about("Memoize a shell command: the second time, the answer is there at once")
        .after_help(AFTER)
        .override_usage(
            "memo [OPTIONS] [--] [NAME=VALUE]... COMMAND [ARG]...\n       memo singleton [NAME] [OPTIONS] -- COMMAND [ARG]...\n       memo ls | show | clear | why | stats | gc | doctor | config | completions | help",
        )
        .args_override_self(true)
        .max_term_width(100)
}

/// Why parsing did not give arguments.
#[derive(Debug)]
pub enum Stopped {
    /// Help or the version was asked for: this text.
    Asked(String),
    /// An error.
    Error(Error),
}

impl Stopped {
    /// Prints it and returns how memo ends.
    pub fn exit(self, kind: Kind) -> Exit {
        match self {
            Self::Asked(text) => {
                let written = descriptor::write_all(descriptor::standard(1), text.as_bytes());
                Exit::Code(if written.is_ok() { 0 } else { kind.code() })
            }
            Self::Error(error) => {
                Ui::new(Talk::Normal).error(&error);
                Exit::Code(error.kind().code())
            }
        }
    }
}

/// Parses words that follow the command's name.
///
/// # Errors
/// [`Stopped`].
pub fn parse(command: Command, words: Vec<OsString>) -> Result<ArgMatches, Stopped> {
    let kind = if command.get_name() == "memo" { Kind::Failed } else { Kind::Usage };
    let words = std::iter::once(OsString::from(command.get_name())).chain(words);
    command.try_get_matches_from(words).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stopped::Asked(error.render().to_string()),
        _ => Stopped::Error(explain(&error, kind)),
    })
}

/// Says an error of clap's in memo's words.
pub fn explain(error: &clap::Error, kind: Kind) -> Error {
    let text = |context| match error.get(context) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let option = text(ContextKind::InvalidArg).unwrap_or_default();
    let option = option.split_whitespace().next().unwrap_or_default().to_owned();
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let not_run = if kind == Kind::Failed { "; the command was not run" } else { "" };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let error = Error::new(kind, format_args!("memo has no option `{option}`{not_run}"));
            match text(ContextKind::SuggestedArg) {
                Some(suggested) => error.hint(format_args!("did you mean `{suggested}`?")),
                None => error.hint("options of memo stand before the command; see `memo --help`"),
            }
        }
        ErrorKind::MissingRequiredArgument if option.starts_with("--") => {
            Error::new(kind, format_args!("`{option}` is missing: another option needs it{not_run}"))
        }
        ErrorKind::MissingRequiredArgument if kind == Kind::Usage => {
            Error::new(kind, format_args!("{} is missing", option.trim_matches(['<', '>'])))
        }
        ErrorKind::MissingRequiredArgument => {
            Error::new(kind, "no command to run").hint("`memo COMMAND [ARG]...`; see `memo --help`")
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            Error::new(kind, format_args!("`{option}` needs a value{not_run}"))
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let valid = match error.get(ContextKind::ValidValue) {
                Some(ContextValue::Strings(valid)) => {
                    valid.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ")
                }
                _ => String::new(),
            };
            let why = std::error::Error::source(error).map_or(String::new(), |why| format!(": {why}"));
            let error = Error::new(kind, format_args!("`{option}` does not take `{value}`{why}{not_run}"));
            if valid.is_empty() { error } else { error.hint(format_args!("it takes {valid}")) }
        }
        ErrorKind::ArgumentConflict => {
            let other = text(ContextKind::PriorArg).unwrap_or_default();
            let other = other.split_whitespace().next().unwrap_or_default();
            Error::new(kind, format_args!("`{option}` does not go with `{other}`{not_run}"))
        }
        _ => {
            let rendered = error.to_string();
            let first = rendered.lines().next().unwrap_or_default();
            Error::new(kind, first.trim_start_matches("error: "))
        }
    }
}
