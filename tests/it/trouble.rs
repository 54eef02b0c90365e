//! Whatever is wrong with the store or its surroundings: the command runs, with its own status, the answer
//! is right, and at most one warning is said.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::sandbox::{Ran, Sandbox};

/// Writes to both streams, more to stdout than an outcome holds inline, and can be counted.
const COMMAND: &str = "memo puppet bump x , fill 50000 , eprint e";

/// Checks that memo only warns: the same output and status as without it, and at most one warning.
#[track_caller]
fn check_runs(ran: &Ran, what: &str) {
    let said: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("memo: ")).collect();
    let warnings = said.iter().filter(|line| line.starts_with("memo: warning: ")).count();
    assert!(warnings <= 1 && said.len() <= 2, "{what}: {said:?}");
    assert!(
        !said.iter().any(|line| line.starts_with("memo: error: ") || line.contains("os error")),
        "{what}: {said:?}"
    );
    assert_eq!(ran.stderr.lines().filter(|line| *line == "e").count(), 1, "{what}: {}", ran.stderr);
    assert_eq!(ran.stdout.len(), "x #1\n".len() + 50_000, "{what}");
}

/// Checks that calls run in such a place, each with its status and at most one warning, which it must be
/// when `warns`.
#[track_caller]
fn check_place(sandbox: &Sandbox, what: &str, warns: bool, run: impl Fn(&str) -> Ran) {
    for round in 0..2 {
        let before = sandbox.runs();
        let ran = run(COMMAND);
        check_runs(&ran, what);
        assert_eq!(ran.code, 0, "{what}");
        assert_eq!(ran.stderr.contains("memo: warning: "), warns, "{what}, round {round}: {}", ran.stderr);
        assert!(sandbox.runs() <= before + 1, "{what}: it ran twice");
        let ran = run(&format!("{COMMAND} , exit 3"));
        check_runs(&ran, what);
        assert_eq!(ran.code, 3, "{what}");
        let ran = run("memo sh -c 'kill -TERM $$'");
        assert_eq!(ran.code, 143, "{what}");
    }
}

mod place {
    use super::*;

    fn at(place: impl AsRef<Path>) -> Sandbox {
        let mut sandbox = Sandbox::new();
        sandbox.set("MEMO_DIR", place.as_ref());
        sandbox
    }

    #[test]
    fn one_that_cannot_be_a_directory() {
        // Row 14 of the peers' matrix; H25
        for place in ["/dev/null/x", "/dev/null", "/proc/self/nothing", "/etc/passwd"] {
            let sandbox = at(place);
            check_place(&sandbox, place, true, |line| sandbox.run(line));
        }
    }

    #[test]
    fn one_that_is_a_file() {
        let sandbox = Sandbox::new();
        fs::write(sandbox.store(), "mine").unwrap();
        check_place(&sandbox, "a file", true, |line| sandbox.run(line));
        assert_eq!(fs::read_to_string(sandbox.store()).unwrap(), "mine");
    }

    #[test]
    fn one_above_which_nobody_may_write() {
        let sandbox = Sandbox::new();
        let above = sandbox.root().join("above");
        fs::create_dir(&above).unwrap();
        let mut sandbox = sandbox;
        sandbox.set("MEMO_DIR", above.join("store"));
        sandbox.run_unprivileged("true");
        fs::set_permissions(&above, PermissionsExt::from_mode(0o555)).unwrap();
        check_place(&sandbox, "unwritable", true, |line| sandbox.run_unprivileged(line));
    }

    #[test]
    fn one_that_others_may_write_to() {
        // Row 47 of the peers' matrix
        for mode in [0o777, 0o770, 0o722] {
            let sandbox = Sandbox::new();
            sandbox.ok(COMMAND);
            fs::set_permissions(sandbox.store(), PermissionsExt::from_mode(mode)).unwrap();
            check_place(&sandbox, &format!("{mode:o}"), true, |line| sandbox.run(line));
            assert_eq!(sandbox.runs(), 5, "nothing of it is used");
        }
    }

