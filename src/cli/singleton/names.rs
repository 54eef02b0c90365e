//! Names of singletons, for completions.

use std::time::Duration;

use super::{place, shown};
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::error::Error;
use crate::singleton::ask;
use crate::singleton::scope::Scope;
use crate::singleton::slot::Slot;
use crate::ui::{Talk, Ui};

/// Where names are good that are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// In this project.
    Here,
    /// Wherever the user is.
    Everywhere,
    /// Either.
    Any,
}

/// How long a supervisor may take to say what it keeps. Whoever pressed a key does not wait for one that was stopped.
const ANSWER: Duration = Duration::from_millis(100);

/// Returns the names that begin so, of singletons that run and of those that have ended: one a line, behind a tab the
/// command of one that runs.
///
/// # Errors
/// When somebody else could change where they are kept, or the working directory cannot be found out.
pub fn names(wanted: Where, prefix: &str, config: &Config, around: &Surroundings) -> Result<String, Error> {
    let root = place::root(config, around, &Ui::new(Talk::Quiet))?;
    let mut scopes = Vec::new();
    if wanted != Where::Everywhere {
        scopes.push(place::scope(false, around)?);
    }
    if wanted != Where::Here {
        scopes.push(Scope::Global);
    }
    let mut text = String::new();
    for (_, slot) in scopes.iter().flat_map(|scope| place::slots(&root, Some(scope))) {
        let name = place::called(&slot);
        if name.starts_with(prefix) {
            text.push_str(&format!("{name}\t{}\n", command(&slot)));
        }
    }
    Ok(text)
}

fn command(slot: &Slot) -> String {
    match ask::report(slot, ANSWER) {
        Ok(Some(report)) => shown::command(&report),
        Ok(None) => "(not running)".to_owned(),
        Err(_) => "(does not answer)".to_owned(),
    }
}
