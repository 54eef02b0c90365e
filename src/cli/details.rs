//! All that is known of one entry, as text and as JSON.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::color::{Look, Paint};
use super::json::Object;
use super::table::{Cell, Columns, Side, shown_size};
use super::when::{shown_age, shown_duration, utc};
use super::{entry, quote};
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::observation::{State, Subject};
use crate::config::duration;
use crate::replay::streams::{self, Source};
use crate::store::Store;
use crate::store::index::Row;
use crate::store::outcome::{Content, Outcome, Output, OutputKind, Transcript};

/// What the store's files say of an entry.
#[derive(Clone, Debug)]
pub struct Details {
    /// What was left, verified but for blobs.
    pub outcome: Outcome,
    /// Whether it stands in its manifest.
    inline: bool,
    /// How many outcomes there are under its key.
    siblings: usize,
    observed: Vec<(Subject, State)>,
}

impl Details {
    /// Reads them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(store: &Store, row: &Row) -> Result<Self, String> {
        let manifest = store.manifest(&row.key)?;
        let entry = manifest.entries.iter().find(|entry| entry.id == row.outcome);
        let entry = entry.ok_or("it was removed or replaced just now")?;
        let observed = manifest.observations(entry);
        Ok(Self {
            outcome: store.outcome(entry)?,
            inline: entry.body.is_some(),
            siblings: manifest.entries.len(),
            observed: observed.map(|(subject, state)| (subject.clone(), state.clone())).collect(),
        })
    }

    /// Returns how many bytes stdout and stderr got; `None` when the blob with them is gone or cut. It is not
    /// verified for this.
    fn streams(&self, store: &Store) -> Option<[u64; 2]> {
        let source = match &self.outcome.transcript {
            Transcript::Inline(bytes) => Source::Memory(bytes.clone()),
            Transcript::Blob { digest, length } => {
                Source::File(crate::sys::file::open(&store.blobs.path(digest)).ok()?, *length)
            }
        };
        streams::lengths(&source).ok()
    }

    /// Returns the files of the store that the entry needs, each with what is in it.
    fn files(&self, store: &Store, row: &Row) -> Vec<(&'static str, PathBuf)> {
        let mut files = vec![("manifest", store.manifest_path(&row.key))];
        if !self.inline {
            files.push(("outcome", store.outcome_path(&row.outcome)));
        }
        if let Transcript::Blob { digest, .. } = &self.outcome.transcript {
            files.push(("transcript", store.blobs.path(digest)));
        }
        for output in &self.outcome.outputs {
            if let Some((digest, _)) = blob(output) {
                files.push(("output", store.blobs.path(&digest)));
            }
        }
        files
    }

    /// Returns a page for people.
    pub fn text(&self, store: &Store, row: &Row, now: Timestamp, long: bool, paint: Paint) -> String {
        let mut page = Page { text: String::new(), paint };
        let outcome = &self.outcome;
        page.say("key", Look::Key, &row.outcome.to_string());
        if long {
            page.say("action", Look::Plain, &row.key.to_string());
        }
        page.say("command", Look::Plain, &quote::line(&row.shown));
        page.say("directory", Look::Plain, &entry::directory(row));
        page.say("group", Look::Plain, &quote::word(row.shown.group.as_bytes()));
        if !row.shown.ignored.is_empty() {
            page.say("not in key", Look::Plain, &row.shown.ignored.join(" "));
        }
        let odd = |is: bool| if is { Look::Odd } else { Look::Plain };
        page.say("exit", odd(row.exit != 0), &row.exit.to_string());
        page.say("ran for", Look::Plain, &shown_duration(row.duration));
        page.say("recorded", Look::Plain, &ago(row.recorded, now));
        page.say("ttl", odd(entry::is_expired(row, now)), &ttl(row, now));
        let used = match row.hits {
            0 => "never".to_owned(),
            hits => {
                let times = if hits == 1 { "hit" } else { "hits" };
                format!("{hits} {times}, {} saved; last {}", shown_duration(row.saved), ago(row.used, now))
            }
        };
        page.say("used", Look::Plain, &used);
        match self.streams(store) {
            Some([stdout, stderr]) => {
                page.say("stdout", Look::Plain, &shown_size(stdout));
                page.say("stderr", Look::Plain, &shown_size(stderr));
            }
            None => page.say("stdout", Look::Odd, "gone or damaged, as stderr is"),
        }
        if outcome.stdin > 0 {
            page.say("stdin", Look::Plain, &format!("read up to byte {}", outcome.stdin));
        }
        page.say("stored", Look::Plain, &shown_size(row.size));
        if self.siblings > 1 {
            let others = self.siblings - 1;
            let outcomes = if others == 1 { "outcome" } else { "outcomes" };
            page.say("others", Look::Plain, &format!("{others} more {outcomes} under the same action"));
        }
        let digest = |digest: &Digest| if long { digest.to_string() } else { digest.short() };
        // Every word of a command might have been a file: those that are none are of least interest.
        let mut observed: Vec<_> = self.observed.iter().collect();
        observed.sort_by_key(|(_, state)| *state == State::Absent);
        let observed = observed.into_iter().map(|(subject, state)| {
            vec![
                Cell::from(kind(subject).to_owned()),
                Cell::from(bits(subject, state)),
                Cell::new(Look::Faint, said(state, &digest)),
                Cell::from(path(subject)),
            ]
        });
        page.part("DEPENDS ON", &["MODE", "CONTENT", "PATH"], observed.collect());
        let outputs = outcome.outputs.iter().map(|output| {
            let (size, content) = match &output.content {
                Content::File { digest: of, length } => (shown_size(*length), digest(of)),
                Content::Link(text) => ("link".to_owned(), format!("to {}", quote::word(text))),
                Content::Directory => ("directory".to_owned(), "-".to_owned()),
            };
            vec![
                Cell::from(origin(output.kind).to_owned()),
                Cell::from(mode(output)),
                Cell::from(size),
                Cell::new(Look::Faint, content),
                Cell::from(quote::word(output.path.as_os_str().as_bytes())),
            ]
        });
        page.part("LEFT", &["MODE", "SIZE", "CONTENT", "PATH"], outputs.collect());
        if long {
            let files = self.files(store, row).into_iter().map(|(what, file)| {
                vec![Cell::from(what.to_owned()), Cell::from(quote::word(file.as_os_str().as_bytes()))]
            });
            page.part("KEPT IN", &["FILE"], files.collect());
        }
        page.text
    }

    /// Returns an object of JSON as a line.
    pub fn object(&self, store: &Store, row: &Row, now: Timestamp) -> String {
        let streams = self.streams(store);
        let observed = self.observed.iter().map(|(subject, state)| {
            let object = Object::new()
                .text("kind", kind(subject))
                .bytes("path", Some(subject.path().as_os_str().as_bytes()));
            match state {
                State::Content { digest, bits, .. } => {
                    object.text("digest", &digest.to_string()).text("bits", &format!("{bits:04o}"))
                }
                State::Listing { digest, .. } | State::Tree { digest, .. } => {
                    object.text("digest", &digest.to_string())
                }
                State::Link(text) => object.bytes("text", Some(text)),
                State::Command(found) => object.bytes("found", Some(found.as_os_str().as_bytes())),
                State::Absent | State::Stamp(_) => object,
            }
        });
        let outputs = self.outcome.outputs.iter().map(|output| {
            let object = Object::new()
                .bytes("path", Some(output.path.as_os_str().as_bytes()))
                .text("origin", origin(output.kind));
            let object = match &output.content {
                Content::File { digest, length } => {
                    object.text("kind", "file").number("size", *length).text("digest", &digest.to_string())
                }
                Content::Link(text) => return object.text("kind", "link").bytes("text", Some(text)),
                Content::Directory => object.text("kind", "directory"),
            };
            object.text("mode", &format!("{:04o}", output.mode)).truth("follows_umask", output.follows_mask)
        });
        let files = self.files(store, row);
        let files = files.iter().map(|(what, file)| {
            Object::new().text("holds", what).bytes("path", Some(file.as_os_str().as_bytes()))
        });
        entry::object(row, &quote::line(&row.shown), now)
            .optional_number("stdout_bytes", streams.map(|[stdout, _]| stdout))
            .optional_number("stderr_bytes", streams.map(|[_, stderr]| stderr))
            .number("stdin_position", self.outcome.stdin)
            .number("outcomes_of_action", self.siblings as u64)
            .objects("observed", observed)
            .objects("outputs", outputs)
            .objects("files", files)
            .line()
    }
}

