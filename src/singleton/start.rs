//! Starting a supervisor: whoever has the lock of a slot hands it on, with a socket that already listens.
//!
//! There is no moment at which neither the one who starts nor the supervisor has the lock, and none at which somebody
//! could find a socket that nobody will answer: who connects early is in the queue of the listening socket. The one
//! who starts has a connection from the beginning, so that it hears of a start that fails at once.

use std::ffi::{CString, OsStr, OsString};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;

use super::service::Service;
use super::slot::{Lock, Slot};
use crate::fault;
use crate::sys::detach::Detached;
use crate::sys::{descriptor, memory};

/// The first word of the command line by which memo becomes a guardian.
pub const SUPERVISE: &str = "__supervise";
/// The number of the descriptor that holds the lock in a guardian.
pub(super) const LOCK: i32 = 3;
/// That of the listening socket.
pub(super) const LISTENER: i32 = 4;
/// That of the connection to whoever started it.
pub(super) const FIRST: i32 = 5;
/// That of the file that says what to keep.
pub(super) const SERVICE: i32 = 6;

/// The variables by which CI systems find the processes that a job has left, to end them: GitHub's runner, Jenkins,
/// Jenkins Pipeline (twice), Azure Pipelines.
pub const CI_COOKIES: [&str; 5] = [
    "RUNNER_TRACKING_ID",
    "BUILD_ID",
    "JENKINS_NODE_COOKIE",
    "JENKINS_SERVER_COOKIE",
    "VSTS_PROCESS_LOOKUP_ID",
];

/// How large the supervisor's own file may become before it begins anew, in bytes.
const MOST_SAID: u64 = 64 << 10;

/// Starts guardian and supervisor, hands them the lock, and returns a connection to the supervisor.
///
/// `environment` is the caller's; of it they keep what CI systems look for, unless `survive_ci`.
///
/// # Errors
/// Those of the system calls it takes.
pub fn start<'a>(
    slot: &Slot,
    lock: Lock,
    service: &Service,
    environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    survive_ci: bool,
) -> io::Result<UnixStream> {
    fault::point("singleton.locked");
    let listener = slot.listen()?;
    fault::point("singleton.listens");
    let (ours, theirs) = UnixStream::pair()?;
    let told = memory::file_of(&service.encode())?;
    let null = descriptor::null()?;
    let said = slot.directory().join("sup.log");
    if said.metadata().is_ok_and(|found| found.len() > MOST_SAID) {
        let _ = std::fs::remove_file(&said);
    }
    let said = OpenOptions::new().append(true).create(true).mode(0o600).open(said)?;
    let words: [&OsStr; 4] =
        ["memo".as_ref(), SUPERVISE.as_ref(), service.name.as_ref(), slot.directory().as_os_str()];
    let words = words.map(|word| CString::new(word.as_bytes()));
    let words = words.into_iter().collect::<Result<Vec<_>, _>>()?;
    let kept = environment.filter(|(name, _)| is_kept(name, survive_ci));
    let kept: Vec<CString> = kept
        .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect::<Result<_, _>>()?;
    let detached = Detached {
        program: c"/proc/self/exe",
        words: &words,
        environment: &kept,
        // In the order of their numbers.
        descriptors: &[
            null.as_fd(),
            null.as_fd(),
            said.as_fd(),
            lock.file().as_fd(),
            listener.as_fd(),
            theirs.as_fd(),
            told.as_fd(),
        ],
    };
    detached.start()?;
    fault::point("singleton.started");
    Ok(ours)
}

/// Returns whether guardian and supervisor keep a variable.
fn is_kept(name: &OsStr, survive_ci: bool) -> bool {
    let is_cookie = CI_COOKIES.iter().any(|cookie| name == *cookie);
    let is_hook = ["MEMO_FAULT", "MEMO_TEST_NOW"].iter().any(|hook| name == *hook);
    is_cookie && !survive_ci || cfg!(feature = "fault") && is_hook
}

/// Returns the environment a process is given: the caller's without what belongs to the caller alone (the jobserver of
/// its make, the keys that a memo above runs, the notification socket of a unit), and, where it is to survive CI,
/// without what that looks for.
pub fn environment_for<'a>(
    caller: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    survive_ci: bool,
) -> Vec<(OsString, OsString)> {
    const LEFT: [&str; 8] = [
        "MAKEFLAGS",
        "MFLAGS",
        "MAKELEVEL",
        "CARGO_MAKEFLAGS",
        "MEMO_HELD",
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
    ];
    let stays = |name: &OsStr| {
        let is_cookie = CI_COOKIES.iter().any(|cookie| name == *cookie);
        let is_the_callers = LEFT.iter().any(|left| name == *left);
        !(is_the_callers || survive_ci && is_cookie)
    };
    caller.filter(|(name, _)| stays(name)).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_caller_alone_is_not_passed_on() {
        let caller = [("A", "1"), ("MAKEFLAGS", "-j"), ("BUILD_ID", "7"), ("MEMO_HELD", "x")];
        let names = |survive_ci| {
            let caller = caller.iter().map(|(name, value)| (OsStr::new(*name), OsStr::new(*value)));
            environment_for(caller, survive_ci).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(names(false), ["A", "BUILD_ID"]);
        assert_eq!(names(true), ["A"]);
        assert!(is_kept(OsStr::new("BUILD_ID"), false) && !is_kept(OsStr::new("BUILD_ID"), true));
        assert!(!is_kept(OsStr::new("A"), false));
    }
}
