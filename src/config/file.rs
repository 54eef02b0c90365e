//! Configuration files: whether one may be read, and what its lines say.
//!
//! A file that somebody else can write to is not read: it could point the store at outcomes of theirs.
//! Of a file with faults everything counts that has none; a key on the lines of a syntax error is left
//! out, for what the parser made of it is a guess.

use std::fmt;
use std::io::Read;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::given::Given;
use super::key::{Key, Scope};
use super::nearest::nearest;
use super::{Config, Warning};
use crate::sys;

/// Reads a file; `None` when there is none, which costs one open(2).
///
/// # Errors
/// A warning when it cannot be read, or must not.
pub(super) fn read(path: &Path, user: u32) -> Result<Option<String>, Warning> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| Warning::new(format!("cannot read `{shown}`: {error}"), None);
    let mut file = match sys::file::open(path) {
        Ok(file) => file,
        Err(error) if sys::file::is_absent(&error) => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Warning::new(format!("did not read `{shown}`: it is no regular file"), None));
    }
    trust(path, metadata.uid(), metadata.mode(), user)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        Warning::new(format!("{shown}:{line}: not UTF-8; the file was not read"), None)
    })?;
    Ok(Some(text))
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

/// Applies what a file says, in the order of its lines.
pub(super) fn apply(
    text: &str,
    path: &Path,
    config: &mut Config,
    built_in: &Path,
    home: Option<&Path>,
    warn: &mut dyn FnMut(Warning),
) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut faults = faults_of(text, &errors);
    let mut entries = entries_of(text, table.get_ref());
    let without = without_stray_lines(text, &entries, &faults);
    let again = without.as_deref().map(DeTable::parse_recoverable);
    if let Some((table, errors)) = &again {
        faults.extend(faults_of(text, errors));
        entries = entries_of(text, table.get_ref());
    }
    // Both stable: of several faults on a line the parser's first one is told.
    faults.sort_by_key(|fault| fault.line);
    entries.sort_by_key(|entry| *entry.lines.start());

    let mut warnings: Vec<(usize, Warning)> = Vec::new();
    // The last line whose fault has been told: one slip can make the parser stumble many times.
    let mut told = 0;
    for fault in &faults {
        if fault.line > told {
            let within = entries.iter().find(|entry| entry.lines.contains(&fault.line));
            let at = At { path, line: fault.line, key: within.map(|entry| entry.name) };
            warnings.push((fault.line, Warning::new(format!("{at}: {}", fault.message), None)));
            told = within.map_or(fault.line, |entry| *entry.lines.end());
        }
    }
    let base = path.parent();
    for entry in &entries {
        if faults.iter().any(|fault| entry.lines.contains(&fault.line)) {
            continue;
        }
        let line = *entry.lines.start();
        if let Some(key) = Key::named(entry.name) {
            let at = At { path, line, key: Some(entry.name) };
            let scope = Scope { origin: &at, built_in, home, base };
            if let Err(bad) = key.apply(config, &entry.value, &scope) {
                warnings.push((line, Warning::new(format!("{at}: {}", bad.message), Some(bad.hint))));
            }
        } else {
            let at = At { path, line, key: None };
            let message = format!("{at}: unknown key `{}`", entry.name);
            warnings.push((line, Warning::new(message, Some(meant(entry.name)))));
        }
    }
    warnings.sort_by_key(|(line, _)| *line);
    warnings.into_iter().for_each(|(_, warning)| warn(warning));
}

/// A key with its value, and the lines they are on.
struct Entry<'a> {
    name: &'a str,
    value: Given<'a>,
    lines: RangeInclusive<usize>,
}

fn entries_of<'a>(text: &str, table: &'a DeTable<'_>) -> Vec<Entry<'a>> {
    let entry = |(key, value): (&'a Spanned<DeString<'_>>, &'a Spanned<DeValue<'_>>)| {
        // The span of a table is that of its header, and the key lies within.
        let (name, content) = (key.span(), value.span());
        let lines = line(text, name.start.min(content.start))..=line(text, name.end.max(content.end));
        Entry { name: key.get_ref(), value: value.get_ref().into(), lines }
    };
    table.iter().map(entry).collect()
}

/// What the parser stumbled over.
struct Fault<'a> {
    line: usize,
    message: &'a str,
}

fn faults_of<'a>(text: &str, errors: &'a [toml::de::Error]) -> Vec<Fault<'a>> {
    let fault = |error: &'a toml::de::Error| {
        let start = error.span().map_or(text.len(), |span| span.start);
        Fault { line: line(text, start), message: error.message() }
    };
    errors.iter().map(fault).collect()
}

/// Returns the text with spaces for the faulty lines that belong to no key; `None` when it has none.
///
/// At a key without `=` the parser (toml 1.2) tells the faults of the other lines too, but gives no key
/// that stands behind it. Headers stay: without one, the keys of its table would be ours.
fn without_stray_lines(text: &str, entries: &[Entry<'_>], faults: &[Fault<'_>]) -> Option<String> {
    let is_stray = |number: usize, line: &str| {
        faults.iter().any(|fault| fault.line == number)
            && !entries.iter().any(|entry| entry.lines.contains(&number))
            && !line.trim_start().starts_with('[')
    };
    let mut found = false;
    let mut out = String::with_capacity(text.len());
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if is_stray(number, line) {
            found = true;
            out.extend(line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        } else {
            out.push_str(line);
        }
    }
    found.then_some(out)
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
fn meant(name: &str) -> String {
    let known = Key::ALL.map(Key::name);
    match nearest(name, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("keys are: {}", known.join(", ")),
    }
}

/// Returns the line, from 1, of a place in a text.
fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
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
        apply(text, path, &mut config, Path::new("/b"), Some(Path::new("/h")), &mut |warning| {
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
                "F:5: unknown key `colour` | keys are: mode, dir, ttl, env, cache-exit, stdin-max, max-size, max-entry, max-entries, refresh-jobs",
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
                "F:1: unknown key `rule` | keys are: mode, dir, ttl, env, cache-exit, stdin-max, max-size, max-entry, max-entries, refresh-jobs",
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
        assert_eq!(config, Config { stdin_max: 7, ..Config::built_in("/b".into()) });
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
        assert_eq!(config, Config { stdin_max: 7, ..Config::built_in("/b".into()) });
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
