//! The generation: a number that a full `clear` raises, and the lock that keeps recording and removing apart.
//!
//! # Locking
//! Whoever records holds the file `generation` shared, from the last check to the rename; whoever removes holds
//! it exclusively. flock(2) gives a lock to any who fit in with those that have it: where one commit follows the
//! other, a lock that waits for all of them to be gone may wait for ever. So everybody waits for `generation` in
//! a turn, which is an exclusive lock on the store's own directory, and gives that on as soon as `generation` was
//! got. Who removes thus stops those who come later and waits only for those before it, and who records is not
//! overtaken by one after the other who removes. (A turn that those who record share is not fair: with 50
//! processes on two cores there was always one of them that had it; who removes waited 5 s in vain.)
//!
//! Nobody waits for `generation` who has a manifest's lock, the journal's, or a transaction of the index.
//!
//! The turn makes the lock fair and nothing else. Where it cannot be had, because there are no locks on
//! directories or because its holder was stopped, it is done without. A directory needs no file, so that there
//! is none that could be missing or be something else, and it ends with its holder, however that ends.
//!
//! # Performance
//! Three system calls and some microseconds of each commit; a hit asks for neither lock, unless it renews.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::location::Trouble;
use super::lock::Tried;
use super::{FORMAT, NotCommitted, Store, lock};
use crate::fault;
use crate::sys::file::is_absent;

/// How long those who remove wait for commits under way; one takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of the time that a commit waits it may wait for its turn. Then somebody was stopped who had it,
/// or waits for somebody who was, and the lock itself may well be free for it.
const IN_TURN: u32 = 2;

/// The lock on `generation`. It ends when this is dropped.
#[derive(Debug)]
#[must_use = "the lock ends when it is dropped"]
pub(super) struct Generation {
    /// The file, which has the number in it.
    pub(super) file: File,
}

/// Who else may have the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// All who record.
    Shared,
    /// Nobody.
    Exclusive,
}

impl Generation {
    /// Keeps those who remove away, for a run that began when the number was `number`; waits for at most `limit`.
    ///
    /// # Errors
    /// [`NotCommitted::Cleared`] when the number is another one, or the store is gone; what the system says.
    pub(super) fn shared(store: &Store, number: u64, limit: Duration) -> Result<Self, NotCommitted> {
        let path = path(store);
        let trouble = |doing, error| NotCommitted::Trouble(Trouble::io(doing, &path, error));
        let file = match File::open(&path) {
            Ok(file) => file,
            // Somebody removed the store while we ran: that is a `clear` too.
            Err(error) if is_absent(&error) => return Err(NotCommitted::Cleared),
            Err(error) => return Err(trouble("open", error)),
        };
        acquire(store, &file, Sharing::Shared, limit).map_err(|error| trouble("lock", error))?;
        if store.generation() == number { Ok(Self { file }) } else { Err(NotCommitted::Cleared) }
    }

    /// As [`Self::shared`], whatever the number, and only if nobody who removes has the lock or waits for it.
    ///
    /// # Errors
    /// [`Trouble`] when there is no such file.
    pub(super) fn try_shared(store: &Store) -> Result<Option<Self>, Trouble> {
        let path = path(store);
        let file = File::open(&path).map_err(|error| Trouble::io("open", &path, error))?;
        let turn = File::open(store.path()).map(|turn| (lock::try_shared(&turn), turn));
        let is_taken = matches!(turn, Ok((Ok(Tried::Busy), _)));
        let locked = !is_taken && matches!(lock::try_shared(&file), Ok(Tried::Locked));
        Ok(locked.then_some(Self { file }))
    }

    /// Keeps everybody else away who records or removes. What the store lacks is made first.
    ///
    /// # Errors
    /// [`Trouble`] when the system will not, when a newer memo made the store, and when others were waited for
    /// in vain.
    pub(super) fn exclusive(store: &Store) -> Result<Self, Trouble> {
        if let Some(found) = store.format()?.filter(|found| *found > FORMAT) {
            return Err(Trouble::Newer { path: store.path().to_owned(), found, known: FORMAT });
        }
        store.complete()?;
        Self::exclusive_within(store, PATIENCE)
    }

