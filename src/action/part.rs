//! The parts of a call, each by itself: what `memo why` compares to say which of them differs.
//!
//! Values of variables and assignments, texts, the output of key commands and stdin are never kept: only a
//! [`Seal`] of each, which says of two values whether they are the same, and nothing to whoever does not have
//! the store's [`Secret`]. Names and paths are kept as they are.

use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::canon::Canon;
use super::digest::Digest;
use super::key::{Action, Stdin, Streams};
use super::name::Name;

/// What a store seals values with: 32 random bytes, so that a value cannot be found by trying likely ones.
#[derive(Clone, Copy)]
pub struct Secret([u8; Self::LENGTH]);

impl Secret {
    /// Length in bytes: that of a key of BLAKE3.
    pub const LENGTH: usize = 32;

    /// Returns the secret with these bytes.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Returns the seal of a part's value.
    fn seal(&self, kind: PartKind, name: &[u8], value: Canon) -> Seal {
        let mut canon = Canon::new("memo-seal/1");
        canon.number(kind as u64).bytes(name).bytes(&value.finish());
        let digest = Digest::keyed(&self.0, &canon.finish());
        let mut seal = [0; Seal::LENGTH];
        seal.copy_from_slice(&digest.as_bytes()[..Seal::LENGTH]);
        Seal(seal)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Stands for a value: the first half of its BLAKE3 digest under a [`Secret`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal([u8; Self::LENGTH]);

impl Seal {
    /// Length in bytes. A seal only tells values apart for whoever asks why; half a digest is enough for that.
    pub const LENGTH: usize = 16;

    /// Returns the seal with these bytes.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Returns the first eight hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Which part of a call; the numbers stand in outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// The command's words.
    Words = 1,
    /// A `NAME=VALUE` before them.
    Assignment = 2,
    /// The working directory, and `$PWD` where that is another name of it.
    Directory = 3,
    /// A chosen environment variable.
    Environment = 4,
    /// A text of `-k`.
    KeyText = 5,
    /// What `--key-cmd` printed.
    KeyCommand = 6,
    /// The instance of a singleton of `--dep-singleton`.
    Singleton = 7,
    /// Standard input.
    Stdin = 8,
    /// Whether stdout and stderr are one, which of them are closed, and the size of the terminal of `--pty`.
    Streams = 9,
    /// The path of the program.
    Program = 10,
    /// What was asked to be observed and kept: `-i`, `-o`, `--depfile`, `--no-auto`, `--no-exe`, `--no-cwd`, `--root`.
    Options = 11,
}

impl PartKind {
    /// All of them, in the order in which they are named.
    pub const ALL: [Self; 11] = [
        Self::Words,
        Self::Assignment,
        Self::Directory,
        Self::Environment,
        Self::KeyText,
        Self::KeyCommand,
        Self::Singleton,
        Self::Stdin,
        Self::Streams,
        Self::Program,
        Self::Options,
    ];

    /// Returns the part with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Returns its name, which is the name of the reason when it differs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Assignment => "assignment",
            Self::Directory => "cwd",
            Self::Environment => "env",
            Self::KeyText => "key-text",
            Self::KeyCommand => "key-cmd",
            Self::Singleton => "singleton",
            Self::Stdin => "stdin",
            Self::Streams => "streams",
            Self::Program => "program",
            Self::Options => "other-options",
        }
    }
}

/// One part of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub kind: PartKind,
    /// The name it goes by, where it has one: of a variable, of a text, an option.
    pub name: Vec<u8>,
    /// As much of the value as may be shown: paths, what stdin was, nothing of a secret.
    pub shown: Vec<u8>,
    /// Of the value, where it may not be shown, or not in full; none where there is none, or no secret.
    pub seal: Option<Seal>,
}

impl Part {
    /// Returns whether the part is passed on but not hashed, by its name.
    pub fn is_ignored(&self) -> bool {
        matches!(self.kind, PartKind::Assignment | PartKind::KeyText) && self.name.starts_with(b"_")
    }

    /// Returns whether two parts have the same value, as far as can be told.
    fn agrees(&self, other: &Self) -> bool {
        let sealed_alike = match (&self.seal, &other.seal) {
            (Some(a), Some(b)) => a == b,
            // One was recorded where the secret could not be read: that says nothing.
            _ => true,
        };
        self.shown == other.shown && sealed_alike
    }
}

/// A part that two calls do not have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// As it was; none where the earlier call had no such part.
    pub old: Option<Part>,
    /// As it is; none where this call has no such part.
    pub new: Option<Part>,
}

impl Apart {
    /// Returns the part that there is.
    pub fn part(&self) -> Option<&Part> {
        self.new.as_ref().or(self.old.as_ref())
    }
}

