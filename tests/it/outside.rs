//! What a command finds around it: streams of every kind as stdin, terminals, readers that wait.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::sandbox::Sandbox;

/// How long a test waits for what should come at once; only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What kind of stream stdin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pipe.
    Pipe,
    /// A socket.
    Socket,
}

/// A stream for a command's stdin, with bytes in it, of which the test keeps the reading end: what the
/// command leaves can be looked at.
pub struct Stream {
    reader: OwnedFd,
    writer: Option<OwnedFd>,
}

impl Stream {
    /// Returns a stream that has these bytes, as many as it can hold, and no writer any more.
    pub fn ended(kind: Kind, bytes: &[u8]) -> Self {
        let mut stream = Self::open(kind, bytes);
        stream.writer = None;
        stream
    }

    /// Returns a stream that has these bytes and may get more.
    pub fn open(kind: Kind, bytes: &[u8]) -> Self {
        let (reader, writer) = match kind {
            Kind::Pipe => {
                let (reader, writer) = std::io::pipe().unwrap();
                (reader.into(), OwnedFd::from(writer))
            }
            Kind::Socket => {
                let (reader, writer) = UnixStream::pair().unwrap();
                (reader.into(), writer.into())
            }
        };
        let mut file = File::from(writer);
        file.write_all(bytes).unwrap();
        Self { reader, writer: Some(file.into()) }
    }

    /// Returns it as a command's stdin.
    pub fn stdin(&self) -> Stdio {
        self.reader.try_clone().unwrap().into()
    }

    /// Returns what was left in it.
    pub fn rest(mut self) -> String {
        self.writer = None;
        let mut rest = Vec::new();
        File::from(self.reader).read_to_end(&mut rest).unwrap();
        String::from_utf8(rest).unwrap()
    }
}

/// Runs a shell line on a stream and returns its stdout and what it left. A line that does not end is
/// killed.
#[track_caller]
pub fn run_on(sandbox: &Sandbox, line: &str, stream: Stream) -> (String, String) {
    let output = patient(sandbox, line).stdin(stream.stdin()).output().unwrap();
    assert!(!is_killed(output.status), "`{line}` does not end");
    (String::from_utf8(output.stdout).unwrap(), stream.rest())
}

/// Returns a shell line as a command that is killed when it does not end.
pub fn patient(sandbox: &Sandbox, line: &str) -> Command {
    let mut command = sandbox.command("timeout");
    command.args(["--foreground", "-s", "KILL", "30", "/bin/bash", "-c", line]);
    command
}

fn is_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(9) || status.code() == Some(137)
}

/// Waits until something holds that no descriptor tells.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

/// Reads from a descriptor until this text came; returns everything up to its end.
#[track_caller]
pub fn read_until(from: impl AsFd, text: &str) -> String {
    let mut got = Vec::new();
    while !got.ends_with(text.as_bytes()) {
        wait_readable(&from);
        let mut byte = [0];
        match rustix::io::read(&from, &mut byte) {
            Ok(1) => got.push(byte[0]),
            other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&got)),
        }
    }
    String::from_utf8(got).unwrap()
}

#[track_caller]
fn wait_readable(from: impl AsFd) {
    let limit = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(&from, PollFlags::IN)], Some(&limit)).unwrap();
    assert!(ready > 0, "nothing comes");
}

/// A terminal in which a shell line runs, as its only session.
pub struct Terminal {
    master: OwnedFd,
    child: Child,
}

impl Terminal {
    /// Runs a shell line in a terminal of its own.
    pub fn run(sandbox: &Sandbox, line: impl AsRef<OsStr>) -> Self {
        let mut command = sandbox.command("setsid");
        command.args(["--ctty", "/bin/bash", "-c"]).arg(line);
        Self::start(command)
    }

    /// Runs an interactive shell, with job control, whose prompt is `$ `.
    pub fn shell(sandbox: &Sandbox) -> Self {
        let mut command = sandbox.command("setsid");
        command.args(["--ctty", "/bin/bash", "--norc", "--noediting", "-i"]).env("PS1", "$ ");
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let slave = rustix::fs::open(name, flags, 0.into()).unwrap();
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        let child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        Self { master, child }
    }

    /// Types.
    pub fn types(&self, text: &str) {
        rustix::io::write(&self.master, text.as_bytes()).unwrap();
    }

    /// Reads until a text is shown; returns everything up to its end.
    #[track_caller]
    pub fn until(&self, text: &str) -> String {
        read_until(&self.master, text)
    }

    /// Returns the id of the process that was started.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end; returns what was shown since, and how it ended.
    #[track_caller]
    pub fn end(mut self) -> (String, ExitStatus) {
        let mut shown = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            wait_readable(&self.master);
            // EIO is how a terminal ends of which nobody has the other side.
            match rustix::io::read(&self.master, &mut buffer) {
                Ok(n) if n > 0 => shown.extend_from_slice(&buffer[..n]),
                _ => break,
            }
        }
        (String::from_utf8(shown).unwrap().replace('\r', ""), self.child.wait().unwrap())
    }
}
