//! The life of a hit: manifest, observations, outcome, outputs staged, everything verified; then outputs
//! into place, the transcript, one record in the journal.

use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
use crate::action::reason::Missed;
use crate::config::{Mode, duration};
use crate::error::{Error, Kind, system_text};
use crate::exec::key_command;
use crate::replay::outputs::{self, Known, Place, Refused, Staged};
use crate::replay::streams::{self, Replayed, Source};
use crate::store::Renewal;
use crate::store::manifest::{Entry, Manifest};
use crate::store::outcome::{Outcome, Output, OutputKind};
use crate::sys::startup::Inherited;
use crate::sys::{file, signal};

use super::age::Age;
use super::{Answers, Call, Exit, MOST_NAMED};

/// An outcome that answers the call, verified.
pub(super) struct Hit {
    key: ActionKey,
    entry: Entry,
    pub(super) outcome: Outcome,
    source: Source,
    staged: Staged,
    renewal: Option<Renewal>,
    /// It is to be refreshed behind.
    stale: bool,
}

/// A hit that hashed more than this, in bytes, renews stat identities: rewriting the manifest costs as much as
/// hashing some 64 KiB.
const HASHED_MUCH: u64 = 64 << 10;
/// An outcome this far down is moved to the front: each one before it is compared first.
const FAR_DOWN: usize = 128;

impl Call<'_> {
    /// Looks a key up.
    pub(super) fn look(&mut self, key: &ActionKey, answers: Answers) -> Result<Hit, Missed> {
        crate::fault::point("lookup");
        let manifest = self.store.manifest(key).map_err(Missed::Damaged)?;
        self.look_in(manifest, answers)
    }

    pub(super) fn look_in(&mut self, manifest: Manifest, answers: Answers) -> Result<Hit, Missed> {
        let found = self.find_in(manifest, answers);
        // Before anything is replayed or said.
        self.gauge.rest();
        found
    }

    fn find_in(&mut self, mut manifest: Manifest, answers: Answers) -> Result<Hit, Missed> {
        let mut damaged = None;
        self.seen.retain(|(seen, _)| *seen != manifest.key);
        self.seen.push((manifest.key, manifest.ids()));
        loop {
            let mut scene = self.shown_scene();
            let now = scene.now;
            let found =
                manifest.find(&mut scene, |entry| self.accepts(&manifest.key, entry, now).map(|_| ()));
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
            match self.fetch(&manifest, entry, found.newest_input, answers) {
                Ok(hit) => {
                    let renewal = (renewal != Renewal::default()).then_some(renewal);
                    let stale = self.accepts(&manifest.key, entry, now) == Ok(Age::Stale);
                    return Ok(Hit { renewal, stale, ..hit });
                }
                Err(missed) => damaged = Some(missed),
            }
            // Another outcome may answer as well.
            manifest.entries.remove(found.position);
        }
    }

    /// Whether this call's options would have kept, and still want, what was recorded, and how old that is.
    pub(super) fn accepts(&self, key: &ActionKey, entry: &Entry, now: Timestamp) -> Result<Age, Missed> {
        let options = self.request.options;
        let age = match Age::of(entry.recorded, now, [entry.ttl, options.ttl], options.stale) {
            Age::Stale if !self.can_refresh(key, entry) => Age::Expired,
            age => age,
        };
        if age == Age::Expired {
            return Err(Missed::Expired);
        }
        let kept = options.cache_exit.contains(entry.exit) && !(options.strict && entry.undeclared);
        if kept { Ok(age) } else { Err(Missed::OtherOptions) }
    }

    /// Makes the `--check` that this call asks for before a hit.
    fn check(&mut self) -> Result<(), Missed> {
        let Some(line) = self.check else { return Ok(()) };
        // It has failed under another key of this call.
        if let Missed::CheckFailed(_) = self.missed {
            return Err(self.missed.clone());
        }
        let environment = self.request.environment.iter();
        let environment = environment.map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        key_command::check(line, environment).map_err(|failed| Missed::CheckFailed(failed.to_string()))?;
        self.check = None;
        Ok(())
    }

    fn fetch(
        &self,
        manifest: &Manifest,
        entry: &Entry,
        newest_input: Option<i64>,
        answers: Answers,
    ) -> Result<Hit, Missed> {
        let damaged = |what: String| Missed::Damaged(what);
        let outcome = self.store.outcome(entry).map_err(damaged)?;
        let source = Source::open_telling(&outcome.transcript, &self.store.blobs, Some(&self.gauge))
            .map_err(|error| damaged(error.to_string()))?;
        if !answers.hold(&source).map_err(|error| damaged(error.to_string()))? {
            return Err(Missed::NeverSeen);
        }
        let staged = if outcome.outputs.is_empty() && self.request.action.outputs.is_empty() {
            Staged::default()
        } else {
            let place = Place {
                declared: &self.request.action.outputs,
                words: &self.candidates,
                blobs: &self.store.blobs,
                restores: &self.store.restores,
                known: &|| self.made_by(manifest),
                newest_input,
                mask: file::creation_mask(),
                store: self.store.id(),
                onlooker: Some(&self.gauge),
            };
            outputs::stage(&outcome.outputs, place).map_err(missed)?
        };
        let key = manifest.key;
        Ok(Hit { key, entry: entry.clone(), outcome, source, staged, renewal: None, stale: false })
    }

    /// Returns what the outcomes of this action are known to have made.
    pub(super) fn made_by(&self, manifest: &Manifest) -> Known {
        let mut known = Known::new();
        for entry in &manifest.entries {
            // One that cannot be read says nothing.
            let Ok(outcome) = self.store.outcome(entry) else { continue };
            for Output { path, kind, content, .. } in outcome.outputs {
                if !matches!(kind, OutputKind::Found | OutputKind::Rewritten) {
                    known.entry(path).or_default().push(content);
                }
            }
        }
        known
    }

    /// Replays a hit; `Err` with the reason while the command may still be run.
    pub(super) fn serve(&mut self, hit: Hit) -> Result<Result<Exit, Error>, Missed> {
        let Hit { key, entry, outcome, source, staged, renewal, stale } = hit;
        self.check()?;
        if stale {
            // Before the replay: what cannot be refreshed can still be run.
            self.refresh(&key, &entry)?;
        }
        let stays = staged.stays.clone();
        staged.swap().map_err(missed)?;
        let now = (self.request.now)();
        if self.ui.is_verbose() {
            let age = now.since(entry.recorded).unwrap_or_default();
            self.ui.verbose(format_args!(
                "hit: recorded {} ago, {} saved",
                duration::Shown(age),
                duration::Shown(outcome.duration)
            ));
            for path in stays.iter().take(MOST_NAMED) {
                self.ui.verbose(format_args!("left alone: `{}`, which memo did not make", path.display()));
            }
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

fn missed(refused: Refused) -> Missed {
    match refused {
        Refused::InTheWay(path) => Missed::InTheWay(path),
        Refused::NoDirectory(path) => Missed::InputGone(path),
        other => Missed::Damaged(other.to_string()),
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
