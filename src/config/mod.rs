//! The edge: what memo takes from its process (variables, directory, clock) and what the user configured.
//!
//! Only here is any of that read; everything else is given it. The layers, each over the one before:
//! built-in values, `/etc/memo/config.toml`, `$XDG_CONFIG_HOME/memo/config.toml` (else
//! `$HOME/.config/memo/config.toml`), the project's `memo.toml`, `MEMO_*` variables. The options of a call
//! come last, in `cli`.
//!
//! Every key replaces what the layers below say, but `env` and `build-drivers`: their lists add up. A
//! name more in the key costs a miss, a name less a wrong hit; who wants one out says `!NAME`, which wins
//! wherever it stands. An empty variable counts as one that is not set.
//!
//! A rule is closer to a call than a key that is for all of them: what it says goes before the keys of all
//! files, and behind variables and options.
//!
//! # Trouble
//! Nothing here fails. What cannot be used is left out with a [`Warning`] that names file, line and key,
//! and everything else counts.
//!
//! # Performance
//! Every call comes through here. Without configuration files that is one failed open for each of the
//! two places, one failed lstat for each directory in which a project's file is looked for, and a walk over
//! the variables for each key.

pub mod clock;
pub mod command_pattern;
mod decimal;
mod directory;
mod document;
pub mod duration;
pub mod environment;
pub mod exit_codes;
mod file;
mod given;
mod key;
pub mod mode;
pub mod nearest;
pub mod origin;
mod passwd;
pub mod place;
pub mod progress;
pub mod project;
mod rounded;
pub mod rule;
pub mod setting;
pub mod size;
pub mod ttl;
mod value;

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use clock::Clock;
pub use environment::Environment;
pub use exit_codes::ExitCodes;
pub use mode::Mode;
pub use place::Place;
pub use progress::{Progress, Pty};

use command_pattern::{CommandLine, CommandPattern};
use file::Layer;
use given::Given;
use key::{Key, Scope};
use origin::{Origin, Origins};
use rule::{Gives, Rule};

/// Where the administrator's file is.
pub const SYSTEM_FILE: &str = "/etc/memo/config.toml";

/// How much of a piped stdin is read ahead of a lookup, in bytes.
pub const STDIN_MAX: u64 = 1 << 30;

/// How large the store may grow, in bytes on disk: what ccache takes too.
pub const MAX_SIZE: u64 = 5 << 30;

/// How many refreshes run in the background at a time: one that is slow does not hold up the next, and a
/// prompt that asks twenty things does not start twenty.
pub const REFRESH_JOBS: u64 = 2;

/// Programs that build what their own files describe: which sources they read, no word of theirs says.
/// A call of one is recorded only if it declares what it depends on.
pub const BUILD_DRIVERS: &[&str] = &[
    "{make,gmake,bmake,remake}",
    "{ninja,samu}",
    "cmake --{build,install,preset}",
    "{ctest,cpack}",
    "meson {compile,install,setup,test}",
    "{scons,waf,bjam,b2,tup,redo,redo-ifchange}",
    "{bazel,bazelisk,buck,buck2,pants,please}",
    "{cargo,cross}",
    "{npm,npx,pnpm,yarn,bun,deno}",
    "{tsc,webpack,vite,rollup,esbuild,turbo,nx,jest,vitest}",
    "go {build,generate,install,run,test,vet}",
    "{mvn,mvnw,gradle,gradlew,ant,sbt,mill,lein}",
    "{dotnet,msbuild,xbuild,nuget}",
    "{swift,zig,dune,stack,cabal,mix,rebar3} {build,run,test,compile,exec}",
    "xcodebuild",
    "{rake,bundle,grunt,gulp,just,task,mage,invoke}",
    "{tox,nox,pytest,hatch}",
    "{docker,podman,buildah} {build,buildx,compose}",
    "nix build",
    "nix-build",
];

