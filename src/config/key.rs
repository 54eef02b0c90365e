//! The keys of the configuration: what each is called, what it takes, what it sets.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::command_pattern::CommandPattern;
use super::given::Given;
use super::progress::{Progress, Pty};
use super::value::{Bad, Value};
use super::{Config, directory};

/// A key of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Mode,
    Dir,
    Ttl,
    Env,
    CacheExit,
    StdinMax,
    MaxSize,
    MaxEntry,
    MaxEntries,
    RefreshJobs,
    Relocatable,
    Progress,
    Pty,
    BuildDrivers,
}

/// Where a value stands, as far as its meaning depends on that.
pub(super) struct Scope<'a> {
    /// For messages: the variable, or the place in the file.
    pub(super) origin: &'a dyn fmt::Display,
    /// Where the store is if nobody says otherwise.
    pub(super) built_in: &'a Path,
    /// What `~` means.
    pub(super) home: Option<&'a Path>,
    /// What a relative path is relative to.
    pub(super) base: Option<&'a Path>,
    /// The directory of the project whose file it is.
    pub(super) project: Option<&'a Path>,
}

/// What a key has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// Its value.
    Value,
    /// These came to its list.
    Elements(Vec<OsString>),
}

impl Key {
    /// All keys, in the order of `config/default.toml`.
    pub(super) const ALL: [Self; 14] = [
        Self::Mode,
        Self::Dir,
        Self::Ttl,
        Self::Env,
        Self::CacheExit,
        Self::StdinMax,
        Self::MaxSize,
        Self::MaxEntry,
        Self::MaxEntries,
        Self::RefreshJobs,
        Self::Relocatable,
        Self::Progress,
        Self::Pty,
        Self::BuildDrivers,
    ];

