//! One look whether a service is ready, and whether what answers is the service.
//!
//! It blocks, with limits of its own, and so is made in a forked copy of the supervisor, whose exit code tells what
//! it found. A port proves nothing by itself: a stranger that had it before answers as well, and the service may
//! have died of that.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::listeners::{self, Holding, Listener};
use super::readiness::{Host, Ready, shown};
use super::tree;
use crate::sys::socket;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long all of an HTTP request may take.
const HTTP: Duration = Duration::from_secs(5);
/// Up to this length in bytes a status line is looked at.
const STATUS_LINE: usize = 8 << 10;

/// The first exit code that stands for a status.
const STATUS_CODES: u16 = 5;
/// So many statuses of a hundred have an exit code of their own.
const OF_A_HUNDRED: u16 = 50;

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probed {
    /// Nothing yet.
    Nothing,
    /// Somebody answers, but not the service.
    Stranger,
    /// The service answers, but not with a status that was wanted; with this one, where that can be told.
    Status(Option<u16>),
    /// It is ready, at ::1 alone: a port of [`Host::Both`] is not at the address that [`Ready::address`] gives.
    ReadyAtIpv6,
    /// It is ready.
    Ready,
}

impl Probed {
    /// Returns the exit code that stands for it. An exit code has 8 bits: of each hundred of statuses the first half,
    /// in which nearly all are that there are, has codes of its own.
    pub fn code(self) -> u8 {
        match self {
            Self::Ready => 0,
            Self::Nothing => 1,
            Self::Stranger => 2,
            Self::ReadyAtIpv6 => 4,
            Self::Status(status) => status
                .filter(|status| (100..600).contains(status) && status % 100 < OF_A_HUNDRED)
                .and_then(|status| {
                    u8::try_from(STATUS_CODES + (status / 100 - 1) * OF_A_HUNDRED + status % 100).ok()
                })
                .unwrap_or(3),
        }
    }