/// What the user wants, from all layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What memo does with the store.
    pub mode: Mode,
    /// Where the store is, absolute and lexically normal; or why there is none.
    pub store: Result<PathBuf, String>,
    /// From which age on an outcome is not used; `None` keeps it for ever.
    pub ttl: Option<Duration>,
    /// Variables that are in every key: names, globs, `!` before either.
    pub env: Vec<OsString>,
    /// The exit codes that are recorded.
    pub cache_exit: ExitCodes,
    /// How much of a piped stdin is read ahead of a lookup, in bytes.
    pub stdin_max: u64,
    /// How large the store may grow, in bytes on disk.
    pub max_size: u64,
    /// How large an entry may be, in bytes, when somebody said so: see [`Config::max_entry`].
    pub max_entry: Option<u64>,
    /// How many entries a group may have; `None` leaves that to the store's size.
    pub max_entries: Option<u64>,
    /// How many refreshes may run in the background at a time; with 0 there are none.
    pub refresh_jobs: u64,
    /// Whether the project's directory is the root of calls in it, as with `--root`.
    pub relocatable: bool,
    /// Whether progress is shown.
    pub progress: Progress,
    /// Whether a command gets a terminal of its own.
    pub pty: Pty,
    /// Which commands are build drivers: of the patterns that match, the last decides.
    pub build_drivers: Vec<CommandPattern>,
    /// The rules of all files, in the order of the layers and of their lines.
    pub rules: Vec<Rule>,
    /// The project's directory: where the nearest `memo.toml` is, if that could be read.
    pub project: Option<PathBuf>,
    origins: Origins,
}

/// What the rules give a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruled {
    /// All they give together, paths as one would type them where the call is.
    pub gives: Gives,
    /// Where they stand, in their order.
    pub origins: Vec<Origin>,
    /// The rule that could not be understood, and why nothing it is for may be recorded.
    pub fault: Option<(Origin, String)>,
}

