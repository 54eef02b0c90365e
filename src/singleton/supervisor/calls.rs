//! Calls: one request in, one reply out, in the order in which they came.
//!
//! The supervisor and no client holds the streams of the process, so that a reply can never reach somebody else: when
//! whoever it is owed to has gone, or the process writes what nobody asked for, the streams say nothing about what
//! belongs to what any more, and the instance is poisoned.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use super::clients::ClientId;
use crate::singleton::framing::{Framing, Replies};
use crate::singleton::message::MOST_BYTES;
use crate::sys::descriptor;

/// What came of the bytes that the process wrote.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The reply is not whole.
    Nothing,
    /// A reply, and whom it is for.
    Reply(ClientId, Vec<u8>),
    /// It makes no sense, and why.
    Poison(String),
}

/// The calls of an instance.
#[derive(Debug, Default)]
pub(super) struct Calls {
    waiting: VecDeque<(ClientId, Vec<u8>)>,
    current: Option<Current>,
    /// Whether the instance was ever asked something: what it writes before that is only said.
    begun: bool,
}

#[derive(Debug)]
struct Current {
    client: ClientId,
    request: Vec<u8>,
    written: usize,
    replies: Replies,
}

/// How much room a frame needs besides the reply, in bytes.
const ROOM: usize = 16;

impl Calls {
    /// Returns how many wait or are being answered.
    pub(super) fn count(&self) -> usize {
        self.waiting.len() + usize::from(self.current.is_some())
    }

    /// Adds a request, framed as the process reads it.
    pub(super) fn add(&mut self, client: ClientId, request: Vec<u8>) {
        self.waiting.push_back((client, request));
    }

    /// Forgets what a client asked for; returns whether the process owes it a reply.
    pub(super) fn forget(&mut self, client: ClientId) -> bool {
        self.waiting.retain(|(other, _)| *other != client);
        self.current.as_ref().is_some_and(|current| current.client == client)
    }

    /// Begins with the next one, if none is under way.
    pub(super) fn begin(&mut self, framing: Framing) {
        if self.current.is_some() {
            return;
        }
        if let Some((client, request)) = self.waiting.pop_front() {
            self.begun = true;
            let replies = Replies::new(framing, (MOST_BYTES - ROOM) as u64);
            self.current = Some(Current { client, request, written: 0, replies });
        }
    }

    /// Returns whether there is something to be written to the process.
    pub(super) fn writes(&self) -> bool {
        self.current.as_ref().is_some_and(|current| current.written < current.request.len())
    }

    /// Writes to the process what it takes.
    ///
    /// # Errors
    /// EPIPE when it reads no more, and the others of write(2).
    pub(super) fn write(&mut self, stdin: &OwnedFd) -> io::Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        while current.written < current.request.len() {
            match descriptor::write_what_fits(stdin, &current.request[current.written..])? {
                0 => break,
                n => current.written += n,
            }
        }
        if current.written == current.request.len() {
            current.request = Vec::new();
            current.written = 0;
        }
        Ok(())
    }

    /// Takes bytes that the process wrote. Before it was ever asked they are no reply: `None`.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Option<Heard> {
        if !self.begun {
            return None;
        }
        let shown = |bytes: &[u8]| {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).trim_end().to_owned();
            format!("it wrote `{}`, which nobody had asked for", shown.escape_debug())
        };
        let Some(current) = &mut self.current else { return Some(Heard::Poison(shown(bytes))) };
        Some(match current.replies.push(bytes) {
            Ok(None) => Heard::Nothing,
            Ok(Some(reply)) if reply.rest.is_empty() && current.written >= current.request.len() => {
                let client = current.client;
                self.current = None;
                Heard::Reply(client, reply.body)
            }
            Ok(Some(reply)) if reply.rest.is_empty() => {
                Heard::Poison("it replied before it had read the request".to_owned())
            }
            Ok(Some(reply)) => Heard::Poison(shown(&reply.rest)),
            Err(why) => Heard::Poison(why.to_string()),
        })
    }

    /// Takes who is owed a reply that will not come.
    pub(super) fn take_current(&mut self) -> Option<ClientId> {
        self.current.take().map(|current| current.client)
    }

    /// Takes those whose requests were not begun with.
    pub(super) fn take_waiting(&mut self) -> Vec<ClientId> {
        self.waiting.drain(..).map(|(client, _)| client).collect()
    }

    /// Forgets what was said to an instance that has gone.
    pub(super) fn renew(&mut self) {
        self.begun = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns calls of which the first was written.
    fn asked(requests: &[(ClientId, &str)]) -> (Calls, crate::sys::pipe::Pipe) {
        let mut calls = Calls::default();
        for (client, request) in requests {
            calls.add(*client, request.as_bytes().to_vec());
        }
        let pipe = crate::sys::pipe::Pipe::new().unwrap();
        calls.begin(Framing::Line);
        assert!(calls.writes());
        calls.write(&pipe.writer).unwrap();
        assert!(!calls.writes());
        (calls, pipe)
    }

    #[test]
    fn each_reply_goes_to_whoever_asked_in_their_order() {
        let (mut calls, pipe) = asked(&[(1, "a\n"), (2, "b\n")]);
        calls.begin(Framing::Line);
        assert_eq!(calls.hear(b"A"), Some(Heard::Nothing));
        assert_eq!(calls.hear(b"A\n"), Some(Heard::Reply(1, b"AA".to_vec())));
        calls.begin(Framing::Line);
        calls.write(&pipe.writer).unwrap();
        assert_eq!(calls.count(), 1);
        assert_eq!(calls.hear(b"B\n"), Some(Heard::Reply(2, b"B".to_vec())));
        let mut buffer = [0; 9];
        let read = descriptor::read(&pipe.reader, &mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"a\nb\n");
    }

    #[test]
    fn what_nobody_asked_for_is_poison_but_only_after_the_first_call() {
        let mut calls = Calls::default();
        assert_eq!(calls.hear(b"hello\n"), None);
        let (mut calls, _pipe) = asked(&[(1, "a\n")]);
        let stray =
            |text: &str| Some(Heard::Poison(format!("it wrote `{text}`, which nobody had asked for")));
        assert_eq!(calls.hear(b"A\nmore"), stray("more"));
        let (mut calls, _pipe) = asked(&[(1, "a\n")]);
        assert!(matches!(calls.hear(b"A\n"), Some(Heard::Reply(1, _))));
        assert_eq!(calls.hear(b"x\n"), stray("x"));
        calls.renew();
        assert_eq!(calls.hear(b"x\n"), None);
    }

    #[test]
    fn a_client_that_has_gone_is_owed_a_reply_or_not() {
        let (mut calls, _pipe) = asked(&[(1, "a\n"), (2, "b\n"), (3, "c\n")]);
        assert!(!calls.forget(2));
        assert!(calls.forget(1));
        assert_eq!((calls.take_current(), calls.take_waiting()), (Some(1), vec![3]));
        assert_eq!(calls.count(), 0);
    }
}
