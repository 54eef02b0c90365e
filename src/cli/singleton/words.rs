//! What memo says of singletons: errors with their hints, and what has changed, in the words of `memo why`.

use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use crate::action::part::Apart;
use crate::action::reason::Missed;
use crate::cli::quote::{self, is_hidden};
use crate::config::duration::Shown;
use crate::error::{Error, Kind, system_text};
use crate::singleton::ask::{Lacking, Told};
use crate::singleton::dependencies::Changed;
use crate::singleton::message::Change;
use crate::singleton::report::Stage;
use crate::singleton::service::{Port, Service};
use crate::singleton::verdict::{Verdict, Why};
use crate::store::location::Trouble;
use crate::sys::process::{Ended, is_not_found, is_scarcity, is_too_long};
use crate::ui::Ui;

/// Returns the name of what changed, and about what: `input-changed: `conf``.
pub(super) fn changed(changed: &Changed) -> String {
    match changed {
        Changed::Observed(missed) => missed.to_string(),
        Changed::Part(apart) => part(apart),
        Changed::Directory => "cwd: it was removed and made again".to_owned(),
    }
}

fn part(apart: &Apart) -> String {
    let Some(part) = apart.part() else { return String::new() };
    let name = String::from_utf8_lossy(&part.name);
    if name.is_empty() { part.kind.name().to_owned() } else { format!("{}: `{name}`", part.kind.name()) }
}

/// Returns what changed, by what the supervisor says and what can be found out.
pub(super) fn all_changed(change: Change, found: &[Changed]) -> String {
    match change {
        Change::Dependencies if found.is_empty() => "something that it depends on".to_owned(),
        Change::Dependencies => found.iter().map(changed).collect::<Vec<_>>().join(", "),
        Change::Framing => "framing".to_owned(),
        Change::Readiness => "readiness".to_owned(),
        Change::Expired => Missed::Expired.to_string(),
    }
}

/// Says on the way what is done.
pub(super) fn tell(ui: &Ui, name: &str, told: Told<'_>, found: &dyn Fn() -> Vec<Changed>) {
    match told {
        Told::Replacing(change) => {
            ui.done(format_args!("singleton `{name}` is replaced: {}", all_changed(change, &found())), None);
        }
        Told::Keeping(change) => ui.caution(
            format_args!(
                "singleton `{name}` is kept although this changed: {}",
                all_changed(change, &found())
            ),
            Some("without `--on-change keep` it is replaced"),
        ),
        Told::CheckFailed(why) => {
            ui.done(format_args!("singleton `{name}` is replaced: check-failed: {why}"), None);
        }
        Told::Starting => ui.done(
            format_args!(
                "singleton `{name}` is being started for others, and not as it is wanted here; waiting until it is ready"
            ),
            None,
        ),
        Told::InUse { leases, calls } => {
            ui.done(
                format_args!("singleton `{name}` is in use by {}; waiting until it is not", leases + calls),
                None,
            );
        }
        Told::Thrashing(times) => ui.caution(
            format_args!(
                "singleton `{name}` was replaced {times} times in the last minute: callers disagree about it"
            ),
            Some("`memo singleton why` says what differs; `--on-change keep` lets one of them have its way"),
        ),
        Told::ReleaseFailed(why) => {
            ui.caution(format_args!("the release of singleton `{name}` failed: {why}"), None);
        }
    }
}

