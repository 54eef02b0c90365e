//! The ActionKey: the digest of everything about a call that is known without looking at content.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::canon::Canon;
use super::digest::Digest;
use super::environment::Chosen;
use super::input::Inputs;
use super::instance::InstanceId;
use super::name::Name;
use super::output::Outputs;

/// The format of the encoding. A change to what goes in, or how, changes this name.
const FORMAT: &str = "memo-action/2";
/// The format of [`Action::call_digest`].
const CALL_FORMAT: &str = "memo-call/1";

/// The SHA-256 of an [`Action`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionKey([u8; 32]);

impl ActionKey {
    /// Returns the key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the key with this hexadecimal name, of 64 digits.
    pub fn from_hex(name: &str) -> Option<Self> {
        Digest::from_hex(name).map(|digest| Self(*digest.as_bytes()))
    }
}

impl fmt::Display for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for ActionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActionKey({self})")
    }
}

/// The working directory of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// What getcwd(3) says; relative to the root where there is one.
    pub path: PathBuf,
    /// `$PWD`, when it names the same place by another path.
    pub shell: Option<PathBuf>,
}

/// Whether the command's stdout and stderr are one open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Two, or a terminal.
    Separate,
    /// One: their common order is kept.
    Merged,
}

/// A terminal, as far as what is written to one depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Its width in columns.
    pub columns: u16,
    /// Its height in rows.
    pub rows: u16,
    /// The variables that say what it is and whether colours are wanted.
    pub variables: Vec<Chosen>,
}

/// Standard input, as far as it is in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// Left out: under this key stands what is known of the action whatever its stdin is.
    Any,
    /// `/dev/null`, `-n`, or the end at once.
    None,
    /// Closed.
    Closed,
    /// A terminal.
    Terminal,
    /// A pipe that stays open and silent.
    Idle,
    /// A regular file, read from an offset in bytes.
    File {
        /// Of the whole file.
        digest: Digest,
        /// Where the command begins to read.
        offset: u64,
    },
    /// All that came out of a pipe or socket.
    Bytes(Digest),
}

/// A call, field by field: what is in the key says so.
#[derive(Clone, Debug)]
pub struct Action {
    /// The command's words, the first one included. In the key, byte for byte.
    pub words: Vec<OsString>,
    /// `NAME=VALUE` words before the command. In the key, unless the name begins with `_`.
    pub assignments: Vec<(Name, OsString)>,
    /// The working directory. In the key; `None` with `--no-cwd`.
    pub directory: Option<Directory>,
    /// Whether `--root` was given: paths below it are then kept relative to it. In the key through
    /// `directory`.
    pub root: Option<PathBuf>,
    /// The program's file. Its path is in the key, its content in the manifest; `None` with `--no-exe`.
    pub program: Option<PathBuf>,
    /// Chosen environment variables. In the key.
    pub environment: Vec<Chosen>,
    /// `-k`. In the key, unless the name begins with `_`.
    pub texts: Vec<(Option<Name>, OsString)>,
    /// What `--key-cmd` printed. In the key.
    pub key_commands: Vec<(Name, Digest)>,
    /// `--dep-singleton`: each with the instance that ran under this name at the start. In the key.
    pub singletons: Vec<(String, InstanceId)>,
    /// `-i`. As typed in the key, unless the name begins with `_`; content in the manifest.
    pub inputs: Inputs,
    /// `-o`. As typed in the key: an outcome without the output cannot answer.
    pub outputs: Outputs,
    /// `--depfile`, which is one of the outputs too. As typed in the key; what it names is in the manifest.
    pub depfile: Option<PathBuf>,
    /// Whether words are looked at as file names. In the key.
    pub auto: bool,
    /// Whether stdout and stderr are one. In the key.
    pub streams: Streams,
    /// The terminal that `--pty` gives the command. In the key.
    pub terminal: Option<Terminal>,
    /// Which of stdout and stderr were closed. In the key: what was never written cannot be replayed.
    pub closed: [bool; 2],
}

