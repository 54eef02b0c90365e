//! Verdicts: what a run's lease says at its end to those who waited for it.

use crate::action::digest::Digest;

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was recorded: look it up.
    Recorded,
    /// It failed with this exit status and nothing it depends on changed: that is the answer for those
    /// who waited, with the transcript that stands before the verdict.
    Status(u8),
    /// It says nothing about the command (a signal, a reader that went away, an input that changed): one
    /// of those who waited tries once more.
    Void,
    /// Its result is not one that can be shared: everybody runs the command.
    Unshared,
}

/// What a verdict begins with.
const MAGIC: &[u8; 8] = b"verdict1";

impl Verdict {
    /// Length of a verdict in bytes.
    pub const LENGTH: usize = 8 + 2 + Digest::LENGTH;

    /// Returns the bytes; `before` is the digest of all that stands before the verdict in the lease.
    pub fn encode(self, before: &Digest) -> [u8; Self::LENGTH] {
        let (kind, status) = match self {
            Self::Recorded => (1, 0),
            Self::Status(status) => (2, status),
            Self::Void => (3, 0),
            Self::Unshared => (4, 0),
        };
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8] = kind;
        bytes[9] = status;
        bytes[10..].copy_from_slice(before.as_bytes());
        bytes
    }

    /// Reads a verdict and the digest of what stands before it; `None` when the bytes are not those of one.
    pub fn decode(bytes: &[u8; Self::LENGTH]) -> Option<(Self, Digest)> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (head, digest) = rest.split_first_chunk::<2>()?;
        let verdict = match head {
            [1, 0] => Self::Recorded,
            [2, status] => Self::Status(*status),
            [3, 0] => Self::Void,
            [4, 0] => Self::Unshared,
            _ => return None,
        };
        (magic == MAGIC).then_some((verdict, Digest::from_bytes(digest.try_into().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_back() {
        let digest = Digest::of(b"before");
        for verdict in [Verdict::Recorded, Verdict::Status(3), Verdict::Void, Verdict::Unshared] {
            assert_eq!(Verdict::decode(&verdict.encode(&digest)), Some((verdict, digest)));
        }
        assert_eq!(Verdict::decode(&[0; Verdict::LENGTH]), None);
    }
}
