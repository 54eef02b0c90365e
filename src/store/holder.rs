//! Who holds a lease, and whether that process can get on.

use std::fs;

use super::codec::{Malformed, Reader, Writer};
use crate::sys::{proc, process};

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
            started: proc::stat(pid).map_or(0, |stat| stat.started),
            boot: boot(),
            namespace: namespace(),
        }
    }

    /// Returns whether the process is stopped, by Ctrl-Z or a debugger; `false` where that cannot be told.
    pub fn is_stopped(&self) -> bool {
        self.boot == boot()
            && self.namespace == namespace()
            && proc::stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.is_stopped())
    }

    /// Returns its number and when it started, in clock ticks since boot; `None` where its number does not mean it:
    /// after another boot, and in another pid namespace.
    pub fn process(&self) -> Option<(i32, u64)> {
        (self.boot == boot() && self.namespace == namespace()).then_some((self.pid, self.started))
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

fn boot() -> String {
    let text = proc::short("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
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
