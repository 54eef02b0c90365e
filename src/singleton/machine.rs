//! The life of an instance as a pure function: what is true, what happens, what is to be done. No clock, no process
//! and no descriptor is touched here.
//!
//! ```text
//! Starting --ready--> Ready --idle, ttl, stop, its own end--> Stopping --its tree is gone--> Releasing --> Over
//!     \--its end, timeout, stop-------------------------------^                                  \--> Resting --> Starting
//! ```
//!
//! Times are durations since the supervisor began.

use std::time::Duration;

use super::report::Stage;
use super::service::Settings;
use super::verdict::Why;
use crate::sys::process::Ended;

/// How long `--on-release` may take.
pub const RELEASE_LIMIT: Duration = Duration::from_secs(60);
/// How long what was killed may take to go: a process that waits for a disk cannot.
pub const KILL_LIMIT: Duration = Duration::from_secs(2);
/// How often what is still there is killed again: a fork may have been under way.
const KILL_AGAIN: Duration = Duration::from_millis(50);
/// From when on an instance that ends by itself was no failure to start.
pub const QUICK: Duration = Duration::from_secs(10);
/// The first pause before an instance that failed is started again; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// So many quick ends in [`LOOP_TIME`] are a crash loop (systemd's default is 5 in 10 s).
pub const LOOP_ENDS: usize = 5;
/// See [`LOOP_ENDS`].
pub const LOOP_TIME: Duration = Duration::from_secs(60);

/// Where an instance is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting {
        deadline: Duration,
    },
    Ready,
    /// Until its whole tree has gone; it is killed at `kill_at`, and given up at `give_up` after that.
    Stopping {
        kill_at: Duration,
        give_up: Option<Duration>,
    },
    /// `--on-release` runs.
    Releasing {
        until: Duration,
    },
    /// Until it is started again.
    Resting {
        until: Duration,
    },
    Over,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its process could not be started.
    NotStarted,
    /// All that readiness asks for is true.
    Ready,
    /// It wants so much more time until it is ready.
    Longer(Duration),
    /// Its process ended.
    Ended(Ended),
    /// No process of its tree is left.
    TreeGone,
    /// `--on-release` has ended.
    Released,
    /// It is to be stopped.
    Stop(Why),
    /// It is to be stopped as soon as nobody uses it.
    /// It may take so long to end, or as long as it always may.
    StopWhenUnused(Why, Option<Duration>),
    /// Whoever asked for that has gone.
    Withdrawn,
    /// It is to be stopped and started again.
    Restart,
    /// That is to be as soon as nobody uses it.
    RestartWhenUnused,
    /// Whoever asked for that has gone.
    RestartWithdrawn,
    /// Somebody was given it.
    Used,
    /// So many hold it, or wait for its reply.
    Users(usize),
    /// Time has passed.
    Time,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Start a new instance.
    Start,
    /// Tell those who wait that it is ready.
    TellReady,
    /// Tell those who wait that it failed.
    TellFailed,
    /// Tell those who wait that it takes as long as it may take to end.
    TellLonger,
    /// Tell those who wait that it goes.
    TellGone,
    /// Ask its processes to end.
    Terminate,
    /// Kill its processes.
    Kill,
    /// Run `--on-release`.
    Release,
    /// Kill `--on-release`.
    KillRelease,
    /// Keep how it ended.
    Record,
    /// Nothing is left to be kept: the supervisor ends.
    Leave,
}

/// The life of an instance, and of those that follow it under the same supervisor.
#[derive(Clone, Debug)]
pub struct Machine {
    phase: Phase,
    /// Why it goes, once it does.
    why: Option<Why>,
    /// How its process ended, once it has.
    ended: Option<Ended>,
    ready: Option<Duration>,
    /// How long it may take until it is ready.
    limit: Duration,
    used: Duration,
    users: usize,
    /// Why it is to go when nobody uses it, and how long that may take, if that was said.
    pending: Option<(Why, Option<Duration>)>,
    /// Whether it is to be started again when nobody uses it.
    restart_pending: bool,
    /// Whether it is started again, and after which pause.
    again: Option<Duration>,
    /// The pause before the next start after a failure.
    pause: Duration,
    restarts: u64,
    quick_ends: Vec<Duration>,
    stuck: bool,
}

