//! Stores that are not the caller's, or that others can reach: the command runs as without memo, with one
//! warning, and nothing is made or changed there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::sandbox::{LATE, Ran, Sandbox};

const NOBODY: u32 = 65534;

/// Whether this test can be made here: only root can give files away.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root can give files away");
    }
    root
}

/// All that is there: kind, mode, owner and content of each file.
fn tree(path: &Path) -> BTreeMap<PathBuf, (u32, u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let Ok(metadata) = fs::symlink_metadata(path) else { return found };
    let content = if metadata.is_file() { fs::read(path).unwrap() } else { Vec::new() };
    found.insert(path.to_owned(), (metadata.mode(), metadata.uid(), content));
    if metadata.is_dir() {
        found.extend(fs::read_dir(path).unwrap().flat_map(|entry| tree(&entry.unwrap().path())));
    }
    found
}

/// The command is run each time, with this one warning, and the store stays as it is.
#[track_caller]
fn is_left_alone(sandbox: &Sandbox, warning: &str) {
    let before = tree(&sandbox.store());
    for _ in 0..2 {
        let runs = sandbox.runs();
        let ran = sandbox.run("memo puppet bump a , exit 3");
        assert_eq!((ran.code, ran.stdout), (3, format!("a #{}\n", runs + 1)));
        let lines: Vec<&str> = ran.stderr.lines().collect();
        let [said, hint] = lines[..] else { panic!("{}", ran.stderr) };
        assert!(said.starts_with("memo: warning: running without the store: "), "{said}");
        assert!(said.contains(warning), "{said}");
        assert!(hint.starts_with("memo:   hint: "), "{hint}");
    }
    assert!(tree(&sandbox.store()) == before, "the store was changed");
}

fn filled() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok("memo puppet bump a , exit 0");
    sandbox.run("memo --cache-exit 3 puppet bump a , exit 3");
    fs::remove_file(sandbox.root().join("runs")).unwrap();
    sandbox
}

#[test]
fn a_store_of_another_user() {
    if !is_root() {
        return;
    }
    let sandbox = filled();
    sandbox.ok(&format!("chown -R {NOBODY} $MEMO_DIR"));
    is_left_alone(&sandbox, "belongs to user 65534");
}

#[test]
fn a_store_that_others_may_write_to() {
    for mode in [0o720, 0o702, 0o777, 0o1777] {
        let sandbox = filled();
        fs::set_permissions(sandbox.store(), PermissionsExt::from_mode(mode)).unwrap();
        is_left_alone(&sandbox, &format!("(mode {mode:03o})"));
    }
}

#[test]
fn a_directory_above_it_that_others_may_write_to() {
    let mut sandbox = filled();
    let open = sandbox.root().join("open");
    fs::create_dir(&open).unwrap();
    fs::rename(sandbox.store(), open.join("store")).unwrap();
    sandbox.set("MEMO_DIR", open.join("store"));
    fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    is_left_alone(&sandbox, "(mode 777)");
    // As /tmp is.
    fs::set_permissions(&open, PermissionsExt::from_mode(0o1777)).unwrap();
    sandbox.ok("memo puppet bump b");
    assert!(sandbox.run("memo -v puppet bump b").is_hit());
    if is_root() {
        fs::set_permissions(&open, PermissionsExt::from_mode(0o755)).unwrap();
        chown(&open, Some(NOBODY), None).unwrap();
        is_left_alone(&sandbox, "belongs to user 65534");
    }
}

#[test]
fn a_link_of_another_users() {
    if !is_root() {
        return;
    }
    let mut sandbox = filled();
    let link = sandbox.root().join("link");
    symlink(sandbox.store(), &link).unwrap();
    sandbox.set("MEMO_DIR", &link);
    assert!(sandbox.run("memo -v puppet bump a , exit 0").is_hit(), "through a link of one's own");
    std::os::unix::fs::lchown(&link, Some(NOBODY), None).unwrap();
    is_left_alone(&sandbox, "belongs to user 65534");
}

#[test]
fn a_file_where_the_store_should_be() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.store(), "mine").unwrap();
    is_left_alone(&sandbox, "is not a directory");
}

