//! Retention: which entries go when there is too much. Pure: of what the index lists, the time and the limits.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::key::ActionKey;
use crate::store::outcome::OutcomeId;

/// How large the store may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Beyond this, in bytes on disk, something goes.
    pub most: u64,
    /// Down to this, in bytes on disk.
    pub target: u64,
}

/// How many entries a group may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MostEntries<'a> {
    /// The group.
    pub group: &'a str,
    /// Beyond so many, those used the longest ago go.
    pub entries: u64,
}

impl Limits {
    /// Returns the limits of a store of so many bytes: what goes, goes down to a tenth below, so that not
    /// every run has to look again.
    pub fn new(most: u64) -> Self {
        Self { most, target: most - most / 10 }
    }
}

/// Bytes on disk that several have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// How many bytes.
    pub bytes: u64,
    /// How many need them.
    pub users: u64,
}

/// Something that may go: an entry, or a manifest that has none but knows how its action uses stdin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The key.
    pub key: ActionKey,
    /// The outcome; `None` for a manifest without any.
    pub outcome: Option<OutcomeId>,
    /// When its own `--ttl` is over, if it has one.
    pub expires: Option<Timestamp>,
    /// When it was last used.
    pub used: Timestamp,
    /// What it alone takes, in bytes on disk.
    pub own: u64,
    /// Its manifest, shared with the other entries of the key.
    pub manifest: Shared,
    /// The blobs it needs.
    pub blobs: Vec<(Digest, Shared)>,
}

impl Candidate {
    /// Returns the order in which candidates go: first what expired, the longest ago first, then what was
    /// used the longest ago. A clock that was ahead must not keep anything for ever.
    fn rank(&self, now: Timestamp) -> impl Ord + use<> {
        let expired = self.expires.filter(|expires| *expires <= now);
        (Reverse(expired.is_some()), expired.unwrap_or(self.used.min(now)), self.key, self.outcome)
    }
}

/// What is to go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// These, in the order in which they go.
    pub gone: Vec<(ActionKey, Option<OutcomeId>)>,
    /// The blobs that nothing needs then.
    pub blobs: Vec<Digest>,
    /// What becomes free, in bytes on disk.
    pub bytes: u64,
    /// How much of that is manifests that had no entry.
    pub bare: u64,
}

/// Chooses what goes of a store that takes `total` bytes on disk: nothing while that is within the limits.
pub fn choose(mut candidates: Vec<Candidate>, total: u64, now: Timestamp, limits: Limits) -> Chosen {
    let mut chosen = Chosen::default();
    if total <= limits.most {
        return chosen;
    }
    candidates.sort_by_cached_key(|candidate| candidate.rank(now));
    let mut manifests: HashMap<ActionKey, u64> = HashMap::new();
    let mut blobs: HashMap<Digest, u64> = HashMap::new();
    let mut seen = HashSet::new();
    for candidate in candidates {
        if total.saturating_sub(chosen.bytes) <= limits.target {
            break;
        }
        if !seen.insert((candidate.key, candidate.outcome)) {
            continue;
        }
        chosen.bytes += candidate.own;
        chosen.bare += if candidate.outcome.is_none() { candidate.own } else { 0 };
        chosen.bytes += last_use(manifests.entry(candidate.key).or_default(), candidate.manifest);
        for (digest, blob) in candidate.blobs {
            let ended = blobs.entry(digest).or_default();
            chosen.bytes += last_use(ended, blob);
            if *ended == blob.users {
                chosen.blobs.push(digest);
            }
        }
        chosen.gone.push((candidate.key, candidate.outcome));
    }
    chosen
}

/// Counts a use that ends; returns what becomes free by it.
fn last_use(ended: &mut u64, shared: Shared) -> u64 {
    *ended += 1;
    if *ended == shared.users { shared.bytes } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{NOW, at, key};

    /// An entry of 100 bytes in a manifest of its own, last used at this second.
    fn candidate(byte: u8, used: i64) -> Candidate {
        Candidate {
            key: key(byte),
            outcome: Some(OutcomeId(Digest::of(&[byte]))),
            expires: None,
            used: at(used),
            own: 60,
            manifest: Shared { bytes: 40, users: 1 },
            blobs: Vec::new(),
        }
    }

    fn chosen(candidates: &[Candidate], total: u64, most: u64) -> (Vec<ActionKey>, u64) {
        let chosen = choose(candidates.to_vec(), total, NOW, Limits::new(most));
        (chosen.gone.iter().map(|(key, _)| *key).collect(), chosen.bytes)
    }

    #[test]
    fn within_the_limit_nothing_goes() {
        let mut expired = candidate(1, 1);
        expired.expires = Some(at(2));
        assert_eq!(chosen(&[expired], 1000, 1000), (vec![], 0));
    }

    #[test]
    fn the_least_recently_used_go_down_to_nine_tenths() {
        let all = [candidate(1, 30), candidate(2, 10), candidate(3, 20), candidate(4, 40)];
        assert_eq!(chosen(&all, 1001, 1000), (vec![key(2), key(3)], 200));
        assert_eq!(chosen(&all, 1000, 999), (vec![key(2)], 100), "900 is nine tenths of 999, rounded up");
        assert_eq!(chosen(&all, 400, 0).0.len(), 4);
    }

    #[test]
    fn what_expired_goes_first() {
        let mut expired = candidate(1, 999);
        expired.expires = Some(NOW);
        let mut fresh = candidate(2, 10);
        fresh.expires = Some(at(1001));
        assert_eq!(chosen(&[fresh, expired, candidate(3, 5)], 290, 200).0, [key(1), key(3)]);
    }

    #[test]
    fn a_use_in_the_future_counts_as_one_now() {
        assert_eq!(
            chosen(&[candidate(9, 5000), candidate(8, 1000), candidate(7, 999)], 300, 120).0,
            [key(7), key(8)]
        );
    }

    #[test]
    fn what_is_shared_becomes_free_with_its_last_user() {
        let blob = (Digest::of(b"blob"), Shared { bytes: 1000, users: 2 });
        let with = |byte, used| Candidate { blobs: vec![blob], ..candidate(byte, used) };
        assert_eq!(
            chosen(&[with(1, 1), with(2, 2), candidate(3, 3)], 1300, 1200),
            (vec![key(1), key(2)], 1200)
        );
        let of_one_key = |outcome: u8, used| Candidate {
            outcome: Some(OutcomeId(Digest::of(&[outcome]))),
            manifest: Shared { bytes: 40, users: 2 },
            ..candidate(1, used)
        };
        assert_eq!(chosen(&[of_one_key(1, 1), of_one_key(2, 2)], 160, 100).1, 160);
        assert_eq!(chosen(&[of_one_key(1, 1), of_one_key(2, 2)], 160, 120).1, 60);
    }

    #[test]
    fn listed_twice_it_goes_once() {
        assert_eq!(chosen(&[candidate(1, 1), candidate(1, 1)], 1000, 100), (vec![key(1)], 100));
    }
}
