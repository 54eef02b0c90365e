//! The swap: staged content gets its names; what a failure leaves half done is taken back.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::Refused;
use super::ground::{At, Ground, Ways};
use super::staging::{New, copy};
use crate::action::identity::{FileKind, Identity};
use crate::fault;
use crate::store::restores::Held;

/// One step of a restore.
#[derive(Debug)]
pub(super) enum Step {
    /// Removes what an earlier outcome made: a file, a link or an empty directory. It is kept under a name in the
    /// staging directory until all is done.
    Remove { at: At, was: Identity, kept: OsString },
    /// Makes a directory.
    Make(At),
    /// Gives new content its name: where nothing is, or over what is there, which is kept under a name in the
    /// staging directory until all is done.
    Put { at: At, new: New, over: Option<(Identity, OsString)> },
    /// Sets the mode of what is there; `was` is what it had before the restore.
    SetMode { at: At, mode: u32, was: Option<u32> },
    /// Brings the time of what is there up to now.
    Touch(At),
}

/// How a step is taken back.
#[derive(Debug)]
enum Undo {
    /// What was kept under this name goes back where nothing is.
    PutBack(At, OsString),
    /// What was kept under this name changes places with what is there.
    Exchange(At, OsString),
    /// What was put there goes.
    Remove(At),
    /// The directory that was made goes.
    Unmake(At),
    /// The mode that was there comes back.
    SetMode(At, u32),
}

/// Outputs that are ready to be put in place.
#[derive(Debug, Default)]
#[must_use = "nothing is in place yet"]
pub struct Staged {
    pub(super) steps: Vec<Step>,
    pub(super) grounds: Vec<Ground>,
    pub(super) held: Held,
    /// What lies in declared directories besides, and stays.
    pub stays: Vec<PathBuf>,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // The staging directories go before the note of them does, and both before the locks.
        self.grounds.clear();
        self.held.end();
    }
}

impl Staged {
    /// Puts everything in place.
    ///
    /// # Errors
    /// [`Refused`] for the first that could not be; what was done before it is taken back.
    pub fn swap(mut self) -> Result<(), Refused> {
        let steps = std::mem::take(&mut self.steps);
        if steps.is_empty() {
            return Ok(());
        }
        if steps.iter().any(|step| !matches!(step, Step::Touch(_) | Step::SetMode { .. })) {
            self.held.begin();
        }
        fault::point("replay.begun");
        let mut ways = Ways::default();
        let mut undo = Vec::new();
        for step in steps {
            let path = self.shown(step.at());
            if let Err(source) = self.take(step, &mut ways, &mut undo) {
                return Err(self.take_back(undo, Refused::Io { path, source }));
            }
            fault::point("replay.swapped");
        }
        Ok(())
    }

    fn take(&mut self, step: Step, ways: &mut Ways, undo: &mut Vec<Undo>) -> io::Result<()> {
        let directory = ways.at(&self.grounds, step.at())?;
        match step {
            Step::Remove { at, was, kept } => {
                let staging = self.grounds[at.ground].staging.opened()?;
                directory.move_new(at.name(), staging, &kept)?;
                undo.push(Undo::PutBack(at, kept.clone()));
                if was.kind() != FileKind::Directory {
                    is_still(&was, staging.look(&kept)?.into())?;
                } else {
                    if !staging.below(kept.as_ref())?.names()?.is_empty() {
                        return Err(io::ErrorKind::DirectoryNotEmpty.into());
                    }
                    // What is open may be that very directory.
                    ways.forget();
                }
            }
            Step::Make(at) => {
                directory.make_directory(at.name())?;
                undo.push(Undo::Unmake(at));
            }
            Step::Put { at, new, over: None } => {
                match new {
                    New::Unnamed(file) => {
                        if let Err(error) = directory.give_name(&file, at.name()) {
                            if error.kind() == io::ErrorKind::AlreadyExists {
                                return Err(error);
                            }
                            let Ground { directory: ground, staging, .. } = &mut self.grounds[at.ground];
                            let name = staging.fresh();
                            let staging = staging.directory(ground, &mut self.held)?;
                            copy(&file, staging, &name)?;
                            staging.move_new(&name, directory, at.name())?;
                        }
                    }
                    New::Named(name) => {
                        self.grounds[at.ground].staging.opened()?.move_new(&name, directory, at.name())?;
                    }
                    New::Link(text) => directory.make_link(&text, at.name())?,
                }
                undo.push(Undo::Remove(at));
            }
            Step::Put { at, new, over: Some((was, kept)) } => {
                let staging = self.grounds[at.ground].staging.opened()?;
                match new {
                    New::Unnamed(file) => {
                        staging.give_name(&file, &kept).or_else(|_| copy(&file, staging, &kept))?;
                    }
                    New::Named(name) => staging.move_new(&name, staging, &kept)?,
                    New::Link(text) => staging.make_link(&text, &kept)?,
                }
                fault::point("replay.named");
                staging.exchange(&kept, directory, at.name())?;
                let found = staging.look(&kept)?;
                undo.push(Undo::Exchange(at, kept));
                is_still(&was, found.into())?;
            }
            Step::SetMode { at, mode, was } => {
                let found = Identity::from(directory.look(at.name())?);
                // chmod(2) of a directory would take bits away that it has from the one it is in.
                let inherited =
                    if found.kind() == FileKind::Directory { found.permissions() & 0o7000 } else { 0 };
                directory.set_mode(at.name(), inherited | mode)?;
                undo.extend(was.map(|was| Undo::SetMode(at, was)));
            }
            Step::Touch(at) => directory.touch(at.name())?,
        }
        Ok(())
    }

