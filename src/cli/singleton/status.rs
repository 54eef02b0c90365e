//! `memo singleton status` and `id`: how an instance is, and which it is.

use super::args::{IdArgs, StatusArgs};
use super::{place, shown, target};
use crate::cli::print;
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::error::Error;
use crate::ui::Ui;

/// Prints how an instance is. Returns the exit code.
///
/// # Errors
/// When there is none, or its supervisor does not answer.
pub(super) fn status(
    args: &StatusArgs,
    config: &Config,
    around: &Surroundings,
    ui: &Ui,
) -> Result<u8, Error> {
    let slot = target::slot(&args.target, config, around, ui)?;
    let report = target::report(&slot)?.ok_or_else(|| target::nothing(&slot, around))?;
    let (name, now) = (place::called(&slot), around.clock.now());
    let text = if args.json {
        shown::object(&name, &slot, &report, now).line()
    } else {
        shown::text(&name, &slot, &report, now)
    };
    print::print(&text).map(|()| 0)
}

/// Prints which instance runs. Returns the exit code.
///
/// # Errors
/// When there is none, or its supervisor does not answer.
pub(super) fn id(args: &IdArgs, config: &Config, around: &Surroundings, ui: &Ui) -> Result<u8, Error> {
    let slot = target::slot(&args.target, config, around, ui)?;
    let report = target::report(&slot)?.ok_or_else(|| target::nothing(&slot, around))?;
    print::print(&format!("{}\n", report.instance)).map(|()| 0)
}
