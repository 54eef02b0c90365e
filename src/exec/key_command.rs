//! Shell commands that memo asks before it answers: `--key-cmd NAME=CMD` puts what CMD prints into the key,
//! `--check CMD` says whether what was recorded still holds.
//!
//! They get memo's environment and directory, and nothing to read; what they write reaches nobody but
//! the first line of stderr, in memo's own words, when they fail.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::action::digest::Digest;

/// How such a command failed.
#[derive(Debug)]
pub struct Failed {
    /// How it ended: "exit 1", "signal 9".
    pub how: String,
    /// The first line it wrote to stderr.
    pub said: Option<String>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.how)?;
        self.said.iter().try_for_each(|said| write!(f, ": {said}"))
    }
}

/// Runs a command line under /bin/sh, with nothing to read, and returns the digest of what it printed.
///
/// # Errors
/// [`Failed`] when it cannot be run or fails: a part of the key that is not known must not be a constant.
pub fn run<'a>(
    line: &OsStr,
    environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
) -> Result<Digest, Failed> {
    let output = output(line, environment, Stdio::piped(), None)?;
    Ok(Digest::of(&output.stdout))
}

/// Runs a command line under /bin/sh, with nothing to read; what it prints is of no account.
///
/// # Errors
/// [`Failed`] when it cannot be run or fails.
pub fn check<'a>(
    line: &OsStr,
    environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
) -> Result<(), Failed> {
    check_in(line, environment, None)
}

/// As [`check`], in a directory.
///
/// # Errors
/// As there.
pub fn check_in<'a>(
    line: &OsStr,
    environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    directory: Option<&Path>,
) -> Result<(), Failed> {
    output(line, environment, Stdio::null(), directory).map(|_| ())
}

fn output<'a>(
    line: &OsStr,
    environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    stdout: Stdio,
    directory: Option<&Path>,
) -> Result<Output, Failed> {
    let variables: Vec<(OsString, OsString)> =
        environment.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let mut command = Command::new("/bin/sh");
    command.current_dir(directory.unwrap_or(Path::new(".")));
    let output = command
        .arg("-c")
        .arg(line)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| Failed { how: error.to_string(), said: None })?;
    if output.status.success() {
        return Ok(output);
    }
    let how = match (output.status.code(), output.status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => output.status.to_string(),
    };
    let said = String::from_utf8_lossy(&output.stderr).lines().next().map(str::to_owned);
    Err(Failed { how, said })
}