/// Returns the parts in which two calls differ, in the order of [`PartKind::ALL`]. A kind for which `known`
/// does not hold is left out: nothing is known of it now.
pub fn compare(old: &[Part], new: &[Part], known: impl Fn(PartKind) -> bool) -> Vec<Apart> {
    let same = |a: &Part, b: &Part| a.kind == b.kind && a.name == b.name;
    let mut apart = Vec::new();
    for part in new {
        let before = old.iter().find(|before| same(before, part));
        if before.is_none_or(|before| !before.agrees(part)) {
            apart.push(Apart { old: before.cloned(), new: Some(part.clone()) });
        }
    }
    let gone = old.iter().filter(|before| !new.iter().any(|part| same(before, part)));
    apart.extend(gone.map(|before| Apart { old: Some(before.clone()), new: None }));
    apart.retain(|apart| apart.part().is_some_and(|part| known(part.kind)));
    apart.sort_by_key(|apart| apart.part().map(|part| part.kind));
    apart
}

/// How many bytes of a list of declarations are kept in full.
const MOST_SHOWN: usize = 1 << 10;

impl Action {
    /// Returns the parts of this call, sealed; stdin is left out where it is not known.
    pub fn parts(&self, stdin: Option<Stdin>, secret: Option<&Secret>) -> Vec<Part> {
        let mut parts = Parts { secret, parts: Vec::new() };
        parts.sealed(PartKind::Words, b"", b"", |canon| {
            canon.list(self.words.iter().map(|word| word.as_bytes()));
        });
        for (name, value) in self.effective_assignments() {
            parts.sealed(PartKind::Assignment, name.as_str().as_bytes(), b"", |canon| {
                canon.bytes(value.as_bytes());
            });
        }
        if let Some(directory) = &self.directory {
            parts.open(PartKind::Directory, b"", directory.path.as_os_str().as_bytes());
            if let Some(shell) = &directory.shell {
                parts.open(PartKind::Directory, b"PWD", shell.as_os_str().as_bytes());
            }
        }
        // Those of a terminal are in the key only with one.
        let of_terminal = self.terminal.iter().flat_map(|terminal| &terminal.variables);
        let of_terminal =
            of_terminal.filter(|(name, _)| !self.environment.iter().any(|(known, _)| known == name));
        for (name, value) in self.environment.iter().chain(of_terminal) {
            match value {
                None => parts.open(PartKind::Environment, name.as_bytes(), b"not set"),
                Some(value) => parts.sealed(PartKind::Environment, name.as_bytes(), b"", |canon| {
                    canon.bytes(value.as_bytes());
                }),
            }
        }
        self.texts_by_name(&mut parts);
        let mut commands: Vec<_> = self.key_commands.iter().filter(|(name, _)| !name.is_ignored()).collect();
        commands.sort();
        for group in commands.chunk_by(|a, b| a.0 == b.0) {
            parts.sealed(PartKind::KeyCommand, group[0].0.as_str().as_bytes(), b"", |canon| {
                canon.list(group.iter().map(|(_, digest)| digest.as_bytes().as_slice()));
            });
        }
        for (name, instance) in self.effective_singletons() {
            parts.open(PartKind::Singleton, name.as_bytes(), instance.to_string().as_bytes());
        }
        if let Some(stdin) = stdin {
            parts.stdin(stdin);
        }
        let merged = self.streams == Streams::Merged;
        parts.open(PartKind::Streams, b"", if merged { b"one" } else { b"two" });
        for (closed, name) in self.closed.iter().zip(["stdout", "stderr"]) {
            if *closed {
                parts.open(PartKind::Streams, name.as_bytes(), b"closed");
            }
        }
        if let Some(terminal) = &self.terminal {
            let size = format!("{} columns, {} rows", terminal.columns, terminal.rows);
            parts.open(PartKind::Streams, b"terminal", size.as_bytes());
        }
        if let Some(program) = &self.program {
            parts.open(PartKind::Program, b"", self.below_root(program).as_os_str().as_bytes());
        }
        self.options(&mut parts);
        parts.parts
    }

    fn texts_by_name(&self, parts: &mut Parts<'_>) {
        let mut texts: Vec<_> = self.texts.iter().collect();
        texts.sort();
        for group in texts.chunk_by(|a, b| a.0 == b.0) {
            let name = group[0].0.as_ref().map_or("", Name::as_str);
            parts.sealed(PartKind::KeyText, name.as_bytes(), b"", |canon| {
                canon.list(group.iter().map(|(_, text)| text.as_bytes()));
            });
        }
    }

