//! Unix sockets in a directory that is held open, and who is at the other end.
//!
//! A path of a socket has at most 107 bytes (unix(7)). Below `/proc/self/fd/N` only the name counts, however deep
//! the directory is. Everything here is close-on-exec; `UnixStream::pair` of std is, too.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::directory::Directory;

/// How many connections wait to be accepted; the kernel takes the lesser of it and `net.core.somaxconn`, which is
/// 4096 since Linux 5.4.
const BACKLOG: i32 = 4096;

/// Listens at a name that is not taken yet; only the user can connect.
///
/// # Errors
/// EADDRINUSE when the name is taken; ENAMETOOLONG or EINVAL for a name above some 90 bytes; those of socket(2),
/// bind(2) and listen(2).
pub fn listen(directory: &Directory, name: &OsStr) -> io::Result<UnixListener> {
    let socket = bound(directory, name, SocketType::STREAM)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Connects to whoever listens at a name, waiting for room in its queue at most so long.
///
/// # Errors
/// ENOENT when there is no such name, ECONNREFUSED when nobody listens any more, `TimedOut` when the queue
/// stays full; the others of connect(2).
pub fn connect(directory: &Directory, name: &OsStr, limit: Duration) -> io::Result<UnixStream> {
    let socket = new(SocketType::STREAM)?;
    sockopt::set_socket_timeout(&socket, Timeout::Send, Some(limit))?;
    match rustix::net::connect(&socket, &SocketAddrUnix::new(directory.short_path(name))?) {
        Err(rustix::io::Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
        other => other?,
    }
    sockopt::set_socket_timeout(&socket, Timeout::Send, None)?;
    Ok(socket.into())
}

/// Connects to whoever listens at a path, as [`connect`] does.
///
/// # Errors
/// As [`connect`]; ENOENT also for a path without a name.
pub fn connect_to(path: &Path, limit: Duration) -> io::Result<UnixStream> {
    let name = path.file_name().ok_or(io::ErrorKind::NotFound)?;
    connect(&Directory::open(path.parent().unwrap_or(Path::new("")))?, name, limit)
}

/// A process at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its number; 0 when it is in another pid namespace.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
}

/// Returns who connected, or, to whoever connected, who called listen(2) (SO_PEERCRED).
///
/// # Errors
/// Those of getsockopt(2).
pub fn peer(stream: &UnixStream) -> io::Result<Peer> {
    // Not rustix's `socket_peercred`: its type of a pid cannot be 0.
    let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `credentials` and `length` outlive the call, and `length` is the size of `credentials`.
    let failed = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    } != 0;
    if failed { Err(io::Error::last_os_error()) } else { Ok(credentials.into()) }
}

impl From<libc::ucred> for Peer {
    fn from(credentials: libc::ucred) -> Self {
        Self { pid: credentials.pid, uid: credentials.uid }
    }
}

/// A socket at which datagrams arrive together with their senders (SO_PASSCRED).
#[derive(Debug)]
pub struct Datagrams(OwnedFd);

impl Datagrams {
    /// Makes one at a name that is not taken yet; only the user can send. A sender that the whole path is too long
    /// for takes [`Directory::short_path`].
    ///
    /// # Errors
    /// As [`listen`].
    pub fn bind(directory: &Directory, name: &OsStr) -> io::Result<Self> {
        let socket = bound(directory, name, SocketType::DGRAM)?;
        sockopt::set_socket_passcred(&socket, true)?;
        Ok(Self(socket))
    }

