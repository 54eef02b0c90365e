//! Who holds a lease, and whether that process can get on.

use std::fs;
use std::io::Read;

use super::codec::{Malformed, Reader, Writer};
use crate::sys::process;

/// A process, told apart from any other that had or will have its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: i32,
    /// When it started, in clock ticks since boot (proc(5), field 22 of stat).
    started: u64,
    /// The boot it belongs to (`/proc/sys/kernel/random/boot_id`).
    boot: String,
    /// Its pid namespace, in which alone the number means it.
    namespace: String,
}

impl Holder {
    /// Returns this process.
    pub fn me() -> Self {
        let pid = process::id();
        Self {
            pid,
            started: status(pid).map_or(0, |status| status.started),
            boot: boot(),
            namespace: namespace(),
        }
    }

    /// Returns whether the process is stopped, by Ctrl-Z or a debugger; `false` where that cannot be told.
    pub fn is_stopped(&self) -> bool {
        self.boot == boot()
            && self.namespace == namespace()
            && status(self.pid).is_some_and(|status| status.started == self.started && status.stopped)
    }

    /// Returns the bytes that are stored.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.signed(self.pid.into())
            .number(self.started)
            .bytes(self.boot.as_bytes())
            .bytes(self.namespace.as_bytes());
        w.into_bytes()
    }

    /// Reads a holder.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are not those of one.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let holder = Self {
            pid: i32::try_from(r.signed()?).map_err(|_| Malformed)?,
            started: r.number()?,
            boot: r.text()?,
            namespace: r.text()?,
        };
        r.end()?;
        Ok(holder)
    }
}

struct Status {
    started: u64,
    stopped: bool,
}

/// Reads `/proc/PID/stat`: what follows the last `)` is separated by spaces, the state first.
fn status(pid: i32) -> Option<Status> {
    let text = short(&format!("/proc/{pid}/stat"))?;
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    // The state is field 3, so that field 22 is the nineteenth after it.
    let started = fields.nth(18)?.parse().ok()?;
    Some(Status { started, stopped: state == "T" || state == "t" })
}

fn boot() -> String {
    short("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Reads a file of proc(5) that has one short line. Its size is 0, so that `fs::read_to_string` would begin with
/// 32 bytes and need six calls for what one gets.
fn short(path: &str) -> Option<String> {
    const MOST: usize = 1024;
    let mut text = String::with_capacity(MOST);
    fs::File::open(path).ok()?.take(MOST as u64).read_to_string(&mut text).ok()?;
    Some(text)
}

fn namespace() -> String {
    fs::read_link("/proc/self/ns/pid").map(|link| link.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_read_back() {
        let me = Holder::me();
        assert_ne!(me.started, 0);
        assert!(!me.is_stopped());
        assert_eq!(Holder::decode(&me.encode()), Ok(me));
        assert_eq!(Holder::decode(b"x"), Err(Malformed));
    }
}
