//! `memo show`: all that is known of one entry, and the bytes it holds.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use clap::{ArgGroup, Args, ValueHint};

use super::color::{Paint, When};
use super::details::Details;
use super::{clear, print, quote};
use crate::action::identity::Timestamp;
use crate::error::{Error, Kind};
use crate::replay::streams::{self, Replayed, Source};
use crate::store::Store;
use crate::store::index::{Index, Named, Row};
use crate::store::outcome::{Content, Outcome, Output, OutputKind};

/// Show all that is known of an entry
///
/// What it depends on, what it left, how it was used, and what it takes. The values of variables and what came
/// from stdin are not kept, so they are not shown either.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(group = ArgGroup::new("bytes").multiple(false).conflicts_with_all(["long", "json"]))]
pub struct ShowArgs {
    /// Which: four or more of the first digits that `memo ls` shows under KEY
    ///
    /// The key of an action (`action` in --json) stands for all that is recorded under it, one entry for each
    /// state its inputs had.
    #[arg(value_name = "KEY")]
    pub key: OsString,

    /// Print what the command wrote to stdout, and nothing else
    #[arg(long, group = "bytes")]
    pub stdout: bool,

    /// Print what the command wrote to stderr, and nothing else
    ///
    /// To stdout, as all that was asked for: `memo show --stderr KEY | less`.
    #[arg(long, group = "bytes")]
    pub stderr: bool,

    /// Print the content of this output file, and nothing else
    ///
    /// PATH is as shown, or any other name of it from the command's directory or from the root. Of a link the text
    /// is printed. No file is touched: `memo show --output a.o KEY > old.o` keeps a copy.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::Other, group = "bytes")]
    pub output: Option<PathBuf>,

    /// Show whole digests, and the files of the store
    #[arg(short, long)]
    pub long: bool,

    /// Print one JSON object a line, one for each entry
    ///
    /// It has the fields of `memo ls --json`, and more. Fields may be added in later versions.
    #[arg(long, conflicts_with = "long")]
    pub json: bool,

    /// When to use colours: auto, always or never, as with `memo ls`
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, hide_possible_values = true)]
    pub color: When,
}

/// Shows an entry. Returns the exit code.
///
/// # Errors
/// When nothing or more than one thing is named so, when there is no such output, and when the store or stdout
/// fails.
pub fn show(args: &ShowArgs, store: &Store, now: Timestamp, paint: Paint) -> Result<u8, Error> {
    let rows = named(args, store, now)?;
    let wants_bytes = args.stdout || args.stderr || args.output.is_some();
    if !wants_bytes {
        return print::print(&shown(args, store, &rows, now, paint)?).map(|()| 0);
    }
    let [row] = rows.as_slice() else {
        let word = quote::word(args.key.as_bytes());
        return Err(clear::ambiguous(&word, &rows));
    };
    let outcome = stored(store, row)?.outcome;
    let replayed = match (&args.output, args.stdout) {
        (Some(path), _) => content(store, row, &outcome, path)?,
        (None, stdout) => {
            let source = Source::open(&outcome.transcript, &store.blobs);
            streams::replay_one(&source.map_err(|error| damaged(row, error))?, if stdout { 1 } else { 2 })
        }
    };
    match replayed {
        Replayed::Whole | Replayed::ReaderGone => Ok(0),
        Replayed::Undelivered(error) => Err(print::refused(&error)),
    }
}

/// Returns the entries that are meant: one, or all of one action.
fn named(args: &ShowArgs, store: &Store, now: Timestamp) -> Result<Vec<Row>, Error> {
    let text = args.key.to_string_lossy();
    let word = quote::word(args.key.as_bytes());
    match Index::open(store, now)?.find(&text)? {
        Named::Entries(rows) => Ok(rows),
        Named::Ambiguous(candidates) => Err(clear::ambiguous(&word, &candidates)),
        Named::Nothing => {
            let error = Error::new(Kind::Nothing, format!("nothing recorded is named `{word}`"));
            let is_key = text.len() >= 4 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
            Err(if is_key {
                error.hint("`memo ls` lists what is recorded")
            } else {
                error.hint(format!("a KEY is four or more hexadecimal digits; to find it: `memo ls {word}`"))
            })
        }
    }
}

fn stored(store: &Store, row: &Row) -> Result<Details, Error> {
    Details::read(store, row).map_err(|what| damaged(row, what))
}

fn damaged(row: &Row, what: impl std::fmt::Display) -> Error {
    Error::new(Kind::Failed, format!("cannot show `{}`: {what}", row.outcome.0.short()))
        .hint("`memo doctor --fix` drops what is damaged; it is recorded anew when it is next asked for")
}

