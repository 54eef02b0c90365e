//! The readers of all that the store and the configuration have on disk, given real files that were
//! damaged: none panics, and none allocates more than its input's size class.
//!
//! `fuzz/` goes by coverage and for longer, but needs a nightly compiler. These are property tests that run
//! everywhere: a generator without randomness (xorshift), thousands of mutations of real files, and an
//! allocator that counts. A manifest's checksum is made right again after most mutations, so that what stands
//! behind it is reached.
//!
//! `MEMO_MUTATIONS=N` makes N of each instead of a few thousand.

#![expect(unsafe_code, reason = "an allocator that counts is one")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod allocated;

use std::ffi::OsString;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use memo::action::depfile;
use memo::action::digest::Digest;
use memo::action::identity::Timestamp;
use memo::action::key::ActionKey;
use memo::config::command_pattern::CommandLine;
use memo::config::{Config, Environment, Place};
use memo::singleton::dependencies::Kept;
use memo::singleton::framing::{Framing, Replies};
use memo::singleton::message::{self, Busy, Reply, Request};
use memo::singleton::release::Release;
use memo::singleton::service::Service;
use memo::singleton::slot::Record;
use memo::singleton::verdict::{Last, Why};
use memo::singleton::{listeners, notify};
use memo::store::Store;
use memo::store::holder::Holder;
use memo::store::index::Index;
use memo::store::journal;
use memo::store::lease::{Lease, Taken};
use memo::store::manifest::Manifest;
use memo::store::outcome::Outcome;
use memo::store::verdict::Verdict;

/// How much reading so many bytes may allocate: the items of a list are larger in memory than on disk.
fn allowed(input: usize) -> usize {
    64 * input + (64 << 10)
}

/// Runs a reader; returns the most it had allocated at once.
#[track_caller]
fn check<T>(what: &str, input: &[u8], read: impl FnOnce() -> T) -> T {
    let (result, peak) = allocated::at_most(|| catch_unwind(AssertUnwindSafe(read)));
    let result = result.unwrap_or_else(|_| panic!("{what} panics on {}", input.escape_ascii()));
    assert!(
        peak <= allowed(input.len()),
        "{what}: {peak} bytes for {}: {}",
        input.len(),
        input.escape_ascii()
    );
    result
}

