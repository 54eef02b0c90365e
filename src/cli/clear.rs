//! `memo clear`: forget what is recorded.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueHint};

use super::command::split_assignments;
use super::table::shown_size;
use super::{mistaken, pattern, print, quote, run};
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::key::call_digest;
use crate::config::{Config, duration};
use crate::error::{Error, Kind};
use crate::store::index::{Index, Named, Row, Weight};
use crate::store::outcome::OutcomeId;
use crate::store::{Store, clear as cleared};
use crate::sys::{descriptor, terminal};

/// Remove what is recorded
///
/// Without KEY, PATTERN, option or command: everything. Asks first when stdin is a terminal.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct ClearArgs {
    /// Remove only these
    ///
    /// A KEY is what `memo ls` shows, four or more of its first digits. Anything else is a PATTERN as of
    /// `memo ls`: without a `*` it must occur in the command's line, with one the whole line must match.
    #[arg(value_name = "KEY|PATTERN")]
    pub words: Vec<OsString>,

    /// Remove only of this group
    #[arg(short, long, value_name = "NAME")]
    pub group: Option<String>,

    /// Remove only what was recorded longer ago
    #[arg(long, value_name = "DUR", value_parser = duration::parse)]
    pub older_than: Option<Duration>,

    /// Of the command after --, what was recorded with this --root
    ///
    /// In a project that is relocatable its directory is the root without being named.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub root: Option<PathBuf>,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,

    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,

    /// Remove what is recorded of this command
    ///
    /// All of it in this directory, with these assignments before it, whatever the options and stdin were.
    #[arg(value_name = "COMMAND", last = true, conflicts_with = "words")]
    pub command: Vec<OsString>,
}

impl ClearArgs {
    fn is_everything(&self) -> bool {
        self.words.is_empty() && self.command.is_empty() && self.group.is_none() && self.older_than.is_none()
    }
}

/// Removes what is recorded. `directory` is where a command after `--` would have run. Returns the exit code.
///
/// # Errors
/// When a word names nothing or too much, when the words were meant for another command, and when the store
/// or stdout fails.
pub fn clear(
    args: &ClearArgs,
    store: &Store,
    config: &Config,
    now: Timestamp,
    directory: &Path,
) -> Result<u8, Error> {
    if args.root.is_some() && args.command.is_empty() {
        return Err(Error::new(Kind::Usage, "`--root` says where a command ran, and there is no command")
            .hint("`memo clear --root DIR -- COMMAND [ARG]...`"));
    }
    let root = run::root(args.root.as_deref(), config).map_err(|(root, why)| {
        let root = root.display();
        Error::new(Kind::Usage, format_args!("cannot use root `{root}`: {why}; nothing was removed"))
    })?;
    let asks = !args.yes && terminal::is_terminal(descriptor::standard(0));
    let mut agrees = |question: &str| !asks || ask(question);
    let (text, code) = remove(args, store, now, directory, root.as_deref(), &mut agrees)?;
    print::print(&text)?;
    Ok(code)
}

/// Makes sure that a command follows `--`. The parser cannot tell `memo clear -- $COMMAND` with nothing in the
/// variable from `memo clear`, which removes everything; so the words are looked at as they were typed.
///
/// # Errors
/// When `--` is the last of the words after `clear`.
pub fn check(words: &[OsString]) -> Result<(), Error> {
    match words.split_last() {
        Some((last, before)) if last == "--" && !before.iter().any(|word| word == "--") => {
            Err(Error::new(Kind::Usage, "no command follows `--`")
                .hint("to remove everything recorded: `memo clear`"))
        }
        _ => Ok(()),
    }
}