    /// Returns its name in a file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Dir => "dir",
            Self::Ttl => "ttl",
            Self::Env => "env",
            Self::CacheExit => "cache-exit",
            Self::StdinMax => "stdin-max",
            Self::MaxSize => "max-size",
            Self::MaxEntry => "max-entry",
            Self::MaxEntries => "max-entries",
            Self::RefreshJobs => "refresh-jobs",
            Self::Relocatable => "relocatable",
            Self::Progress => "progress",
            Self::Pty => "pty",
            Self::BuildDrivers => "build-drivers",
        }
    }

    /// Returns its variable.
    pub(super) fn variable(self) -> &'static str {
        match self {
            Self::Mode => "MEMO_MODE",
            Self::Dir => "MEMO_DIR",
            Self::Ttl => "MEMO_TTL",
            Self::Env => "MEMO_ENV",
            Self::CacheExit => "MEMO_CACHE_EXIT",
            Self::StdinMax => "MEMO_STDIN_MAX",
            Self::MaxSize => "MEMO_MAX_SIZE",
            Self::MaxEntry => "MEMO_MAX_ENTRY",
            Self::MaxEntries => "MEMO_MAX_ENTRIES",
            Self::RefreshJobs => "MEMO_REFRESH_JOBS",
            Self::Relocatable => "MEMO_RELOCATABLE",
            Self::Progress => "MEMO_PROGRESS",
            Self::Pty => "MEMO_PTY",
            Self::BuildDrivers => "MEMO_BUILD_DRIVERS",
        }
    }

    /// Returns the key of a name in a file.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Returns why a project's file does not decide this, if it does not: a file that came with a clone must
    /// not reach what belongs to other projects.
    pub(super) fn refused_to_projects(self) -> Option<&'static str> {
        match self {
            Self::Dir => Some("a project does not say where the store is"),
            Self::MaxSize | Self::MaxEntries => {
                Some("the store is shared with other projects, whose entries would have to go")
            }
            Self::RefreshJobs => Some("it is about this machine, not about the project"),
            Self::Progress => Some("it is about whoever waits, not about the project"),
            Self::Mode
            | Self::Ttl
            | Self::Env
            | Self::CacheExit
            | Self::StdinMax
            | Self::MaxEntry
            | Self::Relocatable
            | Self::Pty
            | Self::BuildDrivers => None,
        }
    }

    /// Sets what the key stands for. A value that is not taken changes nothing.
    pub(super) fn apply(self, config: &mut Config, given: &Given<'_>, scope: &Scope<'_>) -> Result<Set, Bad> {
        let value = Value { given, example: self.example() };
        let word = |word: &str| matches!(given, Given::Text(text) if text.as_bytes().trim_ascii() == word.as_bytes());
        match self {
            Self::Mode => config.mode = value.mode()?,
            Self::Dir => {
                let Given::Text(text) = given else { return Err(value.wrong("a path")) };
                config.store = if text.is_empty() {
                    Ok(scope.built_in.to_owned())
                } else {
                    directory::resolve(text, scope.home, scope.base)
                        .map_err(|reason| format!("{}: {reason}", scope.origin))
                };
            }
            Self::Ttl => config.ttl = value.ttl()?,
            Self::Env => {
                let mut new = value.names()?;
                new.retain(|name| !config.env.contains(name));
                config.env.extend(new.iter().cloned());
                return Ok(Set::Elements(new));
            }
            Self::CacheExit => config.cache_exit = value.codes()?,
            Self::StdinMax => config.stdin_max = value.size()?,
            Self::MaxSize => config.max_size = value.size()?,
            Self::MaxEntry => config.max_entry = if word("") { None } else { Some(value.size()?) },
            Self::MaxEntries => {
                config.max_entries = if word("none") { None } else { Some(value.number(1)?) };
            }
            Self::RefreshJobs => config.refresh_jobs = value.number(0)?,
            Self::Relocatable => config.relocatable = value.truth()?,
            Self::Progress => config.progress = value.choice(&Progress::ALL)?,
            Self::Pty => config.pty = value.choice(&Pty::ALL)?,
            Self::BuildDrivers => {
                let names = value.names()?;
                let read = |name| CommandPattern::read(name, scope.project, self.example());
                let patterns = names.iter().map(read).collect::<Result<Vec<_>, _>>()?;
                // The last one that matches decides, so that a repeated one moves to the end.
                config.build_drivers.retain(|known| !patterns.contains(known));
                config.build_drivers.extend(patterns);
                return Ok(Set::Elements(names));
            }
        }
        Ok(Set::Value)
    }

    fn example(self) -> &'static str {
        match self {
            Self::Mode => "for example: `mode = \"read-only\"`",
            Self::Dir => "for example: `dir = \"/var/cache/memo\"`",
            Self::Ttl => "for example: `ttl = \"1d12h\"`",
            Self::Env => "for example: `env = [\"HOME\", \"AWS_*\", \"!AWS_SESSION_TOKEN\"]`",
            Self::CacheExit => "for example: `cache-exit = [0, 1]`",
            Self::StdinMax => "for example: `stdin-max = \"1GiB\"`",
            Self::MaxSize => "for example: `max-size = \"20GiB\"`",
            Self::MaxEntry => "for example: `max-entry = \"500M\"`",
            Self::MaxEntries => "for example: `max-entries = 1000`, or `max-entries = \"none\"`",
            Self::RefreshJobs => "for example: `refresh-jobs = 2`",
            Self::Relocatable => "for example: `relocatable = true`",
            Self::Progress => "for example: `progress = \"never\"`",
            Self::Pty => "for example: `pty = \"always\"`",
            Self::BuildDrivers => "for example: `build-drivers = [\"tox\", \"cmake --build\", \"!go vet\"]`",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn scope() -> Scope<'static> {
        Scope {
            origin: &"x",
            built_in: Path::new("/b"),
            home: Some(Path::new("/h")),
            base: None,
            project: None,
        }
    }

    fn applied(key: Key, given: &Given<'_>) -> Result<Config, Bad> {
        let mut config = Config::built_in("/b".into());
        let result = key.apply(&mut config, given, &scope());
        if result.is_err() {
            assert_eq!(config, Config::built_in("/b".into()), "a bad value changes nothing");
        }
        result.map(|_| config)
    }

    fn text(text: &str) -> Given<'_> {
        Given::Text(OsStr::new(text))
    }

    #[test]
    fn names_and_variables_belong_together() {
        for key in Key::ALL {
            assert_eq!(Key::named(key.name()), Some(key));
            let variable = key.name().to_uppercase().replace('-', "_");
            assert_eq!(key.variable(), format!("MEMO_{variable}"));
        }
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named() {
        let message = |key, given| applied(key, &given).map(|_| ()).unwrap_err().message;
        assert_eq!(message(Key::Mode, Given::Truth(true)), "expected a mode, found a boolean");
        assert_eq!(message(Key::Dir, Given::Number(1)), "expected a path, found a number");
        assert_eq!(message(Key::Ttl, Given::List(vec![])), "expected a duration, found a list");
        assert_eq!(message(Key::Env, Given::Number(1)), "expected a list of names, found a number");
        assert_eq!(
            message(Key::Env, Given::List(vec![text("A"), Given::Number(1)])),
            "expected names, found a number"
        );
        assert_eq!(message(Key::CacheExit, Given::Other("a table")), "expected exit codes, found a table");
        assert_eq!(message(Key::CacheExit, Given::List(vec![])), "no exit code would keep nothing");
        assert_eq!(
            message(Key::CacheExit, Given::List(vec![Given::Number(256)])),
            "invalid exit codes `256`"
        );
        assert_eq!(message(Key::MaxEntries, Given::Number(0)), "`0` is no number from 1 up");
        assert_eq!(message(Key::RefreshJobs, text("+2")), "`+2` is no number from 0 up");
        assert_eq!(message(Key::RefreshJobs, text("")), "`` is no number from 0 up");
        assert_eq!(message(Key::RefreshJobs, Given::Truth(true)), "expected a number, found a boolean");
        let raw = Given::Text(OsStr::from_bytes(b"\xff"));
        assert_eq!(message(Key::StdinMax, raw), "expected a size, found bytes that are not UTF-8");
    }

    #[test]
    fn exit_codes_are_a_list_a_number_or_a_text() {
        let codes = |given| applied(Key::CacheExit, &given).unwrap().cache_exit.to_string();
        assert_eq!(codes(Given::List(vec![Given::Number(0), Given::Number(7)])), "0,7");
        assert_eq!(codes(Given::Number(3)), "3");
        assert_eq!(codes(text("1-3,7")), "1-3,7");
    }

    #[test]
    fn truth_is_true_or_false() {
        let relocatable = |given| applied(Key::Relocatable, &given).map(|config| config.relocatable);
        assert_eq!(relocatable(Given::Truth(true)), Ok(true));
        assert_eq!(relocatable(text("false")), Ok(false));
        for (given, message) in [
            (text("yes"), "`yes` is neither true nor false"),
            (Given::Number(1), "expected true or false, found a number"),
        ] {
            assert_eq!(relocatable(given).unwrap_err().message, message);
        }
    }

    #[test]
    fn names_may_be_any_bytes() {
        let raw = Given::Text(OsStr::from_bytes(b"A\xff, ,B"));
        let env = applied(Key::Env, &raw).unwrap().env;
        assert_eq!(env, [OsStr::from_bytes(b"A\xff"), OsStr::new("B")]);
    }

    #[test]
    fn an_empty_directory_is_the_built_in_one() {
        assert_eq!(applied(Key::Dir, &text("")).unwrap().store, Ok("/b".into()));
        assert_eq!(applied(Key::Dir, &text("~/c")).unwrap().store, Ok("/h/c".into()));
        let nowhere = applied(Key::Dir, &text("c")).unwrap().store;
        assert_eq!(nowhere, Err("x: `c` is relative, and the working directory is unknown".to_owned()));
    }
}
