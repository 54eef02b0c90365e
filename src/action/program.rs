//! The program: its content, and what its `#!` line asks for.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::observation::{Observation, Subject};
use super::scene::{Scene, Unobservable};
use super::search::find;

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
        match Observation::of(Subject::Program(path.clone()), scene) {
            Ok(observation) => observations.push(observation),
            // It can be executed but not read.
            Err(_) => {
                observations.push(Observation::of(Subject::Stamp(path), scene)?);
                break;
            }
        }
        let mut start = Vec::with_capacity(LONGEST_LINE);
        let read = File::open(&path).and_then(|file| file.take(LONGEST_LINE as u64).read_to_end(&mut start));
        let Some(shebang) = read.ok().and_then(|_| parse_shebang(&start)) else { break };
        if let Some(name) = shebang.looked_up
            && let Ok(found) = find(&name, scene.search_path)
        {
            observations.push(Observation::of(Subject::Command(name), scene)?);
            if let Ok(observation) = Observation::of(Subject::Program(found), scene) {
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
}