/// Does it; returns what to print and the exit code.
fn remove(
    args: &ClearArgs,
    store: &Store,
    now: Timestamp,
    directory: &Path,
    root: Option<&Path>,
    agrees: &mut dyn FnMut(&str) -> bool,
) -> Result<(String, u8), Error> {
    let mut index = Index::open(store, now)?;
    let picked: Option<Vec<_>> = if args.is_everything() {
        None
    } else {
        let rows = picked(args, &mut index, now, directory, root)?;
        Some(rows.iter().map(|row| (row.key, row.outcome)).collect())
    };
    let weight = match &picked {
        None => index.total()?,
        Some(picked) => index.weigh(picked)?,
    };
    drop(index);
    if args.dry_run {
        return Ok((said("would remove", weight), 0));
    }
    let what = if picked.is_none() { "everything recorded, " } else { "" };
    if weight.entries > 0 && !agrees(&format!("remove {what}{}?", amount(weight))) {
        return Ok(("nothing removed\n".to_owned(), 1));
    }
    let went = match picked {
        // Also when nothing is listed: a run under way is not to be recorded after this.
        None => cleared::all(store, now)?,
        Some(picked) if picked.is_empty() => Weight::default(),
        Some(picked) => cleared::some(store, &picked, now)?,
    };
    Ok((said("removed", went), 0))
}

/// Returns the entries for which all that was asked for holds.
fn picked(
    args: &ClearArgs,
    index: &mut Index<'_>,
    now: Timestamp,
    directory: &Path,
    root: Option<&Path>,
) -> Result<Vec<Row>, Error> {
    let mut rows = index.rows()?;
    if !args.words.is_empty() {
        let mut named = HashSet::new();
        for word in &args.words {
            named.extend(of_word(args, word, &rows, index, directory)?);
        }
        rows.retain(|row| named.contains(&row.outcome));
    }
    if !args.command.is_empty() {
        let calls = calls(&args.command, directory, root);
        rows.retain(|row| calls.contains(&row.shown.call));
    }
    rows.retain(|row| {
        let age = now.since(row.recorded).unwrap_or_default();
        args.group.as_ref().is_none_or(|group| row.shown.group == *group)
            && args.older_than.is_none_or(|limit| age > limit)
    });
    Ok(rows)
}

/// Returns what a word names: the entry of a KEY, else all that match it as a PATTERN.
fn of_word(
    args: &ClearArgs,
    word: &OsString,
    rows: &[Row],
    index: &mut Index<'_>,
    directory: &Path,
) -> Result<Vec<OutcomeId>, Error> {
    let text = word.to_string_lossy();
    let quoted = quote::word(word.as_bytes());
    if word.is_empty() {
        return Err(Error::new(Kind::Usage, "an empty PATTERN would match everything")
            .hint("to remove everything recorded: `memo clear`"));
    }
    let mistake = || mistaken::about("clear", &args.words, &quoted);
    if mistaken::is_path_like(&text) && directory.join(word).exists() {
        let as_pattern = quote::word(format!("*{text}*").as_bytes());
        return Err(mistake().hint(format!("to remove commands with that word: `memo clear {as_pattern}`")));
    }
    match index.find(&text)? {
        Named::Entries(named) => return Ok(named.iter().map(|row| row.outcome).collect()),
        Named::Ambiguous(candidates) => return Err(ambiguous(&quoted, &candidates)),
        Named::Nothing => {}
    }
    let matching = rows.iter().filter(|row| pattern::matches(&text, &quote::line(&row.shown)));
    let outcomes: Vec<_> = matching.map(|row| row.outcome).collect();
    if !outcomes.is_empty() {
        return Ok(outcomes);
    }
    if mistaken::is_path_like(&text) {
        return Err(mistake());
    }
    Err(Error::new(Kind::Nothing, format!("nothing recorded is named or matches `{quoted}`"))
        .hint("`memo ls` lists what is recorded"))
}

/// Returns the error for a word that is the beginning of several keys, with some of them.
pub(super) fn ambiguous(word: &str, candidates: &[Row]) -> Error {
    /// How many candidates are named: as many as one can compare at a glance.
    const MOST: usize = 5;
    let mut error =
        Error::new(Kind::Nothing, format!("`{word}` is the beginning of {} keys", candidates.len()));
    for row in candidates.iter().take(MOST) {
        let name = row.outcome.to_string();
        error = error.hint(format!("`{}` is `{}`", &name[..16], quote::line(&row.shown)));
    }
    error
}

