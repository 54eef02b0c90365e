//! What the depfile of a run names: inputs of this outcome.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use crate::action::depfile;
use crate::action::digest::Digest;
use crate::action::identity::{FileKind, Identity};
use crate::action::late_input::{self, Start};
use crate::action::observation::{Observation, Subject};
use crate::action::reason::{Unrecorded, Unwritten};
use crate::action::scene::{Scene, Unobservable, identity_of, normal};
use crate::action::words::Settled;
use crate::error::system_text;
use crate::sys::file::{is_absent, open};

use crate::store::outcome::Content;

use super::Call;

/// The depfile before the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct DepfileBefore {
    /// What was there.
    entry: Option<Identity>,
    start: Start,
}

/// What the depfile said.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) observations: Vec<Observation>,
    /// Of the text that was read.
    digest: Digest,
}

impl Call<'_> {
    /// Looks at the place of the depfile, right before the command is started.
    pub(super) fn depfile_before(&self) -> Option<DepfileBefore> {
        let path = self.request.action.depfile.as_ref()?;
        let start = Start { time: (self.request.now)(), stamp: (self.request.stamp)() };
        Some(DepfileBefore { entry: Identity::of_entry(path).ok(), start })
    }

    /// Observes what the depfile names, but for what was observed already; `None` when there is to be none.
    pub(super) fn read_depfile(
        &self,
        before: Option<DepfileBefore>,
        observed: &[Observation],
        settled: &Settled,
        scene: &mut Scene<'_>,
    ) -> Result<Option<Told>, Unrecorded> {
        let (Some(path), Some(before)) = (&self.request.action.depfile, before) else { return Ok(None) };
        let refused = |why| Unrecorded::Depfile(path.clone(), why);
        let text = read(path, before.entry.as_ref())?;
        let named = depfile::prerequisites(&text).map_err(|why| refused(Unwritten::NoDepfile(why)))?;
        let at = |path: &Path| normal(path, self.request.directory);
        let action = self.request.action;
        let automatic: HashSet<PathBuf> = settled.outputs.iter().map(|output| at(&output.path)).collect();
        // Declared ones are observed, or left out by their names.
        let mut known: HashSet<PathBuf> = action.inputs.paths(self.request.directory).into_iter().collect();
        known.extend(
            observed.iter().filter(|one| has_content(&one.subject)).map(|one| at(one.subject.path())),
        );
        let outputs = action.outputs.within(self.request.directory);
        let mut observations = Vec::with_capacity(named.len());
        for input in named {
            let place = at(&input);
            if automatic.contains(&place) || outputs.holds(&input) {
                return Err(Unrecorded::OutputIsInput(input));
            }
            // Behind a link, `..` leads elsewhere than its text says.
            let climbs = input.components().any(|part| part == Component::ParentDir);
            if known.contains(&place) && !climbs {
                continue;
            }
            let unusable = |why| {
                let why = match why {
                    Unobservable::Io { source, .. } if is_absent(&source) => Unwritten::Gone(input.clone()),
                    Unobservable::Io { path, source } => Unwritten::Unusable(path, system_text(&source)),
                    Unobservable::Special { path, what } => Unwritten::Unusable(path, what.to_owned()),
                    other => Unwritten::Unusable(input.clone(), other.to_string()),
                };
                refused(why)
            };
            observations.extend(late_input::observe(&input, &before.start, scene, unusable)?);
            known.insert(place);
        }
        Ok(Some(Told { observations, digest: Digest::of(&text) }))
    }
}

impl Told {
    /// Returns whether a stored depfile is the one that was read.
    pub(super) fn is(&self, stored: &Content) -> bool {
        matches!(stored, Content::File { digest, .. } if *digest == self.digest)
    }
}

/// Returns whether content, by itself, is what a subject is about.
fn has_content(subject: &Subject) -> bool {
    matches!(subject, Subject::File(_) | Subject::Input(_) | Subject::Program(_))
}

/// Reads a depfile that the run wrote. One it left alone says what an earlier run read.
fn read(path: &Path, before: Option<&Identity>) -> Result<Vec<u8>, Unrecorded> {
    let refused = |why| Unrecorded::Depfile(path.to_owned(), why);
    let entry = match Identity::of_entry(path) {
        Ok(entry) if entry.kind() == FileKind::File && Some(&entry) != before => entry,
        _ => return Err(refused(Unwritten::NotWritten)),
    };
    if entry.size > depfile::MOST_BYTES {
        return Err(refused(Unwritten::TooLarge));
    }
    let content = |file: File| {
        let mut text = Vec::new();
        (&file).take(depfile::MOST_BYTES).read_to_end(&mut text)?;
        Ok((text, identity_of(&file)?))
    };
    let unusable = |error: std::io::Error| refused(Unwritten::Unusable(path.to_owned(), system_text(&error)));
    let (text, after) = open(path).and_then(content).map_err(unusable)?;
    if after == entry { Ok(text) } else { Err(Unrecorded::InputChangedMeanwhile(path.to_owned())) }
}
