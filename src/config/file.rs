//! Configuration files: whether one may be read, and what it sets.
//!
//! A file that somebody else can write to is not read: it could point the store at outcomes of theirs.
//! Of a file with faults everything counts that has none; a rule with a fault is told, and nothing that it
//! matches is recorded.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::document::{self, Entry, Reader};
use super::key::{Key, Scope};
use super::nearest::nearest;
use super::origin::Origin;
use super::rule::{Rule, RuleKey};
use super::value::Bad;
use super::{Config, Warning};
use crate::sys;

/// Reads a file; `None` when there is none, which costs one open(2).
///
/// # Errors
/// A warning when it cannot be read, or must not.
pub(super) fn read(path: &Path, user: u32) -> Result<Option<String>, Warning> {
    match sys::file::open(path) {
        Ok(file) => content(file, path, user).map(Some),
        Err(error) if sys::file::is_absent(&error) => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Reads a file that was opened under a name.
///
/// # Errors
/// A warning when it cannot be read, or must not.
pub(super) fn content(mut file: File, path: &Path, user: u32) -> Result<String, Warning> {
    let shown = path.display();
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(Warning::new(format!("did not read `{shown}`: it is no regular file"), None));
    }
    trust(path, metadata.uid(), metadata.mode(), user)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        Warning::new(format!("{shown}:{line}: not UTF-8; the file was not read"), None)
    })
}

/// Says that a file cannot be read.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Warning {
    Warning::new(format!("cannot read `{}`: {error}", path.display()), None)
}

/// Checks that nobody but the user and root can have written a file.
fn trust(path: &Path, owner: u32, mode: u32, user: u32) -> Result<(), Warning> {
    let shown = path.display();
    if owner != user && owner != 0 {
        let message = format!("did not read `{shown}`: it belongs to user {owner}");
        return Err(Warning::new(message, Some("only a file of your own or of root's counts".to_owned())));
    }
    if mode & 0o002 != 0 {
        let message = format!("did not read `{shown}`: others may write to it (mode {:03o})", mode & 0o7777);
        return Err(Warning::new(message, Some(format!("`chmod o-w {shown}` closes it"))));
    }
    Ok(())
}

/// A file among the layers.
pub(super) struct Layer<'a> {
    pub(super) path: &'a Path,
    /// The directory of the project whose file it is.
    pub(super) project: Option<&'a Path>,
    /// Where the store is if nobody says otherwise.
    pub(super) built_in: &'a Path,
    /// What `~` means.
    pub(super) home: Option<&'a Path>,
}

/// Applies what a file says, in the order of its lines.
pub(super) fn apply(text: &str, layer: &Layer<'_>, config: &mut Config, warn: &mut dyn FnMut(Warning)) {
    let mut applying = Applying { layer, config, warnings: Vec::new(), rule: None };
    document::read(text, &mut applying);
    applying.end_rule();
    let mut warnings = applying.warnings;
    warnings.sort_by_key(|(line, _)| *line);
    warnings.into_iter().for_each(|(_, warning)| warn(warning));
}

struct Applying<'a> {
    layer: &'a Layer<'a>,
    config: &'a mut Config,
    warnings: Vec<(usize, Warning)>,
    /// The rule that is being read, with the line of its header.
    rule: Option<(usize, Rule)>,
}