/// Returns the digests of a command's calls in a directory: as `memo run` makes them there, with
/// `--no-cwd`, and with a root.
fn calls(command: &[OsString], directory: &Path, root: Option<&Path>) -> Vec<Digest> {
    let (assignments, words) = split_assignments(command);
    let below = root.and_then(|root| directory.strip_prefix(root).ok());
    // With `--no-cwd` below a root, it is the root itself.
    let rooted = below.into_iter().flat_map(|below| [Some(below), Some(Path::new(""))]);
    let directories = [Some(directory), None].into_iter().chain(rooted);
    directories.map(|directory| call_digest(words, &assignments, directory)).collect()
}

fn said(what: &str, weight: Weight) -> String {
    if weight.entries == 0 {
        "nothing to remove\n".to_owned()
    } else {
        format!("{what} {}\n", amount(weight))
    }
}

fn amount(weight: Weight) -> String {
    let entries = if weight.entries == 1 { "entry" } else { "entries" };
    format!("{} {entries} ({})", weight.entries, shown_size(weight.bytes))
}

/// Asks on the terminal; anything but yes is no.
fn ask(question: &str) -> bool {
    let question = format!("memo: {question} [y/N] ");
    let mut answer = String::new();
    descriptor::write_all(descriptor::standard(2), question.as_bytes()).is_ok()
        && io::stdin().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::name::Name;
    use crate::store::fixture::{Fixture, NOW, outcome};

    fn words(words: &[&str]) -> ClearArgs {
        ClearArgs { words: words.iter().map(OsString::from).collect(), ..ClearArgs::default() }
    }

    fn command(words: &[&str]) -> ClearArgs {
        ClearArgs { command: words.iter().map(OsString::from).collect(), ..ClearArgs::default() }
    }

    fn go(fixture: &Fixture, args: &ClearArgs) -> Result<String, Error> {
        let done = remove(args, &fixture.store, NOW, Path::new("/work"), None, &mut |_| true)?;
        assert_eq!(done.1, 0);
        Ok(done.0)
    }

    /// What is said, but for the size, which is foretold as it comes.
    fn says(fixture: &Fixture, args: &ClearArgs, said: &str) {
        let foretold = go(fixture, &ClearArgs { dry_run: true, ..args.clone() }).unwrap();
        let done = go(fixture, args).unwrap();
        assert_eq!(foretold.replace("would remove", "removed"), done);
        assert_eq!(done.split(" (").next().unwrap().trim(), said);
    }

    fn left(fixture: &Fixture) -> Vec<String> {
        let rows = Index::open(&fixture.store, NOW).unwrap().rows().unwrap();
        rows.iter().map(|row| quote::line(&row.shown)).collect()
    }

    #[test]
    fn everything_goes_and_then_there_is_nothing() {
        let fixture = Fixture::new();
        fixture.record_with_blob(1, &["a"], 1, "shared");
        fixture.record_with_blob(2, &["b"], 2, "shared");
        says(&fixture, &ClearArgs::default(), "removed 2 entries");
        says(&fixture, &ClearArgs::default(), "nothing to remove");
        assert_eq!(left(&fixture), [""; 0]);
    }

    #[test]
    fn a_command_goes_with_its_assignments_whatever_its_options() {
        let fixture = Fixture::new();
        let mut with = outcome(&["./bump", "1"], 3);
        let value = (Name::new("A").unwrap(), OsString::from("x"));
        with.shown.call = call_digest(&["./bump".into(), "1".into()], &[value], Some("/work".as_ref()));
        fixture.commit(3, with, "");
        let mut without_directory = outcome(&["./bump", "1"], 4);
        without_directory.shown.call = call_digest(&["./bump".into(), "1".into()], &[], None);
        fixture.commit(4, without_directory, "");
        fixture.record(1, &["./bump", "1"], 1);
        fixture.record(2, &["./bump", "2"], 2);
        says(&fixture, &command(&["./bump", "3"]), "nothing to remove");
        says(&fixture, &command(&["A=y", "./bump", "1"]), "nothing to remove");
        says(&fixture, &command(&["A=x", "_B=1", "./bump", "1"]), "removed 1 entry");
        says(&fixture, &command(&["./bump", "1"]), "removed 2 entries");
        assert_eq!(left(&fixture), ["./bump 2"]);
        let elsewhere = |root| {
            let args = ClearArgs { dry_run: true, ..command(&["./bump", "2"]) };
            remove(&args, &fixture.store, NOW, Path::new("/other"), root, &mut |_| true).unwrap().0
        };
        assert_eq!(elsewhere(None), "nothing to remove\n");
    }

    #[test]
    fn a_command_below_a_root_is_found() {
        let fixture = Fixture::new();
        let mut relative = outcome(&["a"], 3);
        relative.shown.call = call_digest(&["a".into()], &[], Some("sub".as_ref()));
        fixture.commit(1, relative, "");
        let (directory, root) = (Path::new("/r/sub"), Path::new("/r"));
        let done = remove(&command(&["a"]), &fixture.store, NOW, directory, Some(root), &mut |_| true);
        assert!(done.unwrap().0.starts_with("removed 1 entry"));
    }

    #[test]
    fn keys_patterns_groups_and_ages_choose() {
        let fixture = Fixture::new();
        let a = fixture.record(1, &["cc", "a.c"], 100);
        fixture.record(2, &["cc", "b.c"], 200);
        fixture.record(3, &["ld", "b.o"], 300);
        fixture.record(4, &["ld", "c.o"], 400);
        fixture.record(5, &["ar", "x"], 500);
        says(&fixture, &words(&[&a.to_string()[..8]]), "removed 1 entry");
        assert_eq!(left(&fixture), ["ar x", "ld c.o", "ld b.o", "cc b.c"]);
        let older = Some(Duration::from_secs(600));
        says(
            &fixture,
            &ClearArgs { older_than: older, group: Some("ld".into()), ..ClearArgs::default() },
            "removed 1 entry",
        );
        says(&fixture, &ClearArgs { older_than: older, ..words(&["ld"]) }, "nothing to remove");
        says(&fixture, &words(&["*x", "b.c"]), "removed 2 entries");
        says(&fixture, &ClearArgs { group: Some("ld".into()), ..ClearArgs::default() }, "removed 1 entry");
        assert_eq!(left(&fixture), [""; 0]);
        says(&fixture, &ClearArgs { group: Some("ld".into()), ..ClearArgs::default() }, "nothing to remove");
    }

    #[test]
    fn a_word_that_names_nothing_removes_nothing() {
        let fixture = Fixture::new();
        fixture.record(1, &["cc", "a.c"], 100);
        let error = go(&fixture, &words(&["cc", "nosuch"])).unwrap_err();
        assert_eq!(error.kind(), Kind::Nothing);
        assert_eq!(error.to_string(), "nothing recorded is named or matches `nosuch`");
        for path in ["/", "/nonexistent", "."] {
            let error = go(&fixture, &words(&[path])).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage);
            assert_eq!(error.hints()[0], format!("to memoize clear itself: `memo -- clear {path}`"));
        }
        assert_eq!(go(&fixture, &words(&[""])).unwrap_err().kind(), Kind::Usage);
        assert_eq!(left(&fixture), ["cc a.c"]);
    }

    #[test]
    fn a_missing_command_is_not_everything() {
        let check = |words: &[&str]| check(&words.iter().map(OsString::from).collect::<Vec<_>>()).is_ok();
        assert!(!check(&["--"]));
        assert!(!check(&["--yes", "--"]));
        assert!(check(&["--", "git", "--"]) && check(&["--", "--"]) && check(&["--yes"]) && check(&[]));
    }

    #[test]
    fn whoever_is_asked_can_say_no() {
        let fixture = Fixture::new();
        fixture.record(1, &["cc", "a.c"], 100);
        let mut asked = Vec::new();
        let mut no = |question: &str| {
            asked.push(question.split(" (").next().unwrap().to_owned());
            false
        };
        for args in [ClearArgs::default(), words(&["cc"])] {
            let done = remove(&args, &fixture.store, NOW, Path::new("/"), None, &mut no).unwrap();
            assert_eq!(done, ("nothing removed\n".to_owned(), 1));
        }
        assert_eq!(asked, ["remove everything recorded, 1 entry", "remove 1 entry"]);
        assert_eq!(left(&fixture), ["cc a.c"]);
    }

    #[test]
    fn the_arguments_are_sound() {
        ClearArgs::augment_args(clap::Command::new("clear")).debug_assert();
        super::super::ls::LsArgs::augment_args(clap::Command::new("ls")).debug_assert();
    }
}
