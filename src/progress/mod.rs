//! The line that shows how far memo is: on stderr, for somebody who waits at a terminal.
//!
//! It appears only after half a second, and it goes before anything else is written. Nothing here has a
//! thread or a timer: whoever waits for something asks when the next drawing is [`due`](Line::due), and
//! calls [`tick`](Line::tick) then. indicatif makes the text; what reaches the terminal, and when, is
//! decided here.
//!
//! # When there is none
//! * The command's own last line is not finished, or it wrote something within the last half second.
//! * The command waits for what a person types.
//! * Somebody has set the terminal up (a password, an editor, a pager behind a pipe), or memo is in the
//!   background.
//! * memo was started by something of its own job: make, a script. Several of them at a time would
//!   write over each other, and over what make says.

mod frame;
mod outlet;
mod text;

pub use outlet::Outlet;

use std::time::{Duration, Instant};

use frame::Frame;

use crate::fault;
use crate::sys::descriptor::standard;
use crate::sys::erase::Erasing;
use crate::sys::{process, terminal};

/// How long something takes before it is shown at all.
const DELAY: Duration = Duration::from_millis(500);
/// A terminal of fewer columns has no room for a line that says anything.
const NARROWEST: usize = 20;
/// How often the line is drawn anew.
const INTERVAL: Duration = Duration::from_millis(100);

/// Whether progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// Not at all.
    #[default]
    Never,
    /// To somebody at a terminal whose shell has started this very process.
    ToPerson,
    /// Wherever stderr goes.
    Always,
}

/// What is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// A command runs.
    Running {
        /// As it is to be shown.
        command: String,
        /// How long it took last time.
        expected: Option<Duration>,
    },
    /// Another process runs the same command.
    Waiting {
        /// Which.
        pid: Option<i32>,
    },
    /// Bytes are read or written.
    Moving {
        /// What is done to them: "hashing".
        verb: &'static str,
        /// Whose they are.
        name: String,
        /// How many they are.
        total: u64,
    },
}

/// The line of one thing that is going on. It goes when it is dropped.
#[derive(Debug)]
#[must_use = "the line goes when it is dropped"]
pub struct Line {
    doing: Doing,
    outlet: Outlet,
    /// Whether stderr is a terminal, with all that is asked of one.
    terminal: bool,
    /// Whether the command's stdout is on this terminal too.
    shares_stdout: bool,
    began: Instant,
    next: Instant,
    delay: Duration,
    interval: Duration,
    frame: Option<Frame>,
    drawn: Option<Erasing>,
    /// Whether the cursor is where a line begins.
    at_start: bool,
    /// How many bytes were moved.
    moved: u64,
}

impl Line {
    /// Begins to show something; `None` where nothing is to be shown.
    pub fn begin(show: Show, doing: impl FnOnce() -> Doing) -> Option<Self> {
        let stderr = standard(2);
        let is_terminal = match show {
            Show::Never => return None,
            Show::ToPerson if !terminal::is_terminal(stderr) || !process::is_of_a_shell() => return None,
            Show::ToPerson => true,
            Show::Always => terminal::is_terminal(stderr),
        };
        let delay = fault::limit("progress.delay", DELAY);
        let began = Instant::now();
        Some(Self {
            doing: doing(),
            outlet: Outlet::open(2).ok()?,
            terminal: is_terminal,
            shares_stdout: !is_terminal || terminal::is_terminal(standard(1)),
            began,
            next: began + delay,
            delay,
            interval: fault::limit("progress.interval", INTERVAL),
            frame: None,
            drawn: None,
            at_start: true,
            moved: 0,
        })
    }

    /// Returns how long it is until the line is to be drawn.
    pub fn due(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// Shows something else from now on, as long after it began.
    pub fn change(&mut self, doing: Doing) {
        self.doing = doing;
        self.moved = 0;
        self.tick();
    }

    /// Draws the line if it is time and the terminal is free for it.
    pub fn tick(&mut self) {
        self.tick_unless(|| false);
    }

    /// Draws the line if it is time, the terminal is free for it, and what it shows does not wait for a person: only
    /// then is `asks` asked.
    pub fn tick_unless(&mut self, asks: impl FnOnce() -> bool) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + self.interval;
        // A line that is there stays until the command writes: who has set the terminal up since may have
        // written a question behind it.
        if !self.at_start || !self.is_free() || asks() {
            return;
        }
        let width = terminal::width(standard(2)).unwrap_or(80);
        if width < NARROWEST {
            return;
        }
        let frame = self.frame.get_or_insert_with(Frame::new);
        let text = frame.draw(&self.doing, now - self.began, self.moved, width);
        let line = [b"\r", text.as_bytes(), b"\x1b[K"].concat();
        // Each time: a stop uses it up.
        self.drawn = None;
        self.drawn = Some(Erasing::arm(self.outlet.raw(), self.terminal));
        // A terminal that takes nothing (Ctrl-S) shows nothing either.
        let _ = self.outlet.write(&line);
        fault::point("progress.drawn");
    }

    /// Says that so many more bytes were moved.
    pub fn moved(&mut self, bytes: u64) {
        self.moved += bytes;
        self.tick();
    }

    /// Clears the line before the command's bytes are written to `stream`, 1 or 2.
    pub fn before_output(&mut self, stream: u8) {
        if stream == 2 || self.shares_stdout {
            self.clear();
        }
    }

    /// Notes what was written to `stream`: the line waits until the command is at the beginning of one.
    pub fn after_output(&mut self, stream: u8, bytes: &[u8]) {
        if (stream == 2 || self.shares_stdout)
            && let Some(last) = bytes.last()
        {
            self.at_start = *last == b'\n';
            self.next = Instant::now() + self.delay.max(self.interval);
        }
    }

    /// Takes the line away; it is drawn again when it is due.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() && (!self.terminal || terminal::is_in_foreground(standard(2))) {
            let _ = self.outlet.write(b"\r\x1b[K");
        }
    }

    /// Returns whether nobody else has the terminal.
    fn is_free(&self) -> bool {
        !self.terminal || terminal::is_cooked(standard(2)) && terminal::is_in_foreground(standard(2))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}
