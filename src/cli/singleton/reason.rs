//! `memo singleton why`: what would become of an instance that is asked for, and why.

use super::args::ReasonArgs;
use super::asking::{Asking, changes};
use super::words::{all_changed, changed, looping};
use super::{place, target};
use crate::cli::json::Object;
use crate::cli::print;
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::error::{Error, Kind};
use crate::singleton::ask;
use crate::singleton::message::Change;
use crate::singleton::report::Stage;
use crate::singleton::verdict::Last;
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
        is_call: false,
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
    let change = report.as_ref().map(|report| {
        // As the supervisor counts it: from when it was ready.
        let age = report.ready.and_then(|ready| around.clock.now().since(ready)).unwrap_or_default();
        let ttl = ensure.given.ttl.unwrap_or(report.ttl);
        report.change(ensure, ttl.is_some_and(|ttl| age >= ttl))
    });
    let last = Last::read(slot.directory());
    let loops = last.and_then(|last| ask::loops(&last, &ensure.fingerprint, around.clock.now()));
    let (said, mut reasons) = match change {
        None if loops.is_some() && !args.ask.force => ("refused", loops.map(looping).into_iter().collect()),
        None => ("started", vec!["not-running".to_owned()]),
        Some(None) => ("used", Vec::new()),
        Some(Some(Change::Dependencies)) => {
            let found = changes(&wanted, around.environment.get("PATH"));
            let mut reasons: Vec<String> = found.iter().map(changed).collect();
            if reasons.is_empty() {
                reasons.push(all_changed(Change::Dependencies, &[]));
            }
            ("replaced", reasons)
        }
        Some(Some(change)) => ("replaced", vec![all_changed(change, &[])]),
    };
    if said == "used" && args.ask.check.is_some() {
        reasons.push("unless `--check` fails".to_owned());
    }
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