/// Something in the configuration that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What and where.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Config {
    /// Reads all layers below the options.
    pub fn load(environment: &Environment, place: &Place, warn: &mut dyn FnMut(Warning)) -> Self {
        let user_file = directory::user_file(environment);
        let files = [Some(Cow::Borrowed(Path::new(SYSTEM_FILE))), user_file.map(Cow::Owned)];
        Self::layered(files.iter().flatten().map(|path| &**path), environment, place, warn)
    }

    /// Returns the user's own file, whether it is there or not; `None` when nothing says where it is.
    pub fn user_file(environment: &Environment) -> Option<PathBuf> {
        directory::user_file(environment)
    }

    /// Returns the place where singletons are known by: in the store, if somebody said where that is; else where the
    /// XDG Base Directory Specification has what is kept between runs; `None` when nothing says where that is. Not
    /// `XDG_RUNTIME_DIR`, which cron and CI do not have, and which goes when the user logs out: a process that is
    /// started lives on.
    pub fn singletons(&self, environment: &Environment) -> Option<PathBuf> {
        let given = self.store.as_ref().ok().filter(|_| self.origins.of(Key::Dir) != Origin::BuiltIn);
        let place = given.cloned().or_else(|| directory::state(environment))?;
        Some(place.join("singleton"))
    }

    /// Returns the place of one user's files where nothing else will do.
    pub fn shared_directory(user: u32) -> PathBuf {
        directory::shared(user)
    }

    /// Returns what the rules give a command line.
    pub fn ruled(&self, line: CommandLine<'_>) -> Ruled {
        let mut ruled = Ruled::default();
        for rule in self.rules.iter().filter(|rule| rule.is_for(line)) {
            ruled.origins.push(rule.origin.clone());
            let fault = |why: &str| Some((rule.origin.clone(), why.to_owned()));
            if rule.faulty {
                ruled.fault = ruled.fault.or(fault("it has a fault"));
            }
            match rule.gives_in(line.directory) {
                Ok(gives) => ruled.gives.add(gives),
                Err(why) => ruled.fault = ruled.fault.or(fault(&why)),
            }
        }
        // Variables are closer to the call than files are.
        let gives = &mut ruled.gives;
        if self.origins.is_variable(Key::Mode) {
            gives.mode = None;
        }
        if self.origins.is_variable(Key::Ttl) {
            gives.ttl = None;
        }
        if self.origins.is_variable(Key::CacheExit) {
            gives.cache_exit = None;
        }
        ruled
    }

    /// Returns the pattern that makes a command line one of a build driver.
    pub fn build_driver(&self, line: CommandLine<'_>) -> Option<&CommandPattern> {
        command_pattern::deciding(&self.build_drivers, line)
    }

    /// Returns the root of calls in this project, if it is one that can be moved.
    pub fn root(&self) -> Option<&Path> {
        self.project.as_deref().filter(|_| self.relocatable)
    }

    /// Returns the built-in values, with the store at a given place.
    fn built_in(store: PathBuf) -> Self {
        Self {
            mode: Mode::On,
            store: Ok(store),
            ttl: None,
            env: Vec::new(),
            cache_exit: ExitCodes::default(),
            stdin_max: STDIN_MAX,
            max_size: MAX_SIZE,
            max_entry: None,
            max_entries: None,
            refresh_jobs: REFRESH_JOBS,
            relocatable: false,
            progress: Progress::Auto,
            pty: Pty::Never,
            build_drivers: BUILD_DRIVERS.iter().map(|text| CommandPattern::built_in(text)).collect(),
            rules: Vec::new(),
            project: None,
            origins: Origins::default(),
        }
    }

    /// Returns how large an entry may be, in bytes: a quarter of the store if nobody says otherwise, so that
    /// one result does not push everything else out.
    pub fn max_entry(&self) -> u64 {
        self.max_entry.unwrap_or(self.max_size / 4)
    }

    fn layered<'a>(
        files: impl Iterator<Item = &'a Path>,
        environment: &Environment,
        place: &Place,
        warn: &mut dyn FnMut(Warning),
    ) -> Self {
        let user = crate::sys::process::user();
        let built_in = directory::built_in_store(environment, user);
        let home = directory::home(environment);
        let mut config = Self::built_in(built_in.clone());
        let layer = |path, project| Layer { path, project, built_in: &built_in, home };
        for path in files {
            match file::read(path, user) {
                Ok(None) => {}
                Ok(Some(text)) => file::apply(&text, &layer(path, None), &mut config, warn),
                Err(warning) => warn(warning),
            }
        }
        let variable = |key: Key, config: &mut Self, warn: &mut dyn FnMut(Warning)| {
            let name = key.variable();
            let Some(value) = environment.get(name).filter(|value| !value.is_empty()) else { return };
            let base = place.directory.as_deref();
            let scope = Scope { origin: &name, built_in: &built_in, home, base, project: None };
            match key.apply(config, &Given::Text(value), &scope) {
                Ok(set) => config.origins.add(key, set, Origin::Variable(name)),
                Err(bad) => warn(Warning::new(format!("{name}: {}", bad.message), Some(bad.hint))),
            }
        };
        // First: the search for the project ends at the store, about which a project has no say.
        variable(Key::Dir, &mut config, warn);
        let store = config.store.as_deref().ok();
        if let Some(found) = place.directory.as_deref().and_then(|here| project::find(here, home, store)) {
            let path = found.directory.join(project::NAME);
            let text = match found.file {
                Ok(file) => file::content(file, &path, user),
                Err(error) => Err(file::unreadable(&path, &error)),
            };
            match text {
                Ok(text) => {
                    file::apply(&text, &layer(&path, Some(&found.directory)), &mut config, warn);
                    config.project = Some(found.directory);
                }
                Err(warning) => warn(warning),
            }
        }
        for key in Key::ALL.into_iter().filter(|key| *key != Key::Dir) {
            variable(key, &mut config, warn);
        }
        config
    }
}

