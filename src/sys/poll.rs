//! poll(2): waiting until one of several descriptors is ready.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::epoll;

/// There is something to read, or the end.
pub const READ: i16 = libc::POLLIN;
/// There is room to write.
pub const WRITE: i16 = libc::POLLOUT;
/// The other end has gone (always reported).
pub const HANGUP: i16 = libc::POLLHUP;
/// The peer of a socket will write no more.
pub const READ_HANGUP: i16 = libc::POLLRDHUP;
/// The reader of a pipe has gone, or an error (always reported).
pub const ERROR: i16 = libc::POLLERR;

/// One descriptor to wait for.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
pub struct Watch(libc::pollfd);

impl Watch {
    /// Waits for `events` on `fd`; a negative `fd` is passed over.
    pub fn new(fd: RawFd, events: i16) -> Self {
        Self(libc::pollfd { fd, events, revents: 0 })
    }

    /// A place in the list that never becomes ready.
    pub fn nothing() -> Self {
        Self::new(-1, 0)
    }

    /// Returns whether any of these events came.
    pub fn got(&self, events: i16) -> bool {
        self.0.revents & events != 0
    }

    /// Returns whether anything came.
    pub fn any(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits until a descriptor is ready or the time is over, and returns how many are ready.
///
/// # Errors
/// Those of poll(2), but for EINTR, after which it goes on for the rest of the time.
pub fn wait(watches: &mut [Watch], limit: Option<Duration>) -> io::Result<usize> {
    let deadline = limit.map(|limit| Instant::now() + limit);
    loop {
        let left = match deadline {
            None => -1,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                // Rounded up, so that a wait never ends before its time.
                i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
            }
        };
        // SAFETY: `Watch` is transparent over `pollfd`, and the slice is valid for its length.
        let ready = unsafe {
            libc::poll(watches.as_mut_ptr().cast::<libc::pollfd>(), watches.len() as libc::nfds_t, left)
        };
        if ready >= 0 {
            return Ok(ready.cast_unsigned() as usize);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Waits, without a limit, for one descriptor.
///
/// # Errors
/// Those of poll(2).
pub fn wait_for(fd: RawFd, events: i16) -> io::Result<()> {
    wait(&mut [Watch::new(fd, events)], None).map(drop)
}

/// Returns what is true of one descriptor now.
///
/// # Errors
/// Those of poll(2).
pub fn now(fd: RawFd, events: i16) -> io::Result<Watch> {
    let mut watches = [Watch::new(fd, events)];
    wait(&mut watches, Some(Duration::ZERO))?;
    Ok(watches[0])
}

/// A descriptor of which each change is told once: more to read, or the end.
///
/// poll(2) tells only that there is something, again and again (epoll(7), EPOLLET).
#[derive(Debug)]
pub struct Changes {
    epoll: OwnedFd,
}

impl Changes {
    /// Begins to watch a pipe or socket.
    ///
    /// # Errors
    /// Those of epoll_create1(2) and epoll_ctl(2).
    pub fn watch(fd: impl AsFd) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        epoll::add(&epoll, fd, epoll::EventData::new_u64(0), flags)?;
        Ok(Self { epoll })
    }

    /// Waits for the next change; returns `false` when there was none in this time.
    ///
    /// # Errors
    /// Those of epoll_wait(2), but for EINTR, which is one more reason to look again.
    pub fn wait(&self, limit: Duration) -> io::Result<bool> {
        let ready = wait(&mut [Watch::new(self.epoll.as_raw_fd(), READ)], Some(limit))?;
        let mut events =
            [epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) }];
        let none = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        match epoll::wait(&self.epoll, &mut events[..], Some(&none)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(ready > 0),
            Err(error) => Err(error.into()),
        }
    }
}
