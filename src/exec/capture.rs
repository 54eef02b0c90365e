//! Capture: what the command writes goes to the user as it comes, and into the transcript.
//!
//! One thread waits for everything. The user comes first: a write to a pipe never blocks the loop, so
//! that one stream that nobody reads holds up neither the other one nor stdin, as it is without memo.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::channel::Channel;
use super::feed::{Feed, Taken};
use super::keyboard::Keyboard;
use super::person::Person;
use super::transcript::{Spool, Spooled};
use crate::fault;
use crate::progress::Line;
use crate::sys::descriptor::{self, standard};
use crate::sys::end;
use crate::sys::poll::{self, Watch};
use crate::sys::process::{self, Ended, Launch, Started, Stdio, Wait};
use crate::sys::signal::{self, Signals};
use crate::sys::startup::Inherited;
use crate::sys::terminal::{self, Size};

/// How long a process that the command left behind may keep an output open before memo leaves without
/// it; counted while the pipe is empty.
const GRACE: Duration = Duration::from_millis(100);
/// How much is read at a time, in bytes.
const BUFFER: usize = 256 << 10;
/// How stdin reaches the command.
#[derive(Debug)]
pub enum Input {
    /// As it is.
    Inherit,
    /// `/dev/null`.
    Null,
    /// Through a feed, whose reading end this is.
    Feed(Feed, OwnedFd),
}

/// What is to be captured.
#[derive(Debug)]
pub struct Plan {
    /// The command; its descriptors are set here.
    pub launch: Launch,
    /// Its stdin.
    pub input: Input,
    /// Whether stdout and stderr are one open file.
    pub merged: bool,
    /// Whether a person may be at stdin.
    pub terminal: bool,
    /// What shows how far it is.
    pub line: Option<Line>,
    /// The size of the terminal the command gets, if it gets one: its stdout and stderr are then one stream.
    pub pty: Option<Size>,
}

/// What others who want the same result should know while the command still runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A reader of the output went away.
    ReaderGone,
    /// The transcript is not kept any more.
    NotKept,
}

/// How a run went.
#[derive(Debug)]
pub struct Ran {
    /// How the command ended.
    pub ended: Ended,
    /// How long it ran.
    pub duration: Duration,
    /// What it wrote.
    pub transcript: Spooled,
    /// What it took from a feed.
    pub taken: Option<Taken>,
    /// A reader of its output went away.
    pub reader_gone: bool,
    /// It had written more than a pipe holds and gone before memo saw that the reader was: without memo
    /// it would have got SIGPIPE.
    pub lost: bool,
    /// Its output could not be passed on, and why.
    pub undelivered: Option<io::Error>,
    /// A signal memo was sent while it ran.
    pub signalled: Option<i32>,
    /// A process it left behind keeps an output open.
    pub held: bool,
    /// It talked with a person.
    pub interactive: bool,
}

fn clear(line: &mut Option<Line>, channel: &Channel) {
    if let Some(line) = line {
        line.before_output(channel.stream);
    }
}

/// The record that says that the command waits for its own reader.
pub const STALLED: u8 = 4;
/// How long a reader may keep the command waiting before others are told not to wait with it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What happens while a command runs.
enum Event<'a> {
    /// It wrote something to a stream.
    Output(u8, &'a [u8]),
    /// Its reader has kept it waiting.
    Stalled,
    /// Its reader has gone.
    ReaderGone,
}

/// The signals that are passed on, and the two that memo itself needs.
const HELD: [i32; 11] = [
    signal::CHLD,
    signal::HUP,
    signal::INT,
    signal::QUIT,
    signal::TERM,
    signal::USR1,
    signal::USR2,
    signal::IO,
    signal::WINCH,
    signal::CONT,
    signal::TSTP,
];
/// How many of them are held where the command has no terminal of its own: there the kernel tells it the rest.
const HELD_ALWAYS: usize = 8;

