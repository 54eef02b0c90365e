//! GNU make's jobserver, which a command that outlives its make must not see.
//!
//! make hands the right to run jobs down by descriptors or a fifo, named in MAKEFLAGS (GNU make manual, "POSIX
//! Jobserver Interaction": words before the one that is `--`, `--jobserver-auth=R,W`, `--jobserver-auth=fifo:PATH`,
//! before make 4.2 `--jobserver-fds=R,W`). For a process that runs on behind, the descriptors are closed and the
//! fifo may be gone: a make in it would complain, another program fail.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The variables that pass a jobserver on: make's own, its older name, and cargo's for build scripts.
pub const VARIABLES: [&str; 3] = ["MAKEFLAGS", "MFLAGS", "CARGO_MAKEFLAGS"];

/// Returns such a variable's value without the jobserver, and then without `-j`, which meant the same jobs; `None`
/// when it names none.
pub fn without(value: &OsStr) -> Option<OsString> {
    let words: Vec<&[u8]> = value.as_bytes().split(|byte| *byte == b' ').collect();
    // What follows `--` are variables of the makefile.
    let end = words.iter().position(|word| *word == b"--").unwrap_or(words.len());
    let is_server = |word: &&[u8]| word.starts_with(b"--jobserver-");
    if !words[..end].iter().any(is_server) {
        return None;
    }
    let is_jobs = |word: &&[u8]| word.strip_prefix(b"-j").is_some_and(|n| n.iter().all(u8::is_ascii_digit));
    let kept = words[..end].iter().filter(|word| !is_server(word) && !is_jobs(word));
    let kept: Vec<&[u8]> = kept.chain(&words[end..]).copied().collect();
    Some(OsString::from_vec(kept.join(&b' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Option<&str>) {
        assert_eq!(without(OsStr::new(value)).as_deref(), expected.map(OsStr::new), "{value}");
    }

    #[test]
    fn a_jobserver_goes_with_its_jobs() {
        check(" -j8 --jobserver-auth=3,4", Some(""));
        check("k -j --jobserver-auth=fifo:/tmp/GMfifo1", Some("k"));
        check("-j --jobserver-fds=3,4 --jobserver-auth=3,4 -s", Some("-s"));
        check(
            "w -j2 --jobserver-auth=3,4 -- A=--jobserver-auth B=-j2",
            Some("w -- A=--jobserver-auth B=-j2"),
        );
    }

    #[test]
    fn what_has_no_jobserver_stays_as_it_is() {
        check("", None);
        check("k -j8", None);
        check("-- A=--jobserver-auth=3,4", None);
        check("-- A=1 --jobserver-auth=3,4", None);
    }
}
