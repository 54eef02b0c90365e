//! Fault points: named places at which a test can stop the process or make a step fail.
//!
//! Without the feature `fault` they are nothing at all.

use std::io;
use std::time::Duration;

/// Does what `MEMO_FAULT` asks for at this place: `NAME=kill` dies of SIGKILL there, `NAME=panic`
/// panics, `NAME=stop:FIFO` opens FIFO for writing, so that the test knows, and waits until it can be read from again.
#[cfg(feature = "fault")]
pub fn point(name: &str) {
    #[expect(
        clippy::disallowed_methods,
        reason = "test hooks come from the environment of the process under test"
    )]
    let Ok(asked) = std::env::var("MEMO_FAULT") else { return };
    for one in asked.split(',') {
        match one.split_once('=') {
            Some((point, "kill")) if point == name => {
                crate::sys::signal::send(crate::sys::process::id(), crate::sys::signal::KILL);
            }
            Some((point, "panic")) if point == name => panic!("fault point {name}"),
            Some((point, action)) if point == name => {
                if let Some(fifo) = action.strip_prefix("stop:") {
                    let _ = std::fs::write(fifo, name);
                    let _ = std::fs::read(fifo);
                }
            }
            _ => {}
        }
    }
}

/// Fails where `MEMO_FAULT` has `NAME=errno:NUMBER`: with what no file system at hand answers, as NFS's stale handle.
///
/// # Errors
/// The one that was asked for.
#[cfg(feature = "fault")]
pub fn failure(name: &str) -> io::Result<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "test hooks come from the environment of the process under test"
    )]
    let asked = std::env::var("MEMO_FAULT").unwrap_or_default();
    let mut asked = asked.split(',').filter_map(|one| one.split_once("=errno:"));
    match asked.find(|(point, _)| *point == name).and_then(|(_, number)| number.parse().ok()) {
        Some(number) => Err(io::Error::from_raw_os_error(number)),
        None => Ok(()),
    }
}

/// Does nothing.
///
/// # Errors
/// None.
#[cfg(not(feature = "fault"))]
#[inline(always)]
pub fn failure(_name: &str) -> io::Result<()> {
    Ok(())
}

/// Returns a time limit; `NAME=unlimited` lifts it and `NAME=0` takes it for reached at once, so that a test does
/// not depend on how fast the machine is.
#[cfg(feature = "fault")]
pub fn limit(name: &str, usual: Duration) -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "test hooks come from the environment of the process under test"
    )]
    let asked = std::env::var("MEMO_FAULT").unwrap_or_default();
    match asked.split(',').filter_map(|one| one.split_once('=')).find(|(known, _)| *known == name) {
        Some((_, "unlimited")) => Duration::MAX,
        Some((_, "0")) => Duration::ZERO,
        _ => usual,
    }
}

/// Returns a time limit as it is.
#[cfg(not(feature = "fault"))]
#[inline(always)]
pub fn limit(_name: &str, usual: Duration) -> Duration {
    usual
}

/// Returns how long something took; `NAME=MILLISECONDS` says that it took so long.
#[cfg(feature = "fault")]
pub fn duration(name: &str, took: Duration) -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "test hooks come from the environment of the process under test"
    )]
    let asked = std::env::var("MEMO_FAULT").unwrap_or_default();
    let mut asked = asked.split(',').filter_map(|one| one.split_once('='));
    let millis = asked.find(|(known, _)| *known == name).and_then(|(_, millis)| millis.parse().ok());
    millis.map_or(took, Duration::from_millis)
}

/// Returns how long something took.
#[cfg(not(feature = "fault"))]
#[inline(always)]
pub fn duration(_name: &str, took: Duration) -> Duration {
    took
}

/// Does nothing.
#[cfg(not(feature = "fault"))]
#[inline(always)]
pub fn point(_name: &str) {}