impl Warning {
    /// Returns a warning of one line: control characters, which a bad value may have, are escaped.
    fn new(message: String, hint: Option<String>) -> Self {
        Self { message: one_line(message), hint: hint.map(one_line) }
    }
}

fn one_line(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::DirBuilderExt;

    /// A directory of its own for one test, gone with it.
    struct Sandbox(PathBuf);

    impl Sandbox {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("memo-config-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        }
    }

    impl Drop for Sandbox {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn load(files: &[PathBuf], variables: &[(&str, &str)]) -> (Config, Vec<String>) {
        let environment = Environment::new(variables.iter().map(|(n, v)| (n.into(), v.into())).collect());
        let place = Place { directory: Some("/work".into()), shell: None };
        let mut warnings = Vec::new();
        let config =
            Config::layered(files.iter().map(PathBuf::as_path), &environment, &place, &mut |warning| {
                warnings.push(match warning.hint {
                    Some(hint) => format!("{} | {hint}", warning.message),
                    None => warning.message,
                });
            });
        (config, warnings)
    }

    /// Without what is remembered of where values come from.
    fn plain(config: Config) -> Config {
        Config { origins: Origins::default(), ..config }
    }

    #[test]
    fn without_files_and_variables_everything_is_built_in() {
        let missing = PathBuf::from("/nonexistent/memo/config.toml");
        let (config, warnings) = load(&[missing], &[("HOME", "/home/a")]);
        assert_eq!(config, Config::built_in("/home/a/.cache/memo".into()));
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn a_later_layer_wins_and_lists_of_variables_add_up() {
        let sandbox = Sandbox::new("layers");
        let system = sandbox.file("etc/config.toml", "ttl = '1h'\nmode = 'read-only'\nenv = ['A', 'B']\n");
        let user = sandbox.file("home/config.toml", "ttl = 90\nenv = ['B', '!C']\ndir = '../store'\n");
        let (config, warnings) = load(&[system, user], &[("MEMO_MODE", "refresh"), ("MEMO_ENV", "D, E*")]);
        assert_eq!(config.ttl, Some(Duration::from_secs(90)));
        assert_eq!(config.mode, Mode::Refresh);
        assert_eq!(config.env, ["A", "B", "!C", "D", "E*"]);
        assert_eq!(config.store, Ok(sandbox.0.join("store")));
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn each_variable_is_obeyed() {
        let (config, warnings) = load(
            &[],
            &[
                ("MEMO_MODE", "off"),
                ("MEMO_DIR", "s/../store"),
                ("MEMO_TTL", "1d12h"),
                ("MEMO_ENV", "A"),
                ("MEMO_CACHE_EXIT", "0,1"),
                ("MEMO_STDIN_MAX", "500M"),
                ("MEMO_MAX_SIZE", "20GiB"),
                ("MEMO_MAX_ENTRY", "1K"),
                ("MEMO_MAX_ENTRIES", "30"),
                ("MEMO_REFRESH_JOBS", "0"),
                ("MEMO_RELOCATABLE", "true"),
                ("MEMO_PROGRESS", "never"),
                ("MEMO_PTY", "always"),
            ],
        );
        let expected = Config {
            mode: Mode::Off,
            store: Ok("/work/store".into()),
            ttl: Some(Duration::from_secs(36 * 3600)),
            env: vec!["A".into()],
            cache_exit: "0,1".parse().unwrap(),
            stdin_max: 500 << 20,
            max_size: 20 << 30,
            max_entry: Some(1024),
            max_entries: Some(30),
            refresh_jobs: 0,
            relocatable: true,
            progress: Progress::Never,
            pty: Pty::Always,
            ..Config::built_in("/work/store".into())
        };
        assert_eq!(plain(config), expected);
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn an_entry_may_be_a_quarter_of_the_store() {
        let (config, _) = load(&[], &[("MEMO_MAX_SIZE", "1M")]);
        assert_eq!(config.max_entry(), 256 << 10);
        let (config, _) = load(&[], &[("MEMO_MAX_SIZE", "1M"), ("MEMO_MAX_ENTRY", "2M")]);
        assert_eq!(config.max_entry(), 2 << 20);
    }

    #[test]
    fn an_empty_variable_counts_as_not_set_and_none_takes_a_ttl_back() {
        let sandbox = Sandbox::new("empty");
        let file = sandbox.file("config.toml", "ttl = '1h'\n");
        let (config, _) = load(std::slice::from_ref(&file), &[("MEMO_TTL", "")]);
        assert_eq!(config.ttl, Some(Duration::from_secs(3600)));
        let (config, _) = load(&[file], &[("MEMO_TTL", "none")]);
        assert_eq!(config.ttl, None);
    }

    #[test]
    fn a_bad_variable_is_a_warning_and_the_layer_below_counts() {
        let sandbox = Sandbox::new("variable");
        let file = sandbox.file("config.toml", "ttl = '1h'\nmode = 'refresh'\n");
        let (config, warnings) =
            load(&[file], &[("MEMO_TTL", "so\non"), ("MEMO_MODE", "of"), ("MEMO_STDIN_MAX", "much")]);
        assert_eq!((config.ttl, config.mode), (Some(Duration::from_secs(3600)), Mode::Refresh));
        assert_eq!(
            warnings,
            [
                "MEMO_MODE: unknown mode `of` | did you mean `off`?",
                "MEMO_TTL: invalid duration `so\\non` | examples: 90, 90s, 15m, 1d12h",
                "MEMO_STDIN_MAX: invalid size `much` | examples: 4096, 1K, 500M, 5GiB, 2GB",
            ]
        );
    }

    #[test]
    fn a_relative_directory_needs_a_working_directory() {
        let environment =
            Environment::new(vec![("MEMO_DIR".into(), "store".into()), ("HOME".into(), "/h".into())]);
        let place = Place { directory: None, shell: None };
        let config = Config::layered(std::iter::empty(), &environment, &place, &mut |_| {});
        assert_eq!(
            config.store,
            Err("MEMO_DIR: `store` is relative, and the working directory is unknown".to_owned())
        );
    }

    const DEFAULT: &str = include_str!("../../config/default.toml");

    #[test]
    fn the_file_of_defaults_says_what_is_built_in() {
        let built_in = Config::built_in("/home/a/.cache/memo".into());
        let mut config = Config {
            mode: Mode::Refresh,
            store: Err(String::new()),
            ttl: Some(Duration::from_secs(1)),
            cache_exit: "7".parse().unwrap(),
            stdin_max: 1,
            max_size: 1,
            max_entry: Some(1),
            max_entries: Some(1),
            refresh_jobs: 1,
            relocatable: true,
            ..built_in.clone()
        };
        let mut warnings = Vec::new();
        let store = built_in.store.clone().unwrap();
        let path = Path::new("config/default.toml");
        let layer = Layer { path, project: None, built_in: &store, home: None };
        file::apply(DEFAULT, &layer, &mut config, &mut |warning| warnings.push(warning.message));
        assert_eq!(warnings, [""; 0]);
        assert_eq!(plain(config), built_in);
    }

    #[test]
    fn the_file_of_defaults_has_every_key() {
        let table = toml::de::DeTable::parse(DEFAULT).unwrap();
        let mut present: Vec<&str> = table.get_ref().keys().map(|key| &**key.get_ref()).collect();
        let mut known: Vec<&str> = Key::ALL.iter().map(|key| key.name()).collect();
        present.sort_unstable();
        known.sort_unstable();
        assert_eq!(present, known);
        for key in Key::ALL {
            assert!(DEFAULT.contains(key.variable()), "{} is named there", key.variable());
        }
    }
}
