//! Values as they stand in columns.

use std::time::Duration;

use crate::action::digest::Digest;
use crate::action::identity::Identity;
use crate::store::codec::Writer;

/// Returns the bytes by which a stat identity is remembered.
pub(super) fn identity(identity: &Identity) -> Vec<u8> {
    let mut w = Writer::default();
    w.identity(identity);
    w.into_bytes()
}

/// Returns the least and the greatest digest of a shard.
pub(super) fn digests_of(shard: u8) -> ([u8; Digest::LENGTH], [u8; Digest::LENGTH]) {
    let mut range = ([0; Digest::LENGTH], [0xff; Digest::LENGTH]);
    range.0[0] = shard;
    range.1[0] = shard;
    range
}

/// SQLite's numbers are signed; none of ours reaches the sign.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Returns a duration that stands in ns.
pub(super) fn duration(ns: i64) -> Duration {
    Duration::from_nanos(unsigned(ns))
}

/// Returns a duration in ns.
pub(super) fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
