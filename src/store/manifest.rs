//! Manifests: all that is known under one ActionKey.
//!
//! A manifest lists the outcomes recorded under the key, each with the observations that must hold for
//! it. Subjects and states are kept once for all of them, so that a lookup stats each path once, however
//! many outcomes there are. The newest outcome stands in the manifest itself.
//!
//! # Format
//! `memoMAN2`, the key, what is known of stdin, subjects with their states, outcomes, and the BLAKE3
//! digest of all that. Paths below the root (`--root`) are kept relative to it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::codec::{Malformed, Reader, Writer};
use super::observed::{read_state, read_subject, write_state, write_subject};
use super::outcome::{Content, Outcome, OutcomeId, OutputKind};
use super::refresh::Failure;
use crate::action::digest::Digest;
use crate::action::identity::{Identity, Timestamp};
use crate::action::key::ActionKey;
use crate::action::observation::{MOST_IDENTITIES, Observation, Present, State, Subject};
use crate::action::reason::Missed;
use crate::action::scene::Scene;

/// What a manifest begins with; the number is the format's.
const MAGIC: &[u8; 8] = b"memoMAN2";
/// The number of the format.
pub(super) const NUMBER: u64 = (MAGIC[7] - b'0') as u64;
/// How many outcomes are kept under one key: enough for branches to be switched and loops over
/// parameters to be repeated.
pub const MOST_OUTCOMES: usize = 256;
/// How large a manifest may be in bytes before outcomes go; the newest one always stays.
pub const MOST_BYTES: usize = 1 << 20;
/// An outcome up to this size in bytes stands in the manifest while it is the newest.
pub const INLINE: usize = 40 << 10;
/// How many large files that were stdin are remembered by their stat identity.
const MOST_FILES: usize = 64;

/// All that is known under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The key.
    pub key: ActionKey,
    /// What is known of the action's stdin; only under the key that leaves it out.
    pub stdin: StdinKnown,
    subjects: Vec<(Subject, Vec<State>)>,
    /// The outcomes, the last used first.
    pub entries: Vec<Entry>,
}

/// What is known of how an action uses its stdin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StdinKnown {
    /// It reads to the end, and took this long when it did.
    pub reads_all: Option<Duration>,
    /// What it read was so much that it was moved in bulk: what is read ahead of it need not be given back.
    pub in_bulk: bool,
    /// Large files that were stdin, by stat identity.
    pub files: Vec<(Identity, Digest)>,
}

impl StdinKnown {
    /// Remembers a file.
    pub fn remember(&mut self, identity: Identity, digest: Digest) {
        self.files.retain(|(known, _)| known.dev != identity.dev || known.ino != identity.ino);
        self.files.insert(0, (identity, digest));
        self.files.truncate(MOST_FILES);
    }
}

/// One outcome and what must hold for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: OutcomeId,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// The `--ttl` it was recorded with.
    pub ttl: Option<Duration>,
    /// The exit status.
    pub exit: u8,
    /// Subjects and states, by number.
    observed: Vec<(u32, u32)>,
    /// Whether the run left something new beside its declared outputs, which `--strict` would not have kept.
    pub undeclared: bool,
    /// Paths and contents of the files it left, but for those of directories and globs: they can be many, and
    /// stand in the outcome.
    pub outputs: Vec<(PathBuf, Digest)>,
    /// Its bytes, when they stand here.
    pub body: Option<Vec<u8>>,
    /// The last refresh of it that ran behind and failed.
    pub failure: Option<Failure>,
}

/// An outcome whose observations all hold.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which of the entries.
    pub position: usize,
    /// The newest modification time of its inputs, in ns since 1970.
    pub newest_input: Option<i64>,
    /// Subjects that had to be looked at for longer than a stat, with what may be remembered of them.
    pub learned: Vec<(Subject, State)>,
}