    /// As [`Self::exclusive`], in a store that is whole, and waits for at most `limit`.
    ///
    /// # Errors
    /// [`Trouble`] when the system will not, and when others were waited for in vain.
    pub(super) fn exclusive_within(store: &Store, limit: Duration) -> Result<Self, Trouble> {
        let path = path(store);
        let file = File::options().read(true).write(true).open(&path);
        let file = file.map_err(|error| Trouble::io("open", &path, error))?;
        acquire(store, &file, Sharing::Exclusive, limit)
            .map_err(|error| Trouble::io("lock", &path, error))?;
        Ok(Self { file })
    }
}

fn path(store: &Store) -> PathBuf {
    store.path().join("generation")
}

fn acquire(store: &Store, file: &File, sharing: Sharing, limit: Duration) -> io::Result<bool> {
    let begun = Instant::now();
    let lock = match sharing {
        Sharing::Shared => lock::shared,
        Sharing::Exclusive => lock::exclusive,
    };
    let turn = File::open(store.path());
    let turn = turn.and_then(|turn| lock::exclusive_if_offered(&turn, limit / IN_TURN).map(|_| turn));
    fault::point("generation.turn");
    let done = lock(file, limit.saturating_sub(begun.elapsed()));
    // It is the next one's now, and not only when the work is done.
    drop(turn);
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::Fixture;

    const LONG: Duration = Duration::from_secs(60);

    /// Starts to ask for the lock exclusively, and returns when that stops others.
    fn ask(store: &Store) -> std::thread::JoinHandle<Generation> {
        let asking = store.clone();
        let asking = std::thread::spawn(move || Generation::exclusive(&asking).unwrap());
        while Generation::try_shared(store).unwrap().is_some() {
            assert!(!asking.is_finished(), "it did not wait for those who have it");
        }
        asking
    }

    #[test]
    fn who_removes_is_not_overtaken_by_those_who_come_later() {
        let fixture = Fixture::new();
        let before = Generation::shared(&fixture.store, 0, LONG).unwrap();
        let asking = ask(&fixture.store);
        let store = fixture.store.clone();
        let later = std::thread::spawn(move || Generation::shared(&store, 0, LONG).map(|_| ()));
        assert!(!later.is_finished());
        drop(before);
        let removing = asking.join().unwrap();
        assert!(Generation::try_shared(&fixture.store).unwrap().is_none());
        drop(removing);
        later.join().unwrap().unwrap();
        assert!(Generation::try_shared(&fixture.store).unwrap().is_some());
    }

    #[test]
    fn where_the_turn_is_never_given_back_it_is_done_without() {
        let fixture = Fixture::new();
        let stopped = File::open(fixture.store.path()).unwrap();
        stopped.lock().unwrap();
        let limit = Duration::from_millis(20);
        drop(Generation::shared(&fixture.store, 0, limit).unwrap());
        drop(Generation::exclusive_within(&fixture.store, limit).unwrap());
        assert!(Generation::try_shared(&fixture.store).unwrap().is_none(), "a renewal does not wait");
    }

    #[test]
    fn a_wait_for_the_lock_ends() {
        let fixture = Fixture::new();
        let removing = Generation::exclusive(&fixture.store).unwrap();
        let limit = Duration::from_millis(2);
        let in_vain = Generation::shared(&fixture.store, 0, limit);
        assert!(matches!(in_vain, Err(NotCommitted::Trouble(trouble)) if trouble.is_wait_given_up()));
        assert!(Generation::exclusive_within(&fixture.store, limit).unwrap_err().is_wait_given_up());
        drop(removing);
        let before = Generation::shared(&fixture.store, 0, limit).unwrap();
        assert!(Generation::exclusive_within(&fixture.store, limit).unwrap_err().is_wait_given_up());
        drop(before);
        assert!(matches!(Generation::shared(&fixture.store, 1, limit), Err(NotCommitted::Cleared)));
    }
}
