//! The life of a miss: what it depends on is observed, the lease taken, the command run and captured.

use std::cell::RefCell;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use crate::action::key::ActionKey;
use crate::action::observation::{Observation, Subject};
use crate::action::program;
use crate::action::reason::Unrecorded;
use crate::action::words::{Overwritten, Snapshot};
use crate::config::Mode;
use crate::error::Error;
use crate::exec::capture::{self, Input, Notice, Plan, Ran};
use crate::exec::feed::Feed;
use crate::exec::transcript::{Spool, Spooled};
use crate::fault;
use crate::progress::{Doing, Line};
use crate::store::Store;
use crate::store::gc::{
    self,
    retention::{Limits, MostEntries},
};
use crate::store::lease::Lease;
use crate::store::temporary::Temporary;
use crate::store::verdict::Verdict;
use crate::sys::process::{Ended, is_scarcity};
use crate::sys::signal;
use crate::sys::terminal::Size;

use super::depfile::DepfileBefore;
use super::hit::undelivered;
use super::left::Places;
use super::note::note_given_up;
use super::standard_input::{Given, How};
use super::wait::{HELD, Turn};
use super::{
    Call, Exit, bad_input, become_command, launch, not_cached, not_started, say_unrecorded, unrecorded,
};

/// What the run depends on, as it was before.
pub(super) struct Before {
    pub(super) observations: Vec<Observation>,
    pub(super) words: Snapshot,
    pub(super) overwritten: Overwritten,
    pub(super) places: Places,
    pub(super) depfile: Option<DepfileBefore>,
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
        let generation = match self.store.prepare(user) {
            Ok(generation) => generation,
            Err(trouble) => {
                self.ui.warning(format_args!("running without the store: {trouble}"), Some(&trouble.hint()));
                return self.give_up(given, Unrecorded::Store(trouble.to_string()));
            }
        };
        self.hidden.store = self.store.id();
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
        self.say_missed(given.stdin);
        let Done { exit, recorded } = self.run_and_record(given, lease, before, generation)?;
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

    /// Runs the command, and records it unless there is a reason not to.
    ///
    /// # Errors
    /// Those of starting it.
    pub(super) fn run_and_record(
        &self,
        given: Given,
        lease: Option<Lease>,
        before: Before,
        generation: u64,
    ) -> Result<Done, Error> {
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
            let options = self.request.options;
            let group = options.max_entries.map(|entries| MostEntries { group: &options.group, entries });
            gc::after_commit(&self.store, (self.request.now)(), Limits::new(options.max_size), group);
        }
        Ok(Done { exit, recorded })
    }

    /// Runs the command in memo's own place, unless some of its stdin was read ahead: then that has to be
    /// passed on.
    fn give_up(self, given: Given, why: Unrecorded) -> Result<Exit, Error> {
        if !matches!(given.how, How::Stream { ahead: Some(_), .. }) {
            note_given_up(&self.request, &self.store, Some(&self.missed), &why);
            return unrecorded(self.request, why, self.ui);
        }
        self.say_missed(given.stdin);
        say_unrecorded(&why, self.ui);
        let nowhere = Spooling { lease: RefCell::new(None), temporary: RefCell::new(None) };
        match self.capture(given, &nowhere)? {
            Captured::Ran(ran, _) => {
                if !matches!(why, Unrecorded::Store(_)) {
                    self.note_miss(None, &ran, Some(&why));
                }
                self.exit(&ran)
            }
            Captured::Failed(error) => Err(error),
        }
    }

    /// Observes what the run depends on; the inner error is why it cannot be recorded.
    pub(super) fn before(&self) -> Result<Result<Before, Unrecorded>, Error> {
        let before = self.observe();
        // The command is next.
        self.gauge.rest();
        before
    }

    fn observe(&self) -> Result<Result<Before, Unrecorded>, Error> {
        let mut scene = self.shown_scene();
        let mut observations = Vec::new();
        if let Some(path) = &self.request.action.program {
            match program::observe(path, &mut scene) {
                Ok(found) => observations.extend(found),
                Err(error) => return Ok(Err(Unrecorded::Unkeyed(error.to_string()))),
            }
        }
        let inputs = match self.request.action.inputs.observe(&mut scene) {
            Ok(found) => found,
            Err(bad) => {
                self.gauge.rest();
                return Ok(Err(bad_input(self.request, bad, self.ui)?));
            }
        };
        let outputs = self.request.action.outputs.within(self.request.directory);
        let is_output = |path: &&Path| outputs.holds(path);
        let is_content = |input: &&Observation| matches!(input.subject, Subject::Input(_) | Subject::Link(_));
        let selected = inputs.iter().filter(is_content).map(|input| input.subject.path());
        if let Some(both) = { selected }.find(is_output) {
            return Ok(Err(Unrecorded::OutputIsInput(both.to_owned())));
        }
        observations.extend(inputs);
        Ok(Snapshot::take(&self.candidates, &mut scene).and_then(|words| {
            let overwritten = Overwritten::take(&self.overwritten, &mut scene)?;
            let (places, depfile) = (self.places()?, self.depfile_before());
            Ok(Before { observations, words, overwritten, places, depfile })
        }))
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
            let error = if is_scarcity(error) && !read_ahead && !self.behind {
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
        let doing = || Doing::Running {
            command: self.command_line(),
            expected: given.key.and_then(|key| self.expected(&key)),
        };
        let line = Line::begin(self.request.options.progress, doing);
        let pty = self.request.action.terminal.as_ref();
        let pty = pty.map(|terminal| Size { columns: terminal.columns, rows: terminal.rows });
        let plan = Plan { launch, input, merged, terminal, line, pty };
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
}

/// What came of a run.
pub(super) struct Done {
    /// How memo ends.
    pub(super) exit: Result<Exit, Error>,
    /// Whether it was recorded, or why not.
    pub(super) recorded: Result<(), Unrecorded>,
}

/// Where the transcript of a run is written.
pub(super) struct Spooling {
    pub(super) lease: RefCell<Option<Lease>>,
    pub(super) temporary: RefCell<Option<Temporary>>,
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

/// Returns the variable that tells calls inside the command which keys are being run.
fn held(outer: Option<&OsStr>, key: &ActionKey) -> Option<CString> {
    let outer = outer.map_or(&b""[..], |outer| outer.as_encoded_bytes());
    let colon: &[u8] = if outer.is_empty() { b"" } else { b":" };
    CString::new([HELD.as_bytes(), b"=", outer, colon, key.to_string().as_bytes()].concat()).ok()
}

enum Captured {
    Ran(Box<Ran>, How),
    Failed(Error),
}