impl Machine {
    /// Returns the life of an instance that is being started now.
    pub fn new(now: Duration, settings: &Settings) -> Self {
        Self {
            phase: Phase::Starting { deadline: now + settings.timeout },
            why: None,
            ended: None,
            ready: None,
            limit: settings.timeout,
            used: now,
            users: 0,
            pending: None,
            restart_pending: false,
            again: None,
            pause: FIRST_PAUSE,
            restarts: 0,
            quick_ends: Vec::new(),
            stuck: false,
        }
    }

    /// Returns where it is in its life, as others are told.
    pub fn stage(&self) -> Stage {
        match self.phase {
            Phase::Starting { .. } => Stage::Starting,
            Phase::Ready => Stage::Ready,
            Phase::Stopping { .. } | Phase::Releasing { .. } | Phase::Over => Stage::Stopping,
            Phase::Resting { .. } => Stage::Resting,
        }
    }

    /// Returns whether it is waited for that its tree has gone.
    pub fn awaits_end_of_tree(&self) -> bool {
        matches!(self.phase, Phase::Stopping { .. }) && self.ended.is_some()
    }

    /// Returns whether one can wait for it to be ready: it will be, or it will fail.
    pub fn will_be_ready(&self) -> bool {
        matches!(self.phase, Phase::Starting { .. } | Phase::Resting { .. })
            || self.again.is_some() && self.phase != Phase::Over
    }

    /// Returns whether it is ready but will go as soon as nobody uses it.
    pub fn is_promised_away(&self) -> bool {
        self.phase == Phase::Ready && (self.pending.is_some() || self.restart_pending)
    }

    /// Returns why it goes or has gone.
    pub fn why(&self) -> Why {
        self.why.unwrap_or(Why::Exited)
    }

    /// Returns how its process ended.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Returns how long it may take until it is ready, with what it has asked for besides.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Returns whether it has been ready.
    pub fn was_ready(&self) -> bool {
        self.ready.is_some()
    }

    /// Returns how long nobody has used it.
    pub fn unused(&self, now: Duration) -> Duration {
        if self.users > 0 { Duration::ZERO } else { now.saturating_sub(self.used) }
    }

    /// Returns whether it is as old as it may become. Its age counts from when it was ready: one that took longer than
    /// that to start would otherwise never be handed to anybody.
    pub fn is_expired(&self, now: Duration, settings: &Settings) -> bool {
        let age = self.ready.map(|ready| now.saturating_sub(ready));
        age.zip(settings.ttl).is_some_and(|(age, ttl)| age >= ttl)
    }

    /// Returns how often it was started again after a failure.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Returns whether it ended by itself soon after it was ready.
    pub fn was_quick(&self) -> bool {
        self.why == Some(Why::Exited) && self.quick_ends.last() == self.ready.as_ref() && self.ready.is_some()
    }

    /// Returns whether some of its processes could not be killed.
    pub fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// Returns when something is to happen if nothing else does.
    pub fn next(&self, settings: &Settings) -> Option<Duration> {
        match self.phase {
            Phase::Starting { deadline } => Some(deadline),
            Phase::Ready if self.users > 0 => None,
            Phase::Ready => {
                let idle = settings.idle.map(|idle| self.used + idle);
                let ttl = self.ready.zip(settings.ttl).map(|(ready, ttl)| ready + ttl);
                idle.into_iter().chain(ttl).min()
            }
            Phase::Stopping { kill_at, .. } => Some(kill_at),
            Phase::Releasing { until } | Phase::Resting { until } => Some(until),
            Phase::Over => None,
        }
    }