/// Returns the error for an instance that is not to be had.
pub(super) fn lacking(name: &str, lacking: Lacking, wanted: Wish<'_>) -> Error {
    match lacking {
        Lacking::NotRunning => not_running(name, &wanted),
        Lacking::Failed(verdict) => failed(name, &verdict, wanted),
        Lacking::Changed(_, change) => {
            let what = all_changed(change, &(wanted.changed)());
            let option = if wanted.no_start { "--no-start" } else { "--on-change fail" };
            Error::new(Kind::Left, format_args!("singleton `{name}` was not replaced: {what} (`{option}`)"))
                .hint(format_args!("`memo singleton stop {name}` ends it"))
        }
        Lacking::InUse { leases, calls } => Error::new(
            Kind::Left,
            format_args!(
                "singleton `{name}` was not replaced: it is in use by {} (`--busy fail`)",
                leases + calls
            ),
        )
        .hint("`--busy wait` waits until it is not, `--busy kill` does not"),
        Lacking::StillInUse { leases, calls } => Error::new(
            Kind::TimedOut,
            format_args!(
                "singleton `{name}` was not replaced: it was in use by {} for all of {}",
                leases + calls,
                Shown(wanted.timeout)
            ),
        )
        .hint("`--timeout` waits longer, `--busy kill` does not wait"),
        Lacking::StillGoing(stage) => Error::new(
            Kind::TimedOut,
            format_args!("singleton `{name}` was still {} after {}", stage.name(), Shown(wanted.timeout)),
        )
        .hint(if stage == Stage::Starting && !wanted.first_word.is_empty() {
            "it goes on; `--timeout` waits longer, `--force` does not wait for it"
        } else {
            "it goes on; `--timeout` waits longer"
        }),
        Lacking::Late(pid) => late(name, pid, wanted.timeout),
        Lacking::Looping(last, times) => {
            Error::new(Kind::Failed, format_args!("singleton `{name}` was not started: {}", looping(times)))
                .details(plain(&last.verdict.tail))
                .hint("`--force` starts it all the same")
        }
        Lacking::CheckFailed(why) => {
            Error::new(Kind::Left, format_args!("singleton `{name}` was not replaced: check-failed: {why}"))
                .hint(if wanted.no_start {
                    "without `--no-start` it is"
                } else {
                    "with its command it is; `memo singleton restart` starts it again as it was started"
                })
        }
        Lacking::Inside => {
            Error::new(Kind::Failed, format_args!("singleton `{name}` cannot be replaced from inside itself"))
                .hint("ask for it as it was started, or give what it needs another name")
        }
        Lacking::Trouble(trouble) => of_trouble(trouble),
        Lacking::System(error) => {
            Error::new(Kind::Failed, format_args!("cannot start singleton `{name}`: {}", system_text(&error)))
        }
        Lacking::Refused(why) => Error::new(Kind::Failed, format_args!("singleton `{name}`: {why}")),
    }
}

/// What was wished for, as far as an error speaks of it.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    /// The first word of the command.
    pub(super) first_word: &'a str,
    /// How long it might take.
    pub(super) timeout: Duration,
    /// What was to be started, where a command was given.
    pub(super) service: Option<&'a Service>,
    /// Whether it was said when that is ready.
    pub(super) says_ready: bool,
    /// Whether nothing was to be started.
    pub(super) no_start: bool,
    /// Whether it was to answer a call.
    pub(super) is_call: bool,
    /// Finds out what changed.
    pub(super) changed: &'a dyn Fn() -> Vec<Changed>,
}

impl Wish<'_> {
    /// Returns what whoever starts nothing wishes for.
    pub(super) fn plain(timeout: Duration) -> Self {
        let changed = &Vec::new;
        Self {
            first_word: "",
            timeout,
            service: None,
            says_ready: false,
            no_start: false,
            is_call: false,
            changed,
        }
    }
}

/// Returns why what ended again and again is not started, in words.
pub(super) fn looping(times: usize) -> String {
    format!("it ended by itself soon after it was ready, {times} times in the last minute")
}

/// Returns the error for a slot that cannot be used.
pub(super) fn of_trouble(trouble: Trouble) -> Error {
    Error::from(trouble)
}

/// Returns the error for what nobody runs.
pub(super) fn not_running(name: &str, wanted: &Wish<'_>) -> Error {
    let kind = if wanted.no_start { Kind::Left } else { Kind::Failed };
    let error = Error::new(kind, format_args!("singleton `{name}` is not running"));
    match name.strip_prefix('@') {
        Some(_) => error,
        None if wanted.no_start && !wanted.first_word.is_empty() => {
            error.hint("without `--no-start` it is started")
        }
        None if wanted.is_call => {
            error.hint(format_args!("`memo singleton call {name} REQ -- COMMAND` starts it"))
        }
        None => error.hint(format_args!("`memo singleton {name} -- COMMAND` starts it")),
    }
}

/// Returns the error for a supervisor that does not answer.
pub(super) fn late(name: &str, pid: Option<i32>, timeout: Duration) -> Error {
    let who = pid.map_or(String::new(), |pid| format!(" (process {pid})"));
    let error = Error::new(
        Kind::TimedOut,
        format_args!("singleton `{name}`: its supervisor{who} did not answer within {}", Shown(timeout)),
    );
    match pid {
        Some(pid) => error.hint(format_args!("if it was stopped, `kill -CONT {pid}` lets it go on")),
        None => error,
    }
}

/// Returns how a process ended, in words.
pub(super) fn how(ended: Option<Ended>) -> String {
    match ended {
        None => "nobody saw how".to_owned(),
        Some(Ended::Exit(code)) => format!("exit {code}"),
        Some(Ended::Signal(signal)) => format!("signal {signal}"),
    }
}

