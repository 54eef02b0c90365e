//! `memo completions SHELL`.

use std::ffi::OsString;

use clap::{Args, Command, FromArgMatches};
use clap_complete::Shell;

use super::usage;
use crate::error::{Error, Kind};
use crate::sys::descriptor;

/// Print completions for a shell
///
/// `source <(memo completions bash)` turns them on.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Prints the completions for a shell.
pub fn main(words: &[OsString]) -> Result<u8, Error> {
    let command = CompletionsArgs::augment_args(Command::new("memo completions"));
    let matches = match usage::parse(command, words.to_vec()) {
        Ok(matches) => matches,
        Err(usage::Stopped::Asked(text)) => {
            let _ = descriptor::write_all(descriptor::standard(1), text.as_bytes());
            return Ok(0);
        }
        Err(usage::Stopped::Error(error)) => return Err(error),
    };
    let args =
        CompletionsArgs::from_arg_matches(&matches).map_err(|error| usage::explain(&error, Kind::Usage))?;
    let text = generate(args.shell);
    // A reader that has gone has what it wanted.
    let _ = descriptor::write_all(descriptor::standard(1), &text);
    Ok(0)
}

/// Returns the completions for a shell.
pub fn generate(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut super::tree(), "memo", &mut text);
    text
}
