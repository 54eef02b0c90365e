//! The process of an instance, and the ends of its pipes.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::exec::launch;
use crate::singleton::service::Service;
use crate::singleton::slot::Slot;
use crate::sys::directory::Directory;
use crate::sys::pipe::{self, Pipe};
use crate::sys::poll::{self, Watch};
use crate::sys::process::{Launch, OpenFiles, Stdio};
use crate::sys::startup::Inherited;
use crate::sys::{descriptor, socket};

/// The name of the socket on which a process says that it is ready (sd_notify(3)).
const NOTICES: &str = "n";
/// The longest path of a socket, in bytes: what `sockaddr_un` has room for, and its end (unix(7)).
const LONGEST: usize = 107;

/// The process of an instance.
#[derive(Debug)]
pub(super) struct Running {
    /// Its number, which is that of its group and session too.
    pub(super) pid: i32,
    /// Whether it has ended; others of its tree may be left.
    pub(super) ended: bool,
    /// What it was told.
    pub(super) environment: Vec<(OsString, OsString)>,
    /// What it reads, where it takes calls.
    pub(super) stdin: Option<OwnedFd>,
    /// Where it says that it is ready.
    pub(super) notices: Option<(socket::Datagrams, Directory)>,
    /// What it writes, where it takes calls.
    stdout: Option<OwnedFd>,
    /// What it writes besides.
    log: Option<OwnedFd>,
}

impl Running {
    /// Starts it: in a session of its own, with no descriptor but 0, 1 and 2, no signal blocked or ignored.
    ///
    /// # Errors
    /// Those of pipe2(2), bind(2), fork(2) and execve(2).
    pub(super) fn start(
        service: &Service,
        slot: &Slot,
        mut environment: Vec<(OsString, OsString)>,
        wants_notices: bool,
        open_files: OpenFiles,
    ) -> io::Result<Self> {
        let mut notices = None;
        if wants_notices {
            let directory = Directory::open(slot.directory())?;
            let path = slot.directory().join(NOTICES);
            let _ = std::fs::remove_file(&path);
            let bound = socket::Datagrams::bind(&directory, NOTICES.as_ref())?;
            // A path that no address has room for leads by way of this process.
            let path =
                if path.as_os_str().len() > LONGEST { directory.short_path(NOTICES.as_ref()) } else { path };
            environment.push(("NOTIFY_SOCKET".into(), path.into()));
            notices = Some((bound, directory));
        }
        let log = Pipe::new()?;
        let calls = service.framing.map(|_| Ok::<_, io::Error>((Pipe::new()?, Pipe::new()?))).transpose()?;
        let null = descriptor::null()?;
        let [stdin, stdout] = match &calls {
            None => [null.as_raw_fd(), log.writer.as_raw_fd()],
            Some((requests, replies)) => [requests.reader.as_raw_fd(), replies.writer.as_raw_fd()],
        };
        let launch = Launch {
            stdio: [stdin, stdout, log.writer.as_raw_fd()].map(Stdio::Fd),
            die_with_parent: true,
            session: true,
            open_files: Some(open_files),
            directory: Some(CString::new(service.directory.as_os_str().as_bytes())?),
            ..launch::prepare(&service.program, &service.words, borrowed(&environment), &[])?
        };
        let started = launch.spawn(&Inherited::get())?;
        let ours = |fd: OwnedFd| pipe::set_nonblocking(&fd).map(|()| fd);
        let (stdin, stdout) = match calls {
            None => (None, None),
            Some((requests, replies)) => (Some(ours(requests.writer)?), Some(ours(replies.reader)?)),
        };
        let log = Some(ours(log.reader)?);
        Ok(Self { pid: started.command, ended: false, environment, stdin, notices, stdout, log })
    }

    /// Adds what is to be waited for: four places, in the order stdin, stdout, log, notices.
    pub(super) fn watch(running: Option<&Self>, writes: bool, watches: &mut Vec<Watch>) {
        let reads =
            |fd: Option<&OwnedFd>| fd.map_or(Watch::nothing(), |fd| Watch::new(fd.as_raw_fd(), poll::READ));
        let stdin = running.and_then(|running| running.stdin.as_ref()).filter(|_| writes);
        watches.push(stdin.map_or(Watch::nothing(), |fd| Watch::new(fd.as_raw_fd(), poll::WRITE)));
        watches.push(reads(running.and_then(|running| running.stdout.as_ref())));
        watches.push(reads(running.and_then(|running| running.log.as_ref())));
        let notices = running.and_then(|running| running.notices.as_ref());
        watches
            .push(notices.map_or(Watch::nothing(), |(socket, _)| Watch::new(socket.as_raw_fd(), poll::READ)));
    }

    /// Reads what it wrote to its log; `None` when there is nothing now, or will be no more.
    pub(super) fn read_log(&mut self, buffer: &mut [u8]) -> Option<usize> {
        read(&mut self.log, buffer)
    }

    /// Reads what it wrote to stdout, where that is not its log.
    pub(super) fn read_stdout(&mut self, buffer: &mut [u8]) -> Option<usize> {
        read(&mut self.stdout, buffer)
    }
}

fn read(fd: &mut Option<OwnedFd>, buffer: &mut [u8]) -> Option<usize> {
    match descriptor::read(fd.as_ref()?, buffer) {
        Ok(n) if n > 0 => Some(n),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        _ => {
            *fd = None;
            None
        }
    }
}

/// Prepares a shell command in an instance's environment and directory: in a session of its own, so that all of it
/// can be ended, with nothing to read and nobody to read what it writes.
pub(super) fn shell(
    line: &OsStr,
    environment: &[(OsString, OsString)],
    directory: &Path,
) -> io::Result<Launch> {
    let words: [OsString; 3] = ["sh".into(), "-c".into(), line.to_owned()];
    Ok(Launch {
        // 0 to 2 of a supervisor are /dev/null and its own file.
        die_with_parent: true,
        session: true,
        directory: Some(CString::new(directory.as_os_str().as_bytes())?),
        ..launch::prepare(Path::new("/bin/sh"), &words, borrowed(environment), &[])?
    })
}

fn borrowed(environment: &[(OsString, OsString)]) -> impl Iterator<Item = (&OsStr, &OsStr)> {
    environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
}
