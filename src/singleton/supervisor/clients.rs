//! Those who talk to a supervisor: what has arrived of each, what is still to be sent, and what each waits for.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use crate::action::instance::InstanceId;
use crate::singleton::message::{self, Ensure, Reply, Request};
use crate::sys::poll::{self, Watch};
use crate::sys::{process, socket};

/// How much is taken from a client that waits for an answer, in bytes.
const MOST_UNASKED: usize = 64 << 10;

/// Names a client for as long as the supervisor lives.
pub(super) type ClientId = u64;

/// What a client waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// For nothing: it may ask.
    Talking,
    /// For the instance to be ready, and to be this.
    Ensuring(Ensure),
    /// For the instance to be ready.
    Joining,
    /// It holds the instance.
    Leasing,
    /// For the reply to its call.
    Calling,
    /// For the instance to be unused, so that it can be stopped.
    Stopping,
    /// For the instance to be unused, so that it can be stopped and started again.
    Restarting,
    /// For the end of the instance.
    AwaitingEnd,
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: ClientId,
    pub(super) role: Role,
    stream: UnixStream,
    arrived: Vec<u8>,
    leaving: Vec<u8>,
    /// How much of `leaving` was sent.
    sent: usize,
    /// The instance that it asks from inside of.
    inside: Option<InstanceId>,
    /// Whether it has asked anything yet.
    heard: bool,
    /// It says no more: it has gone, or sent what makes no sense.
    gone: bool,
}

/// All clients.
#[derive(Debug, Default)]
pub(super) struct Clients {
    list: Vec<Client>,
    next: ClientId,
}

impl Clients {
    /// Lets somebody in, unless it is another user.
    pub(super) fn admit(&mut self, stream: UnixStream) {
        let is_ours = socket::peer(&stream).is_ok_and(|peer| peer.uid == process::user() || peer.uid == 0);
        if !is_ours || stream.set_nonblocking(true).is_err() {
            return;
        }
        self.next += 1;
        self.list.push(Client {
            id: self.next,
            role: Role::Talking,
            stream,
            arrived: Vec::new(),
            leaving: Vec::new(),
            sent: 0,
            inside: None,
            heard: false,
            gone: false,
        });
    }

    /// Notes that a client asks from inside of an instance.
    pub(super) fn set_inside(&mut self, id: ClientId, instance: InstanceId) {
        if let Some(client) = self.list.iter_mut().find(|client| client.id == id) {
            client.inside = Some(instance);
        }
    }

    /// Returns whether a client asks from inside of this instance.
    pub(super) fn is_inside(&self, id: ClientId, instance: InstanceId) -> bool {
        self.list.iter().any(|client| client.id == id && client.inside == Some(instance))
    }

    /// Returns the last that was let in; of two, the one with the higher number came later.
    pub(super) fn newest(&self) -> ClientId {
        self.next
    }

    /// Returns whether one of those up to this one is still to ask.
    pub(super) fn are_silent(&self, newest: ClientId) -> bool {
        self.list.iter().any(|client| client.id <= newest && !client.heard && !client.gone)
    }

    /// Adds what is to be waited for, of each client in order.
    pub(super) fn watch(&self, watches: &mut Vec<Watch>) {
        for client in &self.list {
            let writes = if client.sent < client.leaving.len() { poll::WRITE } else { 0 };
            // Who waits for an answer has nothing to say meanwhile; what it says all the same is not kept without end.
            let is_full = client.role != Role::Talking && client.arrived.len() >= MOST_UNASKED;
            let reads = if is_full { poll::READ_HANGUP } else { poll::READ };
            watches.push(Watch::new(client.stream.as_raw_fd(), reads | writes));
        }
    }

    /// Reads and writes where the watches, of each client in order, say that it is possible.
    pub(super) fn exchange(&mut self, watches: &[Watch]) {
        for (client, watch) in self.list.iter_mut().zip(watches) {
            if watch.got(poll::READ) {
                client.read();
            } else if watch.got(poll::HANGUP | poll::READ_HANGUP | poll::ERROR) {
                client.gone = true;
            }
            if watch.got(poll::WRITE) {
                client.write();
            }
        }
    }

