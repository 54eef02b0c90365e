//! A run becomes a record: what it depends on is compared again, and what is sound is committed.
//!
//! Those who wait for the run hear what became of it, whatever that is.

use std::path::PathBuf;

use crate::action::digest::Digest;
use crate::action::key::{ActionKey, Stdin};
use crate::action::observation::{Observation, difference};
use crate::action::reason::Unrecorded;
use crate::action::words::Settled;
use crate::error::system_text;
use crate::exec::capture::Ran;
use crate::exec::transcript::Spooled;
use crate::fault;
use crate::store::lease::{Lease, Taken, Written};
use crate::store::outcome::{Outcome, Shown, Transcript};
use crate::store::temporary::Temporary;
use crate::store::verdict::Verdict;
use crate::store::{Commit, NotCommitted, parts};
use crate::sys::process::Ended;

use super::depfile::Told;
use super::left::{Left, Places};
use super::miss::{Before, Spooling};
use super::standard_input::How;
use super::{Call, MOST_NAMED};

impl Call<'_> {
    /// Records the run, and tells those who wait what became of it.
    pub(super) fn record(
        &self,
        before: Before,
        ran: &Ran,
        transcript: Spooled,
        how: &How,
        run: Spooling,
        generation: u64,
    ) -> Result<(), Unrecorded> {
        let Spooling { lease, temporary } = run;
        let (mut lease, temporary) = (lease.into_inner(), temporary.into_inner());
        let stdin = self.stdin_of(ran, how);
        let settled = stdin.as_ref().ok().copied();
        if settled.is_none() && kept_status(ran).is_ok() {
            self.unlearn(how, generation);
        }
        let done = self.sound(before, ran, stdin).and_then(|sound| {
            let sound = sound?;
            self.commit(sound, ran, &transcript, &mut lease, temporary.as_ref(), generation)
        });
        let verdict = match &done {
            Ok(()) => Verdict::Recorded,
            // Nothing it depends on changed, so that it is the answer to whoever asked meanwhile.
            Err(Unrecorded::ExitStatus(status)) => Verdict::Status(*status),
            Err(
                Unrecorded::Signal(_)
                | Unrecorded::ReaderGone
                | Unrecorded::InputChangedMeanwhile(_)
                | Unrecorded::Singleton(_),
            ) => Verdict::Void,
            Err(_) => Verdict::Unshared,
        };
        if let Some(lease) = lease.as_mut().filter(|lease| lease.is_current()) {
            conclude(lease, verdict, &transcript);
        }
        drop(lease);
        let key = settled.map(|(stdin, _)| self.keys.with(stdin));
        self.note_miss(key.as_ref(), ran, done.as_ref().err());
        if done.is_ok()
            && let Some((stdin, taken)) = settled
        {
            self.learn(stdin, taken, how, ran.duration, generation);
        }
        done
    }

    /// Makes sure that the run says something about the command and that nothing it depends on changed.
    /// The inner error is about a run that failed, and of which that holds all the same.
    fn sound(
        &self,
        before: Before,
        ran: &Ran,
        stdin: Result<(Stdin, u64), Unrecorded>,
    ) -> Result<Result<Sound, Unrecorded>, Unrecorded> {
        let status = kept_status(ran)?;
        let (stdin, taken) = stdin?;
        let key = self.keys.with(stdin);
        let mut scene = self.scene();
        for observation in &before.observations {
            if difference(observation, &mut scene).is_some() {
                return Err(Unrecorded::InputChangedMeanwhile(observation.subject.path().to_owned()));
            }
        }
        if !self.request.action.singletons.is_empty() {
            (self.request.lasting)().map_err(Unrecorded::Singleton)?;
        }
        let manifest = self.store.manifest(&key).ok();
        let known =
            |path: &std::path::Path, digest: &_| manifest.as_ref().is_some_and(|m| m.is_output(path, digest));
        let settled = before.words.settle(&mut scene, known)?;
        if !self.request.options.cache_exit.contains(status) {
            return Ok(Err(Unrecorded::ExitStatus(status)));
        }
        let mut observations = before.observations;
        observations.extend(settled.observations.iter().cloned());
        let is_made = |path: &std::path::Path| manifest.as_ref().is_some_and(|m| m.is_made(path));
        observations.extend(before.overwritten.settle(is_made));
        let mut told = self.read_depfile(before.depfile, &observations, &settled, &mut scene)?;
        observations.extend(told.iter_mut().flat_map(|told| std::mem::take(&mut told.observations)));
        Ok(Ok(Sound { key, stdin, status, taken, observations, settled, places: before.places, told }))
    }

    fn commit(
        &self,
        sound: Sound,
        ran: &Ran,
        transcript: &Spooled,
        lease: &mut Option<Lease>,
        temporary: Option<&Temporary>,
        generation: u64,
    ) -> Result<(), Unrecorded> {
        let Sound { key, stdin, status, taken, observations, settled, places, told } = sound;
        let now = (self.request.now)();
        let (transcript, file) = keep_transcript(transcript, lease.as_mut(), temporary)?;
        let path = self.store.lease_path(&key);
        let early = lease.as_ref().filter(|lease| lease.path() == path);
        // What stdin turned out to be may give another key than was expected.
        let late = match early {
            Some(_) => None,
            None => match self.late_lease(&key)? {
                Late::Lease(lease) => Some(lease),
                Late::Unlocked => None,
                Late::Answered => return Ok(()),
            },
        };
        let Left { outputs, undeclared } = self.outputs(&places, &settled, transcript.length())?;
        if let Some(path) = undeclared.first().filter(|_| self.request.options.strict) {
            return Err(Unrecorded::UndeclaredOutput(path.clone()));
        }
        for path in undeclared.iter().take(MOST_NAMED) {
            self.ui
                .verbose(format_args!("not restored on a hit: `{}`, which is not declared", path.display()));
        }
        if let (Some(told), Some(depfile)) = (told, &self.request.action.depfile) {
            let stored = outputs.iter().find(|output| output.path == *depfile);
            if !stored.is_some_and(|output| told.is(&output.content)) {
                return Err(Unrecorded::InputChangedMeanwhile(depfile.clone()));
            }
        }
        fault::point("miss.outputs");
        let outcome = Outcome {
            exit: status,
            recorded: now,
            ttl: self.request.options.ttl,
            duration: ran.duration,
            transcript,
            stdin: taken,
            outputs,
            shown: self.shown(),
            parts: parts::encode(&self.request.action.parts(Some(stdin), self.store.secret().as_ref())),
        };
        let commit = Commit { outcome, observations, undeclared: !undeclared.is_empty(), transcript: file };
        self.store.commit(&key, commit, early.or(late.as_ref()), generation, now).map_err(|error| match error
        {
            NotCommitted::Cleared => Unrecorded::Unkeyed("it was cleared while it ran".to_owned()),
            // Somebody looks after the store, or a process that holds a lock was stopped: no trouble to speak of.
            NotCommitted::Trouble(trouble) if trouble.is_wait_given_up() => {
                Unrecorded::Unkeyed("the store is busy".to_owned())
            }
            NotCommitted::Trouble(trouble) => Unrecorded::Store(trouble.to_string()),
        })
    }

    /// Takes the lease of a key that was not known before the run.
    fn late_lease(&self, key: &ActionKey) -> Result<Late, Unrecorded> {
        match self.store.lease(key) {
            Ok(Taken::Ours(lease)) => {
                fault::point("miss.late");
                let manifest = self.store.manifest(key);
                let mut scene = self.scene();
                let answered = !self.missed.replaces()
                    && manifest.is_ok_and(|manifest| manifest.find(&mut scene, |_| Ok(())).is_ok());
                Ok(if answered { Late::Answered } else { Late::Lease(lease) })
            }
            Ok(Taken::Held(_)) => Err(Unrecorded::SameKey),
            Ok(Taken::NoLocks) => Ok(Late::Unlocked),
            Err(trouble) => Err(Unrecorded::Store(trouble.to_string())),
        }
    }

    fn shown(&self) -> Shown {
        let action = self.request.action;
        let mut left = Shown::MOST_BYTES;
        let words = action.words.iter().map_while(|word| {
            let bytes = word.as_encoded_bytes();
            let room = left > 0;
            let kept = &bytes[..bytes.len().min(left)];
            left -= kept.len();
            room.then(|| kept.to_vec())
        });
        let assigned = action.effective_assignments();
        let ignored = assigned.iter().map(|(name, _)| name).filter(|name| name.is_ignored());
        let ignored = ignored.chain(action.inputs.ignored());
        let texts =
            action.texts.iter().filter_map(|(name, _)| name.as_ref()).filter(|name| name.is_ignored());
        Shown {
            words: words.collect(),
            assignments: assigned
                .iter()
                .filter(|(name, _)| !name.is_ignored())
                .map(|(name, _)| name.to_string())
                .collect(),
            ignored: ignored.chain(texts).map(ToString::to_string).collect(),
            directory: (!self.request.directory.as_os_str().is_empty())
                .then(|| self.request.directory.to_owned()),
            group: self.request.options.group.clone(),
            call: action.call_digest(),
        }
    }
}

