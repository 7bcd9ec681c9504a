//! Low numbers for high descriptors, so that a child that shares the parent's table does not copy all of it.
//!
//! Such a child takes high descriptors from its suspended parent. A kernel, a security module or a filter may
//! refuse that. Then the child would copy the table up to the highest descriptor that it needs. In a process
//! with 19,000 descriptors, a new socket has number 19,000, and copying up to it costs fifteen times as much
//! as the rest of a start. So each descriptor that the child needs is duplicated to a low number for the
//! duration of the start. Low numbers are soon in use, so a few are reserved while they are free.

mod pool;

pub(crate) use pool::{HIGH, LowFd};

use crate::error::{Error, SpawnError};
use crate::sys::fd::highest_target;
use crate::sys::system;
use forkexec_core::{Errno, Fd, Stage};
use pool::{MOST, Pool};
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Reserves low descriptor numbers, so that the time of a start does not grow with the number of open
/// descriptors, even if a child may not take descriptors from this process. Returns how many are reserved now.
///
/// On Linux a child shares the parent's descriptor table, and takes what it needs with a number from 64 up
/// from its parent: it opens pipes of this library through `/proc`, and duplicates all else by pidfd_getfd(2),
/// which needs Linux 5.6 and the permission to trace the parent. If Yama (`kernel.yama.ptrace_scope`) or a
/// filter refuses that, the child copies the table up to the highest descriptor that it needs. With reserved
/// numbers, each such descriptor is instead duplicated to a reserved number below 64 until the child has
/// started. A start needs one reserved number for each of them. If too few are free, it copies the table.
///
/// After a refusal, the next command with a descriptor to pass reserves four numbers. More are added, up to
/// 16, if that many are needed at once and numbers below 64 are free. A program that opens many descriptors,
/// and must be fast on such a system, should call this function early.
///
/// The value of `count` is at most 16, and includes the numbers that are already reserved. With 0 the call
/// closes the reserved numbers and turns reservation off until a later call. If a start finds no free
/// descriptor, it also closes them and turns reservation off.
///
/// Regular files and directories are an exception: they are never duplicated. Their duplicate would have to
/// be closed after the start, and a process that closes any descriptor of a file loses its record locks on it
/// (fcntl(2)). To keep starts fast, open such a file early, so that it gets a low number.
///
/// The reserved numbers, and one more descriptor, stay open in this process. They are close-on-exec
/// duplicates of one end of a pipe, and [`low_fds`] lists them. If the program closes them, starts only get
/// slower, because each is checked right before it is used. A race remains: if another thread closes one
/// between the check and the use, and opens a file that gets the same number, that file's descriptor is
/// replaced. Code that closes only its own descriptors is not affected. A process created by fork(2) reserves
/// its own.
///
/// # Platform-specific behavior
///
/// Linux. On other systems nothing is reserved, and the result is 0.
///
/// # Errors
///
/// Returns the errors of pipe(2): the descriptor limit is reached. If too few low numbers are free, the
/// result is smaller.
///
/// # Examples
///
/// ```
/// let reserved = forkexec::reserve_low_fds(16)?;
/// assert!(reserved <= 16);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn reserve_low_fds(count: usize) -> io::Result<usize> {
    if count == 0 {
        turn_off();
        return Ok(0);
    }
    if !system::shares_table() {
        return Ok(0);
    }
    let pool = match current() {
        Some(pool) if pool.is_usable() => Some(pool),
        _ => replace_pool().map_err(|errno| io::Error::from_raw_os_error(errno.raw()))?,
    };
    Ok(pool.map_or(0, |pool| fill(pool, count)))
}

/// Returns the descriptors that [`reserve_low_fds`] holds open, except those that a start uses at this
/// moment.
///
/// A test that compares the open descriptors of a process before and after can exclude them.
///
/// # Examples
///
/// ```
/// forkexec::reserve_low_fds(0)?;
/// assert_eq!(forkexec::low_fds(), []);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn low_fds() -> Vec<RawFd> {
    let mut descriptors = current().map(Pool::descriptors).unwrap_or_default();
    descriptors.sort_unstable();
    descriptors
}

