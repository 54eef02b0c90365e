//! Standard output of the subcommands.

use std::io;

use crate::error::{Error, Kind};
use crate::sys::descriptor;

/// Writes to stdout. A reader that has seen enough (`memo ls | head`) is no error.
///
/// # Errors
/// When stdout takes nothing for another reason, such as a full disk.
pub fn print(text: &str) -> Result<(), Error> {
    match descriptor::write_all(descriptor::standard(1), text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Kind::Failed, format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}