    #[test]
    fn one_that_belongs_to_somebody_else() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let sandbox = Sandbox::new();
        sandbox.ok(COMMAND);
        sandbox.ok("chown -R 65534 $MEMO_DIR");
        check_place(&sandbox, "foreign", true, |line| sandbox.run(line));
    }

    #[test]
    fn one_whose_parent_others_may_write_to() {
        let sandbox = Sandbox::new();
        let open = sandbox.root().join("open");
        fs::create_dir_all(open.join("store")).unwrap();
        fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
        let mut sandbox = sandbox;
        sandbox.set("MEMO_DIR", open.join("store"));
        check_place(&sandbox, "open parent", true, |line| sandbox.run(line));
    }

    #[test]
    fn a_link_to_a_sound_one_is_one() {
        let sandbox = Sandbox::new();
        let real = sandbox.root().join("real");
        fs::create_dir(&real).unwrap();
        fs::set_permissions(&real, PermissionsExt::from_mode(0o700)).unwrap();
        symlink(&real, sandbox.store()).unwrap();
        check_place(&sandbox, "link", false, |line| sandbox.run(line));
        assert!(sandbox.run(COMMAND.replacen("memo", "memo -v", 1)).is_hit());
    }

    #[test]
    fn one_that_cannot_be_written_to_still_answers() {
        // Row 14b of the peers' matrix; H26
        let sandbox = Sandbox::new();
        sandbox.run_unprivileged(COMMAND);
        let store = sandbox.store();
        sandbox.ok("chmod -R a-w $MEMO_DIR");
        let ran = sandbox.run_unprivileged(&COMMAND.replacen("memo", "memo -v", 1));
        assert!(ran.is_hit() && !ran.stderr.contains("warning"), "{}", ran.stderr);
        let ran = sandbox.run_unprivileged(&format!("{COMMAND} , exit 3"));
        check_runs(&ran, "read-only");
        assert_eq!(ran.code, 3);
        sandbox.ok(&format!("chmod -R u+w {}", store.display()));
    }

    #[test]
    fn none_at_all_is_needed() {
        let mut sandbox = Sandbox::new();
        sandbox.unset("MEMO_DIR");
        sandbox.unset("HOME");
        let ran = sandbox.run("MEMO_MODE=read-only memo puppet print x , exit 3");
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (3, "x\n", ""));
    }
}

mod damage {
    use super::*;

    fn files(below: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(below).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                found.extend(files(&entry.path()));
            } else if entry.file_name() != ".lock" {
                found.push(entry.path());
            }
        }
        found
    }

    fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(path).unwrap();
        change(&mut bytes);
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    }

    type Way = (&'static str, fn(&Path));

    /// Ways to damage a file.
    const WAYS: [Way; 8] = [
        ("cut", |path| rewrite(path, |bytes| bytes.truncate(bytes.len() / 2))),
        ("one byte changed", |path| {
            rewrite(path, |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            });
        }),
        ("last byte changed", |path| rewrite(path, |bytes| *bytes.last_mut().unwrap() ^= 0x80)),
        ("one byte more", |path| rewrite(path, |bytes| bytes.push(0))),
        ("emptied", |path| rewrite(path, Vec::clear)),
        ("a directory", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("a link to itself", |path| {
            fs::remove_file(path).unwrap();
            symlink(path, path).unwrap();
        }),
        ("gone", |path| fs::remove_file(path).unwrap()),
    ];

    /// Damages every file below a part of the store and expects one more run, without a warning that says
    /// more than that, and then hits again.
    #[track_caller]
    fn check_damaged(part: &str, command: &str) {
        for (way, damage) in WAYS {
            let sandbox = Sandbox::new();
            let sound = sandbox.run(command);
            let hurt = files(&sandbox.store().join(part));
            assert!(!hurt.is_empty(), "{part} is used");
            hurt.iter().for_each(|path| damage(path));
            let again = sandbox.run(command);
            assert_eq!(sandbox.runs(), 2, "{part} {way}: {}", again.stderr);
            check_runs(&again, &format!("{part} {way}"));
            assert_eq!(again.stdout, sound.stdout.replace("#1", "#2"), "{part} {way}");
            let healed = sandbox.run(command);
            assert_eq!((healed.stdout, sandbox.runs()), (again.stdout, 2), "{part} {way}: {}", healed.stderr);
        }
    }

    #[test]
    fn a_damaged_manifest_is_a_miss() {
        // Rows 16 and 16b of the peers' matrix
        check_damaged("manifests", COMMAND);
    }

    #[test]
    fn a_damaged_blob_is_a_miss() {
        check_damaged("blobs", COMMAND);
    }

    #[test]
    fn a_part_that_is_gone_is_a_miss_and_made_again() {
        for part in [
            "manifests",
            "outcomes",
            "blobs",
            "leases",
            "tmp",
            "journal",
            "generation",
            "FORMAT",
            "CACHEDIR.TAG",
        ] {
            let sandbox = Sandbox::new();
            sandbox.ok(COMMAND);
            let path = sandbox.store().join(part);
            if fs::remove_dir_all(&path).is_err() {
                let _ = fs::remove_file(&path);
            }
            for line in [COMMAND, "memo puppet bump y , eprint e , fill 50000"] {
                let first = sandbox.run(line);
                check_runs(&first, part);
                assert!(!first.stderr.contains("warning"), "{part}: {}", first.stderr);
                let runs = sandbox.runs();
                assert_eq!((sandbox.run(line).stdout, sandbox.runs()), (first.stdout, runs), "{part}");
            }
        }
    }

    #[test]
    fn a_part_that_is_something_else_stops_nothing() {
        for part in [
            "manifests",
            "outcomes",
            "blobs",
            "leases",
            "tmp",
            "journal",
            "generation",
            "FORMAT",
            "CACHEDIR.TAG",
        ] {
            let sandbox = Sandbox::new();
            sandbox.ok("memo true");
            let path = sandbox.store().join(part);
            if path.is_dir() {
                fs::remove_dir_all(&path).unwrap();
                fs::write(&path, "").unwrap();
            } else {
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
            }
            for _ in 0..2 {
                check_runs(&sandbox.run(COMMAND), part);
                assert_eq!(sandbox.run(format!("{COMMAND} , exit 3")).code, 3, "{part}");
            }
        }
    }

    #[test]
    fn a_newer_format_is_left_alone() {
        let sandbox = Sandbox::new();
        sandbox.ok("memo true");
        fs::write(sandbox.store().join("FORMAT"), "999\n").unwrap();
        let before = sandbox.ok("cd $MEMO_DIR; find . -type f | sort | xargs cksum");
        check_place(&sandbox, "format 999", true, |line| sandbox.run(line));
        assert_eq!(sandbox.ok("cd $MEMO_DIR; find . -type f | sort | xargs cksum"), before);
    }
}

