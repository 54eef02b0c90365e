//! What an instance depends on: compared when somebody asks, never watched.
//!
//! What is known without looking at content is the [`ActionKey`] of its command; what is known by content are
//! observations, as for a result. Both together are one digest, the fingerprint, by which a supervisor tells callers
//! apart. The file `deps` of the slot remembers the stat identities, so that an ask that finds nothing changed hashes
//! nothing, and the parts, so that a replacement can say why.

use std::path::Path;

use crate::action::canon::Canon;
use crate::action::digest::Digest;
use crate::action::input::BadInput;
use crate::action::key::{Action, ActionKey, Stdin};
use crate::action::observation::{Observation, State, Subject, difference};
use crate::action::part::{Apart, Part, Secret, compare};
use crate::action::program;
use crate::action::reason::Missed;
use crate::action::scene::{Scene, Unobservable, device_and_inode};
use crate::store::codec::{Malformed, Reader, Writer};
use crate::store::observed::{read_state, read_subject, write_state, write_subject};
use crate::store::parts;
use crate::store::temporary::Temporary;

/// What an instance depends on.
#[derive(Clone, Debug)]
pub struct Dependencies {
    /// What is known without looking at content.
    pub key: ActionKey,
    /// The device and inode of its directory: one that was removed and made again under the same name is another one,
    /// and the process is still in the first. `None` where the directory does not count.
    pub place: Option<(u64, u64)>,
    /// Files as they were.
    pub observations: Vec<Observation>,
    /// Files that words name, and no `-i`: they replace nothing, but are worth a word when they change.
    pub mentioned: Vec<Observation>,
    /// Both in one digest.
    pub fingerprint: Digest,
}

/// What a fingerprint begins with; a change to what goes in changes it.
const FORMAT: &str = "memo-singleton/1";

/// Why dependencies are not known.
#[derive(Debug)]
pub enum Unknown {
    /// A declared input.
    Input(BadInput),
    /// The program.
    Program(Unobservable),
}

impl Dependencies {
    /// Finds out what a command depends on now. What `known` says is taken over where it still holds.
    ///
    /// # Errors
    /// [`Unknown`] when something declared cannot be looked at.
    pub fn now(action: &Action, known: Option<&Kept>, scene: &mut Scene<'_>) -> Result<Self, Unknown> {
        let key = action.keys().with(Stdin::None);
        action.inputs.check().map_err(Unknown::Input)?;
        let place = place(action);
        let is_same = |known: &&Kept| known.dependencies.key == key && known.dependencies.place == place;
        if let Some(known) = known.filter(is_same)
            && known.dependencies.observations.iter().all(|one| difference(one, scene).is_none())
        {
            return Ok(known.dependencies.clone());
        }
        let mut observations = match &action.program {
            Some(path) => program::observe(path, scene).map_err(Unknown::Program)?,
            None => Vec::new(),
        };
        observations.extend(action.inputs.observe(scene).map_err(Unknown::Input)?);
        let fingerprint = fingerprint(&key, place, &observations);
        Ok(Self { key, place, observations, mentioned: Vec::new(), fingerprint })
    }

    /// Looks at the regular files that words name, for [`Kept::mentions`].
    pub fn mention(&mut self, action: &Action, scene: &mut Scene<'_>) {
        /// More are not worth a look on each ask.
        const MOST: usize = 16;
        let declared = action.inputs.paths(scene.directory);
        let candidates = crate::action::words::candidates(&action.words);
        let candidates = candidates
            .into_iter()
            .filter(|path| !declared.contains(&crate::action::scene::normal(path, scene.directory)));
        let files = candidates.filter(|path| path.metadata().is_ok_and(|found| found.is_file()));
        self.mentioned =
            files.take(MOST).filter_map(|path| Observation::of(Subject::Input(path), scene).ok()).collect();
    }
}

/// Returns which directory a command is asked for from.
fn place(action: &Action) -> Option<(u64, u64)> {
    let directory = action.directory.as_ref()?;
    directory.path.metadata().ok().map(|found| device_and_inode(&found))
}

/// Returns the digest of what an instance depends on: stat identities of files are not in it.
fn fingerprint(key: &ActionKey, place: Option<(u64, u64)>, observations: &[Observation]) -> Digest {
    let mut texts: Vec<Vec<u8>> = observations.iter().map(text).collect();
    texts.sort();
    texts.dedup();
    let mut canon = Canon::new(FORMAT);
    let (device, inode) = place.unwrap_or_default();
    canon.bytes(key.as_bytes()).bytes(&device.to_le_bytes()).bytes(&inode.to_le_bytes());
    canon.list(texts.iter().map(Vec::as_slice));
    Digest::from_bytes(canon.finish())
}

/// Returns what of an observation decides.
fn text(observation: &Observation) -> Vec<u8> {
    let mut w = Writer::default();
    write_subject(&mut w, &observation.subject, None);
    let state = match &observation.state {
        State::Content { digest, bits, .. } => {
            State::Content { digest: *digest, bits: *bits, identities: Vec::new() }
        }
        State::Listing { digest, .. } => State::Listing { digest: *digest, folders: Vec::new() },
        other => other.clone(),
    };
    write_state(&mut w, &state, None);
    w.into_bytes()
}