/// Runs the command and captures what it writes.
///
/// # Errors
/// Those of starting it: nothing has run. What goes wrong later is told with how it ran.
pub fn run(
    mut plan: Plan,
    mut spool: Spool<impl FnOnce() -> io::Result<File>>,
    inherited: &Inherited,
    mut notice: impl FnMut(Notice),
) -> io::Result<Ran> {
    let (keyboard, channels, writers) = match plan.pty {
        None => {
            let (channels, writers) = connect(&mut plan, inherited)?;
            (None, channels, writers)
        }
        Some(size) => {
            let attached = plan.terminal && terminal::is_terminal(standard(1));
            let (keyboard, output, terminal) = Keyboard::new(size, attached)?;
            plan.launch.stdio = [Stdio::Fd(terminal.as_raw_fd()); 3];
            plan.launch.terminal = Some(terminal.as_raw_fd());
            (Some(keyboard), vec![Channel::of(output, 1)?], vec![terminal])
        }
    };
    let attached = keyboard.as_ref().is_some_and(Keyboard::is_attached);
    let null = if matches!(plan.input, Input::Null) { Some(descriptor::null()?) } else { None };
    plan.launch.stdio[0] = match (&plan.input, &null) {
        (Input::Feed(_, reader), _) => Stdio::Fd(reader.as_raw_fd()),
        (_, Some(null)) => Stdio::Fd(null.as_raw_fd()),
        _ if attached => plan.launch.stdio[1],
        _ => Stdio::Inherit,
    };
    let held = if keyboard.is_some() { &HELD[..] } else { &HELD[..HELD_ALWAYS] };
    let signals = Signals::hold(held, inherited)?;
    let person = (plan.terminal && !attached).then(Person::watch);
    let started = Instant::now();
    let Started { waited: pid, command } = plan.launch.spawn(inherited)?;
    drop(writers);
    let (feed, reader) = match plan.input {
        Input::Feed(feed, reader) => (Some(feed), Some(reader)),
        _ => (None, None),
    };
    let mut running = Running {
        pid,
        command,
        keyboard,
        channels,
        feed,
        reader,
        taken: None,
        signals,
        person,
        line: plan.line,
        ended: None,
        ended_at: started,
        signalled: None,
        held: false,
    };
    let mut kept = true;
    let followed = running.follow(|event| {
        match event {
            Event::Output(stream, bytes) => spool.push(stream, bytes),
            Event::Stalled => spool.mark(STALLED),
            Event::ReaderGone => notice(Notice::ReaderGone),
        }
        if kept && !spool.is_kept() {
            kept = false;
            notice(Notice::NotKept);
        }
    });
    running.line = None;
    if let Some(keyboard) = &mut running.keyboard {
        keyboard.detach();
    }
    let failed = followed.err();
    if failed.is_some() {
        // Nobody takes what it writes any more; on its own it would wait for ever.
        signal::send(command, signal::KILL);
        running.ended = process::wait(pid, Wait::Block)?;
    }
    let gone = running.channels.iter().any(|channel| channel.reader_gone);
    Ok(Ran {
        ended: match running.ended.unwrap_or(Ended::Exit(0)) {
            // A terminal whose other end goes says so by SIGHUP; it was the reader of our own output who went.
            Ended::Signal(signal::HUP) if running.keyboard.is_some() && gone => Ended::Signal(signal::PIPE),
            ended => ended,
        },
        duration: fault::duration("ran.duration", running.ended_at - started),
        transcript: spool.finish(),
        taken: running.taken,
        reader_gone: gone,
        lost: running.channels.iter().any(|channel| channel.lost),
        undelivered: running.channels.into_iter().find_map(|channel| channel.undelivered).or(failed),
        signalled: running.signalled,
        held: running.held,
        interactive: running.person.is_some_and(Person::was_asked)
            || running.keyboard.is_some_and(|keyboard| keyboard.was_used()),
    })
}

/// Makes the pipes; a descriptor that was closed stays closed.
fn connect(plan: &mut Plan, inherited: &Inherited) -> io::Result<(Vec<Channel>, Vec<OwnedFd>)> {
    let mut channels = Vec::with_capacity(2);
    let mut writers = Vec::with_capacity(2);
    for stream in [1, 2] {
        if inherited.closed(stream.into()) {
            continue;
        }
        let stdio = &mut plan.launch.stdio;
        if stream == 2 && plan.merged && !channels.is_empty() {
            stdio[2] = stdio[1];
            continue;
        }
        let (channel, writer) = Channel::open(stream)?;
        stdio[usize::from(stream)] = Stdio::Fd(writer.as_raw_fd());
        channels.push(channel);
        writers.push(writer);
    }
    Ok((channels, writers))
}