impl Action {
    /// Returns the keys of this action, but for stdin.
    pub fn keys(&self) -> Keys {
        let mut canon = Canon::new(FORMAT);
        canon.tag("words").list(self.words.iter().map(|word| word.as_bytes()));
        let mut assignments = self.effective_assignments();
        assignments.retain(|(name, _)| !name.is_ignored());
        assignments.sort();
        canon.tag("assignments").number(assignments.len() as u64);
        for (name, value) in assignments {
            canon.bytes(name.as_str().as_bytes()).bytes(value.as_bytes());
        }
        canon.tag("directory");
        match &self.directory {
            None => _ = canon.number(0),
            Some(directory) => {
                canon.number(1 + u64::from(self.root.is_some()));
                canon.bytes(path(&directory.path)).optional(directory.shell.as_deref().map(path));
            }
        }
        canon.tag("program").optional(self.program.as_deref().map(|program| path(self.below_root(program))));
        canon.tag("environment").number(self.environment.len() as u64);
        for (name, value) in &self.environment {
            canon.bytes(name.as_bytes()).optional(value.as_ref().map(|value| value.as_bytes()));
        }
        let mut texts: Vec<_> = self.texts.iter().filter(|(name, _)| !ignored(name.as_ref())).collect();
        texts.sort();
        canon.tag("texts").number(texts.len() as u64);
        for (name, text) in texts {
            canon.optional(name.as_ref().map(|name| name.as_str().as_bytes())).bytes(text.as_bytes());
        }
        let mut commands: Vec<_> = self.key_commands.iter().filter(|(name, _)| !name.is_ignored()).collect();
        commands.sort();
        canon.tag("key-commands").number(commands.len() as u64);
        for (name, digest) in commands {
            canon.bytes(name.as_str().as_bytes()).bytes(digest.as_bytes());
        }
        canon.tag("inputs").list(self.inputs.key_texts().iter().map(Vec::as_slice));
        canon.tag("outputs").list(self.outputs.key_texts().into_iter());
        canon.tag("depfile").optional(self.depfile.as_deref().map(path));
        canon.tag("auto").number(u64::from(self.auto));
        canon.tag("closed").number(u64::from(self.closed[0]) | u64::from(self.closed[1]) << 1);
        // This and what follows are written only where there is one, so that no other key changed when it came.
        if let Some(terminal) = &self.terminal {
            canon.tag("terminal").number(terminal.columns.into()).number(terminal.rows.into());
            canon.number(terminal.variables.len() as u64);
            for (name, value) in &terminal.variables {
                canon.bytes(name.as_bytes()).optional(value.as_ref().map(|value| value.as_bytes()));
            }
        }
        let singletons = self.effective_singletons();
        if !singletons.is_empty() {
            canon.tag("singletons").number(singletons.len() as u64);
            for (name, instance) in singletons {
                canon.bytes(name.as_bytes()).bytes(instance.as_bytes());
            }
        }
        Keys { canon, streams: self.streams }
    }

    /// Returns the digest of words, assignments and directory: what `memo clear -- CMD` goes by.
    pub fn call_digest(&self) -> Digest {
        call_digest(
            &self.words,
            &self.effective_assignments(),
            self.directory.as_ref().map(|d| d.path.as_path()),
        )
    }

    /// Returns the assignments the command gets: of a repeated name the last.
    pub fn effective_assignments(&self) -> Vec<(Name, OsString)> {
        effective(&self.assignments)
    }

    /// Returns the singletons in the order of their names, each once.
    pub fn effective_singletons(&self) -> Vec<&(String, InstanceId)> {
        let mut singletons: Vec<_> = self.singletons.iter().collect();
        singletons.sort();
        singletons.dedup();
        singletons
    }

    /// Returns a path relative to the root when it lies below it.
    pub fn below_root<'a>(&self, path: &'a Path) -> &'a Path {
        self.root.as_ref().and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path)
    }
}

/// Returns the assignments the command gets: of a repeated name the last.
pub fn effective(assignments: &[(Name, OsString)]) -> Vec<(Name, OsString)> {
    let mut out: Vec<(Name, OsString)> = Vec::new();
    for (name, value) in assignments {
        out.retain(|(other, _)| other != name);
        out.push((name.clone(), value.clone()));
    }
    out
}

