//! How full the store was when it was last counted: a small file, so that a run need not open the index to
//! see that there is room.
//!
//! It is an estimate: nobody locks it, and what it lacks is made good by the next count.

use std::io::Write;

use super::Store;

/// What a count came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What everything takes, in bytes on disk.
    pub total: u64,
    /// Whether there was time for all that was to be done.
    pub finished: bool,
}

impl Usage {
    /// Reads what was noted last; `None` when there is nothing, or nothing that makes sense.
    pub fn read(store: &Store) -> Option<Self> {
        let text = std::fs::read_to_string(store.path().join("usage")).ok()?;
        let (total, state) = text.strip_suffix('\n')?.split_once(' ')?;
        let finished = match state {
            "done" => true,
            "more" => false,
            _ => return None,
        };
        Some(Self { total: total.parse().ok()?, finished })
    }

    /// Notes it. A store that does not take it is looked over again a little earlier.
    pub fn note(self, store: &Store) {
        let state = if self.finished { "done" } else { "more" };
        if let Ok(mut temporary) = store.temporary("usage-")
            && temporary.file.write_all(format!("{} {state}\n", self.total).as_bytes()).is_ok()
        {
            let _ = temporary.persist(&store.path().join("usage"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::Fixture;

    #[test]
    fn what_was_noted_is_read_back() {
        let fixture = Fixture::new();
        assert_eq!(Usage::read(&fixture.store), None);
        for usage in [Usage { total: 0, finished: true }, Usage { total: u64::MAX, finished: false }] {
            usage.note(&fixture.store);
            assert_eq!(Usage::read(&fixture.store), Some(usage));
        }
        for text in ["", "1", "1 done", "x done\n", "1 maybe\n"] {
            std::fs::write(fixture.store.path().join("usage"), text).unwrap();
            assert_eq!(Usage::read(&fixture.store), None, "{text}");
        }
    }
}
