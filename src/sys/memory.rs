//! Memory: files that have no name and no place on a disk, to hand bytes to another process; and what a process that
//! sleeps for days need not keep.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use rustix::fs::MemfdFlags;

unsafe extern "C" {
    /// Where the program begins in memory, and where its code ends: the linker's (ld(1), "Builtin functions" and the
    /// default script, which lld follows).
    static __executable_start: u8;
    static etext: u8;
}

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

/// Gives back the pages of this program's code and constants; those that are needed again come back from the file
/// (madvise(2), MADV_DONTNEED). A process that has done its work once and now waits then keeps next to nothing.
pub fn release_code() {
    let page = rustix::param::page_size();
    let start = (&raw const __executable_start).addr().next_multiple_of(page);
    let end = (&raw const etext).addr() / page * page;
    if start < end {
        // SAFETY: the range is that of pages which are mapped from the program's file and never written to: what is
        // relocated or has values lies behind `etext`.
        unsafe { libc::madvise(std::ptr::without_provenance_mut(start), end - start, libc::MADV_DONTNEED) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_file_in_memory_is_read_from_its_beginning() {
        let mut bytes = Vec::new();
        file_of(b"abc").unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"abc");
    }

    #[test]
    fn code_that_was_given_back_still_runs() {
        release_code();
        assert_eq!(file_of(b"").unwrap().metadata().unwrap().len(), 0);
    }
}
