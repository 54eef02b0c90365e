//! The nearest earlier entry: of what was recorded before, what differs from a call in the fewest parts.
//!
//! Only asked for by `-v` and `memo why`, on a miss: it reads the index and the end of the journal.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use crate::action::identity::{Identity, Timestamp};
use crate::action::key::{ActionKey, Stdin};
use crate::action::observation::{Observation, State, Subject};
use crate::action::part::{Apart, Part, PartKind, compare};
use crate::action::reason::Missed;
use crate::store::index::{Earlier, History};
use crate::store::manifest::{Entry, Manifest};
use crate::store::outcome::{OutcomeId, Shown};

use super::{Answers, Call};

/// Of entries that are equally near it is compared what they depend on, under so many keys.
const MOST_COMPARED: usize = 16;

/// The nearest earlier entry.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// The key it is found by.
    pub key: ActionKey,
    /// Which outcome.
    pub outcome: OutcomeId,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// How long the command ran.
    pub duration: Duration,
    /// What is shown of it.
    pub shown: Shown,
    /// The parts of the key that differ.
    pub apart: Vec<Apart>,
    /// All parts of its call.
    pub parts: Vec<Part>,
    /// What it depends on and what differs now.
    pub observed: Vec<Observed>,
}

/// Something that an entry depends on, and that is not as it was.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What was looked at.
    pub subject: Subject,
    /// Why that is a miss.
    pub reason: Missed,
    /// What it was.
    pub old: State,
    /// What it is; `None` when it cannot be observed, for it is gone or of another kind.
    pub new: Option<State>,
    /// Its size in bytes, where that is known: as it was, and as it is.
    pub sizes: [Option<u64>; 2],
}

impl Nearest {
    /// Returns why a call misses, as far as its key tells: the name of the part that differs and what is to
    /// be said of it. `None` when no part does.
    pub fn reason(&self, words: &[OsString]) -> Option<(PartKind, String)> {
        let first = self.apart.first()?;
        let kind = first.part()?.kind;
        let mut said = match kind {
            PartKind::Words => self.words_apart(words),
            _ => said_of(first),
        };
        let others: Vec<_> = self.apart.iter().skip(1).filter_map(Apart::part).collect();
        let mut kinds: Vec<&str> = others.iter().map(|part| part.kind.name()).collect();
        kinds.dedup();
        if !kinds.is_empty() {
            said.push_str(&format!(" (also {})", kinds.join(", ")));
        }
        Some((kind, said))
    }

    /// Returns the words in which a call differs, the old and the new ones.
    pub fn differing_words<'a>(&'a self, words: &'a [OsString]) -> [Vec<&'a [u8]>; 2] {
        let new: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let old: Vec<&[u8]> = self.shown.words.iter().map(Vec::as_slice).collect();
        let (before, after) = in_common(&old, &new);
        [old[before..old.len() - after].to_vec(), new[before..new.len() - after].to_vec()]
    }

    fn words_apart(&self, words: &[OsString]) -> String {
        let [old, new] = self.differing_words(words);
        match (old.as_slice(), new.as_slice()) {
            ([], []) => "beyond what is kept of them".to_owned(),
            (old, []) => format!("{} is not there", quoted(old)),
            ([], new) => format!("{} is new", quoted(new)),
            (old, new) => format!("{}, was {}", quoted(new), quoted(old)),
        }
    }
}

/// Returns what is to be said of a part that differs.
fn said_of(apart: &Apart) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let name =
        |part: &Part| if part.name.is_empty() { String::new() } else { format!("`{}`", text(&part.name)) };
    match (&apart.old, &apart.new) {
        (Some(old), Some(new)) if old.kind == PartKind::Stdin => {
            if old.shown == new.shown {
                format!("{} with other bytes", text(&new.shown))
            } else {
                format!("{}, was {}", text(&new.shown), text(&old.shown))
            }
        }
        (Some(old), Some(new)) if old.kind == PartKind::Streams && old.name.is_empty() => {
            format!("stdout and stderr are {}, were {}", text(&new.shown), text(&old.shown))
        }
        (Some(old), Some(new)) if matches!(old.kind, PartKind::Directory | PartKind::Program) => {
            let name = if old.name.is_empty() { String::new() } else { format!("{} is ", name(old)) };
            format!("{name}`{}`, was `{}`", text(&new.shown), text(&old.shown))
        }
        (Some(_), Some(new)) if new.kind == PartKind::Singleton => {
            format!("{} is another process now", name(new))
        }
        (None, Some(part)) if part.kind == PartKind::Singleton => {
            format!("`--dep-singleton {}` is new", text(&part.name))
        }
        (Some(part), None) if part.kind == PartKind::Singleton => {
            format!("`--dep-singleton {}` is not given", text(&part.name))
        }
        (Some(_), Some(new)) if new.name.is_empty() => "it has another value".to_owned(),
        (Some(_), Some(new)) => format!("{} has another value", name(new)),
        (None, Some(new)) if new.name.is_empty() => "there was none".to_owned(),
        (None, Some(new)) => format!("{} is new", name(new)),
        (Some(old), None) if old.name.is_empty() => "there is none now".to_owned(),
        (Some(old), None) => format!("{} is not there", name(old)),
        (None, None) => String::new(),
    }
}

