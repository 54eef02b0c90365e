//! What was typed, and what it means: which slot, what is to be kept there, what that depends on.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{AskArgs, KeyArgs, RestartChoice};
use super::depend::{instances, not_on_itself};
use super::place;
use crate::action::environment::choose_besides;
use crate::action::identity::{FileSystems, Timestamp};
use crate::action::input::Inputs;
use crate::action::key::{Action, Directory, Stdin, Streams};
use crate::action::name::Name;
use crate::action::output::Outputs;
use crate::action::scene::{Hidden, Scene, device_and_inode};
use crate::action::search;
use crate::cli::command::{key_commands, not_runnable, selectors, split_assignments, text};
use crate::cli::surroundings::Surroundings;
use crate::config::{Config, duration};
use crate::engine;
use crate::error::{Error, Kind};
use crate::singleton::dependencies::{Dependencies, Kept, Unknown};
use crate::singleton::framing::Framing;
use crate::singleton::message::Ensure;
use crate::singleton::readiness::{BadReadiness, Ready};
use crate::singleton::scope::Scope;
use crate::singleton::service::{Given, Port, Service, Settings, with_variables};
use crate::singleton::slot::{Called, Slot};
use crate::singleton::start::environment_for;
use crate::sys::signal;
use crate::ui::Ui;

/// How long an instance may take until it is ready.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to end before it is killed: what docker gives, and systemd's is 90 s.
const GRACE: Duration = Duration::from_secs(10);
/// How long one that answers calls lives when nobody calls: it is a cache, and is made again.
const IDLE_OF_CALLS: Duration = Duration::from_secs(15 * 60);

/// Which slot is meant, and by what.
pub(super) struct Meant {
    /// The root of all slots.
    pub(super) root: PathBuf,
    /// The scope.
    pub(super) scope: Scope,
    /// The slot.
    pub(super) slot: Slot,
    /// The command, where one was given.
    pub(super) action: Option<Action>,
}

/// What is wanted of a slot.
pub(super) struct Wanted {
    /// Which slot.
    pub(super) meant: Meant,
    /// What is to be kept there, where a command was given.
    pub(super) service: Option<Service>,
    /// What is said to the supervisor.
    pub(super) ensure: Option<Ensure>,
    /// How long all may take.
    pub(super) timeout: Duration,
    /// What it depends on.
    pub(super) dependencies: Option<Dependencies>,
    /// What was kept of the instance before.
    pub(super) kept: Option<Kept>,
    hidden: Hidden,
    directory: PathBuf,
    now: Timestamp,
}

/// Finds out which slot is meant.
///
/// # Errors
/// What is wrong with what was typed.
pub(super) fn meant(
    name: Option<&str>,
    key: &KeyArgs,
    command: &[OsString],
    config: &Config,
    around: &Surroundings,
    ui: &Ui,
) -> Result<Meant, Error> {
    let action = if command.is_empty() { None } else { Some(action(key, command, config, around)?) };
    let Some(name) = name else {
        let Some(action) = action else {
            return Err(Error::new(Kind::Failed, "neither a name nor a command was given")
                .hint("`memo singleton NAME -- COMMAND [ARG]...`; see `memo help singleton`"));
        };
        // Whatever directory a command without a name and without a directory is called from, it is the same one.
        let scope = place::scope(key.global || key.no_cwd, around)?;
        let root = place::root(config, around, ui)?;
        let called = Called::Command(action.keys().with(Stdin::None));
        let slot = Slot::new(&root, &scope, &called);
        return Ok(Meant { root, scope, slot, action: Some(action) });
    };
    if !name.starts_with('@') {
        place::check_name(name)?;
    }
    let scope = place::scope(key.global, around)?;
    let root = place::root(config, around, ui)?;
    let slot = place::slot_of(name, &scope, &root)?;
    Ok(Meant { root, scope, slot, action })
}

