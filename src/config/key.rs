//! The keys of the configuration: what each is called, what it takes, what it sets.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::exit_codes::BadExitCodes;
use super::given::Given;
use super::mode::BadMode;
use super::{Config, ExitCodes, directory, size, ttl};

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
}

/// Why a value was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) message: String,
    pub(super) hint: String,
}

impl Bad {
    fn new(message: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self { message: message.to_string(), hint: hint.into() }
    }
}

impl Key {
    /// All keys, in the order of `config/default.toml`.
    pub(super) const ALL: [Self; 10] = [
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
        }
    }

    /// Returns the key of a name in a file.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Sets what the key stands for. A value that is not taken changes nothing.
    pub(super) fn apply(self, config: &mut Config, given: &Given<'_>, scope: &Scope<'_>) -> Result<(), Bad> {
        match self {
            Self::Mode => {
                let text = given.text().ok_or_else(|| self.wrong(given))?;
                config.mode = text.parse().map_err(|bad: BadMode| Bad::new(&bad, bad.hint()))?;
            }
            Self::Dir => {
                let Given::Text(text) = given else { return Err(self.wrong(given)) };
                config.store = if text.is_empty() {
                    Ok(scope.built_in.to_owned())
                } else {
                    directory::resolve(text, scope.home, scope.base)
                        .map_err(|reason| format!("{}: {reason}", scope.origin))
                };
            }
            Self::Ttl => {
                let text = given.text().ok_or_else(|| self.wrong(given))?;
                config.ttl = ttl::parse(&text).map_err(|bad| Bad::new(&bad, bad.hint()))?;
            }
            Self::Env => {
                for name in self.names(given)? {
                    if !config.env.contains(&name) {
                        config.env.push(name);
                    }
                }
            }
            Self::CacheExit => config.cache_exit = self.codes(given)?,
            Self::StdinMax => config.stdin_max = self.size(given)?,
            Self::MaxSize => config.max_size = self.size(given)?,
            Self::MaxEntry => {
                let part = matches!(given, Given::Text(text) if text.is_empty());
                config.max_entry = if part { None } else { Some(self.size(given)?) };
            }
            Self::MaxEntries => {
                let text = given.text().ok_or_else(|| self.wrong(given))?;
                let none = text.trim() == "none";
                config.max_entries = if none { None } else { Some(self.number(&text, 1)?) };
            }
            Self::RefreshJobs => {
                let text = given.text().ok_or_else(|| self.wrong(given))?;
                config.refresh_jobs = self.number(&text, 0)?;
            }
        }
        Ok(())
    }

    fn size(self, given: &Given<'_>) -> Result<u64, Bad> {
        let text = given.text().ok_or_else(|| self.wrong(given))?;
        size::parse(&text).map_err(|bad| Bad::new(&bad, bad.hint()))
    }

    /// Reads a count, in digits.
    fn number(self, text: &str, least: u64) -> Result<u64, Bad> {
        let digits = text.trim();
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        number
            .filter(|number| *number >= least)
            .ok_or_else(|| Bad::new(format!("`{text}` is no number from {least} up"), self.example()))
    }

    /// Reads a list of names, or one string with commas, which is all that a variable can hold.
    fn names(self, given: &Given<'_>) -> Result<Vec<OsString>, Bad> {
        let one = |given: &Given<'_>| match given {
            Given::Text(text) => Ok(text.to_os_string()),
            _ => Err(Bad::new(format!("expected names, found {}", given.kind()), self.example())),
        };
        let mut names = match given {
            Given::Text(text) => {
                let parts = text.as_bytes().split(|byte| *byte == b',');
                parts.map(|part| OsStr::from_bytes(part.trim_ascii()).to_owned()).collect()
            }
            Given::List(list) => list.iter().map(one).collect::<Result<Vec<_>, _>>()?,
            _ => return Err(self.wrong(given)),
        };
        names.retain(|name| !name.is_empty());
        Ok(names)
    }

    /// Reads a list of numbers, or the text of `--cache-exit`.
    fn codes(self, given: &Given<'_>) -> Result<ExitCodes, Bad> {
        let bad = |bad: BadExitCodes| Bad::new(&bad, bad.hint());
        let Given::List(list) = given else {
            let text = given.text().ok_or_else(|| self.wrong(given))?;
            return text.parse().map_err(bad);
        };
        if list.is_empty() {
            return Err(Bad::new(
                "no exit code would keep nothing",
                "`MEMO_MODE=off` runs without the store",
            ));
        }
        let code = |one: &Given<'_>| match one {
            Given::Number(number) => u8::try_from(*number).map_err(|_| bad(BadExitCodes(number.to_string()))),
            _ => Err(Bad::new(format!("expected numbers, found {}", one.kind()), self.example())),
        };
        list.iter().map(code).collect()
    }

    /// Says that a value is of the wrong kind.
    fn wrong(self, given: &Given<'_>) -> Bad {
        let wanted = match self {
            Self::Mode => "a mode",
            Self::Dir => "a path",
            Self::Ttl => "a duration",
            Self::Env => "a list of names",
            Self::CacheExit => "exit codes",
            Self::StdinMax | Self::MaxSize | Self::MaxEntry => "a size",
            Self::MaxEntries | Self::RefreshJobs => "a number",
        };
        Bad::new(format!("expected {wanted}, found {}", given.kind()), self.example())
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope<'static> {
        Scope { origin: &"x", built_in: Path::new("/b"), home: Some(Path::new("/h")), base: None }
    }

    fn applied(key: Key, given: &Given<'_>) -> Result<Config, Bad> {
        let mut config = Config::built_in("/b".into());
        let result = key.apply(&mut config, given, &scope());
        if result.is_err() {
            assert_eq!(config, Config::built_in("/b".into()), "a bad value changes nothing");
        }
        result.map(|()| config)
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
        assert_eq!(message(Key::Mode, Given::Other("a boolean")), "expected a mode, found a boolean");
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
        assert_eq!(
            message(Key::RefreshJobs, Given::Other("a boolean")),
            "expected a number, found a boolean"
        );
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
