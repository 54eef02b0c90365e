//! `memo singleton gc`: what singletons that have ended left.

use std::path::Path;
use std::time::Duration;

use super::args::CollectArgs;
use super::place;
use super::wanted::parse_duration;
use crate::cli::print;
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::error::{Error, Kind, system_text};
use crate::singleton::ask::sweep;
use crate::singleton::slot::Slot;
use crate::singleton::verdict::Last;
use crate::ui::Ui;

/// How long what one has left is kept, for whoever wants to know why it ended.
const AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Removes what singletons have left that do not run. Returns the exit code.
///
/// # Errors
/// When something cannot be removed.
pub(super) fn collect(
    args: &CollectArgs,
    config: &Config,
    around: &Surroundings,
    ui: &Ui,
) -> Result<u8, Error> {
    let older = args.older_than.as_deref().map(|text| parse_duration("--older-than", text)).transpose();
    let older = older.map_err(|error| error.of_kind(Kind::Usage))?.unwrap_or(AGE);
    let root = place::root(config, around, ui)?;
    let (mut removed, mut kept, mut failed) = (0, 0, 0);
    for (_, slot) in place::slots(&root, None) {
        match collect_one(slot, older, args, around) {
            Ok(Collected::Left) => {}
            Ok(Collected::Kept) => kept += 1,
            Ok(Collected::Removed) => removed += 1,
            // The others go all the same.
            Err(error) => {
                ui.error(&error);
                failed = failed.max(error.kind().code());
            }
        }
    }
    if !args.dry_run {
        for scope in place::directories(&root) {
            Slot::remove_left(&scope);
        }
        // A scope in which nothing is left.
        scopes(&root).iter().for_each(|scope| remove_scope(scope));
    }
    let would = if args.dry_run { "would remove" } else { "removed" };
    let several = if removed == 1 { "" } else { "s" };
    let mut text = format!("{would} what {removed} singleton{several} left\n");
    if kept > 0 {
        text.push_str(&format!("kept {kept} with something in $MEMO_STATE; `--state` removes that too\n"));
    }
    print::print(&text).map(|()| failed)
}

/// What became of a slot.
enum Collected {
    /// Something runs there, or has ended a short time ago.
    Left,
    /// There is something in its `$MEMO_STATE`.
    Kept,
    /// It is removed, or would be.
    Removed,
}

fn collect_one(
    slot: Slot,
    older: Duration,
    args: &CollectArgs,
    around: &Surroundings,
) -> Result<Collected, Error> {
    // Whoever has it cannot be starting an instance, and none runs.
    let Some(lock) = slot.lock(Duration::ZERO)? else { return Ok(Collected::Left) };
    let last = Last::read(slot.directory());
    let young = last
        .as_ref()
        .is_some_and(|last| around.clock.now().since(last.verdict.finished).is_none_or(|age| age < older));
    if young {
        return Ok(Collected::Left);
    }
    if !args.dry_run {
        sweep(&slot, last.as_ref(), &around.environment.to_vec());
    }
    let has_state = std::fs::read_dir(slot.state()).is_ok_and(|mut entries| entries.next().is_some());
    if has_state && !args.state {
        return Ok(Collected::Kept);
    }
    if !args.dry_run {
        let directory = slot.directory().display().to_string();
        slot.remove(lock).map_err(|error| {
            Error::new(Kind::Failed, format_args!("cannot remove `{directory}`: {}", system_text(&error)))
        })?;
    }
    Ok(Collected::Removed)
}

/// Removes a scope unless somebody has made a slot in it meanwhile.
fn remove_scope(scope: &Path) {
    let file = scope.join("scope");
    let path = std::fs::read(&file);
    let _ = std::fs::remove_file(&file);
    if std::fs::remove_dir(scope).is_err()
        && let Ok(path) = path
    {
        let _ = std::fs::write(&file, path);
    }
}

/// Returns the directories of scopes without any slot.
fn scopes(root: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    entries
        .filter(|path| {
            let below = std::fs::read_dir(path).into_iter().flatten().flatten();
            path.is_dir() && !below.map(|entry| entry.path()).any(|path| path.is_dir())
        })
        .collect()
}