/// Lines of a label and a text, and tables below them.
struct Page {
    text: String,
    paint: Paint,
}

impl Page {
    fn say(&mut self, label: &str, look: Look, text: &str) {
        let space = " ".repeat(12_usize.saturating_sub(label.len()));
        self.text +=
            &format!("{}{space}{}\n", self.paint.text(Look::Title, label), self.paint.text(look, text));
    }

    fn part(&mut self, title: &str, others: &[&str], lines: Vec<Vec<Cell>>) {
        if lines.is_empty() {
            return;
        }
        let titles = std::iter::once(title).chain(others.iter().copied());
        let titles: Vec<_> = titles.map(|title| (title, Side::Left)).collect();
        let mut columns = Columns::new(&titles, None, self.paint);
        columns.fit(&lines);
        self.text.push('\n');
        self.text += &columns.head();
        for line in &lines {
            self.text += &columns.line(line);
        }
    }
}

fn ago(time: Timestamp, now: Timestamp) -> String {
    match now.since(time) {
        Some(age) => format!("{} ago, {}", shown_age(age), utc(time)),
        None => format!("in the future, {}", utc(time)),
    }
}

fn ttl(row: &Row, now: Timestamp) -> String {
    let Some(ttl) = row.ttl else { return "none".to_owned() };
    let whole = duration::Shown(ttl);
    match now.since(row.recorded) {
        None => format!("{whole}, expired: it was recorded in the future"),
        Some(age) => match age.checked_sub(ttl) {
            Some(past) => format!("{whole}, expired {} ago", duration::Shown(past)),
            None => format!("{whole}, {} left", duration::Shown(ttl.saturating_sub(age))),
        },
    }
}

