use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::store::fixture::{Fixture, NOW, key};
use crate::sys::process::user;

fn check(fixture: &Fixture) -> Report {
    super::check(&fixture.store, user(), NOW).unwrap()
}

fn said(fixture: &Fixture) -> Vec<String> {
    check(fixture).faults.iter().map(ToString::to_string).collect()
}

/// A store with entries in every form: inline, in a file of its own, with a blob that is shared; with an index,
/// and a journal that this does not know yet.
fn filled() -> Fixture {
    let fixture = Fixture::new();
    fixture.record(1, &["a"], 1);
    fixture.record(1, &["a"], 2);
    fixture.record_with_blob(2, &["b"], 3, "shared");
    fixture.record_with_blob(3, &["c"], 4, "shared");
    let id = fixture.record_with_blob(4, &["d"], 5, "its own");
    Index::open(&fixture.store, NOW).unwrap();
    drop(gc::hold(&fixture.store).unwrap());
    fixture.hit(4, id, 6);
    fixture
}

/// Returns the files of a store, relative to it.
fn files(fixture: &Fixture) -> Vec<PathBuf> {
    let root = fixture.store.path();
    let files = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    let files = files.filter(|file| file.file_type().is_file() && file.file_name() != ".lock");
    let mut files: Vec<_> = files.map(|file| file.path().strip_prefix(root).unwrap().to_owned()).collect();
    files.sort();
    files
}

/// Returns all that is there: names, kinds, modes, times of change and bytes.
fn everything(fixture: &Fixture) -> Vec<(PathBuf, u32, i64, Vec<u8>)> {
    let all = walkdir::WalkDir::new(fixture.store.path()).sort_by_file_name().into_iter().map(Result::unwrap);
    let described = all.map(|file| {
        let metadata = file.metadata().unwrap();
        let bytes = if metadata.is_file() { std::fs::read(file.path()).unwrap() } else { Vec::new() };
        let changed = crate::action::identity::Identity::from(&metadata).mtime;
        (file.path().to_owned(), metadata.permissions().mode(), changed, bytes)
    });
    described.collect()
}

/// Returns the bytes of all that was recorded.
fn contents(fixture: &Fixture) -> Vec<(PathBuf, Vec<u8>)> {
    let files = files(fixture).into_iter();
    let recorded =
        files.filter(|path| ["blobs", "outcomes", "manifests"].iter().any(|tree| path.starts_with(tree)));
    recorded.map(|path| (path.clone(), std::fs::read(fixture.store.path().join(path)).unwrap())).collect()
}

#[track_caller]
fn fixed(fixture: &Fixture) {
    let report = check(fixture);
    fix(&fixture.store, user(), NOW, &report).unwrap();
    assert_eq!(said(fixture), [""; 0]);
}

#[test]
fn a_sound_store_has_no_faults_and_is_left_as_it_is() {
    let fixture = filled();
    let before = contents(&fixture);
    let untouched = everything(&fixture);
    let report = check(&fixture);
    assert!(everything(&fixture) == untouched);
    assert_eq!(report.faults, []);
    assert_eq!((report.entries, report.files), (5, [4, 1, 2]));
    assert_eq!(report.bytes, Index::open(&fixture.store, NOW).unwrap().disk().unwrap());
    fixed(&fixture);
    assert_eq!(contents(&fixture), before);
    assert!(!fixture.store.path().join("quarantine").exists());
}

