//! The life of a miss: what it depends on is observed, the lease taken, the command run and captured;
//! then everything is looked at again, and what is sound is recorded.

use std::cell::RefCell;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::PathBuf;

use crate::action::digest::Digest;
use crate::action::identity::{FileKind, Identity};
use crate::action::key::{ActionKey, Stdin};
use crate::action::observation::{Observation, difference};
use crate::action::program;
use crate::action::reason::{Missed, Unrecorded};
use crate::action::scene::identity_of;
use crate::action::words::{Settled, Snapshot};
use crate::config::Mode;
use crate::error::{Error, system_text};
use crate::exec::capture::{self, Input, Notice, Plan, Ran};
use crate::exec::feed::{BULK, Feed, Taken as StdinTaken};
use crate::exec::transcript::{Spool, Spooled};
use crate::fault;
use crate::replay::outputs::follows_mask;
use crate::store::gc::{self, retention::Limits};
use crate::store::journal::{Event, Record};
use crate::store::lease::{Lease, Taken, Written};
use crate::store::outcome::{Outcome, OutcomeId, Output, OutputKind, Shown, Transcript};
use crate::store::temporary::Temporary;
use crate::store::verdict::Verdict;
use crate::store::{Commit, NotCommitted, Store};
use crate::sys::descriptor::{self, standard};
use crate::sys::process::{Ended, is_scarcity};
use crate::sys::{file, signal};

use super::hit::undelivered;
use super::standard_input::{Given, How, bytes_or_none};
use super::wait::{HELD, Turn};
use super::{
    Call, Exit, bad_input, become_command, launch, not_cached, not_started, say_unrecorded, unrecorded,
};

/// What the run depends on, as it was before.
struct Before {
    observations: Vec<Observation>,
    words: Snapshot,
}

