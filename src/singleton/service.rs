//! What a supervisor is told of the process it is to keep: everything it needs, so that it asks nobody else.
//!
//! It is handed over in a file in memory, which no other user and no `ps` sees: it has the values of variables.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use super::framing::Framing;
use super::readiness::{Host, Ready};
use crate::action::digest::Digest;
use crate::store::codec::{Malformed, Reader, Writer};

/// Which port the process is to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// One that is free when it is started.
    Auto,
    /// This one.
    Fixed(u16),
}

/// How long an instance lives and how it ends. None of this is a dependency: the latest to say something wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long it may take until it is ready.
    pub timeout: Duration,
    /// How long it lives when nobody uses it.
    pub idle: Option<Duration>,
    /// How old it may become.
    pub ttl: Option<Duration>,
    /// How long it may take to end before it is killed.
    pub grace: Duration,
    /// The signal that asks it to end.
    pub stop_signal: i32,
    /// A shell command that is run once for each instance that has gone.
    pub on_release: Option<OsString>,
    /// Whether it is started again when it fails.
    pub restart: bool,
}

/// The settings that a call gives; what it does not give stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// As in [`Settings`]; the inner `None` means "for ever".
    pub idle: Option<Option<Duration>>,
    /// As in [`Settings`]; the inner `None` means "for ever".
    pub ttl: Option<Option<Duration>>,
    /// As in [`Settings`].
    pub grace: Option<Duration>,
    /// As in [`Settings`].
    pub stop_signal: Option<i32>,
    /// As in [`Settings`].
    pub on_release: Option<OsString>,
    /// As in [`Settings`].
    pub restart: Option<bool>,
}

impl Settings {
    /// Takes over what a call gives.
    pub fn adopt(&mut self, given: &Given) {
        if let Some(idle) = given.idle {
            self.idle = idle;
        }
        if let Some(ttl) = given.ttl {
            self.ttl = ttl;
        }
        self.grace = given.grace.unwrap_or(self.grace);
        self.stop_signal = given.stop_signal.unwrap_or(self.stop_signal);
        self.restart = given.restart.unwrap_or(self.restart);
        if given.on_release.is_some() {
            self.on_release.clone_from(&given.on_release);
        }
    }

    fn write(&self, w: &mut Writer) {
        w.duration(self.timeout).optional_duration(self.idle).optional_duration(self.ttl);
        w.duration(self.grace).number(self.stop_signal.cast_unsigned().into());
        write_optional(w, self.on_release.as_deref().map(OsStrExt::as_bytes));
        w.byte(u8::from(self.restart));
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            timeout: r.duration()?,
            idle: r.optional_duration()?,
            ttl: r.optional_duration()?,
            grace: r.duration()?,
            stop_signal: r.small()?.cast_signed(),
            on_release: read_optional(r)?.map(OsString::from_vec),
            restart: r.byte()? != 0,
        })
    }
}

impl Given {
    /// Writes what is given.
    pub fn write(&self, w: &mut Writer) {
        for limit in [self.idle, self.ttl] {
            match limit {
                None => w.byte(0),
                Some(limit) => w.byte(1).optional_duration(limit),
            };
        }
        w.optional_duration(self.grace);
        w.number(self.stop_signal.map_or(0, i32::cast_unsigned).into());
        write_optional(w, self.on_release.as_deref().map(OsStrExt::as_bytes));
        w.byte(self.restart.map_or(2, u8::from));
    }

    /// Reads what is given.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are not those of some.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let limit = |r: &mut Reader<'_>| match r.byte()? {
            0 => Ok(None),
            _ => r.optional_duration().map(Some),
        };
        Ok(Self {
            idle: limit(r)?,
            ttl: limit(r)?,
            grace: r.optional_duration()?,
            stop_signal: Some(r.small()?.cast_signed()).filter(|signal| *signal != 0),
            on_release: read_optional(r)?.map(OsString::from_vec),
            restart: match r.byte()? {
                2 => None,
                restart => Some(restart != 0),
            },
        })
    }
}

