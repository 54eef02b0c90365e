//! Files that have no name and no place on a disk, to hand bytes to another process.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use rustix::fs::MemfdFlags;

/// Returns a file in memory that holds these bytes, to be read from its beginning (memfd_create(2)).
///
/// # Errors
/// Those of memfd_create(2) and write(2).
pub fn file_of(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("memo", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}