    /// Returns what an exit code stands for; a look that failed found nothing.
    pub fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Ready,
            2 => Self::Stranger,
            3 => Self::Status(None),
            4 => Self::ReadyAtIpv6,
            code => match u16::from(code).checked_sub(STATUS_CODES) {
                Some(n) if n < 5 * OF_A_HUNDRED => {
                    Self::Status(Some((n / OF_A_HUNDRED + 1) * 100 + n % OF_A_HUNDRED))
                }
                _ => Self::Nothing,
            },
        }
    }

    /// Returns whether the service is ready.
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Ready | Self::ReadyAtIpv6)
    }

    /// Returns where the service was found; `None` where that is not known by what was waited for.
    pub fn address(self, ready: &Ready) -> Option<String> {
        match ready {
            Ready::Port { host: Host::Both, port } if self == Self::ReadyAtIpv6 => {
                Some(format!("[::1]:{port}"))
            }
            _ => ready.address(),
        }
    }

    /// Returns what was the matter, for whoever has waited in vain.
    pub fn sentence(self, ready: &Ready) -> String {
        let address = ready.address().unwrap_or_default();
        match (self, ready) {
            (Self::Ready | Self::ReadyAtIpv6, _) => format!("`{ready}` is fulfilled"),
            (Self::Stranger, _) => format!("`{address}` is answered by a process that is not the service's"),
            (Self::Status(Some(status)), Ready::Http { statuses, .. }) => {
                format!("`{address}` is answered with status {status}, not {}", shown(statuses))
            }
            (Self::Status(None), Ready::Http { statuses, .. }) => {
                format!("`{address}` is not answered with status {}", shown(statuses))
            }
            (_, Ready::Http { .. }) => format!("`{address}` is not answered"),
            (_, Ready::Port { .. } | Ready::Unix(_)) => format!("nothing listens at `{address}`"),
            (_, Ready::File(path)) => {
                format!("`{}` is not there, or older than the service", path.display())
            }
            (_, Ready::Log(regex)) => format!("no line of the log matches `{regex}`"),
            (_, Ready::Command(command)) => format!("`{}` does not succeed", command.display()),
            (_, Ready::Notify) => "the service did not send READY=1 to NOTIFY_SOCKET".to_owned(),
        }
    }

    /// Returns what may help whoever has waited in vain, if anything is known that does.
    pub fn hint(self, ready: &Ready) -> Option<String> {
        match (self, ready) {
            (Self::Stranger, _) => Some(
                "if a container or another daemon listens for the service, ask by `--ready-cmd`; else take another port"
                    .to_owned(),
            ),
            (Self::Status(Some(status)), _) => {
                Some(format!("`--ready-status {status}` says that this is right; `--timeout 5m` gives it longer"))
            }
            (_, Ready::Log(_)) => Some(
                "a program that writes to no terminal may keep its lines back: `python3 -u`, `stdbuf -oL`"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// Looks whether a service is ready. Its processes are `tree_root` and what descends from it; a file counts if it
/// is not older than `since_ns`, which is of the clock that files get their times from
/// ([`stamp`](crate::sys::file::stamp)). What is not looked at from outside (log, command, notices) is never found.
pub fn probe(ready: &Ready, tree_root: i32, since_ns: i64) -> Probed {
    match ready {
        Ready::Port { host, port } => at_any(*host, *port, |address| {
            connect(address, tree_root, CONNECT).map_or_else(|no| no, |_| Probed::Ready)
        }),
        Ready::Http { url, host, port, path, statuses } => {
            let request = format!(
                "GET {path} HTTP/1.0\r\nHost: {}\r\nUser-Agent: memo\r\nAccept: */*\r\nConnection: close\r\n\r\n",
                authority(url)
            );
            let deadline = Instant::now() + HTTP;
            at_any(*host, *port, |address| {
                let asked = connect(address, tree_root, CONNECT.min(left(deadline)));
                asked.map_or_else(|no| no, |stream| ask(&stream, &request, statuses, deadline))
            })
        }
        Ready::Unix(path) => unix(path, tree_root),
        Ready::File(path) => match fs::metadata(path) {
            Ok(metadata) if modified(&metadata) >= since_ns => Probed::Ready,
            _ => Probed::Nothing,
        },
        Ready::Log(_) | Ready::Command(_) | Ready::Notify => Probed::Nothing,
    }
}

/// Returns at which TCP ports the service listens while nobody answers where it was waited for; nothing where it is not
/// waited for at one, or the service does listen there.
pub fn elsewhere(ready: &Ready, tree_root: i32) -> Vec<SocketAddr> {
    let (Ready::Port { host, port } | Ready::Http { host, port, .. }) = ready else { return Vec::new() };
    let all = listeners::listeners();
    let open: Vec<u64> = members(tree_root).into_iter().flat_map(listeners::sockets).collect();
    let of_service = |inode: &u64| open.contains(inode);
    let is_there = addresses(*host)
        .into_iter()
        .any(|address| listeners::reached(&all, connected(address), *port).iter().any(of_service));
    if is_there {
        return Vec::new();
    }
    let found = all.iter().filter(|listener| of_service(&listener.inode));
    let mut found: Vec<_> = found.map(|listener| SocketAddr::new(listener.address, listener.port)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Somebody who listens already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its number, if it can be seen.
    pub pid: Option<i32>,
}

/// Returns who listens at a port of this machine, to be asked before a service is started that wants it. Of another
/// machine nothing is known.
pub fn is_taken(host: Host, port: u16) -> Option<Taken> {
    let all = listeners::listeners();
    let local = addresses(host).into_iter().filter(|address| is_here(*address));
    let mut reached = local.map(|address| listeners::reached(&all, connected(address), port));
    let inodes = reached.find(|inodes| !inodes.is_empty())?;
    Some(Taken { pid: listeners::holder(&inodes) })
}

fn addresses(host: Host) -> Vec<IpAddr> {
    match host {
        Host::Both => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Host::Ip(ip) => vec![ip],
    }
}

/// Returns whether an address is sure to be this machine's.
fn is_here(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// Returns where a connection to an address goes: 0.0.0.0 and :: are the loopback's then.
fn connected(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// Looks at each address of a host until it is ready there; gives the best that was found.
fn at_any(host: Host, port: u16, look: impl Fn(SocketAddr) -> Probed) -> Probed {
    let mut best = Probed::Nothing;
    for address in addresses(host) {
        let found = match look(SocketAddr::new(connected(address), port)) {
            Probed::Ready if host == Host::Both && address.is_ipv6() => Probed::ReadyAtIpv6,
            found => found,
        };
        best = best.max(found);
        if best.is_ready() {
            break;
        }
    }
    best
}

fn left(deadline: Instant) -> Duration {
    // A timeout of zero would mean none.
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

fn connect(address: SocketAddr, tree_root: i32, limit: Duration) -> Result<TcpStream, Probed> {
    let stream = TcpStream::connect_timeout(&address, limit).map_err(|_| Probed::Nothing)?;
    // A connection to a port that nobody listens at may be one of the socket with itself (RFC 9293, 3.5).
    if stream.local_addr().ok() == Some(address) {
        return Err(Probed::Nothing);
    }
    if !address.ip().is_loopback() {
        return Ok(stream);
    }
    let all: Vec<Listener> = listeners::listeners();
    let inodes = listeners::reached(&all, address.ip(), address.port());
    if is_of(&inodes, tree_root) { Ok(stream) } else { Err(Probed::Stranger) }
}

/// Returns whether one of these sockets is open in the tree. If nobody who can be seen has it, and one of the tree
/// cannot be looked at, that one is believed to: a service may take on another user.
fn is_of(inodes: &[u64], tree_root: i32) -> bool {
    if inodes.is_empty() {
        return false;
    }
    let holding: Vec<Holding> = members(tree_root).iter().map(|pid| listeners::holds(*pid, inodes)).collect();
    holding.contains(&Holding::Yes)
        || (holding.contains(&Holding::Hidden) && listeners::holder(inodes).is_none())
}

fn members(tree_root: i32) -> Vec<i32> {
    let below = tree::descendants(&tree::processes(), tree_root);
    std::iter::once(tree_root).chain(below.iter().map(|process| process.pid)).collect()
}

fn unix(path: &Path, tree_root: i32) -> Probed {
    let Ok(stream) = socket::connect_to(path, CONNECT) else { return Probed::Nothing };
    let listens = socket::peer(&stream).is_ok_and(|peer| members(tree_root).contains(&peer.pid));
    // Whoever called listen(2) may have handed the socket down, and may be gone.
    if listens || is_of(&listeners::at_path(path), tree_root) { Probed::Ready } else { Probed::Stranger }
}

/// Returns the host and port of a URL, as they were typed.
fn authority(url: &str) -> &str {
    let rest = url.split_once("//").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// Sends a request and looks at the status of the answer; what follows it is not read.
fn ask(mut stream: &TcpStream, request: &str, wanted: &RangeInclusive<u16>, deadline: Instant) -> Probed {
    let _ = stream.set_write_timeout(Some(left(deadline)));
    if stream.write_all(request.as_bytes()).is_err() {
        return Probed::Nothing;
    }
    let mut got = Vec::new();
    let mut buffer = [0; 1024];
    while !got.contains(&b'\n') {
        let late = Instant::now() >= deadline;
        let _ = stream.set_read_timeout(Some(left(deadline)));
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 && !late && got.len() < STATUS_LINE => got.extend_from_slice(&buffer[..n]),
            _ => return if got.is_empty() { Probed::Nothing } else { Probed::Status(None) },
        }
    }
    match status(&got) {
        Some(status) if wanted.contains(&status) => Probed::Ready,
        status => Probed::Status(status),
    }
}

/// Reads a status line: `HTTP/1.1 200 OK`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(answer.split(|byte| matches!(*byte, b'\r' | b'\n')).next()?).ok()?;
    let (version, rest) = line.split_once(' ')?;
    let status = rest.trim_start().split(' ').next()?;
    (version.starts_with("HTTP/") && status.len() == 3).then(|| status.parse().ok()).flatten()
}

/// Returns when a file was written last, in ns since 1970.
fn modified(metadata: &fs::Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process;
    use std::io::BufRead;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::process::{Child, Command, Stdio};

    /// A process that is none of this one's ancestors, and listens nowhere. It lives as long as it is held.
    struct Another(Child);

    impl Another {
        fn new() -> Self {
            Self(Command::new("cat").stdin(Stdio::piped()).spawn().unwrap())
        }

        fn pid(&self) -> i32 {
            self.0.id().cast_signed()
        }
    }

    impl Drop for Another {
        fn drop(&mut self) {
            drop(self.0.stdin.take());
            let _ = self.0.wait();
        }
    }

    fn me() -> i32 {
        process::id()
    }

    /// Takes a port of 127.0.0.1, any for 0, without listening at it: nobody else can.
    fn reserve(port: u16) -> Option<(std::os::fd::OwnedFd, u16)> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok()?;
        let port = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap().port();
        Some((socket, port))
    }

    #[test]
    fn codes_are_read_back() {
        let statuses = [100, 149, 404, 503, 549].map(|status| Probed::Status(Some(status)));
        let others =
            [Probed::Ready, Probed::Nothing, Probed::Stranger, Probed::Status(None), Probed::ReadyAtIpv6];
        for probed in statuses.into_iter().chain(others) {
            assert_eq!(Probed::from_code(probed.code()), probed);
        }
        for status in [99, 150, 451, 600, 999] {
            let code = Probed::Status(Some(status)).code();
            assert_eq!(Probed::from_code(code), Probed::Status(None), "{status}");
        }
        assert_eq!(Probed::from_code(255), Probed::Nothing);
    }

    #[test]
    fn a_port_is_ready_when_the_service_listens_there() {
        let another = Another::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in [Host::Both, Host::Ip(Ipv4Addr::LOCALHOST.into()), Host::Ip(Ipv4Addr::UNSPECIFIED.into())]
        {
            let ready = Ready::Port { host, port };
            assert_eq!(probe(&ready, me(), 0), Probed::Ready);
            assert_eq!(probe(&ready, another.pid(), 0), Probed::Stranger);
            assert_eq!(is_taken(host, port), Some(Taken { pid: Some(me()) }));
        }
        assert_eq!(elsewhere(&Ready::Port { host: Host::Both, port }, me()), [], "it is there");
        let at = listener.local_addr().unwrap();
        let (_reserved, port) = reserve(0).unwrap();
        let host = Host::Ip(Ipv4Addr::LOCALHOST.into());
        assert!(elsewhere(&Ready::Port { host, port }, me()).contains(&at));
        assert_eq!(elsewhere(&Ready::Port { host, port }, another.pid()), []);
        assert_eq!(elsewhere(&Ready::Notify, me()), []);
        assert_eq!(probe(&Ready::Port { host, port }, me(), 0), Probed::Nothing);
        assert_eq!(is_taken(host, port), None);
    }

    #[test]
    fn a_port_of_ipv6_alone_has_another_address() {
        // Not every machine has IPv6.
        let (_reserved, port) = reserve(0).unwrap();
        let Ok(_listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, port)) else { return };
        let ready = Ready::Port { host: Host::Both, port };
        let probed = probe(&ready, me(), 0);
        assert_eq!(probed, Probed::ReadyAtIpv6);
        assert_eq!(probed.address(&ready), Some(format!("[::1]:{port}")));
    }

    #[test]
    fn a_unix_socket_is_ready_when_the_service_listens_there() {
        let another = Another::new();
        let root = std::env::temp_dir().join(format!("memo-probe-{}", me()));
        let directory = root.join("d".repeat(120));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("s");
        let ready = Ready::Unix(path.clone());
        assert_eq!(probe(&ready, me(), 0), Probed::Nothing);
        let _listener =
            socket::listen(&crate::sys::directory::Directory::open(&directory).unwrap(), "s".as_ref())
                .unwrap();
        assert_eq!(probe(&ready, me(), 0), Probed::Ready);
        assert_eq!(probe(&ready, another.pid(), 0), Probed::Stranger);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_socket_that_was_handed_down_is_the_services() {
        let path = std::env::temp_dir().join(format!("memo-probe-handed-{}", me()));
        let listener = UnixListener::bind(&path).unwrap();
        let service = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::from(std::os::fd::OwnedFd::from(listener.try_clone().unwrap())))
            .spawn()
            .map(Another)
            .unwrap();
        assert_eq!(probe(&Ready::Unix(path.clone()), service.pid(), 0), Probed::Ready);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_is_ready_unless_it_is_older_than_the_service() {
        let path = std::env::temp_dir().join(format!("memo-probe-file-{}", me()));
        let ready = Ready::File(path.clone());
        assert_eq!(probe(&ready, me(), 0), Probed::Nothing);
        let since = crate::sys::file::stamp();
        fs::write(&path, "").unwrap();
        assert_eq!(probe(&ready, me(), since), Probed::Ready);
        let modified = modified(&fs::metadata(&path).unwrap());
        assert_eq!(probe(&ready, me(), modified), Probed::Ready);
        assert_eq!(probe(&ready, me(), modified + 1), Probed::Nothing);
        fs::remove_file(path).unwrap();
    }

    /// Answers one request like this, and returns what was found and what was asked.
    fn answered(answer: &'static [u8], root: i32) -> (Probed, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = std::io::BufReader::new(&stream).lines();
            let asked: Vec<String> =
                lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let _ = (&stream).write_all(answer);
            asked.join("\n").replace(&port.to_string(), "PORT")
        });
        let ready = Ready::http(&format!("http://127.0.0.1:{port}/up?x=1#y"), Some("200-299")).unwrap();
        (probe(&ready, root, 0), server.join().unwrap())
    }

    #[test]
    fn http_is_ready_by_its_status() {
        let (probed, asked) = answered(b"HTTP/1.1 204 No Content\r\n\r\n", me());
        assert_eq!(probed, Probed::Ready);
        let expected =
            "GET /up?x=1 HTTP/1.0\nHost: 127.0.0.1:PORT\nUser-Agent: memo\nAccept: */*\nConnection: close";
        assert_eq!(asked, expected);
        for (answer, expected) in [
            (&b"HTTP/1.0 200\n"[..], Probed::Ready),
            (b"HTTP/1.1 503 Busy\r\n\r\n", Probed::Status(Some(503))),
            (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", Probed::Status(Some(302))),
            (b"220 smtp ESMTP\r\n", Probed::Status(None)),
            (b"HTTP/1.1 200 cut", Probed::Status(None)),
            (b"", Probed::Nothing),
        ] {
            assert_eq!(answered(answer, me()).0, expected, "{}", String::from_utf8_lossy(answer));
        }
    }

    #[test]
    fn a_stranger_is_asked_nothing() {
        let another = Another::new();
        assert_eq!(answered(b"HTTP/1.1 200 OK\r\n\r\n", another.pid()), (Probed::Stranger, String::new()));
    }

    #[test]
    fn a_timeout_is_told_in_one_sentence() {
        let http = Ready::http("http://localhost:80/x", Some("204")).unwrap();
        let port = Ready::port("5432").unwrap();
        assert_eq!(Probed::Nothing.sentence(&port), "nothing listens at `127.0.0.1:5432`");
        assert_eq!(
            Probed::Stranger.sentence(&port),
            "`127.0.0.1:5432` is answered by a process that is not the service's"
        );
        assert_eq!(Probed::Nothing.sentence(&http), "`http://localhost:80/x` is not answered");
        assert_eq!(
            Probed::Status(None).sentence(&http),
            "`http://localhost:80/x` is not answered with status 204"
        );
        assert_eq!(
            Probed::Status(Some(404)).sentence(&http),
            "`http://localhost:80/x` is answered with status 404, not 204"
        );
    }
}
