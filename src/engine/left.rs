//! The files that a run left: stored by content, as the outputs of its outcome.

use std::path::Path;

use crate::action::digest::Digest;
use crate::action::identity::{FileKind, Identity};
use crate::action::reason::Unrecorded;
use crate::action::scene::identity_of;
use crate::action::words::Settled;
use crate::error::system_text;
use crate::replay::outputs::follows_mask;
use crate::store::outcome::{Output, OutputKind};
use crate::sys::file;

use super::Call;

impl Call<'_> {
    /// Stores the files that the run left, beside a transcript of this length in bytes.
    pub(super) fn outputs(&self, settled: &Settled, transcript: u64) -> Result<Vec<Output>, Unrecorded> {
        let mask = file::creation_mask();
        let declared = self.request.action.outputs.iter().map(|path| (path, OutputKind::Declared));
        let automatic = settled.outputs.iter().map(|automatic| {
            let kind =
                if automatic.replaced.is_some() { OutputKind::Replaced } else { OutputKind::Automatic };
            (&automatic.path, kind)
        });
        let stored: Vec<_> = declared.chain(automatic).collect();
        // Before anything is copied: what is not kept shall not fill the disk meanwhile.
        let lengths = stored.iter().filter_map(|(path, _)| Identity::of_entry(path).ok());
        let length = lengths.map(|entry| entry.size).fold(transcript, u64::saturating_add);
        if length > self.request.options.max_entry {
            return Err(Unrecorded::TooLarge);
        }
        let rewritten = settled.rewritten.iter().map(|path| (path, OutputKind::Rewritten));
        stored.into_iter().chain(rewritten).map(|(path, kind)| self.store_output(path, kind, mask)).collect()
    }

    fn store_output(&self, path: &Path, kind: OutputKind, mask: u32) -> Result<Output, Unrecorded> {
        let missing = || Unrecorded::OutputMissing(path.to_owned());
        let entry = Identity::of_entry(path).map_err(|_| missing())?;
        if entry.kind() != FileKind::File || entry.permissions() & 0o7000 != 0 {
            return Err(missing());
        }
        let source = file::open(path).map_err(|_| missing())?;
        if super::id_of(&source) != Some((entry.dev, entry.ino)) {
            return Err(Unrecorded::InputChangedMeanwhile(path.to_owned()));
        }
        let (digest, length) = if kind == OutputKind::Rewritten {
            let digest = Digest::of_file(&source, entry.size).map_err(|_| missing())?;
            (digest, entry.size)
        } else {
            self.store.blobs.put_file(&source).map_err(|error| Unrecorded::Store(system_text(&error)))?
        };
        if !identity_of(&source).is_ok_and(|now| now == entry) {
            return Err(Unrecorded::InputChangedMeanwhile(path.to_owned()));
        }
        let mode = entry.permissions();
        Ok(Output {
            path: path.to_owned(),
            kind,
            mode,
            follows_mask: follows_mask(mode, mask),
            digest,
            length,
        })
    }
}
