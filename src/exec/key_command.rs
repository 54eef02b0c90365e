//! Key commands: `--key-cmd NAME=CMD` puts what CMD prints into the key.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use crate::action::digest::Digest;

/// Why a key command gave no value.
#[derive(Debug)]
pub struct Failed {
    /// How it ended: "exit 1", "signal 9".
    pub how: String,
    /// The first line it wrote to stderr.
    pub said: Option<String>,
}

/// Runs a command line under /bin/sh, with nothing to read, and returns the digest of what it printed.
///
/// # Errors
/// [`Failed`] when it cannot be run or fails: a part of the key that is not known must not be a constant.
pub fn run<'a>(
    line: &OsStr,
    environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
) -> Result<Digest, Failed> {
    let variables: Vec<(OsString, OsString)> =
        environment.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let output = Command::new("/bin/sh")
        .arg("-c")
        .arg(line)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failed { how: error.to_string(), said: None })?;
    if output.status.success() {
        return Ok(Digest::of(&output.stdout));
    }
    let how = match (output.status.code(), output.status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => output.status.to_string(),
    };
    let said = String::from_utf8_lossy(&output.stderr).lines().next().map(str::to_owned);
    Err(Failed { how, said })
}