fn shown(
    args: &ShowArgs,
    store: &Store,
    rows: &[Row],
    now: Timestamp,
    paint: Paint,
) -> Result<String, Error> {
    let mut text = String::new();
    for row in rows {
        let details = stored(store, row)?;
        if args.json {
            text += &details.object(store, row, now);
        } else {
            if !text.is_empty() {
                text.push('\n');
            }
            text += &details.text(store, row, now, args.long, paint);
        }
    }
    Ok(text)
}

/// Prints what an output contains.
fn content(store: &Store, row: &Row, outcome: &Outcome, path: &Path) -> Result<Replayed, Error> {
    let shown = quote::word(path.as_os_str().as_bytes());
    let Some(output) = output(row, outcome, path) else {
        let error = Error::new(Kind::Nothing, format!("`{}` has no output `{shown}`", row.outcome.0.short()));
        return Err(outputs_named(error, &outcome.outputs));
    };
    match &output.content {
        Content::Directory => {
            let error = Error::new(Kind::Nothing, format!("output `{shown}` is a directory"));
            let below = outcome.outputs.iter().filter(|other| other.path.starts_with(&output.path));
            Err(outputs_named(error, below.filter(|other| other.path != output.path)))
        }
        Content::Link(text) => Ok(streams::replay_bytes(text)),
        Content::File { .. } if output.kind == OutputKind::Rewritten => {
            let what =
                format!("the content of `{shown}` is not kept: the run wrote again what was there before");
            Err(Error::new(Kind::Nothing, what))
        }
        Content::File { digest, length } => {
            let file = store.blobs.open(digest, *length).map_err(|error| damaged(row, error))?;
            Ok(streams::replay_file(&file, *length))
        }
    }
}

/// Finds an output by the name it was recorded with, else by what that is from the call's directory.
fn output<'a>(row: &Row, outcome: &'a Outcome, path: &Path) -> Option<&'a Output> {
    let exactly = outcome.outputs.iter().find(|output| output.path == path);
    exactly.or_else(|| {
        let place = |path: &Path| match &row.shown.directory {
            Some(directory) => plain(&directory.join(path)),
            None => plain(path),
        };
        let wanted = place(path);
        outcome.outputs.iter().find(|output| place(&output.path) == wanted)
    })
}

/// Returns a path without `.`, and without `..` where that can be told from the text.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => _ = plain.pop(),
            other => plain.push(other),
        }
    }
    plain
}

fn outputs_named<'a>(mut error: Error, outputs: impl IntoIterator<Item = &'a Output>) -> Error {
    /// How many are named: as many as one can look through at a glance.
    const MOST: usize = 5;
    let names: Vec<_> =
        outputs.into_iter().map(|output| quote::word(output.path.as_os_str().as_bytes())).collect();
    for name in names.iter().take(MOST) {
        error = error.hint(format!("there is `--output {name}`"));
    }
    if names.len() > MOST {
        error = error.hint(format!("and {} more: `memo show` lists all", names.len() - MOST));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{Fixture, NOW, outcome};
    use std::collections::HashMap;

    fn show_text(fixture: &Fixture, key: &str) -> Result<String, Error> {
        let args = ShowArgs { key: key.into(), ..ShowArgs::default() };
        let rows = named(&args, &fixture.store, NOW)?;
        shown(&args, &fixture.store, &rows, NOW, Paint::NONE)
    }

    #[test]
    fn what_is_ambiguous_is_named() {
        // Two whose names begin with the same four digits: one in 65,536, so that some 300 are enough.
        let mut seen: HashMap<String, Outcome> = HashMap::new();
        let (a, b, digits) = (0..)
            .find_map(|number: u32| {
                let next = outcome(&["printf", &number.to_string()], 1);
                let digits = next.encode().0.to_string()[..4].to_owned();
                let other = seen.insert(digits.clone(), next.clone())?;
                Some((other, next, digits))
            })
            .unwrap();
        let fixture = Fixture::new();
        let ids = [fixture.commit(1, a, "a"), fixture.commit(2, b, "b")].map(|id| id.to_string());
        let error = show_text(&fixture, &digits).unwrap_err();
        assert_eq!(error.kind(), Kind::Nothing);
        assert_eq!(error.to_string(), format!("`{digits}` is the beginning of 2 keys"));
        for id in &ids {
            assert!(
                error.hints().iter().any(|hint| hint.starts_with(&format!("`{}` is `printf ", &id[..16])))
            );
            let text = show_text(&fixture, &id[..16]).unwrap();
            assert!(text.starts_with(&format!("key         {id}\n")), "{text}");
        }
    }

    #[test]
    fn a_path_is_the_same_by_all_its_plain_names() {
        for (path, same) in
            [("./a//b", "a/b"), ("a/../b", "b"), ("../a", "../a"), ("/../a", "/../a"), ("a/.", "a")]
        {
            assert_eq!(plain(Path::new(path)), Path::new(same), "{path}");
        }
    }
}
