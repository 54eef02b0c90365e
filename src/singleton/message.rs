//! What clients and supervisors say to each other over the socket of a slot.
//!
//! # Compatibility
//! A supervisor lives as long as its process, so an old one and a new client meet. A frame is its length (four
//! bytes, little end first), its kind, and fields; a reader passes over fields it does not know behind those it
//! knows. To a kind that it does not know a supervisor answers `Unsupported`. `Status` and `Stop` stay as they are.

use std::time::Duration;

use super::framing::Framing;
use super::report::Report;
use super::service::Given;
use super::verdict::{Verdict, Why, read_instance};
use crate::action::digest::Digest;
use crate::action::instance::InstanceId;
use crate::store::codec::{Malformed, Reader, Writer};

/// What is done about an instance that somebody else uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Wait until nobody does.
    Wait,
    /// Leave it.
    Fail,
    /// Stop it all the same.
    Kill,
}

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Give me the instance that depends on this; when it is ready.
    Ensure(Ensure),
    /// Give me the instance, whatever it depends on; when it is ready.
    Join,
    /// Tell me of the instance, now.
    Status,
    /// End the instance.
    Stop {
        /// Only if it is this one.
        instance: Option<InstanceId>,
        /// Why.
        why: Why,
        /// How long it may take before it is killed; else as it was set.
        grace: Option<Duration>,
        /// What to do while others use it.
        busy: Busy,
    },
    /// Do not end it while this connection is open.
    Lease,
    /// Hand it this, and give me its reply.
    Call(Vec<u8>),
    /// Tell me when it has ended.
    AwaitEnd,
    /// End it and start it again.
    Restart(Busy),
    /// What follows on this connection is asked from inside this instance. There is no answer.
    Inside(InstanceId),
}

/// What a client wants an instance to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensure {
    /// What it depends on.
    pub fingerprint: Digest,
    /// How requests and replies are told apart; none says nothing of it.
    pub framing: Option<Framing>,
    /// What readiness means; none says nothing of it.
    pub readiness: Option<Digest>,
    /// Settings that are to be taken over.
    pub given: Given,
}

/// In what an instance is not what a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Something it depends on.
    Dependencies,
    /// How requests and replies are told apart.
    Framing,
    /// What readiness means.
    Readiness,
    /// It is as old as it may become.
    Expired,
}

/// What a supervisor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is ready.
    Ready(Report),
    /// It ended before it was ready.
    Failed(Verdict),
    /// It goes, or has gone: ask again.
    Gone,
    /// It is ready, and not what is wanted.
    Changed(Report, Change),
    /// What was asked for with `Status`.
    Status(Report),
    /// It is being stopped, and killed when it has not ended after so long; the lock of the slot is free when that is
    /// done.
    Stopping(Duration, InstanceId),
    /// Others use it, and it was left.
    InUse {
        /// How many hold it.
        leases: u64,
        /// How many requests are under way.
        calls: u64,
    },
    /// Its reply to a call.
    Answer(Vec<u8>),
    /// What became of a call that has no answer, and of the instance.
    Unanswered(Verdict),
    /// It has ended.
    Ended(Verdict),
    /// What was said is not understood.
    Unsupported,
    /// What was asked for cannot be: in words.
    Refused(String),
    /// It asks for more time until it is ready.
    Longer(Duration),
}

/// How large a frame may be, in bytes: that of the largest call.
pub const MOST_BYTES: usize = 256 << 20;
/// How long the length of a frame is, in bytes.
const LENGTH: usize = 4;

/// Puts the length of a frame before it.
fn framed(w: Writer) -> Vec<u8> {
    let body = w.into_bytes();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes(), body.as_slice()].concat()
}

/// Returns the first frame of what has arrived, without its length; `None` while it is not whole.
///
/// # Errors
/// [`Malformed`] when it is larger than any.
pub fn first(arrived: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let Some((length, rest)) = arrived.split_first_chunk::<LENGTH>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if length > MOST_BYTES { Err(Malformed) } else { Ok(rest.get(..length)) }
}

/// Takes the first frame from what has arrived, without its length; `None` while it is not whole.
///
/// # Errors
/// [`Malformed`] when it is larger than any.
pub fn take(arrived: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Malformed> {
    let Some(frame) = first(arrived)?.map(<[u8]>::to_vec) else { return Ok(None) };
    arrived.drain(..LENGTH + frame.len());
    if arrived.is_empty() {
        // What a large call needed is not kept.
        *arrived = Vec::new();
    }
    Ok(Some(frame))
}

impl Busy {
    fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Fail,
            2 => Self::Kill,
            _ => Self::Wait,
        }
    }
}

