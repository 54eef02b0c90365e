//! Who listens: the kernel's tables of sockets, and the processes that have one of them open.
//!
//! The tables are those of this process's network namespace (proc_net(5)).

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::sys::proc;

/// A TCP socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub address: IpAddr,
    /// At which port.
    pub port: u16,
    /// Its inode, by which processes that have it open are found.
    pub inode: u64,
}

/// Returns all TCP sockets that listen, of both families.
pub fn listeners() -> Vec<Listener> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables.iter().flat_map(|path| parse(&fs::read_to_string(path).unwrap_or_default())).collect()
}

/// Reads `/proc/net/tcp` or `/proc/net/tcp6`, and leaves out what does not listen.
pub fn parse(table: &str) -> Vec<Listener> {
    table.lines().skip(1).filter_map(listener).collect()
}

fn listener(line: &str) -> Option<Listener> {
    /// `TCP_LISTEN` of net/tcp_states.h.
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    if fields.nth(1)? != LISTEN {
        return None;
    }
    Some(Listener {
        address: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        // That was field 4; the inode is field 10.
        inode: fields.nth(5)?.parse().ok()?,
    })
}

/// Reads an address: words of 32 bits, each in network order in memory, and shown as a number of this machine.
fn parse_address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let text = text.get(8 * at..8 * (at + 1))?;
        u32::from_str_radix(text, 16).ok().map(u32::to_ne_bytes)
    };
    match text.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(at)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

/// Returns the inodes of those that a connection to this address reaches: the kernel takes the one that is bound
/// most exactly, and one of several if they share the port (SO_REUSEPORT).
pub fn reached(listeners: &[Listener], address: IpAddr, port: u16) -> Vec<u64> {
    let nearest = |listener: &Listener| {
        let exact = listener.address.to_canonical() == address.to_canonical();
        let any = match listener.address {
            IpAddr::V4(bound) => bound.is_unspecified() && address.is_ipv4(),
            // Unless it asked for IPV6_V6ONLY, which the table does not show: after one of IPv4, then.
            IpAddr::V6(bound) => bound.is_unspecified(),
        };
        match (exact, any, listener.address.is_ipv4() == address.is_ipv4()) {
            (true, _, _) => Some(0),
            (false, true, true) => Some(1),
            (false, true, false) => Some(2),
            (false, false, _) => None,
        }
    };
    let at_port = listeners.iter().filter(|listener| listener.port == port);
    let ranked: Vec<_> = at_port.filter_map(|listener| Some((nearest(listener)?, listener.inode))).collect();
    let best = ranked.iter().map(|(rank, _)| *rank).min();
    ranked.iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, inode)| *inode).collect()
}

/// Returns the inodes of Unix stream sockets that listen under this file name, wherever that is: the table has the
/// path as it was given to bind(2), which may be relative to any directory.
pub fn at_path(path: &Path) -> Vec<u64> {
    parse_unix(&fs::read("/proc/net/unix").unwrap_or_default(), path)
}

/// Reads `/proc/net/unix`, as [`at_path`] says.
pub fn parse_unix(table: &[u8], path: &Path) -> Vec<u64> {
    let Some(name) = path.file_name() else { return Vec::new() };
    let lines = table.split(|byte| *byte == b'\n').skip(1);
    lines.filter_map(|line| unix_listener(line, name.as_bytes())).collect()
}

fn unix_listener(line: &[u8], name: &[u8]) -> Option<u64> {
    /// `__SO_ACCEPTCON` of linux/net.h.
    const ACCEPTS: u32 = 1 << 16;
    let mut fields = line.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    let flags = std::str::from_utf8(fields.nth(3)?).ok()?;
    let inode = std::str::from_utf8(fields.nth(2)?).ok()?.parse().ok()?;
    let rest = line.strip_suffix(name)?;
    let named = matches!(rest.last(), Some(b'/' | b' '));
    (named && u32::from_str_radix(flags, 16).ok()? & ACCEPTS != 0).then_some(inode)
}

/// Whether a process has one of some sockets open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// It has.
    Yes,
    /// It has not, or is gone.
    No,
    /// It is another user's, or does not let itself be looked at.
    Hidden,
}

