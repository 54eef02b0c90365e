//! `memo gc`: make room.

use clap::Args;

use super::print;
use super::table::shown_size;
use crate::action::identity::Timestamp;
use crate::config::size;
use crate::error::Error;
use crate::store::Store;
use crate::store::gc::retention::Limits;
use crate::store::gc::{self, Went};

/// Remove what is too much, and what nothing needs
///
/// memo does this by itself, a little after each run. When the store is larger than `max-size`, entries
/// whose `--ttl` is over go first, then those that were not used for longest, until a tenth is free. Files
/// that belong to no entry, which killed runs leave behind, go after an hour.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct GcArgs {
    /// Make the store no larger than this, this time: 500M, 2GiB
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub max_size: Option<u64>,

    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// Makes room in a store that may be `max_size` bytes large unless the arguments say otherwise. Returns the
/// exit code.
///
/// # Errors
/// When the store or stdout fails.
pub fn gc(args: &GcArgs, store: &Store, now: Timestamp, max_size: u64) -> Result<u8, Error> {
    let limits = Limits::new(args.max_size.unwrap_or(max_size));
    let text = if args.dry_run {
        said("would remove", gc::foretell(store, now, limits)?)
    } else {
        said("removed", gc::run(store, now, limits)?)
    };
    print::print(&text).map(|()| 0)
}

fn said(what: &str, went: Went) -> String {
    let Went { entries, bytes, files, file_bytes } = went;
    let count = |number, one: &str, more: &str, bytes| {
        format!("{number} {} ({})", if number == 1 { one } else { more }, shown_size(bytes))
    };
    let mut parts = Vec::new();
    if entries > 0 {
        parts.push(count(entries, "entry", "entries", bytes));
    }
    if files > 0 {
        parts.push(count(files, "file without an entry", "files without an entry", file_bytes));
    }
    if parts.is_empty() { "nothing to remove\n".to_owned() } else { format!("{what} {}\n", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_is_said_in_one_line() {
        let went = |entries, files| Went { entries, bytes: 12288, files, file_bytes: 4096 };
        assert_eq!(
            said("removed", went(3, 2)),
            "removed 3 entries (12.0 KiB), 2 files without an entry (4.0 KiB)\n"
        );
        assert_eq!(said("would remove", went(1, 0)), "would remove 1 entry (12.0 KiB)\n");
        assert_eq!(said("removed", went(0, 1)), "removed 1 file without an entry (4.0 KiB)\n");
        assert_eq!(said("removed", went(0, 0)), "nothing to remove\n");
    }
}
