//! `memo why`: whether a command would hit, and if not, what differs.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use clap::Args;

use super::json::Object;
use super::run::{self, RunArgs, StdinChoice};
use super::surroundings::Surroundings;
use super::table::{cut, shown_size};
use super::when::{shown_age, shown_duration, utc};
use super::{part, print, quote};
use crate::action::identity::Timestamp;
use crate::action::observation::{State, Subject};
use crate::action::part::{Apart, PartKind};
use crate::action::reason::Missed;
use crate::config::Config;
use crate::engine::{self, Answer, Explanation, Ignored, Nearest, Observed};
use crate::error::{Error, Kind};
use crate::ui::Ui;

/// How many files that differ are listed for people.
const MOST_LISTED: usize = 10;

/// Say whether a command would hit, and why not
///
/// Takes what `memo run` takes. The command is not run, nothing is put in place and nothing is recorded; key
/// commands are run, for the key is made of what they print. Of a pipe on stdin nothing is taken, unless
/// `--stdin auto` says so. Exit status: 0 it would hit, 1 it would run.
#[derive(Args, Clone, Debug)]
#[command(args_override_self = true)]
pub struct WhyArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,

    /// What a run takes.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Says whether a call would hit, and why not. Lines are cut to `width` columns. Returns the exit code.
///
/// # Errors
/// What `memo run` would refuse before it runs anything, and when stdout fails.
pub fn why(
    args: &WhyArgs,
    config: Config,
    around: &Surroundings,
    ui: &Ui,
    width: Option<usize>,
) -> Result<u8, Error> {
    let reads = args.run.stdin == Some(StdinChoice::Auto);
    let now = around.clock.now();
    let said = run::with_request(&args.run, config, around, ui, |request, store| {
        let words = &request.action.words;
        let explanation = engine::explain(request, store, reads, ui)?;
        let text = if args.json {
            object(&explanation, words, now).line()
        } else {
            Text::of(&explanation, words, now, width)
        };
        Ok((text, u8::from(explanation.hit.is_none())))
    });
    let (text, code) = said.map_err(|error| error.of_kind(Kind::Usage))?;
    print::print(&text).map(|()| code)
}

/// Why a call would run: the name of the reason and what is to be said of it.
fn reason(explanation: &Explanation, words: &[OsString]) -> (&'static str, Option<String>) {
    let by_key = matches!(explanation.missed, Some(Missed::NeverSeen | Missed::Stdin));
    let nearest = explanation.nearest.as_ref().filter(|_| by_key);
    if let Some((kind, said)) = nearest.and_then(|nearest| nearest.reason(words)) {
        return (kind.name(), Some(said));
    }
    // All else is equal to what was recorded, and of stdin nothing is known.
    if nearest.is_some() && explanation.unread {
        return ("stdin", Some("it was not read".to_owned()));
    }
    match (&explanation.missed, &explanation.unrecorded) {
        (Some(missed), _) => {
            let about = match missed {
                Missed::Damaged(what) | Missed::CheckFailed(what) => Some(what.clone()),
                other => other.about().map(|path| format!("`{path}`")),
            };
            (missed.name(), about)
        }
        (None, Some(why)) => {
            let whole = why.to_string();
            let about = whole.split_once(": ").map(|(_, about)| about.to_owned());
            (why.name(), about)
        }
        (None, None) => ("never-seen", None),
    }
}

/// Returns the text of bytes, harmless to a terminal.
fn plain(bytes: &[u8]) -> String {
    quote::word(bytes)
}

/// Lines for people.
struct Text {
    text: String,
    width: Option<usize>,
}

impl Text {
    fn of(explanation: &Explanation, words: &[OsString], now: Timestamp, width: Option<usize>) -> String {
        let mut text = Self { text: String::new(), width };
        match &explanation.hit {
            Some(hit) => text.hit(hit, now),
            None => text.miss(explanation, words, now),
        }
        text.ignored(&explanation.ignored);
        if let Some(refused) = &explanation.refused {
            let about = if refused.about.is_empty() { String::new() } else { format!(": {}", refused.about) };
            text.line(&format!(
                "last run, {}: not recorded: {}{about}",
                ago(refused.time, now),
                refused.reason
            ));
        }
        if let Some(why) = &explanation.unrecorded {
            text.line(&format!("would not be recorded: {why}"));
            if let Some(hint) = why.hint() {
                text.line(&format!("  hint: {hint}"));
            }
        }
        text.text
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(&cut(line, self.width));
        self.text.push('\n');
    }

    fn hit(&mut self, hit: &Answer, now: Timestamp) {
        let Answer { outcome, recorded, saves, stale, unchecked, failure, .. } = hit;
        self.line(&format!("would hit: recorded {}, saves {}", ago(*recorded, now), shown_duration(*saves)));
        self.line(&format!("entry: {}", outcome.0.short()));
        if *stale {
            self.line("it would be refreshed behind: stale");
        }
        if let Some(failure) = failure {
            self.line(&format!("last refresh behind, {}: failed: {}", ago(failure.when, now), failure.why));
        }
        if *unchecked {
            self.line("if `--check` agrees, which was not run");
        }
    }

