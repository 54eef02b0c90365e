//! Standard descriptors: what they are open on, and whether two of them are one open file.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::{FileType, OFlags};

/// The kind of file a descriptor is open on, with what tells two of them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// Device of the file system.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// What it is.
    pub kind: Kind,
    /// Length in bytes, for a regular file.
    pub size: u64,
    /// Device number, for a device.
    pub rdev: u64,
}

/// Kinds of file that matter to a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A pipe, named or not.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    Char,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// Device number of `/dev/null` on Linux (Documentation/admin-guide/devices.txt: 1, 3).
pub fn is_null_device(described: &Described) -> bool {
    described.kind == Kind::Char
        && rustix::fs::major(described.rdev) == 1
        && rustix::fs::minor(described.rdev) == 3
}

/// Borrows standard descriptor 0, 1 or 2.
pub fn standard(fd: RawFd) -> BorrowedFd<'static> {
    debug_assert!((0..3).contains(&fd));
    // SAFETY: 0, 1 and 2 are open for the whole life of the process: the runtime opened what was closed.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Returns what a descriptor is open on.
///
/// # Errors
/// Those of fstat(2).
pub fn describe(fd: impl AsFd) -> io::Result<Described> {
    let stat = rustix::fs::fstat(fd)?;
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::Char,
        FileType::Directory => Kind::Directory,
        _ => Kind::Other,
    };
    Ok(Described {
        dev: stat.st_dev,
        ino: stat.st_ino,
        kind,
        size: stat.st_size.cast_unsigned(),
        rdev: stat.st_rdev,
    })
}

/// How a descriptor was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// It can be read.
    pub read: bool,
    /// It can be written.
    pub write: bool,
    /// Each write goes to the end.
    pub append: bool,
}

/// Returns how a descriptor was opened.
///
/// # Errors
/// Those of fcntl(2).
pub fn access(fd: impl AsFd) -> io::Result<Access> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    let mode = flags & OFlags::RWMODE;
    Ok(Access {
        read: mode == OFlags::RDONLY || mode == OFlags::RDWR,
        write: mode == OFlags::WRONLY || mode == OFlags::RDWR,
        append: flags.contains(OFlags::APPEND),
    })
}

/// Returns whether two descriptors of this process are one open file description; `None` where the
/// kernel cannot tell (kcmp(2) needs CONFIG_KCMP).
pub fn same_description(a: impl AsFd, b: impl AsFd) -> Option<bool> {
    /// `KCMP_FILE` of linux/kcmp.h.
    const KCMP_FILE: libc::c_int = 0;
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    // SAFETY: kcmp reads the process's own descriptor table, and both numbers are open descriptors.
    let order = unsafe {
        libc::syscall(libc::SYS_kcmp, pid, pid, KCMP_FILE, a.as_fd().as_raw_fd(), b.as_fd().as_raw_fd())
    };
    match order {
        0 => Some(true),
        1..=3 => Some(false),
        _ => None,
    }
}

/// Returns the offset of an open file, in bytes.
///
/// # Errors
/// ESPIPE for what has none.
pub fn offset(fd: impl AsFd) -> io::Result<u64> {
    Ok(rustix::fs::tell(fd)?)
}

/// Sets the offset of an open file, in bytes.
///
/// # Errors
/// Those of lseek(2).
pub fn set_offset(fd: impl AsFd, offset: u64) -> io::Result<()> {
    rustix::fs::seek(fd, rustix::fs::SeekFrom::Start(offset))?;
    Ok(())
}

/// Reads at an offset without moving the descriptor's own.
///
/// # Errors
/// Those of pread(2).
pub fn read_at(fd: impl AsFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::pread(fd, buffer, offset)?)
}

/// Fills the buffer from an offset without moving the descriptor's own.
///
/// # Errors
/// Those of pread(2); `UnexpectedEof` when there is less.
pub fn read_exact_at(fd: impl AsFd, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let mut got = 0;
    while got < buffer.len() {
        match read_at(fd.as_fd(), &mut buffer[got..], offset + got as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => got += n,
        }
    }
    Ok(())
}

/// Reads what is there.
///
/// # Errors
/// Those of read(2).
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::io::read(fd.as_fd(), &mut *buffer) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Writes some of the bytes and returns how many; may block.
///
/// # Errors
/// Those of write(2).
pub fn write(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match rustix::io::write(fd.as_fd(), bytes) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Writes some of the bytes and returns how many; 0 when a descriptor with O_NONBLOCK is full.
///
/// # Errors
/// Those of write(2).
pub fn write_what_fits(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    match write(fd, bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

/// Writes all of the bytes; may block.
///
/// # Errors
/// Those of write(2).
pub fn write_all(fd: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(fd.as_fd(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = &bytes[n..],
            // A descriptor that somebody set to O_NONBLOCK: wait until it takes more.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                super::poll::wait_for(fd.as_fd().as_raw_fd(), super::poll::WRITE)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Opens `/dev/null` for reading and writing, close-on-exec.
///
/// # Errors
/// Those of open(2).
pub fn null() -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    Ok(rustix::fs::open("/dev/null", flags, rustix::fs::Mode::empty())?)
}

/// Takes over a descriptor that this process was started with, by its number above 2, and makes it close-on-exec. To be
/// called once for each, before anything else is opened.
///
/// # Errors
/// EBADF when there is none.
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_SETFD sets a flag of a number; a closed one gives EBADF.
    if fd < 3 || unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and nothing else in this process has been given it.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) })
}

/// Puts `/dev/null` in the place of 0, 1 and 2.
///
/// # Errors
/// Those of open(2) and dup2(2).
pub fn null_standard() -> io::Result<()> {
    let null = null()?;
    for fd in 0..3 {
        // SAFETY: both are numbers of descriptors; what 0, 1 and 2 were is owned by no object.
        if unsafe { libc::dup2(null.as_raw_fd(), fd) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Closes every descriptor above 2 but these. Only for a process that then ends without dropping what it was
/// forked with: objects that own the others must not be used any more.
///
/// # Errors
/// Those of close_range(2), and of reading `/proc/self/fd` where the kernel, before 5.9, does not have it.
pub fn close_others(kept: &[RawFd]) -> io::Result<()> {
    let mut kept: Vec<RawFd> = kept.iter().copied().filter(|fd| *fd > 2).collect();
    kept.sort_unstable();
    let mut first = 3;
    for fd in kept.into_iter().chain([RawFd::MAX]) {
        if fd > first {
            close_range(first, fd - 1)?;
        }
        first = fd.saturating_add(1);
    }
    Ok(())
}

fn close_range(first: RawFd, last: RawFd) -> io::Result<()> {
    // SAFETY: the caller of `close_others` promised not to use what is closed here.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() != Some(libc::ENOSYS) {
        return Err(error);
    }
    let open: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open.into_iter().filter(|fd| (first..=last).contains(fd)) {
        // SAFETY: as above.
        unsafe { libc::close(fd) };
    }
    Ok(())
}
