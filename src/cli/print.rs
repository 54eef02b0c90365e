//! Standard output of the subcommands.

use std::io;

use crate::error::{Error, Kind};
use crate::sys::descriptor;

/// Writes to stdout. A reader that has seen enough (`memo ls | head`) is no error.
///
/// # Errors
/// When stdout takes nothing for another reason, such as a full disk.
pub fn print(text: &str) -> Result<(), Error> {
    passed_on(text).map(|_| ())
}

/// Writes bytes to stdout, as [`print()`] does text.
///
/// # Errors
/// As there.
pub fn bytes(bytes: &[u8]) -> Result<(), Error> {
    bytes_passed_on(bytes).map(|_| ())
}

/// Writes to stdout; returns whether there is still somebody who reads.
///
/// # Errors
/// When stdout takes nothing for another reason, such as a full disk.
pub fn passed_on(text: &str) -> Result<bool, Error> {
    bytes_passed_on(text.as_bytes())
}

/// Writes bytes to stdout; returns whether there is still somebody who reads.
///
/// # Errors
/// As those of [`passed_on`].
pub fn bytes_passed_on(bytes: &[u8]) -> Result<bool, Error> {
    match descriptor::write_all(descriptor::standard(1), bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(refused(&error)),
    }
}

/// Returns the error for a stdout that takes no more.
pub fn refused(error: &io::Error) -> Error {
    Error::new(Kind::Failed, format!("cannot write to stdout: {error}"))
}