impl Request {
    /// Returns the frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        match self {
            Self::Ensure(ensure) => {
                w.byte(1).digest(&ensure.fingerprint).byte(ensure.framing.map_or(0, Framing::number));
                match &ensure.readiness {
                    None => w.byte(0),
                    Some(digest) => w.byte(1).digest(digest),
                };
                ensure.given.write(&mut w);
            }
            Self::Join => _ = w.byte(2),
            Self::Status => _ = w.byte(3),
            Self::Stop { instance, why, grace, busy } => {
                w.byte(4);
                match instance {
                    None => w.byte(0),
                    Some(instance) => w.byte(1).raw(instance.as_bytes()),
                };
                w.byte(why.number()).optional_duration(*grace).byte(*busy as u8);
            }
            Self::Lease => _ = w.byte(5),
            Self::Call(body) => _ = w.byte(6).raw(body),
            Self::AwaitEnd => _ = w.byte(7),
            Self::Restart(busy) => _ = w.byte(8).byte(*busy as u8),
            Self::Inside(instance) => _ = w.byte(9).raw(instance.as_bytes()),
        }
        framed(w)
    }

    /// Reads a frame without its length; `None` for a kind that is not known.
    ///
    /// # Errors
    /// [`Malformed`] when it is of a known kind and makes no sense.
    pub fn decode(frame: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut r = Reader::new(frame);
        Ok(Some(match r.byte()? {
            1 => Self::Ensure(Ensure {
                fingerprint: r.digest()?,
                framing: Framing::from_number(r.byte()?),
                readiness: match r.byte()? {
                    0 => None,
                    _ => Some(r.digest()?),
                },
                given: Given::read(&mut r)?,
            }),
            2 => Self::Join,
            3 => Self::Status,
            4 => Self::Stop {
                instance: match r.byte()? {
                    0 => None,
                    _ => Some(read_instance(&mut r)?),
                },
                why: Why::from_number(r.byte()?),
                grace: r.optional_duration()?,
                busy: Busy::from_number(r.byte()?),
            },
            5 => Self::Lease,
            6 => Self::Call(frame[1..].to_vec()),
            7 => Self::AwaitEnd,
            8 => Self::Restart(Busy::from_number(r.byte()?)),
            9 => Self::Inside(read_instance(&mut r)?),
            _ => return Ok(None),
        }))
    }
}