    /// Takes back what was done; what cannot be taken back stays where it is kept.
    fn take_back(&mut self, undo: Vec<Undo>, why: Refused) -> Refused {
        fault::point("replay.failed");
        let mut lost = None;
        for undo in undo.into_iter().rev() {
            let ground = match &undo {
                Undo::PutBack(at, _) | Undo::Exchange(at, _) | Undo::Remove(at) => at.ground,
                Undo::Unmake(at) | Undo::SetMode(at, _) => at.ground,
            };
            let keeps = matches!(undo, Undo::PutBack(..) | Undo::Exchange(..));
            if self.take_one_back(undo).is_err() && keeps {
                lost = lost.or(self.grounds[ground].staging.keep());
            }
            fault::point("replay.taken-back");
        }
        match (lost, why) {
            (Some(kept), Refused::Io { path, source }) => {
                let source = io::Error::other(format!("{source}; what was there is in {}", kept.display()));
                Refused::Io { path, source }
            }
            (_, why) => why,
        }
    }

    fn take_one_back(&self, undo: Undo) -> io::Result<()> {
        let mut ways = Ways::default();
        match undo {
            Undo::PutBack(at, kept) => {
                let staging = self.grounds[at.ground].staging.opened()?;
                staging.move_new(&kept, ways.at(&self.grounds, &at)?, at.name())
            }
            Undo::Exchange(at, kept) => {
                let staging = self.grounds[at.ground].staging.opened()?;
                staging.exchange(&kept, ways.at(&self.grounds, &at)?, at.name())
            }
            Undo::Remove(at) => ways.at(&self.grounds, &at)?.remove(at.name()),
            Undo::Unmake(at) => ways.at(&self.grounds, &at)?.remove_directory(at.name()),
            Undo::SetMode(at, mode) => ways.at(&self.grounds, &at)?.set_mode(at.name(), mode),
        }
    }

    fn shown(&self, at: &At) -> PathBuf {
        let ground = &self.grounds[at.ground];
        let below = at.path.strip_prefix(&ground.rest).unwrap_or(&at.path);
        if below == Path::new("") { ground.prefix.clone() } else { ground.prefix.join(below) }
    }
}

/// Makes sure that what was taken away is what was looked at: renames tell nobody what they move.
fn is_still(was: &Identity, found: Identity) -> io::Result<()> {
    // A rename changes the change time.
    if (Identity { ctime: was.ctime, ..found }) == *was {
        return Ok(());
    }
    Err(io::Error::other("it was changed meanwhile"))
}

impl Step {
    fn at(&self) -> &At {
        match self {
            Self::Remove { at, .. } | Self::Put { at, .. } | Self::SetMode { at, .. } => at,
            Self::Make(at) | Self::Touch(at) => at,
        }
    }
}
