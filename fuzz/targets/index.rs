//! The fold and the index over a store of which one file is damaged: the first byte says of which kind, the
//! second which of them and whether the index knows them already. `MEMO_FUZZ_STORE` names the store that is damaged, which memo filled.

#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use memo::action::digest::Digest;
use memo::action::identity::Timestamp;
use memo::store::Store;
use memo::store::index::Index;
use memo::store::journal::Record;

/// A store that is copied once and damaged again and again.
struct Sound {
    root: PathBuf,
    /// Where each file is, and what it should be: the journal, the index, manifests, outcomes, others.
    kinds: [Vec<(PathBuf, Vec<u8>)>; 5],
    index: Vec<u8>,
}

fn copy(from: &Path, to: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(to).expect("a directory");
    let mut entries: Vec<PathBuf> =
        fs::read_dir(from).expect("the store").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let there = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &there, files);
        } else {
            let content = fs::read(&path).expect("a file of the store");
            fs::write(&there, &content).expect("a copy");
            files.push((there, content));
        }
    }
}

static SOUND: LazyLock<Sound> = LazyLock::new(|| {
    let template = std::env::var_os("MEMO_FUZZ_STORE").expect("MEMO_FUZZ_STORE names a store");
    let root = std::env::temp_dir().join(format!("memo-fuzz-{}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    let mut files = Vec::new();
    copy(Path::new(&template), &root, &mut files);
    let index = fs::read(root.join("index.db")).unwrap_or_default();
    let mut kinds: [Vec<_>; 5] = Default::default();
    for (path, content) in files {
        let below = |name: &str| path.strip_prefix(root.join(name)).is_ok();
        let kind = match () {
            () if below("journal") => 0,
            () if below("index.db") => 1,
            () if below("manifests") && !content.is_empty() => 2,
            () if below("outcomes") => 3,
            () if below("blobs") || below("tmp") || content.is_empty() => continue,
            () => 4,
        };
        kinds[kind].push((path, content));
    }
    Sound { root, kinds, index }
});

fn sealed(path: &Path, content: &[u8]) -> Vec<u8> {
    let mut content = content.to_vec();
    if path.ends_with("journal") {
        for record in content.chunks_exact_mut(Record::LENGTH) {
            let check = Digest::of(&record[..88]);
            record[88..].copy_from_slice(&check.as_bytes()[..8]);
        }
    } else if path.components().any(|part| part.as_os_str() == "manifests") {
        let digest = Digest::of(&content);
        content.extend_from_slice(digest.as_bytes());
    }
    content
}

fuzz_target!(|data: &[u8]| {
    let [kind, which, content @ ..] = data else { return };
    let sound = &*SOUND;
    let files = &sound.kinds[usize::from(*kind) % sound.kinds.len()];
    let Some((path, before)) = files.get(usize::from(which / 2) % files.len().max(1)) else { return };
    let index = sound.root.join("index.db");
    if which % 2 == 1 {
        fs::write(&index, &sound.index).expect("an index");
    } else {
        let _ = fs::remove_file(&index);
    }
    fs::write(path, sealed(path, content)).expect("the damaged file");
    let user = unsafe { geteuid() };
    let store = Store::open(&sound.root, user, None).expect("a store that can be trusted");
    // A newer store or a newer index is an answer too.
    if let Ok(mut index) = Index::open(&store, Timestamp(1 << 60)) {
        let rows = index.rows().map(|rows| rows.len());
        let total = index.total().map(|_| ());
        let tallies = index.tallies().map(|_| ());
        if let Err(error) = rows.and(total.map(|()| 0)).and(tallies.map(|()| 0)) {
            panic!("{}: {error}", path.display());
        }
    }
    let _ = fs::remove_file(path);
    fs::write(path, before).expect("the file as it was");
});

unsafe extern "C" {
    fn geteuid() -> u32;
}