/// Returns whether a process has one of these sockets open.
pub fn holds(pid: i32, inodes: &[u64]) -> Holding {
    match open_sockets(pid).map(|mut open| open.any(|inode| inodes.contains(&inode))) {
        Ok(true) => Holding::Yes,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Holding::Hidden,
        _ => Holding::No,
    }
}

/// Returns the inodes of the sockets that a process has open, as far as they can be seen.
pub fn sockets(pid: i32) -> Vec<u64> {
    open_sockets(pid).map(Iterator::collect).unwrap_or_default()
}

fn open_sockets(pid: i32) -> std::io::Result<impl Iterator<Item = u64>> {
    let inode = |link: &Path| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok();
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))?;
    Ok(entries.filter_map(move |entry| inode(&fs::read_link(entry.ok()?.path()).ok()?)))
}

/// Returns a process that has one of these sockets open, if one can be seen.
pub fn holder(inodes: &[u64]) -> Option<i32> {
    proc::pids().into_iter().find(|pid| holds(*pid, inodes) == Holding::Yes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process;
    use std::os::unix::net::UnixListener;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1 0000000000000000 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1538 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 333 1 0000000000000000 20 4 30 10 -1
";
    const TCP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:1538 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 444 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 555 1 0000000000000000 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 666 1 0000000000000000 100 0 0 10 0
   3: 00000000000000000000000000000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 777 1 0000000000000000 100 0 0 10 0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_most_exact_listener_is_reached() {
        let all = [parse(TCP), parse(TCP6)].concat();
        assert_eq!(all.len(), 6);
        let at = |address: &str, port| reached(&all, address.parse().unwrap(), port);
        assert_eq!(at("127.0.0.1", 5432), [111]);
        assert_eq!(at("::1", 5432), [444]);
        assert_eq!(at("127.0.0.2", 5432), [] as [u64; 0]);
        assert_eq!(at("127.0.0.1", 80), [222], "it is nearer than the one of IPv6");
        assert_eq!(at("::1", 80), [555]);
        assert_eq!(at("127.0.0.1", 8080), [666], "an IPv4 address in IPv6's clothes");
        assert_eq!(at("127.0.0.1", 8081), [777], "a socket of IPv6 serves IPv4 too");
        assert_eq!(at("127.0.0.1", 1), [] as [u64; 0]);
    }

    #[test]
    fn a_table_that_makes_no_sense_has_nobody() {
        for table in ["", "x", "x\ny", "x\n 0: 0100007F 0:0 0A a b c d e 1", "x\n0: 01:50 0:0 0A a b c d e 1"]
        {
            assert_eq!(parse(table), []);
        }
        assert_eq!(parse_unix(b"\nffff: 1 2 3", Path::new("/s")), [] as [u64; 0]);
        assert_eq!(parse_unix(b"", Path::new("/")), [] as [u64; 0]);
    }

    #[test]
    fn unix_listeners_are_known_by_name() {
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 11 /run/a/s
0000000000000000: 00000002 00000000 00010000 0001 01    22 s
0000000000000000: 00000003 00000000 00000000 0001 03 33 /run/a/s
0000000000000000: 00000002 00000000 00010000 0001 01 44 /run/x y/s
0000000000000000: 00000002 00000000 00010000 0001 01 55 /run/bs
0000000000000000: 00000002 00000000 00010000 0001 01 66
";
        assert_eq!(parse_unix(table, Path::new("/run/a/s")), [11, 22, 44]);
    }

    #[test]
    fn a_socket_of_this_process_is_found_in_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let inodes = reached(&listeners(), address.ip(), address.port());
        assert_eq!(inodes.len(), 1);
        assert_eq!(holds(process::id(), &inodes), Holding::Yes);
        assert_eq!(holder(&inodes), Some(process::id()));
        assert!(sockets(process::id()).contains(&inodes[0]));
        drop(listener);
        assert_eq!(holds(process::id(), &inodes), Holding::No);
        assert_eq!(holds(i32::MAX, &inodes), Holding::No);

        let path = std::env::temp_dir().join(format!("memo-listeners-{}", process::id()));
        let _listener = UnixListener::bind(&path).unwrap();
        assert_eq!(holds(process::id(), &at_path(&path)), Holding::Yes);
        std::fs::remove_file(path).unwrap();
    }
}
