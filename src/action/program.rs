//! The program: where it is found, and what its `#!` line asks for.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::observation::{Observation, Scene, Subject, Unobservable};
use crate::sys::file::is_executable;

/// The search path of execvp(3) where PATH is not set (confstr(3), _CS_PATH).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Why a program cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRunnable {
    /// Nothing has this name: exit 127.
    #[error("no such command")]
    NotFound,
    /// It is there but may not be executed: exit 126.
    #[error("Permission denied")]
    NotExecutable,
    /// It is a directory: exit 126.
    #[error("Is a directory")]
    Directory,
}

/// Returns the file that execvp(3) would run for a first word.
///
/// # Errors
/// [`NotRunnable`].
pub fn find(word: &OsStr, search_path: Option<&OsStr>) -> Result<PathBuf, NotRunnable> {
    if word.is_empty() {
        return Err(NotRunnable::NotFound);
    }
    if word.as_bytes().contains(&b'/') {
        let path = PathBuf::from(word);
        return look(&path).map(|()| path);
    }
    let mut best = NotRunnable::NotFound;
    for directory in search_path.unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes().split(|&byte| byte == b':') {
        // An empty entry is the working directory; `./` says so to execve(2).
        let directory = if directory.is_empty() { &b"."[..] } else { directory };
        let path = Path::new(OsStr::from_bytes(directory)).join(word);
        match look(&path) {
            Ok(()) => return Ok(path),
            // A directory of this name further up the path is passed over, as execvp(3) does with EACCES.
            Err(NotRunnable::NotFound) => {}
            Err(error) => best = error,
        }
    }
    Err(best)
}

fn look(path: &Path) -> Result<(), NotRunnable> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(NotRunnable::NotExecutable),
        Err(_) => Err(NotRunnable::NotFound),
        Ok(metadata) if metadata.is_dir() => Err(NotRunnable::Directory),
        Ok(_) if is_executable(path) => Ok(()),
        Ok(_) => Err(NotRunnable::NotExecutable),
    }
}

/// What a `#!` line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Shebang {
    interpreter: PathBuf,
    /// The program that env(1) would look up.
    looked_up: Option<OsString>,
}

/// Longest `#!` line the kernel reads, in bytes (BINPRM_BUF_SIZE of linux/binfmts.h).
const LONGEST_LINE: usize = 256;

fn parse_shebang(start: &[u8]) -> Option<Shebang> {
    let line = start.strip_prefix(b"#!")?;
    let line = &line[..line.iter().position(|&byte| byte == b'\n').unwrap_or(line.len())];
    let mut words = line.split(|byte| b" \t\r".contains(byte)).filter(|word| !word.is_empty());
    let interpreter = PathBuf::from(OsStr::from_bytes(words.next()?));
    let mut looked_up = None;
    if interpreter.file_name() == Some(OsStr::new("env")) {
        let found = words.find(|word| !word.starts_with(b"-") && !word.contains(&b'='));
        looked_up = found.filter(|word| !word.contains(&b'/')).map(|word| OsStr::from_bytes(word).to_owned());
    }
    Some(Shebang { interpreter, looked_up })
}

/// Observes a program: its content, that of its interpreter, and what `#!/usr/bin/env NAME` finds.
///
/// # Errors
/// [`Unobservable`] when it cannot even be looked at.
pub fn observe(path: &Path, scene: &mut Scene<'_>) -> Result<Vec<Observation>, Unobservable> {
    /// An interpreter may itself be a script; the kernel allows four of them.
    const DEEPEST: usize = 4;
    let mut observations = Vec::new();
    let mut path = path.to_owned();
    for _ in 0..DEEPEST {
        match scene.observe(Subject::Program(path.clone())) {
            Ok(observation) => observations.push(observation),
            // It can be executed but not read.
            Err(_) => {
                observations.push(scene.observe(Subject::Stamp(path))?);
                break;
            }
        }
        let mut start = Vec::with_capacity(LONGEST_LINE);
        let read = File::open(&path).and_then(|file| file.take(LONGEST_LINE as u64).read_to_end(&mut start));
        let Some(shebang) = read.ok().and_then(|_| parse_shebang(&start)) else { break };
        if let Some(name) = shebang.looked_up
            && let Ok(found) = find(&name, scene.search_path)
        {
            observations.push(scene.observe(Subject::Command(name))?);
            if let Ok(observation) = scene.observe(Subject::Program(found)) {
                observations.push(observation);
            }
        }
        path = shebang.interpreter;
        if !path.exists() {
            break;
        }
    }
    Ok(observations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shebang_names_its_interpreter_and_what_env_looks_up() {
        let parse = |line: &str| parse_shebang(line.as_bytes()).map(|s| (s.interpreter, s.looked_up));
        assert_eq!(parse("#!/bin/sh\necho"), Some(("/bin/sh".into(), None)));
        assert_eq!(parse("#! /bin/sh -e"), Some(("/bin/sh".into(), None)));
        assert_eq!(parse("#!/usr/bin/env python3"), Some(("/usr/bin/env".into(), Some("python3".into()))));
        assert_eq!(
            parse("#!/usr/bin/env -S A=1 node -x"),
            Some(("/usr/bin/env".into(), Some("node".into())))
        );
        assert_eq!(parse("#!\n"), None);
        assert_eq!(parse("echo"), None);
    }

    #[test]
    fn a_name_without_a_slash_is_looked_up() {
        assert_eq!(find(OsStr::new("sh"), Some(OsStr::new("/nonexistent:/bin"))), Ok("/bin/sh".into()));
        assert_eq!(find(OsStr::new("sh"), Some(OsStr::new("/nonexistent"))), Err(NotRunnable::NotFound));
        assert_eq!(find(OsStr::new("/etc"), None), Err(NotRunnable::Directory));
        assert_eq!(find(OsStr::new("/etc/passwd"), None), Err(NotRunnable::NotExecutable));
        assert_eq!(find(OsStr::new(""), None), Err(NotRunnable::NotFound));
    }
}
