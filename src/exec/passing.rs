//! A command that runs as if memo were not there, but that memo is there when it has ended.

use std::io;

use crate::sys::poll;
use crate::sys::process::{self, Ended, Launch, Wait};
use crate::sys::signal::{self, Signals};
use crate::sys::startup::Inherited;

/// Runs a command with all that memo has, in memo's process group, and returns how it ended. A signal that somebody
/// sends to memo is sent on; what a terminal sends reaches the command by itself.
///
/// # Errors
/// Those of signalfd(2), and of starting the command.
pub fn run(launch: &Launch, inherited: &Inherited) -> io::Result<Ended> {
    let passed = [signal::HUP, signal::INT, signal::QUIT, signal::TERM, signal::USR1, signal::USR2];
    let signals = Signals::hold(&[&passed[..], &[signal::CHLD]].concat(), inherited)?;
    let started = launch.spawn(inherited)?;
    loop {
        poll::wait_for(signals.raw(), poll::READ)?;
        while let Some(arrived) = signals.next() {
            if arrived.sent && arrived.signal != signal::CHLD {
                signal::send(started.command, arrived.signal);
            }
        }
        if let Some(ended) = process::wait(started.waited, Wait::Look)? {
            return Ok(ended);
        }
    }
}