impl Applying<'_> {
    fn at<'a>(&'a self, line: usize, key: Option<&'a str>) -> At<'a> {
        At { path: self.layer.path, line, key }
    }

    fn warn(&mut self, line: usize, key: Option<&str>, bad: Bad) {
        let message = format!("{}: {}", self.at(line, key), bad.message);
        self.warnings.push((line, Warning::new(message, Some(bad.hint))));
    }

    fn origin(&self, line: usize) -> Origin {
        Origin::File { path: PathBuf::from(self.layer.path), line }
    }

    /// Says that a project's file does not decide something.
    fn refused(&mut self, line: usize, key: &str, why: &str, hint: String) {
        let message = format!("{}: not obeyed in a project: {why}", self.at(line, Some(key)));
        self.warnings.push((line, Warning::new(message, Some(hint))));
    }

    fn key(&mut self, entry: &Entry<'_>) {
        let line = *entry.lines.start();
        let Some(key) = Key::named(entry.name) else {
            let bad = match (entry.name, &self.layer.project) {
                ("rule", _) => Bad {
                    message: format!("`rule`: expected `[[rule]]`, found {}", entry.value.kind()),
                    hint: "each rule has a line `[[rule]]` of its own above it".to_owned(),
                },
                _ => unknown(entry.name, "", &Key::ALL.map(Key::name)),
            };
            return self.warn(line, None, bad);
        };
        if let Some(why) = key.refused_to_projects().filter(|_| self.layer.project.is_some()) {
            let hint = format!("set it in your own file, or by {}", key.variable());
            return self.refused(line, entry.name, why, hint);
        }
        let at = At { path: self.layer.path, line, key: Some(entry.name) };
        let scope = Scope {
            origin: &at,
            built_in: self.layer.built_in,
            home: self.layer.home,
            base: self.layer.path.parent(),
            project: self.layer.project,
        };
        match key.apply(self.config, &entry.value, &scope) {
            Ok(set) => {
                let origin = self.origin(line);
                self.config.origins.add(key, set, origin);
            }
            Err(bad) => self.warn(line, Some(entry.name), bad),
        }
    }

    fn key_of_rule(&mut self, entry: &Entry<'_>) {
        let line = *entry.lines.start();
        let Some((at, mut rule)) = self.rule.take() else { return };
        match RuleKey::named(entry.name) {
            None => {
                self.warn(line, None, unknown(entry.name, " of a rule", &RuleKey::ALL.map(RuleKey::name)));
                rule.faulty = true;
            }
            Some(key) => {
                if let Some(why) = key.refused_to_projects().filter(|_| self.layer.project.is_some()) {
                    self.refused(line, entry.name, why, "a rule in your own file may".to_owned());
                    rule.faulty = true;
                } else if let Err(bad) = key.apply(&mut rule, &entry.value) {
                    self.warn(line, Some(entry.name), bad);
                    rule.faulty = true;
                }
            }
        }
        self.rule = Some((at, rule));
    }

    fn end_rule(&mut self) {
        let Some((line, rule)) = self.rule.take() else { return };
        if !rule.patterns.is_empty() {
            self.config.rules.push(rule);
        } else if !rule.faulty {
            let bad = Bad {
                message: "the rule does not say which commands it is for".to_owned(),
                hint: "for example: `match = \"cc -c\"`".to_owned(),
            };
            self.warn(line, None, bad);
        }
    }
}

impl Reader for Applying<'_> {
    fn entry(&mut self, entry: &Entry<'_>) {
        if entry.rule.is_some() {
            self.key_of_rule(entry);
        } else {
            self.key(entry);
        }
    }

    fn rule(&mut self, line: usize, faulty: bool) {
        self.end_rule();
        let mut rule = Rule::new(self.origin(line), self.layer.project, self.layer.home);
        rule.faulty = faulty;
        self.rule = Some((line, rule));
    }

    fn fault(&mut self, line: usize, key: Option<&str>, message: &str) {
        let message = format!("{}: {message}", self.at(line, key));
        self.warnings.push((line, Warning::new(message, None)));
    }
}

/// A place in a file.
struct At<'a> {
    path: &'a Path,
    line: usize,
    key: Option<&'a str>,
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)?;
        match self.key {
            Some(key) => write!(f, ": `{key}`"),
            None => Ok(()),
        }
    }
}

