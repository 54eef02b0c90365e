//! A connection to a supervisor, from the other side. Every read has a deadline: a supervisor that was stopped answers
//! nobody.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::message::{self, Reply, Request};
use super::slot::Slot;
use crate::sys::poll;

/// A connection to a supervisor.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    arrived: Vec<u8>,
    deadline: Option<Instant>,
}

/// What came of a question.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, on the stack of whoever asked")]
pub enum Heard {
    /// This.
    Reply(Reply),
    /// The supervisor has gone.
    Gone,
    /// It did not answer in time.
    Late,
}

impl Connection {
    /// Connects; `None` when nobody listens.
    ///
    /// # Errors
    /// Those of connect(2) that say something else.
    pub fn open(slot: &Slot) -> io::Result<Option<Self>> {
        match slot.connect() {
            Ok(stream) => Ok(Some(Self::new(stream))),
            Err(error) if is_nobody(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the connection over an open stream.
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, arrived: Vec::new(), deadline: None }
    }

    /// Sets until when answers are waited for; `None` waits for ever.
    pub fn until(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Asks something and returns the answer. More time that the instance asks for is added to the deadline.
    pub fn ask(&mut self, request: &Request) -> Heard {
        if self.send(request) { self.hear() } else { Heard::Late }
    }

    /// Asks something, and has it said when the answer takes longer than `long`. It is waited for until `deadline`; `None`
    /// waits for ever.
    pub fn ask_patiently(
        &mut self,
        request: &Request,
        deadline: Option<Instant>,
        long: Duration,
        say: impl FnOnce(),
    ) -> Heard {
        self.until(deadline);
        if !self.send(request) {
            return Heard::Late;
        }
        let soon = Instant::now() + long;
        if deadline.is_some_and(|deadline| deadline <= soon) {
            return self.hear();
        }
        self.until(Some(soon));
        match self.hear() {
            Heard::Late => {
                say();
                self.until(deadline);
                self.hear()
            }
            heard => heard,
        }
    }

    /// Asks something; returns whether that was possible in time. That the supervisor has gone is heard in its place.
    pub fn send(&mut self, request: &Request) -> bool {
        let _ = self.stream.set_write_timeout(self.left());
        !matches!(self.stream.write_all(&request.encode()), Err(error) if is_late(&error))
    }

    /// Returns whether the supervisor is there, as far as is known now.
    pub fn is_open(&self) -> bool {
        let watch = poll::now(self.stream.as_raw_fd(), poll::READ | poll::READ_HANGUP);
        watch.is_ok_and(|watch| !watch.got(poll::HANGUP | poll::READ_HANGUP | poll::ERROR))
    }

    /// Waits for an answer.
    pub fn hear(&mut self) -> Heard {
        loop {
            match message::take(&mut self.arrived) {
                Ok(Some(frame)) => match Reply::decode(&frame) {
                    Ok(Reply::Longer(time)) => {
                        let longer = Instant::now() + time + MARGIN;
                        self.deadline = self.deadline.map(|deadline| deadline.max(longer));
                        continue;
                    }
                    Ok(reply) => return Heard::Reply(reply),
                    Err(_) => return Heard::Gone,
                },
                Ok(None) => {}
                Err(_) => return Heard::Gone,
            }
            if self.left().is_some_and(|left| left.is_zero()) {
                return Heard::Late;
            }
            let _ = self.stream.set_read_timeout(self.left());
            let mut buffer = [0; 64 << 10];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Heard::Gone,
                Ok(n) => self.arrived.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted || is_late(&error) => {}
                Err(_) => return Heard::Gone,
            }
        }
    }

    fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Returns the stream, for poll.
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }
}

/// How much longer than an instance may take whoever started it waits for its supervisor to say so.
pub const MARGIN: Duration = Duration::from_secs(2);

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Returns whether an error of connect(2) says that nobody listens.
fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_reply_that_takes_long_is_waited_for_and_that_is_said() {
        let request = Request::Call(b"x".to_vec());
        for long in [Duration::ZERO, Duration::from_secs(600)] {
            let (mine, mut other) = UnixStream::pair().unwrap();
            let (said, hears) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                let mut asked = vec![0; Request::Call(b"x".to_vec()).encode().len()];
                other.read_exact(&mut asked).unwrap();
                // Who waits long says so before there is a reply.
                let was_said = long.is_zero() && hears.recv().is_ok();
                other.write_all(&Reply::Answer(b"y".to_vec()).encode()).unwrap();
                was_said || hears.recv().is_ok()
            });
            let say = || said.send(()).unwrap();
            let heard = Connection::new(mine).ask_patiently(&request, None, long, say);
            assert!(matches!(heard, Heard::Reply(Reply::Answer(body)) if body == b"y"));
            drop(said);
            assert_eq!(thread.join().unwrap(), long.is_zero());
        }
    }
}