impl Manifest {
    /// Returns a manifest that knows nothing.
    pub fn new(key: ActionKey) -> Self {
        Self { key, stdin: StdinKnown::default(), subjects: Vec::new(), entries: Vec::new() }
    }

    /// Finds the first outcome that `accepts` takes and whose observations hold.
    ///
    /// # Errors
    /// [`Missed`]: why none does, as said of the last used one.
    pub fn find(
        &self,
        scene: &mut Scene<'_>,
        accepts: impl Fn(&Entry) -> Result<(), Missed>,
    ) -> Result<Found, Missed> {
        let mut present: Vec<Present> = Vec::new();
        present.resize_with(self.subjects.len(), Present::default);
        let mut missed = None;
        for (position, entry) in self.entries.iter().enumerate() {
            let first = entry.observed.iter().find_map(|&(subject, state)| {
                let (subject, states) = self
                    .subjects
                    .get(subject as usize)
                    .zip(present.get_mut(subject as usize))
                    .map(|((subject, states), present)| ((subject, present), states))?;
                let (subject, present) = subject;
                present.recall(subject, states);
                let difference = present.difference(subject, states.get(state as usize)?, scene)?;
                Some(Missed::of(subject, difference))
            });
            match first.map_or_else(|| accepts(entry), Err) {
                Ok(()) => {
                    return Ok(Found {
                        position,
                        newest_input: self.newest_input(entry, &present),
                        learned: self.learned(entry, &present),
                    });
                }
                Err(Missed::Expired) => missed = Some(Missed::Expired),
                Err(reason) => missed = missed.or(Some(reason)),
            }
        }
        Err(missed.unwrap_or(Missed::NeverSeen))
    }

