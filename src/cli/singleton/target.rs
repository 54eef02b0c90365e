//! Which singleton a subcommand is about, and what there is of it.

use super::args::TargetArgs;
use super::asking::ANSWER;
use super::place;
use super::wanted::meant;
use super::words::{Wish, how, lacking};
use crate::cli::surroundings::Surroundings;
use crate::cli::when;
use crate::config::Config;
use crate::error::{Error, Kind};
use crate::singleton::ask;
use crate::singleton::report::Report;
use crate::singleton::scope::Scope;
use crate::singleton::slot::Slot;
use crate::singleton::verdict::Last;
use crate::ui::Ui;

/// Returns the slot that is meant.
///
/// # Errors
/// What is wrong with what was typed.
pub(super) fn slot(
    args: &TargetArgs,
    config: &Config,
    around: &Surroundings,
    ui: &Ui,
) -> Result<Slot, Error> {
    let meant = meant(args.name.as_deref(), &args.key, &args.command, config, around, ui);
    meant.map(|meant| meant.slot).map_err(|error| match error.kind() {
        Kind::Nothing => error,
        _ => error.of_kind(Kind::Usage),
    })
}

/// Returns what is known of the instance in a slot; `None` where there is none.
///
/// # Errors
/// When its supervisor does not answer.
pub(super) fn report(slot: &Slot) -> Result<Option<Report>, Error> {
    ask::report(slot, ANSWER).map_err(|why| lacking(&place::called(slot), why, Wish::plain(ANSWER)))
}

/// Returns the hint that one of that name runs which is good elsewhere: with `--global`, or without.
pub(super) fn elsewhere(slot: &Slot, around: &Surroundings) -> Option<&'static str> {
    let scope = slot.directory().parent()?;
    let is_global = scope.ends_with(Scope::Global.directory_name());
    let (other, hint) = if is_global {
        (place::scope(false, around).ok()?, "one of that name runs in this project, without `--global`")
    } else {
        (Scope::Global, "one of that name runs with `--global`")
    };
    let other = scope.with_file_name(other.directory_name()).join(slot.name());
    Slot::at(other).connect().is_ok().then_some(hint)
}

/// Returns the error for a slot without an instance, with how the last one ended.
pub(super) fn nothing(slot: &Slot, around: &Surroundings) -> Error {
    let name = place::called(slot);
    let error = Error::new(Kind::Nothing, format_args!("singleton `{name}` is not running"));
    with_hints(error, slot, around)
}

/// Adds to an error about a slot without an instance what is known of it: that there is one elsewhere, and how the last
/// one ended.
pub(super) fn with_hints(error: Error, slot: &Slot, around: &Surroundings) -> Error {
    let known = [elsewhere(slot, around).map(str::to_owned), last_end(slot, around)];
    known.into_iter().flatten().fold(error, Error::hint)
}

/// Returns the hint that says how the last instance of a slot ended, if there was one.
fn last_end(slot: &Slot, around: &Surroundings) -> Option<String> {
    let last = Last::read(slot.directory())?;
    let age = around.clock.now().since(last.verdict.finished).unwrap_or_default();
    let ended = match last.verdict.ended {
        Some(_) => format!(" ({})", how(last.verdict.ended)),
        None => String::new(),
    };
    let note = if last.verdict.note.is_empty() { String::new() } else { format!(": {}", last.verdict.note) };
    Some(format!(
        "the last one ended {} ago: {}{ended}{note}; `memo singleton logs {}`",
        when::shown_age(age),
        last.verdict.why,
        place::called(slot)
    ))
}
