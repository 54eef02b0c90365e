//! `memo [run]`: what was typed, and what it means.

mod args;
mod typed;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::action::environment::choose;
use crate::action::input::Inputs;
use crate::action::key::{Action, Directory, Terminal};
use crate::action::name::Name;
use crate::action::reason::Unrecorded;
use crate::action::search;
use crate::config::command_pattern::CommandLine;
use crate::config::origin::Origin;
use crate::config::rule::Gives;
use crate::config::{Config, Environment, Mode, Place, Progress, Pty};
use crate::engine::{self, Exit, Options, Request};
use crate::error::{Error, Kind, system_text};
use crate::progress::Show;
use crate::store::Store;
use crate::store::location::Trouble;
use crate::sys::terminal::Size;
use crate::sys::{descriptor, process, terminal};
use crate::ui::Ui;

use super::command::{key_commands, not_runnable_behind, selectors, split_assignments, text};
use super::singleton;
use super::surroundings::Surroundings;
pub use args::{ProgressChoice, PtyChoice, RunArgs, StdinChoice};
use typed::{depfile, outputs, parse_stale, parse_ttl};

/// Returns whether progress is shown: not inside another memo, which shows its own; nor, of its own accord, on a
/// terminal that cannot clear a line.
fn show(args: &RunArgs, config: &Config, environment: &Environment) -> Show {
    let choice = match args.progress {
        Some(ProgressChoice::Auto) => Progress::Auto,
        Some(ProgressChoice::Always) => Progress::Always,
        Some(ProgressChoice::Never) => Progress::Never,
        None if args.quiet => Progress::Never,
        None => config.progress,
    };
    let of = |name| environment.get(name).filter(|value| !value.is_empty());
    match choice {
        Progress::Never => Show::Never,
        _ if of(engine::HELD).is_some() => Show::Never,
        Progress::Auto if of("TERM").is_none_or(|term| term == "dumb") => Show::Never,
        Progress::Auto => Show::ToPerson,
        Progress::Always => Show::Always,
    }
}

