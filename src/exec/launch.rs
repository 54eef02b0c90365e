//! What is started: program, words, environment, descriptors.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::action::name::Name;
use crate::sys::process::{Launch, Stdio};

/// Prepares a command: `inherited` is memo's own environment, `assignments` go on top of it.
///
/// # Errors
/// `InvalidInput` for a NUL byte, which no system call can pass on.
pub fn prepare<'a>(
    program: &Path,
    words: &[OsString],
    inherited: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    assignments: &[(Name, OsString)],
) -> io::Result<Launch> {
    let assigned =
        |name: &OsStr| assignments.iter().any(|(set, _)| set.as_str().as_bytes() == name.as_bytes());
    let mut environment = Vec::new();
    for (name, value) in inherited.filter(|(name, _)| !assigned(name)) {
        environment.push(entry(name.as_bytes(), value)?);
    }
    for (name, value) in assignments {
        environment.push(entry(name.as_str().as_bytes(), value)?);
    }
    Ok(Launch {
        program: text(program.as_os_str())?,
        words: words.iter().map(|word| text(word)).collect::<io::Result<_>>()?,
        environment,
        stdio: [Stdio::Inherit; 3],
        die_with_parent: false,
        terminal: None,
        session: false,
        directory: None,
        open_files: None,
    })
}

fn entry(name: &[u8], value: &OsStr) -> io::Result<CString> {
    Ok(CString::new([name, b"=", value.as_bytes()].concat())?)
}

fn text(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.as_bytes())?)
}
