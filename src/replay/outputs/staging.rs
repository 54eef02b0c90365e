//! Staging: where new content waits, and where what it replaces is kept until all is done.
//!
//! A few files wait without a name (O_TMPFILE). What needs a name (many files, links, and what is replaced or
//! removed) has it in a directory beside the outputs, `.memo-...`, which is noted in the store before it is
//! made: if memo is killed, the next restore at this place or gc removes it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::action::digest::Digest;
use crate::action::onlooker::{Onlooker, Telling};
use crate::fault;
use crate::store::blobs::{BadBlob, Blobs};
use crate::store::restores::{Held, STAGING};
use crate::sys::directory::Directory;
use crate::sys::file::reflink;
use crate::sys::process;

/// How many files wait without a name: each needs a descriptor, and 64 of them in all must do.
const MOST_UNNAMED: usize = 24;
/// Up to this size, in bytes, content is read once, and what was verified is what is written. Sharing the
/// blocks of so little saves nothing.
const SMALL: u64 = 64 << 10;

/// How much is copied before it is told, in bytes: some 10 ms from memory to a disk's cache.
const PART: u64 = 16 << 20;

/// The staging directory of a ground, made when it is needed.
#[derive(Debug)]
pub(super) struct Staging {
    /// Whether it is to lie beside the ground and not in it, so that no run sees it there.
    beside: bool,
    open: Option<Open>,
    next: u32,
}

#[derive(Debug)]
struct Open {
    holder: Directory,
    name: OsString,
    itself: Directory,
    /// Whether it is to stay.
    stays: bool,
}

/// New content for a name.
#[derive(Debug)]
pub(super) enum New {
    /// A file without a name.
    Unnamed(File),
    /// A file in the staging directory.
    Named(OsString),
    /// A link with this text.
    Link(Vec<u8>),
}

impl Staging {
    pub(super) fn new(beside: bool) -> Self {
        Self { beside, open: None, next: 0 }
    }

    /// Returns the staging directory of a ground.
    ///
    /// # Errors
    /// Those of mkdir(2).
    pub(super) fn directory(&mut self, ground: &Directory, held: &mut Held) -> io::Result<&Directory> {
        if self.open.is_none() {
            let beside = self.beside.then(|| beside(ground)).flatten();
            let opened = match beside.map(|directory| Open::make(directory, held)) {
                Some(Ok(open)) => open,
                // The directory above may be somebody else's.
                _ => Open::make(ground.below("".as_ref())?, held)?,
            };
            self.open = Some(opened);
        }
        self.opened()
    }

    /// Returns a name in the staging directory that is not used yet.
    pub(super) fn fresh(&mut self) -> OsString {
        self.next += 1;
        self.next.to_string().into()
    }

    /// Returns the staging directory, which was made.
    ///
    /// # Errors
    /// `NotFound` when it was not.
    pub(super) fn opened(&self) -> io::Result<&Directory> {
        self.open.as_ref().map(|open| &open.itself).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Leaves the staging directory where it is; returns its path, if there is one.
    pub(super) fn keep(&mut self) -> Option<std::path::PathBuf> {
        let mut open = self.open.take()?;
        open.stays = true;
        open.itself.path().ok()
    }

    /// Stages a file with this content and mode.
    ///
    /// # Errors
    /// A blob that is not sound, or what the system said.
    pub(super) fn file(
        &mut self,
        ground: &Directory,
        held: &mut Held,
        source: Source<'_>,
        unnamed: &mut usize,
    ) -> Result<New, Unstaged> {
        if *unnamed < MOST_UNNAMED
            && let Ok(mut file) = ground.create_unnamed()
        {
            *unnamed += 1;
            source.fill(&mut file)?;
            return Ok(New::Unnamed(file));
        }
        let name = self.fresh();
        let mut file = self.directory(ground, held)?.create(&name)?;
        source.fill(&mut file)?;
        Ok(New::Named(name))
    }
}

/// Copies a file that cannot get a name (without /proc, in some containers) to one that has it.
///
/// # Errors
/// Those of open(2) and write(2).
pub(super) fn copy(mut file: &File, to: &Directory, name: &OsStr) -> io::Result<()> {
    let mut copy = to.create(name)?;
    file.rewind()?;
    io::copy(&mut file, &mut copy)?;
    copy.set_permissions(file.metadata()?.permissions())
}

/// Copies what is left of a file, as the kernel does it best (copy_file_range(2)), and tells how far it is.
fn copy_telling(from: &File, to: &mut File, telling: Telling<'_>) -> io::Result<()> {
    loop {
        let copied = io::copy(&mut from.take(PART), to)?;
        telling.moved(copied);
        if copied < PART {
            return Ok(());
        }
    }
}

/// Returns the directory that a directory is in, when both are on one file system.
fn beside(ground: &Directory) -> Option<Directory> {
    let parent = ground.parent().ok()?;
    (parent.itself().ok()?.dev == ground.itself().ok()?.dev).then_some(parent)
}

impl Open {
    fn make(holder: Directory, held: &mut Held) -> io::Result<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let path = holder.path()?;
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let name = OsString::from(format!("{STAGING}{}-{number}", process::id()));
            if holder.look(&name).is_ok() {
                continue;
            }
            held.note_staging(&path.join(&name));
            fault::point("staging.noted");
            match holder.make_directory(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => {
                    made?;
                    fault::point("staging.made");
                    let itself = holder.below(name.as_ref())?;
                    return Ok(Self { holder, name, itself, stays: false });
                }
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        // What is left is noted in the store.
        for name in self.itself.names().unwrap_or_default() {
            if self.itself.remove(&name).is_err() {
                let _ = self.itself.remove_directory(&name);
            }
        }
        let _ = self.holder.remove_directory(&self.name);
    }
}

/// What a staged file is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) blobs: &'a Blobs,
    pub(super) digest: Digest,
    pub(super) length: u64,
    pub(super) mode: u32,
    /// As what it is to come back.
    pub(super) name: &'a Path,
    pub(super) onlooker: Option<&'a dyn Onlooker>,
}

/// Why a file cannot be staged.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unstaged {
    #[error(transparent)]
    Blob(#[from] BadBlob),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Source<'_> {
    fn fill(&self, to: &mut File) -> Result<(), Unstaged> {
        if self.length <= SMALL {
            to.write_all(&self.blobs.read(&self.digest, self.length)?)?;
        } else {
            let telling = |verb| Telling::of(self.onlooker, verb, self.name, self.length);
            let mut blob = self.blobs.open_telling(&self.digest, self.length, telling("checking"))?;
            if reflink(&blob, to).is_err() {
                blob.rewind()?;
                copy_telling(&blob, to, telling("restoring"))?;
            }
        }
        to.set_permissions(Permissions::from_mode(self.mode))?;
        Ok(())
    }
}
