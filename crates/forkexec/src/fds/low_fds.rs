//! Low numbers for high descriptors, so that a child which shares the parent's table need not copy all of it.
//!
//! Such a child copies the table up to the highest descriptor that it needs. In a process with 19,000 of them a new pipe
//! has number 19,000, and copying up to it costs thirty times as much as all the rest of a start. So a duplicate of what the
//! child needs is put under a low number for the time of the start. Low numbers are soon in use: a few are reserved as
//! long as they are to be had.

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

/// Reserves low descriptor numbers for starting children in constant time, and gives how many are reserved now.
///
/// On Linux a child copies the parent's descriptor table up to the highest descriptor that it is handed. To keep that
/// from depending on how many descriptors are open, what has a number from 64 up (an end of a new pipe, a kept or mapped
/// descriptor, a directory, a terminal) is duplicated onto a reserved number below 64 until the child has started. Each
/// start takes as many as it has such descriptors; where too few are free, it does without.
///
/// Four are reserved by themselves when the first command is prepared or started that hands over a descriptor, and more,
/// up to 16, when that many are needed at once and numbers below 64 are free. A program that opens many descriptors
/// should reserve early: 16 for capturing the output of eight children at once. `count` is at most 16, and at least
/// what is reserved already counts as reserved; 0 closes what is reserved and turns it off, until a later call asks for
/// some again. A start that finds no free descriptor does that by itself.
///
/// Regular files and directories stay where they are: the duplicate has to be closed after the start, and a process that
/// closes any descriptor of a file loses its record locks (fcntl(2)) on it. Give a child a file with a low number, or open it
/// early, where that matters.
///
/// What stays open in this process: each reserved number, and one descriptor more, which are duplicates of one end of a
/// pipe, close-on-exec. [`low_fds`] lists them. A program that closes them loses nothing but their purpose, because each
/// is looked at right before it is used. If another thread closes one between that look and the use, and opens something
/// else that gets its number, the new descriptor is replaced: close only what is yours. A process that was made by fork(2)
/// has its own.
///
/// On other systems nothing is reserved, and the answer is 0.
///
/// # Errors
///
/// Those of pipe(2): the descriptor limit. A lack of low numbers is no error, but a smaller answer.
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

/// The descriptors that [`reserve_low_fds`] speaks of, as far as they are open and not lent to a start at this moment.
///
/// Whoever compares the open descriptors of a process before and after finds them here.
pub fn low_fds() -> Vec<RawFd> {
    let mut descriptors = current().map(Pool::descriptors).unwrap_or_default();
    descriptors.sort_unstable();
    descriptors
}

/// How many are reserved without being asked for.
const BY_ITSELF: usize = 4;

/// Reserves the first ones, unless that was done or turned off, or the descriptor limit lets no number be high.
pub(crate) fn reserve_first() {
    if STATE.load(Ordering::SeqCst) == UNTOUCHED
        && highest_target() >= 2 * HIGH
        && let Ok(Some(pool)) = replace_pool()
    {
        fill(pool, BY_ITSELF);
    }
}

/// Does something that opens descriptors. If they run out, the reserved numbers are given up, and it is done again: a start
/// never fails for want of a number that is only reserved.
pub(crate) fn or_give_up<T>(work: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    match work() {
        Err(Error::Spawn(failure)) if is_for_want_of_a_number(&failure) && turn_off() => work(),
        done => done,
    }
}

/// Whether a call of this library's found no free number: one of the parent's, or the child's while it places descriptors. A
/// closure may answer `EMFILE` as well, and what the child closes after it may meet with it; then nothing is done twice.
fn is_for_want_of_a_number(failure: &SpawnError) -> bool {
    failure.errno == Errno::MFILE && matches!(failure.stage(), Stage::Setup | Stage::Start | Stage::DupFds)
}

/// Puts a duplicate of `source` under a low number that is `usable`, if one is to be had.
pub(crate) fn lend(source: BorrowedFd<'_>, usable: impl Fn(Fd) -> bool) -> Option<LowFd<'static>> {
    let pool = current()?;
    pool.lend(source, &usable).or_else(|| {
        let pool = if pool.is_usable() { pool } else { replace_pool().ok()?? };
        pool.grow()?;
        pool.lend(source, usable)
    })
}

fn fill(pool: &Pool, count: usize) -> usize {
    while pool.size() < count.min(MOST) && pool.grow().is_some() {}
    pool.size()
}

/// Pools, one after the other: a new one when the program closed the descriptors of the one before, or reserves again
/// after it turned that off. There is an end to it.
static POOLS: [OnceLock<Pool>; 16] = [const { OnceLock::new() }; 16];
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Which pool is in use, or one of these.
static STATE: AtomicUsize = AtomicUsize::new(UNTOUCHED);
const UNTOUCHED: usize = usize::MAX;
const OFF: usize = usize::MAX - 1;

fn current() -> Option<&'static Pool> {
    POOLS.get(STATE.load(Ordering::SeqCst))?.get()
}

/// Closes what is reserved, and says whether there was anything.
fn turn_off() -> bool {
    let pool = current();
    STATE.store(OFF, Ordering::SeqCst);
    pool.inspect(|pool| pool.close()).is_some()
}

/// Opens a pool in the place of the one in use. Of two threads that do so at once one is the first.
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

/// Numbers below [`HIGH`] are few, and the tests of one process share them: who needs some holds this.
#[cfg(test)]
pub(crate) static LOW_NUMBERS: std::sync::Mutex<()> = std::sync::Mutex::new(());