/// Numbers that look random and are the same each time (Marsaglia's xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    /// Damages bytes in one to four ways.
    fn damage(&mut self, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(8) {
                0 | 1 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                2 if !bytes.is_empty() => bytes[at] = self.next() as u8,
                3 => bytes.truncate(at),
                4 => {
                    // A length field blown up, in either encoding.
                    let length: &[u8] = match self.below(4) {
                        0 => &[0xff; 4],
                        1 => &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                        2 => &[0xff, 0xff, 0xff, 0x7f],
                        _ => &[0xff, 0x7f],
                    };
                    let end = (at + length.len()).min(bytes.len());
                    bytes.splice(at..end, length.iter().copied());
                }
                5 => {
                    let other = &others[self.below(others.len())];
                    let from = self.below(other.len());
                    let to = from + self.below((other.len() - from).min(64));
                    bytes.splice(at..at, other[from..to].iter().copied());
                }
                6 => {
                    let end = at + self.below((bytes.len() - at).min(64));
                    bytes.drain(at..end);
                }
                _ => {
                    let end = at + self.below((bytes.len() - at).min(64));
                    let part = bytes[at..end].to_vec();
                    bytes.extend(part);
                }
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long the test runs is the caller's choice")]
fn mutations() -> usize {
    std::env::var("MEMO_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(2000)
}

/// Each mutation of some files.
fn mutated(files: &[Vec<u8>], count: usize, mut each: impl FnMut(Vec<u8>)) {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for i in 0..count {
        let mut bytes = files[i % files.len()].clone();
        if i >= files.len() {
            numbers.damage(&mut bytes, files);
        }
        each(bytes);
    }
}

/// A store that memo itself has filled, removed in the end.
struct Real(PathBuf);

impl Real {
    fn new(name: &str) -> Self {
        let root = fs::canonicalize(std::env::temp_dir()).unwrap();
        let root = root.join(format!("memo-readers-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("work/tree/below")).unwrap();
        let real = Self(root);
        let line = "set -e; echo 1 >in; memo -k a=b -i in -i tree -i 'tree/*' -i '!tree/x' --ttl 1h sh -c 'cat in; echo e >&2'
            echo 2 >in; memo -k a=b -i in -i tree -i 'tree/*' -i '!tree/x' --ttl 1h sh -c 'cat in; echo e >&2'
            ln -s in link; A=1 memo _B=2 C=3 cat in link tree absent || true
            memo -o out sh -c 'echo o >out'; memo -o out sh -c 'echo o >out'; memo --cache-exit 0,3 sh -c 'exit 3' || true
            echo piped | memo cat; memo cat <in; memo sh -c 'cat /proc/self/maps; yes | head -c 100000'; memo -- ls -d tree in";
        let ran = Command::new("/bin/bash").args(["-c", line]).output_in(&real);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        real
    }

    fn store(&self) -> PathBuf {
        self.0.join("store")
    }

    fn files(&self, directory: &str) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(directory: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(directory).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, found);
                } else if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    found.push((path.clone(), fs::read(&path).unwrap()));
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.store().join(directory), &mut found);
        found.sort();
        found
    }
}

trait Inside {
    fn output_in(&mut self, real: &Real) -> std::process::Output;
}

impl Inside for Command {
    fn output_in(&mut self, real: &Real) -> std::process::Output {
        let memo = Path::new(env!("CARGO_BIN_EXE_memo")).parent().unwrap();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", memo.display());
        self.env_clear().env("PATH", path).env("HOME", &real.0).env("MEMO_DIR", real.store());
        self.current_dir(real.0.join("work")).stdin(std::process::Stdio::null()).output().unwrap()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(path: &Path) -> ActionKey {
    let name = path.file_name().unwrap().to_str().unwrap();
    let byte = |i: usize| u8::from_str_radix(&name[2 * i..2 * i + 2], 16).unwrap();
    ActionKey::from_bytes(std::array::from_fn(byte))
}

#[test]
fn manifests_and_the_outcomes_in_them() {
    let real = Real::new("manifests");
    let files = real.files("manifests");
    assert!(files.len() >= 8);
    let keys: Vec<ActionKey> = files.iter().map(|(path, _)| key(path)).collect();
    let contents: Vec<Vec<u8>> = files.into_iter().map(|(_, bytes)| bytes).collect();
    for (bytes, key) in contents.iter().zip(&keys) {
        let manifest = check("a manifest", bytes, || Manifest::decode(bytes, key, None)).unwrap();
        assert_eq!(Manifest::decode(&manifest.encode(None), key, None), Ok(manifest), "it is read back");
    }
    let mut sealed = false;
    let mut whole = 0;
    mutated(&contents, 2 * mutations(), |mut bytes| {
        sealed = !sealed;
        if sealed && bytes.len() > Digest::LENGTH {
            let content = bytes.len() - Digest::LENGTH;
            let digest = Digest::of(&bytes[..content]);
            bytes[content..].copy_from_slice(digest.as_bytes());
        }
        let root = Path::new("/root");
        let manifest = check("a manifest", &bytes, || Manifest::decode_any(&bytes, Some(root)));
        let Ok(mut manifest) = manifest else { return };
        whole += 1;
        for entry in &manifest.entries {
            assert!(manifest.observations(entry).count() < bytes.len());
            if let Some(body) = &entry.body {
                let _ = check("an outcome", body, || Outcome::decode(body));
            }
        }
        // What was read can be changed and written.
        manifest.remove(|entry| entry.exit == 0);
        let again = manifest.encode(Some(root));
        assert_eq!(Manifest::decode_any(&again, Some(root)), Ok(manifest));
    });
    assert!(whole > contents.len(), "the mutations reach nothing but the checksum");
}

#[test]
fn a_list_of_the_smallest_items_is_in_the_size_class_too() {
    let real = Real::new("dense");
    let (_, bytes) = real.files("manifests").swap_remove(0);
    // The key, nothing known of stdin, one subject that was absent, with as many states as can be.
    let head = &bytes[..8 + 32];
    let count = 60_000_u32;
    let varint = |mut n: u32| {
        let mut out = Vec::new();
        while n > 0x7f {
            out.push((n & 0x7f) as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
        out
    };
    for dense in [
        [&[0, 0, 1, 3, 0, 1, b'x'][..], &varint(count), &vec![1; count as usize], &[0]].concat(),
        [&[0, 0][..], &varint(count / 4), &[3, 0, 0, 0].repeat(count as usize / 4), &[0]].concat(),
        [&[0][..], &varint(count), &vec![0; count as usize]].concat(),
    ] {
        let mut bytes = [head, &dense].concat();
        let digest = Digest::of(&bytes);
        bytes.extend_from_slice(digest.as_bytes());
        let (read, peak) = allocated::at_most(|| Manifest::decode_any(&bytes, None));
        // A state is up to a hundred bytes in memory, and a vector that grows is there twice.
        assert!(peak <= 400 * bytes.len(), "{peak} bytes for {}", bytes.len());
        drop(read);
    }
}

#[test]
fn outcomes() {
    let real = Real::new("outcomes");
    let mut contents: Vec<Vec<u8>> = real.files("outcomes").into_iter().map(|(_, bytes)| bytes).collect();
    for (path, bytes) in real.files("manifests") {
        let manifest = Manifest::decode(&bytes, &key(&path), None).unwrap();
        contents.extend(manifest.entries.into_iter().filter_map(|entry| entry.body));
    }
    assert!(contents.len() >= 6);
    mutated(&contents, 2 * mutations(), |bytes| {
        if let Ok(outcome) = check("an outcome", &bytes, || Outcome::decode(&bytes)) {
            let (_, again) = outcome.encode();
            assert_eq!(Outcome::decode(&again), Ok(outcome));
        }
    });
}

#[test]
fn journals() {
    let real = Real::new("journals");
    let content = fs::read(real.store().join("journal")).unwrap();
    let before = journal::records(&content).count();
    assert!(before >= 8);
    mutated(&[content], mutations(), |bytes| {
        let records = check("a journal", &bytes, || journal::records(&bytes).collect::<Vec<_>>());
        assert!(records.len() <= bytes.len() / journal::Record::LENGTH);
    });
    mutated(&[[0_u8; 160].to_vec(), b"mjr2".repeat(40)], mutations(), |bytes| {
        let bytes = bytes.repeat(50);
        check("a journal of rubbish", &bytes, || journal::records(&bytes).collect::<Vec<_>>());
    });
}

#[test]
fn leases() {
    let directory = std::env::temp_dir().join(format!("memo-readers-{}-leases", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("lease");
    let mut contents = Vec::new();
    for verdict in [Verdict::Recorded, Verdict::Status(3), Verdict::Void, Verdict::Unshared] {
        let Ok(Taken::Ours(mut lease)) = Lease::take(&path) else { panic!("it is free") };
        contents.push(fs::read(&path).unwrap());
        let written = lease.write_transcript(b"\x01\x02\0\0\0hi\x04\0\0\0\0\x02\x01\0\0\0x").unwrap();
        lease.conclude(verdict, Some(&written)).unwrap();
        contents.push(fs::read(&path).unwrap());
    }
    mutated(&contents, mutations(), |bytes| {
        fs::write(&path, "").unwrap();
        let holder = File::open(&path).unwrap();
        holder.lock().unwrap();
        check("a lease", &bytes, || {
            let Ok(Taken::Held(waiter)) = Lease::take(&path) else { panic!("it is held") };
            // Now: a verdict that was there before answers nobody.
            fs::write(&path, &bytes).unwrap();
            let _ = (waiter.holder(), waiter.is_stuck());
            holder.unlock().unwrap();
            assert!(waiter.wait(Duration::from_secs(60)).unwrap());
            let verdict = waiter.verdict();
            let transcript = waiter.into_transcript();
            assert!(transcript.is_none() || verdict.is_some());
            // Its file is locked.
            drop(transcript);
            holder.lock().unwrap();
            let Ok(Taken::Held(late)) = Lease::take(&path) else { panic!("it is held") };
            assert!(late.verdict().is_none() && late.into_transcript().is_none());
            holder.unlock().unwrap();
        });
        // Whoever comes next begins anew.
        assert!(matches!(Lease::take(&path), Ok(Taken::Ours(_))));
    });
    let holder = Holder::me().encode();
    mutated(&[holder], mutations(), |bytes| {
        if let Ok(holder) = check("a holder", &bytes, || Holder::decode(&bytes)) {
            // A number can be spelled in more bytes than it needs.
            assert_eq!(Holder::decode(&holder.encode()), Ok(holder));
        }
    });
    mutated(&[Verdict::Status(3).encode(&Digest::of(b"x")).to_vec()], mutations(), |bytes| {
        if let Ok(bytes) = bytes.try_into() {
            let _ = Verdict::decode(&bytes);
        }
    });
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn depfiles() {
    let contents: Vec<Vec<u8>> = [
        &b"lapi.o: lapi.c lua.h \\\n luaconf.h\nlua.h:\nluaconf.h:\n"[..],
        b"o\\ u:t.o x\\:y.o: a\\ b\\#c$$d:e.h two\\\\\\\\\\ sp.h \\\r\n tab\\\there.h colon: \\#lead.h\r\ncolon::\r\n",
        b"m.d: m.rs q\\ r#s.rs\n\nm.rs:\nq\\ r#s.rs:\n\n# env-dep:HOME=/root\n# checksum:x\n",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    let mut rules = 0;
    mutated(&contents, 4 * mutations(), |bytes| {
        let found = check("a depfile", &bytes, || depfile::prerequisites(&bytes));
        let Ok(found) = found else { return };
        rules += 1;
        let length: usize = found.iter().map(|path| path.as_os_str().len()).sum();
        assert!(length <= bytes.len(), "{}", bytes.escape_ascii());
        // Written as gcc would, they are read back.
        let again: Vec<u8> = found.iter().flat_map(|path| escaped(path)).collect();
        let again = [b"x:".to_vec(), again, b"\n".to_vec()].concat();
        assert_eq!(depfile::prerequisites(&again), Ok(found), "{}", bytes.escape_ascii());
    });
    assert!(rules > contents.len(), "no mutation is a depfile");
    // What a parser with no end would choke on.
    for unit in [&b"\\"[..], b"\\\r", b"\\\n", b":", b"a: b\n", b"#", b"$", b"\0", b"\\ ", b"\\:"] {
        let bytes = [b"x: ", unit.repeat(100_000).as_slice()].concat();
        let _ = check("a long depfile", &bytes, || depfile::prerequisites(&bytes));
        let _ = check("a long depfile", &bytes[3..], || depfile::prerequisites(&bytes[3..]));
    }
}

/// Returns a path as gcc's mkdeps.cc writes it behind a space; a line end, which it cannot write, stays.
fn escaped(path: &Path) -> Vec<u8> {
    let mut out = b" ".to_vec();
    let bytes = path.as_os_str().as_encoded_bytes();
    for (i, &byte) in bytes.iter().enumerate() {
        let before = bytes[..i].iter().rev().take_while(|byte| **byte == b'\\').count();
        match byte {
            b' ' | b'\t' => out.resize(out.len() + before + 1, b'\\'),
            b'#' => out.push(b'\\'),
            b'$' => out.push(b'$'),
            _ => {}
        }
        out.push(byte);
    }
    // gcc leaves these as they are, and the space behind would be taken for theirs.
    let last = bytes.iter().rev().take_while(|byte| **byte == b'\\').count();
    out.resize(out.len() + last, b'\\');
    out
}

#[test]
fn the_fold_and_the_index_over_damaged_files() {
    let real = Real::new("fold");
    let user = rustix::process::geteuid().as_raw();
    let journal = fs::read(real.store().join("journal")).unwrap();
    let manifests = real.files("manifests");
    let contents: Vec<Vec<u8>> = manifests.iter().map(|(_, bytes)| bytes.clone()).collect();
    let mut i = 0;
    mutated(&contents, mutations() / 40, |bytes| {
        let mut other = Numbers(i as u64 + 1);
        let mut damaged = journal.clone();
        other.damage(&mut damaged, &contents);
        fs::write(real.store().join("journal"), damaged).unwrap();
        let mut bytes = bytes;
        if bytes.len() > Digest::LENGTH {
            let content = bytes.len() - Digest::LENGTH;
            let digest = Digest::of(&bytes[..content]);
            bytes[content..].copy_from_slice(digest.as_bytes());
        }
        fs::write(&manifests[i % manifests.len()].0, bytes).unwrap();
        i += 1;
        let store = Store::open(&real.store(), user, None).unwrap();
        let mut index = Index::open(&store, Timestamp(1 << 60)).unwrap();
        index.rows().unwrap();
        index.total().unwrap();
        index.counts(None).unwrap();
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a project is looked for from where the process is")]
fn configuration() {
    let directory = std::env::temp_dir().join(format!("memo-readers-{}-config", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(directory.join("memo")).unwrap();
    let path = directory.join("memo/config.toml");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config/default.toml");
    let mut contents = vec![fs::read(shipped).unwrap()];
    let examples = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples")).unwrap();
    contents.extend(examples.map(|example| fs::read(example.unwrap().path()).unwrap()));
    contents.push(b"[[rule]]\nmatch = ['a b', './c*']\ninput = ['d/*.h', '!*.o', '_n=x']\nttl = 5\nstdin = 'none'\n[[rule]]\nmatch = '*'\nkey = 'v=1'\n".to_vec());
    contents.push(b"ttl = \"1d\"\nmode = 'read-only'\ncache-exit = [0, 3]\nenv = [\"A\", \"!B*\"]\nmax-size = \"5GB\"\n".to_vec());
    let variables = |name: &str, value: &Path| vec![(name.into(), value.as_os_str().to_owned())];
    let environment = Environment::new(variables("XDG_CONFIG_HOME", &directory));
    let outside = Place { directory: Some("/".into()), shell: None };
    // The same bytes as a project's file, which is looked for from the working directory.
    let here = std::env::current_dir().unwrap();
    let inside = Place { directory: Some(directory.join("a")), shell: None };
    fs::create_dir_all(directory.join("a")).unwrap();
    std::env::set_current_dir(directory.join("a")).unwrap();
    let mut projects = 0;
    let words = ["a", "b", "x.py"].map(OsString::from);
    let line = CommandLine { program: Path::new("a"), words: &words, directory: inside.directory.as_deref() };
    mutated(&contents, mutations() / 10, |bytes| {
        for (path, place, environment) in [
            (&path, &outside, &environment),
            (&directory.join("memo.toml"), &inside, &Environment::default()),
        ] {
            fs::write(path, &bytes).unwrap();
            let mut warnings = Vec::new();
            // A parser of a language needs more for a byte than a decoder, and each line may be warned of.
            let larger = vec![0; bytes.len() * 16];
            check("a configuration", &larger, || {
                let config = Config::load(environment, place, &mut |warning| warnings.push(warning));
                projects += usize::from(config.project.is_some());
                let ruled = config.ruled(line);
                assert!(ruled.origins.len() <= config.rules.len());
                let _ = (config.build_driver(line), config.settings());
            });
            assert!(warnings.len() <= bytes.iter().filter(|byte| **byte == b'\n').count() + 1);
        }
    });
    std::env::set_current_dir(here).unwrap();
    assert!(projects > 0, "some are read as a project's");
    fs::remove_dir_all(directory).unwrap();
}

/// What a singleton has on disk, and what is said over its socket.
#[test]
fn singletons() {
    let real = Real::new("singletons");
    let memo = |words: &[&str]| {
        let mut memo = Command::new(env!("CARGO_BIN_EXE_memo"));
        memo.env_clear()
            .env("MEMO_DIR", real.0.join("store"))
            .env("PATH", "/usr/bin:/bin")
            .current_dir(&real.0);
        assert!(memo.arg("singleton").args(words).output().unwrap().status.success(), "{words:?}");
    };
    let slot = real.0.join("store/singleton/global/x");
    let words =
        ["--global", "--on-release", "true", "-i", ".", "-k", "v=1", "-e", "A", "--", "sleep", "9000"];
    memo(&[&["x"], &words[..]].concat());
    let running: Vec<Vec<u8>> =
        ["lock", "deps", "release"].map(|name| fs::read(slot.join(name)).unwrap()).to_vec();
    memo(&["stop", "--global", "x"]);
    let last = fs::read(slot.join("last")).unwrap();
    assert!(Record::decode(&running[0]).is_ok() && Kept::decode(&running[1]).is_ok());
    assert!(Release::decode(&running[2]).is_ok() && Last::decode(&last).is_ok());
    mutated(&[running, vec![last]].concat(), mutations(), |bytes| {
        let _ = check("a record", &bytes, || Record::decode(&bytes));
        let _ = check("dependencies", &bytes, || Kept::decode(&bytes));
        let _ = check("a release", &bytes, || Release::decode(&bytes));
        let _ = check("an end", &bytes, || Last::decode(&bytes));
        let _ = check("a service", &bytes, || Service::decode(&bytes));
    });
    let stop = Request::Stop { instance: None, why: Why::Replaced, grace: None, busy: Busy::Wait };
    let said = [stop.encode(), Request::Status.encode(), Request::Call(b"{}".to_vec()).encode()];
    let answered =
        [Reply::Gone.encode(), Reply::Refused("no".into()).encode(), Reply::Answer(b"x".to_vec()).encode()];
    mutated(&[said, answered].concat(), mutations(), |bytes| {
        check("messages", &bytes, || {
            let mut arrived = bytes.clone();
            while let Ok(Some(frame)) = message::take(&mut arrived) {
                let _ = (Request::decode(&frame), Reply::decode(&frame));
            }
        });
    });
    let replies: [&[u8]; 3] =
        [b"a line\n", b"{\"a\": [1, \"x\\n\"]}\n", b"Content-Length: 2\r\nX: y\r\n\r\n{}"];
    mutated(&replies.map(<[u8]>::to_vec), mutations(), |bytes| {
        for framing in [Framing::Line, Framing::Json, Framing::Lsp] {
            let _ = check("a reply", &bytes, || Replies::new(framing, 1 << 16).push(&bytes));
            let _ = check("a request", &bytes, || framing.request(&bytes));
        }
    });
    let table = fs::read("/proc/net/tcp").unwrap();
    mutated(&[b"READY=1\nSTATUS=x\nEXTEND_TIMEOUT_USEC=5\n".to_vec(), table], mutations(), |bytes| {
        check("notices", &bytes, || notify::parse(&bytes));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        check("a table of sockets", text.as_bytes(), || listeners::parse(&text));
    });
}
