//! What a run taught about the stdin of its action, kept for the next call.

use std::path::PathBuf;
use std::time::Duration;

use crate::action::key::Stdin;
use crate::action::reason::Unrecorded;
use crate::action::scene::identity_of;
use crate::exec::capture::Ran;
use crate::exec::feed::{BULK, Taken};
use crate::sys::descriptor::{self, standard};

use super::Call;
use super::standard_input::{How, bytes_or_none};

impl Call<'_> {
    /// Returns the stdin the run had, and what a hit has to do to it.
    pub(super) fn stdin_of(&self, ran: &Ran, how: &How) -> Result<(Stdin, u64), Unrecorded> {
        match how {
            How::Null => Ok((Stdin::None, 0)),
            How::Terminal => Ok((Stdin::Terminal, 0)),
            How::Inherit if self.request.inherited.closed(0) => Ok((Stdin::Closed, 0)),
            How::Inherit => Ok((Stdin::None, 0)),
            How::File { file, identity, digest, offset } => {
                let same = identity_of(file).is_ok_and(|now| now == *identity);
                let changed = Unrecorded::InputChangedMeanwhile(PathBuf::from("/dev/stdin"));
                let after = descriptor::offset(standard(0)).map_err(|_| changed.clone())?;
                if same {
                    Ok((Stdin::File { digest: *digest, offset: *offset }, after))
                } else {
                    Err(changed)
                }
            }
            How::Stream { .. } => match ran.taken {
                // Bytes were there and it took none: it does not read stdin.
                Some(Taken { bytes: 0, left: true, .. }) => Ok((Stdin::Any, 0)),
                Some(Taken { bytes, digest, all: true, .. }) => Ok((bytes_or_none(bytes, digest), bytes)),
                Some(Taken { bytes: 0, left: false, .. }) => Ok((Stdin::Idle, 0)),
                _ => Err(Unrecorded::Stdin("the command took a part of it")),
            },
        }
    }

    /// Keeps what the run taught about the action's stdin.
    pub(super) fn learn(&self, stdin: Stdin, taken: u64, how: &How, duration: Duration, generation: u64) {
        self.remember_file(how);
        if let Stdin::Bytes(_) = stdin {
            let key = self.keys.with(Stdin::Any);
            let in_bulk = taken > BULK;
            let known = self.store.manifest(&key).is_ok_and(|manifest| {
                // The wait is for as long as the command took; a longer one is worth a write.
                manifest.stdin.reads_all.is_some_and(|known| known >= duration / 2)
                    && (manifest.stdin.in_bulk || !in_bulk)
            });
            if !known {
                let _ = self.store.learn(&key, generation, |stdin| {
                    stdin.reads_all = stdin.reads_all.max(Some(duration));
                    stdin.in_bulk |= in_bulk;
                });
            }
        }
    }

    /// Forgets that the action reads to the end: it left something, and a wait for the end is for nothing.
    pub(super) fn unlearn(&self, how: &How, generation: u64) {
        if !matches!(how, How::Stream { .. }) {
            return;
        }
        for key in [self.keys.with(Stdin::Any), self.key_beside(Stdin::Any).0] {
            if self.store.manifest(&key).is_ok_and(|manifest| manifest.stdin.reads_all.is_some()) {
                let _ = self.store.learn(&key, generation, |stdin| {
                    stdin.reads_all = None;
                    stdin.in_bulk = false;
                });
            }
        }
    }
}