    /// Returns what clients ask for that wait for nothing, one request of each.
    pub(super) fn requests(&mut self) -> Vec<(ClientId, Option<Request>)> {
        let mut asked = Vec::new();
        // Who has gone meanwhile wants nothing any more.
        let asking = |client: &&mut Client| client.role == Role::Talking && !client.gone;
        for client in self.list.iter_mut().filter(asking) {
            match message::take(&mut client.arrived)
                .and_then(|frame| frame.as_deref().map(Request::decode).transpose())
            {
                Ok(None) => {}
                Ok(Some(request)) => {
                    client.heard = true;
                    asked.push((client.id, request));
                }
                Err(_) => client.gone = true,
            }
        }
        asked
    }

    /// Removes those who have gone and returns them.
    pub(super) fn take_gone(&mut self) -> Vec<Client> {
        let (gone, list) = std::mem::take(&mut self.list).into_iter().partition(|client| client.gone);
        self.list = list;
        gone
    }

    /// Sets what a client waits for.
    pub(super) fn set_role(&mut self, id: ClientId, role: Role) {
        if let Some(client) = self.list.iter_mut().find(|client| client.id == id) {
            client.role = role;
        }
    }

    /// Lets those who wait for this wait for something else.
    pub(super) fn pass_over(&mut self, from: &Role, to: &Role) {
        for client in self.list.iter_mut().filter(|client| client.role == *from) {
            client.role = to.clone();
        }
    }

    /// Tells a client something; after that it waits for nothing.
    pub(super) fn tell(&mut self, id: ClientId, reply: &Reply) {
        if let Some(client) = self.list.iter_mut().find(|client| client.id == id) {
            client.role = Role::Talking;
            client.say(reply);
        }
    }

    /// Tells those something for whose role there is something to be told, who then wait for nothing.
    pub(super) fn tell_those(&mut self, mut reply: impl FnMut(&Role) -> Option<Reply>) {
        for client in &mut self.list {
            if let Some(reply) = reply(&client.role) {
                client.role = Role::Talking;
                client.say(&reply);
            }
        }
    }

    /// Tells those something who go on waiting.
    pub(super) fn remark(&mut self, waits: impl Fn(&Role) -> bool, reply: &Reply) {
        for client in self.list.iter_mut().filter(|client| waits(&client.role)) {
            client.say(reply);
        }
    }

    /// Returns how many wait for this.
    pub(super) fn count(&self, is: impl Fn(&Role) -> bool) -> usize {
        self.list.iter().filter(|client| is(&client.role)).count()
    }

    /// Sends what is still to be sent, to whoever takes it, before the supervisor ends.
    pub(super) fn flush(&mut self) {
        for client in &mut self.list {
            let _ = client.stream.set_nonblocking(false);
            let _ = client.stream.set_write_timeout(Some(std::time::Duration::from_secs(1)));
            let _ = client.stream.write_all(&client.leaving[client.sent..]);
        }
    }
}

impl Client {
    fn say(&mut self, reply: &Reply) {
        self.leaving.extend_from_slice(&reply.encode());
        // Nearly always there is room, and it saves a turn of the loop.
        self.write();
    }

    fn read(&mut self) {
        let mut buffer = [0; 64 << 10];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.gone = true;
                    return;
                }
                Ok(n) => {
                    self.arrived.extend_from_slice(&buffer[..n]);
                    // Others are served in between.
                    let is_full = self.role != Role::Talking && self.arrived.len() >= MOST_UNASKED;
                    if n < buffer.len() || is_full || self.arrived.len() > message::MOST_BYTES {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
    }

    fn write(&mut self) {
        while self.sent < self.leaving.len() {
            match self.stream.write(&self.leaving[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.gone = true;
                    return;
                }
            }
        }
        // What a large reply needed is not kept.
        self.leaving = Vec::new();
        self.sent = 0;
    }
}
