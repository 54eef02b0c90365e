//! `memo singleton why`: what would become of an instance that is asked for, and why.

use super::args::ReasonArgs;
use super::asking::{Asking, changes};
use super::words::changed;
use super::{place, target};
use crate::cli::json::Object;
use crate::cli::print;
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::error::{Error, Kind};
use crate::singleton::report::Stage;
use crate::ui::Ui;

/// Says what would become of an instance. Returns the exit code.
///
/// # Errors
/// What is wrong with what was typed.
pub(super) fn why(args: &ReasonArgs, config: &Config, around: &Surroundings, ui: &Ui) -> Result<u8, Error> {
    let asking = Asking {
        name: args.name.as_deref(),
        args: &args.ask,
        command: &args.command,
        framing: None,
        config,
        around,
        ui,
    };
    let wanted = asking.wanted()?;
    let slot = &wanted.meant.slot;
    let name = place::called(slot);
    let Some(ensure) = &wanted.ensure else {
        return Err(Error::new(Kind::Usage, "no command to compare with")
            .hint(format_args!("`memo singleton why {name} -- COMMAND [ARG]...`")));
    };
    let report = target::report(slot)?.filter(|report| report.stage != Stage::Stopping);
    let (said, reasons) = match &report {
        None => ("started", vec!["not-running".to_owned()]),
        Some(report) if report.fingerprint == ensure.fingerprint => ("used", Vec::new()),
        Some(_) => {
            let found = changes(&wanted, around.environment.get("PATH"));
            let mut reasons: Vec<String> = found.iter().map(changed).collect();
            if reasons.is_empty() {
                reasons.push("something that it depends on".to_owned());
            }
            ("replaced", reasons)
        }
    };
    let text = if args.json {
        Object::new()
            .text("name", &name)
            .text("would_be", said)
            .bytes(
                "instance",
                report.as_ref().map(|report| report.instance.to_string()).as_deref().map(str::as_bytes),
            )
            .list("reasons", reasons.iter().map(String::as_bytes))
            .line()
    } else {
        let mut text = format!("singleton `{name}` would be {said}\n");
        for reason in &reasons {
            text.push_str(&format!("  {reason}\n"));
        }
        text
    };
    print::print(&text).map(|()| u8::from(said != "used"))
}
