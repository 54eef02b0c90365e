//! Why a call would hit or miss: all that a lookup does, and nothing else. Nothing is run, replayed, put in
//! place, written or renewed.
//!
//! A file on stdin is hashed where it stands, like an input. Of a pipe nothing is taken, unless that is asked for.

use std::cell::Cell;
use std::time::Duration;

use crate::action::identity::Timestamp;
use crate::action::key::{ActionKey, Stdin};
use crate::action::part::{Part, compare};
use crate::action::reason::{Missed, Unrecorded};
use crate::config::Mode;
use crate::error::Error;
use crate::exec::stdin::{self, Now, Source};
use crate::replay::{outputs, streams};
use crate::store::index::{History, Refused};
use crate::store::location::Trouble;
use crate::store::manifest::{Entry, Manifest};
use crate::store::outcome::{Outcome, OutcomeId};
use crate::store::refresh::Failure;
use crate::store::{Store, parts};
use crate::ui::Ui;

use super::age::Age;
use super::earlier::Nearest;
use super::standard_input::bytes_or_none;
use super::{Answers, Call, Request, bad_input};

/// Why a call would hit or miss.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// The outcome that would answer.
    pub hit: Option<Answer>,
    /// Why none would; `None` for a hit, and where nothing is looked up.
    pub missed: Option<Missed>,
    /// Why the run would not be recorded, as far as that is known before it.
    pub unrecorded: Option<Unrecorded>,
    /// The key, where stdin is known.
    pub key: Option<ActionKey>,
    /// Whether stdin is a pipe that was not read.
    pub unread: bool,
    /// What was recorded before and is nearest to the call.
    pub nearest: Option<Nearest>,
    /// What is passed on and not hashed, by its name.
    pub ignored: Vec<Ignored>,
    /// Why the last run of this call was not recorded.
    pub refused: Option<Refused>,
}

/// An outcome that would answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The key it is found by.
    pub key: ActionKey,
    /// Which.
    pub outcome: OutcomeId,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// How long its run took.
    pub saves: Duration,
    /// Whether it would be refreshed behind.
    pub stale: bool,
    /// Whether a `--check` has a say too, which is not made.
    pub unchecked: bool,
    /// The last refresh of it that ran behind and failed.
    pub failure: Option<Failure>,
}

/// Something that is passed on and not hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Its name.
    pub name: String,
    /// Whether it has changed since; `None` where that is not known.
    pub changed: Option<bool>,
}

/// Finds out why a call would hit or miss. A pipe on stdin is read to its end only if `reads`.
///
/// # Errors
/// What memo would refuse before anything is run.
pub fn explain(
    request: Request<'_>,
    store: Result<Store, Trouble>,
    reads: bool,
    ui: &Ui,
) -> Result<Explanation, Error> {
    let mut explanation = Explanation { ignored: named(request), ..Explanation::default() };
    if request.options.mode == Mode::Off {
        explanation.missed = Some(Missed::ModeOff);
        return Ok(explanation);
    }
    if let Err(bad) = request.action.inputs.check() {
        explanation.unrecorded = Some(bad_input(request, bad, ui)?);
        if let Ok(store) = store {
            let started = Cell::new(false);
            explanation.refused = Call::new(request, store, ui, &started).history(true).refused;
        }
        return Ok(explanation);
    }
    let store = match store {
        Ok(store) => store,
        Err(trouble) => {
            explanation.unrecorded = Some(Unrecorded::Store(trouble.to_string()));
            return Ok(explanation);
        }
    };
    let started = Cell::new(false);
    let mut call = Call::new(request, store, ui, &started);
    let unlooked =
        request.keyless.cloned().or_else(|| call.output_that_is_input().map(Unrecorded::OutputIsInput));
    let asked = match unlooked.map_or_else(|| call.stdin_to_ask_for(reads), Err) {
        Ok(asked) => asked,
        Err(why) => {
            explanation.unrecorded = Some(why);
            explanation.refused = call.history(true).refused;
            return Ok(explanation);
        }
    };
    explanation.unread = asked.unread;
    explanation.key = asked.stdin.map(|stdin| call.keys.with(stdin));
    if request.options.mode == Mode::Refresh {
        call.missed = Missed::Refresh;
    } else {
        for &(key, answers) in &asked.keys {
            match call.answer_under(key, answers) {
                Ok((answer, outcome)) => {
                    let secret = call.store.secret().filter(|_| !explanation.ignored.is_empty());
                    if let Some(secret) = secret {
                        let was = parts::decode(&outcome.parts).unwrap_or_default();
                        let is = request.action.parts(asked.stdin, Some(&secret));
                        say_changed(&mut explanation.ignored, &was, &is);
                    }
                    explanation.hit = Some(answer);
                    return Ok(explanation);
                }
                Err(missed) => call.note_missed(missed, answers != Answers::All),
            }
        }
        let own = asked.keys.iter().filter(|(_, answers)| *answers == Answers::All);
        call.missed = call.nearest_missed(own.map(|(key, _)| *key));
        if asked.unread && call.missed == Missed::NeverSeen && asked.known {
            call.missed = Missed::Stdin;
        }
    }
    let history = call.history(true);
    call.explain_miss(asked.stdin, history, &mut explanation)?;
    Ok(explanation)
}

/// Returns the names that begin with `_`, each once.
fn named(request: Request<'_>) -> Vec<Ignored> {
    let action = request.action;
    let assigned = action.assignments.iter().map(|(name, _)| name);
    let texts = action.texts.iter().filter_map(|(name, _)| name.as_ref());
    let commands = action.key_commands.iter().map(|(name, _)| name);
    let names = assigned.chain(texts).chain(commands).filter(|name| name.is_ignored());
    let mut names: Vec<String> = names.chain(action.inputs.ignored()).map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| Ignored { name, changed: None }).collect()
}

