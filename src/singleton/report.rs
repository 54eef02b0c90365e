//! What a supervisor tells of its instance.

use std::path::PathBuf;
use std::time::Duration;

use super::framing::Framing;
use super::message::{Change, Ensure};
use super::verdict::read_instance;
use crate::action::digest::Digest;
use crate::action::identity::Timestamp;
use crate::action::instance::InstanceId;
use crate::store::codec::{Malformed, Reader, Writer};

/// Where an instance is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is not ready yet.
    Starting,
    /// It is ready.
    Ready,
    /// It is being stopped.
    Stopping,
    /// It failed and is started again soon.
    Resting,
}

impl Stage {
    /// Returns the word for it, which never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
            Self::Resting => "resting",
        }
    }

    fn from_number(number: u8) -> Result<Self, Malformed> {
        let all = [Self::Starting, Self::Ready, Self::Stopping, Self::Resting];
        all.into_iter().find(|stage| *stage as u8 == number).ok_or(Malformed)
    }
}

/// What a supervisor tells of its instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which instance.
    pub instance: InstanceId,
    /// Where it is in its life.
    pub stage: Stage,
    /// What it depends on, in one digest.
    pub fingerprint: Digest,
    /// The process; 0 where there is none now.
    pub pid: i32,
    /// Its supervisor.
    pub supervisor: i32,
    /// When it was started.
    pub started: Timestamp,
    /// When it was ready.
    pub ready: Option<Timestamp>,
    /// How long nobody has used it.
    pub unused: Duration,
    /// What others reach it by.
    pub address: Option<String>,
    /// The port it was given, or is ready at.
    pub port: Option<u16>,
    /// What it published of itself: named groups of `--ready-log`.
    pub values: Vec<(String, String)>,
    /// What it says of itself (STATUS= of sd_notify(3)).
    pub status: String,
    /// The command, as it is shown: names of assignments, then words.
    pub assignments: Vec<String>,
    /// The words.
    pub words: Vec<Vec<u8>>,
    /// The directory it was started in.
    pub directory: PathBuf,
    /// How requests and replies are told apart, where it takes any.
    pub framing: Option<Framing>,
    /// How many hold it now.
    pub leases: u64,
    /// How many requests wait or are being answered.
    pub calls: u64,
    /// How often it was started again by itself.
    pub restarts: u64,
    /// What ends it when nobody uses it.
    pub idle: Option<Duration>,
    /// What ends it when it is so old.
    pub ttl: Option<Duration>,
    /// What readiness means, in one digest.
    pub readiness: Digest,
    /// While it starts: what it waits for, in a sentence.
    pub awaited: String,
    /// How long it still may take to be ready, or rests.
    pub left: Option<Duration>,
}

impl Report {
    /// Writes the report. Fields are only ever added at the end.
    pub fn write(&self, w: &mut Writer) {
        w.raw(self.instance.as_bytes()).byte(self.stage as u8).digest(&self.fingerprint);
        w.signed(self.pid.into()).signed(self.supervisor.into());
        w.signed(self.started.0).signed(self.ready.map_or(i64::MIN, |ready| ready.0)).duration(self.unused);
        w.bytes(self.address.as_deref().unwrap_or_default().as_bytes());
        w.number(self.port.unwrap_or(0).into());
        w.number(self.values.len() as u64);
        for (name, value) in &self.values {
            w.bytes(name.as_bytes()).bytes(value.as_bytes());
        }
        w.bytes(self.status.as_bytes()).number(self.assignments.len() as u64);
        for name in &self.assignments {
            w.bytes(name.as_bytes());
        }
        w.number(self.words.len() as u64);
        for word in &self.words {
            w.bytes(word);
        }
        w.path(&self.directory).byte(self.framing.map_or(0, Framing::number));
        w.number(self.leases).number(self.calls).number(self.restarts);
        w.optional_duration(self.idle).optional_duration(self.ttl).digest(&self.readiness);
        w.bytes(self.awaited.as_bytes()).optional_duration(self.left);
    }

