//! A directory that is held open, and what is done in it by name. No link at a name is ever followed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, RenameFlags, ResolveFlags, Timespec, Timestamps};

/// An open directory (O_PATH): it stays the same one whatever is renamed around it.
#[derive(Debug)]
pub struct Directory(OwnedFd);

/// What stat(2) says of a name; times in ns since 1970.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields of stat(2)")]
pub struct Looked {
    pub dev: u64,
    pub ino: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub mtime: i64,
    pub ctime: i64,
}

const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Directory {
    /// Opens a directory, following links; the empty path is the working directory.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(Self(rustix::fs::openat(CWD, path, PLACE, Mode::empty())?))
    }

    /// Opens a directory below this one; no component of the way may be a link or lead out (openat2(2)).
    ///
    /// # Errors
    /// ELOOP or ENOTDIR when a component is a link, EXDEV when the way leads out, and those of open(2).
    pub fn below(&self, path: &Path) -> io::Result<Self> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.0, path, PLACE, Mode::empty(), resolve) {
            // Older kernels, and sandboxes that do not know the call.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => self.walk_below(path),
            opened => Ok(Self(opened?)),
        }
    }

    fn walk_below(&self, path: &Path) -> io::Result<Self> {
        let open = |at: &OwnedFd, name: &OsStr| {
            rustix::fs::openat(at, name, PLACE | OFlags::NOFOLLOW, Mode::empty())
        };
        let mut at = open(&self.0, OsStr::new("."))?;
        for component in path.components() {
            match component {
                Component::CurDir => {}
                Component::Normal(name) => at = open(&at, name)?,
                _ => return Err(rustix::io::Errno::XDEV.into()),
            }
        }
        Ok(Self(at))
    }

    /// Opens the directory this one is in.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn parent(&self) -> io::Result<Self> {
        Ok(Self(rustix::fs::openat(&self.0, "..", PLACE, Mode::empty())?))
    }

    /// Returns its path as the kernel has it, free of links.
    ///
    /// # Errors
    /// Those of readlink(2) on `/proc`.
    pub fn path(&self) -> io::Result<PathBuf> {
        std::fs::read_link(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    /// Returns a path of a name in it that is short however long its own is, for this process and, as long as
    /// this is open, for others of the user (`/proc/PID/fd`).
    pub fn short_path(&self, name: &OsStr) -> PathBuf {
        Path::new(&format!("/proc/{}/fd/{}", super::process::id(), self.0.as_raw_fd())).join(name)
    }

    /// Returns what the directory itself is.
    ///
    /// # Errors
    /// Those of fstat(2).
    pub fn itself(&self) -> io::Result<Looked> {
        Ok(rustix::fs::fstat(&self.0)?.into())
    }

    /// Returns what a name stands for.
    ///
    /// # Errors
    /// Those of fstatat(2).
    pub fn look(&self, name: &OsStr) -> io::Result<Looked> {
        Ok(rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    /// Returns the text of a link.
    ///
    /// # Errors
    /// Those of readlinkat(2).
    pub fn read_link(&self, name: &OsStr) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.0, name, Vec::new())?.into_bytes())
    }

    /// Opens a file for reading; a fifo does not make it wait.
    ///
    /// # Errors
    /// ELOOP for a link, and the others of open(2).
    pub fn open_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, Mode::empty())?.into())
    }

    /// Makes a file.
    ///
    /// # Errors
    /// EEXIST when the name is taken, and the others of open(2).
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Makes a file that has no name yet (O_TMPFILE).
    ///
    /// # Errors
    /// EOPNOTSUPP, EISDIR, ENOENT where there are no such files; others of open(2).
    pub fn create_unnamed(&self) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, ".", flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Gives a file without a name one here.
    ///
    /// # Errors
    /// EEXIST when the name is taken, and the others of linkat(2).
    pub fn give_name(&self, file: &File, name: &OsStr) -> io::Result<()> {
        let open = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(rustix::fs::linkat(CWD, open, &self.0, name, AtFlags::SYMLINK_FOLLOW)?)
    }

    /// Makes a directory that only its owner may use.
    ///
    /// # Errors
    /// EEXIST when the name is taken, and the others of mkdir(2).
    pub fn make_directory(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::RWXU)?)
    }

    /// Makes a link with this text.
    ///
    /// # Errors
    /// EEXIST when the name is taken, and the others of symlink(2).
    pub fn make_link(&self, text: &[u8], name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(OsStr::from_bytes(text), &self.0, name)?)
    }

    /// Moves a name to one that is not taken.
    ///
    /// # Errors
    /// EEXIST when it is, and the others of renameat2(2).
    pub fn move_new(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.0, name, &to.0, new, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
            moved => return Ok(moved?),
        }
        if is_directory(self.look(name)?.mode) {
            // rename(2) replaces an empty directory at most.
            return match to.look(new) {
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
                Err(_) => Ok(rustix::fs::renameat(&self.0, name, &to.0, new)?),
            };
        }
        // link(2) replaces nothing, on every file system that has hard links.
        rustix::fs::linkat(&self.0, name, &to.0, new, AtFlags::empty())?;
        self.remove(name)
    }

    /// Lets a name here and one elsewhere, neither a directory, change places at once.
    ///
    /// # Errors
    /// Those of renameat2(2).
    pub fn exchange(&self, name: &OsStr, other: &Self, theirs: &OsStr) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.0, name, &other.0, theirs, RenameFlags::EXCHANGE) {
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
            exchanged => return Ok(exchanged?),
        }
        // In two steps, neither of which leaves a name without a file.
        let mut kept = theirs.to_owned();
        kept.push("~");
        rustix::fs::linkat(&self.0, name, &other.0, &kept, AtFlags::empty())?;
        rustix::fs::renameat(&other.0, theirs, &self.0, name)?;
        Ok(rustix::fs::renameat(&other.0, &kept, &other.0, theirs)?)
    }

    /// Removes what is no directory.
    ///
    /// # Errors
    /// Those of unlink(2).
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// Those of rmdir(2).
    pub fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// Sets the mode of a file or directory; of a link it is an error.
    ///
    /// # Errors
    /// Those of chmod(2).
    pub fn set_mode(&self, name: &OsStr, mode: u32) -> io::Result<()> {
        // fchmodat(2) follows links before Linux 6.6.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        let path = format!("/proc/self/fd/{}", held.as_raw_fd());
        Ok(rustix::fs::chmod(path, Mode::from_raw_mode(mode))?)
    }

    /// Sets the modification time of a name to now.
    ///
    /// # Errors
    /// Those of utimensat(2).
    pub fn touch(&self, name: &OsStr) -> io::Result<()> {
        const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW as _ };
        const KEEP: Timespec = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT as _ };
        let times = Timestamps { last_access: KEEP, last_modification: NOW };
        Ok(rustix::fs::utimensat(&self.0, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Returns the names in it, in no order.
    ///
    /// # Errors
    /// Those of open(2) and getdents(2).
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut names = Vec::new();
        for entry in Dir::new(rustix::fs::openat(&self.0, ".", flags, Mode::empty())?)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        Ok(names)
    }
}

fn is_directory(mode: u32) -> bool {
    mode & libc::S_IFMT == libc::S_IFDIR
}

impl From<rustix::fs::Stat> for Looked {
    #[expect(clippy::unnecessary_cast, reason = "types differ by architecture")]
    fn from(stat: rustix::fs::Stat) -> Self {
        let time = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            mode: stat.st_mode as u32,
            uid: stat.st_uid as u32,
            gid: stat.st_gid as u32,
            size: stat.st_size as u64,
            mtime: time(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ctime: time(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_way_below_leads_through_a_link_or_out() {
        let root = std::env::temp_dir().join(format!("memo-directory-{}", std::process::id()));
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::os::unix::fs::symlink("a", root.join("link")).unwrap();
        let directory = Directory::open(&root).unwrap();
        for below in [Directory::below, Directory::walk_below] {
            assert!(below(&directory, Path::new("a/b")).is_ok());
            for way in ["link", "link/b", "..", "a/../..", "/", "a/none"] {
                assert!(below(&directory, Path::new(way)).is_err(), "{way}");
            }
        }
        std::fs::remove_dir_all(root).unwrap();
    }
}