    /// Lets something happen; returns what is to be done about it, in this order.
    pub fn step(&mut self, event: Event, now: Duration, settings: &Settings) -> Vec<Effect> {
        match event {
            Event::Used => {
                self.used = now;
                Vec::new()
            }
            Event::Users(users) => self.users_are(users, now, settings),
            Event::Withdrawn => {
                self.pending = None;
                self.stays()
            }
            Event::RestartWithdrawn => {
                self.restart_pending = false;
                self.stays()
            }
            Event::Longer(time) => {
                if let Phase::Starting { deadline } = &mut self.phase {
                    let before = *deadline;
                    *deadline = before.max(now + time);
                    self.limit += *deadline - before;
                }
                Vec::new()
            }
            Event::Ready => match self.phase {
                Phase::Starting { .. } => {
                    self.phase = Phase::Ready;
                    self.ready = Some(now);
                    self.used = now;
                    vec![Effect::TellReady]
                }
                _ => Vec::new(),
            },
            Event::NotStarted => {
                self.why = Some(Why::NotStarted);
                self.phase = Phase::Over;
                vec![Effect::TellFailed, Effect::Record, Effect::Leave]
            }
            Event::Stop(why) => self.stop(why, now, settings),
            Event::StopWhenUnused(why, grace) => match self.phase {
                Phase::Ready if self.users > 0 => {
                    self.pending = Some((why, grace));
                    Vec::new()
                }
                _ => self.stop(why, now, settings),
            },
            Event::Restart => self.restart(now, settings),
            Event::RestartWhenUnused => match self.phase {
                Phase::Ready if self.users > 0 => {
                    self.restart_pending = true;
                    Vec::new()
                }
                _ => self.restart(now, settings),
            },
            Event::Ended(ended) => self.end(ended, now, settings),
            Event::TreeGone => match self.phase {
                Phase::Stopping { .. } if self.ended.is_some() => self.gone(now, settings),
                _ => Vec::new(),
            },
            Event::Released => match self.phase {
                Phase::Releasing { .. } => self.finish(now),
                _ => Vec::new(),
            },
            Event::Time => self.time(now, settings),
        }
    }

    fn users_are(&mut self, users: usize, now: Duration, settings: &Settings) -> Vec<Effect> {
        if users != self.users {
            self.used = now;
        }
        self.users = users;
        match (self.phase, self.pending) {
            (Phase::Ready, Some((why, grace))) if users == 0 => {
                let effects = self.stop(why, now, settings);
                if let (Phase::Stopping { kill_at, .. }, Some(grace)) = (&mut self.phase, grace) {
                    *kill_at = now + grace;
                }
                effects
            }
            (Phase::Ready, None) if users == 0 && self.restart_pending => self.restart(now, settings),
            _ => Vec::new(),
        }
    }

    /// Returns what tells those who were kept waiting for it to go that they can have it after all.
    fn stays(&self) -> Vec<Effect> {
        if self.phase == Phase::Ready && !self.is_promised_away() {
            vec![Effect::TellReady]
        } else {
            Vec::new()
        }
    }

    fn stop(&mut self, why: Why, now: Duration, settings: &Settings) -> Vec<Effect> {
        match self.phase {
            Phase::Starting { .. } | Phase::Ready => {
                // Of two who each want another one than was there, none failed.
                let is_gone = self.ready.is_some() || matches!(why, Why::Restarted | Why::Replaced);
                let tell = match why {
                    _ if is_gone => Effect::TellGone,
                    // They hear of it when nothing is left of it.
                    Why::TimedOut => Effect::TellLonger,
                    _ => Effect::TellFailed,
                };
                self.why = Some(why);
                self.again = None;
                vec![tell, self.stopping(now, settings)]
            }
            Phase::Stopping { .. } | Phase::Releasing { .. } => {
                if let Phase::Stopping { kill_at, give_up: None } = &mut self.phase {
                    // Whoever is in a hurry need not wait for somebody else's patience.
                    *kill_at = (*kill_at).min(now + settings.grace);
                }
                // It goes already, and does not come back.
                if self.again.take().is_some() { vec![Effect::TellGone] } else { Vec::new() }
            }
            Phase::Resting { .. } => {
                self.why = Some(why);
                self.phase = Phase::Over;
                vec![Effect::TellFailed, Effect::Leave]
            }
            Phase::Over => Vec::new(),
        }
    }

    fn restart(&mut self, now: Duration, settings: &Settings) -> Vec<Effect> {
        match self.phase {
            Phase::Starting { .. } | Phase::Ready => {
                self.why = Some(Why::Restarted);
                self.again = Some(Duration::ZERO);
                vec![self.stopping(now, settings)]
            }
            // Nobody would find it.
            Phase::Stopping { .. } | Phase::Releasing { .. } if self.why == Some(Why::Removed) => Vec::new(),
            Phase::Stopping { .. } | Phase::Releasing { .. } => {
                self.again = Some(Duration::ZERO);
                Vec::new()
            }
            Phase::Resting { .. } => self.start(now, settings),
            Phase::Over => Vec::new(),
        }
    }