/// Returns the exit status of whoever depends on how a process ended.
pub(super) fn status_of(ended: Option<Ended>) -> Option<u8> {
    match ended {
        Some(Ended::Exit(code)) => Some(code),
        Some(Ended::Signal(signal)) => Some(128_u8.wrapping_add(u8::try_from(signal).unwrap_or(0))),
        None => None,
    }
}

fn failed(name: &str, verdict: &Verdict, wanted: Wish<'_>) -> Error {
    let first_word = wanted.first_word;
    let note = if verdict.note.is_empty() { String::new() } else { format!(": {}", verdict.note) };
    let tail = plain(&verdict.tail);
    match verdict.why {
        Why::NotStarted => match verdict.errno.map(std::io::Error::from_raw_os_error) {
            Some(error) => {
                let kind = if is_not_found(&error) {
                    Kind::NotFound
                } else if is_too_long(&error) || is_scarcity(&error) {
                    Kind::Failed
                } else {
                    Kind::NotExecutable
                };
                Error::new(kind, format_args!("cannot run `{first_word}`: {}", system_text(&error)))
            }
            None => Error::new(Kind::Failed, format_args!("singleton `{name}` was not started{note}")),
        },
        Why::TimedOut => {
            let error = Error::new(
                Kind::TimedOut,
                format_args!("singleton `{name}` was not ready within {}{note}", Shown(verdict.limit)),
            );
            error.details(tail).hint(hint_of_late(verdict, wanted))
        }
        Why::Exited => {
            let kind = match status_of(verdict.ended) {
                None | Some(0) => Kind::Failed,
                Some(code) => Kind::Process(code),
            };
            let error = Error::new(
                kind,
                format_args!("singleton `{name}` ended before it was ready: {}{note}", how(verdict.ended)),
            )
            .details(tail);
            if verdict.note.contains("background") {
                error.hint(
                    "let it stay in the foreground: `nginx -g 'daemon off;'`, `redis-server --daemonize no`",
                )
            } else if let Some(service) = wanted.service.filter(|service| was_given_no_port(service)) {
                error.hint(hint_of_port(&service.words, &service.assignments))
            } else {
                error
            }
        }
        why => Error::new(
            Kind::Failed,
            format_args!("singleton `{name}` was ended before it was ready ({why}){note}"),
        ),
    }
}

/// Returns what may help whoever waited in vain.
fn hint_of_late(verdict: &Verdict, wanted: Wish<'_>) -> String {
    let is_another = wanted.service.is_some() && !wanted.says_ready && !verdict.note.is_empty();
    if is_another {
        return "it was started by another call, which asked for that; `--force` replaces one that starts"
            .to_owned();
    }
    if let Some(at) = verdict.listens.first() {
        return match wanted.service.filter(|service| service.port.is_some() && !is_shell(service)) {
            Some(service) => hint_of_port(&service.words, &service.assignments),
            None => {
                // What `auto` gave it is another one the next time.
                let is_auto = wanted.service.is_some_and(|service| service.port == Some(Port::Auto));
                let is_given = is_auto && verdict.port == Some(at.port());
                format!("`--ready-port {}` waits until it listens there", reached_at(at, is_given))
            }
        };
    }
    if let Some(hint) = &verdict.hint {
        return hint.clone();
    }
    if wanted.service.is_some() && wanted.timeout > verdict.limit {
        return format!(
            "it was started by another call, which gave it less time; asked again, it has {}",
            Shown(wanted.timeout)
        );
    }
    "`--timeout 5m` gives it longer".to_owned()
}

/// Returns an address as `--ready-port` takes it.
fn reached_at(address: &SocketAddr, is_given: bool) -> String {
    let (ip, port) = (address.ip(), address.port().to_string());
    let at =
        if ip.is_unspecified() || ip == Ipv4Addr::LOCALHOST { port.clone() } else { address.to_string() };
    match at.strip_suffix(&port) {
        Some(host) if is_given => format!("'{host}$PORT'"),
        _ => at,
    }
}

fn is_shell(service: &Service) -> bool {
    service.program.as_os_str().as_bytes().ends_with(b"sh")
}

/// Returns whether a port was meant for the command, and none is in it: $PORT was not there when the caller's shell put
/// it in, or no shell did.
fn was_given_no_port(service: &Service) -> bool {
    let lacks = |word: &OsString| word.is_empty() || names_port(word);
    service.port.is_some() && !is_shell(service) && service.words.iter().any(lacks)
}

fn names_port(word: &OsStr) -> bool {
    let text = word.to_string_lossy();
    text.contains("$PORT") || text.contains("${PORT}")
}