/// Says of names that are left out whether their values have changed.
fn say_changed(ignored: &mut [Ignored], was: &[Part], is: &[Part]) {
    let apart = compare(was, is, |_| true);
    let of = |parts: &[Part], name: &str| {
        parts.iter().any(|part| part.is_ignored() && part.seal.is_some() && part.name == name.as_bytes())
    };
    for Ignored { name, changed } in ignored {
        if of(was, name) && of(is, name) {
            let differs =
                apart.iter().filter_map(|apart| apart.part()).any(|part| part.name == name.as_bytes());
            *changed = Some(differs);
        }
    }
}

/// Under which stdin a call is looked up.
struct Asked {
    /// The keys, in this order.
    keys: Vec<(ActionKey, Answers)>,
    /// What stdin is, if that is known.
    stdin: Option<Stdin>,
    /// Whether it is a pipe that was not read.
    unread: bool,
    /// Whether the command is known to read it.
    known: bool,
}

impl Call<'_> {
    /// Returns what stdin is, without taking anything unless that is asked for.
    fn stdin_to_ask_for(&mut self, reads: bool) -> Result<Asked, Unrecorded> {
        let settled = |call: &Self, stdin| Asked {
            keys: call.keys_for(stdin).to_vec(),
            stdin: Some(stdin),
            unread: false,
            known: true,
        };
        let source = self.source();
        match source {
            Source::Null => Ok(settled(self, Stdin::None)),
            Source::Closed => Ok(settled(self, Stdin::Closed)),
            Source::Terminal => Ok(settled(self, Stdin::Terminal)),
            Source::File => self.file_stdin().map(|(stdin, _)| settled(self, stdin)),
            Source::Other(why) => Err(Unrecorded::Stdin(why)),
            Source::Pipe { .. } | Source::Socket => {
                let mut keys = Vec::new();
                let mut is_read = false;
                for (key, answers) in self.keys_for(Stdin::Any) {
                    let Ok(known) = self.store.manifest(&key) else { continue };
                    is_read |= known.stdin.reads_all.is_some();
                    keys.extend((!known.entries.is_empty()).then_some((key, answers)));
                }
                let stdin = match stdin::look(source) {
                    Now::End => Some(Stdin::None),
                    _ if reads => {
                        let read = stdin::digest_all().map_err(|_| Unrecorded::Stdin("it cannot be read"))?;
                        Some(bytes_or_none(read.1, read.0))
                    }
                    Now::Silent => {
                        keys.extend(self.keys_for(Stdin::Idle));
                        None
                    }
                    Now::Bytes => None,
                };
                keys.extend(stdin.into_iter().flat_map(|stdin| self.keys_for(stdin)));
                Ok(Asked { keys, stdin, unread: stdin.is_none(), known: is_read })
            }
        }
    }

    /// Looks a key up, and verifies what would be replayed.
    fn answer_under(&mut self, key: ActionKey, answers: Answers) -> Result<(Answer, Outcome), Missed> {
        let mut manifest = self.store.manifest(&key).map_err(Missed::Damaged)?;
        let mut damaged = None;
        loop {
            let mut scene = self.scene();
            let now = scene.now;
            let found = manifest.find(&mut scene, |entry| self.accepts(&key, entry, now).map(|_| ()));
            let found = match found {
                Ok(found) => found,
                Err(missed) => return Err(damaged.unwrap_or(missed)),
            };
            let entry = &manifest.entries[found.position];
            match self.verify(&manifest, entry, answers) {
                Ok(outcome) => {
                    let answer = Answer {
                        key,
                        outcome: entry.id,
                        recorded: entry.recorded,
                        saves: outcome.duration,
                        stale: self.accepts(&key, entry, now) == Ok(Age::Stale),
                        unchecked: self.check.is_some(),
                        failure: entry.failure.clone(),
                    };
                    return Ok((answer, outcome));
                }
                Err(missed) => damaged = Some(missed),
            }
            manifest.entries.remove(found.position);
        }
    }

    fn verify(&self, manifest: &Manifest, entry: &Entry, answers: Answers) -> Result<Outcome, Missed> {
        let outcome = self.store.outcome(entry).map_err(Missed::Damaged)?;
        let transcript = streams::Source::open(&outcome.transcript, &self.store.blobs)
            .map_err(|error| Missed::Damaged(error.to_string()))?;
        if !answers.hold(&transcript).map_err(|error| Missed::Damaged(error.to_string()))? {
            return Err(Missed::NeverSeen);
        }
        for (digest, length) in outcome.blobs() {
            if !self.store.blobs.has(&digest, length) {
                return Err(Missed::Damaged(format!("blob {} is gone", digest.short())));
            }
        }
        let known = || self.made_by(manifest);
        match outputs::in_the_way(&outcome.outputs, &known) {
            Some(path) => Err(Missed::InTheWay(path)),
            None => Ok(outcome),
        }
    }

    /// Says why a call misses, and what would become of its run.
    fn explain_miss(
        &mut self,
        stdin: Option<Stdin>,
        history: History,
        explanation: &mut Explanation,
    ) -> Result<(), Error> {
        explanation.missed = Some(self.missed.clone());
        explanation.nearest = self.nearest(&history, stdin);
        explanation.refused = history.refused;
        if let Some(nearest) = &explanation.nearest {
            let is = self.request.action.parts(stdin, self.store.secret().as_ref());
            say_changed(&mut explanation.ignored, &nearest.parts, &is);
        }
        explanation.unrecorded = if self.request.options.mode == Mode::ReadOnly {
            Some(Unrecorded::ReadOnly)
        } else {
            self.before()?.err()
        };
        Ok(())
    }
}
