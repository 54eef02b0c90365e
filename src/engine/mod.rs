//! The two lives of a call: a hit is looked up, verified and replayed; a miss is run, captured and
//! recorded.
//!
//! Whatever goes wrong with the store, the command runs as if memo were absent. Once a byte was replayed
//! it is never run on top.

mod age;
mod behind;
mod depfile;
mod earlier;
mod explain;
mod gauge;
mod hit;
mod learned;
mod left;
mod miss;
mod note;
mod record;
mod standard_input;
mod wait;

pub use earlier::{Nearest, Observed};
pub use explain::{Answer, Explanation, Ignored, explain};
pub use wait::HELD;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::action::identity::{FileSystems, Timestamp};
use crate::action::input::{BadInput, Inputs, proposed_name};
use crate::action::key::{Action, ActionKey, Keys, Stdin, Streams};
use crate::action::reason::{Missed, Unrecorded};
use crate::action::scene::{Hidden, Scene, Unobservable, device_and_inode, normal};
use crate::action::words;
use crate::config::{ExitCodes, Mode};
use crate::error::{Error, Kind, system_text};
use crate::exec::launch;
use crate::progress::Show;
use crate::replay::streams::{Source, Wrote};
use crate::store::Store;
use crate::store::index::Digests;
use crate::store::location::Trouble;
use crate::store::outcome::OutcomeId;
use crate::sys::process::{Launch, is_not_found, is_too_long};
use crate::sys::signal;
use crate::sys::startup::Inherited;
use crate::ui::Ui;
use gauge::Gauge;
use note::note_given_up;

/// How many files `-v` names of those that are not restored, or not removed.
const MOST_NAMED: usize = 10;

/// How memo ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this exit status.
    Code(u8),
    /// By this signal, as the command did.
    Signal(i32),
}

/// What a call asks for besides its action.
#[derive(Clone, Debug)]
pub struct Options {
    /// The switch for a whole script.
    pub mode: Mode,
    /// How old an outcome may be.
    pub ttl: Option<Duration>,
    /// From which age on an outcome is refreshed behind.
    pub stale: Option<Duration>,
    /// How many refreshes run behind at a time, in the whole store.
    pub refresh_jobs: u64,
    /// A shell command that must succeed before an outcome is replayed.
    pub check: Option<OsString>,
    /// How many entries the group may have.
    pub max_entries: Option<u64>,
    /// Exit statuses that are kept.
    pub cache_exit: ExitCodes,
    /// Whether a run that leaves something new beside its declared outputs is not kept.
    pub strict: bool,
    /// Whether a miss is an error.
    pub only_cached: bool,
    /// The group.
    pub group: String,
    /// Whether the command gets `/dev/null`.
    pub no_stdin: bool,
    /// How much of stdin is read ahead, in bytes.
    pub stdin_max: u64,
    /// How large the store may grow, in bytes on disk.
    pub max_size: u64,
    /// How large an entry may be, in bytes.
    pub max_entry: u64,
    /// Whether it is shown how far a miss is.
    pub progress: Show,
}

/// A call, as the edge hands it over.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What is called.
    pub action: &'a Action,
    /// Why it is run and not recorded, if that is known: it has no key, or one that says too little.
    pub keyless: Option<&'a Unrecorded>,
    /// Those inputs that rules declare: where they cannot be keyed, the call is not wrong.
    pub ruled: &'a Inputs,
    /// The program's file.
    pub program: &'a Path,
    /// memo's own environment.
    pub environment: &'a [(OsString, OsString)],
    /// PATH as the command has it.
    pub search_path: Option<&'a OsStr>,
    /// The working directory; empty when it is not known.
    pub directory: &'a Path,
    /// What is asked for.
    pub options: &'a Options,
    /// What memo was started with.
    pub inherited: &'a Inherited,
    /// The clock.
    pub now: &'a dyn Fn() -> Timestamp,
    /// The clock by which the kernel stamps files.
    pub stamp: &'a dyn Fn() -> Timestamp,
    /// Whether the singletons in the key are still the instances they were; else the name of one that is not. Asked
    /// after a run, also by a refresh that runs behind, which has no descriptor of the caller's.
    pub lasting: &'a dyn Fn() -> Result<(), String>,
    /// The keys that calls above this one are running (`MEMO_HELD`), separated by colons.
    pub held: Option<&'a OsStr>,
}

