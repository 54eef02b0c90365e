//! `memo doctor`: look for damage.

use clap::Args;

use super::print;
use super::table::shown_size;
use crate::action::identity::Timestamp;
use crate::config::Config;
use crate::error::Error;
use crate::store::doctor::{self, Fault, Leftovers, Report};
use crate::store::location::Trouble;
use crate::store::{FORMAT, Store};

/// Look for damage in the store
///
/// Reads all of it and says what is wrong. Exits with 1 when something is. What killed runs have left behind is
/// no damage. The output can be pasted into a report: it has no values of variables and no commands.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct DoctorArgs {
    /// Set it right
    ///
    /// What is damaged moves to `quarantine/` in the store, the entries that need it are dropped, the index
    /// is built anew from the files, what killed runs have left is removed.
    #[arg(long)]
    pub fix: bool,
}

/// Looks for damage and, if that was asked for, sets it right. Returns the exit code.
///
/// # Errors
/// When stdout fails.
pub fn doctor(args: &DoctorArgs, config: &Config, user: u32, now: Timestamp) -> Result<u8, Error> {
    let (text, code) = examined(args, config, user, now);
    print::print(&text)?;
    Ok(code)
}

/// Returns what to print and the exit code.
fn examined(args: &DoctorArgs, config: &Config, user: u32, now: Timestamp) -> (String, u8) {
    let mut text = format!("memo {}, store format {FORMAT}\n", env!("CARGO_PKG_VERSION"));
    text += &format!(
        "limits: {}, {} for an entry\n",
        shown_size(config.max_size),
        shown_size(config.max_entry())
    );
    let looked = config.store.clone().map_err(Trouble::Nowhere).and_then(|path| {
        text += &format!("store: `{}`\n", path.display());
        let store = Store::open(&path, user, None)?;
        let report = doctor::check(&store, user, now)?;
        Ok((store, report))
    });
    let (store, report) = match looked {
        Ok(looked) => looked,
        Err(trouble) => {
            text += &format!(
                "problem: {trouble}; nothing was looked at or changed\n  hint: {}\n",
                trouble.hint()
            );
            return (text + "1 problem\n", 1);
        }
    };
    if !doctor::is_store(&store) {
        return (text + "nothing was recorded there yet\n", 0);
    }
    text += &held(&report);
    for fault in &report.faults {
        let would = if args.fix { "fix:" } else { "`--fix` would" };
        text += &format!("problem: {fault}; {would} {}\n", fault.remedy);
    }
    if !args.fix || report.faults.is_empty() && report.leftovers.is_empty() {
        return (text + &problems(&report.faults), u8::from(!report.faults.is_empty()));
    }
    let fixed = doctor::fix(&store, user, now, &report).and_then(|()| doctor::check(&store, user, now));
    match fixed {
        Err(trouble) => (text + &format!("not fixed: {trouble}\n  hint: {}\n", trouble.hint()), 1),
        Ok(after) if after.faults.is_empty() => {
            (text + &format!("{}, all fixed\n", problems(&report.faults).trim_end()), 0)
        }
        Ok(after) => {
            for fault in &after.faults {
                text += &format!("not fixed: {fault}\n");
            }
            (
                text + &format!(
                    "{}, {} not fixed\n",
                    problems(&report.faults).trim_end(),
                    after.faults.len()
                ),
                1,
            )
        }
    }
}

fn held(report: &Report) -> String {
    let [manifests, outcomes, blobs] = report.files;
    let mut text = format!(
        "entries: {} (manifests: {manifests}, outcomes: {outcomes}, blobs: {blobs}; {})\n",
        report.entries,
        shown_size(report.bytes)
    );
    if !report.leftovers.is_empty() {
        let Leftovers { leases, temporary, bytes } = report.leftovers;
        let size = shown_size(bytes);
        text += &format!(
            "left by killed runs, for gc to remove: leases: {leases}, files in `tmp/`: {temporary} ({size})\n"
        );
    }
    if report.quarantined > 0 {
        text += &format!("in quarantine: {}\n", report.quarantined);
    }
    text
}

fn problems(faults: &[Fault]) -> String {
    match faults.len() {
        0 => "no problems\n".to_owned(),
        1 => "1 problem\n".to_owned(),
        number => format!("{number} problems\n"),
    }
}
