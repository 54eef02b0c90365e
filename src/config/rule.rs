//! `[[rule]]`: what calls of a command are given without their typing it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command_pattern::{CommandLine, CommandPattern};
use super::directory::{below, resolve};
use super::given::Given;
use super::origin::Origin;
use super::value::{Bad, Value};
use super::{ExitCodes, Mode};
use crate::action::name::split_named;

/// A rule: which command lines it is for, and what it gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Where it stands.
    pub origin: Origin,
    /// Any of these.
    pub patterns: Vec<CommandPattern>,
    /// Whether something in it could not be understood: what it would have put in the key is not known, so
    /// that nothing it matches may be recorded.
    pub faulty: bool,
    /// What it gives.
    pub gives: Gives,
    /// What is written in it, for showing.
    pub written: Vec<(RuleKey, Written)>,
    /// The directory of the project whose file it is.
    project: Option<PathBuf>,
    home: Option<PathBuf>,
}

/// What a rule gives a call, or all rules together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gives {
    /// As `-i`.
    pub input: Vec<OsString>,
    /// As `-o`.
    pub output: Vec<OsString>,
    /// As `--depfile`.
    pub depfile: Option<OsString>,
    /// As `--strict`.
    pub strict: Option<bool>,
    /// As `-e`.
    pub env: Vec<OsString>,
    /// As `-k`.
    pub key: Vec<OsString>,
    /// As `--key-cmd`.
    pub key_cmd: Vec<OsString>,
    /// As `--ttl`.
    pub ttl: Option<Option<Duration>>,
    /// As `--cache-exit`.
    pub cache_exit: Option<ExitCodes>,
    /// As `-g`.
    pub group: Option<String>,
    /// As `MEMO_MODE`.
    pub mode: Option<Mode>,
    /// As `--stdin none`, or `auto`.
    pub no_stdin: Option<bool>,
    /// As `--no-cwd`.
    pub no_cwd: Option<bool>,
    /// As `--no-auto`.
    pub no_auto: Option<bool>,
    /// As `--no-exe`.
    pub no_exe: Option<bool>,
}

/// A key of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKey {
    /// Which command lines.
    Match,
    /// Inputs.
    Input,
    /// Output files.
    Output,
    /// The depfile.
    Depfile,
    /// Whether new files besides are refused.
    Strict,
    /// Variables.
    Env,
    /// Texts.
    Key,
    /// Shell commands.
    KeyCmd,
    /// How old an answer may be.
    Ttl,
    /// Exit codes that are kept.
    CacheExit,
    /// The group.
    Group,
    /// What memo does with the store.
    Mode,
    /// Whether stdin is hashed.
    Stdin,
    /// Whether the directory is left out.
    NoCwd,
    /// Whether words are not looked at.
    NoAuto,
    /// Whether the program is left out.
    NoExe,
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// A string.
    Text(OsString),
    /// A number.
    Number(u64),
    /// true or false.
    Truth(bool),
    /// A list.
    List(Vec<Written>),
}

impl Rule {
    /// Returns a rule that gives nothing yet.
    pub(super) fn new(origin: Origin, project: Option<&Path>, home: Option<&Path>) -> Self {
        Self {
            origin,
            patterns: Vec::new(),
            faulty: false,
            gives: Gives::default(),
            written: Vec::new(),
            project: project.map(Path::to_owned),
            home: home.map(Path::to_owned),
        }
    }

    /// Returns whether it is for a command line.
    pub fn is_for(&self, line: CommandLine<'_>) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(line))
    }

    /// Returns what it gives a call in a directory: paths as one would type them there.
    ///
    /// # Errors
    /// In words, for a path whose meaning is not known there.
    pub fn gives_in(&self, directory: Option<&Path>) -> Result<Gives, String> {
        let place = |path: &OsStr| self.place(path, directory);
        let input = |text: &OsString| {
            if let Some(pattern) = text.as_bytes().strip_prefix(b"!") {
                // Without a slash it is about file names, wherever they are.
                if !pattern.contains(&b'/') {
                    return Ok(text.clone());
                }
                return Ok(joined(b"!", &place(OsStr::from_bytes(pattern))?));
            }
            match split_named(text) {
                Some((name, path)) => Ok(joined(format!("{name}=").as_bytes(), &place(&path)?)),
                None => place(text),
            }
        };
        Ok(Gives {
            input: self.gives.input.iter().map(input).collect::<Result<_, String>>()?,
            output: self.gives.output.iter().map(|path| place(path)).collect::<Result<_, String>>()?,
            depfile: self.gives.depfile.as_deref().map(place).transpose()?,
            ..self.gives.clone()
        })
    }