impl Reply {
    /// Returns the frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        match self {
            Self::Ready(report) => report.write(w.byte(1)),
            Self::Failed(verdict) => verdict.write(w.byte(2)),
            Self::Gone => _ = w.byte(3),
            Self::Changed(report, change) => report.write(w.byte(4).byte(*change as u8)),
            Self::Status(report) => report.write(w.byte(5)),
            Self::Stopping(grace, instance) => _ = w.byte(6).duration(*grace).raw(instance.as_bytes()),
            Self::InUse { leases, calls } => _ = w.byte(7).number(*leases).number(*calls),
            Self::Answer(body) => _ = w.byte(8).raw(body),
            Self::Unanswered(verdict) => verdict.write(w.byte(9)),
            Self::Ended(verdict) => verdict.write(w.byte(10)),
            Self::Unsupported => _ = w.byte(11),
            Self::Refused(why) => _ = w.byte(12).bytes(why.as_bytes()),
            Self::Longer(time) => _ = w.byte(13).duration(*time),
        }
        framed(w)
    }

    /// Reads a frame without its length.
    ///
    /// # Errors
    /// [`Malformed`] when it makes no sense.
    pub fn decode(frame: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(frame);
        Ok(match r.byte()? {
            1 => Self::Ready(Report::read(&mut r)?),
            2 => Self::Failed(Verdict::read(&mut r)?),
            3 => Self::Gone,
            4 => {
                let change = match r.byte()? {
                    1 => Change::Framing,
                    2 => Change::Readiness,
                    3 => Change::Expired,
                    _ => Change::Dependencies,
                };
                Self::Changed(Report::read(&mut r)?, change)
            }
            5 => Self::Status(Report::read(&mut r)?),
            6 => Self::Stopping(r.duration()?, read_instance(&mut r)?),
            7 => Self::InUse { leases: r.number()?, calls: r.number()? },
            8 => Self::Answer(frame[1..].to_vec()),
            9 => Self::Unanswered(Verdict::read(&mut r)?),
            10 => Self::Ended(Verdict::read(&mut r)?),
            11 => Self::Unsupported,
            12 => Self::Refused(r.text()?),
            13 => Self::Longer(r.duration()?),
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::singleton::{report, verdict};

    fn requests() -> Vec<Request> {
        let ensure = |readiness, framing| {
            let given = Given { idle: Some(None), ..Given::default() };
            Request::Ensure(Ensure { fingerprint: Digest::of(b"f"), framing, readiness, given })
        };
        let stop = |instance, busy| Request::Stop { instance, why: Why::Replaced, grace: None, busy };
        vec![
            ensure(None, None),
            ensure(Some(Digest::of(b"r")), Some(Framing::Json)),
            Request::Join,
            Request::Status,
            stop(None, Busy::Wait),
            stop(Some(InstanceId::from_bytes([1; 16])), Busy::Fail),
            stop(None, Busy::Kill),
            Request::Lease,
            Request::Call(b"body".to_vec()),
            Request::Call(Vec::new()),
            Request::AwaitEnd,
            Request::Restart(Busy::Wait),
            Request::Restart(Busy::Kill),
            Request::Inside(InstanceId::from_bytes([2; 16])),
        ]
    }

    fn replies() -> Vec<Reply> {
        let (report, verdict) = (report::tests::example, verdict::tests::example);
        let changes = [Change::Dependencies, Change::Framing, Change::Readiness, Change::Expired];
        let mut replies = vec![
            Reply::Ready(report()),
            Reply::Failed(verdict()),
            Reply::Gone,
            Reply::Status(report()),
            Reply::Stopping(Duration::from_secs(9), InstanceId::from_bytes([5; 16])),
            Reply::InUse { leases: 1, calls: 2 },
            Reply::Answer(b"a\0".to_vec()),
            Reply::Unanswered(verdict()),
            Reply::Ended(verdict()),
            Reply::Unsupported,
            Reply::Refused("no".into()),
            Reply::Longer(Duration::from_secs(3)),
        ];
        replies.extend(changes.map(|change| Reply::Changed(report(), change)));
        replies
    }

    #[test]
    fn what_is_said_is_understood_however_it_arrives() {
        let bytes: Vec<u8> = requests().iter().flat_map(Request::encode).collect();
        let mut arrived = Vec::new();
        let mut read = Vec::new();
        for byte in bytes {
            arrived.push(byte);
            while let Some(frame) = take(&mut arrived).unwrap() {
                read.push(Request::decode(&frame).unwrap().unwrap());
            }
        }
        assert_eq!(read, requests());
        for reply in replies() {
            let bytes = reply.encode();
            assert_eq!(Reply::decode(first(&bytes).unwrap().unwrap()), Ok(reply));
        }
    }

    #[test]
    fn a_newer_one_may_say_more() {
        for request in requests().into_iter().filter(|request| !matches!(request, Request::Call(_))) {
            let mut frame = request.encode()[LENGTH..].to_vec();
            frame.extend_from_slice(b"more");
            assert_eq!(Request::decode(&frame), Ok(Some(request)));
        }
        assert_eq!(Request::decode(&[200, 1, 2]), Ok(None));
        assert_eq!(Reply::decode(&[200]), Err(Malformed));
    }

    /// Whoever changes one of these can no longer stop, or ask, what an older memo started.
    #[test]
    fn the_oldest_requests_stay_as_they_are() {
        assert_eq!(Request::Status.encode(), [1, 0, 0, 0, 3]);
        let stop = Request::Stop { instance: None, why: Why::Stopped, grace: None, busy: Busy::Kill };
        assert_eq!(stop.encode(), [5, 0, 0, 0, 4, 0, 3, 0, 2]);
        let stopping = Reply::Stopping(Duration::from_nanos(5), InstanceId::from_bytes([7; 16]));
        assert_eq!(stopping.encode(), [&[18, 0, 0, 0, 6, 5][..], &[7; 16]].concat());
    }

    #[test]
    fn a_frame_that_is_larger_than_any_is_refused() {
        assert_eq!(first(&u32::MAX.to_le_bytes()), Err(Malformed));
        assert_eq!(first(&[1, 0]), Ok(None));
        assert_eq!(first(&[2, 0, 0, 0, 7]), Ok(None));
    }
}