struct Running {
    /// Whom to wait for.
    pid: i32,
    /// Whom signals are for.
    command: i32,
    keyboard: Option<Keyboard>,
    channels: Vec<Channel>,
    feed: Option<Feed>,
    /// memo's own copy of the command's stdin, kept to ask what is left in it.
    reader: Option<OwnedFd>,
    taken: Option<Taken>,
    signals: Signals,
    person: Option<Person>,
    line: Option<Line>,
    ended: Option<Ended>,
    ended_at: Instant,
    signalled: Option<i32>,
    held: bool,
}

impl Running {
    /// Follows the command until it has ended and its outputs are at their ends.
    fn follow(&mut self, mut tell: impl FnMut(Event<'_>)) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        self.keyboard.iter_mut().for_each(Keyboard::attach);
        let mut quiet = GRACE;
        let mut stalled = false;
        while self.ended.is_none() || self.channels.iter().any(|channel| !channel.is_over()) {
            let mut watches = Vec::with_capacity(8);
            watches.push(Watch::new(self.signals.raw(), poll::READ));
            watches.push(self.keyboard.as_ref().map_or(Watch::nothing(), Keyboard::watch));
            watches.extend(self.channels.iter().flat_map(Channel::watches));
            let streams = watches.len();
            if let Some(feed) = &self.feed {
                watches.extend(feed.watches());
            }
            // Only an empty pipe counts towards the grace; bytes that the user does not take yet do not,
            // unless somebody wants memo gone: then the copy delivers them.
            let pending = self.channels.iter().any(|channel| !channel.pending.is_empty());
            let waits_for_user = self.signalled.is_none() && pending;
            let grace = self.ended.is_some() && !waits_for_user && !self.held;
            let patience = waits_for_user && !stalled && !self.held;
            let limit = match &self.line {
                _ if patience => Some(PATIENCE),
                _ if grace => Some(quiet),
                Some(line) if self.may_show(pending) => Some(line.due()),
                _ => None,
            };
            let before = Instant::now();
            let ready = poll::wait(&mut watches, limit)?;
            if ready == 0 && patience {
                stalled = true;
                tell(Event::Stalled);
                continue;
            }
            if ready == 0 && !grace {
                self.show();
                continue;
            }
            if grace {
                quiet = quiet.saturating_sub(before.elapsed());
            }
            if ready == 0 || grace && quiet.is_zero() && !self.any_output(&watches) {
                if self.leave_behind()? {
                    return Ok(());
                }
                continue;
            }
            if watches[0].any() {
                self.take_signals();
            }
            if watches[1].any()
                && let Some(keyboard) = &mut self.keyboard
            {
                keyboard.typed(&mut buffer);
            }
            let had_readers = !self.reader_gone();
            for (channel, pair) in self.channels.iter_mut().zip(watches[2..streams].chunks_exact(2)) {
                let line = &mut self.line;
                if pair[1].any() && !channel.pending.is_empty() {
                    clear(line, channel);
                    channel.flush();
                } else if pair[1].got(poll::ERROR | poll::HANGUP) {
                    // Of a pipe ERROR says it, of a socket HANGUP.
                    channel.reader_left();
                }
                if pair[0].any()
                    && let Some(bytes) = channel.read(&mut buffer)
                {
                    clear(line, channel);
                    channel.deliver(bytes);
                    if let Some(line) = line {
                        line.after_output(channel.stream, bytes);
                    }
                    tell(Event::Output(channel.stream, bytes));
                    if let Some(person) = &mut self.person {
                        person.output_came(bytes);
                    }
                    if let Some(keyboard) = &mut self.keyboard {
                        keyboard.output_came(bytes);
                    }
                }
            }
            if had_readers && self.reader_gone() {
                if let Some(keyboard) = &mut self.keyboard {
                    keyboard.hang_up(self.command);
                }
                tell(Event::ReaderGone);
            }
            if let (Some(feed), &[original, private]) = (&mut self.feed, &watches[streams..]) {
                // A broken source is what the command then sees too: the end.
                let _ = feed.step([original, private]);
            }
            if self.ended.is_some() {
                self.settle_feed()?;
            }
            // A stream that never pauses keeps poll from running out of time.
            if self.line.is_some() && self.may_show(false) {
                self.show();
            }
        }
        Ok(())
    }

    /// Whether the line that shows how far it is may be drawn: not when somebody wants the command to end, and not
    /// into what the user does not take.
    fn may_show(&self, pending: bool) -> bool {
        self.ended.is_none() && self.signalled.is_none() && !pending && !self.is_interactive()
    }

    fn show(&mut self) {
        let asks = || self.person.is_some() && process::reads_stdin(self.command);
        if let Some(line) = &mut self.line {
            line.tick_unless(asks);
        }
    }

    fn is_interactive(&self) -> bool {
        self.person.as_ref().is_some_and(Person::is_there)
    }

    fn reader_gone(&self) -> bool {
        self.channels.iter().any(|channel| channel.reader_gone)
    }

    fn any_output(&self, watches: &[Watch]) -> bool {
        watches[2..2 + 2 * self.channels.len()].iter().any(Watch::any)
    }

    fn take_signals(&mut self) {
        while let Some(arrived) = self.signals.next() {
            match arrived.signal {
                signal::CHLD => {
                    if self.ended.is_none()
                        && let Ok(Some(ended)) = process::wait(self.pid, Wait::Look)
                    {
                        self.ended = Some(ended);
                        self.ended_at = Instant::now();
                    }
                    if let Some(keyboard) = &mut self.keyboard
                        && self.ended.is_none()
                        && process::was_stopped(self.pid)
                    {
                        keyboard.stop(self.pid);
                    }
                }
                signal::IO => {
                    if let Some(person) = &mut self.person {
                        person.input_came();
                    }
                }
                signal::WINCH => self.keyboard.iter_mut().for_each(Keyboard::resize),
                signal::CONT => self.keyboard.iter_mut().for_each(Keyboard::attach),
                other if self.keyboard.is_some() => {
                    // The command has a session of its own: what is sent to memo's reaches it only from here.
                    if self.ended.is_none() {
                        signal::send(-self.command, other);
                    }
                    if [signal::HUP, signal::INT, signal::QUIT, signal::TERM].contains(&other) {
                        self.signalled = Some(other);
                    }
                }
                other => {
                    // A terminal's Ctrl-C reaches the command by itself; what somebody sends to memo
                    // alone does not. When a terminal goes, only the leader of its session is told.
                    let to_memo_alone = arrived.sent || other == signal::HUP && process::leads_session();
                    if to_memo_alone && self.ended.is_none() {
                        signal::send(self.command, other);
                    }
                    if [signal::HUP, signal::INT, signal::QUIT, signal::TERM].contains(&other) {
                        self.signalled = Some(other);
                        self.line = None;
                    }
                }
            }
        }
    }

    fn settle_feed(&mut self) -> io::Result<()> {
        if let (Some(feed), Some(reader)) = (self.feed.take(), self.reader.take()) {
            self.taken = Some(feed.finish(&reader)?);
        }
        Ok(())
    }

    /// Leaves a copy of this process to pump on for whoever holds the pipes; returns `true` in the
    /// original, which goes its way as the command did.
    fn leave_behind(&mut self) -> io::Result<bool> {
        self.settle_feed()?;
        self.held = true;
        self.line = None;
        // Where there may be no further process, memo stays itself.
        let Ok(is_copy) = process::fork() else { return Ok(false) };
        if is_copy {
            // The copy: no lock is its own (an flock goes with the open file, which the original lets
            // go), nothing is recorded, and a signal ends it as it would end the process that it serves.
            signal::release_all();
            self.person = None;
            self.keyboard = None;
            let _ = self.follow(|_| {});
            end::at_once(0);
        }
        Ok(true)
    }
}
