//! Digests that are known from another call: of files so large that reading them again takes longer than
//! looking them up.

use std::fmt::Debug;

use super::digest::Digest;
use super::identity::Identity;

/// From this size in bytes on a file's digest is worth remembering: hashing it takes 4 ms or more, looking it
/// up less than one.
pub const KNOWN_FROM: u64 = 16 << 20;

/// Remembers digests by stat identity. Only identities that can be trusted are asked for and told.
pub trait KnownDigests: Debug {
    /// Returns the digest of the file with this identity, if it is known.
    fn get(&self, identity: &Identity) -> Option<Digest>;

    /// Learns the digest of a file.
    fn put(&self, identity: &Identity, digest: &Digest);
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::Path;

    use super::super::identity::Timestamp;
    use super::super::scene::{Hidden, Scene};
    use super::*;

    /// Knows one digest for everything, and what it was told.
    #[derive(Debug, Default)]
    struct Known {
        all: Option<Digest>,
        told: RefCell<Vec<Digest>>,
    }

    impl KnownDigests for Known {
        fn get(&self, _identity: &Identity) -> Option<Digest> {
            self.all
        }

        fn put(&self, _identity: &Identity, digest: &Digest) {
            self.told.borrow_mut().push(*digest);
        }
    }

    /// Returns the digest of a file of zeros and how much of it was hashed.
    fn content(path: &Path, known: &Known, now: i64) -> (Digest, u64) {
        let mut scene = Scene {
            now: Timestamp(now),
            directory: Path::new("/"),
            search_path: None,
            hidden: &Hidden::default(),
            systems: Default::default(),
            known: Some(known),
            onlooker: None,
            hashed: 0,
        };
        let (_, digest, _) = scene.content(path).unwrap();
        (digest, scene.hashed)
    }

    #[test]
    fn only_large_files_that_can_be_trusted_are_asked_for_and_told() {
        let path = std::env::temp_dir().join(format!("memo-known-{}", std::process::id()));
        let file = std::fs::File::create(&path).unwrap();
        for (size, now, is_known) in
            [(KNOWN_FROM, i64::MAX, true), (KNOWN_FROM, 0, false), (KNOWN_FROM - 1, i64::MAX, false)]
        {
            file.set_len(size).unwrap();
            let nothing = Known::default();
            let (digest, hashed) = content(&path, &nothing, now);
            assert_eq!(hashed, size);
            assert_eq!(*nothing.told.borrow(), vec![digest; usize::from(is_known)]);
            let known = Known { all: Some(Digest::of(b"known")), ..Known::default() };
            let expected = if is_known { (Digest::of(b"known"), 0) } else { (digest, size) };
            assert_eq!(content(&path, &known, now), expected);
        }
        std::fs::remove_file(path).unwrap();
    }
}