/// Returns the digest of words, assignments and directory, whatever options and stdin.
pub fn call_digest(words: &[OsString], assignments: &[(Name, OsString)], directory: Option<&Path>) -> Digest {
    let mut canon = Canon::new(CALL_FORMAT);
    canon.list(words.iter().map(|word| word.as_bytes()));
    let mut assignments: Vec<_> =
        effective(assignments).into_iter().filter(|(name, _)| !name.is_ignored()).collect();
    assignments.sort();
    canon.number(assignments.len() as u64);
    for (name, value) in &assignments {
        canon.bytes(name.as_str().as_bytes()).bytes(value.as_bytes());
    }
    canon.optional(directory.map(path));
    Digest::from_bytes(canon.finish())
}

/// The keys of one action for every stdin it may have.
#[derive(Clone, Debug)]
pub struct Keys {
    canon: Canon,
    streams: Streams,
}

impl Keys {
    /// Returns the key for a stdin.
    pub fn with(&self, stdin: Stdin) -> ActionKey {
        self.with_streams(stdin, self.streams)
    }

    /// Returns the key for a stdin and for streams other than the action's own: on `/dev/null` either
    /// answers.
    pub fn with_streams(&self, stdin: Stdin, streams: Streams) -> ActionKey {
        let mut canon = self.canon.clone();
        canon.tag("streams").number(match streams {
            Streams::Separate => 0,
            Streams::Merged => 1,
        });
        canon.tag("stdin");
        match stdin {
            Stdin::Any => canon.number(0),
            Stdin::None => canon.number(1),
            Stdin::Closed => canon.number(2),
            Stdin::Terminal => canon.number(3),
            Stdin::Idle => canon.number(4),
            Stdin::File { digest, offset } => canon.number(5).bytes(digest.as_bytes()).number(offset),
            Stdin::Bytes(digest) => canon.number(6).bytes(digest.as_bytes()),
        };
        ActionKey(canon.finish())
    }
}

