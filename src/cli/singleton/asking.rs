//! From what was typed to an instance that is ready: what `memo singleton`, `run` and `call` have in common.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use super::args::AskArgs;
use super::wanted::{Wanted, wanted};
use super::words::{Wish, lacking, tell};
use super::{place, target};
use crate::cli::surroundings::Surroundings;
use crate::config::Config;
use crate::error::Error;
use crate::exec::key_command;
use crate::singleton::ask::{self, Ask, Got, Lacking, OnChange};
use crate::singleton::dependencies::Changed;
use crate::singleton::framing::Framing;
use crate::singleton::inside;
use crate::singleton::message::Busy;
use crate::singleton::report::Report;
use crate::singleton::slot::Slot;
use crate::sys::process;
use crate::ui::Ui;

/// An instance that somebody asked for.
pub(super) struct Asked {
    /// Which, and how it was got.
    pub(super) got: Got,
    /// Its slot.
    pub(super) slot: Slot,
    /// What it is called.
    pub(super) name: String,
}

/// Somebody who asks.
pub(super) struct Asking<'a> {
    /// What was typed.
    pub(super) name: Option<&'a str>,
    /// The options.
    pub(super) args: &'a AskArgs,
    /// The command.
    pub(super) command: &'a [OsString],
    /// Whether it is to answer a call: one that is started for that has a framing.
    pub(super) is_call: bool,
    /// The configuration.
    pub(super) config: &'a Config,
    /// The process.
    pub(super) around: &'a Surroundings,
    /// Says what is done.
    pub(super) ui: &'a Ui,
}

impl Asking<'_> {
    /// Finds out what is wanted.
    ///
    /// # Errors
    /// What is wrong with what was typed.
    pub(super) fn wanted(&self) -> Result<Wanted, Error> {
        let framing = self.is_call.then_some(Framing::Line);
        wanted(self.name, self.args, self.command, framing, self.config, self.around, self.ui)
    }

    /// Gets an instance that is ready.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn ask(&self) -> Result<Asked, Error> {
        let wanted = self.wanted()?;
        self.ask_for(&wanted)
    }

    /// Gets an instance of what is wanted.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn ask_for(&self, wanted: &Wanted) -> Result<Asked, Error> {
        let (args, around, ui) = (self.args, self.around, self.ui);
        let slot = &wanted.meant.slot;
        let name = place::called(slot);
        let path = around.environment.get("PATH");
        if wanted.service.is_some() && !args.no_start {
            slot.make(&wanted.meant.scope, process::user())?;
        }
        let found = || changes(wanted, path);
        let environment = around.environment.to_vec();
        let check = |report: &Report, limit: Duration| self.check(slot, report, limit);
        let asked = Ask {
            slot,
            service: wanted.service.as_ref(),
            ensure: wanted.ensure.clone(),
            inside: inside::instance_of(slot, around.environment.get(inside::STACK)),
            kept: &|| wanted.to_keep(path),
            on_change: args.on_change.map_or(OnChange::Replace, OnChange::from),
            busy: args.busy.map_or(Busy::Wait, Busy::from),
            force: args.force,
            no_start: args.no_start,
            survive_ci: args.survive_ci,
            timeout: wanted.timeout,
            environment: &environment,
            now: &|| around.clock.now(),
            check: args.check.is_some().then_some(&check),
            tell: &|told| tell(ui, &name, told, &found),
        };
        let got = ask::ask(&asked).map_err(|why| {
            let words = wanted.service.as_ref().map(|service| service.words.as_slice()).unwrap_or_default();
            let first = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
            let timeout = wanted.timeout;
            let is_missing = matches!(why, Lacking::NotRunning);
            let error = lacking(
                &name,
                why,
                Wish {
                    first_word: &first,
                    timeout,
                    service: wanted.service.as_ref(),
                    says_ready: wanted.ensure.as_ref().is_some_and(|ensure| ensure.readiness.is_some()),
                    no_start: args.no_start,
                    is_call: self.is_call,
                    changed: &found,
                },
            );
            if is_missing { target::with_hints(error, slot, around) } else { error }
        })?;
        if got.fresh {
            let took = got.report.ready.and_then(|ready| ready.since(got.report.started)).unwrap_or_default();
            ui.verbose(format_args!(
                "singleton `{name}` started, ready after {}",
                crate::config::duration::Shown(took)
            ));
        } else {
            ui.verbose(format_args!("singleton `{name}` was running"));
            self.mention(wanted, path);
        }
        Ok(Asked { got, slot: slot.clone(), name })
    }

    /// Says that a file changed that the command mentions and nothing declares: it is not replaced by a guess.
    fn mention(&self, wanted: &Wanted, path: Option<&OsStr>) {
        /// So many are named.
        const MOST: usize = 3;
        let Some(kept) = &wanted.kept else { return };
        for file in kept.mentions(&mut wanted.scene(path)).into_iter().take(MOST) {
            let shown = file.display();
            self.ui.note(
                format_args!(
                    "`{shown}` has changed since singleton `{}` was started",
                    place::called(&wanted.meant.slot)
                ),
                Some(&format!("`-i {shown}` replaces it when that changes")),
            );
        }
    }

    /// Asks `--check` whether an instance still is good.
    fn check(&self, slot: &Slot, report: &Report, limit: Duration) -> Result<(), String> {
        let Some(line) = &self.args.check else { return Ok(()) };
        let told = variables("MEMO", slot, report);
        let all = crate::singleton::service::with_variables(&self.around.environment.to_vec(), told);
        let all = all.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        key_command::check_within(line, all, std::path::Path::new("."), limit)
            .map_err(|failed| failed.to_string())
    }
}

