//! A store that somebody damaged, removed under us, or gave no room: every answer is right, and the store
//! heals by being used.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::crowd::{Caller, ends, nothing_piles_up};
use crate::sandbox::{Ran, Sandbox};

/// Makes three calls: an outcome with a file of its own, one that stands in its manifest, and one with a
/// long transcript and two outputs.
const CALLS: &str = "printf 'old\\n' >in; memo -i in ./small || echo failed; \
    printf 'new\\n' >in; memo -i in ./small || echo failed; \
    memo -i in -o a -o b ./run || echo failed; cat a b";

/// Returns a sandbox in which the calls were made, with an index and a journal that it does not know yet.
fn filled() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    sandbox.script("small", "#!/bin/sh\necho . >>$RUNS\ncat in\n");
    sandbox.script("run", "#!/bin/sh\necho . >>$RUNS\ncat in\npuppet fill 40000\ncat in >a\necho b >b\n");
    let expected = sandbox.ok(CALLS);
    sandbox.ok("memo ls");
    assert_eq!(sandbox.ok(CALLS), expected);
    assert_eq!(sandbox.runs(), 3);
    (sandbox, expected)
}

/// At most one warning, with its hint, for each of memo's calls.
#[track_caller]
fn says_little(ran: &Ran, calls: usize, place: &str) {
    let warnings = ran.stderr.lines().filter(|line| line.starts_with("memo: warning: ")).count();
    let hints = ran.stderr.lines().filter(|line| line.starts_with("memo:   hint: ")).count();
    assert!(warnings <= calls && hints <= warnings, "{place}: {}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), warnings + hints, "{place}: {}", ran.stderr);
}

/// Whatever is wrong: right answers, then hits in silence.
#[track_caller]
fn heals(sandbox: &Sandbox, expected: &str, place: &str) {
    let ran = sandbox.run(CALLS);
    assert!(ran.code == 0 && ran.stdout == expected, "{place}: {}{}", ran.stdout, ran.stderr);
    says_little(&ran, 3, place);
    let runs = sandbox.runs();
    let again = sandbox.run(CALLS);
    assert!(again.code == 0 && again.stdout == expected, "{place}: {}{}", again.stdout, again.stderr);
    assert_eq!((again.stderr.as_str(), sandbox.runs()), ("", runs), "{place}: it is not healed");
    nothing_piles_up(sandbox);
    // What is there answers; what is new must be recorded too.
    let refreshed = sandbox.run(CALLS.replace("memo -i", "memo -v --refresh -i"));
    assert!(refreshed.stdout == expected, "{place}: {}{}", refreshed.stdout, refreshed.stderr);
    assert_eq!(refreshed.unrecorded(), None, "{place}: it is not healed");
    assert!(!refreshed.stderr.contains("memo: warning"), "{place}: {}", refreshed.stderr);
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Does the same to each file in turn of a filled store.
fn to_each_file(damage: impl Fn(&Path)) {
    let (sandbox, expected) = filled();
    let saved = sandbox.root().join("saved");
    let copy = |from: &Path, to: &Path| {
        let _ = fs::remove_dir_all(to);
        assert!(sandbox.command("cp").arg("-a").args([from, to]).status().unwrap().success());
    };
    copy(&sandbox.store(), &saved);
    let all = files(&sandbox.store());
    assert!(all.len() >= 12, "{all:?}");
    for file in all {
        copy(&saved, &sandbox.store());
        damage(&file);
        heals(&sandbox, &expected, &file.display().to_string());
        for line in ["memo ls", "memo clear --yes"] {
            let ran = sandbox.run(line);
            assert_eq!(ran.code, 0, "{}: `{line}`: {}", file.display(), ran.stderr);
            says_little(&ran, 1, &format!("{}: `{line}`", file.display()));
        }
    }
}

#[test]
fn a_file_that_is_cut_in_half() {
    to_each_file(|file| {
        fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let length = fs::metadata(file).unwrap().len();
        fs::File::options().write(true).open(file).unwrap().set_len(length / 2).unwrap();
    });
}

#[test]
fn a_file_that_is_emptied() {
    to_each_file(|file| fs::write(file, "").unwrap());
}

#[test]
fn a_file_with_a_flipped_byte() {
    to_each_file(|file| {
        let mut bytes = fs::read(file).unwrap();
        // The generation and the format would be other valid ones in digits: then memo could not know.
        let at = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 0x40;
        }
        fs::write(file, bytes).unwrap();
    });
}

#[test]
fn each_byte_of_what_an_answer_is_read_from() {
    let (sandbox, _) = filled();
    let line = "printf 'old\\n' >in; MEMO_MODE=read-only memo -i in ./small";
    for directory in ["outcomes", "manifests"] {
        for file in files(&sandbox.store().join(directory)) {
            let whole = fs::read(&file).unwrap();
            for at in (0..whole.len()).step_by(whole.len().div_ceil(100).max(1)) {
                let mut bytes = whole.clone();
                bytes[at] ^= 0x01;
                fs::write(&file, bytes).unwrap();
                let ran = sandbox.run(line);
                assert_eq!((ran.code, ran.stdout.as_str()), (0, "old\n"), "byte {at} of {}", file.display());
            }
            fs::write(&file, whole).unwrap();
        }
    }
}

#[test]
fn a_directory_in_the_place_of_a_file() {
    to_each_file(|file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
        fs::write(file.join("in-it"), "").unwrap();
    });
}