    /// Finds the entry that differs from what is there now in the fewest observations, of those that `which` picks:
    /// its place and what differs. Of two that are equal it is the newer one.
    pub fn nearest(
        &self,
        scene: &mut Scene<'_>,
        which: impl Fn(&Entry) -> bool,
    ) -> Option<(usize, Vec<Differs<'_>>)> {
        let mut present: Vec<Present> = Vec::new();
        present.resize_with(self.subjects.len(), Present::default);
        let mut nearest: Option<(usize, Vec<_>)> = None;
        for (position, entry) in self.entries.iter().enumerate().filter(|(_, entry)| which(entry)) {
            let mut differs = Vec::new();
            for &(subject, state) in &entry.observed {
                let Some((about, states)) = self.subjects.get(subject as usize) else { continue };
                let (Some(present), Some(state)) =
                    (present.get_mut(subject as usize), states.get(state as usize))
                else {
                    continue;
                };
                present.recall(about, states);
                if let Some(difference) = present.difference(about, state, scene) {
                    differs.push(Differs { subject: about, state, reason: Missed::of(about, difference) });
                }
            }
            let rank =
                |differs: &[Differs<'_>], at: usize| (differs.len(), Reverse(self.entries[at].recorded));
            if nearest.as_ref().is_none_or(|(at, fewest)| rank(&differs, position) < rank(fewest, *at)) {
                nearest = Some((position, differs));
            }
        }
        nearest
    }

    fn newest_input(&self, entry: &Entry, present: &[Present]) -> Option<i64> {
        let inputs = entry.observed.iter().map(|&(subject, _)| subject as usize);
        let files = inputs
            .filter(|&i| matches!(self.subjects.get(i), Some((Subject::File(_) | Subject::Input(_), _))));
        files.filter_map(|i| present.get(i)?.modified()).max()
    }

    fn learned(&self, entry: &Entry, present: &[Present]) -> Vec<(Subject, State)> {
        let observed = entry.observed.iter().filter_map(|&(subject, state)| {
            let (subject_of, states) = self.subjects.get(subject as usize)?;
            let learned = present.get(subject as usize)?.learned(states.get(state as usize)?)?;
            Some((subject_of.clone(), learned))
        });
        observed.collect()
    }

    /// Takes over what was learned of subjects that are still here in these states.
    pub fn renew(&mut self, learned: &[(Subject, State)]) {
        for (subject, newer) in learned {
            let states =
                self.subjects.iter_mut().find(|(known, _)| known == subject).map(|(_, states)| states);
            let same = states.and_then(|states| states.iter_mut().find(|known| known.agrees(newer)));
            if let Some(known) = same {
                merge_memory(known, newer.clone());
            }
        }
    }

    /// Moves an outcome to the front, so that it is found sooner and goes later.
    pub fn bring_forward(&mut self, id: &OutcomeId) {
        if let Some(position) = self.entries.iter().position(|entry| entry.id == *id) {
            self.entries[..=position].rotate_right(1);
        }
    }

    /// Returns the names of the outcomes.
    pub fn ids(&self) -> Vec<OutcomeId> {
        self.entries.iter().map(|entry| entry.id).collect()
    }

    /// Returns the observations of an entry.
    pub fn observations<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = (&'a Subject, &'a State)> {
        entry.observed.iter().filter_map(|&(subject, state)| {
            let (subject, states) = self.subjects.get(subject as usize)?;
            Some((subject, states.get(state as usize)?))
        })
    }

    /// Returns whether an outcome here recorded a file with this content at this path as its output.
    pub fn is_output(&self, path: &Path, digest: &Digest) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.outputs.iter().any(|(known, content)| known == path && content == digest))
    }

    /// Returns whether an outcome made a file of its action whatever was there: it does not depend on the old one.
    pub fn is_made(&self, path: &Path) -> bool {
        let depends = |entry: &Entry| {
            let mut subjects =
                entry.observed.iter().filter_map(|(number, _)| self.subjects.get(*number as usize));
            subjects.any(|(subject, _)| matches!(subject, Subject::File(observed) if observed == path))
        };
        self.entries.iter().any(|entry| entry.outputs.iter().any(|(made, _)| made == path) && !depends(entry))
    }

    /// Adds an outcome in front; one with equal observations goes. Returns the bodies of outcomes that no
    /// longer stand in the manifest and need a file, and the names of those that went.
    pub fn insert(&mut self, outcome: &Outcome, observations: Vec<Observation>, undeclared: bool) -> Changed {
        let (id, bytes) = outcome.encode();
        let mut places: HashMap<Subject, usize> =
            self.subjects.iter().enumerate().map(|(place, (subject, _))| (subject.clone(), place)).collect();
        let observed: Vec<(u32, u32)> =
            observations.into_iter().map(|observation| self.intern(observation, &mut places)).collect();
        let mut changed = Changed::default();
        let same = |entry: &Entry| entry.id == id || entry.observed == observed;
        changed
            .gone
            .extend(self.entries.iter().filter(|entry| same(entry) && entry.id != id).map(|entry| entry.id));
        self.entries.retain(|entry| !same(entry));
        for entry in &mut self.entries {
            if let Some(body) = entry.body.take() {
                changed.displaced.push((entry.id, body));
            }
        }
        let inline = bytes.len() <= INLINE;
        if !inline {
            changed.displaced.push((id, bytes.clone()));
        }
        let outputs = outcome.outputs.iter().filter_map(|output| match (&output.content, output.kind) {
            (_, OutputKind::Made | OutputKind::Found) => None,
            (Content::File { digest, .. }, _) => Some((output.path.clone(), *digest)),
            _ => None,
        });
        let entry = Entry {
            id,
            recorded: outcome.recorded,
            ttl: outcome.ttl,
            exit: outcome.exit,
            observed,
            undeclared,
            outputs: outputs.collect(),
            body: inline.then_some(bytes),
            failure: None,
        };
        self.entries.insert(0, entry);
        self.shrink(&mut changed);
        changed
    }

    /// Removes the outcomes that `goes` picks; returns their names.
    pub fn remove(&mut self, goes: impl Fn(&Entry) -> bool) -> Vec<OutcomeId> {
        let gone = self.entries.iter().filter(|entry| goes(entry)).map(|entry| entry.id).collect();
        self.entries.retain(|entry| !goes(entry));
        self.drop_unused();
        gone
    }

    /// Removes the least recently used outcomes until the bounds hold.
    fn shrink(&mut self, changed: &mut Changed) {
        while self.entries.len() > MOST_OUTCOMES {
            changed.gone.extend(self.entries.pop().map(|entry| entry.id));
        }
        self.drop_unused();
        while self.entries.len() > 1 && self.encode(None).len() > MOST_BYTES {
            let keep = self.entries.len().div_ceil(2);
            changed.gone.extend(self.entries.drain(keep..).map(|entry| entry.id));
            self.drop_unused();
        }
        changed.displaced.retain(|(id, _)| !changed.gone.contains(id));
    }

    fn intern(&mut self, observation: Observation, places: &mut HashMap<Subject, usize>) -> (u32, u32) {
        let Observation { subject, state } = observation;
        let place = *places.entry(subject).or_insert_with_key(|subject| {
            self.subjects.push((subject.clone(), Vec::new()));
            self.subjects.len() - 1
        });
        let states = &mut self.subjects[place].1;
        let at = states.iter().position(|known| known.agrees(&state));
        let at = match at {
            None => {
                states.push(state);
                states.len() - 1
            }
            Some(at) => {
                merge_memory(&mut states[at], state);
                at
            }
        };
        (place as u32, at as u32)
    }

    /// Drops subjects and states that no entry needs any more.
    fn drop_unused(&mut self) {
        let mut used: Vec<Vec<Option<u32>>> =
            self.subjects.iter().map(|(_, states)| vec![None; states.len()]).collect();
        for entry in &self.entries {
            for &(subject, state) in &entry.observed {
                used[subject as usize][state as usize] = Some(0);
            }
        }
        let mut places = Vec::with_capacity(self.subjects.len());
        let mut kept = 0_u32;
        for states in &mut used {
            let mut next = 0_u32;
            for slot in states.iter_mut().flatten() {
                *slot = next;
                next += 1;
            }
            places.push(kept);
            kept += u32::from(next > 0);
        }
        let mut place = 0;
        self.subjects.retain_mut(|(_, states)| {
            let used = &used[place];
            place += 1;
            let mut state = 0;
            states.retain(|_| {
                state += 1;
                used[state - 1].is_some()
            });
            !states.is_empty()
        });
        for entry in &mut self.entries {
            for (subject, state) in &mut entry.observed {
                *state = used[*subject as usize][*state as usize].unwrap_or(0);
                *subject = places[*subject as usize];
            }
        }
    }

    /// Returns the bytes that are stored.
    pub fn encode(&self, root: Option<&Path>) -> Vec<u8> {
        let mut w = Writer::starting_with(MAGIC);
        w.raw(self.key.as_bytes());
        w.optional_duration(self.stdin.reads_all).byte(self.stdin.in_bulk.into());
        w.number(self.stdin.files.len() as u64);
        for (identity, digest) in &self.stdin.files {
            w.identity(identity).digest(digest);
        }
        w.number(self.subjects.len() as u64);
        for (subject, states) in &self.subjects {
            write_subject(&mut w, subject, root);
            w.number(states.len() as u64);
            for state in states {
                write_state(&mut w, state, root);
            }
        }
        w.number(self.entries.len() as u64);
        for entry in &self.entries {
            w.digest(&entry.id.0).signed(entry.recorded.0).optional_duration(entry.ttl).byte(entry.exit);
            w.number(entry.observed.len() as u64);
            for (subject, state) in &entry.observed {
                w.number((*subject).into()).number((*state).into());
            }
            w.byte(entry.undeclared.into()).number(entry.outputs.len() as u64);
            for (path, digest) in &entry.outputs {
                w.path(path).digest(digest);
            }
            match &entry.body {
                None => w.byte(0),
                Some(body) => w.byte(1).bytes(body),
            };
            Failure::write(entry.failure.as_ref(), &mut w);
        }
        let mut bytes = w.into_bytes();
        let digest = Digest::of(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        bytes
    }

    /// Reads the manifest of a key.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are damaged or another key's.
    pub fn decode(bytes: &[u8], key: &ActionKey, root: Option<&Path>) -> Result<Self, Malformed> {
        let manifest = Self::decode_any(bytes, root)?;
        if manifest.key == *key { Ok(manifest) } else { Err(Malformed) }
    }

    /// Reads a manifest, whichever key it is of.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are damaged.
    pub fn decode_any(bytes: &[u8], root: Option<&Path>) -> Result<Self, Malformed> {
        let (content, digest) = bytes.split_last_chunk::<{ Digest::LENGTH }>().ok_or(Malformed)?;
        if Digest::of(content).as_bytes() != digest {
            return Err(Malformed);
        }
        let mut r = Reader::new(content);
        if r.raw(MAGIC.len())? != MAGIC {
            return Err(Malformed);
        }
        let key = ActionKey::from_bytes(*r.digest()?.as_bytes());
        let stdin = StdinKnown {
            reads_all: r.optional_duration()?,
            in_bulk: r.byte()? != 0,
            files: r.list(|r| Ok((r.identity()?, r.digest()?)))?,
        };
        let subjects = r.list(|r| {
            let subject = read_subject(r, root)?;
            Ok((subject, r.list(|r| read_state(r, root))?))
        })?;
        let entries = r.list(read_entry)?;
        r.end()?;
        let inside = |&(subject, state): &(u32, u32)| {
            subjects
                .get(subject as usize)
                .is_some_and(|(_, states): &(Subject, Vec<State>)| (state as usize) < states.len())
        };
        if entries.iter().all(|entry: &Entry| entry.observed.iter().all(inside)) {
            Ok(Self { key, stdin, subjects, entries })
        } else {
            Err(Malformed)
        }
    }
}

