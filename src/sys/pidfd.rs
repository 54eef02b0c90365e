//! Descriptors of processes (pidfd_open(2)): as long as one is open, it means the same process, whatever becomes
//! of its number.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::poll;

/// An open descriptor of a process; poll(2) calls it readable once that has ended. It is close-on-exec.
#[derive(Debug)]
pub struct Pidfd(OwnedFd);

impl Pidfd {
    /// Opens the process that has this number now.
    ///
    /// # Errors
    /// ESRCH when there is none; ENOSYS before Linux 5.3, EPERM in a sandbox that does not know the call.
    pub fn open(pid: i32) -> io::Result<Self> {
        let pid = rustix::process::Pid::from_raw(pid.max(0)).ok_or(rustix::io::Errno::SRCH)?;
        Ok(Self(rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?))
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// ESRCH when the process has ended and was waited for; EPERM.
    pub fn send(&self, signal: i32) -> io::Result<()> {
        let none = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open for the whole call; without a siginfo_t the kernel makes its own.
        let failed =
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), signal, none, 0) } != 0;
        if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Returns whether the process has ended, though its parent may not have waited for it yet.
    pub fn has_ended(&self) -> bool {
        poll::now(self.0.as_raw_fd(), poll::READ).is_ok_and(|watch| watch.any())
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Pidfd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Returns whether an error says that the kernel, or a sandbox around this process, has no such descriptors.
pub fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    #[test]
    fn it_means_the_process_and_never_its_number() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let pidfd = Pidfd::open(child.id().cast_signed()).unwrap();
        assert!(!pidfd.has_ended());
        pidfd.send(libc::SIGKILL).unwrap();
        poll::wait_for(pidfd.as_raw_fd(), poll::READ).unwrap();
        assert!(pidfd.has_ended());
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        assert_eq!(pidfd.send(libc::SIGKILL).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }

    #[test]
    fn what_is_no_process_cannot_be_opened() {
        for pid in [0, -1, i32::MAX] {
            assert_eq!(Pidfd::open(pid).unwrap_err().raw_os_error(), Some(libc::ESRCH));
        }
    }
}
