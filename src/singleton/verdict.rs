//! How an instance ended, and why: told to those who waited for it, and kept for those who ask later.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::instance::InstanceId;
use crate::store::codec::{Malformed, Reader, Writer};
use crate::store::temporary::Temporary;
use crate::sys::process::Ended;

/// Why an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It ended by itself.
    Exited,
    /// It could not be started.
    NotStarted,
    /// It was not ready in time.
    TimedOut,
    /// `memo singleton stop`.
    Stopped,
    /// What it depends on changed.
    Replaced,
    /// Nobody used it for `--idle`.
    Idle,
    /// It was as old as `--ttl` allows.
    Expired,
    /// `--check` failed.
    CheckFailed,
    /// A reply that was owed was abandoned, or it wrote what nobody had asked for.
    Poisoned,
    /// Its supervisor was sent a signal.
    Terminated,
    /// The directory it is known by was removed.
    Removed,
    /// Its supervisor was killed.
    SupervisorLost,
    /// `memo singleton restart`, or `--force`.
    Restarted,
}

impl Why {
    const ALL: [Self; 13] = [
        Self::Exited,
        Self::NotStarted,
        Self::TimedOut,
        Self::Stopped,
        Self::Replaced,
        Self::Idle,
        Self::Expired,
        Self::CheckFailed,
        Self::Poisoned,
        Self::Terminated,
        Self::Removed,
        Self::SupervisorLost,
        Self::Restarted,
    ];

    /// Returns the name of the reason, which never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exited => "exited",
            Self::NotStarted => "not-started",
            Self::TimedOut => "timed-out",
            Self::Stopped => "stopped",
            Self::Replaced => "replaced",
            Self::Idle => "idle",
            Self::Expired => "expired",
            Self::CheckFailed => "check-failed",
            Self::Poisoned => "poisoned",
            Self::Terminated => "terminated",
            Self::Removed => "removed",
            Self::SupervisorLost => "supervisor-lost",
            Self::Restarted => "restarted",
        }
    }

    /// Returns the number that stands for the reason in messages and files.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Returns the reason with this number; one of a newer memo counts as [`Why::Stopped`].
    pub fn from_number(number: u8) -> Self {
        Self::ALL.into_iter().find(|why| why.number() == number).unwrap_or(Self::Stopped)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Which instance.
    pub instance: InstanceId,
    /// Why.
    pub why: Why,
    /// How its process ended, where there was one.
    pub ended: Option<Ended>,
    /// Whether it had been ready.
    pub was_ready: bool,
    /// What the system said when it could not be started.
    pub errno: Option<i32>,
    /// What else is to be said: why it was not ready, what it did wrong.
    pub note: String,
    /// The last lines that it wrote.
    pub tail: Vec<String>,
    /// When it was started.
    pub started: Timestamp,
    /// When it had ended.
    pub finished: Timestamp,
    /// What `--on-release` failed with.
    pub release_failed: Option<String>,
    /// Whether some of its processes could not be killed.
    pub is_stuck: bool,
    /// What may help, where that is known.
    pub hint: Option<String>,
    /// Where it listened instead, when it was not ready in time.
    pub listens: Vec<SocketAddr>,
    /// How long it might take until it was ready, with what it had asked for besides.
    pub limit: Duration,
    /// Which port it was given.
    pub port: Option<u16>,
}

impl Verdict {
    /// Writes the verdict. Fields are only ever added at the end.
    pub fn write(&self, w: &mut Writer) {
        w.raw(self.instance.as_bytes()).byte(self.why.number());
        match self.ended {
            None => w.byte(0),
            Some(Ended::Exit(code)) => w.byte(1).byte(code),
            Some(Ended::Signal(signal)) => w.byte(2).byte(u8::try_from(signal).unwrap_or(0)),
        };
        w.byte(u8::from(self.was_ready));
        w.signed(self.errno.map_or(-1, i64::from)).bytes(self.note.as_bytes());
        w.number(self.tail.len() as u64);
        for line in &self.tail {
            w.bytes(line.as_bytes());
        }
        w.signed(self.started.0).signed(self.finished.0);
        write_optional(w, self.release_failed.as_deref());
        w.byte(u8::from(self.is_stuck));
        write_optional(w, self.hint.as_deref());
        w.number(self.listens.len() as u64);
        for address in &self.listens {
            w.bytes(address.to_string().as_bytes());
        }
        w.duration(self.limit).number(self.port.map_or(0, u64::from));
    }

    /// Reads a verdict.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are not those of one.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            instance: read_instance(r)?,
            why: Why::from_number(r.byte()?),
            ended: match r.byte()? {
                0 => None,
                1 => Some(Ended::Exit(r.byte()?)),
                2 => Some(Ended::Signal(r.byte()?.into())),
                _ => return Err(Malformed),
            },
            was_ready: r.byte()? != 0,
            errno: i32::try_from(r.signed()?).ok().filter(|errno| *errno >= 0),
            note: r.text()?,
            tail: r.list(Reader::text)?,
            started: Timestamp(r.signed()?),
            finished: Timestamp(r.signed()?),
            release_failed: read_optional(r)?,
            is_stuck: r.byte()? != 0,
            hint: read_optional(r)?,
            listens: r.list(|r| r.text()?.parse().map_err(|_| Malformed))?,
            limit: r.duration()?,
            port: u16::try_from(r.number()?).ok().filter(|port| *port > 0),
        })
    }
}

