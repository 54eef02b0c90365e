//! The readers of the journal: that of its records, and the estimate of what they add.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use memo::action::digest::Digest;
use memo::store::journal::{self, Journal, Record};

#[path = "../../tests/readers/allocated.rs"]
mod allocated;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("memo-fuzz-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory for the journal");
    directory
});

fn read(bytes: &[u8]) {
    let (records, peak) = allocated::at_most(|| journal::records(bytes).collect::<Vec<_>>());
    assert!(peak <= 64 * bytes.len() + (64 << 10), "{peak} bytes for {}", bytes.len());
    let mut last = 0;
    for (end, record) in records {
        assert!(end >= last + Record::LENGTH && end <= bytes.len());
        last = end;
        assert_eq!(Record::decode(&record.encode()), Some(record));
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    // With the checksum of each record made right.
    let mut sealed = bytes.to_vec();
    for record in sealed.chunks_exact_mut(Record::LENGTH) {
        let check = Digest::of(&record[..88]);
        record[88..].copy_from_slice(&check.as_bytes()[..8]);
    }
    read(&sealed);
    let journal = Journal::new(&DIRECTORY);
    fs::write(journal.path(), &sealed).expect("a journal");
    journal.added(journal::LARGE);
});