fn kind(subject: &Subject) -> &'static str {
    match subject {
        Subject::File(_) => "file",
        Subject::Input(_) => "input",
        Subject::Program(_) => "program",
        Subject::Absent(_) => "absent",
        Subject::Link(_) => "link",
        Subject::Listing(_) => "listing",
        Subject::Tree(_) => "tree",
        Subject::Command(_) => "look-up",
        Subject::Stamp(_) => "unreadable",
    }
}

/// Returns what is looked at; of a glob the glob.
fn path(subject: &Subject) -> String {
    let word = |path: &Path| quote::word(path.as_os_str().as_bytes());
    match subject {
        Subject::Listing(listing) => match &listing.pattern {
            Some(pattern) => format!("{} in {}", quote::word(pattern), word(&listing.root)),
            None => word(&listing.root),
        },
        other => word(other.path()),
    }
}

/// Returns the permission bits as far as they count.
fn bits(subject: &Subject, state: &State) -> String {
    match (subject, state) {
        (Subject::File(_), State::Content { bits, .. }) => format!("{bits:04o}"),
        (_, State::Content { bits, .. }) if *bits != 0 => "x".to_owned(),
        _ => "-".to_owned(),
    }
}

fn said(state: &State, digest: &dyn Fn(&Digest) -> String) -> String {
    match state {
        State::Content { digest: of, .. }
        | State::Listing { digest: of, .. }
        | State::Tree { digest: of, .. } => digest(of),
        State::Absent => "nothing there".to_owned(),
        State::Link(text) => format!("to {}", quote::word(text)),
        State::Command(found) => quote::word(found.as_os_str().as_bytes()),
        State::Stamp(identity) => format!("{} bytes", identity.size),
    }
}

fn origin(kind: OutputKind) -> &'static str {
    match kind {
        OutputKind::Declared => "declared",
        OutputKind::Automatic => "automatic",
        OutputKind::Replaced => "replaced",
        OutputKind::Rewritten => "rewritten",
        OutputKind::Made => "made",
        OutputKind::Found => "found",
    }
}

fn mode(output: &Output) -> String {
    match output.content {
        Content::Link(_) => "-".to_owned(),
        _ => format!("{:04o}", output.mode),
    }
}

/// Returns the blob that holds the content of an output.
fn blob(output: &Output) -> Option<(Digest, u64)> {
    match output.content {
        Content::File { digest, length } if output.kind != OutputKind::Rewritten => Some((digest, length)),
        _ => None,
    }
}
