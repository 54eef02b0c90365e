//! How an instance is shown, to people and as JSON.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use super::words::how;
use crate::action::identity::Timestamp;
use crate::cli::json::Object;
use crate::cli::{quote, when};
use crate::config::duration::Exact;
use crate::singleton::report::{Report, Stage};
use crate::singleton::slot::Slot;
use crate::singleton::verdict::{Last, Verdict};

/// Returns a command as one line: `NAME=...` for its assignments, then its words.
pub(super) fn command(report: &Report) -> String {
    let assignments = report.assignments.iter().map(|name| format!("{name}=..."));
    let words = report.words.iter().map(|word| quote::word(word));
    assignments.chain(words).collect::<Vec<_>>().join(" ")
}

/// Returns the age of something.
pub(super) fn age(now: Timestamp, since: Timestamp) -> Duration {
    now.since(since).unwrap_or_default()
}

/// Returns how an instance ended, and why, in few words.
pub(super) fn ended(verdict: &Verdict) -> String {
    let how = match (verdict.ended, verdict.note.is_empty()) {
        // Where it never ran, or nobody knows, the note says it all.
        (None, false) => String::new(),
        (ended, _) => format!(", {}", how(ended)),
    };
    let note = if verdict.note.is_empty() { String::new() } else { format!(": {}", verdict.note) };
    format!("{}{how}{note}", verdict.why)
}

/// Returns all that is known of an instance, for people.
pub(super) fn text(name: &str, slot: &Slot, report: &Report, now: Timestamp) -> String {
    let mut out = format!("{name}  {}", report.stage.name());
    if let Some(address) = &report.address {
        let _ = write!(out, "  {address}");
    }
    out.push('\n');
    let mut line = |label: &str, text: String| {
        let _ = writeln!(out, "  {label:<10}{text}");
    };
    line("instance", report.instance.to_string());
    let left = report.left.map(when::shown_duration);
    match (report.stage, left) {
        (Stage::Starting, Some(left)) if report.awaited.is_empty() => {
            line("waits", format!("for {left} at most"));
        }
        (Stage::Starting, Some(left)) => line("waits", format!("for {left} at most: {}", report.awaited)),
        (Stage::Resting, Some(left)) => {
            let last = Last::read(slot.directory());
            let ended = last.map_or(String::new(), |last| format!("{}; ", ended(&last.verdict)));
            line("ended", format!("{ended}it is started again in {left}"));
        }
        _ => {}
    }
    let ready = match report.ready.and_then(|ready| ready.since(report.started)) {
        Some(took) => format!(", ready after {}", when::shown_duration(took)),
        None => String::new(),
    };
    let started = when::shown_age(age(now, report.started));
    let pid = if report.pid == 0 { "none now".to_owned() } else { report.pid.to_string() };
    line("process", format!("{pid}, under {}, started {started} ago{ready}", report.supervisor));
    if report.restarts > 0 {
        line("restarts", report.restarts.to_string());
    }
    line("command", command(report));
    line("directory", report.directory.display().to_string());
    if !report.status.is_empty() {
        line("status", report.status.clone());
    }
    for (name, value) in &report.values {
        line(name, value.clone());
    }
    if let Some(framing) = report.framing {
        line("framing", framing.name().to_owned());
    }
    let used = match (report.leases, report.calls) {
        (0, 0) => format!("{} ago", when::shown_age(report.unused)),
        (leases, 0) => format!("held by {leases}"),
        (0, calls) => format!("{calls} calls under way"),
        (leases, calls) => format!("held by {leases}, {calls} calls under way"),
    };
    line("used", used);
    let ends: Vec<String> = [
        report.idle.map(|idle| format!("when unused for {}", Exact(idle))),
        report.ttl.map(|ttl| format!("when {} old", Exact(ttl))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !ends.is_empty() {
        line("ends", ends.join(", "));
    }
    line("log", slot.log().display().to_string());
    line("state", slot.state().display().to_string());
    out
}

/// Returns all that is known of an instance, for programs.
pub(super) fn object(name: &str, slot: &Slot, report: &Report, now: Timestamp) -> Object {
    let bytes = |path: std::path::PathBuf| path.into_os_string();
    let (log, state) = (bytes(slot.log()), bytes(slot.state()));
    let ns = |duration: Duration| i128::try_from(duration.as_nanos()).ok();
    let values = report.values.iter().fold(Object::new(), |object, (name, value)| object.text(name, value));
    Object::new()
        .text("name", name)
        .text("stage", report.stage.name())
        .text("instance", &report.instance.to_string())
        .text("fingerprint", &report.fingerprint.to_string())
        .optional_number("pid", u64::try_from(report.pid).ok().filter(|pid| *pid > 0))
        .number("supervisor", u64::try_from(report.supervisor).unwrap_or(0))
        .bytes("address", report.address.as_deref().map(str::as_bytes))
        .optional_number("port", report.port.map(u64::from))
        .object("values", values)
        .text("status", &report.status)
        .list("words", report.words.iter().map(Vec::as_slice))
        .bytes("directory", Some(report.directory.as_os_str().as_bytes()))
        .seconds("age", ns(age(now, report.started)))
        .seconds("ready_after", report.ready.and_then(|ready| ready.since(report.started)).and_then(ns))
        .seconds("unused", ns(report.unused))
        .number("leases", report.leases)
        .number("calls", report.calls)
        .number("restarts", report.restarts)
        .bytes("framing", report.framing.map(|framing| framing.name().as_bytes()))
        .seconds("idle", report.idle.and_then(ns))
        .seconds("ttl", report.ttl.and_then(ns))
        .text("waits_for", &report.awaited)
        .seconds("time_left", report.left.and_then(ns))
        .bytes("log", Some(log.as_bytes()))
        .bytes("state", Some(state.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::action::digest::Digest;
    use crate::singleton::scope::Scope;
    use crate::singleton::slot::Called;
    use crate::singleton::{report, verdict};
    use crate::sys::process::Ended;

    #[test]
    fn of_one_that_rests_it_is_said_how_it_ended_and_when_it_is_back() {
        let root = std::env::temp_dir().join(format!("memo-shown-{}", std::process::id()));
        let slot = Slot::new(&root, &Scope::Global, &Called::Name("a".into()));
        crate::store::location::make(slot.directory()).unwrap();
        let (why, ended) = (crate::singleton::verdict::Why::Exited, Some(Ended::Exit(3)));
        let last = Verdict { why, ended, note: String::new(), ..verdict::tests::example() };
        Last::keep(slot.directory(), last, Digest::of(b"f"), false);
        let left = Some(Duration::from_millis(2500));
        let report = Report { stage: Stage::Resting, left, ..report::tests::example() };
        let shown = text("a", &slot, &report, Timestamp(2));
        assert!(shown.contains("\n  ended     exited, exit 3; it is started again in 2.5s\n"), "{shown}");
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn limits_are_shown_as_they_were_typed() {
        for text in ["1h", "90s", "15m", "36h", "2d", "1500ms", "0ms"] {
            assert_eq!(Exact(crate::config::duration::parse(text).unwrap()).to_string(), text);
        }
    }
}