/// What the file `deps` keeps.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What the instance depends on that was started last.
    pub dependencies: Dependencies,
    parts: Vec<Part>,
    secret: [u8; Secret::LENGTH],
}

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A part of the command.
    Part(Apart),
    /// The directory: another one has its name now.
    Directory,
    /// A file.
    Observed(Missed),
}

/// What the file begins with.
const MAGIC: &[u8; 8] = b"memoDEP1";

impl Kept {
    /// The name of its file.
    pub const NAME: &str = "deps";

    /// Returns what is kept of an instance.
    ///
    /// Values of variables are only sealed, under a secret that is made for it: the file shows none, and whoever may
    /// read it could as well ask the process.
    ///
    /// # Errors
    /// Those of getrandom(2).
    pub fn new(dependencies: Dependencies, action: &Action) -> std::io::Result<Self> {
        let mut secret = [0; Secret::LENGTH];
        crate::sys::random::fill(&mut secret)?;
        let parts = action.parts(None, Some(&Secret::from_bytes(secret)));
        Ok(Self { dependencies, parts, secret })
    }

    /// Returns it with dependencies that are the same and remember more of stat.
    #[must_use]
    pub fn renewed(mut self, dependencies: Dependencies) -> Self {
        self.dependencies = dependencies;
        self
    }

    /// Reads what is kept in the directory of a slot; `None` where nothing is, or nothing that can be read.
    pub fn read(directory: &Path) -> Option<Self> {
        let bytes = std::fs::read(directory.join(Self::NAME)).ok()?;
        Self::decode(&bytes).ok()
    }

    /// Keeps it in the directory of a slot.
    ///
    /// # Errors
    /// Those of open(2), write(2) and rename(2).
    pub fn keep(&self, directory: &Path) -> std::io::Result<()> {
        let mut temporary = Temporary::create(directory, "new-", 0o600)?;
        std::io::Write::write_all(&mut temporary.file, &self.encode())?;
        temporary.persist(&directory.join(Self::NAME))
    }

    /// Returns in what an action differs from the one that was kept: parts first, then files.
    pub fn compare(&self, action: &Action, scene: &mut Scene<'_>) -> Vec<Changed> {
        let now = action.parts(None, Some(&Secret::from_bytes(self.secret)));
        let apart = compare(&self.parts, &now, |_| true);
        let apart = apart.into_iter().filter(|apart| !apart.part().is_some_and(Part::is_ignored));
        let mut changed: Vec<Changed> = apart.map(Changed::Part).collect();
        if changed.is_empty() && place(action) != self.dependencies.place {
            changed.push(Changed::Directory);
        }
        for observation in &self.dependencies.observations {
            if let Some(difference) = difference(observation, scene) {
                let missed = Missed::of(&observation.subject, difference);
                if !changed.contains(&Changed::Observed(missed.clone())) {
                    changed.push(Changed::Observed(missed));
                }
            }
        }
        changed
    }

    /// Returns the files that words name, that no `-i` declares, and that are not as they were.
    pub fn mentions(&self, scene: &mut Scene<'_>) -> Vec<&Path> {
        let mentioned = self.dependencies.mentioned.iter();
        let mut changed = Vec::new();
        for observation in mentioned {
            if difference(observation, scene).is_some() {
                changed.push(observation.subject.path());
            }
        }
        changed
    }

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::starting_with(MAGIC);
        w.raw(self.dependencies.key.as_bytes());
        let (device, inode) = self.dependencies.place.unwrap_or_default();
        w.byte(u8::from(self.dependencies.place.is_some())).number(device).number(inode);
        w.digest(&self.dependencies.fingerprint).raw(&self.secret).bytes(&parts::encode(&self.parts));
        for observations in [&self.dependencies.observations, &self.dependencies.mentioned] {
            w.number(observations.len() as u64);
            for observation in observations {
                write_subject(&mut w, &observation.subject, None);
                write_state(&mut w, &observation.state, None);
            }
        }
        w.into_bytes()
    }

    /// Reads the bytes of its file.
    ///
    /// # Errors
    /// [`Malformed`] when they are not those of one.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes.strip_prefix(MAGIC).ok_or(Malformed)?);
        let key = ActionKey::from_bytes(*r.digest()?.as_bytes());
        let is_placed = r.byte()? == 1;
        let place = Some((r.number()?, r.number()?)).filter(|_| is_placed);
        let fingerprint = r.digest()?;
        let secret = *r.digest()?.as_bytes();
        let parts = parts::decode(r.bytes()?)?;
        let mut observations =
            || r.list(|r| Ok(Observation { subject: read_subject(r, None)?, state: read_state(r, None)? }));
        let (observations, mentioned) = (observations()?, observations()?);
        r.end()?;
        let dependencies = Dependencies { key, place, observations, mentioned, fingerprint };
        Ok(Self { dependencies, parts, secret })
    }
}
