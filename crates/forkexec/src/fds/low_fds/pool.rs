//! Low descriptor numbers that are held by placeholders, and lent to one start at a time.
//!
//! A placeholder is a duplicate of the reading end of a pipe of our own, so its inode tells it from everything else.
//! Code that closes descriptors it does not own may have closed ours, and the number may be in use again. So each is looked
//! at (fstat(2)) right before something is put in its place (dup3(2)), and what is not ours any more is forgotten. Between
//! those two calls the same can happen once more: no call of the kernel does both.

use crate::sys::backend::file_id;
use crate::sys::fd::duplicate;
use crate::sys::system::replace;
use forkexec_core::{Errno, Fd, FileId};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// How many slots there may be.
pub(super) const MOST: usize = 16;

/// From here on a number is high. A descriptor table is copied 64 numbers at a time, so nothing is saved below.
pub(crate) const HIGH: Fd = 64;

/// Where slots are looked for first: just below [`HIGH`], to leave the lowest numbers to the program. Then anywhere
/// above the standard streams.
const FIRST_CHOICES: [Fd; 2] = [HIGH - 16, 3];

/// Slots and what holds them open.
pub(super) struct Pool {
    /// What the placeholders are duplicates of.
    original: Fd,
    id: FileId,
    /// What was lent when another process was forked from this one never comes back there.
    process: u32,
    /// A free slot's number, [`lent`] of it, or [`EMPTY`].
    cells: [AtomicI32; MOST],
    /// Whether slots that come back are closed.
    is_closed: AtomicBool,
}

const EMPTY: i32 = -1;

/// How a slot's number is noted while it is lent.
const fn lent(fd: Fd) -> i32 {
    -2 - fd
}

impl Pool {
    /// A pool without slots.
    pub(super) fn open() -> Result<Self, Errno> {
        let errno = |error: io::Error| error.raw_os_error().map_or(Errno::IO, Errno::from_raw);
        let (reader, _) = io::pipe().map_err(errno)?;
        // Its own number may be as high as it likes.
        let original = duplicate(&reader, HIGH).unwrap_or_else(|_| reader.into());
        let id = file_id(original.as_raw_fd())?;
        let cells = [const { AtomicI32::new(EMPTY) }; MOST];
        let process = process::id();
        Ok(Self { original: original.into_raw_fd(), id, process, cells, is_closed: AtomicBool::new(false) })
    }

    /// Whether this number still is the pool's.
    fn is_ours(&self, fd: Fd) -> bool {
        file_id(fd) == Ok(self.id)
    }

    /// Whether slots can still be had: somebody may have closed what they are duplicates of.
    pub(super) fn is_alive(&self) -> bool {
        self.is_ours(self.original)
    }

    /// Whether it is this process's, and slots can still be had.
    pub(super) fn is_usable(&self) -> bool {
        self.process == process::id() && self.is_alive()
    }

    /// All descriptors that are the pool's and not lent at the moment.
    pub(super) fn descriptors(&self) -> Vec<Fd> {
        let slots = self.cells.iter().map(|cell| cell.load(Ordering::SeqCst));
        let all = slots.filter(|&fd| fd >= 0).chain([self.original]);
        all.filter(|&fd| self.is_ours(fd)).collect()
    }

    /// How many slots there are, lent ones among them.
    pub(super) fn size(&self) -> usize {
        self.cells.iter().filter(|cell| cell.load(Ordering::SeqCst) != EMPTY).count()
    }

    /// Adds a slot, if there is room and a low number is free.
    pub(super) fn grow(&self) -> Option<()> {
        if self.size() == MOST {
            return None;
        }
        let original = self.original()?;
        for lowest in FIRST_CHOICES {
            let Ok(slot) = duplicate(original, lowest) else { continue };
            if slot.as_raw_fd() < HIGH && self.note(slot.as_raw_fd()) {
                let _ = slot.into_raw_fd();
                return Some(());
            }
        }
        None
    }

