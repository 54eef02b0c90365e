//! `memo singleton logs`, and `--foreground`: what an instance writes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Instant;

use super::args::LogsArgs;
use super::asking::{ANSWER, Asked};
use super::words::status_of;
use super::{place, target};
use crate::cli::print;
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::engine::Exit;
use crate::error::{Error, Kind, system_text};
use crate::singleton::client::{Connection, Heard};
use crate::singleton::message::{Busy, Reply, Request};
use crate::singleton::slot::Slot;
use crate::singleton::verdict::{Last, Why};
use crate::sys::file::is_absent;
use crate::sys::poll::{self, Watch};
use crate::sys::signal::{self, Signals};
use crate::sys::watch::Changes;
use crate::ui::Ui;

/// Prints what an instance has written. Returns the exit code.
///
/// # Errors
/// When there is nothing, or stdout fails.
pub(super) fn logs(args: &LogsArgs, config: &Config, around: &Surroundings, ui: &Ui) -> Result<u8, Error> {
    let slot = target::slot(&args.target, config, around, ui)?;
    let names: &[&str] = if args.previous { &["prev.log"] } else { &["log.1", "log"] };
    // Before it is read, so that nothing is missed in between.
    let mut connection = if args.follow { Connection::open(&slot).ok().flatten() } else { None };
    let mut following = Following::of(&slot);
    let mut bytes = Vec::new();
    let mut found = false;
    for name in names {
        match std::fs::read(slot.directory().join(name)) {
            Ok(content) => {
                found = true;
                bytes.extend(content);
                following.position = bytes.len() as u64;
            }
            Err(error) if is_absent(&error) => {}
            Err(error) => {
                return Err(Error::new(
                    Kind::Failed,
                    format_args!("cannot read `{name}`: {}", system_text(&error)),
                ));
            }
        }
    }
    if !found && args.previous {
        let name = place::called(&slot);
        return Err(Error::new(
            Kind::Nothing,
            format_args!("singleton `{name}` has no log of an instance before"),
        ));
    }
    if !found {
        return Err(target::nothing(&slot, around));
    }
    following.position = std::fs::metadata(slot.log()).map_or(0, |log| log.len().min(following.position));
    let start = args.lines.map_or(0, |lines| last_lines(&bytes, lines));
    if !print::bytes_passed_on(&bytes[start..])? {
        return Ok(0);
    }
    if let Some(connection) = &mut connection {
        following.until_end(connection, None)?;
    }
    Ok(0)
}

/// Returns where the last so many lines begin.
fn last_lines(bytes: &[u8], lines: usize) -> usize {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    match lines {
        0 => bytes.len(),
        lines => ends.map(|(place, _)| place + 1).nth(lines - 1).unwrap_or(0),
    }
}

/// A log that is read as it grows.
struct Following<'a> {
    slot: &'a Slot,
    changes: Option<Changes>,
    position: u64,
}

impl<'a> Following<'a> {
    fn of(slot: &'a Slot) -> Self {
        Self { slot, changes: Changes::of_content(slot.directory()).ok(), position: 0 }
    }

    /// Prints what comes until the supervisor has ended, or a signal comes, which is returned; SIGPIPE when nobody reads.
    fn until_end(
        &mut self,
        connection: &mut Connection,
        signals: Option<&Signals>,
    ) -> Result<Option<i32>, Error> {
        loop {
            if !self.pass_on()? {
                return Ok(Some(signal::PIPE));
            }
            let mut watches = [
                Watch::new(connection.stream().as_raw_fd(), poll::READ),
                self.changes
                    .as_ref()
                    .map_or(Watch::nothing(), |changes| Watch::new(changes.raw(), poll::READ)),
                signals.map_or(Watch::nothing(), |signals| Watch::new(signals.raw(), poll::READ)),
            ];
            // Where the kernel tells nothing one looks.
            let limit = self.changes.is_none().then_some(std::time::Duration::from_millis(200));
            poll::wait(&mut watches, limit).map_err(|error| {
                Error::new(Kind::Failed, format_args!("cannot wait for the log: {}", system_text(&error)))
            })?;
            if watches[1].any() {
                self.changes.as_ref().map(Changes::take);
            }
            if let Some(arrived) = signals.filter(|_| watches[2].any()).and_then(Signals::next) {
                return Ok(Some(arrived.signal));
            }
            if watches[0].any() {
                self.pass_on()?;
                return Ok(None);
            }
        }
    }

    /// Prints what has come; returns whether there is still somebody who reads.
    fn pass_on(&mut self) -> Result<bool, Error> {
        let path = self.slot.log();
        let read = |path: &Path, from: u64| -> io::Result<Vec<u8>> {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let length = std::fs::metadata(&path).map_or(0, |log| log.len());
        let mut bytes = Vec::new();
        if length < self.position {
            // It was moved aside, with what had not been read yet.
            bytes = read(&self.slot.directory().join("log.1"), self.position).unwrap_or_default();
            self.position = 0;
        }
        let more = read(&path, self.position).unwrap_or_default();
        self.position += more.len() as u64;
        bytes.extend(more);
        if bytes.is_empty() { Ok(true) } else { print::bytes_passed_on(&bytes) }
    }
}

/// Stays with an instance: shows what it writes, and ends it when memo is told to end.
///
/// # Errors
/// When stdout fails.
pub(super) fn stay(asked: Asked, around: &Surroundings) -> Result<Exit, Error> {
    let slot = &asked.slot;
    let stops = [signal::INT, signal::TERM, signal::HUP, signal::QUIT];
    let signals = Signals::hold(&stops, &around.inherited).map_err(|error| {
        Error::new(Kind::Failed, format_args!("cannot wait for signals: {}", system_text(&error)))
    })?;
    let mut following = Following::of(slot);
    let mut connection = asked.got.connection;
    connection.until(None);
    let instance = asked.got.report.instance;
    // Of one that has gone before it could be asked for its end, that is kept.
    let kept = || {
        let last = Last::read(slot.directory()).filter(|last| last.verdict.instance == instance);
        let status = last.and_then(|last| status_of(last.verdict.ended));
        Exit::Code(status.unwrap_or(Kind::Failed.code()))
    };
    // Its answer is the end, which is seen as something to be read.
    let mut ends = match Connection::open(slot) {
        Ok(Some(ends)) => ends,
        _ => {
            following.pass_on()?;
            return Ok(kept());
        }
    };
    ends.send(&Request::AwaitEnd);
    if let Some(signal) = following.until_end(&mut ends, Some(&signals))? {
        let stop =
            Request::Stop { instance: Some(instance), why: Why::Stopped, grace: None, busy: Busy::Kill };
        connection.until(Some(Instant::now() + ANSWER));
        connection.ask(&stop);
        // A second one is not waited through.
        following.until_end(&mut ends, Some(&signals))?;
        return Ok(Exit::Signal(signal));
    }
    Ok(match ends.hear() {
        Heard::Reply(Reply::Ended(verdict)) => {
            Exit::Code(status_of(verdict.ended).unwrap_or(Kind::Failed.code()))
        }
        _ => kept(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_those_at_the_end() {
        let text = b"a\nb\nc\n";
        let last = |lines| String::from_utf8_lossy(&text[last_lines(text, lines)..]).into_owned();
        assert_eq!([last(0), last(1), last(2), last(9)], ["", "c\n", "b\nc\n", "a\nb\nc\n"]);
        assert_eq!(last_lines(b"a\nb", 1), 2);
        assert_eq!(last_lines(b"", 1), 0);
    }
}
