//! Where singletons are: the root of their directories, the scope of a call, the slot of a name.

use std::path::{Path, PathBuf};

use super::SUBCOMMANDS;
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::error::{Error, Kind};
use crate::singleton::scope::Scope;
use crate::singleton::slot::{Called, Slot, is_no_slot, refuse_name, shown_name};
use crate::store::location;
use crate::sys::file::{is_served, is_writable};
use crate::sys::process;
use crate::ui::Ui;

/// Returns the root of all slots.
///
/// # Errors
/// When somebody else could change what is in it.
pub(super) fn root(config: &Config, around: &Surroundings, ui: &Ui) -> Result<PathBuf, Error> {
    let user = process::user();
    let other = Config::shared_directory(user).join("singleton");
    let Some(root) = config.singletons(&around.environment) else {
        ui.warning(
            format_args!("singletons are kept in `{}`: there is no home directory", other.display()),
            Some("set HOME, or point MEMO_DIR at a local directory of your own"),
        );
        location::check(&other, user)?;
        return Ok(other);
    };
    let nearest = root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let why = if is_served(nearest).unwrap_or(false) {
        Some("is on a file system that others serve".to_owned())
    } else if root.exists() || is_writable(nearest) {
        None
    } else {
        Some(format!("cannot be made: `{}` is not writable", nearest.display()))
    };
    let root = match why {
        None => root,
        Some(why) => {
            ui.warning(
                format_args!("singletons are kept in `{}`: `{}` {why}", other.display(), root.display()),
                Some("point MEMO_DIR at a local directory of your own"),
            );
            other
        }
    };
    location::check(&root, user)?;
    Ok(root)
}

/// Returns where the names of a call are good.
///
/// # Errors
/// When the working directory cannot be found out.
pub(super) fn scope(global: bool, around: &Surroundings) -> Result<Scope, Error> {
    if global {
        return Ok(Scope::Global);
    }
    let directory = around.place.directory.as_deref().ok_or_else(|| {
        Error::new(Kind::Failed, "the working directory cannot be found out; the command was not run")
            .hint("`--global` makes a name good everywhere")
    })?;
    Ok(Scope::of(directory))
}

/// Returns the slot of a name; of one that begins with `@` that of the one command whose key begins so.
///
/// # Errors
/// When it is no name, or stands for none or for several.
pub(super) fn slot_of(name: &str, scope: &Scope, root: &Path) -> Result<Slot, Error> {
    if let Some(digits) = name.strip_prefix('@') {
        if digits.is_empty() {
            return Err(Error::new(Kind::Usage, "`@` stands for none: at least one digit follows it")
                .hint("`memo singleton ls` shows them"));
        }
        let mut found = slots(root, Some(scope));
        found.extend(slots(root, Some(&Scope::Global)));
        found.retain(|(_, slot)| slot.name().strip_prefix('@').is_some_and(|key| key.starts_with(digits)));
        found.dedup();
        return match found.as_slice() {
            [(_, slot)] => Ok(slot.clone()),
            [] => Err(Error::new(Kind::Nothing, format_args!("there is no singleton `{name}`"))
                .hint("`memo singleton ls` lists them")),
            several => {
                let names: Vec<_> = several.iter().map(|(_, slot)| slot.name()).collect();
                Err(Error::new(
                    Kind::Usage,
                    format_args!("`{name}` stands for several: {}", names.join(", ")),
                ))
            }
        };
    }
    check_name(name)?;
    Ok(Slot::new(root, scope, &Called::Name(name.to_owned())))
}

/// Makes sure that a text is a name, and none of the subcommands: nobody could ask for it.
///
/// # Errors
/// With what is wrong with it.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let is_subcommand = SUBCOMMANDS.contains(&name) || name == "help";
    let refused = refuse_name(name);
    match refused.or_else(|| is_subcommand.then(|| "it is one of the subcommands".to_owned())) {
        None => Ok(()),
        Some(why) => Err(Error::new(Kind::Failed, format_args!("`{name}` is no name of a singleton: {why}"))),
    }
}

/// Returns the slots in a scope, or in all, with where the scope is; sorted.
pub(super) fn slots(root: &Path, scope: Option<&Scope>) -> Vec<(Scope, Slot)> {
    let scopes: Vec<PathBuf> = match scope {
        Some(scope) => vec![root.join(scope.directory_name())],
        None => directories(root),
    };
    let mut found = Vec::new();
    for place in scopes {
        let scope = match std::fs::read(place.join("scope")) {
            Ok(path) => {
                use std::os::unix::ffi::OsStringExt;
                Scope::Project(std::ffi::OsString::from_vec(path).into())
            }
            Err(_) => Scope::Global,
        };
        found.extend(directories(&place).into_iter().map(|directory| (scope.clone(), Slot::at(directory))));
    }
    found.sort_by(|(a, one), (b, other)| (a, one.name()).cmp(&(b, other.name())));
    found
}

/// Returns the directories in one, but for those of slots that are being removed.
pub(super) fn directories(place: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir() && !is_no_slot(path)).collect()
}

/// Returns how a slot is called by people.
pub(super) fn called(slot: &Slot) -> String {
    shown_name(&slot.name()).to_owned()
}