mod limits {
    use super::*;

    #[test]
    fn a_store_that_can_take_no_more_stops_nothing() {
        // Rows 15 and 15b of the peers' matrix: no file may be larger than a block, as on a full disk.
        for (blocks, line) in
            [(0, COMMAND), (1, COMMAND), (16, COMMAND), (0, "memo puppet bump x , eprint e , fill 50000")]
        {
            let sandbox = Sandbox::new();
            for n in 1..=2 {
                let limited = format!("{{ ulimit -f {blocks}; exec {line} , exit 3; }} 2>&1 >&3 | cat >&2");
                // bump's own file is a file too; it is written without the limit.
                let limited = limited.replace("bump x", "print 'x #1'");
                let ran = sandbox
                    .run(format!("set -o pipefail; {{ {limited}; }} 3>&1 | cat; exit ${{PIPESTATUS[0]}}"));
                check_runs(&ran, &format!("{blocks} blocks, {n}"));
                assert_eq!(ran.code, 3);
            }
            // With room again it is as if nothing had been.
            let with_room = line.replace("bump x", "print 'x #1'");
            sandbox.ok(&with_room);
            assert!(sandbox.run(with_room.replacen("memo", "memo -v", 1)).is_hit());
        }
    }

    #[test]
    fn the_limit_on_its_own_output_kills_as_it_kills_the_command() {
        let sandbox = Sandbox::new();
        let run = |prefix: &str| {
            let ran = sandbox.run(format!("ulimit -f 1; exec {prefix} head -c 5000 /dev/zero >out"));
            (ran.code, fs::metadata(sandbox.path("out")).unwrap().len())
        };
        assert_eq!(run(""), (153, 1024));
        assert_eq!(run("memo"), (153, 1024));
        sandbox.ok("memo head -c 5000 /dev/zero");
        assert_eq!(run("memo"), (153, 1024));
    }

    #[test]
    fn few_descriptors_are_enough() {
        let sandbox = Sandbox::new();
        for most in 4..12 {
            let ran = sandbox.run(format!("prlimit --nofile={most} memo sh -c 'cat; exit 3' </dev/null"));
            assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{most}: {}", ran.stderr);
            let ran = sandbox.run(format!("echo data | prlimit --nofile={most} memo sh -c 'cat; exit 3'"));
            assert_eq!((ran.code, ran.stdout.as_str()), (3, "data\n"), "{most}: {}", ran.stderr);
        }
    }

    #[test]
    fn no_further_process_is_needed() {
        let sandbox = Sandbox::new();
        let ran = sandbox.run_unprivileged("memo true; ulimit -u 0; exec memo puppet print x , exit 3");
        assert_eq!((ran.code, ran.stdout.as_str()), (3, "x\n"), "{}", ran.stderr);
    }
}

mod surroundings {
    use super::*;

    #[test]
    fn a_directory_that_was_removed() {
        let sandbox = Sandbox::new();
        for n in 1..=2 {
            let ran = sandbox.run("mkdir gone; cd gone; rmdir ../gone; memo -v puppet bump x , exit 3");
            assert_eq!((ran.code, ran.stdout), (3, format!("x #{n}\n")), "{}", ran.stderr);
        }
        // G04
        for _ in 0..2 {
            let ran = sandbox.run("mkdir gone; cd gone; rmdir ../gone; memo --no-cwd puppet bump y");
            assert_eq!((ran.code, ran.stdout.as_str()), (0, "y #3\n"), "{}", ran.stderr);
        }
    }

    #[test]
    fn a_directory_whose_name_is_no_text() {
        let sandbox = Sandbox::new();
        for name in [&b"\xff"[..], b"\xfe"] {
            fs::create_dir(sandbox.path(std::ffi::OsStr::from_bytes(name))).unwrap();
        }
        for _ in 0..2 {
            assert_eq!(sandbox.ok("cd $'\\xff'; memo puppet bump x"), "x #1\n");
            assert_eq!(sandbox.ok("cd $'\\xfe'; memo puppet bump x"), "x #2\n");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_read() {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("d")).unwrap();
        for _ in 0..2 {
            let ran = sandbox.run_unprivileged("cd d; chmod 111 .; memo puppet print x; chmod 755 .");
            assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "x\n", ""));
        }
    }
}