#[test]
fn a_file_that_is_removed() {
    to_each_file(|file| fs::remove_file(file).unwrap());
}

#[test]
fn a_file_in_the_place_of_a_directory() {
    let (sandbox, expected) = filled();
    let mut directories = vec![];
    for name in ["manifests", "outcomes", "blobs", "leases", "tmp"] {
        directories.push(sandbox.store().join(name));
        directories
            .extend(fs::read_dir(sandbox.store().join(name)).unwrap().map(|entry| entry.unwrap().path()));
    }
    for directory in directories.into_iter().filter(|path| path.is_dir() || !path.exists()) {
        if directory.is_dir() {
            fs::remove_dir_all(&directory).unwrap();
            fs::write(&directory, "x").unwrap();
            heals(&sandbox, &expected, &directory.display().to_string());
        }
    }
}

#[test]
fn any_part_that_is_removed() {
    let (sandbox, expected) = filled();
    for name in
        ["manifests", "outcomes", "blobs", "leases", "tmp", "journal", "index.db", "generation", "FORMAT"]
    {
        sandbox.ok(&format!("rm -rf $MEMO_DIR/{name}"));
        heals(&sandbox, &expected, name);
    }
    sandbox.ok("rm -rf $MEMO_DIR");
    heals(&sandbox, &expected, "all");
}

#[test]
fn a_lease_with_rubbish_in_it() {
    let sandbox = Sandbox::new();
    sandbox.ok("memo -v puppet bump a");
    let key = files(&sandbox.store().join("manifests"))
        .into_iter()
        .find(|path| path.file_name().unwrap().as_bytes()[0] != b'.')
        .unwrap();
    let lease = sandbox.store().join("leases").join(key.file_name().unwrap());
    for rubbish in [&b""[..], b"\0\0\0\0\0", b"\x03\xff\xff\xff\xff", &[4, 0, 0, 0, 0], &[0xff; 5000]] {
        fs::write(&lease, rubbish).unwrap();
        let runs = sandbox.runs();
        let ran = sandbox.run("memo --refresh puppet bump a");
        assert_eq!((ran.stdout, ran.stderr), (format!("a #{}\n", runs + 1), String::new()));
        nothing_piles_up(&sandbox);
    }
}

#[test]
fn parts_that_are_removed_while_twenty_work() {
    let parts = ["manifests", "outcomes", "blobs", "leases", "tmp", "journal", "generation", "FORMAT", "."];
    for part in parts {
        let sandbox = Sandbox::new();
        sandbox.script("run", "#!/bin/sh\necho $1\npuppet fill 40000\necho $1 >t$$; mv t$$ out$1\n");
        let work = "for i in 1 2 3; do memo -o out$0 ./run $0 | md5sum; cat out$0; done";
        let callers: Vec<Caller> = (0..20)
            .map(|i| Caller::start(sandbox.command("/bin/bash").args(["-c", work]).arg((i % 4).to_string())))
            .collect();
        let path = sandbox.store().join(part);
        for _ in 0..200 {
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            std::thread::yield_now();
        }
        let ended = ends(callers);
        for (i, one) in ended.iter().enumerate() {
            let alone = sandbox.ok(&format!("./run {} | md5sum", i % 4)) + &format!("{}\n", i % 4);
            let ran = Ran {
                code: one.status,
                stdout: String::from_utf8(one.stdout.clone()).unwrap(),
                stderr: one.stderr.clone(),
            };
            assert_eq!(ran.stdout, alone.repeat(3), "{part}: {}", ran.stderr);
            says_little(&ran, 3, part);
        }
        let line = "memo -v -o out0 ./run 0 >/dev/null";
        sandbox.ok(line);
        assert!(sandbox.run(line).is_hit(), "{part}: it is not healed");
        let left = fs::read_dir(sandbox.store().join("leases")).into_iter().flatten().count();
        assert_eq!(left, 0, "{part}");
    }
}

