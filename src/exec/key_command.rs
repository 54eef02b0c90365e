//! Shell commands that memo asks before it answers: `--key-cmd NAME=CMD` puts what CMD prints into the key,
//! `--check CMD` says whether what was recorded still holds.
//!
//! They get memo's environment and directory, and nothing to read; what they write reaches nobody but
//! the first line of stderr, in memo's own words, when they fail.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read, Seek};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::action::digest::Digest;
use crate::sys::pidfd::Pidfd;
use crate::sys::poll::{self, Watch};
use crate::sys::{memory, signal};

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
    let output = output(line, environment, Stdio::piped())?;
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
    output(line, environment, Stdio::null()).map(|_| ())
}

/// As [`check`], in a directory; what is not done after so long is killed, with all of its group.
///
/// # Errors
/// As there.
pub fn check_within<'a>(
    line: &OsStr,
    environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    directory: &Path,
    limit: Duration,
) -> Result<(), Failed> {
    let failed = |error: io::Error| Failed { how: error.to_string(), said: None };
    // Not a pipe: nobody reads it before the command has ended.
    let mut said = memory::file_of(b"").map_err(failed)?;
    let mut child = shell(line, environment)
        .current_dir(directory)
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(said.try_clone().map_err(failed)?)
        .spawn()
        .map_err(failed)?;
    let pid = i32::try_from(child.id()).unwrap_or(0);
    // Where the kernel has no such descriptors (before 5.3) it is waited for.
    let in_time = match Pidfd::open(pid) {
        Ok(pidfd) => {
            poll::wait(&mut [Watch::new(pidfd.as_raw_fd(), poll::READ)], Some(limit)).map_err(failed)? > 0
        }
        Err(_) => true,
    };
    if !in_time {
        signal::send(-pid, signal::KILL);
    }
    let status = child.wait().map_err(failed)?;
    if !in_time {
        return Err(Failed {
            how: format!("not done after {} s", (limit.as_secs_f64() * 10.0).round() / 10.0),
            said: None,
        });
    }
    let mut text = Vec::new();
    said.seek(io::SeekFrom::Start(0)).and_then(|_| said.read_to_end(&mut text)).map_err(failed)?;
    judged(Output { status, stdout: Vec::new(), stderr: text }).map(|_| ())
}

fn output<'a>(
    line: &OsStr,
    environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    stdout: Stdio,
) -> Result<Output, Failed> {
    let output = shell(line, environment).stdout(stdout).stderr(Stdio::piped()).output();
    judged(output.map_err(|error| Failed { how: error.to_string(), said: None })?)
}

/// Returns a command line as a command, with nothing to read.
fn shell<'a>(line: &OsStr, environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>) -> Command {
    let variables: Vec<(OsString, OsString)> =
        environment.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).env_clear().envs(variables).stdin(Stdio::null());
    command
}

fn judged(output: Output) -> Result<Output, Failed> {
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
