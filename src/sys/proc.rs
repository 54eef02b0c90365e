//! proc(5): what the kernel tells of processes.

use std::fs;
use std::io::Read;

/// What `/proc/PID/stat` says, as far as memo asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// `R`, `S`, `D`, `T`, `t`, `Z`, `X` and others.
    pub state: char,
    /// The parent's number.
    pub parent: i32,
    /// The session's number.
    pub session: i32,
    /// How many threads it has; of one that has ended and has more than its first, the others run on.
    pub threads: u64,
    /// When it started, in clock ticks since boot.
    pub started: u64,
}

impl Stat {
    /// Returns whether it is stopped, by a signal or a debugger.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// Returns whether it has ended, though nobody may have waited for it yet.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, 'X' | 'x') || self.state == 'Z' && self.threads <= 1
    }
}

/// Reads `/proc/PID/stat`; `None` when there is no such process.
pub fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&short(&format!("/proc/{pid}/stat"))?)
}

/// Reads the line of `/proc/PID/stat`. The name in it may have any bytes, `) ` too; what follows the last `)` is
/// separated by spaces, the state first.
pub fn parse_stat(line: &[u8]) -> Option<Stat> {
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(&line[name_end + 1..]).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    // That was field 6; 20 is the fourteenth after it, and 22 the second after that.
    let threads = fields.nth(13)?.parse().ok()?;
    let started = fields.nth(1)?.parse().ok()?;
    Some(Stat { state, parent, session, threads, started })
}

/// Returns the numbers of all processes that this process's namespace shows.
pub fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Reads a file of proc(5) that has one short line. Its size is 0, so that `fs::read` would begin with 32 bytes
/// and need six calls for what one gets.
pub fn short(path: &str) -> Option<Vec<u8>> {
    const MOST: usize = 1024;
    let mut text = Vec::with_capacity(MOST);
    fs::File::open(path).ok()?.take(MOST as u64).read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_anything_in_it() {
        let rest = b" S 1 7 8 0 -1 4194560 9 0 0 0 0 0 0 0 20 0 1 0 192622 2 3";
        for name in [&b"cat"[..], b"a) b", b") Z 5 (", b"\xff\n)"] {
            let line = [b"42 (", name, b")", rest].concat();
            let expected = Stat { state: 'S', parent: 1, session: 8, threads: 1, started: 192_622 };
            assert_eq!(parse_stat(&line), Some(expected), "{name:?}");
        }
        for bad in [&b""[..], b"1 (a", b"1 (a)", b"1 (a) S 1 2"] {
            assert_eq!(parse_stat(bad), None);
        }
    }

    #[test]
    fn this_process_is_one_of_all() {
        let me = crate::sys::process::id();
        assert!(pids().contains(&me));
        let stat = stat(me).unwrap();
        assert!(stat.started > 0 && !stat.has_ended());
    }
}
