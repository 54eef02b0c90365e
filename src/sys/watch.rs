//! Being told of what happens to files, instead of looking again and again (inotify(7)).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;

use rustix::fs::inotify;

/// Tells of changes.
#[derive(Debug)]
pub struct Changes(OwnedFd);

impl Changes {
    /// Begins to watch a directory for names in it that are removed or replaced, and for its own removal or that of one
    /// above it.
    ///
    /// # Errors
    /// Those of inotify_init1(2) and inotify_add_watch(2): EMFILE where the user has as many as are allowed.
    pub fn of_names(directory: &Path) -> io::Result<Self> {
        use inotify::WatchFlags as Of;
        let own = Of::DELETE_SELF | Of::MOVE_SELF;
        let changes = Self::of(directory, Of::DELETE | Of::MOVED_FROM | Of::MOVED_TO | own)?;
        for above in directory.ancestors().skip(1).filter(|above| above.parent().is_some()) {
            // One that cannot be watched is not the user's to move.
            let _ = inotify::add_watch(&changes.0, above, own);
        }
        Ok(changes)
    }

    /// Begins to watch a directory for files in it that are written, made or renamed.
    ///
    /// # Errors
    /// As those of [`of_names`](Self::of_names).
    pub fn of_content(directory: &Path) -> io::Result<Self> {
        use inotify::WatchFlags as Of;
        Self::of(directory, Of::MODIFY | Of::CREATE | Of::MOVED_TO | Of::DELETE_SELF)
    }

    fn of(directory: &Path, flags: inotify::WatchFlags) -> io::Result<Self> {
        let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&fd, directory, flags)?;
        Ok(Self(fd))
    }

    /// Takes what was told; returns whether there was anything.
    pub fn take(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut any = false;
        while reader.next().is_ok() {
            any = true;
        }
        any
    }

    /// Returns the number of the descriptor, for poll.
    pub fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