fn write_optional(w: &mut Writer, text: Option<&str>) {
    match text {
        None => w.byte(0),
        Some(text) => w.byte(1).bytes(text.as_bytes()),
    };
}

fn read_optional(r: &mut Reader<'_>) -> Result<Option<String>, Malformed> {
    match r.byte()? {
        0 => Ok(None),
        _ => r.text().map(Some),
    }
}

/// Reads the id of an instance.
///
/// # Errors
/// [`Malformed`] when it is cut short.
pub fn read_instance(r: &mut Reader<'_>) -> Result<InstanceId, Malformed> {
    Ok(InstanceId::from_bytes(r.raw(16)?.try_into().map_err(|_| Malformed)?))
}

/// An end, as far as it says something about those to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: Why,
    /// Whether it ended by itself soon after it was ready.
    pub quick: bool,
    /// What it depended on.
    pub fingerprint: Digest,
}

/// What is kept of the instances that ended: the file `last`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// How the last one ended.
    pub verdict: Verdict,
    /// The last ends, the newest at the end.
    pub ends: Vec<End>,
}

/// What the file begins with.
const MAGIC: &[u8; 8] = b"memoEND1";
/// How many ends are remembered: enough to tell a crash loop from a bad day.
const MOST_ENDS: usize = 16;

impl Last {
    /// The name of its file.
    pub const NAME: &str = "last";

    /// Reads what is kept in the directory of a slot; `None` where nothing is, or nothing that can be read.
    pub fn read(directory: &Path) -> Option<Self> {
        let bytes = std::fs::read(directory.join(Self::NAME)).ok()?;
        Self::decode(&bytes).ok()
    }

    /// Reads the bytes of its file.
    ///
    /// # Errors
    /// [`Malformed`] when they are not those of one.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes.strip_prefix(MAGIC).ok_or(Malformed)?);
        let verdict = Verdict::read(&mut r)?;
        let ends = r.list(|r| {
            let at = Timestamp(r.signed()?);
            let (why, quick) = (Why::from_number(r.byte()?), r.byte()? != 0);
            Ok(End { at, why, quick, fingerprint: r.digest()? })
        })?;
        Ok(Self { verdict, ends })
    }

    /// Adds an end to those of before, and keeps all in the directory of a slot. What cannot be kept is only less
    /// to tell.
    pub fn keep(directory: &Path, verdict: Verdict, fingerprint: Digest, quick: bool) {
        let mut ends = Self::read(directory).map(|last| last.ends).unwrap_or_default();
        ends.push(End { at: verdict.finished, why: verdict.why, quick, fingerprint });
        ends.drain(..ends.len().saturating_sub(MOST_ENDS));
        let bytes = Self { verdict, ends }.encode();
        let Ok(mut temporary) = Temporary::create(directory, "new-", 0o600) else { return };
        if std::io::Write::write_all(&mut temporary.file, &bytes).is_ok() {
            let _ = temporary.persist(&directory.join(Self::NAME));
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::starting_with(MAGIC);
        self.verdict.write(&mut w);
        w.number(self.ends.len() as u64);
        for end in &self.ends {
            w.signed(end.at.0).byte(end.why.number()).byte(u8::from(end.quick)).digest(&end.fingerprint);
        }
        w.into_bytes()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns a verdict with something in every field.
    pub fn example() -> Verdict {
        Verdict {
            instance: InstanceId::from_bytes([7; 16]),
            why: Why::TimedOut,
            ended: Some(Ended::Signal(9)),
            was_ready: true,
            errno: Some(2),
            note: "n".into(),
            hint: Some("h".into()),
            listens: vec![([127, 0, 0, 1], 80).into(), ([0, 0, 0, 0, 0, 0, 0, 1], 80).into()],
            limit: Duration::from_secs(3),
            port: Some(80),
            tail: vec!["a".into(), "b".into()],
            started: Timestamp(1),
            finished: Timestamp(2),
            release_failed: Some("exit 1".into()),
            is_stuck: true,
        }
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let last = Last {
            verdict: example(),
            ends: vec![End { at: Timestamp(5), why: Why::Idle, quick: true, fingerprint: Digest::of(b"f") }],
        };
        let bytes = last.encode();
        assert_eq!(Last::decode(&bytes), Ok(last));
        for end in 0..bytes.len() {
            assert_eq!(Last::decode(&bytes[..end]), Err(Malformed));
        }
    }

    #[test]
    fn each_reason_has_a_number_and_a_name_of_its_own() {
        for why in Why::ALL {
            assert_eq!(Why::from_number(why.number()), why);
            assert_eq!(Why::ALL.iter().filter(|other| other.name() == why.name()).count(), 1);
        }
        assert_eq!(Why::from_number(200), Why::Stopped);
    }
}
