//! Files: reflinks, moves that replace nothing, file systems, copying in the kernel.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, OFlags, RenameFlags, ResolveFlags, Timespec, Timestamps};

/// Opens a file for reading; a fifo does not make it wait (O_NONBLOCK).
///
/// # Errors
/// Those of open(2).
pub fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// Opens a file for reading if no mount point is on the way to it from the working directory (openat2(2) with
/// RESOLVE_NO_XDEV); an older kernel opens it wherever it is.
///
/// # Errors
/// Those of openat2(2); [`is_another_mount`] tells one of them.
pub fn open_on_this_mount(path: &Path) -> io::Result<File> {
    match without_mounts(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) {
        // Before Linux 5.6, or where a sandbox does not know the call.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => open(path),
        opened => opened,
    }
}

/// Returns whether no mount point is on the way to a directory from the working directory.
pub fn is_on_this_mount(path: &Path) -> bool {
    without_mounts(path, OFlags::PATH).is_ok()
}

fn without_mounts(path: &Path, flags: OFlags) -> io::Result<File> {
    let none = rustix::fs::Mode::empty();
    let file = rustix::fs::openat2(CWD, path, flags | OFlags::CLOEXEC, none, ResolveFlags::NO_XDEV)?;
    Ok(File::from(file))
}

/// Returns whether an error says that something is on another mount.
pub fn is_another_mount(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EXDEV)
}

/// Makes `to` share the blocks of `from` (FICLONE).
///
/// # Errors
/// EOPNOTSUPP, EXDEV, EINVAL where the file system cannot.
pub fn reflink(from: &File, to: &File) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(to, from)?)
}

/// Renames without ever replacing anything (RENAME_NOREPLACE).
///
/// # Errors
/// EEXIST when the new name is taken; EINVAL where the file system cannot.
pub fn rename_noreplace(from: &Path, to: &Path) -> io::Result<()> {
    Ok(rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

/// Returns whether an error says that a file system cannot do what was asked.
pub fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP))
}

/// Returns whether an error says that nothing has this name, so that its absence is a fact.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ENAMETOOLONG))
}

/// Sets the modification time of a path to now, not following a link at its end.
///
/// # Errors
/// Those of utimensat(2).
pub fn touch(path: &Path) -> io::Result<()> {
    const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW as _ };
    const KEEP: Timespec = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT as _ };
    let times = Timestamps { last_access: KEEP, last_modification: NOW };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Returns the earliest time that the kernel gives a file that is written from now on, in ns since 1970.
///
/// It is the clock's at the last tick: CLOCK_REALTIME_COARSE, from which inode times are taken
/// (ktime_get_coarse_real_ts64). Since Linux 6.13 they may be finer
/// (Documentation/filesystems/multigrain-ts.rst): later than this, never earlier.
pub fn stamp() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

/// The file systems memo tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// One whose inode numbers and times can be trusted to change with the content.
    Local,
    /// One of the kernel's own: a file in it has no content to speak of before it is read.
    Virtual,
    /// Any other.
    Other,
}

/// Returns the file system a path is on, following links.
///
/// The numbers are those of statfs(2) and linux/magic.h.
///
/// # Errors
/// Those of statfs(2).
pub fn file_system(path: &Path) -> io::Result<FileSystem> {
    let stat = rustix::fs::statfs(path)?;
    let magic = stat.f_type as u64 & 0xffff_ffff;
    Ok(match magic {
        // ext2/3/4, xfs, btrfs, zfs, tmpfs, overlay.
        0xef53 | 0x5846_5342 | 0x9123_683e | 0x2fc1_2fc1 | 0x0102_1994 | 0x794c_7630 => FileSystem::Local,
        // proc, sysfs, debugfs, tracefs, cgroup, cgroup2, devpts, securityfs, bpf, configfs, efivarfs.
        0x9fa0 | 0x6265_6572 | 0x6462_6720 | 0x7472_6163 | 0x0027_e0eb | 0x6367_7270 | 0x1cd1
        | 0x7363_6673 | 0xcafe_4a11 | 0x6265_6570 | 0xde5e_81e4 => FileSystem::Virtual,
        _ => FileSystem::Other,
    })
}

/// Returns whether a path is on a file system that other machines, or a program, serve: locks and sockets on it do not
/// mean what they mean elsewhere.
///
/// The numbers are those of statfs(2) and linux/magic.h: NFS, SMB (three of them), 9P, FUSE, Ceph, AFS, Coda, Lustre,
/// GPFS.
///
/// # Errors
/// Those of statfs(2).
pub fn is_served(path: &Path) -> io::Result<bool> {
    const SERVED: [u64; 11] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        0x6573_5546,
        0x00c3_6400,
        0x5346_414f,
        0x7375_7245,
        0x0bd0_0bd0,
        0x4750_4653,
    ];
    let stat = rustix::fs::statfs(path)?;
    Ok(SERVED.contains(&(stat.f_type as u64 & 0xffff_ffff)))
}

/// Copies up to `limit` bytes of a file from `offset` into a descriptor inside the kernel and returns
/// how many went (sendfile(2)); `None` where the kernel cannot for this descriptor.
///
/// # Errors
/// EPIPE when the reader has gone, and the others of write(2).
pub fn send(to: impl AsFd, from: &File, offset: &mut u64, limit: usize) -> io::Result<Option<usize>> {
    match rustix::fs::sendfile(to, from, Some(offset), limit) {
        Ok(n) => Ok(Some(n)),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => Ok(None),
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(Some(0)),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether a file can be executed by the effective user (faccessat(2) with AT_EACCESS).
pub fn is_executable(path: &Path) -> bool {
    rustix::fs::accessat(CWD, path, rustix::fs::Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// Returns whether the effective user can make files in a directory (faccessat(2) with AT_EACCESS).
pub fn is_writable(directory: &Path) -> bool {
    use rustix::fs::Access;
    rustix::fs::accessat(CWD, directory, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// Returns the major and minor number of a character device, following links; `None` for what is none.
///
/// # Errors
/// Those of stat(2).
pub fn character_device(path: &Path) -> io::Result<Option<(u32, u32)>> {
    let metadata = std::fs::metadata(path)?;
    let number = || (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    Ok(metadata.file_type().is_char_device().then(number))
}

/// Returns the file mode creation mask, a part of what mode a new file gets.
///
/// umask(2) can only be read by setting it; no other thread makes files at that moment.
pub fn creation_mask() -> u32 {
    let mask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(mask);
    mask.bits()
}