    fn miss(&mut self, explanation: &Explanation, words: &[OsString], now: Timestamp) {
        let (name, about) = reason(explanation, words);
        let about = about.map_or(String::new(), |about| format!(": {about}"));
        self.line(&format!("would run: {name}{about}"));
        if explanation.unread {
            self.line("stdin: a pipe, and not read; `--stdin auto` reads it");
        }
        let Some(nearest) = &explanation.nearest else { return };
        let took = shown_duration(nearest.duration);
        let short = nearest.outcome.0.short();
        self.line(&format!("nearest entry: {short}, recorded {}, took {took}", ago(nearest.recorded, now)));
        for apart in &nearest.apart {
            self.apart(apart, nearest, words);
        }
        for observed in nearest.observed.iter().take(MOST_LISTED) {
            let subject = plain(observed.subject.path().as_os_str().as_bytes());
            let [was, is] = observed.sizes;
            let new = observed.new.as_ref().map(|new| said_state(&observed.subject, new, is));
            self.values(
                observed.reason.name(),
                &subject,
                Some(said_state(&observed.subject, &observed.old, was)),
                new,
            );
        }
        if let Some(more) = nearest.observed.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
            self.line(&format!("  and {more} more"));
        }
    }

    fn apart(&mut self, apart: &Apart, nearest: &Nearest, words: &[OsString]) {
        let Some(part) = apart.part() else { return };
        let name = if part.name.is_empty() { String::new() } else { plain(&part.name) };
        let said = |part| part::said(part, false);
        let (old, new) = if part.kind == PartKind::Words {
            let [old, new] = nearest.differing_words(words);
            (Some(said_words(&old)), Some(said_words(&new)))
        } else {
            (apart.old.as_ref().map(said), apart.new.as_ref().map(said))
        };
        let given = |value: Option<String>| {
            let absent = matches!(part.kind, PartKind::Options | PartKind::Singleton);
            value.or_else(|| absent.then(|| "not given".to_owned()))
        };
        self.values(part.kind.name(), &name, given(old), given(new));
        if let Some(hint) = self::hint(apart) {
            self.line(&format!("  hint: {hint}"));
        }
    }

    /// Says what something is and what it was; what has no name begins with what it is.
    fn values(&mut self, label: &str, name: &str, old: Option<String>, new: Option<String>) {
        let mut label = label;
        if !name.is_empty() {
            self.line(&format!("  {label:<15} {name}"));
            label = "";
        }
        for (is, value) in [("is ", new), ("was", old)] {
            let value = value.unwrap_or_else(|| "not there".to_owned());
            self.line(&format!("  {label:<15} {is} {value}"));
            label = "";
        }
    }

    fn ignored(&mut self, ignored: &[Ignored]) {
        if ignored.is_empty() {
            return;
        }
        let said = |ignored: &Ignored| match ignored.changed {
            Some(true) => format!("{} (changed)", ignored.name),
            Some(false) => format!("{} (unchanged)", ignored.name),
            None => ignored.name.clone(),
        };
        let names: Vec<_> = ignored.iter().map(said).collect();
        self.line(&format!("not hashed: {}", names.join(", ")));
    }
}

/// Returns what can be done about a part that is another at a prompt than in a script or below make.
fn hint(apart: &Apart) -> Option<&'static str> {
    let (old, new) = (apart.old.as_ref()?, apart.new.as_ref()?);
    match (new.kind, old.shown.as_slice(), new.shown.as_slice()) {
        (PartKind::Stdin, b"empty", b"a terminal") => {
            Some("with `-n` the command has an empty stdin everywhere")
        }
        (PartKind::Streams, b"one", b"two") => Some(
            "it was recorded behind `2>&1`, where their order counts; ask so too: `memo why ... 2>&1 | cat`",
        ),
        (PartKind::Streams, b"two", b"one") => Some("with `2>&1` their order counts, and it is not known"),
        _ => None,
    }
}

/// Returns words as the shell reads them.
fn said_words(words: &[&[u8]]) -> String {
    if words.is_empty() {
        return "nothing".to_owned();
    }
    words.iter().map(|word| plain(word)).collect::<Vec<_>>().join(" ")
}

/// Returns what was seen of a file or directory.
fn said_state(subject: &Subject, state: &State, size: Option<u64>) -> String {
    let size = size.map_or(String::new(), |size| format!(", {}", shown_size(size)));
    match state {
        State::Content { digest, bits, .. } => {
            let mode = match subject {
                Subject::File(_) => format!(", mode {bits:03o}"),
                // Of the others it only counts who may execute.
                _ if *bits != 0 => ", executable".to_owned(),
                _ => String::new(),
            };
            format!("{}{mode}{size}", digest.short())
        }
        State::Absent => "not there".to_owned(),
        State::Link(text) => format!("a link to {}", plain(text)),
        State::Listing { digest, .. } => format!("names and kinds {}", digest.short()),
        State::Tree { digest, .. } => format!("tree {}", digest.short()),
        State::Command(path) => plain(path.as_os_str().as_bytes()),
        State::Stamp(_) => format!("a file that cannot be read{size}"),
    }
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    match now.since(then) {
        Some(age) => format!("{} ago", shown_age(age)),
        None => "in the future".to_owned(),
    }
}

