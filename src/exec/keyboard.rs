//! The person at the terminal of a command that has one of its own: keys go to it, and the window's size.
//!
//! Keys are passed on one by one, and it is the command's own terminal that makes signals and lines of them. So
//! Ctrl-C reaches the command, and Ctrl-Z stops it: then memo gives the person's terminal back and stops too.

use std::io;
use std::os::fd::OwnedFd;

use super::person::takes_the_screen;
use crate::sys::descriptor::{self, standard};
use crate::sys::poll::{self, Watch};
use crate::sys::signal;
use crate::sys::terminal::{self, Pseudo, Raw, Size};

/// The command's terminal, and the person's if there is one.
#[derive(Debug)]
pub struct Keyboard {
    /// The other end of the command's terminal; `None` when nobody takes what comes out of it any more.
    master: Option<OwnedFd>,
    /// Whether keys are passed on: stdin and stdout are the person's terminal.
    attached: bool,
    raw: Option<Raw>,
    size: Size,
    /// Whether the person did something that the result may depend on.
    interactive: bool,
}

impl Keyboard {
    /// Makes a terminal for a command; returns it with the end at which the command's bytes come out. `attached` says
    /// whether stdin is to be it.
    ///
    /// # Errors
    /// Those of making a pseudo-terminal.
    pub fn new(size: Size, attached: bool) -> io::Result<(Self, OwnedFd, OwnedFd)> {
        let Pseudo { master, terminal } = Pseudo::open(size, standard(0))?;
        let output = master.try_clone()?;
        let keyboard = Self { master: Some(master), attached, raw: None, size, interactive: false };
        Ok((keyboard, output, terminal))
    }

    /// Takes the person's terminal over, if memo is in its foreground.
    pub fn attach(&mut self) {
        if self.attached && self.raw.is_none() && terminal::is_in_foreground(standard(0)) {
            self.raw = Raw::set(standard(0)).ok();
        }
    }

    /// Gives the person's terminal back.
    pub fn detach(&mut self) {
        self.raw = None;
    }

    /// Returns whether a person is at it, as [`Keyboard::new`] was told.
    pub fn is_attached(&self) -> bool {
        self.attached
    }

    /// Returns what to wait for.
    pub fn watch(&self) -> Watch {
        if self.raw.is_some() { Watch::new(0, poll::READ) } else { Watch::nothing() }
    }

    /// Passes on what was typed.
    pub fn typed(&mut self, buffer: &mut [u8]) {
        // What a terminal holds of unread input (N_TTY_BUF_SIZE) is more than this.
        const AT_A_TIME: usize = 1024;
        match descriptor::read(standard(0), &mut buffer[..AT_A_TIME]) {
            Ok(n) if n > 0 => {
                self.interactive = true;
                if let Some(master) = &self.master {
                    let _ = descriptor::write_all(master, &buffer[..n]);
                }
            }
            // The terminal has gone.
            _ => self.attached = false,
        }
        if !self.attached {
            self.raw = None;
        }
    }

    /// Gives the command's terminal the size of the person's, if that has another one now.
    pub fn resize(&mut self) {
        let Some(size) = terminal::size(standard(1)) else { return };
        if size != self.size {
            self.size = size;
            self.interactive = true;
            if let Some(master) = &self.master {
                let _ = terminal::set_size(master, size);
            }
        }
    }

    /// Stops with the command, and goes on with it: `leader` is who waits for it.
    pub fn stop(&mut self, leader: i32) {
        self.detach();
        signal::stop_group();
        self.attach();
        self.resize();
        signal::send(leader, signal::CONT);
    }

    /// Ends the command's terminal: its reads and writes fail from now on, and SIGHUP says so.
    pub fn hang_up(&mut self, command: i32) {
        if self.master.is_some() {
            // First: a write that fails before the signal is there would have the command end by itself.
            signal::send(-command, signal::HUP);
            self.master = None;
        }
    }

    /// Notes what the command wrote.
    pub fn output_came(&mut self, bytes: &[u8]) {
        self.interactive |= takes_the_screen(bytes);
    }

    /// Returns whether the result may depend on what the person did.
    pub fn was_used(&self) -> bool {
        self.interactive
    }
}
