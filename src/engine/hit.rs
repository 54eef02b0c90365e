//! The life of a hit: manifest, observations, outcome, outputs staged, everything verified; then outputs
//! into place, the transcript, one record in the journal.

use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
use crate::action::reason::Missed;
use crate::config::{Mode, duration};
use crate::error::{Error, Kind, system_text};
use crate::replay::outputs::{self, Place, Staged};
use crate::replay::streams::{self, Replayed, Source};
use crate::store::Renewal;
use crate::store::manifest::{Entry, Manifest};
use crate::store::outcome::{Outcome, Transcript};
use crate::sys::startup::Inherited;
use crate::sys::{file, signal};

use super::{Call, Exit};

/// An outcome that answers the call, verified.
pub(super) struct Hit {
    key: ActionKey,
    entry: Entry,
    pub(super) outcome: Outcome,
    source: Source,
    staged: Staged,
    renewal: Option<Renewal>,
}

/// A hit that hashed more than this, in bytes, renews stat identities: rewriting the manifest costs as much as
/// hashing some 64 KiB.
const HASHED_MUCH: u64 = 64 << 10;
/// An outcome this far down is moved to the front: each one before it is compared first.
const FAR_DOWN: usize = 128;

impl Call<'_> {
    /// Looks a key up.
    pub(super) fn look(&mut self, key: &ActionKey) -> Result<Hit, Missed> {
        crate::fault::point("lookup");
        let manifest = self.store.manifest(key).map_err(Missed::Damaged)?;
        self.look_in(manifest)
    }

    pub(super) fn look_in(&mut self, mut manifest: Manifest) -> Result<Hit, Missed> {
        let mut damaged = None;
        self.seen.retain(|(seen, _)| *seen != manifest.key);
        self.seen.push((manifest.key, manifest.ids()));
        loop {
            let mut scene = self.scene();
            let now = scene.now;
            let found = manifest.find(&mut scene, |entry| self.accepts(entry, now));
            let hashed = scene.hashed;
            let found = match found {
                Ok(found) => found,
                Err(missed) => return Err(damaged.unwrap_or(missed)),
            };
            let entry = &manifest.entries[found.position];
            let renewal = Renewal {
                learned: if hashed > HASHED_MUCH { found.learned } else { Vec::new() },
                forward: (found.position > FAR_DOWN).then_some(entry.id),
            };
            match self.fetch(&manifest.key, entry, found.newest_input) {
                Ok(hit) => {
                    let renewal = (renewal != Renewal::default()).then_some(renewal);
                    return Ok(Hit { renewal, ..hit });
                }
                Err(missed) => damaged = Some(missed),
            }
            // Another outcome may answer as well.
            manifest.entries.remove(found.position);
        }
    }

    /// Whether this call's options would have kept, and still want, what was recorded.
    fn accepts(&self, entry: &Entry, now: Timestamp) -> Result<(), Missed> {
        let options = self.request.options;
        let limits = [entry.ttl, options.ttl];
        // Recorded in the future: the clock was set back, and its age is not known.
        let age = now.since(entry.recorded).ok_or(Missed::Expired)?;
        if limits.into_iter().flatten().any(|limit| age >= limit) {
            return Err(Missed::Expired);
        }
        if options.cache_exit.contains(entry.exit) { Ok(()) } else { Err(Missed::OtherOptions) }
    }

    fn fetch(&self, key: &ActionKey, entry: &Entry, newest_input: Option<i64>) -> Result<Hit, Missed> {
        let damaged = |what: String| Missed::Damaged(what);
        let outcome = self.store.outcome(entry).map_err(damaged)?;
        let source = match &outcome.transcript {
            Transcript::Inline(bytes) => Source::Memory(bytes.clone()),
            Transcript::Blob { digest, length } => {
                let file =
                    self.store.blobs.open(digest, *length).map_err(|error| damaged(error.to_string()))?;
                Source::File(file, *length)
            }
        };
        let staged = if outcome.outputs.is_empty() {
            Staged::default()
        } else {
            let declared = |path: &std::path::Path| self.is_declared(path);
            let place = Place { declared: &declared, newest_input, mask: file::creation_mask() };
            outputs::stage(&outcome.outputs, &self.store.blobs, place)
                .map_err(|error| damaged(error.to_string()))?
        };
        Ok(Hit { key: *key, entry: entry.clone(), outcome, source, staged, renewal: None })
    }

    /// Replays a hit; `Err` with the reason while the command may still be run.
    pub(super) fn serve(&mut self, hit: Hit) -> Result<Result<Exit, Error>, Missed> {
        let Hit { key, entry, outcome, source, staged, renewal } = hit;
        staged.swap().map_err(|error| Missed::Damaged(error.to_string()))?;
        let now = (self.request.now)();
        if self.ui.is_verbose() {
            let age = now.since(entry.recorded).unwrap_or_default();
            self.ui.verbose(format_args!(
                "hit: recorded {} ago, {} saved",
                duration::Shown(age),
                duration::Shown(outcome.duration)
            ));
        }
        self.started.set(true);
        crate::fault::point("replay.streams");
        let replayed = streams::replay(&source);
        self.note_hit(&key, entry.id, &outcome);
        crate::fault::point("replay.done");
        if self.request.options.mode != Mode::ReadOnly {
            self.digests.keep();
            if let Some(renewal) = renewal {
                // Only time is lost when it cannot be kept.
                let _ = self.store.renew(&key, &renewal);
            }
        }
        Ok(end(replayed, outcome.exit, self.request.inherited))
    }
}

/// Ends as the command would have, had it written what was replayed itself.
pub(super) fn end(replayed: Replayed, status: u8, inherited: &Inherited) -> Result<Exit, Error> {
    match replayed {
        Replayed::Whole => Ok(Exit::Code(status)),
        // The command would have been told by SIGPIPE; where that is ignored, by an error it may not mind.
        Replayed::ReaderGone if inherited.ignored(signal::PIPE) => Ok(Exit::Code(status)),
        Replayed::ReaderGone => Ok(Exit::Signal(signal::PIPE)),
        Replayed::Undelivered(error) => undelivered(&error, inherited),
    }
}

/// Ends as what could not pass its output on ends.
///
/// # Errors
/// What is said of it.
pub(super) fn undelivered(error: &std::io::Error, inherited: &Inherited) -> Result<Exit, Error> {
    if signal::is_file_limit(error) && !inherited.ignored(signal::XFSZ) {
        return Ok(Exit::Signal(signal::XFSZ));
    }
    Err(Error::new(Kind::Failed, format_args!("cannot write the command's output: {}", system_text(error))))
}