/// Says which key was meant, or which there are.
fn unknown(name: &str, of: &str, known: &[&str]) -> Bad {
    let hint = match nearest(name, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("keys{of} are: {}", known.join(", ")),
    };
    Bad { message: format!("unknown key `{name}`{of}"), hint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Applies a file and returns its warnings, hints behind a bar.
    fn applied(text: &str) -> (Config, Vec<String>) {
        let mut config = Config::built_in("/b".into());
        let mut warnings = Vec::new();
        let path = Path::new("/etc/memo/config.toml");
        let layer = Layer { path, project: None, built_in: Path::new("/b"), home: Some(Path::new("/h")) };
        apply(text, &layer, &mut config, &mut |warning| {
            let message = warning.message.replace("/etc/memo/config.toml", "F");
            warnings.push(match warning.hint {
                Some(hint) => format!("{message} | {hint}"),
                None => message,
            });
        });
        (config, warnings)
    }

    #[track_caller]
    fn check(text: &str, warnings: &[&str]) -> Config {
        let (config, found) = applied(text);
        assert_eq!(found, warnings, "{text}");
        config
    }

    #[test]
    fn an_unknown_key_is_named_with_the_right_one_and_the_rest_counts() {
        let config = check(
            "mode = 'off'\n\ntll = '1h'\nstdin_max = 1\ncolour = 'red'\nttl = '2h'\n",
            &[
                "F:3: unknown key `tll` | did you mean `ttl`?",
                "F:4: unknown key `stdin_max` | did you mean `stdin-max`?",
                "F:5: unknown key `colour` | keys are: mode, dir, ttl, env, cache-exit, stdin-max, max-size, max-entry, max-entries, refresh-jobs, relocatable, progress, pty, build-drivers",
            ],
        );
        assert_eq!(config.mode, super::super::Mode::Off);
        assert_eq!(config.ttl.map(|ttl| ttl.as_secs()), Some(7200));
    }

    #[test]
    fn a_bad_value_is_named_with_its_key() {
        check(
            "ttl = 'soon'\nmode = true\ncache-exit = [0, 300]\nstdin-max = -1\nenv = ['A', 1]\ndir = 1.5\n",
            &[
                "F:1: `ttl`: invalid duration `soon` | examples: 90, 90s, 15m, 1d12h",
                "F:2: `mode`: expected a mode, found a boolean | for example: `mode = \"read-only\"`",
                "F:3: `cache-exit`: invalid exit codes `300` | codes from 0 to 255, for example: 0 or 0,1 or 1-3,7",
                "F:4: `stdin-max`: expected a size, found a number below zero or beyond 64 bits | for example: `stdin-max = \"1GiB\"`",
                "F:5: `env`: expected names, found a number | for example: `env = [\"HOME\", \"AWS_*\", \"!AWS_SESSION_TOKEN\"]`",
                "F:6: `dir`: expected a path, found a number with a fraction | for example: `dir = \"/var/cache/memo\"`",
            ],
        );
        check(
            "ttl = 0\n",
            &[
                "F:1: `ttl`: `0` would keep nothing | `MEMO_MODE=off` runs without the store, `--refresh` runs again and keeps the result",
            ],
        );
    }

    #[test]
    fn a_table_is_no_key() {
        check(
            "[[rule]]\nttl = '1h'\n[ttl]\nx = 1\n",
            &[
                "F:1: the rule does not say which commands it is for | for example: `match = \"cc -c\"`",
                "F:3: `ttl`: expected a duration, found a table | for example: `ttl = \"1d12h\"`",
            ],
        );
    }

    #[test]
    fn a_syntax_error_costs_its_own_key_only() {
        let config = check(
            "ttl = 90s\nmode = \"off\nstdin-max = 7\n",
            &[
                "F:1: `ttl`: string values must be quoted, expected literal string",
                "F:2: `mode`: invalid basic string, expected `\"`",
            ],
        );
        assert_eq!(config.stdin_max, 7);
        assert_eq!((config.ttl, config.mode), (None, super::super::Mode::On));
        let config = check(
            "stdin-max = 7\nttl\nmode = 'off'\nmode = 'on'\nenv = [\n 1 2,\n]\ncache-exit = 3\n",
            &[
                "F:2: key with no value, expected `=`",
                "F:4: duplicate key",
                "F:6: `env`: string values must be quoted, expected literal string",
            ],
        );
        assert_eq!((config.stdin_max, config.cache_exit.contains(3)), (7, true));
        assert_eq!(config.mode, super::super::Mode::Off);
    }

    #[test]
    fn one_slip_is_told_once() {
        let config = check(
            "stdin-max = 7\nenv = ['A',\nttl = '1h'\nmode = 'off'\n",
            &["F:3: `env`: unexpected `=` in array, expected value, `]`"],
        );
        assert_eq!(config.stdin_max, 7);
        assert_eq!((config.ttl, config.mode), (None, super::super::Mode::On));
    }

    #[test]
    fn a_broken_header_takes_its_table_along() {
        for text in
            ["[rule\nttl = '1h'\n", "[[rule]\nttl = '1h'\n", "[rule]]\nttl = '1h'\n", "[\nttl = '1h'\n"]
        {
            let (config, warnings) = applied(text);
            assert_eq!(config, Config::built_in("/b".into()), "{text}");
            assert_eq!(warnings.len(), 1, "{text}: {warnings:?}");
        }
    }

    fn of_project(text: &str) -> (Config, Vec<String>) {
        let mut config = Config::built_in("/b".into());
        let mut warnings = Vec::new();
        let (path, project) = (Path::new("/p/memo.toml"), Some(Path::new("/p")));
        let layer = Layer { path, project, built_in: Path::new("/b"), home: None };
        apply(text, &layer, &mut config, &mut |warning| {
            warnings.push(format!("{} | {}", warning.message, warning.hint.unwrap_or_default()));
        });
        (config, warnings)
    }

    #[test]
    fn a_project_decides_what_is_its_own() {
        let (config, warnings) = of_project(
            "relocatable = true\nttl = '1h'\ndir = 's'\nmax-size = 1\nmax-entries = 1\nrefresh-jobs = 9\n\
             [[rule]]\nmatch = 'a'\nkey-cmd = 'x=rm -r /'\n",
        );
        assert!(config.relocatable && config.ttl.is_some());
        assert_eq!((config.store, config.max_size), (Ok("/b".into()), super::super::MAX_SIZE));
        assert_eq!((config.max_entries, config.refresh_jobs), (None, super::super::REFRESH_JOBS));
        assert!(config.rules[0].faulty && config.rules[0].gives.key_cmd.is_empty());
        let shared = "the store is shared with other projects, whose entries would have to go";
        let own = "set it in your own file, or by";
        assert_eq!(
            warnings,
            [
                format!("/p/memo.toml:3: `dir`: not obeyed in a project: a project does not say where the store is | {own} MEMO_DIR"),
                format!("/p/memo.toml:4: `max-size`: not obeyed in a project: {shared} | {own} MEMO_MAX_SIZE"),
                format!("/p/memo.toml:5: `max-entries`: not obeyed in a project: {shared} | {own} MEMO_MAX_ENTRIES"),
                format!("/p/memo.toml:6: `refresh-jobs`: not obeyed in a project: it is about this machine, not about the project | {own} MEMO_REFRESH_JOBS"),
                "/p/memo.toml:9: `key-cmd`: not obeyed in a project: a project does not make memo run anything | a rule in your own file may".to_owned(),
            ]
        );
    }

    #[test]
    fn a_rule_with_a_fault_is_told_and_the_others_count() {
        let config = check(
            "[[rule]]\nmatch = 'a'\ninptu = ['x']\nttl = 'soon'\n\n[[rule]]\nmatch = 'b'\njunk\nenv = ['A']\n\n\
             [[rule]]\nmatch = ['c', '']\n\n[[rule]]\nmatch = 'd'\ngroup = 'g'\nmatch = 'e'\n\n[[rule]]\nmatch = 'f'\nno-cwd = true\n",
            &[
                "F:3: unknown key `inptu` of a rule | did you mean `input`?",
                "F:4: `ttl`: invalid duration `soon` | examples: 90, 90s, 15m, 1d12h",
                "F:8: key with no value, expected `=`",
                "F:12: `match`: a pattern has no word | for example: `match = [\"cc -c\", \"./tools/gen\"]`",
                "F:17: duplicate key",
            ],
        );
        let rules: Vec<_> = config
            .rules
            .iter()
            .map(|rule| (rule.patterns[0].text(), rule.faulty, rule.origin.to_string()))
            .collect();
        let path = "/etc/memo/config.toml";
        assert_eq!(
            rules,
            [
                ("a".to_owned(), true, format!("{path}:1")),
                ("b".to_owned(), true, format!("{path}:6")),
                ("d".to_owned(), true, format!("{path}:14")),
                ("f".to_owned(), false, format!("{path}:19")),
            ]
        );
        assert_eq!(config.rules[3].gives.no_cwd, Some(true));
        check(
            "rule = 1\n",
            &[
                "F:1: `rule`: expected `[[rule]]`, found a number | each rule has a line `[[rule]]` of its own above it",
            ],
        );
        check(
            "[rule]\nmatch = 'a'\n",
            &[
                "F:1: `rule`: expected `[[rule]]`, found a table | each rule has a line `[[rule]]` of its own above it",
            ],
        );
        check(
            "[[rule]]\nmatch = 'a'\n[rule.env]\nA = 1\n",
            &[
                "F:3: `env`: expected a list of names, found a table | for example: `env = [\"CPATH\", \"APP_*\"]`",
            ],
        );
        check(
            "[[rule]]\nmatch = '!a'\n",
            &[
                "F:2: `match`: a rule needs a pattern that takes something in | for example: `match = [\"cc -c\", \"./tools/gen\"]`",
            ],
        );
    }

    #[test]
    fn a_relative_directory_is_relative_to_the_file() {
        assert_eq!(check("dir = 'store'\n", &[]).store, Ok("/etc/memo/store".into()));
        assert_eq!(check("dir = '~/store'\n", &[]).store, Ok("/h/store".into()));
    }

    #[test]
    fn a_value_cannot_begin_a_line_of_its_own() {
        check(
            "mode = \"a\\nb\"\n",
            &["F:1: `mode`: unknown mode `a\\nb` | one of: on, off, read-only, refresh"],
        );
    }

    #[test]
    fn only_the_user_and_root_are_trusted() {
        let told = |owner, mode| {
            trust(Path::new("/c"), owner, mode, 1000).map_err(|warning| (warning.message, warning.hint))
        };
        assert_eq!(told(1000, 0o100_664), Ok(()));
        assert_eq!(told(0, 0o100_644), Ok(()));
        assert_eq!(
            told(1001, 0o100_644),
            Err((
                "did not read `/c`: it belongs to user 1001".to_owned(),
                Some("only a file of your own or of root's counts".to_owned())
            ))
        );
        assert_eq!(
            told(1000, 0o100_666),
            Err((
                "did not read `/c`: others may write to it (mode 666)".to_owned(),
                Some("`chmod o-w /c` closes it".to_owned())
            ))
        );
    }

    #[test]
    fn what_cannot_be_read_is_a_warning_and_what_is_not_there_is_none() {
        let user = sys::process::user();
        let path = std::env::temp_dir().join(format!("memo-file-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        assert_eq!(read(&path, user), Ok(None));
        assert_eq!(read(&path.join("below"), user), Ok(None));
        std::fs::write(&path, "mode = 'on'\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read(&path, user), Ok(Some("mode = 'on'\n".to_owned())));
        assert_eq!(read(&path.join("below"), user), Ok(None), "a file is no directory");
        std::fs::write(&path, b"a = 1\nb = '\xff'\n").unwrap();
        let message = |path: &Path| read(path, user).unwrap_err().message;
        assert_eq!(message(&path), format!("{}:2: not UTF-8; the file was not read", path.display()));
        assert_eq!(message(Path::new("/")), "did not read `/`: it is no regular file");
        std::fs::remove_file(path).unwrap();
        let deep = "/proc/self/fd/../../self/mem/x";
        assert_eq!(read(Path::new(deep), user), Ok(None));
    }
}
