use super::{EMPTY, Fd, HIGH, MOST, Pool, in_use};
use crate::child_fds::low_fds::LOW_NUMBERS;
use crate::sys::backend::{file_id, is_cloexec};
use crate::sys::system;
use forkexec_core::FileId;
use rstest::rstest;
use std::fs::File;
use std::io::Read;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd};
use std::sync::atomic::Ordering;
use std::thread;

/// Runs a test with a pool of `slots` slots, and closes it afterwards.
fn with_pool(slots: usize, test: impl FnOnce(&Pool)) {
    // Other systems have no pool.
    if !system::shares_table() {
        return;
    }
    let _alone = LOW_NUMBERS.lock();
    let pool = Pool::open().expect("a pipe can be made");
    (0..slots).for_each(|_| pool.grow().expect("low numbers are free"));
    test(&pool);
    let left = pool.descriptors();
    pool.close();
    assert!(left.into_iter().all(|fd| id(fd) != Some(pool.id)), "everything is closed");
}

fn id(fd: Fd) -> Option<FileId> {
    file_id(fd).ok()
}

/// Returns the free slots, without the original.
fn free(pool: &Pool) -> Vec<Fd> {
    pool.descriptors().into_iter().filter(|&fd| fd != pool.original).collect()
}

fn file() -> File {
    tempfile::tempfile().expect("a file can be made")
}

/// Acts as other code that replaces a number of the pool.
fn replace(foreign: &File, number: Fd) {
    // SAFETY: the number is the pool's, which checks it before each use.
    unsafe { system::replace(foreign.as_fd(), number) }.expect("it is open");
}

/// Closes what `replace` opened.
fn close(number: Fd) {
    // SAFETY: the pool has forgotten the number, and this test put a file there.
    drop(unsafe { File::from_raw_fd(number) });
}

#[test]
fn slot_in_use_is_neither_free_nor_empty() {
    assert!((3..HIGH).all(|fd| in_use(fd) < 0 && in_use(fd) != EMPTY));
}

#[test]
fn slots_are_low_and_closed_by_exec() {
    with_pool(4, |pool| {
        let slots = free(pool);
        assert_eq!(slots.len(), 4);
        assert!(slots.iter().all(|fd| (3..HIGH).contains(fd)), "{slots:?}");
        assert!(pool.descriptors().into_iter().all(|fd| is_cloexec(fd) == Ok(true)));
    });
}

#[test]
fn low_fd_refers_to_its_source_until_dropped() {
    with_pool(2, |pool| {
        let (file, before) = (file(), free(pool));
        let slot = pool.acquire(file.as_fd(), |_| true).expect("two are free");
        assert_eq!((id(slot.number()), is_cloexec(slot.number())), (id(file.as_raw_fd()), Ok(true)));
        assert_eq!((free(pool).len(), pool.size()), (1, 2));
        drop(slot);
        assert_eq!(free(pool), before);
    });
}

#[test]
fn unusable_low_fd_is_skipped() {
    with_pool(2, |pool| {
        let (file, slots) = (file(), free(pool));
        let acquired = pool.acquire(file.as_fd(), |fd| fd != slots[0]).map(|slot| slot.number());
        assert_eq!((acquired, pool.acquire(file.as_fd(), |_| false).is_none()), (Some(slots[1]), true));
    });
}

#[test]
fn no_more_are_lent_than_there_are() {
    with_pool(2, |pool| {
        let file = file();
        let acquire = || pool.acquire(file.as_fd(), |_| true);
        let (first, second) = (acquire().expect("free"), acquire().expect("free"));
        assert!(first.number() != second.number() && acquire().is_none());
        drop(first);
        assert!(acquire().is_some());
    });
}