/// Returns how a command gets its port, to be pasted: where one seems to be missing in it, else at its end.
fn hint_of_port(words: &[OsString], assignments: &[String]) -> String {
    /// A longer command is not shown.
    const MOST: usize = 200;
    let mut put = false;
    let words = words.iter().map(|word| {
        let text = word.to_string_lossy();
        if names_port(word) {
            put = true;
            let inner = |c: char| if "\\\"`".contains(c) { format!("\\{c}") } else { c.to_string() };
            format!("\"{}\"", text.chars().map(inner).collect::<String>())
        } else if text.is_empty() {
            put = true;
            "\"$PORT\"".to_owned()
        } else if text.ends_with(['=', ':']) {
            put = true;
            format!("{}\"$PORT\"", quote::word(word.as_bytes()))
        } else {
            quote::word(word.as_bytes())
        }
    });
    let mut words = words.collect::<Vec<_>>().join(" ");
    if !put {
        words += " \"$PORT\"";
    }
    if words.len() > MOST {
        words = "... \"$PORT\"".to_owned();
    }
    let set: String = assignments.iter().map(|name| format!("{name}=... ")).collect();
    let line = quote::word(format!("exec {words}").as_bytes());
    format!("the port it is given is in $PORT, which a shell has to put in: `-- {set}sh -c {line}`")
}

/// Returns the error for a call that has no reply.
pub(super) fn unanswered(name: &str, verdict: &Verdict) -> Error {
    let kind = match (verdict.why, status_of(verdict.ended)) {
        (Why::Exited, Some(code)) if code != 0 => Kind::Process(code),
        _ => Kind::Failed,
    };
    let what = match verdict.why {
        Why::Exited => how(verdict.ended),
        why if verdict.note.is_empty() => why.to_string(),
        why => format!("{why}: {}", verdict.note),
    };
    Error::new(kind, format_args!("singleton `{name}` ended before it had replied: {what}"))
        .details(plain(&verdict.tail))
}

/// Returns lines of a log without what a terminal would obey.
fn plain(lines: &[String]) -> Vec<String> {
    let escaped = |c: char| match c {
        '\t' => "\t".to_owned(),
        c if is_hidden(c) => c.escape_default().to_string(),
        c => c.to_string(),
    };
    lines.iter().map(|line| line.chars().map(escaped).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::singleton::verdict::tests::example;

    #[test]
    fn a_command_is_shown_with_the_port_where_it_is_missing() {
        let shown = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            hint_of_port(&words, &[]).split_once("`-- ").unwrap().1.trim_end_matches('`').to_owned()
        };
        for (words, expected) in [
            (&["python3", "-m", "http.server"][..], r#"sh -c 'exec python3 -m http.server "$PORT"'"#),
            (&["a", "--at=", "--x"], r#"sh -c 'exec a --at="$PORT" --x'"#),
            (&["a", "0.0.0.0:"], r#"sh -c 'exec a 0.0.0.0:"$PORT"'"#),
            (&["a", "", "b c"], r#"sh -c 'exec a "$PORT" '\''b c'\'''"#),
            (&["a", r#"{"p":$PORT}"#], r#"sh -c 'exec a "{\"p\":$PORT}"'"#),
            (&["a", "h:${PORT}"], r#"sh -c 'exec a "h:${PORT}"'"#),
            (&["a", &"x".repeat(300)], r#"sh -c 'exec ... "$PORT"'"#),
        ] {
            assert_eq!(shown(words), expected);
        }
        let set = hint_of_port(&["a".into()], &["A".to_owned(), "_B".to_owned()]);
        assert!(set.ends_with(r#"`-- A=... _B=... sh -c 'exec a "$PORT"'`"#), "{set}");
    }

    #[test]
    fn who_waited_in_vain_is_told_how_long_it_could_take_and_not_how_long_was_waited() {
        let verdict = Verdict {
            why: Why::TimedOut,
            note: String::new(),
            hint: None,
            listens: Vec::new(),
            limit: Duration::from_secs(2),
            ..example()
        };
        let error = failed("k", &verdict, Wish::plain(Duration::from_secs(300)));
        assert_eq!(error.to_string(), "singleton `k` was not ready within 2 s");
        assert_eq!(error.hints(), ["`--timeout 5m` gives it longer"]);
        let at = |address: &str, is_given| reached_at(&address.parse().unwrap(), is_given);
        assert_eq!(
            ["0.0.0.0:1", "[::]:1", "[::1]:1"].map(|address| at(address, false)),
            ["1", "1", "[::1]:1"]
        );
        assert_eq!(["0.0.0.0:1", "[::1]:1"].map(|address| at(address, true)), ["'$PORT'", "'[::1]:$PORT'"]);
    }
}