/// Finds out what is wanted of a slot.
///
/// # Errors
/// What is wrong with what was typed, and what cannot be looked at.
pub(super) fn wanted(
    name: Option<&str>,
    args: &AskArgs,
    command: &[OsString],
    framing: Option<Framing>,
    config: &Config,
    around: &Surroundings,
    ui: &Ui,
) -> Result<Wanted, Error> {
    not_on_itself(name, &args.key)?;
    let typed_framing = args.framing.as_deref().map(parse_framing).transpose()?;
    let meant = meant(name, &args.key, command, config, around, ui)?;
    if let Some(option) = args.without_command().filter(|_| meant.action.is_none()) {
        let error = Error::new(Kind::Failed, format_args!("`{option}` needs the command; nothing was done"));
        return Err(match (name, option) {
            (Some(name), "--force") => {
                error.hint(format_args!("`memo singleton restart {name}` starts it again as it was started"))
            }
            _ => error.hint("`memo singleton NAME OPTIONS -- COMMAND [ARG]...`"),
        });
    }
    let (given, timeout) = given(args)?;
    let timeout = timeout.unwrap_or(TIMEOUT);
    let store = meant.root.parent().and_then(|above| above.metadata().ok());
    let hidden = Hidden { store: store.as_ref().map(device_and_inode), ..Hidden::default() };
    // Where the caller is in none, its process is in one that is always there.
    let directory = around.place.directory.clone().unwrap_or_else(|| PathBuf::from("/"));
    let mut wanted = Wanted {
        meant,
        service: None,
        ensure: None,
        timeout,
        dependencies: None,
        kept: None,
        hidden,
        directory,
        now: around.clock.now(),
    };
    let (assignments, words) = split_assignments(command);
    if wanted.meant.action.is_none() {
        return Ok(wanted);
    }
    wanted.kept = Kept::read(wanted.meant.slot.directory());
    let dependencies = wanted.depends(&around.environment.get("PATH").map(OsStr::to_owned))?;
    let slot = &wanted.meant.slot;
    let readiness = readiness(args, &wanted.directory)?;
    let port = args.port.as_deref().map(parse_port).transpose()?;
    if let Some(ready) = readiness.iter().find(|ready| ready.wants_port() && port.is_none()) {
        return Err(Error::new(
            Kind::Failed,
            format_args!("`{ready}`: it is given no $PORT; the command was not run"),
        )
        .hint("`--port auto` gives it a free one, `--port 8080` this one"));
    }
    let framing = typed_framing.or(framing);
    let set = set_path(&assignments);
    let search_path = set.as_deref().or_else(|| around.environment.get("PATH"));
    let first = words.first().map(OsString::as_os_str).unwrap_or_default();
    let program = search::find(first, search_path).map_err(|why| not_runnable(first, why))?;
    let environment = environment_for(around.environment.iter(), args.survive_ci);
    let assigned = assignments.iter().map(|(name, value)| (name.as_str().into(), value.clone()));
    let mut settings = Settings {
        timeout,
        idle: framing.map(|_| IDLE_OF_CALLS),
        ttl: None,
        grace: GRACE,
        stop_signal: signal::TERM,
        on_release: None,
        restart: false,
    };
    settings.adopt(&given);
    let says_ready = !readiness.is_empty() || port.is_some();
    wanted.ensure = Some(Ensure {
        fingerprint: dependencies.fingerprint,
        framing,
        readiness: says_ready.then(|| Service::readiness_digest(&readiness, port)),
        given,
    });
    wanted.service = Some(Service {
        name: place::called(slot),
        slot: slot.directory().to_owned(),
        program: absolute(&program, &wanted.directory),
        words: words.to_vec(),
        assignments: assignments.iter().map(|(name, _)| name.to_string()).collect(),
        environment: with_variables(&environment, assigned),
        directory: wanted.directory.clone(),
        readiness,
        framing,
        port,
        settings,
        fingerprint: dependencies.fingerprint,
    });
    wanted.dependencies = Some(dependencies);
    Ok(wanted)
}

/// Returns a path that means the same wherever it is used.
fn absolute(path: &Path, directory: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { directory.join(path) }
}

