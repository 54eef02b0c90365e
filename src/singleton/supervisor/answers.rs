//! What a supervisor answers: who gets the instance, who waits, and who is told that it goes.

use std::time::Duration;

use super::Supervisor;
use super::clients::{ClientId, Role};
use crate::action::instance::InstanceId;
use crate::singleton::machine::Event;
use crate::singleton::message::{Busy, Change, Ensure, Reply, Request};
use crate::singleton::readiness::Ready;
use crate::singleton::report::{Report, Stage};
use crate::singleton::service::Service;
use crate::singleton::verdict::Why;
use crate::sys::process;

impl Supervisor {
    pub(super) fn answer(&mut self) {
        loop {
            let requests = self.clients.requests();
            // What came together is answered together: nobody tells a second time that something has come.
            if requests.is_empty() {
                return;
            }
            for (client, request) in requests {
                match request {
                    request if self.tell_if_failed(client, request.as_ref()) => {}
                    None => self.clients.tell(client, &Reply::Unsupported),
                    Some(request) => self.answer_one(client, request),
                }
            }
        }
    }

    /// Tells somebody that it failed who had come before it did, and asks for the same; returns whether that is so.
    pub(super) fn tell_if_failed(&mut self, client: ClientId, request: Option<&Request>) -> bool {
        let is_asked_for = match request {
            Some(Request::Ensure(ensure)) => ensure.fingerprint == self.service.fingerprint,
            Some(Request::Join) => true,
            _ => false,
        };
        let shares = is_asked_for && self.failed.is_some_and(|newest| client <= newest);
        if shares {
            let verdict = self.verdict();
            self.clients.tell(client, &Reply::Failed(verdict));
        }
        shares
    }

    fn answer_one(&mut self, client: ClientId, request: Request) {
        match request {
            Request::Status => {
                let reply = Reply::Status(self.report());
                self.clients.tell(client, &reply);
            }
            Request::Inside(instance) => self.clients.set_inside(client, instance),
            Request::Ensure(ensure) => {
                let change = self.report().change(&ensure, self.is_expired());
                // Who is refused has no say in how long it lives.
                if matches!(change, None | Some(Change::Expired)) {
                    self.service.settings.adopt(&ensure.given);
                    if ensure.given.on_release.is_some() && self.running.is_some() {
                        let _ = self.keep_release();
                    }
                }
                if self.is_inside(client) {
                    // However old it is, it is the one that asks.
                    let reply = judge(&ensure, &self.report(), false);
                    self.clients.tell(client, &reply);
                    return;
                }
                self.clients.set_role(client, Role::Ensuring(ensure));
                self.tell_waiting();
            }
            Request::Join if self.is_inside(client) => {
                let reply = Reply::Ready(self.report());
                self.clients.tell(client, &reply);
            }
            Request::Join => {
                self.clients.set_role(client, Role::Joining);
                self.tell_waiting();
            }
            Request::Lease => {
                let is_free = self.machine.stage() == Stage::Ready && !self.machine.is_promised_away();
                if is_free || self.is_inside(client) {
                    let reply = Reply::Ready(self.report());
                    self.clients.tell(client, &reply);
                    self.clients.set_role(client, Role::Leasing);
                    self.count_users();
                } else {
                    self.clients.tell(client, &Reply::Gone);
                }
            }
            Request::Stop { instance, why, grace, busy } => self.stop(client, instance, why, grace, busy),
            Request::Restart(busy) => self.restart(client, busy),
            // Between two instances: the next one's end.
            Request::AwaitEnd => self.clients.set_role(client, Role::AwaitingEnd),
            Request::Call(body) => self.add_call(client, &body),
        }
    }

    /// Returns whether a client asks from inside of the instance, which is there.
    fn is_inside(&self, client: ClientId) -> bool {
        matches!(self.machine.stage(), Stage::Starting | Stage::Ready)
            && self.clients.is_inside(client, self.instance)
    }

