//! The reader of outcomes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memo::store::outcome::Outcome;

#[path = "../../tests/readers/allocated.rs"]
mod allocated;

fuzz_target!(|bytes: &[u8]| {
    let (outcome, peak) = allocated::at_most(|| Outcome::decode(bytes));
    assert!(peak <= 400 * bytes.len() + (64 << 10), "{peak} bytes for {}", bytes.len());
    let Ok(outcome) = outcome else { return };
    let _ = (outcome.size(), outcome.blobs().count());
    let (_, again) = outcome.encode();
    assert_eq!(Outcome::decode(&again), Ok(outcome));
});