impl Wanted {
    /// Looks at what the command depends on.
    fn depends(&self, search_path: &Option<OsString>) -> Result<Dependencies, Error> {
        let Some(action) = &self.meant.action else {
            return Err(Error::new(Kind::Failed, "there is no command"));
        };
        let mut scene = self.scene(search_path.as_deref());
        let unknown = |unknown| match unknown {
            Unknown::Input(bad) => engine::wrong_input(bad),
            Unknown::Program(why) => Error::new(
                Kind::Failed,
                format_args!("cannot hash the program: {why}; the command was not run"),
            )
            .hint("`--no-exe` leaves it out"),
        };
        let found = Dependencies::now(action, self.kept.as_ref(), &mut scene).map_err(unknown)?;
        if scene.hashed > WORTH_RENEWING
            && let Some(kept) =
                self.kept.as_ref().filter(|kept| kept.dependencies.fingerprint == found.fingerprint)
        {
            self.renew(kept, action, search_path.as_deref());
        }
        Ok(found)
    }

    /// Keeps stat identities that can be trusted by now, so that the next ask need not hash so much.
    fn renew(&self, kept: &Kept, action: &Action, search_path: Option<&OsStr>) {
        let mut scene = self.scene(search_path);
        if let Ok(mut fresh) = Dependencies::now(action, None, &mut scene)
            && fresh.fingerprint == kept.dependencies.fingerprint
        {
            fresh.mentioned.clone_from(&kept.dependencies.mentioned);
            let _ = kept.clone().renewed(fresh).keep(self.meant.slot.directory());
        }
    }

    /// Returns the surroundings in which its files are looked at.
    pub(super) fn scene<'a>(&'a self, search_path: Option<&'a OsStr>) -> Scene<'a> {
        Scene {
            now: self.now,
            directory: &self.directory,
            search_path,
            hidden: &self.hidden,
            systems: FileSystems::default(),
            known: None,
            onlooker: None,
            hashed: 0,
        }
    }

    /// Returns what is kept for those who ask later why it changed.
    pub(super) fn to_keep(&self, search_path: Option<&OsStr>) -> Option<Kept> {
        let (action, mut dependencies) = (self.meant.action.as_ref()?, self.dependencies.clone()?);
        dependencies.mention(action, &mut self.scene(search_path));
        Kept::new(dependencies, action).ok()
    }
}

/// How much may be hashed on an ask before it is worth keeping that it was, in bytes: as for results.
const WORTH_RENEWING: u64 = 64 << 10;

fn set_path(assignments: &[(Name, OsString)]) -> Option<OsString> {
    assignments.iter().rev().find(|(set, _)| set.as_str() == "PATH").map(|(_, value)| value.clone())
}

fn action(
    key: &KeyArgs,
    command: &[OsString],
    config: &Config,
    around: &Surroundings,
) -> Result<Action, Error> {
    let (assignments, words) = split_assignments(command);
    let Some(first) = words.first() else {
        let last = command.last().map(|word| word.display().to_string()).unwrap_or_default();
        return Err(Error::new(Kind::Failed, format_args!("no command after `{last}`"))
            .hint("`memo singleton NAME -- COMMAND [ARG]...`"));
    };
    let set = set_path(&assignments);
    let search_path = set.as_deref().or_else(|| around.environment.get("PATH"));
    let program = search::find(first, search_path).map_err(|why| not_runnable(first, why))?;
    let mut named: Vec<OsString> = config.env.clone();
    named.extend(selectors(&key.env)?);
    let assigned: Vec<&str> = assignments.iter().map(|(name, _)| name.as_str()).collect();
    let directory = match (&around.place.directory, key.no_cwd) {
        (_, true) => None,
        (Some(path), false) => Some(Directory { path: path.clone(), shell: None }),
        (None, false) => {
            return Err(Error::new(
                Kind::Failed,
                "the working directory cannot be found out; the command was not run",
            )
            .hint("`--no-cwd` leaves it out"));
        }
    };
    Ok(Action {
        words: words.to_vec(),
        directory,
        root: None,
        program: (!key.no_exe).then_some(program),
        // The locale and the time zone of whoever happens to ask do not count.
        environment: choose_besides(&[], around.environment.iter(), &named, &assigned),
        texts: key.key.iter().map(text).collect(),
        key_commands: key_commands(&key.key_cmd, &around.environment)?,
        singletons: instances(&key.dep_singleton, around, config)?,
        inputs: Inputs::parse(&key.input),
        outputs: Outputs::default(),
        depfile: None,
        auto: false,
        streams: Streams::Separate,
        terminal: None,
        closed: [false; 2],
        assignments,
    })
}