    /// Returns what asks its processes to end.
    fn stopping(&mut self, now: Duration, settings: &Settings) -> Effect {
        (self.pending, self.restart_pending) = (None, false);
        self.phase = Phase::Stopping { kill_at: now + settings.grace, give_up: None };
        Effect::Terminate
    }

    fn end(&mut self, ended: Ended, now: Duration, settings: &Settings) -> Vec<Effect> {
        self.ended = Some(ended);
        let failed = ended != Ended::Exit(0);
        match self.phase {
            Phase::Starting { .. } => {
                self.why = Some(Why::Exited);
                // One that was started again is tried until it is a crash loop.
                if self.restarts > 0 && settings.restart && failed && self.may_try_again(now, now) {
                    return vec![self.stopping(now, settings)];
                }
                vec![Effect::TellFailed, self.stopping(now, settings)]
            }
            Phase::Ready => {
                self.why = Some(Why::Exited);
                let ready = self.ready.unwrap_or(now);
                let quick = now.saturating_sub(ready) < QUICK;
                if !quick {
                    self.pause = FIRST_PAUSE;
                }
                let again = if quick { self.may_try_again(ready, now) } else { self.try_again() };
                if !(settings.restart && failed && again) {
                    self.again = None;
                }
                vec![Effect::TellGone, self.stopping(now, settings)]
            }
            // The rest of its tree is asked to end too.
            Phase::Stopping { .. } => vec![Effect::Terminate],
            _ => Vec::new(),
        }
    }

    /// Notes a quick end; returns whether it is not yet one of a crash loop, and sets it up to be started again.
    fn may_try_again(&mut self, quick: Duration, now: Duration) -> bool {
        self.quick_ends.push(quick);
        self.quick_ends.retain(|end| now.saturating_sub(*end) < LOOP_TIME);
        self.quick_ends.len() < LOOP_ENDS && self.try_again()
    }

    fn try_again(&mut self) -> bool {
        self.again = Some(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }

    fn gone(&mut self, now: Duration, settings: &Settings) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.why == Some(Why::TimedOut) {
            effects.push(Effect::TellFailed);
        }
        if settings.on_release.is_none() {
            effects.extend(self.finish(now));
        } else {
            self.phase = Phase::Releasing { until: now + RELEASE_LIMIT };
            effects.push(Effect::Release);
        }
        effects
    }

    fn finish(&mut self, now: Duration) -> Vec<Effect> {
        match self.again {
            None => {
                self.phase = Phase::Over;
                vec![Effect::Record, Effect::Leave]
            }
            Some(pause) => {
                self.phase = Phase::Resting { until: now + pause };
                vec![Effect::Record]
            }
        }
    }

    fn start(&mut self, now: Duration, settings: &Settings) -> Vec<Effect> {
        if self.why == Some(Why::Exited) {
            self.restarts += 1;
        }
        let before = self.clone();
        *self = Self {
            pause: before.pause,
            restarts: before.restarts,
            quick_ends: before.quick_ends,
            users: before.users,
            ..Self::new(now, settings)
        };
        vec![Effect::Start]
    }