/// Answers a call from the store, or runs it and records it.
///
/// # Errors
/// What memo itself could not do before anything ran.
pub fn run(request: Request<'_>, store: Result<Store, Trouble>, ui: &Ui) -> Result<Exit, Error> {
    if request.options.mode == Mode::Off {
        return Err(become_command(request));
    }
    signal::ignore_file_limit();
    if let Err(bad) = request.action.inputs.check() {
        let why = bad_input(request, bad, ui)?;
        if let Ok(store) = &store {
            note_given_up(&request, store, None, &why);
        }
        return unrecorded(request, why, ui);
    }
    let store = match store {
        Ok(store) => store,
        Err(trouble) => {
            ui.warning(format_args!("running without the store: {trouble}"), Some(&trouble.hint()));
            return unrecorded(request, Unrecorded::Store(trouble.to_string()), ui);
        }
    };
    if let Some(why) = request.keyless {
        note_given_up(&request, &store, None, why);
        return unrecorded(request, why.clone(), ui);
    }
    let started = Cell::new(false);
    let answered = catch_unwind(AssertUnwindSafe(|| Call::new(request, store, ui, &started).answer()));
    match answered {
        Ok(answer) => answer,
        Err(_) if started.get() => Err(Error::new(Kind::Failed, "internal error; please report it")),
        // A fault of memo's must not stop the command.
        Err(_) => {
            ui.warning("internal error; running without the store", Some("please report it"));
            unrecorded(request, Unrecorded::Store("internal error".to_owned()), ui)
        }
    }
}

/// Runs the command in memo's own place: exactly what it does without memo.
fn unrecorded(request: Request<'_>, why: Unrecorded, ui: &Ui) -> Result<Exit, Error> {
    if request.options.only_cached {
        return Err(not_cached(&Missed::NeverSeen));
    }
    say_unrecorded(&why, ui);
    Err(become_command(request))
}

fn say_unrecorded(why: &Unrecorded, ui: &Ui) {
    if let Unrecorded::Store(trouble) = why {
        // Said once: whoever knew a hint has said it before.
        ui.warning(format_args!("running without the store: {trouble}"), None);
        return;
    }
    match why.hint() {
        Some(hint) => ui.note(format_args!("not recorded: {why}"), Some(&hint)),
        None => ui.verbose(format_args!("not recorded: {why}")),
    }
}

fn not_cached(missed: &Missed) -> Error {
    Error::new(Kind::NotCached, format_args!("not recorded yet ({missed}); the command was not run"))
        .hint("without `--only-cached` it is run")
}

/// Replaces memo by the command; returns only why it could not.
fn become_command(request: Request<'_>) -> Error {
    let launch = match launch(request) {
        Ok(launch) => launch,
        Err(error) => return error,
    };
    let error = if request.options.no_stdin {
        // The descriptor must outlive exec, which takes it over as number 0.
        match crate::sys::descriptor::null() {
            Ok(null) => {
                use std::os::fd::AsRawFd;
                let mut launch = launch;
                launch.stdio[0] = crate::sys::process::Stdio::Fd(null.as_raw_fd());
                launch.exec(request.inherited)
            }
            Err(error) => error,
        }
    } else {
        launch.exec(request.inherited)
    };
    not_started(request, &error)
}

fn launch(request: Request<'_>) -> Result<Launch, Error> {
    let variables = request.environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
    launch::prepare(
        request.program,
        &request.action.words,
        variables,
        &request.action.effective_assignments(),
    )
    .map_err(|error| not_started(request, &error))
}