/// Returns an environment with these variables in place of any of their names.
pub fn with_variables(
    environment: &[(OsString, OsString)],
    added: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<(OsString, OsString)> {
    let added: Vec<_> = added.into_iter().collect();
    let is_added = |name: &OsString| added.iter().any(|(known, _)| known == name);
    environment.iter().filter(|(name, _)| !is_added(name)).chain(&added).cloned().collect()
}

/// A process that is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What it is called.
    pub name: String,
    /// The directory of its slot.
    pub slot: PathBuf,
    /// The program's file.
    pub program: PathBuf,
    /// The words, the first one included.
    pub words: Vec<OsString>,
    /// The names of assignments that are shown.
    pub assignments: Vec<String>,
    /// Its environment, but for what the supervisor adds.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it is started.
    pub directory: PathBuf,
    /// When it is ready.
    pub readiness: Vec<Ready>,
    /// How requests and replies are told apart; none when it takes none.
    pub framing: Option<Framing>,
    /// Which port it is to use.
    pub port: Option<Port>,
    /// How long it lives.
    pub settings: Settings,
    /// What it depends on, in one digest.
    pub fingerprint: Digest,
}

impl Service {
    /// Returns what has to be so before an instance that was given this port is ready: that it listens there, if no
    /// other port and no URL is asked for.
    pub fn readiness_at(&self, port: Option<u16>) -> Vec<Ready> {
        let Some(port) = port else { return self.readiness.clone() };
        let mut all: Vec<Ready> = self.readiness.iter().map(|ready| ready.with_port(port)).collect();
        if !all.iter().any(|ready| matches!(ready, Ready::Port { .. } | Ready::Http { .. })) {
            all.push(Ready::Port { host: Host::Both, port });
        }
        all
    }

    /// Returns the digest of what readiness means, by which two calls can be told apart.
    pub fn readiness_digest(readiness: &[Ready], port: Option<Port>) -> Digest {
        let mut w = Writer::default();
        w.number(readiness.len() as u64);
        for ready in readiness {
            ready.encode(&mut w);
        }
        write_port(&mut w, port);
        Digest::of(&w.into_bytes())
    }

    /// Returns the bytes that are handed over.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.bytes(self.name.as_bytes()).path(&self.slot).path(&self.program);
        w.number(self.words.len() as u64);
        for word in &self.words {
            w.bytes(word.as_bytes());
        }
        w.number(self.assignments.len() as u64);
        for name in &self.assignments {
            w.bytes(name.as_bytes());
        }
        w.number(self.environment.len() as u64);
        for (name, value) in &self.environment {
            w.bytes(name.as_bytes()).bytes(value.as_bytes());
        }
        w.path(&self.directory).number(self.readiness.len() as u64);
        for ready in &self.readiness {
            ready.encode(&mut w);
        }
        w.byte(self.framing.map_or(0, Framing::number));
        write_port(&mut w, self.port);
        self.settings.write(&mut w);
        w.digest(&self.fingerprint);
        w.into_bytes()
    }

    /// Reads what was handed over.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are not those of a service.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let os = |r: &mut Reader<'_>| Ok(OsString::from_vec(r.bytes()?.to_vec()));
        let service = Self {
            name: r.text()?,
            slot: r.path()?,
            program: r.path()?,
            words: r.list(os)?,
            assignments: r.list(Reader::text)?,
            environment: r.list(|r| Ok((os(r)?, os(r)?)))?,
            directory: r.path()?,
            readiness: r.list(Ready::decode)?,
            framing: Framing::from_number(r.byte()?),
            port: match r.number()? {
                0 => None,
                1 => Some(Port::Auto),
                number => Some(Port::Fixed(u16::try_from(number - 2).map_err(|_| Malformed)?)),
            },
            settings: Settings::read(&mut r)?,
            fingerprint: r.digest()?,
        };
        r.end()?;
        Ok(service)
    }
}

