//! What one who waits reads in a lease: its holder, the heads of its records, the verdict and the transcript.
//! For every second input the digest in the verdict is made right.

#![no_main]

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use memo::action::digest::Digest;
use memo::store::holder::Holder;
use memo::store::lease::{Lease, Taken};
use memo::store::verdict::Verdict;

#[path = "../../tests/readers/allocated.rs"]
mod allocated;

/// Kind and length of a record.
const HEAD: usize = 5;

static LEASE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("memo-fuzz-{}", std::process::id())));

fuzz_target!(|data: &[u8]| {
    let Some((sealed, bytes)) = data.split_first() else { return };
    let mut bytes = bytes.to_vec();
    if sealed % 2 == 1
        && let Some(before) = bytes.len().checked_sub(HEAD + Verdict::LENGTH)
    {
        let digest = Digest::of(&bytes[..before]);
        let at = bytes.len() - Digest::LENGTH;
        bytes[at..].copy_from_slice(digest.as_bytes());
    }
    fs::write(&*LEASE, &bytes).expect("a lease");
    let holder = File::open(&*LEASE).expect("the lease");
    holder.lock().expect("its lock");
    let ((), peak) = allocated::at_most(|| {
        let Ok(Taken::Held(waiter)) = Lease::take(&LEASE) else { panic!("it is held") };
        let _ = (waiter.holder(), waiter.is_stuck());
        holder.unlock().expect("its lock");
        assert!(waiter.wait(Duration::from_secs(60)).expect("the lock"));
        let verdict = waiter.verdict();
        if let Some((_, length)) = waiter.into_transcript() {
            assert!(verdict.is_some() && length < bytes.len() as u64);
        }
    });
    assert!(peak <= 64 * bytes.len() + (128 << 10), "{peak} bytes for {}", bytes.len());
    // Whoever comes next begins anew.
    assert!(matches!(Lease::take(&LEASE), Ok(Taken::Ours(_))));
    if let Ok(holder) = Holder::decode(&bytes) {
        assert_eq!(Holder::decode(&holder.encode()), Ok(holder));
    }
});