fn not_started(request: Request<'_>, error: &std::io::Error) -> Error {
    let word = request.action.words.first().map(OsString::as_os_str).unwrap_or_default();
    let kind = if is_not_found(error) {
        Kind::NotFound
    } else if is_too_long(error) || error.raw_os_error().is_none() {
        Kind::Failed
    } else {
        Kind::NotExecutable
    };
    // ENOENT of a file that is there is about the interpreter in its first line.
    let what = if is_not_found(error) && request.program.exists() {
        "its interpreter does not exist".to_owned()
    } else {
        system_text(error)
    };
    Error::new(kind, format_args!("cannot run `{}`: {what}", word.display()))
}

/// Returns why the call is not recorded, when a rule and not the call has declared what cannot be keyed.
///
/// # Errors
/// When the call itself has.
fn bad_input(request: Request<'_>, bad: BadInput, ui: &Ui) -> Result<Unrecorded, Error> {
    if !request.ruled.has(&bad.input) {
        return Err(wrong_input(bad));
    }
    let place = bad.input.place.display();
    let why = match bad.why {
        Unobservable::Io { source, .. } => system_text(&source),
        Unobservable::Special { what, .. } => format!("{what} has no content that could be keyed"),
        why => why.to_string(),
    };
    ui.warning(
        format_args!("not recorded: cannot hash input `{place}`, which a rule declares: {why}"),
        Some("`memo config` shows the rules"),
    );
    Ok(Unrecorded::Unkeyed(format!("input `{place}`: {why}")))
}

/// Returns the error for a declared input that cannot be keyed.
pub fn wrong_input(bad: BadInput) -> Error {
    let BadInput { input, why } = bad;
    let special = matches!(why, Unobservable::Special { .. });
    let (path, why) = match why {
        Unobservable::Io { path, source } => (path, system_text(&source)),
        Unobservable::Special { path, what } => (path, format!("{what} has no content that could be keyed")),
        other @ (Unobservable::Unsteady(_) | Unobservable::TooLarge(_)) => {
            (input.place.clone(), other.to_string())
        }
    };
    let named = match &input.name {
        Some(name) => format!("`{name}` ({})", path.display()),
        None => format!("`{}`", path.display()),
    };
    let error =
        Error::new(Kind::Failed, format_args!("cannot hash input {named}: {why}; the command was not run"));
    let whole = input.name.as_ref().map(|name| format!("{name}={}", input.place.display()));
    if let Some(whole) = whole.filter(|whole| !input.place.exists() && Path::new(whole).exists()) {
        return error.hint(format_args!("`{whole}` is there; a path with `=` is written `-i ./{whole}`"));
    }
    if !path.exists() && path == input.place {
        return error.hint("fix the path; a glob, `-i 'DIR/*'`, may match nothing");
    }
    if path != input.place {
        return error.hint(format_args!("leave it out: `-i '!{}'`", path.display()));
    }
    let name = match &input.name {
        Some(name) => format!("_{name}"),
        None => proposed_name(&path),
    };
    error.hint(format_args!(
        "{}keep it out of the key by its name: `-i {name}={}`",
        if special { "" } else { "make it readable, or " },
        path.display()
    ))
}

/// Which of the outcomes under a key answer a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    /// All.
    All,
    /// Those that wrote to one of stdout and stderr at most: their order with the other one is no question.
    OneStream,
    /// Those that wrote nothing: of anything else it is not known where it belongs.
    Silent,
}

impl Answers {
    /// Returns whether an outcome with this transcript is among them.
    ///
    /// # Errors
    /// Those of reading the transcript.
    fn hold(self, transcript: &Source) -> std::io::Result<bool> {
        Ok(match self {
            Self::All => true,
            Self::OneStream => transcript.wrote()? != Wrote::Both,
            Self::Silent => transcript.wrote()? == Wrote::Nothing,
        })
    }
}