fn write_port(w: &mut Writer, port: Option<Port>) {
    w.number(match port {
        None => 0,
        Some(Port::Auto) => 1,
        Some(Port::Fixed(port)) => u64::from(port) + 2,
    });
}

fn write_optional(w: &mut Writer, bytes: Option<&[u8]>) {
    match bytes {
        None => w.byte(0),
        Some(bytes) => w.byte(1).bytes(bytes),
    };
}

fn read_optional(r: &mut Reader<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    match r.byte()? {
        0 => Ok(None),
        _ => Ok(Some(r.bytes()?.to_vec())),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns a service with something in every field.
    pub fn example() -> Service {
        Service {
            name: "n".into(),
            slot: "/s".into(),
            program: "/bin/p".into(),
            words: vec!["p".into(), OsString::from_vec(b"\xff".to_vec())],
            assignments: vec!["A".into()],
            environment: vec![("A".into(), "1".into())],
            directory: "/d".into(),
            readiness: vec![Ready::Notify, Ready::Log("x".into())],
            framing: Some(Framing::Lsp),
            port: Some(Port::Fixed(80)),
            settings: Settings {
                timeout: Duration::from_secs(1),
                idle: None,
                ttl: Some(Duration::from_secs(2)),
                grace: Duration::from_secs(3),
                stop_signal: 2,
                on_release: Some("r".into()),
                restart: true,
            },
            fingerprint: Digest::of(b"x"),
        }
    }

    #[test]
    fn a_service_is_read_back() {
        let bytes = example().encode();
        assert_eq!(Service::decode(&bytes), Ok(example()));
        for port in [None, Some(Port::Auto), Some(Port::Fixed(0)), Some(Port::Fixed(u16::MAX))] {
            let service = Service { port, ..example() };
            assert_eq!(Service::decode(&service.encode()), Ok(service));
        }
        for end in 0..bytes.len() {
            assert_eq!(Service::decode(&bytes[..end]), Err(Malformed));
        }
    }

    #[test]
    fn the_port_it_is_given_is_part_of_readiness() {
        let at = |readiness: &[Ready], port| {
            Service { readiness: readiness.to_vec(), ..example() }.readiness_at(port)
        };
        let listens = Ready::port("80").unwrap();
        assert_eq!(at(&[], None), []);
        assert_eq!(at(&[Ready::Notify], Some(80)), [Ready::Notify, listens.clone()]);
        let given = Ready::port("$PORT").unwrap();
        assert_eq!(at(&[given.clone(), Ready::Notify], Some(80)), [listens, Ready::Notify]);
        let page = |url: &str| Ready::http(url, Some("204")).unwrap();
        let put = at(&[page("http://[::1]:${PORT}/$PORT?p=${PORT}")], Some(80));
        assert_eq!(put, [page("http://[::1]:80/80?p=80")]);
        let other = [page("http://localhost:1/$PORT"), Ready::port("[::1]:2").unwrap()];
        assert_eq!(at(&other, Some(80)), other, "of another port it is no variable");
        assert!(given.wants_port() && !other[0].wants_port());
    }

    #[test]
    fn only_what_a_call_gives_is_taken_over() {
        let mut settings = example().settings;
        settings.adopt(&Given::default());
        assert_eq!(settings, example().settings);
        let given = Given {
            idle: Some(Some(Duration::from_secs(9))),
            ttl: Some(None),
            grace: Some(Duration::ZERO),
            stop_signal: Some(15),
            on_release: Some("other".into()),
            restart: Some(false),
        };
        let mut w = Writer::default();
        given.write(&mut w);
        assert_eq!(Given::read(&mut Reader::new(&w.into_bytes())), Ok(given.clone()));
        settings.adopt(&given);
        let expected = Settings {
            timeout: Duration::from_secs(1),
            idle: Some(Duration::from_secs(9)),
            ttl: None,
            grace: Duration::ZERO,
            stop_signal: 15,
            on_release: Some("other".into()),
            restart: false,
        };
        assert_eq!(settings, expected);
    }
}