fn quoted(words: &[&[u8]]) -> String {
    let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
    format!("`{}`", words.join(" "))
}

/// Returns how much two lists have in common at their beginning, and at their end besides.
fn in_common<T: PartialEq>(old: &[T], new: &[T]) -> (usize, usize) {
    let before = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let rest = old[before..].iter().rev().zip(new[before..].iter().rev());
    (before, rest.take_while(|(old, new)| old == new).count())
}

/// Returns in how many words two calls of one program differ; `None` when they have less than half of their bytes in
/// common, at their beginning and their end, and are not the same but for words put in: then they are two calls, and
/// not one that was changed.
fn words_between(shown: &Shown, words: &[OsString]) -> Option<usize> {
    let old: Vec<&[u8]> = shown.words.iter().map(Vec::as_slice).collect();
    let new: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    if old.first() != new.first() {
        return None;
    }
    let (before, after) = in_common(&old, &new);
    let between = old.len().max(new.len()) - before - after;
    let least = old.len().min(new.len());
    if before + after == least && least > 1 {
        return Some(between);
    }
    let (old, new) = (old.join(&0), new.join(&0));
    let (before, after) = in_common(&old, &new);
    ((before + after) * 2 >= old.len().max(new.len())).then_some(between)
}

/// An earlier entry with the parts in which it differs.
#[derive(Clone)]
struct Candidate {
    earlier: Earlier,
    apart: Vec<Apart>,
    words: usize,
}

impl Call<'_> {
    /// Says with `-v` why the call missed.
    pub(super) fn say_missed(&self, stdin: Option<Stdin>) {
        if !self.ui.is_verbose() {
            return;
        }
        let action = self.request.action;
        let nearest = match self.missed {
            Missed::NeverSeen | Missed::Stdin => {
                self.candidates(&self.history(false), stdin).into_iter().next()
            }
            _ => None,
        };
        let reason = nearest.and_then(|nearest| nearest.plain().reason(&action.words));
        match reason {
            Some((kind, said)) => self.ui.verbose(format_args!("miss: {}: {said}", kind.name())),
            None => {
                // What stands under a key beside its own answers only some calls, and says less.
                let beside =
                    [Some(Stdin::Any), stdin].into_iter().flatten().map(|stdin| self.key_beside(stdin));
                let beside: Vec<_> = beside.filter(|(_, answers)| *answers != Answers::All).collect();
                let own = self.seen.iter().map(|(key, _)| *key);
                let keys = own.filter(|key| !beside.iter().any(|(beside, _)| beside == key));
                self.ui.verbose(format_args!("miss: {}", self.nearest_missed(keys)));
            }
        }
    }

    /// Returns why the lookup missed, as said of the outcome that is nearest by what it depends on. The lookup itself
    /// tells of the one it compared first, which may be from another branch.
    pub(super) fn nearest_missed(&self, keys: impl Iterator<Item = ActionKey>) -> Missed {
        if !self.missed.is_observed() {
            return self.missed.clone();
        }
        let mut scene = self.scene();
        let mut nearest: Option<(usize, Missed)> = None;
        for manifest in keys.filter_map(|key| self.store.manifest(&key).ok()) {
            let Some((_, differs)) = manifest.nearest(&mut scene, |_| true) else { continue };
            // One of which all is as it was is not taken for other reasons: the lookup has said them, or there are
            // none any more.
            let Some(first) = differs.first() else { continue };
            if nearest.as_ref().is_none_or(|(fewest, _)| differs.len() < *fewest) {
                nearest = Some((differs.len(), first.reason.clone()));
            }
        }
        nearest.map_or_else(|| self.missed.clone(), |(_, reason)| reason)
    }

    pub(super) fn history(&self, thorough: bool) -> History {
        let call = self.request.action.call_digest();
        let now = (self.request.now)();
        History::read(&self.store, &call, &self.request.options.group, now, thorough)
    }

    /// Returns the entry that is nearest to the call: by its parts, then by what it depends on.
    pub(super) fn nearest(&self, history: &History, stdin: Option<Stdin>) -> Option<Nearest> {
        let candidates = self.candidates(history, stdin);
        let fewest = candidates.first().map(|candidate| (candidate.apart.len(), candidate.words))?;
        let mut nearest: Option<Nearest> = None;
        let equal: Vec<_> =
            candidates.into_iter().filter(|one| (one.apart.len(), one.words) == fewest).collect();
        let mut compared: Vec<ActionKey> = Vec::new();
        for Candidate { earlier: Earlier { key, .. }, words, .. } in &equal {
            if compared.contains(key) || compared.len() == MOST_COMPARED {
                continue;
            }
            compared.push(*key);
            let under = |id: &OutcomeId| {
                equal.iter().find(|one| one.earlier.key == *key && one.earlier.outcome == *id)
            };
            // Listed, and gone since.
            let Ok(manifest) = self.store.manifest(key) else { continue };
            let found = self.observed(&manifest, |entry| under(&entry.id).is_some());
            let Some((entry, observed)) = found else { continue };
            let Some(candidate) = under(&entry) else { continue };
            // What another command depends on is not what this one does.
            let observed = if *words > 0 { Vec::new() } else { observed };
            if nearest.as_ref().is_none_or(|nearest| observed.len() < nearest.observed.len()) {
                nearest = Some(Nearest { observed, ..candidate.clone().plain() });
            }
        }
        nearest
    }

    /// Returns the earlier entries that this call may be a changed one of, the nearest first.
    fn candidates(&self, history: &History, stdin: Option<Stdin>) -> Vec<Candidate> {
        let action = self.request.action;
        let secret = self.store.secret();
        let parts = action.parts(stdin, secret.as_ref());
        let known = |kind| kind != PartKind::Stdin || stdin.is_some();
        let mut candidates: Vec<Candidate> = Vec::new();
        for earlier in &history.entries {
            // Nothing is known of its parts.
            if earlier.parts.is_empty() {
                continue;
            }
            let mut apart = compare(&earlier.parts, &parts, known);
            apart.retain(|apart| !apart.part().is_some_and(Part::is_ignored));
            let differ = apart.first().and_then(Apart::part).is_some_and(|part| part.kind == PartKind::Words);
            let words = if differ { words_between(&earlier.shown, &action.words) } else { Some(0) };
            let Some(words) = words else { continue };
            candidates.push(Candidate { earlier: earlier.clone(), apart, words });
        }
        candidates.sort_by_key(|candidate| (candidate.apart.len(), candidate.words));
        candidates
    }

    /// Returns which entry of those that `which` picks differs the least in what it depends on, and what of that is
    /// not as it was; `None` when there is no such entry.
    fn observed(
        &self,
        manifest: &Manifest,
        which: impl Fn(&Entry) -> bool,
    ) -> Option<(OutcomeId, Vec<Observed>)> {
        let mut scene = self.scene();
        let (position, differs) = manifest.nearest(&mut scene, which)?;
        let observed = differs.into_iter().map(|differs| {
            let subject = differs.subject.clone();
            let new = Observation::of(subject.clone(), &mut scene).ok().map(|observation| observation.state);
            let sizes = [old_size(differs.state), new.as_ref().and_then(|new| new_size(new, subject.path()))];
            Observed { subject, reason: differs.reason, old: differs.state.clone(), new, sizes }
        });
        Some((manifest.entries[position].id, observed.collect()))
    }
}

