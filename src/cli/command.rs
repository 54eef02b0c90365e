//! The words of a command that is to be run or kept, and what it depends on by its options: what `memo run` and
//! `memo singleton` read alike.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::action::digest::Digest;
use crate::action::name::{Name, split_named};
use crate::action::search::NotRunnable;
use crate::config::Environment;
use crate::error::{Error, Kind};
use crate::exec::key_command;

/// Splits leading `NAME=VALUE` words from the command.
pub fn split_assignments(command: &[OsString]) -> (Vec<(Name, OsString)>, &[OsString]) {
    let assignments: Vec<_> = command.iter().map_while(|word| split_named(word)).collect();
    let words = &command[assignments.len()..];
    (assignments, words)
}

/// Returns the error for a word behind `--` that is no program.
pub fn not_runnable(word: &OsStr, why: NotRunnable) -> Error {
    not_runnable_behind("--", word, why)
}

/// Returns the error for a word that is no program. `before` is what stands before the command, `memo` or an option.
pub fn not_runnable_behind(before: &str, word: &OsStr, why: NotRunnable) -> Error {
    let kind = match why {
        NotRunnable::NotFound => Kind::NotFound,
        NotRunnable::NotExecutable | NotRunnable::Directory => Kind::NotExecutable,
    };
    let shown = word.display();
    let error = Error::new(kind, format_args!("cannot run `{shown}`: {why}"));
    let text = word.to_string_lossy();
    match why {
        NotRunnable::NotFound if text.starts_with('-') => {
            let before = if before == "memo" { "the command" } else { &format!("`{before}`") };
            error.hint(format_args!("memo's own options stand before {before}; see `memo --help`"))
        }
        NotRunnable::NotFound if text.find('=').is_some_and(|equals| equals > 0) => {
            let name = text.split('=').next().unwrap_or_default();
            error.hint(format_args!(
                "`{name}` is not a variable name; `env '{text}' COMMAND` sets it all the same"
            ))
        }
        NotRunnable::NotFound if !text.contains('/') => {
            error.hint(format_args!("is it a shell builtin or a function? try `{before} sh -c '...'`"))
        }
        NotRunnable::NotExecutable => error
            .hint(format_args!("`chmod +x {shown}`, or run it by its interpreter: `{before} sh {shown}`")),
        _ => error,
    }
}

/// Returns the selectors of variables that `-e` gives.
///
/// # Errors
/// When one sets a variable instead of naming one.
pub fn selectors(typed: &[OsString]) -> Result<Vec<OsString>, Error> {
    for selector in typed {
        if let Some((name, value)) = split_named(selector) {
            let value = value.display();
            return Err(Error::new(
                Kind::Failed,
                format_args!("`-e {name}={value}` names no variable; the command was not run"),
            )
            .hint(format_args!("to set one for the command: `memo {name}={value} COMMAND`")));
        }
    }
    Ok(typed.to_vec())
}

/// Returns a text of `-k`, and its name where it has one; `=TEXT` has none, whatever TEXT looks like.
pub fn text(typed: &OsString) -> (Option<Name>, OsString) {
    if let Some(rest) = typed.as_bytes().strip_prefix(b"=") {
        return (None, OsString::from_vec(rest.to_vec()));
    }
    match split_named(typed) {
        Some((name, text)) => (Some(name), text),
        None => (None, typed.clone()),
    }
}

/// Runs the commands of `--key-cmd`; returns the digest of what each printed, but for those that are ignored by name.
///
/// # Errors
/// When one has no name, or fails.
pub fn key_commands(typed: &[OsString], environment: &Environment) -> Result<Vec<(Name, Digest)>, Error> {
    let mut out = Vec::new();
    for text in typed {
        let Some((name, line)) = split_named(text) else {
            return Err(Error::new(
                Kind::Failed,
                format_args!("`--key-cmd {}` has no name; the command was not run", text.display()),
            )
            .hint(format_args!("`--key-cmd version='{}'`", text.display())));
        };
        // What is not hashed need not be known.
        if name.is_ignored() {
            continue;
        }
        let digest = key_command::run(&line, environment.iter()).map_err(|failed| {
            let said = failed.said.map_or(String::new(), |said| format!(": {said}"));
            Error::new(
                Kind::Failed,
                format_args!(
                    "key command for `{name}` failed ({}){said}; the command was not run",
                    failed.how
                ),
            )
        })?;
        out.push((name, digest));
    }
    Ok(out)
}