    /// Reads a report.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are not those of one.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            instance: read_instance(r)?,
            stage: Stage::from_number(r.byte()?)?,
            fingerprint: r.digest()?,
            pid: read_pid(r)?,
            supervisor: read_pid(r)?,
            started: Timestamp(r.signed()?),
            ready: Some(r.signed()?).filter(|ready| *ready != i64::MIN).map(Timestamp),
            unused: r.duration()?,
            address: Some(r.text()?).filter(|address| !address.is_empty()),
            port: u16::try_from(r.number()?).ok().filter(|port| *port != 0),
            values: r.list(|r| Ok((r.text()?, r.text()?)))?,
            status: r.text()?,
            assignments: r.list(Reader::text)?,
            words: r.list(|r| Ok(r.bytes()?.to_vec()))?,
            directory: r.path()?,
            framing: Framing::from_number(r.byte()?),
            leases: r.number()?,
            calls: r.number()?,
            restarts: r.number()?,
            idle: r.optional_duration()?,
            ttl: r.optional_duration()?,
            readiness: r.digest()?,
            awaited: r.text()?,
            left: r.optional_duration()?,
        })
    }

    /// Returns in what it is not what is wanted; `None` when it is that.
    pub fn change(&self, wanted: &Ensure, expired: bool) -> Option<Change> {
        if wanted.fingerprint != self.fingerprint {
            Some(Change::Dependencies)
        } else if wanted.framing.is_some() && wanted.framing != self.framing {
            Some(Change::Framing)
        } else if wanted.readiness.is_some_and(|readiness| readiness != self.readiness) {
            Some(Change::Readiness)
        } else {
            expired.then_some(Change::Expired)
        }
    }

    /// Returns what is printed of it: its address, else its instance.
    pub fn handle(&self) -> String {
        self.address.clone().unwrap_or_else(|| self.instance.to_string())
    }
}

fn read_pid(r: &mut Reader<'_>) -> Result<i32, Malformed> {
    i32::try_from(r.signed()?).map_err(|_| Malformed)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns a report with something in every field.
    pub fn example() -> Report {
        Report {
            instance: InstanceId::from_bytes([3; 16]),
            stage: Stage::Ready,
            fingerprint: Digest::of(b"f"),
            pid: 10,
            supervisor: 9,
            started: Timestamp(1),
            ready: Some(Timestamp(2)),
            unused: Duration::from_secs(3),
            address: Some("127.0.0.1:80".into()),
            port: Some(80),
            values: vec![("addr".into(), "x".into())],
            status: "s".into(),
            assignments: vec!["A".into()],
            words: vec![b"w\xff".to_vec()],
            directory: "/d".into(),
            framing: Some(Framing::Line),
            leases: 1,
            calls: 2,
            restarts: 3,
            idle: Some(Duration::from_secs(4)),
            ttl: None,
            readiness: Digest::of(b"r"),
            awaited: "a".into(),
            left: Some(Duration::from_secs(5)),
        }
    }

    #[test]
    fn a_report_is_read_back_and_may_have_more_behind_it() {
        let mut w = Writer::default();
        example().write(&mut w);
        let bytes = w.into_bytes();
        assert_eq!(Report::read(&mut Reader::new(&bytes)), Ok(example()));
        let longer = [bytes.as_slice(), b"more"].concat();
        assert_eq!(Report::read(&mut Reader::new(&longer)), Ok(example()));
        for end in 0..bytes.len() {
            assert_eq!(Report::read(&mut Reader::new(&bytes[..end])), Err(Malformed));
        }
    }

    #[test]
    fn what_is_printed_is_the_address_or_the_instance() {
        assert_eq!(example().handle(), "127.0.0.1:80");
        let without = Report { address: None, ..example() };
        assert_eq!(without.handle(), "03030303030303030303030303030303");
    }
}