/// One call on its way to an answer.
struct Call<'a> {
    request: Request<'a>,
    store: Store,
    ui: &'a Ui,
    /// When the call began.
    began: Timestamp,
    keys: Keys,
    /// What the words may name, but for declared inputs and outputs.
    candidates: Vec<PathBuf>,
    /// What words name and `-o` declares too, but for the depfile.
    overwritten: Vec<PathBuf>,
    hidden: Hidden,
    /// Digests of large files.
    digests: Digests,
    /// Shows how far the reading and writing of large files is.
    gauge: Gauge,
    /// Why the last lookup missed.
    missed: Missed,
    /// Which outcomes were there when a key was looked up.
    seen: Vec<(ActionKey, Vec<OutcomeId>)>,
    /// The `--check` that is still to be made.
    check: Option<&'a OsStr>,
    /// Whether this is a refresh that runs behind: it never becomes the command.
    behind: bool,
    /// Set before the first byte is replayed and before the command is started.
    started: &'a Cell<bool>,
}

impl<'a> Call<'a> {
    fn new(request: Request<'a>, store: Store, ui: &'a Ui, started: &'a Cell<bool>) -> Self {
        let action = request.action;
        let outputs = action.outputs.within(request.directory);
        let inputs: BTreeSet<PathBuf> = action.inputs.paths(request.directory).into_iter().collect();
        let mut candidates = if action.auto { words::candidates(&action.words) } else { Vec::new() };
        let at = |path: &Path| normal(path, request.directory);
        let depfile = action.depfile.as_deref().map(at);
        let declared = candidates.iter().filter_map(|path| outputs.declared(path));
        let mut overwritten: Vec<PathBuf> =
            declared.filter(|path| depfile.as_deref() != Some(&at(path))).map(Path::to_owned).collect();
        overwritten.dedup();
        candidates.retain(|path| !outputs.holds(path) && !inputs.contains(&at(path)));
        let paths = outputs.paths().cloned().chain(candidates.iter().map(|path| at(path))).collect();
        let hidden = Hidden { store: store.id(), paths, streams: stream_files() };
        Self {
            request,
            keys: action.keys(),
            digests: Digests::new(&store),
            gauge: Gauge::new(request.options.progress),
            store,
            ui,
            began: (request.now)(),
            candidates,
            overwritten,
            hidden,
            missed: Missed::NeverSeen,
            seen: Vec::new(),
            check: request.options.check.as_deref(),
            behind: false,
            started,
        }
    }

    fn answer(mut self) -> Result<Exit, Error> {
        if let Some(both) = self.output_that_is_input() {
            return self.unlooked(Unrecorded::OutputIsInput(both));
        }
        let found = if self.request.options.mode == Mode::Refresh {
            self.missed = Missed::Refresh;
            self.stdin_for_refresh()
        } else {
            self.look_by_stdin()
        };
        match found {
            Ok(standard_input::Looked::Hit(exit)) => exit,
            Ok(standard_input::Looked::Miss(given)) => self.miss(given),
            Err(why) => self.unlooked(why),
        }
    }

    /// Runs the command in memo's own place, where nothing can be looked up.
    fn unlooked(self, why: Unrecorded) -> Result<Exit, Error> {
        note_given_up(&self.request, &self.store, None, &why);
        unrecorded(self.request, why, self.ui)
    }

    /// Returns a declared input that is declared as an output too; what a directory or glob selects is known
    /// only when it is observed.
    fn output_that_is_input(&self) -> Option<PathBuf> {
        let (action, directory) = (self.request.action, self.request.directory);
        if action.outputs.is_empty() {
            return None;
        }
        let outputs = action.outputs.within(directory);
        action.inputs.paths(directory).into_iter().find_map(|input| {
            let held = outputs.holds(&input);
            held.then(|| input.strip_prefix(directory).map_or(input.clone(), Path::to_owned))
        })
    }