    fn add_call(&mut self, client: ClientId, body: &[u8]) {
        let Some(framing) = self.service.framing else {
            let why = "it was not started to answer calls";
            self.clients.tell(client, &Reply::Refused(why.to_owned()));
            return;
        };
        let is_free = !self.machine.is_promised_away() || self.is_inside(client);
        if !is_free || self.machine.stage() != Stage::Ready && !self.machine.will_be_ready() {
            self.clients.tell(client, &Reply::Gone);
            return;
        }
        match framing.request(body) {
            Err(why) => self.clients.tell(client, &Reply::Refused(why.to_string())),
            Ok(request) => {
                self.calls.add(client, request);
                self.clients.set_role(client, Role::Calling);
                self.count_users();
            }
        }
    }

    fn stop(
        &mut self,
        client: ClientId,
        instance: Option<InstanceId>,
        why: Why,
        grace: Option<Duration>,
        busy: Busy,
    ) {
        if instance.is_some_and(|instance| instance != self.instance) {
            // It is about another one, which has gone.
            self.clients.tell(client, &Reply::Gone);
            return;
        }
        if self.refuse_if_used(client, busy) {
            return;
        }
        let in_use = self.leases() + self.calls.count() as u64 > 0;
        // A stop that waits may be withdrawn.
        if !in_use || busy == Busy::Kill {
            self.service.settings.grace = grace.unwrap_or(self.service.settings.grace);
        }
        self.clients.set_role(client, Role::Stopping);
        self.happen(match busy {
            Busy::Kill => Event::Stop(why),
            Busy::Wait | Busy::Fail => Event::StopWhenUnused(why, grace),
        });
        self.tell_stopping();
    }

    fn restart(&mut self, client: ClientId, busy: Busy) {
        // One that could not be started again is not ended.
        if let Some(why) = self.cannot_start() {
            self.clients.tell(client, &Reply::Refused(why));
            return;
        }
        if self.refuse_if_used(client, busy) {
            return;
        }
        self.clients.set_role(client, Role::Restarting);
        self.happen(if busy == Busy::Kill { Event::Restart } else { Event::RestartWhenUnused });
        self.join_restarting();
    }

    /// Lets those who asked for another instance wait for it, once this one goes.
    pub(super) fn join_restarting(&mut self) {
        if !self.machine.is_promised_away() {
            self.clients.pass_over(&Role::Restarting, &Role::Joining);
        }
    }

    /// Tells a client that others use the instance, if that is to be told; returns whether it is.
    fn refuse_if_used(&mut self, client: ClientId, busy: Busy) -> bool {
        let (leases, calls) = (self.leases(), self.calls.count() as u64);
        let refuses = busy == Busy::Fail && leases + calls > 0;
        if refuses {
            self.clients.tell(client, &Reply::InUse { leases, calls });
        }
        refuses
    }

    fn leases(&self) -> u64 {
        self.clients.count(|role| *role == Role::Leasing) as u64
    }

    /// Tells those who asked for a stop that it is under way, once it is.
    pub(super) fn tell_stopping(&mut self) {
        let grace = self.service.settings.grace;
        if self.machine.stage() == Stage::Stopping {
            self.clients.tell_those(|role| {
                (*role == Role::Stopping).then_some(Reply::Stopping(grace, self.instance))
            });
        }
    }

    /// Forgets those who have gone, and what they had asked for.
    pub(super) fn part_with_gone(&mut self) {
        let gone = self.clients.take_gone();
        if gone.is_empty() {
            return;
        }
        self.full = false;
        let (mut withdrawn, mut restart_withdrawn) = (false, false);
        for client in &gone {
            withdrawn |= client.role == Role::Stopping;
            restart_withdrawn |= client.role == Role::Restarting;
            if client.role == Role::Calling && self.calls.forget(client.id) {
                self.poison("whoever was owed its reply has gone".to_owned());
            }
        }
        if withdrawn && self.clients.count(|role| *role == Role::Stopping) == 0 {
            self.happen(Event::Withdrawn);
        }
        if restart_withdrawn && self.clients.count(|role| *role == Role::Restarting) == 0 {
            self.happen(Event::RestartWithdrawn);
        }
        self.count_users();
        if self.machine.stage() == Stage::Starting {
            self.tell_waiting();
        }
    }

