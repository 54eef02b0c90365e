//! Somebody who is told how far the reading or writing of large content is.

use std::fmt::Debug;
use std::path::Path;

/// From this size in bytes on it is told: below, it is over within some 4 ms once the content is in memory.
pub const TOLD_FROM: u64 = 16 << 20;

/// Is told how far something is, and shows it or does not.
pub trait Onlooker: Debug {
    /// `total` bytes of what has this name are about to be read or written; `verb` says what for: "hashing".
    fn begins(&self, verb: &'static str, name: &Path, total: u64);

    /// So many more of them were.
    fn moved(&self, bytes: u64);
}

/// What is told somebody who looks on, if anybody does and it is large enough.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a>(Option<&'a dyn Onlooker>);

impl<'a> Telling<'a> {
    /// Tells nobody.
    pub const NOBODY: Self = Self(None);

    /// Begins to tell about content of `total` bytes.
    pub fn of(onlooker: Option<&'a dyn Onlooker>, verb: &'static str, name: &Path, total: u64) -> Self {
        let onlooker = onlooker.filter(|_| total >= TOLD_FROM);
        if let Some(onlooker) = onlooker {
            onlooker.begins(verb, name, total);
        }
        Self(onlooker)
    }

    /// Tells that so many more bytes were read or written.
    pub fn moved(self, bytes: u64) {
        if let Some(onlooker) = self.0 {
            onlooker.moved(bytes);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Notes what it is told: verb, name and total, and the sum of what was moved.
    #[derive(Debug, Default)]
    pub struct Notes(pub RefCell<Vec<(&'static str, String, u64, u64)>>);

    impl Onlooker for Notes {
        fn begins(&self, verb: &'static str, name: &Path, total: u64) {
            self.0.borrow_mut().push((verb, name.display().to_string(), total, 0));
        }

        fn moved(&self, bytes: u64) {
            self.0.borrow_mut().last_mut().unwrap().3 += bytes;
        }
    }

    #[test]
    fn only_what_is_large_is_told() {
        let notes = Notes::default();
        for total in [TOLD_FROM - 1, TOLD_FROM] {
            Telling::of(Some(&notes), "hashing", Path::new("f"), total).moved(total);
        }
        Telling::of(None, "hashing", Path::new("g"), TOLD_FROM).moved(1);
        assert_eq!(*notes.0.borrow(), [("hashing", "f".to_owned(), TOLD_FROM, TOLD_FROM)]);
    }
}