    /// Returns a path as one would type it in a directory. In a project's file it is relative to that.
    fn place(&self, path: &OsStr, directory: Option<&Path>) -> Result<OsString, String> {
        if path.as_bytes().starts_with(b"/") {
            return Ok(path.to_owned());
        }
        if Path::new(path).starts_with("~") {
            return resolve(path, self.home.as_deref(), None).map(PathBuf::into_os_string);
        }
        match (&self.project, directory) {
            (None, _) => Ok(path.to_owned()),
            (Some(project), Some(directory)) => Ok(below(&project.join(path), directory).into_os_string()),
            (Some(_), None) => Err("the working directory is unknown".to_owned()),
        }
    }
}

impl Gives {
    /// Adds what a later rule gives: lists add up, values replace.
    pub fn add(&mut self, later: Self) {
        self.input.extend(later.input);
        self.output.extend(later.output);
        self.depfile = later.depfile.or(self.depfile.take());
        self.strict = later.strict.or(self.strict);
        self.env.extend(later.env);
        self.key.extend(later.key);
        self.key_cmd.extend(later.key_cmd);
        self.ttl = later.ttl.or(self.ttl);
        self.cache_exit = later.cache_exit.or(self.cache_exit);
        self.group = later.group.or(self.group.take());
        self.mode = later.mode.or(self.mode);
        self.no_stdin = later.no_stdin.or(self.no_stdin);
        self.no_cwd = later.no_cwd.or(self.no_cwd);
        self.no_auto = later.no_auto.or(self.no_auto);
        self.no_exe = later.no_exe.or(self.no_exe);
    }
}

impl RuleKey {
    /// All keys, in the order in which they are told.
    pub const ALL: [Self; 16] = [
        Self::Match,
        Self::Input,
        Self::Output,
        Self::Depfile,
        Self::Strict,
        Self::Env,
        Self::Key,
        Self::KeyCmd,
        Self::Ttl,
        Self::CacheExit,
        Self::Group,
        Self::Mode,
        Self::Stdin,
        Self::NoCwd,
        Self::NoAuto,
        Self::NoExe,
    ];

    /// Returns its name in a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Input => "input",
            Self::Output => "output",
            Self::Depfile => "depfile",
            Self::Strict => "strict",
            Self::Env => "env",
            Self::Key => "key",
            Self::KeyCmd => "key-cmd",
            Self::Ttl => "ttl",
            Self::CacheExit => "cache-exit",
            Self::Group => "group",
            Self::Mode => "mode",
            Self::Stdin => "stdin",
            Self::NoCwd => "no-cwd",
            Self::NoAuto => "no-auto",
            Self::NoExe => "no-exe",
        }
    }

    /// Returns the key of a name in a file.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Returns why a project's file does not decide this, if it does not.
    pub(super) fn refused_to_projects(self) -> Option<&'static str> {
        (self == Self::KeyCmd).then_some("a project does not make memo run anything")
    }

    /// Sets what the key stands for. A value that is not taken changes nothing.
    pub(super) fn apply(self, rule: &mut Rule, given: &Given<'_>) -> Result<(), Bad> {
        let value = Value { given, example: self.example() };
        let gives = &mut rule.gives;
        match self {
            Self::Match => {
                let read = |text| CommandPattern::read(text, rule.project.as_deref(), self.example());
                let patterns = value.texts("patterns")?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
                if patterns.is_empty() || patterns.iter().any(|pattern| pattern.text().starts_with('!')) {
                    return Err(Bad::new("a rule needs a pattern that takes something in", self.example()));
                }
                rule.patterns = patterns;
            }
            Self::Input => gives.input = nonempty(value.texts("paths")?, value)?,
            Self::Output => gives.output = nonempty(value.texts("paths")?, value)?,
            Self::Depfile => {
                let path = value.text("a path")?;
                nonempty(vec![path.clone()], value)?;
                gives.depfile = Some(path);
            }
            Self::Strict => gives.strict = Some(value.truth()?),
            Self::Env => gives.env = value.names()?,
            Self::Key => gives.key = value.texts("texts")?,
            Self::KeyCmd => {
                let commands = value.texts("commands")?;
                if commands.iter().any(|command| split_named(command).is_none()) {
                    return Err(Bad::new("expected NAME=COMMAND", self.example()));
                }
                gives.key_cmd = commands;
            }
            Self::Ttl => gives.ttl = Some(value.ttl()?),
            Self::CacheExit => gives.cache_exit = Some(value.codes()?),
            Self::Group => {
                let name = value.text("a name")?.into_string();
                gives.group = Some(name.map_err(|_| value.wrong("a name"))?);
            }
            Self::Mode => gives.mode = Some(value.mode()?),
            Self::Stdin => {
                gives.no_stdin = match value.text("`auto` or `none`")?.as_bytes() {
                    b"auto" => Some(false),
                    b"none" => Some(true),
                    _ => return Err(Bad::new("expected `auto` or `none`", self.example())),
                };
            }
            Self::NoCwd => gives.no_cwd = Some(value.truth()?),
            Self::NoAuto => gives.no_auto = Some(value.truth()?),
            Self::NoExe => gives.no_exe = Some(value.truth()?),
        }
        rule.written.push((self, Written::from(given)));
        Ok(())
    }

    fn example(self) -> &'static str {
        match self {
            Self::Match => "for example: `match = [\"cc -c\", \"./tools/gen\"]`",
            Self::Input => "for example: `input = [\"include/**/*.h\"]`",
            Self::Output => "for example: `output = [\"build/version.h\"]`",
            Self::Depfile => "for example: `depfile = \"build/main.d\"`",
            Self::Strict => "for example: `strict = true`",
            Self::Env => "for example: `env = [\"CPATH\", \"APP_*\"]`",
            Self::Key => "for example: `key = [\"v=2\"]`",
            Self::KeyCmd => "for example: `key-cmd = [\"libc=ldd --version\"]`",
            Self::Ttl => "for example: `ttl = \"1d12h\"`",
            Self::CacheExit => "for example: `cache-exit = [0, 1]`",
            Self::Group => "for example: `group = \"compile\"`",
            Self::Mode => "for example: `mode = \"off\"`",
            Self::Stdin => "for example: `stdin = \"none\"`",
            Self::NoCwd => "for example: `no-cwd = true`",
            Self::NoAuto => "for example: `no-auto = true`",
            Self::NoExe => "for example: `no-exe = true`",
        }
    }
}

