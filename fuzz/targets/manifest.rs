//! The reader of manifests, and that of the outcomes in them. The checksum is made here, so that what stands
//! behind it is reached.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use memo::action::digest::Digest;
use memo::store::manifest::Manifest;
use memo::store::outcome::Outcome;

#[path = "../../tests/readers/allocated.rs"]
mod allocated;

/// What a byte may become in memory: a state of one byte on disk is a hundred there, and a vector that grows
/// is there twice.
const DENSE: usize = 400;

fuzz_target!(|content: &[u8]| {
    let bytes = [content, Digest::of(content).as_bytes()].concat();
    let root = Path::new("/root");
    let (manifest, peak) = allocated::at_most(|| Manifest::decode_any(&bytes, Some(root)));
    assert!(peak <= DENSE * bytes.len() + (64 << 10), "{peak} bytes for {}", bytes.len());
    let Ok(mut manifest) = manifest else { return };
    for entry in &manifest.entries {
        assert!(manifest.observations(entry).count() < bytes.len());
        if let Some(body) = &entry.body {
            let _ = Outcome::decode(body);
        }
    }
    // What was read can be changed, written and read again.
    manifest.remove(|entry| entry.exit == 0);
    let again = manifest.encode(Some(root));
    assert_eq!(Manifest::decode_any(&again, Some(root)), Ok(manifest));
});