/// A run that may be recorded.
struct Sound {
    key: ActionKey,
    stdin: Stdin,
    status: u8,
    taken: u64,
    observations: Vec<Observation>,
    settled: Settled,
    places: Places,
    told: Option<Told>,
}

/// Returns the exit status of a run that says something about the command.
fn kept_status(ran: &Ran) -> Result<u8, Unrecorded> {
    let status = match ran.ended {
        Ended::Signal(signal) => return Err(Unrecorded::Signal(signal)),
        Ended::Exit(status) => status,
    };
    if let Some(signal) = ran.signalled {
        return Err(Unrecorded::Signal(signal));
    }
    if ran.reader_gone || ran.undelivered.is_some() {
        return Err(Unrecorded::ReaderGone);
    }
    if ran.held {
        return Err(Unrecorded::PipeHeld);
    }
    if ran.interactive { Err(Unrecorded::Interactive) } else { Ok(status) }
}

/// Returns the transcript as an outcome has it, and the file that is to become its blob.
fn keep_transcript(
    spooled: &Spooled,
    lease: Option<&mut Lease>,
    temporary: Option<&Temporary>,
) -> Result<(Transcript, Option<(PathBuf, Digest)>), Unrecorded> {
    match (spooled, temporary, lease) {
        (Spooled::Inline(bytes), ..) => Ok((Transcript::Inline(bytes.clone()), None)),
        (Spooled::TooLarge, ..) => Err(Unrecorded::TooLarge),
        (Spooled::Failed(error), ..) => Err(Unrecorded::Store(system_text(error))),
        (Spooled::InFile { digester, length }, Some(temporary), _) => {
            let digest = digester.finish();
            Ok((Transcript::Blob { digest, length: *length }, Some((temporary.path().to_owned(), digest))))
        }
        (Spooled::InFile { digester, length }, None, Some(lease)) => {
            let written = Written { digester: digester.clone(), length: *length };
            // The verdict stands in the file before its digest becomes its name.
            let (digest, length) = lease
                .conclude(Verdict::Recorded, Some(&written))
                .map_err(|error| Unrecorded::Store(system_text(&error)))?;
            Ok((Transcript::Blob { digest, length }, Some((lease.path().to_owned(), digest))))
        }
        (Spooled::InFile { .. }, None, None) => Err(Unrecorded::Store("the spool is gone".to_owned())),
    }
}

/// Writes the verdict for those who wait, with the transcript when that is their answer.
fn conclude(lease: &mut Lease, verdict: Verdict, transcript: &Spooled) {
    let (verdict, written) = match (verdict, transcript) {
        (Verdict::Status(_), Spooled::Inline(bytes)) => match lease.write_transcript(bytes) {
            Ok(written) => (verdict, Some(written)),
            // A status without what the run wrote is no answer.
            Err(_) => (Verdict::Unshared, None),
        },
        (Verdict::Status(_), Spooled::InFile { digester, length }) => {
            (verdict, Some(Written { digester: digester.clone(), length: *length }))
        }
        (Verdict::Status(_), Spooled::TooLarge | Spooled::Failed(_)) => (Verdict::Unshared, None),
        _ => (verdict, None),
    };
    // Without a verdict those who wait run the command themselves.
    let _ = lease.conclude(verdict, written.as_ref());
}

enum Late {
    Lease(Lease),
    /// The file system has no locks.
    Unlocked,
    /// Somebody recorded the same meanwhile.
    Answered,
}
