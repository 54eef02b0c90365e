//! Output files back into place, by value: a copy (or shared blocks, where the file system can), never a
//! hard link and never through a link that is there.
//!
//! Everything is staged and verified first, beside its destination; only then names are changed. Bytes
//! that are already there are left alone; their time is brought up only when make would otherwise find
//! them older than the newest input.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Seek};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::action::digest::Digest;
use crate::action::identity::Identity;
use crate::fault;
use crate::store::blobs::{BadBlob, Blobs};
use crate::store::outcome::{Output, OutputKind};
use crate::store::temporary::Temporary;
use crate::sys::file::{is_absent, reflink, touch};

/// What staged temporary files are called.
const PREFIX: &str = ".memo-";

/// Why outputs cannot be put back; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A blob is not what it should be.
    #[error(transparent)]
    Blob(#[from] BadBlob),
    /// The outcome names a place this call did not declare.
    #[error("it names `{}`, which this call does not declare", .0.display())]
    Undeclared(PathBuf),
    /// Something stands in the way, or the system will not.
    #[error("cannot restore `{}`: {source}", path.display())]
    Io {
        /// The output.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

#[derive(Debug)]
enum Step {
    /// Puts a new file in place.
    Place { temporary: Temporary, path: PathBuf, kind: OutputKind },
    /// Sets the mode of what is there.
    SetMode(PathBuf, u32),
    /// Brings the time of what is there up to now.
    Touch(PathBuf),
}

/// Outputs that are ready to be put in place.
#[derive(Debug, Default)]
#[must_use = "nothing is in place yet"]
pub struct Staged(Vec<Step>);

/// The surroundings of a restore.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The paths this call declares, by `-o` or by a word.
    pub declared: &'a dyn Fn(&Path) -> bool,
    /// The newest modification time of the inputs, in ns since 1970.
    pub newest_input: Option<i64>,
    /// The caller's file mode creation mask.
    pub mask: u32,
}

/// Stages outputs.
///
/// # Errors
/// [`Refused`]; what was staged so far is removed again.
pub fn stage(outputs: &[Output], blobs: &Blobs, place: Place<'_>) -> Result<Staged, Refused> {
    let mut staged = Staged::default();
    for output in outputs {
        if !(place.declared)(&output.path) {
            return Err(Refused::Undeclared(output.path.clone()));
        }
        stage_one(output, blobs, place, &mut staged.0)?;
    }
    Ok(staged)
}

fn stage_one(output: &Output, blobs: &Blobs, place: Place<'_>, steps: &mut Vec<Step>) -> Result<(), Refused> {
    let path = &output.path;
    let refused = |source| Refused::Io { path: path.clone(), source };
    let current = match std::fs::symlink_metadata(path) {
        Ok(metadata) => Some(metadata),
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(refused(error)),
    };
    if current.as_ref().is_some_and(Metadata::is_dir) {
        return Err(refused(io::ErrorKind::IsADirectory.into()));
    }
    let mode = mode(output, place.mask);
    if let Some(current) = current.filter(|current| holds(path, current, output)) {
        if output.kind != OutputKind::Rewritten && current.mode() & 0o7777 != mode {
            steps.push(Step::SetMode(path.clone(), mode));
        }
        if place.newest_input.is_some_and(|newest| Identity::from(&current).mtime < newest) {
            steps.push(Step::Touch(path.clone()));
        }
        return Ok(());
    }
    if output.kind == OutputKind::Rewritten {
        // It was observed with this very content a moment ago.
        return Err(refused(io::ErrorKind::NotFound.into()));
    }
    let mut blob = blobs.open(&output.digest, output.length)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(refused)?;
    let mut temporary = Temporary::create_unnamed(directory, PREFIX, 0o600).map_err(refused)?;
    if reflink(&blob, &temporary.file).is_err() {
        blob.rewind().map_err(refused)?;
        io::copy(&mut blob, &mut temporary.file).map_err(refused)?;
    }
    temporary.file.set_permissions(Permissions::from_mode(mode)).map_err(refused)?;
    fault::point("replay.staged");
    steps.push(Step::Place { temporary, path: path.clone(), kind: output.kind });
    Ok(())
}

/// Returns whether the bytes are there already.
fn holds(path: &Path, current: &Metadata, output: &Output) -> bool {
    current.is_file()
        && current.len() == output.length
        && File::open(path)
            .and_then(|file| Digest::of_file(&file, output.length))
            .is_ok_and(|digest| digest == output.digest)
}

/// Returns the permission bits a restored file gets: those of the run, or where these were what any new
/// file got, what the caller's mask makes of a new file.
fn mode(output: &Output, mask: u32) -> u32 {
    let recorded = output.mode & 0o777;
    if !output.follows_mask {
        recorded
    } else if recorded & 0o111 != 0 {
        0o777 & !mask
    } else {
        0o666 & !mask
    }
}

/// Returns whether permission bits are those that a new file gets under a mask.
pub fn follows_mask(mode: u32, mask: u32) -> bool {
    let bits = mode & 0o7777;
    bits == 0o666 & !mask || bits == 0o777 & !mask
}

impl Staged {
    /// Puts everything in place.
    ///
    /// # Errors
    /// [`Refused`] for the first that could not be.
    pub fn swap(self) -> Result<(), Refused> {
        for step in self.0 {
            let (path, done) = match step {
                Step::Place { temporary, path, kind } => {
                    let done = match kind {
                        OutputKind::Automatic => temporary.persist_new(&path),
                        _ => temporary.persist(&path),
                    };
                    (path, done)
                }
                Step::SetMode(path, mode) => {
                    let done = std::fs::set_permissions(&path, Permissions::from_mode(mode));
                    (path, done)
                }
                Step::Touch(path) => {
                    let done = touch(&path);
                    (path, done)
                }
            };
            done.map_err(|source| Refused::Io { path, source })?;
            fault::point("replay.swapped");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_that_any_new_file_gets_follows_the_mask() {
        assert!(follows_mask(0o644, 0o022));
        assert!(follows_mask(0o755, 0o022));
        assert!(!follows_mask(0o600, 0o022));
        let output = |mode, follows_mask| Output {
            path: "x".into(),
            kind: OutputKind::Declared,
            mode,
            follows_mask,
            digest: Digest::of(b""),
            length: 0,
        };
        assert_eq!(mode(&output(0o644, true), 0o077), 0o600);
        assert_eq!(mode(&output(0o755, true), 0o077), 0o700);
        assert_eq!(mode(&output(0o640, false), 0o022), 0o640);
        assert_eq!(mode(&output(0o4755, false), 0o022), 0o755, "set-id bits are never put back");
    }

    /// A directory with a store of one blob, which goes when it is dropped.
    struct World(PathBuf);

    impl World {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("memo-outputs-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&root);
            std::fs::create_dir_all(root.join("tmp")).unwrap();
            std::fs::create_dir_all(root.join("work")).unwrap();
            Self(root)
        }

        fn output(&self, path: PathBuf, kind: OutputKind) -> (Output, Blobs) {
            let blobs = Blobs::new(&self.0);
            let digest = blobs.put_bytes(b"stored").unwrap();
            (Output { path, kind, mode: 0o644, follows_mask: true, digest, length: 6 }, blobs)
        }
    }

    impl Drop for World {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn place<'a>(declared: &'a dyn Fn(&Path) -> bool) -> Place<'a> {
        Place { declared, newest_input: None, mask: 0o022 }
    }

    #[test]
    fn a_path_that_the_call_does_not_declare_is_refused() {
        let world = World::new("refused");
        let work = world.0.join("work");
        for path in [work.join("../evil"), work.join("else"), PathBuf::from("../evil"), world.0.join("evil")]
        {
            let (good, blobs) = world.output(work.join("out"), OutputKind::Declared);
            let evil = Output { path: path.clone(), ..good.clone() };
            let declared = |path: &Path| path == work.join("out");
            let staged = stage(&[good, evil], &blobs, place(&declared));
            assert!(matches!(staged, Err(Refused::Undeclared(named)) if named == path));
            assert_eq!(std::fs::read_dir(&work).unwrap().count(), 0, "what was staged is removed again");
            assert!(!world.0.join("evil").exists());
        }
    }

    #[test]
    fn an_automatic_output_replaces_nothing_that_came_meanwhile() {
        let world = World::new("meanwhile");
        let out = world.0.join("work/out");
        let (output, blobs) = world.output(out.clone(), OutputKind::Automatic);
        let staged = stage(&[output], &blobs, place(&|_| true)).unwrap();
        std::fs::write(&out, "mine").unwrap();
        assert!(matches!(staged.swap(), Err(Refused::Io { .. })));
        assert_eq!(std::fs::read(&out).unwrap(), b"mine");
        assert_eq!(std::fs::read_dir(out.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_in_place_before_all_is_staged() {
        let world = World::new("staged");
        let out = world.0.join("work/out");
        let (good, blobs) = world.output(out.clone(), OutputKind::Declared);
        let bad = Output { path: world.0.join("work/bad"), digest: Digest::of(b"other"), ..good.clone() };
        assert!(matches!(stage(&[good.clone(), bad], &blobs, place(&|_| true)), Err(Refused::Blob(_))));
        assert!(!out.exists());
        stage(&[good], &blobs, place(&|_| true)).unwrap().swap().unwrap();
        assert_eq!(std::fs::read(&out).unwrap(), b"stored");
    }
}