fn path(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn ignored(name: Option<&Name>) -> bool {
    name.is_some_and(Name::is_ignored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::name::split_named;

    fn action() -> Action {
        let named = |text: &str| split_named(text.as_ref()).unwrap();
        Action {
            words: ["cc", "-c", "a.c"].map(OsString::from).to_vec(),
            assignments: vec![named("B=2"), named("A=1"), named("_T=x"), named("B=3")],
            directory: Some(Directory { path: "/work".into(), shell: Some("/link".into()) }),
            root: None,
            program: Some("/usr/bin/cc".into()),
            environment: vec![("LANG".into(), Some("C".into())), ("TZ".into(), None)],
            texts: vec![(None, "t".into()), (Name::new("n"), "u".into()), (Name::new("_n"), "v".into())],
            key_commands: vec![(Name::new("c").unwrap(), Digest::of(b"out"))],
            singletons: Vec::new(),
            inputs: Inputs::parse(&["b".into(), "./a".into(), "!*.o".into(), "_i=c".into()]),
            outputs: Outputs::parse(["y", "x"].map(std::ffi::OsStr::new)),
            depfile: Some("d".into()),
            auto: true,
            streams: Streams::Separate,
            terminal: None,
            closed: [false, true],
        }
    }

    fn key(action: &Action) -> ActionKey {
        action.keys().with(Stdin::None)
    }

    /// What changes one of these makes every store useless: the name of the format must change with it.
    #[test]
    fn the_digest_of_a_call_is_pinned() {
        assert_eq!(FORMAT, "memo-action/2");
        assert_eq!(
            key(&action()).to_string(),
            "5fead9f85521bf65f3e2cf8aafa4fd984f4966e6d1f86ffc92b767c04fa6111c"
        );
        assert_eq!(CALL_FORMAT, "memo-call/1");
        assert_eq!(
            action().call_digest().to_string(),
            "b8fc62975e37f8f5d5bccfbc7151580ed775c88a0fa25e1e1ec7f301c06ce3c8"
        );
    }

    #[test]
    fn each_terminal_has_a_key_of_its_own() {
        let terminal = |columns, rows, term: &str| {
            let variables = vec![("TERM".into(), Some(term.into())), ("NO_COLOR".into(), None)];
            Action { terminal: Some(Terminal { columns, rows, variables }), ..action() }
        };
        let keys = [
            key(&action()),
            key(&terminal(80, 24, "xterm")),
            key(&terminal(24, 80, "xterm")),
            key(&terminal(80, 25, "xterm")),
            key(&terminal(80, 24, "dumb")),
        ];
        for (number, key) in keys.iter().enumerate() {
            assert!(!keys[..number].contains(key), "{number}");
        }
        assert_eq!(keys[1].to_string(), "d103c78521da0f242bf2d2ec289618daf2da2a2daf6df06f561b16e76d73b76e");
    }

    #[test]
    fn each_instance_of_a_singleton_has_a_key_of_its_own() {
        let with = |singletons: &[(&str, u8)]| {
            let of = |(name, byte): &(&str, u8)| ((*name).to_owned(), InstanceId::from_bytes([*byte; 16]));
            key(&Action { singletons: singletons.iter().map(of).collect(), ..action() })
        };
        let keys = [
            with(&[]),
            with(&[("m", 1)]),
            with(&[("m", 2)]),
            with(&[("n", 1)]),
            with(&[("m", 1), ("n", 2)]),
            with(&[("m", 2), ("n", 1)]),
        ];
        for (number, key) in keys.iter().enumerate() {
            assert!(!keys[..number].contains(key), "{number}");
        }
        assert_eq!(keys[0], key(&action()));
        assert_eq!(keys[4], with(&[("n", 2), ("m", 1), ("n", 2)]), "neither order nor repetition counts");
        assert_eq!(keys[4].to_string(), "da049f7938e9f79d56d0cfdfa2e7606399c1d0a097e2c723ecdfdd643a1956fe");
    }

    #[test]
    fn each_stdin_has_a_key_of_its_own() {
        let digest = Digest::of(b"x");
        let stdins = [
            Stdin::Any,
            Stdin::None,
            Stdin::Closed,
            Stdin::Terminal,
            Stdin::Idle,
            Stdin::File { digest, offset: 0 },
            Stdin::File { digest, offset: 1 },
            Stdin::File { digest: Digest::of(b"y"), offset: 0 },
            Stdin::Bytes(digest),
            Stdin::Bytes(Digest::of(b"y")),
        ];
        let keys = action().keys();
        let mut seen: Vec<ActionKey> = Vec::new();
        for stdin in stdins {
            for streams in [Streams::Separate, Streams::Merged] {
                let key = keys.with_streams(stdin, streams);
                assert!(!seen.contains(&key), "{stdin:?} {streams:?}");
                seen.push(key);
            }
        }
    }

    /// xorshift64, of Marsaglia: the same calls in every run.
    struct Generator(u64);

    impl Generator {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }

        fn pick<T: Clone>(&mut self, from: &[T]) -> T {
            from[self.below(from.len() as u64) as usize].clone()
        }

        fn some<T>(&mut self, most: u64, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
            (0..self.below(most + 1)).map(|_| one(self)).collect()
        }

        /// Texts that would run into each other if they were only put side by side.
        fn text(&mut self) -> OsString {
            self.pick(&["", "a", "aa", "a=a", "_a"]).into()
        }

        fn name(&mut self) -> Name {
            Name::new(self.pick(&["a", "b", "ab", "_a", "_"])).unwrap()
        }

        fn action(&mut self) -> Action {
            let paths = ["a", "b", "a/b", "/a"];
            Action {
                words: self.some(2, Self::text),
                assignments: self.some(3, |g| (g.name(), g.text())),
                directory: self.pick(&[
                    None,
                    Some(Directory { path: "/a".into(), shell: None }),
                    Some(Directory { path: "/a".into(), shell: Some("".into()) }),
                    Some(Directory { path: "/a".into(), shell: Some("/b".into()) }),
                    Some(Directory { path: "".into(), shell: None }),
                ]),
                root: self.pick(&[None, None, Some("/a".into())]),
                program: self.pick(&[None, Some("/bin/a".into()), Some("/a/b".into()), Some("b".into())]),
                environment: self.some(1, |g| (g.text(), g.pick(&[None, Some("".into()), Some("a".into())]))),
                texts: self.some(2, |g| (g.pick(&[None, Name::new("a"), Name::new("_a")]), g.text())),
                key_commands: self.some(1, |g| (g.name(), Digest::of(g.text().as_bytes()))),
                singletons: self.some(2, |g| {
                    let instance = InstanceId::from_bytes(g.pick(&[[0; 16], [1; 16]]));
                    (g.pick(&["", "a", "aa"]).to_owned(), instance)
                }),
                inputs: Inputs::parse(
                    &self.some(2, |g| g.pick(&["a", "./a", "b", "n=a", "_n=a", "!a", "a/"]).into()),
                ),
                outputs: Outputs::parse(
                    self.some(2, |g| g.pick(&paths)).into_iter().map(std::ffi::OsStr::new),
                ),
                depfile: self.pick(&[None, Some("a".into()), Some("".into())]),
                auto: self.below(2) == 0,
                streams: self.pick(&[Streams::Separate, Streams::Merged]),
                terminal: None,
                closed: [self.below(2) == 0, self.below(2) == 0],
            }
        }
    }

    /// What a call is, said once more and in another way: sets and maps, no bytes.
    fn meaning(action: &Action) -> impl PartialEq + std::fmt::Debug {
        use std::collections::{BTreeMap, BTreeSet};
        let hashed = |name: &Name| !name.as_str().starts_with('_');
        let assignments: BTreeMap<String, OsString> = action
            .assignments
            .iter()
            .filter(|(name, _)| hashed(name))
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect();
        let mut texts: Vec<_> = action
            .texts
            .iter()
            .filter(|(name, _)| name.as_ref().is_none_or(hashed))
            .map(|(name, text)| (name.as_ref().map(ToString::to_string), text.clone()))
            .collect();
        texts.sort();
        let key_commands: Vec<_> =
            action.key_commands.iter().filter(|(name, _)| hashed(name)).cloned().collect();
        let inputs: BTreeSet<Vec<u8>> = action.inputs.key_texts().into_iter().collect();
        let outputs: BTreeSet<PathBuf> =
            action.outputs.iter().map(|declared| declared.place.clone()).collect();
        let singletons: BTreeSet<_> = action.singletons.iter().cloned().collect();
        let rooted = action.directory.is_some() && action.root.is_some();
        let program = action.program.as_deref().map(|program| action.below_root(program).to_owned());
        (
            (action.words.clone(), assignments, action.directory.clone(), rooted, program),
            (action.environment.clone(), texts, key_commands, inputs, outputs),
            (action.auto, action.streams, action.closed, action.depfile.clone(), singletons),
        )
    }

    #[test]
    fn keys_are_equal_exactly_when_calls_are() {
        let mut generator = Generator(0x9e37_79b9_7f4a_7c15);
        let mut equal = 0;
        for _ in 0..20_000 {
            let a = generator.action();
            // Two calls made at random are hardly ever equal: most of these differ in a part or two.
            let mut b = a.clone();
            for _ in 0..generator.below(3) {
                let other = generator.action();
                match generator.below(22) {
                    // Texts that run into each other are found less often than flags that are forgotten.
                    0..=3 => b.words = other.words,
                    4..=6 => b.assignments = other.assignments,
                    7..=8 => b.texts = other.texts,
                    9..=10 => b.environment = other.environment,
                    11 => b.directory = other.directory,
                    12 => b.root = other.root,
                    13 => b.program = other.program,
                    14 => b.key_commands = other.key_commands,
                    15 => b.inputs = other.inputs,
                    16 => b.outputs = other.outputs,
                    17 => b.auto = other.auto,
                    18 => b.streams = other.streams,
                    19 => b.depfile = other.depfile,
                    20 => b.singletons = other.singletons,
                    _ => b.closed = other.closed,
                }
            }
            let same = meaning(&a) == meaning(&b);
            equal += usize::from(same);
            assert_eq!(key(&a) == key(&b), same, "{a:#?}\n{b:#?}");
        }
        assert!((2_000..18_000).contains(&equal), "{equal} of the pairs were equal: that shows little");
    }
}