fn refused(option: &str, value: &str, why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Failed, format_args!("`{option} {value}`: {why}; the command was not run"))
}

/// Reads a duration of an option.
///
/// # Errors
/// When it is none.
pub(super) fn parse_duration(option: &str, text: &str) -> Result<Duration, Error> {
    /// A hundred years: longer is for ever, and a clock can still count it.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    let parsed = duration::parse(text).map(|duration| duration.min(LONGEST));
    parsed.map_err(|bad| refused(option, text, &bad).hint(bad.hint()))
}

fn parse_limit(option: &str, text: &Option<String>) -> Result<Option<Option<Duration>>, Error> {
    match text.as_deref() {
        None => Ok(None),
        Some("none") => Ok(Some(None)),
        Some(text) => match parse_duration(option, text)? {
            Duration::ZERO => Err(refused(option, text, "it would be over before anybody could use it")
                .hint(format_args!("`{option} none` sets no limit"))),
            limit => Ok(Some(Some(limit))),
        },
    }
}

fn parse_framing(text: &str) -> Result<Framing, Error> {
    Framing::parse(text).ok_or_else(|| {
        refused("--framing", text, "it is none of the framings").hint("it takes `line`, `json`, `lsp`")
    })
}

fn parse_port(text: &str) -> Result<Port, Error> {
    match text {
        "auto" => Ok(Port::Auto),
        text => text.parse().ok().filter(|port| *port > 0).map(Port::Fixed).ok_or_else(|| {
            refused("--port", text, "it is no port")
                .hint("`--port 8080`, or `--port auto` for one that is free")
        }),
    }
}

fn given(args: &AskArgs) -> Result<(Given, Option<Duration>), Error> {
    let given = Given {
        idle: parse_limit("--idle", &args.idle)?,
        ttl: parse_limit("--ttl", &args.ttl)?,
        grace: args.grace.as_deref().map(|text| parse_duration("--grace", text)).transpose()?,
        stop_signal: args.stop_signal.as_deref().map(parse_signal).transpose()?,
        on_release: args.on_release.clone(),
        restart: args.restart.map(|choice| choice == RestartChoice::OnFailure),
    };
    let timeout = args.timeout.as_deref().map(|text| match parse_duration("--timeout", text)? {
        Duration::ZERO => Err(refused("--timeout", text, "nobody could answer in that time")
            .hint("`memo singleton status NAME` says how it is, and starts nothing")),
        limit => Ok(limit),
    });
    Ok((given, timeout.transpose()?))
}

fn parse_signal(text: &str) -> Result<i32, Error> {
    signal::named(text).ok_or_else(|| {
        refused("--stop-signal", text, "it is no signal")
            .hint("`--stop-signal INT`, or a number from 1 to 64")
    })
}

/// Reads what readiness means. Paths are those of the caller's directory, wherever they are looked at.
fn readiness(args: &AskArgs, directory: &Path) -> Result<Vec<Ready>, Error> {
    let mut all = Vec::new();
    for text in &args.ready_port {
        let bad = |bad: BadReadiness| refused("--ready-port", text, &bad).hint(bad.hint());
        all.push(Ready::port(text).map_err(bad)?);
    }
    for text in &args.ready_http {
        let bad = |bad: BadReadiness| refused("--ready-http", text, &bad).hint(bad.hint());
        all.push(Ready::http(text, args.ready_status.as_deref()).map_err(bad)?);
    }
    let path = |path: &OsString| absolute(Path::new(path), directory);
    all.extend(args.ready_unix.iter().map(|at| Ready::Unix(path(at))));
    for text in &args.ready_log {
        let bad = |bad: BadReadiness| refused("--ready-log", text, &bad).hint(bad.hint());
        all.push(Ready::log(text).map_err(bad)?);
    }
    all.extend(args.ready_file.iter().map(|at| Ready::File(path(at))));
    all.extend(args.ready_cmd.iter().map(|line| Ready::Command(line.clone())));
    if args.ready_notify {
        all.push(Ready::Notify);
    }
    Ok(all)
}