    fn options(&self, parts: &mut Parts<'_>) {
        let inputs = self.inputs.key_texts();
        let outputs = self.outputs.key_texts();
        for (name, texts) in [("-i", inputs.iter().map(Vec::as_slice).collect::<Vec<_>>()), ("-o", outputs)] {
            if !texts.is_empty() {
                let shown = texts.join(&b' ');
                let shown = &shown[..shown.len().min(MOST_SHOWN)];
                parts.sealed(PartKind::Options, name.as_bytes(), shown, |canon| {
                    canon.list(texts.iter().copied());
                });
            }
        }
        if let Some(depfile) = &self.depfile {
            parts.open(PartKind::Options, b"--depfile", depfile.as_os_str().as_bytes());
        }
        for (given, name) in [
            (!self.auto, "--no-auto"),
            (self.program.is_none(), "--no-exe"),
            (self.directory.is_none(), "--no-cwd"),
            (self.directory.is_some() && self.root.is_some(), "--root"),
        ] {
            if given {
                parts.open(PartKind::Options, name.as_bytes(), b"given");
            }
        }
    }
}

/// Parts under construction.
struct Parts<'a> {
    secret: Option<&'a Secret>,
    parts: Vec<Part>,
}

impl Parts<'_> {
    fn open(&mut self, kind: PartKind, name: &[u8], shown: &[u8]) {
        self.parts.push(Part { kind, name: name.to_vec(), shown: shown.to_vec(), seal: None });
    }

    fn sealed(&mut self, kind: PartKind, name: &[u8], shown: &[u8], value: impl FnOnce(&mut Canon)) {
        let seal = self.secret.map(|secret| {
            let mut canon = Canon::new("value");
            value(&mut canon);
            secret.seal(kind, name, canon)
        });
        self.parts.push(Part { kind, name: name.to_vec(), shown: shown.to_vec(), seal });
    }

    fn stdin(&mut self, stdin: Stdin) {
        let kind = PartKind::Stdin;
        match stdin {
            Stdin::Any => self.open(kind, b"", b"left alone"),
            Stdin::None => self.open(kind, b"", b"empty"),
            Stdin::Closed => self.open(kind, b"", b"closed"),
            Stdin::Terminal => self.open(kind, b"", b"a terminal"),
            Stdin::Idle => self.open(kind, b"", b"a silent pipe"),
            Stdin::File { digest, offset } => self.sealed(kind, b"", b"a file", |canon| {
                canon.bytes(digest.as_bytes()).number(offset);
            }),
            Stdin::Bytes(digest) => self.sealed(kind, b"", b"a pipe", |canon| {
                canon.bytes(digest.as_bytes());
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::input::Inputs;
    use crate::action::instance::InstanceId;
    use crate::action::key::Directory;
    use crate::action::name::split_named;
    use crate::action::output::Outputs;

    const SECRET: Secret = Secret([7; 32]);

    fn action() -> Action {
        let named = |text: &str| split_named(text.as_ref()).unwrap();
        Action {
            words: ["cc", "-c", "a.c"].map(Into::into).to_vec(),
            assignments: vec![named("A=v-one"), named("_T=v-two")],
            directory: Some(Directory { path: "/work".into(), shell: Some("/link".into()) }),
            root: None,
            program: Some("/usr/bin/cc".into()),
            environment: vec![("LANG".into(), Some("v-three".into())), ("TZ".into(), None)],
            texts: vec![(None, "v-four".into()), (Name::new("n"), "v-five".into())],
            key_commands: vec![(Name::new("c").unwrap(), Digest::of(b"v-six"))],
            singletons: vec![("m".into(), InstanceId::from_bytes([1; 16]))],
            inputs: Inputs::parse(&["b".into()]),
            outputs: Outputs::parse([std::ffi::OsStr::new("y")]),
            depfile: None,
            auto: true,
            streams: Streams::Separate,
            closed: [false, false],
            terminal: None,
        }
    }

    fn parts(action: &Action, stdin: Stdin) -> Vec<Part> {
        action.parts(Some(stdin), Some(&SECRET))
    }

    #[test]
    fn a_terminal_is_streams_and_variables() {
        use crate::action::key::Terminal;
        let with = |columns, term: &str| {
            let variables = vec![("TERM".into(), Some(term.into())), ("LANG".into(), Some("v-three".into()))];
            let terminal = Some(Terminal { columns, rows: 24, variables });
            parts(&Action { terminal, ..action() }, Stdin::None)
        };
        let kinds = |old: &[Part], new: &[Part]| {
            compare(old, new, |_| true).iter().map(|apart| apart.part().unwrap().kind).collect::<Vec<_>>()
        };
        let none = parts(&action(), Stdin::None);
        assert_eq!(kinds(&none, &with(80, "xterm")), [PartKind::Environment, PartKind::Streams]);
        assert_eq!(kinds(&with(80, "xterm"), &with(140, "xterm")), [PartKind::Streams]);
        assert_eq!(kinds(&with(80, "xterm"), &with(80, "dumb")), [PartKind::Environment]);
    }

    #[test]
    fn no_value_is_in_the_parts() {
        let stdin = Stdin::Bytes(Digest::of(b"v-seven"));
        let shown = format!("{:?}", parts(&action(), stdin));
        let text = |part: &Part| [part.name.clone(), part.shown.clone()].concat();
        let all = parts(&action(), stdin).iter().flat_map(text).collect::<Vec<u8>>();
        let all = String::from_utf8(all).unwrap();
        for value in ["v-one", "v-two", "v-three", "v-four", "v-five", "v-six", "v-seven"] {
            assert!(!all.contains(value), "{value}: {shown}");
        }
        let other = action().parts(Some(stdin), Some(&Secret([8; 32])));
        let seal =
            |parts: &[Part]| parts.iter().filter_map(|part| part.seal).map(|seal| seal.0).collect::<Vec<_>>();
        assert!(seal(&parts(&action(), stdin)).iter().all(|seal_| !seal(&other).contains(seal_)));
    }

    #[test]
    fn each_part_that_changes_is_the_one_that_differs() {
        let named = |text: &str| split_named(text.as_ref()).unwrap();
        let base = action();
        let with = |change: &dyn Fn(&mut Action)| {
            let mut other = action();
            change(&mut other);
            other
        };
        let cases: Vec<(&str, Action)> = vec![
            ("words/", with(&|a| a.words[2] = "b.c".into())),
            ("assignment/A", with(&|a| a.assignments[0] = named("A=x"))),
            ("assignment/_T", with(&|a| a.assignments[1] = named("_T=x"))),
            ("assignment/B", with(&|a| a.assignments.push(named("B=x")))),
            ("cwd/", with(&|a| a.directory.as_mut().unwrap().path = "/x".into())),
            ("cwd/PWD", with(&|a| a.directory.as_mut().unwrap().shell = None)),
            ("env/LANG", with(&|a| a.environment[0].1 = Some("x".into()))),
            ("env/LANG", with(&|a| a.environment[0].1 = None)),
            ("env/TZ", with(&|a| a.environment[1].1 = Some("".into()))),
            ("key-text/", with(&|a| a.texts.push((None, "x".into())))),
            ("key-text/n", with(&|a| a.texts[1].1 = "x".into())),
            ("key-cmd/c", with(&|a| a.key_commands[0].1 = Digest::of(b"x"))),
            ("singleton/m", with(&|a| a.singletons[0].1 = InstanceId::from_bytes([2; 16]))),
            ("singleton/m", with(&|a| a.singletons.clear())),
            ("singleton/n", with(&|a| a.singletons.push(("n".into(), InstanceId::from_bytes([1; 16]))))),
            ("streams/", with(&|a| a.streams = Streams::Merged)),
            ("streams/stderr", with(&|a| a.closed[1] = true)),
            ("program/", with(&|a| a.program = Some("/bin/cc".into()))),
            ("other-options/-i", with(&|a| a.inputs = Inputs::parse(&["c".into()]))),
            ("other-options/-o", with(&|a| a.outputs = Outputs::default())),
            ("other-options/--depfile", with(&|a| a.depfile = Some("d".into()))),
            ("other-options/--no-auto", with(&|a| a.auto = false)),
            ("other-options/--root", with(&|a| a.root = Some("/root".into()))),
        ];
        let named = |apart: &[Apart]| {
            let part = |apart: &Apart| {
                let part = apart.part().unwrap();
                format!("{}/{}", part.kind.name(), String::from_utf8_lossy(&part.name))
            };
            apart.iter().map(part).collect::<Vec<_>>().join(" ")
        };
        let old = parts(&base, Stdin::None);
        for (expected, other) in cases {
            assert_eq!(named(&compare(&old, &parts(&other, Stdin::None), |_| true)), expected);
            assert_eq!(named(&compare(&parts(&other, Stdin::None), &old, |_| true)), expected);
            let in_key = base.keys().with(Stdin::None) != other.keys().with(Stdin::None);
            assert_eq!(in_key, expected != "assignment/_T", "{expected}");
        }
        let new = parts(&base, Stdin::Bytes(Digest::of(b"x")));
        assert_eq!(named(&compare(&old, &new, |_| true)), "stdin/");
        assert_eq!(named(&compare(&old, &new, |kind| kind != PartKind::Stdin)), "");
        let without_secret = base.parts(Some(Stdin::None), None);
        assert_eq!(named(&compare(&old, &without_secret, |_| true)), "", "nothing is known of values");
    }

    #[test]
    fn numbers_stand_for_kinds() {
        for kind in PartKind::ALL {
            assert_eq!(PartKind::from_number(kind as u8), Some(kind));
        }
        assert_eq!(PartKind::from_number(0), None);
    }
}
