//! Which stdin the call has, and so which key: memo never takes from it what the command would not have
//! taken.

use std::fs::File;
use std::time::Duration;

use crate::action::digest::Digest;
use crate::action::identity::{FileSystems, Identity};
use crate::action::key::{ActionKey, Stdin};
use crate::action::known::{KNOWN_FROM, KnownDigests};
use crate::action::onlooker::Telling;
use crate::action::reason::{Missed, Unrecorded};
use crate::action::scene::identity_of;
use crate::config::Mode;
use crate::error::Error;
use crate::exec::stdin::{self, Ahead, Now, Source};
use crate::store::index::Digests;
use crate::store::manifest::Manifest;
use crate::sys::descriptor::{self, standard};
use crate::sys::file::FileSystem;

use super::{Answers, Call, Exit};

/// The shortest time a stream is waited for that is known to be read to its end.
const SHORTEST_WAIT: Duration = Duration::from_secs(2);
/// From this size in bytes on, the digest of a file that is stdin is remembered by its stat identity.
const REMEMBERED_FROM: u64 = 64 << 10;

/// What looking up came to.
pub(super) enum Looked {
    /// The call is answered.
    Hit(Result<Exit, Error>),
    /// It is to be run.
    Miss(Given),
}

/// The stdin of a run.
pub(super) struct Given {
    pub(super) how: How,
    /// What it is, when that is known before the run.
    pub(super) stdin: Option<Stdin>,
    /// The key, when it is known before the run.
    pub(super) key: Option<ActionKey>,
}

impl Given {
    /// Does to stdin what the run that is replayed did.
    pub(super) fn take(&self, taken: u64) {
        match &self.how {
            How::File { .. } => _ = descriptor::set_offset(standard(0), taken),
            How::Stream { ahead: None, .. } if self.key.is_some() => _ = stdin::take(taken),
            _ => {}
        }
    }
}

/// How stdin reaches the command.
pub(super) enum How {
    /// It is `/dev/null`.
    Null,
    /// As it is.
    Inherit,
    /// As it is; a person may be there.
    Terminal,
    /// As it is; a file, which must still be the same after the run.
    File { file: File, identity: Identity, digest: Digest, offset: u64 },
    /// A stream, of which some may have been read ahead.
    Stream { source: Source, ahead: Option<Ahead> },
}