    fn time(&mut self, now: Duration, settings: &Settings) -> Vec<Effect> {
        match self.phase {
            Phase::Starting { deadline } if now >= deadline => self.stop(Why::TimedOut, now, settings),
            Phase::Ready if self.users == 0 && self.is_expired(now, settings) => {
                self.stop(Why::Expired, now, settings)
            }
            Phase::Ready if self.users == 0 && settings.idle.is_some_and(|idle| self.unused(now) >= idle) => {
                self.stop(Why::Idle, now, settings)
            }
            Phase::Stopping { kill_at, give_up } if now >= kill_at => {
                let give_up = give_up.unwrap_or(now + KILL_LIMIT);
                if now >= give_up {
                    self.stuck = true;
                    self.ended.get_or_insert(Ended::Signal(crate::sys::signal::KILL));
                    return self.gone(now, settings);
                }
                self.phase = Phase::Stopping { kill_at: now + KILL_AGAIN, give_up: Some(give_up) };
                vec![Effect::Kill]
            }
            Phase::Releasing { until } if now >= until => {
                let mut effects = vec![Effect::KillRelease];
                effects.extend(self.finish(now));
                effects
            }
            Phase::Resting { until } if now >= until => self.start(now, settings),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A life that is played step by step; times are in ms.
    struct Life {
        machine: Machine,
        settings: Settings,
    }

    impl Life {
        fn new() -> Self {
            let settings = Settings {
                timeout: Duration::from_millis(1000),
                idle: None,
                ttl: None,
                grace: Duration::from_millis(100),
                stop_signal: 15,
                on_release: None,
                restart: false,
            };
            Self { machine: Machine::new(Duration::ZERO, &settings), settings }
        }

        fn at(&mut self, ms: u64, event: Event) -> Vec<Effect> {
            self.machine.step(event, Duration::from_millis(ms), &self.settings)
        }

        fn next(&self) -> Option<u64> {
            self.machine.next(&self.settings).map(|next| next.as_millis() as u64)
        }
    }

    use Effect::{Kill, Leave, Record, Release, Start, TellFailed, TellGone, TellReady, Terminate};

    const FAILED: Event = Event::Ended(Ended::Exit(1));
    const KILLED: Event = Event::Ended(Ended::Signal(15));

    #[test]
    fn it_becomes_ready_and_is_stopped() {
        let mut life = Life::new();
        assert_eq!((life.machine.stage(), life.next()), (Stage::Starting, Some(1000)));
        assert_eq!(life.at(10, Event::Ready), [TellReady]);
        assert_eq!((life.machine.stage(), life.next()), (Stage::Ready, None), "nothing wakes it up");
        assert_eq!(life.at(20, Event::Stop(Why::Stopped)), [TellGone, Terminate]);
        assert_eq!((life.machine.stage(), life.next()), (Stage::Stopping, Some(120)));
        assert_eq!(life.at(30, Event::TreeGone), [], "its process has not been waited for");
        assert_eq!(life.at(40, KILLED), [Terminate], "the rest of its tree");
        assert_eq!(life.at(50, Event::TreeGone), [Record, Leave]);
        assert_eq!((life.machine.why(), life.machine.ended()), (Why::Stopped, Some(Ended::Signal(15))));
    }

    #[test]
    fn a_stop_that_waits_brings_its_own_patience() {
        for (grace, kill_at) in [(None, 150), (Some(Duration::from_millis(7)), 57)] {
            let mut life = Life::new();
            life.at(0, Event::Ready);
            life.at(1, Event::Users(1));
            assert_eq!(life.at(2, Event::StopWhenUnused(Why::Stopped, grace)), []);
            assert_eq!(life.at(50, Event::Users(0)), [TellGone, Terminate]);
            assert_eq!(life.next(), Some(kill_at), "{grace:?}");
        }
    }

    #[test]
    fn one_that_does_not_end_is_killed_again_and_again_and_then_given_up() {
        let mut life = Life::new();
        life.at(0, Event::Ready);
        life.at(0, Event::Stop(Why::Stopped));
        assert_eq!(life.at(99, Event::Time), []);
        assert_eq!(life.at(100, Event::Time), [Kill]);
        assert_eq!(life.next(), Some(150));
        assert_eq!(life.at(150, Event::Time), [Kill]);
        assert!(!life.machine.is_stuck());
        assert_eq!(life.at(2100, Event::Time), [Record, Leave]);
        assert!(life.machine.is_stuck());
    }

    #[test]
    fn one_that_ends_or_is_too_late_before_it_is_ready_has_failed() {
        let mut life = Life::new();
        assert_eq!(life.at(5, FAILED), [TellFailed, Terminate]);
        assert_eq!(life.at(6, Event::TreeGone), [Record, Leave]);
        assert!(!life.machine.was_ready() && life.machine.why() == Why::Exited);
        let mut life = Life::new();
        assert_eq!(life.at(999, Event::Time), []);
        assert_eq!(life.at(999, Event::Longer(Duration::from_millis(500))), []);
        assert_eq!(life.at(1000, Event::Time), []);
        assert_eq!(life.at(1499, Event::Time), [Effect::TellLonger, Terminate]);
        assert_eq!((life.machine.why(), life.machine.limit()), (Why::TimedOut, Duration::from_millis(1499)));
        assert_eq!(life.at(1500, KILLED), [Terminate]);
        assert_eq!(life.at(1501, Event::TreeGone), [TellFailed, Record, Leave], "nothing is left of it");
        let mut life = Life::new();
        assert_eq!(life.at(0, Event::NotStarted), [TellFailed, Record, Leave]);
    }

    #[test]
    fn idle_and_age_count_only_while_it_is_ready_and_nobody_uses_it() {
        let mut life = Life::new();
        life.settings.idle = Some(Duration::from_millis(50));
        life.settings.ttl = Some(Duration::from_millis(500));
        assert_eq!(life.at(100, Event::Time), [], "it is starting");
        life.at(200, Event::Ready);
        assert_eq!(life.next(), Some(250));
        assert_eq!(life.at(240, Event::Used), []);
        assert_eq!(life.at(250, Event::Time), []);
        assert_eq!(life.at(260, Event::Users(1)), []);
        assert_eq!((life.next(), life.at(900, Event::Time)), (None, vec![]));
        assert_eq!(life.at(900, Event::Users(0)), []);
        assert_eq!(life.at(900, Event::Time), [TellGone, Terminate]);
        assert_eq!(life.machine.why(), Why::Expired);
        let mut life = Life::new();
        life.settings.idle = Some(Duration::from_millis(50));
        life.at(0, Event::Ready);
        assert_eq!(life.at(50, Event::Time), [TellGone, Terminate]);
        assert_eq!(life.machine.why(), Why::Idle);
        let mut life = Life::new();
        life.settings.ttl = Some(Duration::from_millis(10));
        assert_eq!(life.at(200, Event::Ready), [TellReady]);
        assert!(!life.machine.is_expired(Duration::from_millis(209), &life.settings));
        assert_eq!(life.next(), Some(210));
        assert_eq!(life.at(210, Event::Time), [TellGone, Terminate]);
    }

    #[test]
    fn a_replacement_waits_for_those_who_use_it_unless_it_is_withdrawn() {
        let replace = Event::StopWhenUnused(Why::Replaced, None);
        let mut life = Life::new();
        life.at(0, Event::Ready);
        life.at(1, Event::Users(2));
        assert_eq!(life.at(2, replace), []);
        assert!(life.machine.is_promised_away());
        assert_eq!(life.at(3, Event::Users(1)), []);
        assert_eq!(life.at(4, Event::Withdrawn), [TellReady]);
        assert!(!life.machine.is_promised_away());
        assert_eq!(life.at(5, Event::Users(0)), []);
        assert_eq!(life.at(6, replace), [TellGone, Terminate]);
        let mut life = Life::new();
        life.at(0, Event::Ready);
        life.at(1, Event::Users(1));
        life.at(2, replace);
        assert_eq!(life.at(3, Event::Users(0)), [TellGone, Terminate]);
    }

    #[test]
    fn what_is_to_be_run_when_it_has_gone_is_run_once_and_has_an_end() {
        let mut life = Life::new();
        life.settings.on_release = Some("x".into());
        life.at(0, Event::Ready);
        life.at(1, FAILED);
        assert_eq!(life.at(2, Event::TreeGone), [Release]);
        assert_eq!(life.at(3, Event::TreeGone), []);
        assert_eq!(life.at(4, Event::Released), [Record, Leave]);
        let mut life = Life::new();
        life.settings.on_release = Some("x".into());
        life.at(0, FAILED);
        assert_eq!(life.at(0, Event::TreeGone), [Release], "also of one that was never ready");
        assert_eq!(life.at(60_000, Event::Time), [Effect::KillRelease, Record, Leave]);
    }

    #[test]
    fn a_restart_is_a_new_start_under_the_same_supervisor() {
        let mut life = Life::new();
        life.at(0, Event::Ready);
        assert_eq!(life.at(1, Event::Restart), [Terminate]);
        assert!(life.machine.will_be_ready());
        life.at(2, KILLED);
        assert_eq!(life.at(3, Event::TreeGone), [Record]);
        assert_eq!(life.at(3, Event::Time), [Start]);
        assert_eq!((life.machine.stage(), life.machine.restarts()), (Stage::Starting, 0));
        assert_eq!(life.at(4, Event::Ready), [TellReady]);
        life.at(5, Event::Restart);
        assert_eq!(life.at(6, Event::Stop(Why::Stopped)), [TellGone], "a stop takes it back");
        assert!(!life.machine.will_be_ready());
    }

    /// Lets it fail once while it is ready; returns whether it is started again, and after how many ms.
    fn fails(life: &mut Life, now: u64) -> Option<u64> {
        life.at(now, FAILED);
        let done = life.at(now, Event::TreeGone);
        if done.contains(&Leave) {
            return None;
        }
        let pause = life.next().unwrap() - now;
        assert_eq!(life.at(now + pause, Event::Time), [Start]);
        life.at(now + pause, Event::Ready);
        Some(pause)
    }

    #[test]
    fn one_that_fails_is_started_again_later_and_later_until_it_is_a_loop() {
        let mut life = Life::new();
        life.settings.restart = true;
        life.at(0, Event::Ready);
        let pauses: Vec<_> = [1000, 2000, 3000, 4000, 5000].map(|now| fails(&mut life, now)).to_vec();
        assert_eq!(pauses, [Some(100), Some(200), Some(400), Some(800), None]);
        assert_eq!(life.machine.restarts(), 4);
        assert!(life.machine.was_quick());
        let mut life = Life::new();
        life.settings.restart = true;
        life.at(0, Event::Ready);
        assert_eq!(fails(&mut life, 20_000), Some(100));
        assert!(!life.machine.was_quick());
        assert_eq!(fails(&mut life, 40_000), Some(100), "it had lived for long");
        let ended = life.at(60_000, Event::Ended(Ended::Exit(0)));
        assert_eq!(
            (ended, life.machine.will_be_ready()),
            (vec![TellGone, Terminate], false),
            "that is no failure"
        );
    }

    #[test]
    fn one_that_was_never_ready_is_not_tried_again() {
        let mut life = Life::new();
        life.settings.restart = true;
        assert_eq!(life.at(1, FAILED), [TellFailed, Terminate]);
        assert_eq!(life.at(2, Event::TreeGone), [Record, Leave]);
    }

    /// A generator of numbers, so that a failure can be repeated (Marsaglia's xorshift).
    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    #[test]
    fn whatever_happens_it_ends_once_and_never_runs_twice() {
        for seed in 1..2000_u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut life = Life::new();
            life.settings.restart = seed % 2 == 0;
            life.settings.on_release = (seed % 3 == 0).then(|| "x".into());
            life.settings.idle = (seed % 5 == 0).then(|| Duration::from_millis(30));
            // What is there of its process: as the supervisor would have it.
            let (mut runs, mut releasing, mut left, mut now) = (true, false, 0, 0);
            for _ in 0..200 {
                now += random(&mut state) % 40;
                let event = match random(&mut state) % 12 {
                    0 => Event::Ready,
                    1 if runs => KILLED,
                    2 if runs => FAILED,
                    3 if !runs => Event::TreeGone,
                    4 => Event::Stop(Why::Stopped),
                    5 => Event::StopWhenUnused(Why::Replaced, None),
                    6 => Event::Users((random(&mut state) % 3) as usize),
                    7 => Event::Withdrawn,
                    8 => Event::Restart,
                    9 if releasing => Event::Released,
                    10 => Event::Used,
                    _ => Event::Time,
                };
                let event = if left > 0 { Event::Time } else { event };
                runs &= !matches!(event, Event::Ended(_));
                releasing &= event != Event::Released;
                for effect in life.at(now, event) {
                    match effect {
                        Start => {
                            assert!(!runs && !releasing, "seed {seed}: two at one time");
                            runs = true;
                        }
                        // What is given up is as good as gone.
                        Record if life.machine.is_stuck() => runs = false,
                        Record => assert!(!runs, "seed {seed}: it is told that it ended"),
                        Release => {
                            runs &= !life.machine.is_stuck();
                            assert!(!runs && !releasing, "seed {seed}");
                            releasing = true;
                        }
                        Effect::KillRelease => releasing = false,
                        Leave => left += 1,
                        _ => {}
                    }
                }
                assert!(left <= 1, "seed {seed}: it ends once");
            }
            // Left alone, one that is to go goes.
            for step in 0..400 {
                if left > 0 || life.machine.stage() == Stage::Ready {
                    break;
                }
                now += 1000;
                let effects = life.at(now, if step % 2 == 0 { Event::Time } else { KILLED });
                left += effects.iter().filter(|effect| **effect == Leave).count();
                left += life.at(now, Event::TreeGone).iter().filter(|effect| **effect == Leave).count();
            }
            assert!(left == 1 || life.machine.stage() == Stage::Ready, "seed {seed}: {:?}", life.machine);
        }
    }
}