/// Other code closed a number of the pool, which now refers to another file.
#[test]
fn foreign_number_is_forgotten_and_left_alone() {
    with_pool(1, |pool| {
        let (file, foreign, slots) = (file(), file(), free(pool));
        replace(&foreign, slots[0]);
        assert!(pool.acquire(file.as_fd(), |_| true).is_none());
        assert_eq!((id(slots[0]), pool.size()), (id(foreign.as_raw_fd()), 0));
        close(slots[0]);
    });
}

#[test]
fn reused_low_number_is_forgotten_and_left_alone() {
    with_pool(1, |pool| {
        let (file, foreign) = (file(), file());
        let slot = pool.acquire(file.as_fd(), |_| true).expect("free");
        let number = slot.number();
        replace(&foreign, number);
        drop(slot);
        assert_eq!((id(number), pool.size()), (id(foreign.as_raw_fd()), 0));
        close(number);
    });
}

/// Another thread is in `close`. It has passed the slot in use, and has not yet closed the original.
#[test]
fn slot_that_returns_during_a_close_is_closed() {
    with_pool(1, |pool| {
        let slot = pool.acquire(file().as_fd(), |_| true).expect("free");
        let number = slot.number();
        pool.is_closed.store(true, Ordering::SeqCst);
        drop(slot);
        assert_eq!((id(number), pool.size()), (None, 0));
    });
}

/// Without the original a slot cannot be restored, so it is closed.
#[test]
fn low_fd_that_cannot_be_restored_is_closed() {
    with_pool(1, |pool| {
        let (file, foreign) = (file(), file());
        let slot = pool.acquire(file.as_fd(), |_| true).expect("free");
        let number = slot.number();
        replace(&foreign, pool.original);
        drop(slot);
        assert_eq!((id(number) == id(file.as_raw_fd()), pool.size(), pool.is_alive()), (false, 0, false));
        assert_eq!(id(pool.original), id(foreign.as_raw_fd()));
        close(pool.original);
    });
}

#[test]
fn closed_source_uses_up_no_low_fd() {
    with_pool(1, |pool| {
        let before = free(pool);
        // SAFETY: no descriptor has this number, so nothing owns it.
        let closed = unsafe { BorrowedFd::borrow_raw(Fd::MAX) };
        assert!(pool.acquire(closed, |_| true).is_none());
        assert_eq!(free(pool), before);
    });
}

#[test]
fn low_fd_returned_to_a_closed_pool_is_closed() {
    with_pool(2, |pool| {
        let file = file();
        let slot = pool.acquire(file.as_fd(), |_| true).expect("free");
        let number = slot.number();
        pool.close();
        assert_eq!(id(number), id(file.as_raw_fd()));
        drop(slot);
        assert!(id(number) != id(file.as_raw_fd()) && id(number) != Some(pool.id));
    });
}

#[rstest]
#[case::more_than_there_are(4)]
#[case::enough(MOST)]
fn threads_get_different_slots_and_give_them_back(#[case] slots: usize) {
    with_pool(slots, |pool| {
        let before = free(pool);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let file = file();
                    for _ in 0..2_000 {
                        let slot = pool.acquire(file.as_fd(), |_| true);
                        // The slot refers to this thread's file.
                        assert!(slot.is_none_or(|slot| id(slot.number()) == id(file.as_raw_fd())));
                    }
                });
            }
        });
        assert_eq!(free(pool), before);
    });
}

#[test]
fn pool_grows_no_larger_than_its_limit() {
    with_pool(MOST, |pool| assert_eq!((pool.grow(), pool.size()), (None, MOST)));
}

/// The pipe has no writer, so a read of a placeholder returns end of file at once.
#[test]
fn placeholder_is_at_end_of_file() {
    with_pool(1, |pool| {
        // SAFETY: the pool owns the descriptor, and `ManuallyDrop` keeps the `File` from closing it.
        let mut placeholder = ManuallyDrop::new(unsafe { File::from_raw_fd(free(pool)[0]) });
        assert_eq!(placeholder.read(&mut [0]).expect("it is open"), 0);
    });
}