#[test]
fn whatever_becomes_of_any_file_is_found_and_set_right() {
    type Damage = (&'static str, fn(&Path));
    let damage: [Damage; 6] = [
        ("cut short", |path| {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("emptied", |path| std::fs::write(path, "").unwrap()),
        ("flipped", |path| {
            let mut bytes = std::fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 0x55;
            }
            std::fs::write(path, bytes).unwrap();
        }),
        ("a directory", |path| {
            std::fs::remove_file(path).unwrap();
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("of the user"), "mine").unwrap();
        }),
        ("removed", |path| std::fs::remove_file(path).unwrap()),
        ("open to all", |path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap()),
    ];
    let paths = files(&filled());
    for path in &paths {
        for (how, damage) in damage {
            let fixture = filled();
            let absolute = fixture.store.path().join(path);
            std::fs::set_permissions(&absolute, PermissionsExt::from_mode(0o600)).unwrap();
            let before = contents(&fixture);
            damage(&absolute);
            let context = format!("{} {how}", path.display());
            let name = path.to_str().unwrap();
            // What comes again by itself, or cannot be missed.
            let is_free = match how {
                _ if name == "index.db-journal" && !["open to all", "a directory"].contains(&how) => true,
                "removed" => {
                    ["usage", "index.db", "gc.lock", "journal"].contains(&name)
                        || name.starts_with("manifests")
                }
                "open to all" | "a directory" => false,
                "emptied" => ["usage", "index.db", "gc.lock", "journal"].contains(&name),
                // A number without its line end is the number; what follows the signature is for people.
                "cut short" => ["usage", "gc.lock", "generation", "FORMAT", "CACHEDIR.TAG"].contains(&name),
                // The byte may be one that SQLite does not use.
                _ => ["usage", "gc.lock", "CACHEDIR.TAG", "index.db"].contains(&name),
            };
            let untouched = everything(&fixture);
            let faults = said(&fixture);
            assert!(everything(&fixture) == untouched, "{context}: looking changed something");
            assert!(is_free || !faults.is_empty(), "{context}");
            fixed(&fixture);
            for needed in ["FORMAT", "generation", "CACHEDIR.TAG"] {
                assert!(!std::fs::read(fixture.store.path().join(needed)).unwrap().is_empty(), "{context}");
            }
            // What is left is what was there, and nothing was lost but what was damaged and what needs it.
            let after = contents(&fixture);
            for (path, bytes) in &after {
                let known = before.iter().find(|(known, _)| known == path).map(|(_, bytes)| bytes);
                assert!(
                    known == Some(bytes) || path.starts_with("manifests"),
                    "{context}: {}",
                    path.display()
                );
            }
            assert!(after.len() + 3 >= before.len(), "{context}");
            let mine = fixture.store.path().join("quarantine");
            let kept = walkdir::WalkDir::new(mine).into_iter().flatten();
            if how == "a directory" && !absolute.is_dir() {
                assert_eq!(kept.filter(|file| file.file_name() == "of the user").count(), 1, "{context}");
            }
        }
    }
}

#[test]
fn the_entries_that_need_a_damaged_file_are_dropped_and_no_others() {
    let fixture = filled();
    let digest = crate::action::digest::Digest::of(b"shared");
    let path = fixture.store.blobs.path(&digest);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(&path, "SHARED").unwrap();
    let name = format!("blobs/{}/{digest}", &digest.to_string()[..2]);
    assert_eq!(said(&fixture), [format!("`{name}`: it does not have the content its name says")]);
    fixed(&fixture);
    let mut index = Index::open(&fixture.store, NOW).unwrap();
    let mut keys: Vec<_> = index.rows().unwrap().iter().map(|row| row.key).collect();
    keys.sort_unstable();
    assert_eq!(keys, [key(1), key(1), key(4)]);
    let kept = fixture.store.path().join("quarantine").join(name.replace('/', "-"));
    assert_eq!(std::fs::read(kept).unwrap(), b"SHARED");
    assert_eq!(check(&fixture).quarantined, 1);
}

#[test]
fn an_index_that_says_something_else_than_the_files_is_built_anew() {
    let fixture = filled();
    std::fs::write(fixture.store.path().join("index.db"), "no index").unwrap();
    assert_eq!(said(&fixture).len(), 1);
    assert_eq!(said(&fixture).len(), 1, "looking changed nothing");
    Index::open(&fixture.store, NOW).unwrap();
    assert!(said(&fixture).is_empty(), "opening it was enough");
    let sql = |text: &str| {
        crate::store::index::tests::tamper(&fixture.store.path().join("index.db"), text);
    };
    sql("DELETE FROM entries WHERE number = 1");
    assert_eq!(said(&fixture), ["`index.db`: it does not list what the files are"]);
    fixed(&fixture);
    assert_eq!(Index::open(&fixture.store, NOW).unwrap().rows().unwrap().len(), 5);
}

#[test]
fn what_killed_runs_left_is_no_fault() {
    let fixture = filled();
    std::fs::write(fixture.store.lease_path(&key(9)), "killed").unwrap();
    let temporary = fixture.store.path().join("tmp/blob-999999999-1");
    std::fs::write(&temporary, "half").unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    let times = std::fs::FileTimes::new().set_modified(time);
    std::fs::File::options().write(true).open(&temporary).unwrap().set_times(times).unwrap();
    let later = crate::store::fixture::at(10_000);
    let report = super::check(&fixture.store, user(), later).unwrap();
    assert_eq!(report.faults, []);
    assert_eq!((report.leftovers.leases, report.leftovers.temporary), (1, 1));
    fix(&fixture.store, user(), later, &report).unwrap();
    assert!(super::check(&fixture.store, user(), later).unwrap().leftovers.is_empty());
}

#[test]
fn leases_and_files_on_their_way_that_are_in_use_are_no_fault() {
    use crate::store::lease::Taken;
    let fixture = filled();
    let Ok(Taken::Ours(lease)) = fixture.store.lease(&key(9)) else { panic!() };
    let temporary = fixture.store.temporary("blob-").unwrap();
    let later = crate::store::fixture::at(10_000);
    let report = super::check(&fixture.store, user(), later).unwrap();
    assert_eq!(report, Report { bytes: report.bytes, entries: 5, files: [4, 1, 2], ..Report::default() });
    fix(&fixture.store, user(), later, &report).unwrap();
    assert!(lease.is_current() && temporary.path().exists());
}

#[test]
fn what_does_not_belong_among_leases_and_files_on_their_way_is_moved_and_not_removed() {
    let fixture = filled();
    let store = fixture.store.path();
    let strays = ["leases/notes", "tmp/notes", "tmp/blob-x-1", "tmp/-1-1", "tmp/blob-1"];
    for stray in strays {
        std::fs::write(store.join(stray), "mine").unwrap();
    }
    // A directory with the name of a lease, and one whose name is right for a file on its way.
    std::fs::create_dir(fixture.store.lease_path(&key(9))).unwrap();
    std::fs::create_dir(store.join("tmp/blob-1-1")).unwrap();
    let far = crate::store::fixture::at(1 << 33);
    for leftover in gc::abandoned(&fixture.store, far).unwrap() {
        leftover.remove().unwrap();
    }
    let faults = check(&fixture).faults;
    let said: Vec<_> = faults.iter().map(ToString::to_string).collect();
    for stray in strays {
        assert!(said.contains(&format!("`{stray}`: it is none of memo's")), "{stray}: {said:?}");
    }
    assert!(said.contains(&"`tmp/blob-1-1`: it is no regular file".to_owned()));
    assert_eq!(said.len(), strays.len() + 2);
    fixed(&fixture);
    for stray in strays {
        let kept = store.join("quarantine").join(stray.replace('/', "-"));
        assert_eq!(std::fs::read(kept).unwrap(), b"mine", "{stray}");
    }
}

#[test]
fn files_of_every_kind_that_others_can_change_are_found() {
    use crate::store::lease::Taken;
    let fixture = filled();
    let Ok(Taken::Ours(lease)) = fixture.store.lease(&key(9)) else { panic!() };
    let temporary = fixture.store.temporary("blob-").unwrap();
    let shard = fixture.store.manifest_path(&key(1)).with_file_name(".lock");
    for path in [lease.path(), temporary.path(), &shard] {
        let below = below(&fixture.store, path);
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o666)).unwrap();
        let expected = format!("`{}`: others may write to it (mode 666)", below.display());
        assert_eq!(said(&fixture), [expected]);
        fixed(&fixture);
    }
    assert!(lease.is_current() && temporary.path().exists());
    if user() != 0 {
        return; // Nobody else can give a file away.
    }
    for path in [lease.path(), temporary.path(), &shard] {
        let below = below(&fixture.store, path);
        std::os::unix::fs::chown(path, Some(1234), None).unwrap();
        assert_eq!(said(&fixture), [format!("`{}`: it belongs to user 1234", below.display())]);
        fixed(&fixture);
        assert!(!path.exists());
    }
    assert!(!lease.is_current(), "its run is not recorded");
    assert_eq!(check(&fixture).quarantined, 3);
}

#[test]
fn a_newer_store_and_one_that_is_not_there_are_left_alone() {
    let mut fixture = filled();
    std::fs::write(fixture.store.path().join("FORMAT"), "99\n").unwrap();
    let refused = super::check(&fixture.store, user(), NOW);
    assert!(matches!(refused, Err(Trouble::Newer { found: 99, .. })));
    let path = fixture.store.path().join("nowhere");
    fixture.store = Store::open(&path, user(), None).unwrap();
    assert_eq!(check(&fixture), Report::default());
    assert!(!path.exists());
}

#[test]
fn what_belongs_to_somebody_else_is_found() {
    let fixture = filled();
    let report = super::check(&fixture.store, user() + 1, NOW).unwrap();
    let what = format!("it belongs to user {}", user());
    assert!(report.faults.iter().any(|fault| fault.what == what));
}