impl Call<'_> {
    pub(super) fn miss(mut self, given: Given) -> Result<Exit, Error> {
        if self.request.options.only_cached {
            return Err(not_cached(&self.missed));
        }
        if self.request.options.mode == Mode::ReadOnly {
            return self.give_up(given, Unrecorded::ReadOnly);
        }
        let user = crate::sys::process::user();
        if let Err(trouble) = self.store.prepare(user) {
            self.ui.warning(format_args!("running without the store: {trouble}"), Some(&trouble.hint()));
            return self.give_up(given, Unrecorded::Store(trouble.to_string()));
        }
        self.hidden.store = self.store.id();
        let generation = self.store.generation();
        let lease = match given.key.map(|key| self.turn(&key, &given)) {
            None | Some(Turn::Unlocked) => None,
            Some(Turn::Run(lease)) => Some(lease),
            Some(Turn::Answered(exit)) => return exit,
            Some(Turn::Alone(why)) => return self.give_up(given, why),
        };
        let before = match self.before()? {
            Ok(before) => before,
            Err(why) => {
                // Now: the command is about to take this process over, and nobody need wait for it.
                if let Some(lease) = lease {
                    lease.release(Verdict::Unshared);
                }
                return self.give_up(given, why);
            }
        };
        fault::point("miss.observed");
        self.ui.verbose(format_args!("miss: {}", self.missed));
        let run = Spooling { lease: RefCell::new(lease), temporary: RefCell::new(None) };
        let (mut ran, how) = match self.capture(given, &run)? {
            Captured::Ran(ran, how) => (*ran, how),
            Captured::Failed(error) => return Err(error),
        };
        fault::point("miss.ran");
        let exit = self.exit(&ran);
        let transcript = std::mem::replace(&mut ran.transcript, Spooled::TooLarge);
        let recorded = self.record(before, &ran, transcript, &how, run, generation);
        self.digests.keep();
        if recorded.is_ok() {
            gc::after_commit(&self.store, (self.request.now)(), Limits::new(self.request.options.max_size));
        }
        if let Err(why) = recorded {
            if let Unrecorded::Store(trouble) = &why {
                self.ui.warning(
                    format_args!("not recorded: {trouble}"),
                    Some("`memo gc --max-size 1GiB` makes room"),
                );
            } else {
                say_unrecorded(&why, self.ui);
            }
        }
        exit
    }

    /// Runs the command in memo's own place, unless some of its stdin was read ahead: then that has to be
    /// passed on.
    fn give_up(self, given: Given, why: Unrecorded) -> Result<Exit, Error> {
        if !matches!(given.how, How::Stream { ahead: Some(_), .. }) {
            return unrecorded(self.request, why, self.ui);
        }
        self.ui.verbose(format_args!("miss: {}", self.missed));
        say_unrecorded(&why, self.ui);
        let nowhere = Spooling { lease: RefCell::new(None), temporary: RefCell::new(None) };
        match self.capture(given, &nowhere)? {
            Captured::Ran(ran, _) => self.exit(&ran),
            Captured::Failed(error) => Err(error),
        }
    }

    /// Observes what the run depends on; the inner error is why it cannot be recorded.
    fn before(&self) -> Result<Result<Before, Unrecorded>, Error> {
        let mut scene = self.scene();
        let mut observations = Vec::new();
        if let Some(path) = &self.request.action.program {
            match program::observe(path, &mut scene) {
                Ok(found) => observations.extend(found),
                Err(error) => return Ok(Err(Unrecorded::Unkeyed(error.to_string()))),
            }
        }
        observations.extend(self.request.action.inputs.observe(&mut scene).map_err(bad_input)?);
        Ok(Snapshot::take(&self.candidates, &mut scene).map(|words| Before { observations, words }))
    }

    fn capture(&self, given: Given, run: &Spooling) -> Result<Captured, Error> {
        let terminal = matches!(given.how, How::Terminal);
        let mut launch = launch(self.request)?;
        launch.die_with_parent = true;
        if let Some(key) = given.key {
            let outer = [HELD.as_bytes(), b"="].concat();
            launch.environment.retain(|entry| !entry.as_bytes().starts_with(&outer));
            launch.environment.extend(held(self.request.held, &key));
        }
        let read_ahead = matches!(given.how, How::Stream { ahead: Some(_), .. });
        let failed = |error: &std::io::Error| {
            // The command may need less than the pipes and the process of a capture.
            let error = if is_scarcity(error) && !read_ahead {
                become_command(self.request)
            } else {
                not_started(self.request, error)
            };
            Ok(Captured::Failed(error))
        };
        let (input, how) = match given.how {
            How::Null => (Input::Null, How::Null),
            How::Stream { source, ahead } => match Feed::new(source, ahead) {
                Ok((feed, reader)) => (Input::Feed(feed, reader), How::Stream { source, ahead: None }),
                Err(error) => return failed(&error),
            },
            other => (Input::Inherit, other),
        };
        let merged = self.request.action.streams == crate::action::key::Streams::Merged;
        let plan = Plan { launch, input, merged, terminal };
        let head = run.lease.borrow().as_ref().map_or(Vec::new(), |lease| lease.head().to_vec());
        let spool = Spool::new(self.request.options.max_entry, &head, || run.open(&self.store));
        self.started.set(true);
        let notice = |notice| {
            // Nobody need wait any longer; the command runs on.
            if let Some(lease) = run.lease.take() {
                lease.release(match notice {
                    Notice::ReaderGone => Verdict::Void,
                    Notice::NotKept => Verdict::Unshared,
                });
            }
        };
        match capture::run(plan, spool, self.request.inherited, notice) {
            Ok(ran) => Ok(Captured::Ran(Box::new(ran), how)),
            Err(error) => failed(&error),
        }
    }

    fn exit(&self, ran: &Ran) -> Result<Exit, Error> {
        if let Some(error) = &ran.undelivered {
            return undelivered(error, self.request.inherited);
        }
        Ok(match ran.ended {
            Ended::Signal(signal) => Exit::Signal(signal),
            Ended::Exit(0) if ran.lost && !self.request.inherited.ignored(signal::PIPE) => {
                Exit::Signal(signal::PIPE)
            }
            Ended::Exit(code) => Exit::Code(code),
        })
    }

    /// Records the run, and tells those who wait what became of it.
    fn record(
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
        match settled {
            Some((stdin, _)) => self.note_miss(&self.keys.with(stdin), ran),
            None if kept_status(ran).is_ok() => self.unlearn(how, generation),
            None => {}
        }
        let done = self.sound(before, ran, stdin).and_then(|sound| {
            let sound = sound?;
            self.commit(sound, ran, &transcript, &mut lease, temporary.as_ref(), generation)
        });
        let verdict = match &done {
            Ok(()) => Verdict::Recorded,
            // Nothing it depends on changed, so that it is the answer to whoever asked meanwhile.
            Err(Unrecorded::ExitStatus(status)) => Verdict::Status(*status),
            Err(Unrecorded::Signal(_) | Unrecorded::ReaderGone | Unrecorded::InputChangedMeanwhile(_)) => {
                Verdict::Void
            }
            Err(_) => Verdict::Unshared,
        };
        if let Some(lease) = lease.as_mut().filter(|lease| lease.is_current()) {
            conclude(lease, verdict, &transcript);
        }
        drop(lease);
        if done.is_ok()
            && let Some((stdin, taken)) = settled
        {
            self.learn(stdin, taken, how, ran.duration, generation);
        }
        done
    }

    fn note_miss(&self, key: &ActionKey, ran: &Ran) {
        let none = OutcomeId(Digest::from_bytes([0; 32]));
        let amount = u64::try_from(ran.duration.as_nanos()).unwrap_or(u64::MAX);
        let (reason, time) = (self.missed.number(), (self.request.now)());
        let record = Record { event: Event::Miss, reason, time, key: *key, outcome: none, amount };
        let _ = self.store.journal.append(&record);
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
        let manifest = self.store.manifest(&key).ok();
        let known =
            |path: &std::path::Path, digest: &_| manifest.as_ref().is_some_and(|m| m.is_output(path, digest));
        let settled = before.words.settle(&mut scene, known)?;
        if !self.request.options.cache_exit.contains(status) {
            return Ok(Err(Unrecorded::ExitStatus(status)));
        }
        let mut observations = before.observations;
        observations.extend(settled.observations.iter().cloned());
        Ok(Ok(Sound { key, status, taken, observations, settled }))
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
        let Sound { key, status, taken, observations, settled } = sound;
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
        let outputs = self.outputs(&settled, transcript.length())?;
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
        };
        let commit = Commit { outcome, observations, transcript: file };
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

    /// Returns the stdin the run had, and what a hit has to do to it.
    fn stdin_of(&self, ran: &Ran, how: &How) -> Result<(Stdin, u64), Unrecorded> {
        match how {
            How::Null => Ok((Stdin::None, 0)),
            How::Terminal => Ok((Stdin::Terminal, 0)),
            How::Inherit if self.request.inherited.closed(0) => Ok((Stdin::Closed, 0)),
            How::Inherit => Ok((Stdin::None, 0)),
            How::File { file, identity, digest, offset } => {
                let same = identity_of(file).is_ok_and(|now| now == *identity);
                let changed = Unrecorded::InputChangedMeanwhile(PathBuf::from("/dev/stdin"));
                let after = descriptor::offset(standard(0)).map_err(|_| changed.clone())?;
                if same {
                    Ok((Stdin::File { digest: *digest, offset: *offset }, after))
                } else {
                    Err(changed)
                }
            }
            How::Stream { .. } => match ran.taken {
                // Bytes were there and it took none: it does not read stdin.
                Some(StdinTaken { bytes: 0, left: true, .. }) => Ok((Stdin::Any, 0)),
                Some(StdinTaken { bytes, digest, all: true, .. }) => {
                    Ok((bytes_or_none(bytes, digest), bytes))
                }
                Some(StdinTaken { bytes: 0, left: false, .. }) => Ok((Stdin::Idle, 0)),
                _ => Err(Unrecorded::Stdin("the command took a part of it")),
            },
        }
    }

    /// Takes the lease of a key that was not known before the run.
    fn late_lease(&self, key: &ActionKey) -> Result<Late, Unrecorded> {
        match self.store.lease(key) {
            Ok(Taken::Ours(lease)) => {
                fault::point("miss.late");
                let manifest = self.store.manifest(key);
                let mut scene = self.scene();
                let answered = self.missed != Missed::Refresh
                    && manifest.is_ok_and(|manifest| manifest.find(&mut scene, |_| Ok(())).is_ok());
                Ok(if answered { Late::Answered } else { Late::Lease(lease) })
            }
            Ok(Taken::Held(_)) => Err(Unrecorded::SameKey),
            Ok(Taken::NoLocks) => Ok(Late::Unlocked),
            Err(trouble) => Err(Unrecorded::Store(trouble.to_string())),
        }
    }

    /// Stores the files that the run left, beside a transcript of this length in bytes.
    fn outputs(&self, settled: &Settled, transcript: u64) -> Result<Vec<Output>, Unrecorded> {
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

    fn store_output(
        &self,
        path: &std::path::Path,
        kind: OutputKind,
        mask: u32,
    ) -> Result<Output, Unrecorded> {
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

    /// Keeps what the run taught about the action's stdin.
    fn learn(&self, stdin: Stdin, taken: u64, how: &How, duration: std::time::Duration, generation: u64) {
        self.remember_file(how);
        if let Stdin::Bytes(_) = stdin {
            let key = self.keys.with(Stdin::Any);
            let in_bulk = taken > BULK;
            let known = self.store.manifest(&key).is_ok_and(|manifest| {
                // The wait is for as long as the command took; a longer one is worth a write.
                manifest.stdin.reads_all.is_some_and(|known| known >= duration / 2)
                    && (manifest.stdin.in_bulk || !in_bulk)
            });
            if !known {
                let _ = self.store.learn(&key, generation, |stdin| {
                    stdin.reads_all = stdin.reads_all.max(Some(duration));
                    stdin.in_bulk |= in_bulk;
                });
            }
        }
    }

    /// Forgets that the action reads to the end: it left something, and a wait for the end is for nothing.
    fn unlearn(&self, how: &How, generation: u64) {
        if !matches!(how, How::Stream { .. }) {
            return;
        }
        let key = self.keys.with(Stdin::Any);
        if self.store.manifest(&key).is_ok_and(|manifest| manifest.stdin.reads_all.is_some()) {
            let _ = self.store.learn(&key, generation, |stdin| {
                stdin.reads_all = None;
                stdin.in_bulk = false;
            });
        }
    }
}

/// Where the transcript of a run is written.
struct Spooling {
    lease: RefCell<Option<Lease>>,
    temporary: RefCell<Option<Temporary>>,
}

impl Spooling {
    /// Returns the file of the lease, or where there is none yet, one of its own.
    fn open(&self, store: &Store) -> std::io::Result<File> {
        if let Some(lease) = self.lease.borrow().as_ref() {
            let mut file = lease.file().try_clone()?;
            file.seek(SeekFrom::Start(lease.head().len() as u64))?;
            return Ok(file);
        }
        let temporary = store.temporary("spool-").map_err(std::io::Error::other)?;
        let file = temporary.file.try_clone()?;
        self.temporary.replace(Some(temporary));
        Ok(file)
    }
}

/// A run that may be recorded.
struct Sound {
    key: ActionKey,
    status: u8,
    taken: u64,
    observations: Vec<Observation>,
    settled: Settled,
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

/// Returns the variable that tells calls inside the command which keys are being run.
fn held(outer: Option<&OsStr>, key: &ActionKey) -> Option<CString> {
    let outer = outer.map_or(&b""[..], |outer| outer.as_encoded_bytes());
    let colon: &[u8] = if outer.is_empty() { b"" } else { b":" };
    CString::new([HELD.as_bytes(), b"=", outer, colon, key.to_string().as_bytes()].concat()).ok()
}

enum Late {
    Lease(Lease),
    /// The file system has no locks.
    Unlocked,
    /// Somebody recorded the same meanwhile.
    Answered,
}

enum Captured {
    Ran(Box<Ran>, How),
    Failed(Error),
}