/// Returns in what a command differs from that of the instance that runs.
pub(super) fn changes(wanted: &Wanted, path: Option<&OsStr>) -> Vec<Changed> {
    match (&wanted.kept, &wanted.meant.action) {
        (Some(kept), Some(action)) => kept.compare(action, &mut wanted.scene(path)),
        _ => Vec::new(),
    }
}

/// Returns what whoever uses an instance is told of it: `PREFIX_ADDR`, `PREFIX_PID` and so on, and `MEMO_STATE`.
pub(super) fn variables(prefix: &str, slot: &Slot, report: &Report) -> Vec<(OsString, OsString)> {
    let mut all: Vec<(OsString, OsString)> = vec![("MEMO_STATE".into(), slot.state().into())];
    let mut add = |name: &str, value: OsString| {
        let name = OsString::from(format!("{prefix}_{name}"));
        if !all.iter().any(|(known, _)| *known == name) {
            all.push((name, value));
        }
    };
    add("ADDR", report.handle().into());
    add("INSTANCE", report.instance.to_string().into());
    add("PID", report.pid.to_string().into());
    add("LOG", slot.log().into());
    add("STATE", slot.state().into());
    if let Some(port) = report.port {
        add("PORT", port.to_string().into());
    }
    for (name, value) in report.values.iter().filter(|(name, _)| name != "addr") {
        add(&capitals(name), value.into());
    }
    all
}

/// Returns a name as one of a variable: in capitals, `_` for what no variable has.
pub(super) fn capitals(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = name.chars().map(letter).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// Returns the prefix of the variables of an instance that is called so.
pub(super) fn prefix(name: &str) -> String {
    let prefix = if name.starts_with('@') { "SINGLETON".to_owned() } else { capitals(name) };
    // Names of memo's own: by one of them what a crash has left is found, and killed.
    if prefix.starts_with("MEMO") { format!("_{prefix}") } else { prefix }
}

/// How long a supervisor may take to answer what it need not think about.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_the_name_in_capitals() {
        assert_eq!(prefix("db-1.x"), "DB_1_X");
        assert_eq!(prefix("1a"), "_1A");
        assert_eq!(prefix("@0011"), "SINGLETON");
        assert_eq!(prefix("memo-singleton"), "_MEMO_SINGLETON");
    }
}
