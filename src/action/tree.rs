//! Directories named by a word: all below them, by names, kinds and stat identities.
//!
//! By identity and not by content because such a word says nothing of what the command reads: `find`
//! and `ls -l` print times, `du` sizes. So any change of an identity is a miss. Only where an identity
//! cannot be trusted yet, the content counts besides it.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::digest::{Digest, Digester};
use super::identity::{FileKind, Identity};
use super::scene::{MOST_ENTRIES, Scene, Unobservable, bytes, normal, special};
use crate::sys::file::FileSystem;

/// Returns the digest of a tree, and the content of those of its files too young to be trusted.
///
/// # Errors
/// [`Unobservable`] for what cannot be read, is too large or lies on a file system of the kernel's own.
pub fn walk(root: &Path, scene: &mut Scene<'_>) -> Result<(Digest, Vec<(PathBuf, Digest)>), Unobservable> {
    let mut young = Vec::new();
    let digest = visit(root, scene, |path, identity| {
        if identity.kind() == FileKind::File {
            young.push(path);
        }
    })?;
    let mut contents = Vec::with_capacity(young.len());
    for path in young {
        let (_, digest, _) = scene.content(&root.join(&path))?;
        contents.push((path, digest));
    }
    Ok((digest, contents))
}

/// Returns the digest of a tree alone.
///
/// # Errors
/// As [`walk`].
pub fn digest(root: &Path, scene: &mut Scene<'_>) -> Result<Digest, Unobservable> {
    visit(root, scene, |_, _| {})
}

fn visit(
    root: &Path,
    scene: &mut Scene<'_>,
    mut untrusted: impl FnMut(PathBuf, &Identity),
) -> Result<Digest, Unobservable> {
    let absolute = normal(root, scene.directory);
    let hidden: BTreeSet<&Path> =
        scene.hidden.paths.iter().map(PathBuf::as_path).filter(|path| path.starts_with(&absolute)).collect();
    let holders: BTreeSet<&Path> = hidden.iter().filter_map(|hidden| hidden.parent()).collect();
    let is_hidden = |path: &Path| hidden.contains(path);
    let holds_hidden = |path: &Path| holders.contains(path);
    let mut digester = Digester::new();
    let mut entries = 0;
    let mut walk = WalkDir::new(root).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(root).to_owned();
            let source = error.into_io_error().unwrap_or_else(|| std::io::Error::other("a loop of links"));
            Unobservable::Io { path, source }
        })?;
        let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let place = if below.as_os_str().is_empty() { absolute.clone() } else { absolute.join(below) };
        // The root of a walk is followed when it is a link, as the command does with the word.
        let metadata =
            if entry.depth() == 0 { std::fs::metadata(root) } else { entry.path().symlink_metadata() }
                .map_err(|source| Unobservable::io(entry.path(), source))?;
        let identity = Identity::from(&metadata);
        let id = (metadata.dev(), metadata.ino());
        if scene.hidden.store == Some(id) || entry.depth() > 0 && is_hidden(&place) {
            if metadata.is_dir() {
                walk.skip_current_dir();
            }
            continue;
        }
        entries += 1;
        if entries > MOST_ENTRIES {
            return Err(Unobservable::TooLarge(root.to_owned()));
        }
        digester.field(bytes(below));
        digester.field(&[identity.kind() as u8]);
        if scene.hidden.streams.contains(&id) {
            continue;
        }
        let holds_store = metadata.is_dir()
            && scene.hidden.store.is_some_and(|store| holds(entry.path(), store, identity.dev));
        if metadata.is_dir() && (holds_hidden(&place) || holds_store) {
            // Its times change with what is left out of it.
            field(&mut digester, &Identity { size: 0, mtime: 0, ctime: 0, ..identity });
        } else {
            field(&mut digester, &identity);
        }
        match identity.kind() {
            FileKind::Link => {
                let text = std::fs::read_link(entry.path()).map_err(|s| Unobservable::io(entry.path(), s))?;
                digester.field(bytes(&text));
                match Identity::of(entry.path()) {
                    // A directory behind a link is a place of its own: it is there by identity, not walked.
                    Ok(target) => {
                        if scene.systems.of(target.dev, entry.path()) == FileSystem::Virtual {
                            return Err(special(entry.path(), &target));
                        }
                        field(&mut digester, &target);
                        if !is_trusted(&target, entry.path(), scene) {
                            untrusted(below.to_owned(), &target);
                        }
                    }
                    Err(_) => digester.field(b"dangling"),
                }
            }
            FileKind::Directory => {
                if scene.systems.of(identity.dev, entry.path()) == FileSystem::Virtual {
                    return Err(special(entry.path(), &identity));
                }
            }
            FileKind::File => {
                if !is_trusted(&identity, entry.path(), scene) {
                    untrusted(below.to_owned(), &identity);
                }
            }
            FileKind::Special => {}
        }
    }
    Ok(digester.finish())
}

/// Returns whether the store is one of the entries of a directory.
fn holds(directory: &Path, store: (u64, u64), dev: u64) -> bool {
    dev == store.0
        && std::fs::read_dir(directory).is_ok_and(|entries| {
            use std::os::unix::fs::DirEntryExt;
            entries.flatten().any(|entry| entry.ino() == store.1)
        })
}

fn is_trusted(identity: &Identity, path: &Path, scene: &mut Scene<'_>) -> bool {
    identity.is_settled(scene.now) && scene.systems.of(identity.dev, path) == FileSystem::Local
}

fn field(digester: &mut Digester, identity: &Identity) {
    let Identity { dev, ino, mode, uid, gid, size, mtime, ctime } = *identity;
    digester.update(&dev.to_le_bytes());
    digester.update(&ino.to_le_bytes());
    for number in [mode, uid, gid] {
        digester.update(&number.to_le_bytes());
    }
    digester.update(&size.to_le_bytes());
    digester.update(&mtime.to_le_bytes());
    digester.update(&ctime.to_le_bytes());
}