#[test]
fn a_store_of_a_newer_memo() {
    let sandbox = filled();
    sandbox.ok("memo clear --yes");
    fs::write(sandbox.store().join("FORMAT"), "4\n").unwrap();
    is_left_alone(&sandbox, "has format 4, this memo reads up to 1");
    let before = tree(&sandbox.store());
    let cleared = sandbox.run("memo clear --yes");
    assert_eq!(cleared.code, 125, "{}", cleared.stderr);
    assert!(cleared.stderr.contains("has format 4"), "{}", cleared.stderr);
    assert!(tree(&sandbox.store()) == before, "the store was changed");
}

#[test]
fn what_a_newer_memo_recorded_is_not_read() {
    let sandbox = filled();
    fs::write(sandbox.store().join("FORMAT"), "4\n").unwrap();
    for (path, (mode, ..)) in tree(&sandbox.store().join("manifests")) {
        if mode & 0o170_000 == 0o100_000 && !path.ends_with(".lock") {
            let mut bytes = fs::read(&path).unwrap();
            assert_eq!(bytes[..7], *b"memoMAN");
            bytes[7] = b'9';
            fs::write(&path, bytes).unwrap();
        }
    }
    is_left_alone(&sandbox, "has format 4, this memo reads up to 1");
}

#[test]
fn what_was_recorded_before_a_newer_memo_came_still_answers() {
    let sandbox = Sandbox::at(LATE);
    sandbox.write("large", vec![b'x'; 17 << 20]);
    let line = "memo -v puppet bump a , print large , exit 0";
    sandbox.ok(line);
    fs::write(sandbox.store().join("FORMAT"), "4\n").unwrap();
    // It has to be hashed anew, and what is learned of it belongs into the manifest and the index.
    sandbox.ok("cp -p large new && mv new large");
    let mut before = tree(&sandbox.store());
    let hit = sandbox.run(line);
    assert!(hit.is_hit() && hit.stdout == "a #1\nlarge\n", "{}", hit.stderr);
    let mut after = tree(&sandbox.store());
    let journal = sandbox.store().join("journal");
    let [old, new] = [&mut before, &mut after].map(|tree| tree.remove(&journal).unwrap());
    assert!(new.2.starts_with(&old.2) && before == after, "more than the journal was changed");
    is_left_alone(&sandbox, "has format 4, this memo reads up to 1");
}

#[test]
fn a_store_that_cannot_be_written() {
    if !is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let as_nobody = |line: &str| -> Ran { sandbox.run_unprivileged(line) };
    assert_eq!(as_nobody("memo puppet bump a").stdout, "a #1\n");
    for file in tree(&sandbox.store()).into_keys() {
        let mode = fs::metadata(&file).unwrap().mode() & !0o222;
        fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    }
    let before = tree(&sandbox.store());
    let hit = as_nobody("memo -v puppet bump a");
    assert!(hit.is_hit() && hit.stdout == "a #1\n", "{}", hit.stderr);
    for _ in 0..2 {
        let ran = as_nobody("memo puppet print b , exit 3");
        assert_eq!((ran.code, ran.stdout.as_str()), (3, "b\n"));
        assert!(ran.stderr.matches("memo: warning: ").count() <= 1, "{}", ran.stderr);
    }
    assert!(tree(&sandbox.store()) == before, "the store was changed");
}