    /// Returns the key of this call with this stdin, had its stdout and stderr been two where they are one, or
    /// one where they are two; and which outcomes under it are as true for this call. On `/dev/null` it cannot
    /// be told whether they were one, and it does not matter.
    fn key_beside(&self, stdin: Stdin) -> (ActionKey, Answers) {
        let (streams, answers) = match self.request.action.streams {
            Streams::Merged => (Streams::Separate, Answers::OneStream),
            Streams::Separate if streams_are_null() => (Streams::Merged, Answers::All),
            Streams::Separate => (Streams::Merged, Answers::Silent),
        };
        (self.keys.with_streams(stdin, streams), answers)
    }

    /// Returns the keys under which a call with this stdin is looked up, in this order.
    fn keys_for(&self, stdin: Stdin) -> [(ActionKey, Answers); 2] {
        [(self.keys.with(stdin), Answers::All), self.key_beside(stdin)]
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            now: (self.request.now)(),
            directory: self.request.directory,
            search_path: self.request.search_path,
            hidden: &self.hidden,
            systems: FileSystems::default(),
            known: Some(&self.digests),
            onlooker: None,
            hashed: 0,
        }
    }

    /// Returns the surroundings as they are looked at before anything was written: whoever uses it shows how far it
    /// is, and has the gauge [rest](Gauge::rest).
    fn shown_scene(&self) -> Scene<'_> {
        Scene { onlooker: Some(&self.gauge), ..self.scene() }
    }

    /// Returns the command as it is shown to somebody who waits for it: its words, and of what is set for it nothing.
    fn command_line(&self) -> String {
        let words: Vec<_> = self.request.action.words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    /// Returns how long the command took when it was recorded last under this key.
    fn expected(&self, key: &ActionKey) -> Option<Duration> {
        let known = self.seen.iter().any(|(seen, ids)| seen == key && !ids.is_empty());
        let manifest = if known { self.store.manifest(key).ok()? } else { return None };
        let newest = manifest.entries.iter().max_by_key(|entry| entry.recorded)?;
        self.store.outcome(newest).ok().map(|outcome| outcome.duration)
    }
}

/// Returns the regular files that stdout and stderr are.
fn stream_files() -> Vec<(u64, u64)> {
    use crate::sys::descriptor::{Kind, describe, standard};
    let files = [1, 2].into_iter().filter_map(|fd| describe(standard(fd)).ok());
    files.filter(|file| file.kind == Kind::File).map(|file| (file.dev, file.ino)).collect()
}

fn streams_are_null() -> bool {
    use crate::sys::descriptor::{describe, is_null_device, standard};
    [1, 2].into_iter().all(|fd| describe(standard(fd)).is_ok_and(|described| is_null_device(&described)))
}

/// Returns whether stdout and stderr are one open file whose common order somebody can see.
pub fn streams(inherited: &Inherited) -> Streams {
    use crate::sys::descriptor::{Kind, access, describe, same_description, standard};
    let (out, err) = (standard(1), standard(2));
    let (Ok(a), Ok(b)) = (describe(out), describe(err)) else { return Streams::Separate };
    let closed = inherited.closed(1) || inherited.closed(2);
    if closed || (a.dev, a.ino) != (b.dev, b.ino) || crate::sys::terminal::is_terminal(out) {
        return Streams::Separate;
    }
    let one = match a.kind {
        Kind::Fifo | Kind::Socket => true,
        _ if crate::sys::descriptor::is_null_device(&a) => false,
        _ => {
            same_description(out, err).unwrap_or(false)
                || [out, err].into_iter().all(|fd| access(fd).is_ok_and(|access| access.append))
        }
    };
    if one { Streams::Merged } else { Streams::Separate }
}

/// Returns device and inode of an open file.
fn id_of(file: &std::fs::File) -> Option<(u64, u64)> {
    file.metadata().ok().map(|metadata| device_and_inode(&metadata))
}