    /// What the placeholders are duplicates of, unless other code closed it.
    fn original(&self) -> Option<BorrowedFd<'_>> {
        // SAFETY: it was just seen to be the pool's, which closes it in `close` alone.
        self.is_alive().then(|| unsafe { BorrowedFd::borrow_raw(self.original) })
    }

    /// Closes a number if it still is the pool's.
    fn close_ours(&self, fd: Fd) {
        if self.is_ours(fd) {
            // SAFETY: it was just seen to be the pool's, and no cell has it any more.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }

    fn note(&self, fd: Fd) -> bool {
        let take =
            |cell: &AtomicI32| cell.compare_exchange(EMPTY, fd, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        self.cells.iter().any(take)
    }

    /// Puts a duplicate of `source` in a free slot that is `usable`. `None` if there is no slot.
    pub(super) fn lend(&self, source: BorrowedFd<'_>, usable: impl Fn(Fd) -> bool) -> Option<LowFd<'_>> {
        self.cells.iter().find_map(|cell| {
            let fd = cell.load(Ordering::SeqCst);
            if fd < 0 || !usable(fd) {
                return None;
            }
            cell.compare_exchange(fd, lent(fd), Ordering::SeqCst, Ordering::SeqCst).ok()?;
            self.fill(cell, fd, source)
        })
    }

    /// Fills a slot that nobody else has.
    fn fill<'p>(&'p self, cell: &'p AtomicI32, fd: Fd, source: BorrowedFd<'_>) -> Option<LowFd<'p>> {
        if !self.is_ours(fd) {
            cell.store(EMPTY, Ordering::SeqCst);
            return None;
        }
        // SAFETY: the number was just seen to be the pool's, and its cell says that no other start has it.
        if unsafe { replace(source, fd) }.is_err() {
            cell.store(fd, Ordering::SeqCst);
            return None;
        }
        let holds = file_id(fd).ok();
        if holds.is_none() {
            cell.store(EMPTY, Ordering::SeqCst);
        }
        Some(LowFd { pool: self, cell, fd, holds: holds? })
    }

    /// Puts the placeholder back, and says whether it is there.
    fn restore(&self, fd: Fd) -> bool {
        // SAFETY: the slot has the number, and what it put there is still there.
        let restored = self.original().is_some_and(|original| unsafe { replace(original, fd) }.is_ok());
        restored && self.is_ours(fd)
    }

    /// Closes what is not lent; what is will be closed when it comes back.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        for cell in &self.cells {
            self.close_cell(cell);
        }
        self.close_ours(self.original);
    }

    fn close_cell(&self, cell: &AtomicI32) {
        let fd = cell.load(Ordering::SeqCst);
        let taken = fd >= 0 && cell.compare_exchange(fd, EMPTY, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if taken {
            self.close_ours(fd);
        }
    }
}

/// A low number that refers to a descriptor for the time of one start. Dropped, it refers to a placeholder again.
pub(crate) struct LowFd<'p> {
    pool: &'p Pool,
    cell: &'p AtomicI32,
    fd: Fd,
    holds: FileId,
}

impl LowFd<'_> {
    /// The number.
    pub(crate) fn number(&self) -> Fd {
        self.fd
    }
}

impl Drop for LowFd<'_> {
    fn drop(&mut self) {
        let Self { pool, cell, fd, holds } = *self;
        let is_as_left = file_id(fd) == Ok(holds);
        let is_restored = is_as_left && pool.restore(fd);
        if is_as_left && !is_restored {
            // SAFETY: the slot has the number, and what it put there is still there.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        cell.store(if is_restored { fd } else { EMPTY }, Ordering::SeqCst);
        if pool.is_closed.load(Ordering::SeqCst) {
            pool.close_cell(cell);
        }
    }
}

#[cfg(test)]
mod tests;