/// An observation that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs<'a> {
    /// What was looked at.
    pub subject: &'a Subject,
    /// What was seen when the outcome was recorded.
    pub state: &'a State,
    /// What that means to a lookup.
    pub reason: Missed,
}

/// What adding an outcome changed besides.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Outcomes that need a file of their own now, with their bytes.
    pub displaced: Vec<(OutcomeId, Vec<u8>)>,
    /// Outcomes that went.
    pub gone: Vec<OutcomeId>,
}

/// Takes over what a newer state remembers of stat.
fn merge_memory(known: &mut State, newer: State) {
    match (known, newer) {
        (State::Content { identities, .. }, State::Content { identities: newer, .. }) => {
            for identity in newer.into_iter().rev() {
                identities.retain(|known| *known != identity);
                identities.insert(0, identity);
            }
            identities.truncate(MOST_IDENTITIES);
        }
        (State::Listing { folders, .. }, State::Listing { folders: newer, .. }) if !newer.is_empty() => {
            *folders = newer
        }
        _ => {}
    }
}

fn read_entry(r: &mut Reader<'_>) -> Result<Entry, Malformed> {
    Ok(Entry {
        id: OutcomeId(r.digest()?),
        recorded: Timestamp(r.signed()?),
        ttl: r.optional_duration()?,
        exit: r.byte()?,
        observed: r.list(|r| Ok((r.small()?, r.small()?)))?,
        undeclared: r.byte()? != 0,
        outputs: r.list(|r| Ok((r.path()?, r.digest()?)))?,
        body: match r.byte()? {
            0 => None,
            1 => Some(r.bytes()?.to_vec()),
            _ => return Err(Malformed),
        },
        failure: Failure::read(r)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::listing::Listing;
    use crate::store::outcome::tests::example;

    fn content(path: &str, text: &str) -> Observation {
        let state =
            State::Content { digest: Digest::of(text.as_bytes()), bits: 0o644, identities: Vec::new() };
        Observation { subject: Subject::File(path.into()), state }
    }

    fn outcome(exit: u8) -> Outcome {
        Outcome { exit, ..example() }
    }

    fn key() -> ActionKey {
        ActionKey::from_bytes([7; 32])
    }

    #[test]
    fn a_manifest_is_read_back() {
        let mut manifest = Manifest::new(key());
        let tree = State::Tree { digest: Digest::of(b"t"), young: vec![("a/b".into(), Digest::of(b"y"))] };
        let listing =
            Listing { root: "/r/src".into(), pattern: Some(b"*.c".to_vec()), excluded: vec![b"x".to_vec()] };
        let others = vec![
            content("a", "1"),
            Observation { subject: Subject::Tree("/r/d".into()), state: tree },
            Observation { subject: Subject::Absent("n".into()), state: State::Absent },
            Observation { subject: Subject::Link("l".into()), state: State::Link(b"\xff".to_vec()) },
            Observation {
                subject: Subject::Listing(listing),
                state: State::Listing { digest: Digest::of(b"l"), folders: Vec::new() },
            },
            Observation {
                subject: Subject::Command("python3".into()),
                state: State::Command("/r/bin/python3".into()),
            },
        ];
        manifest.insert(&outcome(0), others, false);
        manifest.stdin.reads_all = Some(Duration::from_millis(3));
        manifest.insert(&outcome(1), vec![content("b", "1")], false);
        let took = Duration::from_secs(7);
        manifest.entries[1].failure = Some(Failure { when: Timestamp(5), took, why: "signal: 9".to_owned() });
        for root in [None, Some(Path::new("/r"))] {
            let bytes = manifest.encode(root);
            assert_eq!(Manifest::decode(&bytes, &key(), root), Ok(manifest.clone()));
            assert_eq!(Manifest::decode(&bytes, &ActionKey::from_bytes([8; 32]), root), Err(Malformed));
        }
    }

    /// Looks a manifest up at a time at which every file is old; returns also how much was hashed.
    fn find(manifest: &Manifest) -> (Result<Found, Missed>, u64) {
        let mut scene = Scene {
            now: Timestamp(i64::MAX),
            directory: Path::new("/"),
            search_path: None,
            hidden: &crate::action::scene::Hidden::default(),
            systems: Default::default(),
            known: None,
            onlooker: None,
            hashed: 0,
        };
        let found = manifest.find(&mut scene, |_| Ok(()));
        (found, scene.hashed)
    }

    fn observed(path: &Path, text: &str) -> Observation {
        Observation { subject: Subject::Input(path.into()), ..content("", text) }.with_bits(0)
    }

    impl Observation {
        fn with_bits(mut self, new: u32) -> Self {
            if let State::Content { bits, .. } = &mut self.state {
                *bits = new;
            }
            self
        }
    }

    #[test]
    fn what_had_to_be_hashed_is_remembered_and_what_is_known_is_not_hashed() {
        let path = std::env::temp_dir().join(format!("memo-renew-{}", std::process::id()));
        std::fs::write(&path, "new").unwrap();
        let mut manifest = Manifest::new(key());
        manifest.insert(&outcome(0), vec![observed(&path, "new")], false);
        manifest.insert(&outcome(1), vec![observed(&path, "old")], false);
        let (found, hashed) = find(&manifest);
        let found = found.unwrap();
        assert_eq!((found.position, hashed, found.learned.len()), (1, 3, 1));
        manifest.renew(&found.learned);
        let (found, hashed) = find(&manifest);
        let found = found.unwrap();
        assert_eq!((found.position, hashed, found.learned.len()), (1, 0, 0), "nor to be told from `old`");
        let before = manifest.clone();
        manifest.remove(|entry| entry.exit == 0);
        let without = manifest.clone();
        manifest.renew(&[(Subject::Input(path.clone()), before.subjects[0].1[0].clone())]);
        assert_eq!(manifest, without, "what is no longer there is not renewed");
        for checkout in 0..6 {
            let State::Content { digest, bits, identities } = before.subjects[0].1[0].clone() else {
                panic!()
            };
            let identities = vec![Identity { ino: checkout, ..identities[0] }];
            let mut manifest = before.clone();
            manifest.renew(&[(Subject::Input(path.clone()), State::Content { digest, bits, identities })]);
            let State::Content { identities, .. } = &manifest.subjects[0].1[0] else { panic!() };
            assert!(identities.len() <= MOST_IDENTITIES && identities[0].ino == checkout);
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn an_outcome_is_brought_forward() {
        let mut manifest = Manifest::new(key());
        for exit in 0..4 {
            manifest.insert(&outcome(exit), vec![content("a", &exit.to_string())], false);
        }
        let ids = manifest.ids();
        manifest.bring_forward(&ids[2]);
        assert_eq!(manifest.ids(), [ids[2], ids[0], ids[1], ids[3]]);
        assert_eq!(Manifest::decode(&manifest.encode(None), &key(), None), Ok(manifest));
    }

    #[test]
    fn a_manifest_with_a_root_moves_with_it() {
        let mut manifest = Manifest::new(key());
        manifest.insert(
            &outcome(0),
            vec![content("/r/x", "1"), content("y", "1"), content("/usr/z", "1")],
            false,
        );
        let moved =
            Manifest::decode(&manifest.encode(Some(Path::new("/r"))), &key(), Some(Path::new("/q"))).unwrap();
        let paths: Vec<_> = moved.observations(&moved.entries[0]).map(|(s, _)| s.path().to_owned()).collect();
        assert_eq!(paths, [Path::new("/q/x"), Path::new("y"), Path::new("/usr/z")]);
    }

    #[test]
    fn equal_observations_replace_the_older_outcome() {
        let mut manifest = Manifest::new(key());
        manifest.insert(&outcome(1), vec![content("a", "1")], false);
        manifest.insert(&outcome(2), vec![content("a", "2")], false);
        let changed = manifest.insert(&outcome(3), vec![content("a", "1")], false);
        assert_eq!(changed.gone, [outcome(1).encode().0]);
        assert_eq!(manifest.entries.iter().map(|entry| entry.exit).collect::<Vec<_>>(), [3, 2]);
        assert_eq!(changed.displaced.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [outcome(2).encode().0]);
    }

    #[test]
    fn the_least_recently_used_outcomes_go_first() {
        let mut manifest = Manifest::new(key());
        for i in 0..=MOST_OUTCOMES {
            let mut outcome = outcome(0);
            outcome.stdin = i as u64;
            manifest.insert(&outcome, vec![content("a", &i.to_string())], false);
        }
        assert_eq!(manifest.entries.len(), MOST_OUTCOMES);
        assert_eq!(manifest.subjects[0].1.len(), MOST_OUTCOMES);
        let first = {
            let mut first = outcome(0);
            first.stdin = 0;
            first.encode().0
        };
        assert!(manifest.entries.iter().all(|entry| entry.id != first));
        assert_eq!(Manifest::decode(&manifest.encode(None), &key(), None), Ok(manifest));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let mut manifest = Manifest::new(key());
        manifest.insert(&outcome(0), vec![content("a", "1")], false);
        let bytes = manifest.encode(None);
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 1;
            assert_eq!(Manifest::decode(&changed, &key(), None), Err(Malformed), "byte {i}");
            assert_eq!(Manifest::decode(&bytes[..i], &key(), None), Err(Malformed), "cut at {i}");
        }
    }
}