#[test]
fn a_part_that_nobody_may_touch() {
    let sandbox = Sandbox::new();
    sandbox.script("run", "#!/bin/sh\necho . >>$RUNS\ncat in\npuppet fill 40000\ncat in >out\n");
    let line = "memo -i in -o out ./run";
    sandbox.write("in", "old\n");
    sandbox.run_unprivileged(line);
    sandbox.ok("echo new >in");
    let expected = sandbox.run_unprivileged(line).stdout;
    for line in ["memo ls", "memo gc", line] {
        sandbox.run_unprivileged(line);
    }
    let store = sandbox.store();
    let parts: Vec<PathBuf> = tree(&store).into_keys().collect();
    assert!(parts.len() > 15, "{parts:?}");
    for part in parts {
        let Ok(metadata) = fs::metadata(&part) else { continue };
        let place = part.display();
        fs::set_permissions(&part, PermissionsExt::from_mode(0o000)).unwrap();
        for old in [None, Some("other\n"), Some("new\n")] {
            let _ = fs::remove_file(sandbox.path("out"));
            sandbox.run_unprivileged(
                old.map_or("true", |old| if old == "new\n" { "cp in out" } else { "echo other >out" }),
            );
            let ran = sandbox.run_unprivileged(line);
            assert_eq!((ran.code, &ran.stdout), (0, &expected), "{place}: {}", ran.stderr);
            let warnings = ran.stderr.matches("memo: warning: ").count();
            assert!(warnings <= 1 && ran.stderr.lines().count() <= 2 * warnings, "{place}: {}", ran.stderr);
            assert!(!ran.stderr.contains("os error"), "{place}: {}", ran.stderr);
            assert_eq!(fs::read_to_string(sandbox.path("out")).unwrap(), "new\n", "{place}");
            let failed = sandbox.run_unprivileged("memo puppet print x , exit 3");
            assert_eq!((failed.code, failed.stdout.as_str()), (3, "x\n"), "{place}: {}", failed.stderr);
            assert!(failed.stderr.matches("memo: warning: ").count() <= 1, "{place}: {}", failed.stderr);
        }
        for line in ["memo ls", "memo doctor", "memo gc"] {
            let ran = sandbox.run_unprivileged(line);
            assert!([0, 1, 125].contains(&ran.code), "{place}: `{line}`: {}", ran.stderr);
            assert!(
                !ran.stderr.contains("os error") && !ran.stderr.contains("internal"),
                "{place}: {}",
                ran.stderr
            );
        }
        if part.exists() {
            fs::set_permissions(&part, metadata.permissions()).unwrap();
        }
        sandbox.run_unprivileged(line);
        let runs = sandbox.runs();
        let again = sandbox.run_unprivileged(line);
        assert_eq!(
            (again.stdout, again.stderr.as_str(), sandbox.runs()),
            (expected.clone(), "", runs),
            "{place}"
        );
    }
}

#[test]
fn root_makes_nothing_in_the_home_of_another() {
    // `sudo memo`, where HOME stays: the user could not remove what root makes there.
    if !is_root() {
        return;
    }
    let mut sandbox = Sandbox::new();
    let home = sandbox.root().join("home");
    sandbox.unset("MEMO_DIR");
    chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    is_left_alone(&sandbox, "belongs to user 65534");
    assert_eq!(tree(&home).len(), 1, "something was made");
    // Neither where the user has a store.
    sandbox.ok("chown -R root $HOME; memo puppet print a; chown -R 65534 $HOME");
    let before = tree(&home);
    assert!(before.len() > 5);
    is_left_alone(&sandbox, "belongs to user 65534");
    assert!(tree(&home) == before, "the user's store was changed");
}

#[test]
fn a_store_in_memory_with_outputs_on_disk() {
    let mut sandbox = Sandbox::new();
    let Ok(shared) = fs::metadata("/dev/shm") else {
        eprintln!("skipped: there is no /dev/shm");
        return;
    };
    if shared.dev() == fs::metadata(sandbox.root()).unwrap().dev() {
        eprintln!("skipped: /dev/shm is the same file system");
        return;
    }
    let store = PathBuf::from(format!("/dev/shm/memo-it-{}", std::process::id()));
    let _ = fs::remove_dir_all(&store);
    sandbox.set("MEMO_DIR", &store);
    let line = "memo -v -o out puppet bump a , fill 40000 , write out new";
    let first = sandbox.run(line);
    for content in [None, Some("old\n")] {
        fs::remove_file(sandbox.path("out")).unwrap();
        if let Some(content) = content {
            sandbox.write("out", content);
        }
        let again = sandbox.run(line);
        assert!(again.is_hit(), "{}", again.stderr);
        assert!(again.stdout == first.stdout && sandbox.read("out") == "new\n");
    }
    fs::remove_dir_all(store).unwrap();
}