fn object(explanation: &Explanation, words: &[OsString], now: Timestamp) -> Object {
    let hit = explanation.hit.as_ref();
    let (name, about) = match hit {
        Some(_) => (None, None),
        None => {
            let (name, about) = reason(explanation, words);
            (Some(name), about)
        }
    };
    let text = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
    let mut object = Object::new()
        .truth("hit", hit.is_some())
        .bytes("reason", text(name).as_deref())
        .bytes("about", text(about.as_deref()).as_deref())
        .bytes("key", hit.map(|hit| hit.outcome.to_string()).map(String::into_bytes).as_deref());
    let action = hit.map(|hit| hit.key).or(explanation.key).map(|key| key.to_string());
    object = object.bytes("action", action.map(String::into_bytes).as_deref());
    if let Some(hit) = hit {
        object = object
            .text("recorded_at", &utc(hit.recorded))
            .seconds("age_seconds", Some(i128::from(now.0) - i128::from(hit.recorded.0)))
            .seconds("saves_seconds", Some(ns(hit.saves)))
            .truth("stale", hit.stale)
            .truth("unchecked", hit.unchecked);
        if let Some(failure) = &hit.failure {
            let failed = Object::new()
                .text("why", &failure.why)
                .seconds("age_seconds", Some(i128::from(now.0) - i128::from(failure.when.0)))
                .seconds("duration_seconds", Some(ns(failure.took)));
            object = object.object("failed_refresh", failed);
        }
    } else {
        object = object.truth("stdin_unread", explanation.unread);
    }
    let unrecorded = explanation.unrecorded.as_ref();
    object = object
        .bytes("unrecorded", unrecorded.map(|why| why.name().as_bytes()))
        .bytes("unrecorded_about", unrecorded.and_then(|why| why.about()).map(String::into_bytes).as_deref());
    if let Some(nearest) = &explanation.nearest {
        object = object.object("nearest", nearest_object(nearest, words, now));
    }
    if let Some(refused) = &explanation.refused {
        let last = Object::new()
            .text("unrecorded", refused.reason)
            .text("about", &refused.about)
            .seconds("age_seconds", Some(i128::from(now.0) - i128::from(refused.time.0)));
        object = object.object("last_run", last);
    }
    object.objects(
        "ignored",
        explanation.ignored.iter().map(|ignored| {
            let object = Object::new().text("name", &ignored.name);
            match ignored.changed {
                Some(changed) => object.truth("changed", changed),
                None => object,
            }
        }),
    )
}

fn nearest_object(nearest: &Nearest, words: &[OsString], now: Timestamp) -> Object {
    let parts = nearest.apart.iter().filter_map(|apart| {
        let part = apart.part()?;
        let object = Object::new().text("reason", part.kind.name()).bytes("name", Some(&part.name));
        if part.kind == PartKind::Words {
            let [old, new] = nearest.differing_words(words);
            return Some(object.list("old_words", old).list("new_words", new));
        }
        let mut object = object;
        for (label, part) in [("old", &apart.old), ("new", &apart.new)] {
            let value = part.as_ref().map(|part| part.shown.as_slice()).filter(|shown| !shown.is_empty());
            let seal = part.as_ref().and_then(|part| part.seal).map(|seal| seal.to_string());
            object = object
                .bytes(label, value)
                .bytes(&format!("{label}_digest"), seal.map(String::into_bytes).as_deref());
        }
        Some(object)
    });
    let observed = nearest.observed.iter().map(observed_object);
    Object::new()
        .text("key", &nearest.outcome.to_string())
        .text("action", &nearest.key.to_string())
        .text("recorded_at", &utc(nearest.recorded))
        .seconds("age_seconds", Some(i128::from(now.0) - i128::from(nearest.recorded.0)))
        .seconds("duration_seconds", Some(ns(nearest.duration)))
        .text("command", &quote::line(&nearest.shown))
        .objects("differs", parts.chain(observed))
}

fn observed_object(observed: &Observed) -> Object {
    let mut object = Object::new()
        .text("reason", observed.reason.name())
        .bytes("name", Some(observed.subject.path().as_os_str().as_bytes()));
    let states = [("old", Some(&observed.old)), ("new", observed.new.as_ref())];
    for ((label, state), size) in states.into_iter().zip(observed.sizes) {
        let digest = match state {
            Some(
                State::Content { digest, .. } | State::Listing { digest, .. } | State::Tree { digest, .. },
            ) => Some(digest.to_string()),
            _ => None,
        };
        object = object
            .bytes(
                label,
                state
                    .map(|state| said_state(&observed.subject, state, size))
                    .map(String::into_bytes)
                    .as_deref(),
            )
            .bytes(&format!("{label}_digest"), digest.map(String::into_bytes).as_deref());
        if let Some(size) = size {
            object = object.number(&format!("{label}_size"), size);
        }
    }
    object
}

fn ns(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}
