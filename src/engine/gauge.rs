//! Shows how far the hashing of a large input or the restoring of a large output is, before anything runs or is
//! replayed.

use std::cell::RefCell;
use std::path::Path;

use crate::action::onlooker::Onlooker;
use crate::progress::{Doing, Line, Show};

/// The line of what is read and written on the way to an answer. One for all of it: many large files take long
/// together.
#[derive(Debug)]
pub(super) struct Gauge {
    show: Show,
    line: RefCell<Option<Line>>,
}

impl Gauge {
    pub(super) fn new(show: Show) -> Self {
        Self { show, line: RefCell::new(None) }
    }

    /// Takes the line away: something else is about to be written, or to take long.
    pub(super) fn rest(&self) {
        self.line.take();
    }
}

impl Onlooker for Gauge {
    fn begins(&self, verb: &'static str, name: &Path, total: u64) {
        let doing = || Doing::Moving { verb, name: name.to_string_lossy().into_owned(), total };
        let mut line = self.line.borrow_mut();
        match &mut *line {
            Some(line) => line.change(doing()),
            None => *line = Line::begin(self.show, doing),
        }
    }

    fn moved(&self, bytes: u64) {
        if let Some(line) = &mut *self.line.borrow_mut() {
            line.moved(bytes);
        }
    }
}
