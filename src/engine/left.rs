//! What a run left: stored by content, as the outputs of its outcome.

use std::io;
use std::path::{Path, PathBuf};

use crate::action::digest::Digest;
use crate::action::identity::{FileKind, Identity};
use crate::action::output::Cover;
use crate::action::reason::Unrecorded;
use crate::action::scene::identity_of;
use crate::action::survey::Survey;
use crate::action::words::Settled;
use crate::error::system_text;
use crate::replay::outputs::{follows_mask, physical};
use crate::store::outcome::{Content, Output, OutputKind};
use crate::store::restores::Count;
use crate::sys::file;

use super::Call;

/// The set-id bits of a mode (inode(7)).
const SET_ID: u32 = 0o6000;

/// What was at the places of outputs before the run.
#[derive(Debug, Default)]
pub(super) struct Places {
    survey: Survey,
    /// How often something was put back there.
    counts: Vec<(PathBuf, Count)>,
}

/// What a run left.
pub(super) struct Left {
    pub(super) outputs: Vec<Output>,
    /// What is new beside declared outputs and that nobody declared.
    pub(super) undeclared: Vec<PathBuf>,
}

impl Call<'_> {
    /// Looks at the places of outputs before the run.
    ///
    /// # Errors
    /// Why no outputs can be recorded.
    pub(super) fn places(&self) -> Result<Places, Unrecorded> {
        let outputs = &self.request.action.outputs;
        if outputs.is_empty() {
            return Ok(Places::default());
        }
        let mut survey = Survey::take(outputs, self.hidden.store, |_, _| true)
            .map_err(|unseen| Unrecorded::Unkeyed(format!("cannot look at {unseen}")))?;
        survey.note_beside(outputs);
        let counts = self.counts();
        Ok(Places { survey, counts })
    }

    fn counts(&self) -> Vec<(PathBuf, Count)> {
        let places = self.request.action.outputs.iter().filter_map(|declared| {
            let place = physical(&declared.place).ok()?;
            let count = self.store.restores.count(&place);
            Some((place, count))
        });
        places.collect()
    }

    /// Stores what the run left, beside a transcript of this length in bytes.
    pub(super) fn outputs(
        &self,
        before: &Places,
        settled: &Settled,
        transcript: u64,
    ) -> Result<Left, Unrecorded> {
        let declared = self.declared_outputs(before)?;
        let automatic = settled.outputs.iter().map(|automatic| {
            let kind =
                if automatic.replaced.is_some() { OutputKind::Replaced } else { OutputKind::Automatic };
            found(&automatic.path, kind)
        });
        let mut stored = declared;
        for automatic in automatic {
            stored.push(automatic?);
        }
        for one in &stored {
            self.check_kind(one)?;
        }
        // Before anything is copied: what is not kept shall not fill the disk meanwhile.
        let lengths =
            stored.iter().map(|one| if one.entry.kind() == FileKind::File { one.entry.size } else { 0 });
        if lengths.fold(transcript, u64::saturating_add) > self.request.options.max_entry {
            return Err(Unrecorded::TooLarge);
        }
        for path in &settled.rewritten {
            stored.push(found(path, OutputKind::Rewritten)?);
        }
        let mask = file::creation_mask();
        // While they are read, nobody puts other ones in their place.
        let places: Vec<PathBuf> = before.counts.iter().map(|(place, _)| place.clone()).collect();
        let held =
            self.store.restores.hold(&places).map_err(|error| Unrecorded::Store(system_text(&error)))?;
        let outputs =
            stored.into_iter().map(|one| self.store_output(one, mask)).collect::<Result<Vec<_>, _>>()?;
        // Somebody may have done so while the command ran: it would not have seen it.
        if let Some((place, _)) = self.restored_meanwhile(before) {
            return Err(Unrecorded::InputChangedMeanwhile(place));
        }
        drop(held);
        Ok(Left { outputs, undeclared: self.undeclared(before) })
    }

    fn restored_meanwhile(&self, before: &Places) -> Option<(PathBuf, Count)> {
        before.counts.iter().find(|(place, count)| self.store.restores.count(place) != *count).cloned()
    }

    fn undeclared(&self, before: &Places) -> Vec<PathBuf> {
        let mut found = before.survey.undeclared(&self.request.action.outputs);
        found.retain(|path| !self.candidates.iter().any(|candidate| candidate == path));
        found
    }

    /// Returns what lies at declared places now, in the order of paths.
    fn declared_outputs(&self, before: &Places) -> Result<Vec<Found>, Unrecorded> {
        let action = self.request.action;
        if action.outputs.is_empty() {
            return Ok(Vec::new());
        }
        // A link that was there and that the run left alone leads to where the outputs are.
        let follow = |place: &Path, link: &Identity| before.survey.followed.get(place) == Some(link);
        let now = Survey::take(&action.outputs, self.hidden.store, follow).map_err(|unseen| match unseen
            .source
            .kind()
        {
            io::ErrorKind::PermissionDenied => {
                Unrecorded::OutputSpecial(unseen.path, "something that cannot be read")
            }
            _ => Unrecorded::InputChangedMeanwhile(unseen.path),
        })?;
        for declared in action.outputs.iter().filter(|declared| declared.glob.is_none()) {
            if !now.entries.contains_key(&declared.place) {
                return Err(Unrecorded::OutputMissing(declared.place.clone()));
            }
        }
        let mut found = Vec::with_capacity(now.entries.len());
        for (path, entry) in now.entries {
            let itself = matches!(action.outputs.cover(&path), Some((_, Cover::Itself)));
            let untouched = before.survey.entries.get(&path) == Some(&entry);
            if itself && untouched && entry.kind() == FileKind::Link {
                return Err(Unrecorded::OutputSpecial(path, "a link that the run did not make"));
            }
            // Its times change with what is in it; that it was there is what counts.
            let untouched = untouched
                || entry.kind() == FileKind::Directory
                    && before.survey.entries.get(&path).is_some_and(|was| was.kind() == FileKind::Directory);
            let kind = match (itself, untouched) {
                // A file that the run left as it was may be the user's, whoever declares it.
                (true, true) if entry.kind() == FileKind::File => OutputKind::Found,
                (true, _) => OutputKind::Declared,
                (false, true) => OutputKind::Found,
                (false, false) => OutputKind::Made,
            };
            found.push(Found { path, kind, entry });
        }
        Ok(found)
    }

    fn check_kind(&self, one: &Found) -> Result<(), Unrecorded> {
        let what = match one.entry.mode & 0o170_000 {
            0o100_000 if one.entry.permissions() & SET_ID != 0 => "a file with a set-id bit",
            0o100_000 | 0o040_000 | 0o120_000 => return Ok(()),
            0o010_000 => "a fifo",
            0o140_000 => "a socket",
            _ => "a device",
        };
        Err(Unrecorded::OutputSpecial(one.path.clone(), what))
    }

    fn store_output(&self, one: Found, mask: u32) -> Result<Output, Unrecorded> {
        let Found { path, kind, entry } = one;
        let changed = || Unrecorded::InputChangedMeanwhile(path.clone());
        let content = match entry.kind() {
            FileKind::Directory => Content::Directory,
            FileKind::Link => {
                let text = std::fs::read_link(&path).map_err(|_| changed())?;
                Content::Link(text.into_os_string().into_encoded_bytes())
            }
            _ => self.store_file(&path, kind, &entry)?,
        };
        let mode = match entry.kind() {
            FileKind::Link => 0,
            // Set-id and sticky bits of a directory come from the one it is in, or are not for memo to give.
            FileKind::Directory => entry.permissions() & 0o777,
            _ => entry.permissions(),
        };
        Ok(Output { path, kind, content, mode, follows_mask: follows_mask(mode, mask) })
    }

    fn store_file(&self, path: &Path, kind: OutputKind, entry: &Identity) -> Result<Content, Unrecorded> {
        let unreadable = |_| Unrecorded::OutputSpecial(path.to_owned(), "something that cannot be read");
        let changed = || Unrecorded::InputChangedMeanwhile(path.to_owned());
        let source = file::open(path).map_err(unreadable)?;
        if super::id_of(&source) != Some((entry.dev, entry.ino)) {
            return Err(changed());
        }
        let (digest, length) = if kind == OutputKind::Rewritten {
            (Digest::of_file(&source, entry.size).map_err(unreadable)?, entry.size)
        } else {
            self.store.blobs.put_file(&source).map_err(|error| Unrecorded::Store(system_text(&error)))?
        };
        if !identity_of(&source).is_ok_and(|now| now == *entry) {
            return Err(changed());
        }
        Ok(Content::File { digest, length })
    }
}

/// Something that lies where an output is to be.
struct Found {
    path: PathBuf,
    kind: OutputKind,
    entry: Identity,
}

/// Returns a file that a word names.
fn found(path: &Path, kind: OutputKind) -> Result<Found, Unrecorded> {
    let entry = Identity::of_entry(path).map_err(|_| Unrecorded::OutputMissing(path.to_owned()))?;
    Ok(Found { path: path.to_owned(), kind, entry })
}