impl Candidate {
    fn plain(self) -> Nearest {
        let Earlier { key, outcome, recorded, duration, shown, parts } = self.earlier;
        Nearest { key, outcome, recorded, duration, shown, parts, apart: self.apart, observed: Vec::new() }
    }
}

/// Returns the size that content had, where a stat identity of it is kept.
fn old_size(state: &State) -> Option<u64> {
    match state {
        State::Content { identities, .. } => identities.first().map(|identity| identity.size),
        _ => None,
    }
}

fn new_size(state: &State, path: &Path) -> Option<u64> {
    match state {
        State::Content { .. } => Identity::of(path).ok().map(|identity| identity.size),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::outcome;

    #[test]
    fn a_singleton_is_another_process_or_was_not_asked_for() {
        let part = |shown: &[u8]| {
            Some(Part { kind: PartKind::Singleton, name: b"m".to_vec(), shown: shown.to_vec(), seal: None })
        };
        let said = |old, new| said_of(&Apart { old, new });
        assert_eq!(said(part(b"01"), part(b"02")), "`m` is another process now");
        assert_eq!(said(None, part(b"02")), "`--dep-singleton m` is new");
        assert_eq!(said(part(b"01"), None), "`--dep-singleton m` is not given");
    }

    #[track_caller]
    fn check(old: &[&str], new: &[&str], between: Option<usize>) {
        let words: Vec<OsString> = new.iter().map(OsString::from).collect();
        assert_eq!(words_between(&outcome(old, 0).shown, &words), between, "{old:?} {new:?}");
    }

    #[test]
    fn a_call_is_a_changed_one_while_half_of_it_is_the_same() {
        check(&["cc", "-c", "a.c"], &["cc", "-c", "a.c"], Some(0));
        check(&["cc", "-c", "a.c"], &["cc", "-c", "b.c"], Some(1));
        check(&["cc", "a.c"], &["cc", "b.c"], Some(1));
        check(&["cc", "a.c"], &["cc", "-O2", "-g", "a.c"], Some(2));
        check(&["cc", "a.c"], &["cc", "-O2", "-g", "-c", "a.c"], Some(3));
        check(&["cc", "-c", "lib/a.c", "-o", "a.o"], &["cc", "-c", "lib/b.c", "-o", "b.o"], Some(3));
        check(&["sh", "-c", "make a"], &["sh", "-c", "make b"], Some(1));
        check(&["sh", "-c", "make a"], &["sh", "-c", "sleep 2; echo done"], None);
        check(&["cc"], &["ld"], None);
        check(&["a", "a"], &["a", "a", "a"], Some(1));
    }
}