/// What a program goes by that has a terminal, besides the terminal: what it is, and whether colours are wanted.
const OF_A_TERMINAL: [&str; 6] =
    ["TERM", "COLORTERM", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR"];
/// The size of a terminal where there is none to be like: that of the DEC VT100, which all else takes for granted too.
const USUAL_SIZE: Size = Size { columns: 80, rows: 24 };

/// Returns the terminal that the command gets, if it gets one: as large as the one at which memo was called.
fn terminal(args: &RunArgs, config: &Config, around: &Surroundings) -> Option<Terminal> {
    let wanted = match args.pty {
        Some(choice) => choice == PtyChoice::Always,
        None => config.pty == Pty::Always,
    };
    if !wanted || around.inherited.closed(1) {
        return None;
    }
    let Size { columns, rows } =
        [1, 2, 0].into_iter().find_map(|fd| terminal::size(descriptor::standard(fd))).unwrap_or(USUAL_SIZE);
    let variable = |name: &str| (name.into(), around.environment.get(name).map(OsString::from));
    Some(Terminal { columns, rows, variables: OF_A_TERMINAL.map(variable).to_vec() })
}

/// Answers the call from the store or runs it.
///
/// # Errors
/// What memo itself could not do.
pub fn run(args: RunArgs, config: Config, around: &Surroundings, ui: &Ui) -> Result<Exit, Error> {
    with_request(&args, config, around, ui, |request, store| engine::run(request, store, ui))
}

/// Makes of what was typed what is meant, and hands it over.
///
/// # Errors
/// What is wrong with it, and those of `then`.
pub fn with_request<T>(
    args: &RunArgs,
    config: Config,
    around: &Surroundings,
    ui: &Ui,
    then: impl FnOnce(Request<'_>, Result<Store, Trouble>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (assignments, words) = split_assignments(&args.command);
    let Some(first) = words.first() else {
        let last = args.command.last().map(|word| word.display().to_string()).unwrap_or_default();
        return Err(Error::new(Kind::Failed, format_args!("no command after `{last}`"))
            .hint(format_args!("`memo {last} COMMAND`; `memo env {last}` prints the environment")));
    };
    let set =
        assignments.iter().rev().find(|(set, _)| set.as_str() == "PATH").map(|(_, value)| value.clone());
    let search_path = set.as_deref().or_else(|| around.environment.get("PATH"));
    let program = search::find(first, search_path).map_err(|why| not_runnable_behind("memo", first, why))?;
    let mut config = config;
    // A bound of this call is one for what depends on it too.
    config.max_size = args.max_size.unwrap_or(config.max_size);
    let line = CommandLine { program: &program, words, directory: around.place.directory.as_deref() };
    let ruled = config.ruled(line);
    for origin in &ruled.origins {
        ui.verbose(format_args!("rule: {origin}"));
    }
    let typed = Typed { args, assignments: &assignments, words, program: &program };
    let (made, trouble) = match (&ruled.fault, make(typed, &ruled.gives, &config, around)) {
        (None, Ok(made)) => (made, None),
        (None, Err(error)) if ruled.origins.is_empty() => return Err(error),
        // What a rule gives is no word of this call's: without it the command runs, and is not recorded.
        (fault, made) => {
            let (at, why) = match (fault, made) {
                (Some((at, why)), _) => (at.to_string(), why.clone()),
                (None, made) => {
                    let at: Vec<_> = ruled.origins.iter().map(Origin::to_string).collect();
                    (at.join(", "), made.err().map(|error| without_run(&error)).unwrap_or_default())
                }
            };
            let made = make(typed, &Gives::default(), &config, around)?;
            ui.warning(format_args!("not recorded: the rule at {at}: {why}"), None);
            (made, Some(Unrecorded::Unkeyed(format!("the rule at {at}: {why}"))))
        }
    };
    let Made { action, options, unkeyed } = made;
    let driver = || {
        config.build_driver(line).filter(|_| !says_what_it_depends_on(&action))?;
        Some(Unrecorded::BuildDriver(Path::new(first).file_name()?.display().to_string()))
    };
    let keyless = trouble.or(unkeyed).or_else(driver);
    let variables = around.environment.to_vec();
    // What was typed as well is the call's own.
    let only_ruled: Vec<OsString> =
        ruled.gives.input.iter().filter(|text| !args.input.contains(text)).cloned().collect();
    let request = Request {
        action: &action,
        keyless: keyless.as_ref(),
        ruled: &Inputs::parse(&only_ruled),
        program: &program,
        environment: &variables,
        search_path,
        directory: around.place.directory.as_deref().unwrap_or(Path::new("")),
        options: &options,
        inherited: &around.inherited,
        now: &|| around.clock.now(),
        stamp: &|| around.clock.stamp(),
        lasting: &|| singleton::still(&action.singletons, around, &config),
        held: around.environment.get(engine::HELD),
    };
    let store = config
        .store
        .clone()
        .map_err(Trouble::Nowhere)
        .and_then(|path| Store::open(&path, process::user(), action.root.as_deref()));
    then(request, store)
}

/// A call as it was typed.
#[derive(Clone, Copy)]
struct Typed<'a> {
    args: &'a RunArgs,
    assignments: &'a [(Name, OsString)],
    words: &'a [OsString],
    program: &'a Path,
}

/// A call as it is meant.
struct Made {
    action: Action,
    options: Options,
    /// Why it has no key.
    unkeyed: Option<Unrecorded>,
}

/// Adds what rules give and what is configured to what was typed.
fn make(typed: Typed<'_>, gives: &Gives, config: &Config, around: &Surroundings) -> Result<Made, Error> {
    let Typed { args, assignments, words, program } = typed;
    let options = options(args, gives, config, program, around)?;
    let no_cwd = args.no_cwd || gives.no_cwd == Some(true);
    let (directory, root, unkeyed) = match directory(args, no_cwd, config, &around.place)? {
        Cwd::Known(directory, root) => (Some(directory), root, None),
        Cwd::LeftOut => (None, None, None),
        Cwd::Unknown => {
            let why = "the working directory cannot be found out; `--no-cwd` leaves it out of the key";
            (None, None, Some(Unrecorded::Unkeyed(why.to_owned())))
        }
    };
    let mut environment: Vec<OsString> = config.env.clone();
    environment.extend(selectors(&all(&gives.env, &args.env))?);
    let assigned: Vec<&str> = assignments.iter().map(|(name, _)| name.as_str()).collect();
    let environment = choose(around.environment.iter(), &environment, &assigned);
    let key_cmd = all(&gives.key_cmd, &args.key_cmd);
    let depfile =
        args.depfile.as_deref().or(gives.depfile.as_deref().map(Path::new)).map(depfile).transpose()?;
    let mut typed_outputs = all(&gives.output, &args.output);
    typed_outputs.extend(depfile.clone().map(OsString::from));
    let off = options.mode == Mode::Off;
    let singletons =
        if off { Vec::new() } else { singleton::instances(&args.dep_singleton, around, config)? };
    let action = Action {
        environment,
        assignments: assignments.to_vec(),
        directory,
        root,
        program: (!args.no_exe && gives.no_exe != Some(true)).then(|| program.to_owned()),
        texts: all(&gives.key, &args.key).iter().map(text).collect(),
        singletons,
        key_commands: if off { Vec::new() } else { key_commands(&key_cmd, &around.environment)? },
        inputs: Inputs::parse(&all(&gives.input, &args.input)),
        outputs: outputs(&typed_outputs, around.place.directory.as_deref())?,
        depfile,
        auto: !args.no_auto && gives.no_auto != Some(true),
        streams: engine::streams(&around.inherited),
        terminal: terminal(args, config, around),
        closed: [around.inherited.closed(1), around.inherited.closed(2)],
        words: words.to_vec(),
    };
    Ok(Made { action, options, unkeyed })
}

/// Returns what rules give and what was typed, in this order.
fn all<T: Clone>(given: &[T], typed: &[T]) -> Vec<T> {
    given.iter().chain(typed).cloned().collect()
}

/// Returns whether a call says by more than its words what it depends on.
fn says_what_it_depends_on(action: &Action) -> bool {
    let hashed = |name: Option<&Name>| !name.is_some_and(Name::is_ignored);
    action.depfile.is_some()
        || !action.inputs.key_texts().iter().all(|text| text.starts_with(b"!"))
        || action.texts.iter().any(|(name, _)| hashed(name.as_ref()))
        || action.key_commands.iter().any(|(name, _)| hashed(Some(name)))
        || !action.singletons.is_empty()
}

/// Returns an error as a reason: the command will run.
fn without_run(error: &Error) -> String {
    let text = error.to_string();
    text.strip_suffix("; the command was not run").unwrap_or(&text).to_owned()
}

fn options(
    args: &RunArgs,
    gives: &Gives,
    config: &Config,
    program: &Path,
    around: &Surroundings,
) -> Result<Options, Error> {
    let ttl = match &args.ttl {
        None => gives.ttl.unwrap_or(config.ttl),
        Some(text) => parse_ttl(text)?,
    };
    let stale = args.stale.as_deref().map(|text| parse_stale(text, ttl)).transpose()?;
    // What runs behind has no terminal; a command that would read one is not to be recorded as if it had.
    let no_terminal = stale.is_some() && terminal::is_terminal(descriptor::standard(0));
    let no_stdin = match args.stdin {
        _ if args.no_stdin || no_terminal => true,
        None => gives.no_stdin == Some(true),
        Some(choice) => choice == StdinChoice::None,
    };
    let mode = match gives.mode.unwrap_or(config.mode) {
        Mode::On if args.refresh => Mode::Refresh,
        mode => mode,
    };
    let base = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Options {
        mode,
        ttl,
        stale,
        refresh_jobs: config.refresh_jobs,
        check: args.check.clone(),
        max_entries: args.max_entries.or(config.max_entries),
        cache_exit: args.cache_exit.or(gives.cache_exit).unwrap_or(config.cache_exit),
        strict: args.strict || gives.strict == Some(true),
        only_cached: args.only_cached,
        group: args.group.clone().or_else(|| gives.group.clone()).unwrap_or(base),
        no_stdin,
        stdin_max: config.stdin_max,
        max_size: config.max_size,
        max_entry: config.max_entry(),
        progress: show(args, config, &around.environment),
    })
}