    /// Takes one datagram, cut to the buffer, without waiting; returns its length and the sender's pid, 0 when
    /// that is in another pid namespace. `None` when there is nothing.
    ///
    /// Descriptors that come along are closed: whoever sent them may wait for that (sd_notify_barrier(3)).
    pub fn receive(&self, buffer: &mut [u8]) -> Option<(usize, i32)> {
        // SAFETY: CMSG_SPACE only computes.
        const SPACE: usize = unsafe { libc::CMSG_SPACE(size_of::<libc::ucred>() as u32) } as usize;
        // Room for the sender alone, which comes first: the kernel closes what else was sent, and makes no
        // descriptors of it here.
        let mut control = [0_u64; SPACE.div_ceil(size_of::<u64>())];
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: all zero is a valid `msghdr`.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = SPACE as _;
        let length = loop {
            let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
            // SAFETY: `message` points at `part`, `buffer` and `control`, which outlive the call.
            let length = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, flags) };
            match usize::try_from(length) {
                Ok(length) => break length,
                Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        };
        // SAFETY: the kernel has filled `message`, whose control buffer is aligned and still there.
        let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        let sender = (!header.is_null()).then(|| {
            // SAFETY: the header lies in `control`.
            let head = unsafe { *header };
            let wanted = (libc::SOL_SOCKET, libc::SCM_CREDENTIALS);
            ((head.cmsg_level, head.cmsg_type) == wanted).then(|| {
                // SAFETY: a message of this type holds a `ucred`.
                unsafe { libc::CMSG_DATA(header).cast::<libc::ucred>().read_unaligned() }
            })
        });
        Some((length, sender.flatten().map_or(0, |credentials| credentials.pid)))
    }
}

impl AsFd for Datagrams {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Datagrams {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Returns a TCP port of this machine that nobody uses now. Somebody else may take it before the caller's process does.
///
/// # Errors
/// Those of bind(2).
pub fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn new(kind: SocketType) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?)
}

fn bound(directory: &Directory, name: &OsStr, kind: SocketType) -> io::Result<OwnedFd> {
    let socket = new(kind)?;
    // Before bind(2), which gives the name the mode of the socket: it never is open to others.
    rustix::fs::fchmod(&socket, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(directory.short_path(name))?)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process;
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
    use std::io::{Read, Write};
    use std::mem::MaybeUninit;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// A directory whose path no socket address has room for.
    struct Deep(PathBuf);

    impl Deep {
        fn new(name: &str) -> (Self, Directory) {
            let root = std::env::temp_dir().join(format!("memo-socket-{name}-{}", process::id()));
            let deep = root.join("d".repeat(100)).join("e".repeat(100));
            std::fs::create_dir_all(&deep).unwrap();
            let directory = Directory::open(&deep).unwrap();
            (Self(root), directory)
        }
    }

    impl Drop for Deep {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_long_path_is_no_trouble() {
        let (_deep, directory) = Deep::new("long");
        let listener = listen(&directory, OsStr::new("s")).unwrap();
        let path = directory.path().unwrap().join("s");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut client = connect_to(&path, SECOND).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let me = Peer { pid: process::id(), uid: process::user() };
        assert_eq!([peer(&client).unwrap(), peer(&server).unwrap()], [me, me]);
        client.write_all(b"x").unwrap();
        drop(client);
        let mut got = Vec::new();
        server.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"x");
    }

    #[test]
    fn a_name_that_is_taken_and_one_where_nobody_is() {
        let (_deep, directory) = Deep::new("taken");
        let error = connect(&directory, OsStr::new("s"), SECOND).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let _silent = bound(&directory, OsStr::new("s"), SocketType::STREAM).unwrap();
        let error = listen(&directory, OsStr::new("s")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let error = connect(&directory, OsStr::new("s"), SECOND).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_datagram_tells_its_sender_and_its_descriptors_are_closed() {
        let (_deep, directory) = Deep::new("datagram");
        let datagrams = Datagrams::bind(&directory, OsStr::new("notify")).unwrap();
        let mut buffer = [0; 16];
        assert_eq!(datagrams.receive(&mut buffer), None);

        let sender = std::os::unix::net::UnixDatagram::unbound().unwrap();
        sender.connect(directory.short_path(OsStr::new("notify"))).unwrap();
        sender.send(b"READY=1").unwrap();
        assert_eq!(datagrams.receive(&mut buffer), Some((7, process::id())));
        assert_eq!(&buffer[..7], b"READY=1");

        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [writer.as_fd()];
        assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
        let bytes = [io::IoSlice::new(b"BARRIER=1")];
        rustix::net::sendmsg(&sender, &bytes, &mut control, SendFlags::empty()).unwrap();
        drop(writer);
        assert_eq!(datagrams.receive(&mut buffer), Some((9, process::id())));
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the writer is closed");
        assert_eq!(datagrams.receive(&mut buffer), None);
    }
}
