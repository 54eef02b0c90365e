//! A store for tests, with outcomes made by hand.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::journal::{Event, Record};
use super::outcome::{Outcome, OutcomeId, Shown, Transcript};
use super::{Commit, Store};
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::key::{ActionKey, call_digest};
use crate::action::observation::{Observation, State, Subject};

/// The time of all tests: 1000 s after 1970.
pub(crate) const NOW: Timestamp = at(1000);

/// Returns a point in time in s after 1970.
pub(crate) const fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1_000_000_000)
}

/// Returns a key whose bytes are all alike.
pub(crate) fn key(byte: u8) -> ActionKey {
    ActionKey::from_bytes([byte; 32])
}

/// Returns what a run of these words in `/work` left.
pub(crate) fn outcome(words: &[&str], seconds: i64) -> Outcome {
    let words: Vec<_> = words.iter().map(Into::into).collect();
    Outcome {
        exit: 0,
        recorded: at(seconds),
        ttl: None,
        duration: Duration::from_millis(1500),
        transcript: Transcript::Inline(b"\x01\x02hi".to_vec()),
        stdin: 0,
        outputs: Vec::new(),
        shown: Shown {
            call: call_digest(&words, &[], Some("/work".as_ref())),
            group: words[0].to_str().unwrap().to_owned(),
            words: words.into_iter().map(|word| word.into_encoded_bytes()).collect(),
            assignments: Vec::new(),
            ignored: Vec::new(),
            directory: Some("/work".into()),
        },
        parts: Vec::new(),
    }
}

/// A store in a directory of its own, removed in the end.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) store: Store,
    directory: PathBuf,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("memo-store {}%{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&directory);
        let user = crate::sys::process::user();
        let mut store = Store::open(&directory, user, None).unwrap();
        store.prepare(user).unwrap();
        Self { store, directory }
    }

    /// Records an outcome that no other of the key is equal to.
    pub(crate) fn record(&self, byte: u8, words: &[&str], seconds: i64) -> OutcomeId {
        self.commit(byte, outcome(words, seconds), &seconds.to_string())
    }

    /// Records an outcome with its transcript in a blob.
    pub(crate) fn record_with_blob(&self, byte: u8, words: &[&str], seconds: i64, text: &str) -> OutcomeId {
        let digest = self.store.blobs.put_bytes(text.as_bytes()).unwrap();
        let transcript = Transcript::Blob { digest, length: text.len() as u64 };
        self.commit(byte, Outcome { transcript, ..outcome(words, seconds) }, &seconds.to_string())
    }

    /// Records an outcome under the observation that a file has this content.
    pub(crate) fn commit(&self, byte: u8, outcome: Outcome, content: &str) -> OutcomeId {
        let state =
            State::Content { digest: Digest::of(content.as_bytes()), bits: 0o644, identities: Vec::new() };
        let observations = vec![Observation { subject: Subject::File("input".into()), state }];
        let (id, _) = outcome.encode();
        let recorded = outcome.recorded;
        let commit = Commit { outcome, observations, undeclared: false, transcript: None };
        self.store.commit(&key(byte), commit, None, self.store.generation(), recorded).unwrap();
        id
    }

    /// Notes that an outcome was replayed, which saved 1 s.
    pub(crate) fn hit(&self, byte: u8, outcome: OutcomeId, seconds: i64) {
        let record = Record {
            key: key(byte),
            outcome,
            amount: 1_000_000_000,
            bytes: 10,
            ..Record::new(Event::Hit, at(seconds), "hits")
        };
        self.store.journal.append(&record).unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
