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
use crate::singleton::verdict::Last;
use crate::sys::file::is_absent;
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
    let (mut removed, mut kept) = (0, 0);
    for (_, slot) in place::slots(&root, None) {
        // Whoever has it cannot be starting an instance, and none runs.
        let Some(lock) = slot.lock(Duration::ZERO)? else { continue };
        let last = Last::read(slot.directory());
        let young = last.as_ref().is_some_and(|last| {
            around.clock.now().since(last.verdict.finished).is_none_or(|age| age < older)
        });
        if young {
            continue;
        }
        if !args.dry_run {
            sweep(&slot, last.as_ref(), &around.environment.to_vec());
        }
        let has_state = std::fs::read_dir(slot.state()).is_ok_and(|mut entries| entries.next().is_some());
        if has_state && !args.state {
            kept += 1;
            continue;
        }
        removed += 1;
        if !args.dry_run {
            // Under the lock: whoever waits for it finds that its file has gone, and makes a new one.
            remove(slot.directory())?;
        }
        drop(lock);
    }
    if !args.dry_run {
        // A scope in which nothing is left.
        for scope in scopes(&root) {
            let _ = std::fs::remove_file(scope.join("scope"));
            let _ = std::fs::remove_dir(&scope);
        }
    }
    let would = if args.dry_run { "would remove" } else { "removed" };
    let several = if removed == 1 { "" } else { "s" };
    let mut text = format!("{would} what {removed} singleton{several} left\n");
    if kept > 0 {
        text.push_str(&format!("kept {kept} with something in $MEMO_STATE; `--state` removes that too\n"));
    }
    print::print(&text).map(|()| 0)
}

fn remove(directory: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if !is_absent(&error) => Err(Error::new(
            Kind::Failed,
            format_args!("cannot remove `{}`: {}", directory.display(), system_text(&error)),
        )),
        _ => Ok(()),
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