impl Call<'_> {
    /// Looks the call up by what its stdin is.
    ///
    /// # Errors
    /// Why it can neither be looked up nor recorded.
    pub(super) fn look_by_stdin(&mut self) -> Result<Looked, Unrecorded> {
        match self.source() {
            Source::Null => Ok(self.look_settled(Stdin::None, How::Inherit)),
            Source::Closed => Ok(self.look_settled(Stdin::Closed, How::Inherit)),
            Source::Terminal => Ok(self.look_settled(Stdin::Terminal, How::Terminal)),
            Source::File => self.look_file(),
            source @ (Source::Pipe { .. } | Source::Socket) => Ok(self.look_stream(source)),
            Source::Other(why) => Err(Unrecorded::Stdin(why)),
        }
    }

    /// Returns the stdin of a run that is not to be looked up.
    ///
    /// # Errors
    /// Why it cannot be recorded.
    pub(super) fn stdin_for_refresh(&mut self) -> Result<Looked, Unrecorded> {
        let settled = |call: &Self, stdin, how| {
            Looked::Miss(Given { how, stdin: Some(stdin), key: Some(call.keys.with(stdin)) })
        };
        Ok(match self.source() {
            Source::Null => settled(self, Stdin::None, self.null_or_inherit()),
            Source::Closed => settled(self, Stdin::Closed, How::Inherit),
            Source::Terminal => settled(self, Stdin::Terminal, How::Terminal),
            Source::File => {
                let (stdin, how) = self.file_stdin()?;
                settled(self, stdin, how)
            }
            source @ (Source::Pipe { .. } | Source::Socket) => {
                Looked::Miss(Given { how: How::Stream { source, ahead: None }, stdin: None, key: None })
            }
            Source::Other(why) => return Err(Unrecorded::Stdin(why)),
        })
    }

    pub(super) fn source(&self) -> Source {
        if self.request.options.no_stdin { Source::Null } else { Source::probe(self.request.inherited) }
    }

    fn null_or_inherit(&self) -> How {
        if self.request.options.no_stdin { How::Null } else { How::Inherit }
    }

    /// Looks up a call whose key is known.
    fn look_settled(&mut self, stdin: Stdin, how: How) -> Looked {
        if let Some(exit) = self.try_keys(stdin, |_| {}) {
            return Looked::Hit(exit);
        }
        let how = if self.request.options.no_stdin { How::Null } else { how };
        Looked::Miss(Given { how, stdin: Some(stdin), key: Some(self.keys.with(stdin)) })
    }

    /// Serves a hit under the key of this stdin, or what answers as well beside it; notes why there is none.
    /// `take` does to stdin what the run did.
    fn try_keys(&mut self, stdin: Stdin, take: impl Fn(u64)) -> Option<Result<Exit, Error>> {
        if let Some(exit) = self.try_key(&self.keys.with(stdin), &take) {
            return Some(exit);
        }
        let (key, answers) = self.key_beside(stdin);
        let looked = self.look(&key, answers);
        self.try_hit(looked, true, take)
    }

    /// Serves a hit under a key; notes why there is none. `take` does to stdin what the run did.
    pub(super) fn try_key(&mut self, key: &ActionKey, take: impl FnOnce(u64)) -> Option<Result<Exit, Error>> {
        let looked = self.look(key, Answers::All);
        self.try_hit(looked, false, take)
    }

    fn try_hit(
        &mut self,
        looked: Result<super::hit::Hit, Missed>,
        is_beside: bool,
        take: impl FnOnce(u64),
    ) -> Option<Result<Exit, Error>> {
        let served = looked.and_then(|hit| {
            let taken = hit.outcome.stdin;
            self.serve(hit).inspect(|_| take(taken))
        });
        match served {
            Ok(exit) => Some(exit),
            Err(missed) => {
                self.note_missed(missed, is_beside);
                None
            }
        }
    }

    /// Notes why a lookup missed, unless what was noted before says more: that nothing is under this key says less
    /// than what is wrong under another, and why there is nothing beside the call's own key less than why under it.
    pub(super) fn note_missed(&mut self, missed: Missed, is_beside: bool) {
        if self.missed == Missed::NeverSeen || (missed != Missed::NeverSeen && !is_beside) {
            self.missed = missed;
        }
    }

    fn look_file(&mut self) -> Result<Looked, Unrecorded> {
        let (stdin, how) = self.file_stdin()?;
        if let Some(exit) = self.try_keys(stdin, |offset| _ = descriptor::set_offset(standard(0), offset)) {
            self.remember_file(&how);
            return Ok(Looked::Hit(exit));
        }
        Ok(Looked::Miss(Given { how, stdin: Some(stdin), key: Some(self.keys.with(stdin)) }))
    }

    /// Returns what a regular file on stdin is, hashed or remembered.
    pub(super) fn file_stdin(&mut self) -> Result<(Stdin, How), Unrecorded> {
        let unreadable = |_| Unrecorded::Stdin("it cannot be read");
        let file = File::from(standard(0).try_clone_to_owned().map_err(unreadable)?);
        let offset = descriptor::offset(&file).map_err(unreadable)?;
        let identity = identity_of(&file).map_err(unreadable)?;
        let known = if identity.size < REMEMBERED_FROM {
            None
        } else {
            let manifest = self.store.manifest(&self.keys.with(Stdin::Any)).ok();
            manifest.and_then(|manifest| {
                manifest.stdin.files.iter().find(|(known, _)| *known == identity).map(|(_, digest)| *digest)
            })
        };
        let known = known.or_else(|| self.large(&identity).and_then(|digests| digests.get(&identity)));
        let digest = match known {
            Some(digest) => digest,
            None => {
                let telling = Telling::of(Some(&self.gauge), "hashing", "stdin".as_ref(), identity.size);
                let hashed = Digest::of_file_telling(&file, identity.size, telling);
                self.gauge.rest();
                let digest = hashed.map_err(unreadable)?;
                if identity_of(&file).map_err(unreadable)? != identity {
                    return Err(Unrecorded::Stdin("it changes while it is read"));
                }
                if let Some(digests) = self.large(&identity) {
                    digests.put(&identity, &digest);
                }
                digest
            }
        };
        Ok((Stdin::File { digest, offset }, How::File { file, identity, digest, offset }))
    }

    /// Returns where the digest of a file on stdin is remembered for all commands, if it is large enough.
    fn large(&self, identity: &Identity) -> Option<&Digests> {
        (identity.size >= KNOWN_FROM && self.is_trusted(identity)).then_some(&self.digests)
    }

    /// Returns whether the identity of the file on stdin may stand for its content.
    fn is_trusted(&self, identity: &Identity) -> bool {
        let path = std::path::Path::new("/proc/self/fd/0");
        identity.is_settled((self.request.now)())
            && FileSystems::default().of(identity.dev, path) == FileSystem::Local
    }

    /// Remembers the digest of a large file that was stdin, if its identity can be trusted.
    pub(super) fn remember_file(&self, how: &How) {
        let How::File { identity, digest, .. } = how else { return };
        let writable = self.request.options.mode != Mode::ReadOnly;
        if identity.size < REMEMBERED_FROM || !writable || !self.is_trusted(identity) {
            return;
        }
        let key = self.keys.with(Stdin::Any);
        let known = self
            .store
            .manifest(&key)
            .is_ok_and(|manifest| manifest.stdin.files.contains(&(*identity, *digest)));
        if !known {
            // Only time is lost when it cannot be remembered.
            let _ =
                self.store.learn(&key, self.store.generation(), |stdin| stdin.remember(*identity, *digest));
        }
    }

    fn look_stream(&mut self, source: Source) -> Looked {
        let any = self.keys.with(Stdin::Any);
        let known = self.store.manifest(&any).unwrap_or_else(|_| Manifest::new(any));
        let (mut reads_all, mut in_bulk) = (known.stdin.reads_all, known.stdin.in_bulk);
        if !known.entries.is_empty() {
            // Recorded without a byte taken: whatever stdin has, it stays there.
            let looked = self.look_in(known, Answers::All);
            if let Some(exit) = self.try_hit(looked, false, |_| {}) {
                return Looked::Hit(exit);
            }
        }
        if reads_all.is_none() {
            let (any, answers) = self.key_beside(Stdin::Any);
            let known = self.store.manifest(&any).unwrap_or_else(|_| Manifest::new(any));
            (reads_all, in_bulk) = (known.stdin.reads_all, known.stdin.in_bulk);
            if !known.entries.is_empty() {
                let looked = self.look_in(known, answers);
                if let Some(exit) = self.try_hit(looked, true, |_| {}) {
                    return Looked::Hit(exit);
                }
            }
        }
        let named = source == Source::Pipe { named: true };
        match stdin::look(source) {
            Now::End => {
                return self
                    .look_settled(Stdin::None, if named { stream(source, None) } else { How::Inherit });
            }
            Now::Silent => {
                if let Some(exit) = self.try_keys(Stdin::Idle, |_| {}) {
                    return Looked::Hit(exit);
                }
            }
            Now::Bytes => {}
        }
        let Some(duration) = reads_all else {
            return Looked::Miss(Given { how: stream(source, None), stdin: None, key: None });
        };
        if self.missed == Missed::NeverSeen {
            self.missed = Missed::Stdin;
        }
        let mut longest = duration.max(SHORTEST_WAIT);
        if let Some((digest, length)) = stdin::complete(source, in_bulk, &mut longest) {
            let stdin = bytes_or_none(length, digest);
            let key = self.keys.with(stdin);
            return match self.try_keys(stdin, |_| _ = stdin::take(length)) {
                Some(exit) => Looked::Hit(exit),
                None => Looked::Miss(Given { how: stream(source, None), stdin: Some(stdin), key: Some(key) }),
            };
        }
        // What is taken cannot be given back, should it leave something after all.
        if !in_bulk {
            return Looked::Miss(Given { how: stream(source, None), stdin: None, key: None });
        }
        let spill = || self.store.temporary("stdin-").map_err(std::io::Error::other).and_then(unlinked);
        let ahead = Ahead::read(self.request.options.stdin_max, longest, spill);
        if !ahead.complete {
            return Looked::Miss(Given { how: stream(source, Some(ahead)), stdin: None, key: None });
        }
        let stdin = bytes_or_none(ahead.length(), ahead.digest());
        let key = self.keys.with(stdin);
        match self.try_keys(stdin, |_| {}) {
            Some(exit) => Looked::Hit(exit),
            None => {
                Looked::Miss(Given { how: stream(source, Some(ahead)), stdin: Some(stdin), key: Some(key) })
            }
        }
    }
}

fn stream(source: Source, ahead: Option<Ahead>) -> How {
    How::Stream { source, ahead }
}

/// Returns the stdin of a stream from which all was taken.
pub(super) fn bytes_or_none(length: u64, digest: Digest) -> Stdin {
    if length == 0 { Stdin::None } else { Stdin::Bytes(digest) }
}

/// Removes a file's name and keeps it open.
fn unlinked(temporary: crate::store::temporary::Temporary) -> std::io::Result<File> {
    temporary.file.try_clone()
}