    pub(super) fn count_users(&mut self) {
        let leases = self.clients.count(|role| *role == Role::Leasing);
        self.happen(Event::Users(leases + self.calls.count()));
    }

    /// Tells those who wait whether they can have the instance, where that is decided.
    pub(super) fn tell_waiting(&mut self) {
        match self.machine.stage() {
            // Those who come when it is promised to go wait for that.
            Stage::Ready if self.machine.is_promised_away() => {}
            Stage::Ready => {
                let (report, expired) = (self.report(), self.is_expired());
                let mut used = false;
                self.clients.tell_those(|role| match role {
                    Role::Ensuring(ensure) => {
                        let reply = judge(ensure, &report, expired);
                        used |= matches!(reply, Reply::Ready(_));
                        Some(reply)
                    }
                    Role::Joining => {
                        used = true;
                        Some(Reply::Ready(report.clone()))
                    }
                    _ => None,
                });
                if used {
                    self.happen(Event::Used);
                }
            }
            // Nobody is there any more who wanted this one: whoever wants another need not wait until it is ready.
            Stage::Starting if !self.is_awaited() => {
                let report = self.report();
                self.clients.tell_those(|role| match role {
                    Role::Ensuring(ensure) => {
                        report.change(ensure, false).map(|change| Reply::Changed(report.clone(), change))
                    }
                    _ => None,
                });
            }
            // Those who come while it goes wait for that too: told at once, they would ask again at once.
            _ => {}
        }
    }

    /// Returns whether somebody waits for the instance as it is, or may be about to say that.
    fn is_awaited(&self) -> bool {
        let report = self.report();
        self.calls.count() > 0
            || self.clients.are_silent(ClientId::MAX)
            || self.clients.count(|role| match role {
                Role::Ensuring(ensure) => report.change(ensure, false).is_none(),
                Role::Joining => true,
                _ => false,
            }) > 0
    }

    fn is_expired(&self) -> bool {
        self.machine.is_expired(self.now(), &self.service.settings)
    }

    pub(super) fn report(&self) -> Report {
        let now = self.now();
        let named =
            self.waiting.values.iter().find(|(name, _)| name == "addr").map(|(_, value)| value.clone());
        let found = self.waiting.address.clone();
        let readiness = self.service.readiness_at(self.port);
        let of_readiness = || readiness.iter().find_map(Ready::address);
        let ready_port = readiness.iter().find_map(|ready| match ready {
            Ready::Port { port, .. } | Ready::Http { port, .. } => Some(*port),
            _ => None,
        });
        let stage = self.machine.stage();
        let left = match stage {
            Stage::Starting | Stage::Resting => self.machine.next(&self.service.settings),
            Stage::Ready | Stage::Stopping => None,
        };
        Report {
            instance: self.instance,
            stage,
            fingerprint: self.service.fingerprint,
            pid: self.running.as_ref().filter(|running| !running.ended).map_or(0, |running| running.pid),
            supervisor: process::id(),
            started: self.started,
            ready: self.ready,
            unused: self.machine.unused(now),
            address: self.address.clone().or(named).or(found).or_else(of_readiness),
            port: self.waiting.port().or(self.port).or(ready_port),
            values: self.waiting.values.clone(),
            status: self.status.clone(),
            assignments: self.service.assignments.clone(),
            words: self.service.words.iter().map(|word| word.as_encoded_bytes().to_vec()).collect(),
            directory: self.service.directory.clone(),
            framing: self.service.framing,
            leases: self.leases(),
            calls: self.calls.count() as u64,
            restarts: self.machine.restarts(),
            idle: self.service.settings.idle,
            ttl: self.service.settings.ttl,
            readiness: Service::readiness_digest(&self.service.readiness, self.service.port),
            awaited: if stage == Stage::Starting { self.waiting.sentence() } else { String::new() },
            left: left.map(|until| until.saturating_sub(now)),
        }
    }
}

/// Returns what somebody who wants this is told of an instance.
fn judge(wanted: &Ensure, report: &Report, expired: bool) -> Reply {
    match report.change(wanted, expired) {
        None => Reply::Ready(report.clone()),
        Some(change) => Reply::Changed(report.clone(), change),
    }
}