/// The number of low numbers that are reserved after a refusal.
const BY_ITSELF: usize = 4;

/// Reserves the numbers for a system that lets no child take descriptors, unless that was done or turned off, or
/// no number can be high under the descriptor limit.
pub(crate) fn reserve_first() {
    if STATE.load(Ordering::SeqCst) != UNTOUCHED || highest_target() < 2 * HIGH {
        return;
    }
    if let Ok(Some(pool)) = replace_pool() {
        fill(pool, BY_ITSELF);
    }
}

/// Runs `work`, which opens descriptors. If none is free, closes the reserved numbers and runs it again, so
/// that a reservation never makes a start fail.
pub(crate) fn or_give_up<T>(work: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    match work() {
        Err(Error::Spawn(failure)) if is_for_want_of_a_number(&failure) && turn_off() => work(),
        done => done,
    }
}

/// Returns true if a call of this library found no free number, in the parent, or in the child while it puts
/// descriptors in place. A closure may return `EMFILE` as well, and so may the closing after it; then nothing
/// is repeated.
fn is_for_want_of_a_number(failure: &SpawnError) -> bool {
    failure.errno() == Errno::MFILE && matches!(failure.stage(), Stage::Setup | Stage::Start | Stage::DupFds)
}

/// Duplicates `source` to a low number that is `usable`, if one is free.
pub(crate) fn acquire(source: BorrowedFd<'_>, usable: impl Fn(Fd) -> bool) -> Option<LowFd<'static>> {
    let pool = current()?;
    pool.acquire(source, &usable).or_else(|| {
        let pool = if pool.is_usable() { pool } else { replace_pool().ok()?? };
        pool.grow()?;
        pool.acquire(source, usable)
    })
}

fn fill(pool: &Pool, count: usize) -> usize {
    while pool.size() < count.min(MOST) && pool.grow().is_some() {}
    pool.size()
}

/// Pools, used one after the other. A new one replaces a pool whose descriptors the program closed, or one
/// that was turned off. Their number is bounded.
static POOLS: [OnceLock<Pool>; 16] = [const { OnceLock::new() }; 16];
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The index of the pool in use, or one of these.
static STATE: AtomicUsize = AtomicUsize::new(UNTOUCHED);
const UNTOUCHED: usize = usize::MAX;
const OFF: usize = usize::MAX - 1;

fn current() -> Option<&'static Pool> {
    POOLS.get(STATE.load(Ordering::SeqCst))?.get()
}

/// Closes the reserved numbers, and returns true if there was a pool.
fn turn_off() -> bool {
    let pool = current();
    STATE.store(OFF, Ordering::SeqCst);
    pool.inspect(|pool| pool.close()).is_some()
}

/// Opens a pool that replaces the one in use. If two threads do so at once, the first one wins.
fn replace_pool() -> Result<Option<&'static Pool>, Errno> {
    let before = STATE.load(Ordering::SeqCst);
    let index = NEXT.fetch_add(1, Ordering::SeqCst).min(POOLS.len());
    let Some(place) = POOLS.get(index) else { return Ok(None) };
    let opened = Pool::open()?;
    let pool = place.get_or_init(|| opened);
    let is_first = STATE.compare_exchange(before, index, Ordering::SeqCst, Ordering::SeqCst).is_ok();
    if !is_first {
        pool.close();
        return Ok(current());
    }
    if let Some(lost) = POOLS.get(before).and_then(OnceLock::get) {
        lost.close();
    }
    Ok(Some(pool))
}

/// Numbers below [`HIGH`] are few, and all tests of a process share them. A test that needs some holds this
/// lock.
#[cfg(test)]
pub(crate) static LOW_NUMBERS: std::sync::Mutex<()> = std::sync::Mutex::new(());