#[test]
fn a_limit_at_each_size() {
    // RLIMIT_FSIZE fails a write as a full disk does, at a size that the test chooses.
    let sandbox = Sandbox::new();
    sandbox.script("run", "#!/bin/sh\ncat in\npuppet fill 40000\necho err >&2\nexit $(cat status)\n");
    for limit in [0, 1, 50, 100, 150, 300, 600, 1000, 4096, 33_000, 40_000, 41_000, 50_000] {
        for status in ["0", "3"] {
            sandbox.ok("memo clear --yes");
            sandbox.write("status", status);
            sandbox.write("in", "first\n");
            sandbox.run("memo -i in -i status ./run");
            sandbox.write("in", "second\n");
            let bare = sandbox.run("./run");
            let place = format!("limit {limit}, status {status}");
            let ran = sandbox.run(format!("exec prlimit --fsize={limit} memo -i in -i status ./run"));
            assert!((ran.code, &ran.stdout) == (bare.code, &bare.stdout), "{place}: {}", ran.stderr);
            let own = Ran { stderr: ran.stderr.replacen("err\n", "", 1), ..ran };
            says_little(&own, 1, &place);
            nothing_piles_up(&sandbox);
            for _ in 0..2 {
                assert_eq!(sandbox.run("memo -i in -i status ./run"), bare, "{place}, then without");
            }
        }
    }
}

#[test]
fn a_limit_on_what_looks_after_the_store() {
    // The index, what is kept beside it, and `usage`: what cannot be written there is done without.
    for limit in [0, 1, 512, 4096, 20_000] {
        let (sandbox, expected) = filled();
        let limited = |line: &str| sandbox.run(format!("exec prlimit --fsize={limit} {line}"));
        let listed = sandbox.ok("memo ls --json | wc -l");
        for fresh in [false, true] {
            if fresh {
                sandbox.ok("rm -f $MEMO_DIR/index.db* $MEMO_DIR/usage");
            }
            let place = format!("limit {limit}, without an index: {fresh}");
            for line in ["memo ls --json", "memo doctor", "memo gc", "memo clear --dry-run --yes"] {
                let ran = limited(line);
                assert_eq!(ran.code, 0, "{place}: `{line}`: {}{}", ran.stdout, ran.stderr);
                says_little(&ran, 1, &format!("{place}: `{line}`"));
                if line.ends_with("json") {
                    assert_eq!(format!("{}\n", ran.stdout.lines().count()), listed, "{place}");
                }
            }
        }
        heals(&sandbox, &expected, &format!("limit {limit}"));
    }
}

/// A small file system of its own, unmounted when it is dropped.
struct Small(PathBuf);

impl Small {
    fn mount(sandbox: &Sandbox, size: usize) -> Option<Self> {
        let path = sandbox.root().join("small");
        fs::create_dir_all(&path).unwrap();
        let options = format!("size={size}k,mode=0700");
        let mount =
            sandbox.command("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).output();
        mount.is_ok_and(|mount| mount.status.success()).then_some(Self(path))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_full() {
    let mut sandbox = Sandbox::new();
    sandbox.script("run", "#!/bin/sh\ncat in\npuppet fill 40000\ncat in >out\n");
    sandbox.set("MEMO_DIR", sandbox.root().join("small/store"));
    for size in [4, 8, 16, 32, 48, 64, 80, 96, 112, 128, 160] {
        let Some(_small) = Small::mount(&sandbox, size) else {
            eprintln!("skipped: no tmpfs can be mounted here");
            return;
        };
        for content in ["first\n", "second\n", "first\n"] {
            sandbox.write("in", content);
            let bare = sandbox.run("./run");
            let _ = fs::remove_file(sandbox.path("out"));
            let ran = sandbox.run("memo -i in -o out ./run");
            let place = format!("{size} KiB, {content}");
            assert!((ran.code, &ran.stdout) == (bare.code, &bare.stdout), "{place}: {}", ran.stderr);
            assert_eq!(sandbox.read("out"), content, "{place}");
            says_little(&ran, 1, &place);
        }
    }
}
