//! The guardian: the parent of a supervisor, which does nothing until that has ended, and then sees to it that no
//! process of its tree is left before the lock is free.
//!
//! The kernel can end one child with its parent (PR_SET_PDEATHSIG), but not a tree: with a supervisor alone, three of
//! four processes outlived its SIGKILL, beside the next instance. Orphans below the guardian come to it
//! (PR_SET_CHILD_SUBREAPER), so that none can hide. When the guardian itself is killed, the supervisor is told and
//! ends everything. When both are killed at one time, the next start looks for what they left.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use super::release;
use super::service::Service;
use super::slot::{Record, Slot};
use super::start;
pub use super::start::SUPERVISE;
use super::supervisor;
use super::tree;
use super::verdict::{Last, Verdict, Why};
use crate::config::Clock;
use crate::fault;
use crate::store::holder::Holder;
use crate::sys::poll::{self, Watch};
use crate::sys::process::{self, Ended};
use crate::sys::signal::{self, Signals};
use crate::sys::startup::Inherited;
use crate::sys::{descriptor, end, memory};

/// Returns how long an instance that was told to end may take besides the grace: killing, `--on-release`, and a process
/// that waits for a disk.
pub fn longest_end() -> Duration {
    fault::limit("stop.longest", Duration::from_secs(120))
}

/// Becomes a guardian, of a supervisor that keeps what descriptor `start::SERVICE` says. Returns the exit code.
pub fn guard(clock: &Clock) -> u8 {
    match begin(clock) {
        Ok(()) => 0,
        Err(_) => crate::error::Kind::Failed.code(),
    }
}

fn begin(clock: &Clock) -> std::io::Result<()> {
    let lock = File::from(descriptor::inherited(start::LOCK)?);
    let listener = UnixListener::from(descriptor::inherited(start::LISTENER)?);
    let first = UnixStream::from(descriptor::inherited(start::FIRST)?);
    let mut told = File::from(descriptor::inherited(start::SERVICE)?);
    let mut bytes = Vec::new();
    told.read_to_end(&mut bytes)?;
    drop(told);
    let service = Service::decode(&bytes).map_err(std::io::Error::other)?;
    process::adopt_orphans()?;
    // What cannot be written is an error there, and not the end of the process.
    signal::ignore_file_limit();
    process::set_name(c"memo-guardian");
    let guardian = process::id();
    let Some(supervisor) = process::fork_child()? else {
        process::set_name(c"memo-singleton");
        // Told when the guardian ends: then the instance ends too.
        if !process::told_of_end_of(guardian, signal::TERM) {
            end::at_once(0);
        }
        supervisor::supervise(service, lock, listener, first, clock.clone());
        end::at_once(0)
    };
    // Whoever connects is to hear from the supervisor, or that it has gone.
    drop((listener, first));
    keep(&service, supervisor, &lock, clock)?;
    // The kernel frees the lock when there is next to nothing left of this process either: whoever waited for it looks
    // in vain for anything of the instance.
    end::at_once(0)
}

/// Waits for the end of the supervisor, and cleans up behind it.
fn keep(service: &Service, supervisor: i32, lock: &File, clock: &Clock) -> std::io::Result<()> {
    let asked = [signal::TERM, signal::INT, signal::HUP, signal::QUIT];
    let signals = Signals::hold(&[&asked[..], &[signal::CHLD]].concat(), &Inherited::get())?;
    let mut ended = None;
    // It may sleep for days.
    memory::release_code();
    while ended.is_none() {
        poll::wait_for(signals.raw(), poll::READ)?;
        while let Some(arrived) = signals.next() {
            if asked.contains(&arrived.signal) {
                signal::send(supervisor, signal::TERM);
            }
        }
        while let Some((pid, how)) = process::any_ended() {
            if pid == supervisor {
                ended = Some(how);
            }
        }
    }
    let slot = Slot::at(service.slot.clone());
    let lost = ended != Some(Ended::Exit(0));
    if lost {
        // It is only in vain that somebody in a hurry looks for it there.
        let _ = take_over(lock);
    }
    clean(service.settings.grace, &asked, &signals);
    if lost {
        after_loss(service, &slot, lock, clock);
    }
    Ok(())
}

/// Says in the lock's file that this process ends the instance: who is in a hurry sends it a signal.
fn take_over(mut lock: &File) -> std::io::Result<()> {
    let Some(record) = Record::read(lock) else { return Ok(()) };
    let bytes = Record { supervisor: Holder::me(), ..record }.encode();
    lock.seek(SeekFrom::Start(0))?;
    lock.write_all(&bytes)
}

/// Ends every process below this one: asks them, and after the grace, or when one of the signals `hurry` comes, kills
/// them.
fn clean(mut grace: Duration, hurry: &[i32], signals: &Signals) {
    let mut asked = Vec::new();
    let begun = Instant::now();
    loop {
        while process::any_ended().is_some() {}
        // Whoever is not seen but there is seen at the next look.
        let left = tree::of_instance(process::id());
        if !process::has_children() || tree::others_alone_are_below(process::id()) {
            return;
        }
        let over = begun.elapsed().saturating_sub(grace);
        if over >= super::machine::KILL_LIMIT {
            // What waits for a disk in the kernel cannot be killed.
            return;
        }
        for process in &left {
            if over > Duration::ZERO {
                tree::kill(process);
            } else if !asked.contains(&process.pid) {
                asked.push(process.pid);
                tree::send(process, signal::TERM);
                tree::send(process, signal::CONT);
            }
        }
        let wait = if over > Duration::ZERO {
            Duration::from_millis(20)
        } else {
            grace - begun.elapsed().min(grace)
        };
        let _ = poll::wait(
            &mut [Watch::new(signals.raw(), poll::READ)],
            Some(wait.max(Duration::from_millis(1))),
        );
        while let Some(arrived) = signals.next() {
            if hurry.contains(&arrived.signal) {
                grace = grace.min(begun.elapsed());
            }
        }
    }
}

/// Does for a supervisor that was killed what it would have done last, unless another instance has the slot by now.
fn after_loss(service: &Service, slot: &Slot, lock: &File, clock: &Clock) {
    let Some(record) = Record::read(lock).filter(|_| slot.is_locked_by(lock)) else { return };
    if Last::read(slot.directory()).is_some_and(|last| last.verdict.instance == record.instance) {
        return;
    }
    let release_failed = release::run_left(slot, record.instance, &service.environment);
    let verdict = Verdict {
        instance: record.instance,
        why: Why::SupervisorLost,
        ended: None,
        was_ready: true,
        errno: None,
        note: String::new(),
        hint: None,
        listens: Vec::new(),
        limit: service.settings.timeout,
        port: None,
        tail: super::log::tail(slot.directory(), supervisor::TAIL),
        started: clock.now(),
        finished: clock.now(),
        release_failed,
        is_stuck: false,
    };
    Last::keep(slot.directory(), verdict, service.fingerprint, false);
}