impl From<&Given<'_>> for Written {
    fn from(given: &Given<'_>) -> Self {
        match given {
            Given::Text(text) => Self::Text(text.to_os_string()),
            Given::Number(number) => Self::Number(*number),
            Given::Truth(truth) => Self::Truth(*truth),
            Given::List(list) => Self::List(list.iter().map(Self::from).collect()),
            // No key takes it, so that it is never written down.
            Given::Other(kind) => Self::Text(OsString::from(kind)),
        }
    }
}

fn nonempty(paths: Vec<OsString>, value: Value<'_>) -> Result<Vec<OsString>, Bad> {
    if paths.iter().any(|path| path.is_empty()) {
        return Err(Bad::new("an empty path names nothing", value.example));
    }
    Ok(paths)
}

fn joined(front: &[u8], path: &OsStr) -> OsString {
    OsString::from_vec([front, path.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(project: Option<&str>, input: &[&str], output: &[&str]) -> Rule {
        let origin = Origin::BuiltIn;
        let mut rule = Rule::new(origin, project.map(Path::new), Some(Path::new("/h")));
        rule.gives.input = input.iter().map(OsString::from).collect();
        rule.gives.output = output.iter().map(OsString::from).collect();
        rule
    }

    #[test]
    fn paths_of_a_project_are_typed_from_where_the_call_is() {
        let inputs =
            ["include/*.h", "./a/b", "_db=x.db", "!*.o", "!gen/*.h", "/etc/x", "~/.rc", "../up", "."];
        let rule = rule(Some("/p"), &inputs, &["out"]);
        let given = |directory| rule.gives_in(Some(Path::new(directory))).unwrap();
        assert_eq!(
            given("/p").input,
            ["include/*.h", "a/b", "_db=x.db", "!*.o", "!gen/*.h", "/etc/x", "/h/.rc", "../up", "."]
        );
        assert_eq!(
            given("/p/a/c").input,
            [
                "../../include/*.h",
                "../b",
                "_db=../../x.db",
                "!*.o",
                "!../../gen/*.h",
                "/etc/x",
                "/h/.rc",
                "../../../up",
                "../.."
            ]
        );
        assert_eq!(given("/p/a").output, ["../out"]);
        let mut rule = rule;
        rule.gives.depfile = Some("x.d".into());
        assert_eq!(rule.gives_in(Some(Path::new("/p/a"))).unwrap().depfile.unwrap(), "../x.d");
        assert_eq!(rule.gives_in(None).unwrap_err(), "the working directory is unknown");
    }

    #[test]
    fn paths_of_the_user_are_as_typed() {
        let rule = rule(None, &["Makefile", "~/x", "!a/b"], &["./out"]);
        let given = rule.gives_in(Some(Path::new("/w"))).unwrap();
        assert_eq!(given.input, ["Makefile", "/h/x", "!a/b"]);
        assert_eq!(given.output, ["./out"]);
    }

    #[test]
    fn lists_add_up_and_values_replace() {
        let gives = |names: &[&str], ttl| Gives {
            env: names.iter().map(OsString::from).collect(),
            ttl,
            ..Gives::default()
        };
        let mut first = gives(&["A"], Some(Some(Duration::from_secs(1))));
        first.group = Some("g".to_owned());
        first.add(gives(&["B"], Some(None)));
        first.add(gives(&[], None));
        assert_eq!(first, Gives { group: Some("g".to_owned()), ..gives(&["A", "B"], Some(None)) });
    }
}