enum Cwd {
    Known(Directory, Option<PathBuf>),
    LeftOut,
    Unknown,
}

fn directory(args: &RunArgs, no_cwd: bool, config: &Config, place: &Place) -> Result<Cwd, Error> {
    let root = root(args.root.as_deref(), config).map_err(|(root, why)| {
        let root = root.display();
        Error::new(Kind::Failed, format_args!("cannot use root `{root}`: {why}; the command was not run"))
    })?;
    if no_cwd && root.is_none() {
        return Ok(Cwd::LeftOut);
    }
    let Some(directory) = &place.directory else { return Ok(Cwd::Unknown) };
    let Some(root) = root else {
        let directory = Directory { path: directory.clone(), shell: place.shell.clone() };
        return Ok(Cwd::Known(directory, None));
    };
    match directory.strip_prefix(&root) {
        Ok(below) => {
            let below = if no_cwd { PathBuf::new() } else { below.to_owned() };
            Ok(Cwd::Known(Directory { path: below, shell: None }, Some(root)))
        }
        Err(_) => Err(Error::new(
            Kind::Failed,
            format_args!(
                "root `{}` does not hold the working directory; the command was not run",
                root.display()
            ),
        )
        .hint("name a directory above this one: `--root .`")),
    }
}

/// Returns the root of a call: what `--root` says, else the project's directory if that is relocatable.
///
/// # Errors
/// The directory and what the system says of it.
pub fn root<'a>(typed: Option<&'a Path>, config: &Config) -> Result<Option<PathBuf>, (&'a Path, String)> {
    match typed {
        Some(root) => std::fs::canonicalize(root).map(Some).map_err(|error| (root, system_text(&error))),
        None => Ok(config.root().map(Path::to_owned)),
    }
}
