//! Low descriptor numbers that are held by placeholders, and each used by one start at a time.
//!
//! A placeholder is a duplicate of the reading end of a pipe of this library, so its inode identifies it.
//! Other code may have closed a placeholder, and its number may be in use again. So the pool checks each
//! number (fstat(2)) right before it replaces it (dup3(2)), and forgets a number that is not its own. Between
//! those two calls the same can happen again: no system call does both.

use crate::sys::backend::{file_id, pipe};
use crate::sys::fd::duplicate;
use crate::sys::system::replace;
use forkexec_core::{Errno, FIRST_HIGH, Fd, FileId};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// The maximum number of slots.
pub(super) const MOST: usize = 16;

/// The first number that a child takes from its parent, or that is duplicated to a lower one for it.
pub(crate) const HIGH: Fd = FIRST_HIGH;

/// The numbers from which a slot is searched: first just below [`HIGH`], to leave the lowest numbers to the
/// program, then above the standard streams.
const FIRST_CHOICES: [Fd; 2] = [HIGH - 16, 3];

/// Slots, and the descriptor that holds them open.
pub(super) struct Pool {
    /// The placeholders are duplicates of this descriptor.
    original: Fd,
    id: FileId,
    /// The pid of the process. If a slot was in use at a fork, it stays in use in the forked process forever.
    process: u32,
    /// The number of a free slot, [`in_use`] of it, or [`EMPTY`].
    cells: [AtomicI32; MOST],
    /// True if slots are closed when their start ends.
    is_closed: AtomicBool,
}

const EMPTY: i32 = -1;

/// Encodes the number of a slot that a start uses.
const fn in_use(fd: Fd) -> i32 {
    -2 - fd
}

impl Pool {
    /// Opens a pool without slots.
    pub(super) fn open() -> Result<Self, Errno> {
        let (reader, _) = pipe()?;
        // The number of the original may be high.
        let original = duplicate(&reader, HIGH).unwrap_or(reader);
        let id = file_id(original.as_raw_fd())?;
        let cells = [const { AtomicI32::new(EMPTY) }; MOST];
        let process = process::id();
        Ok(Self { original: original.into_raw_fd(), id, process, cells, is_closed: AtomicBool::new(false) })
    }

    /// Returns true if this number is still the pool's.
    fn is_ours(&self, fd: Fd) -> bool {
        file_id(fd) == Ok(self.id)
    }

    /// Returns true if slots can be added: other code did not close the original.
    pub(super) fn is_alive(&self) -> bool {
        self.is_ours(self.original)
    }

    /// Returns true if the pool belongs to this process, and slots can be added.
    pub(super) fn is_usable(&self) -> bool {
        self.process == process::id() && self.is_alive()
    }

    /// Returns all descriptors of the pool that no start uses at this moment.
    pub(super) fn descriptors(&self) -> Vec<Fd> {
        let slots = self.cells.iter().map(|cell| cell.load(Ordering::SeqCst));
        let all = slots.filter(|&fd| fd >= 0).chain([self.original]);
        all.filter(|&fd| self.is_ours(fd)).collect()
    }

    /// Returns the number of slots, including those in use.
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

    /// Returns the original, unless other code closed it.
    fn original(&self) -> Option<BorrowedFd<'_>> {
        // SAFETY: the check above showed that the descriptor is the pool's, which closes it only in `close`.
        self.is_alive().then(|| unsafe { BorrowedFd::borrow_raw(self.original) })
    }

    /// Closes a number if it is still the pool's.
    fn close_ours(&self, fd: Fd) {
        if self.is_ours(fd) {
            // SAFETY: the check above showed that the descriptor is the pool's, and no cell refers to it any
            // more.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }

    fn note(&self, fd: Fd) -> bool {
        let take =
            |cell: &AtomicI32| cell.compare_exchange(EMPTY, fd, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        self.cells.iter().any(take)
    }

    /// Duplicates `source` to a free slot that is `usable`. Returns `None` if there is none.
    pub(super) fn acquire(&self, source: BorrowedFd<'_>, usable: impl Fn(Fd) -> bool) -> Option<LowFd<'_>> {
        self.cells.iter().find_map(|cell| {
            let fd = cell.load(Ordering::SeqCst);
            if fd < 0 || !usable(fd) {
                return None;
            }
            cell.compare_exchange(fd, in_use(fd), Ordering::SeqCst, Ordering::SeqCst).ok()?;
            self.fill(cell, fd, source)
        })
    }

    /// Fills a slot that only this caller has.
    fn fill<'p>(&'p self, cell: &'p AtomicI32, fd: Fd, source: BorrowedFd<'_>) -> Option<LowFd<'p>> {
        if !self.is_ours(fd) {
            cell.store(EMPTY, Ordering::SeqCst);
            return None;
        }
        // SAFETY: the check above showed that the number is the pool's, and its cell keeps it from other
        // starts.
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

    /// Puts the placeholder back, and returns true if it is there.
    fn restore(&self, fd: Fd) -> bool {
        // SAFETY: the slot owns the number, and the caller checked that it still refers to what the slot put
        // there.
        let restored = self.original().is_some_and(|original| unsafe { replace(original, fd) }.is_ok());
        restored && self.is_ours(fd)
    }

    /// Closes the slots that are not in use. The others are closed when their start ends.
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

/// A low number that refers to a descriptor for the duration of one start. The drop puts the placeholder
/// back.
pub(crate) struct LowFd<'p> {
    pool: &'p Pool,
    cell: &'p AtomicI32,
    fd: Fd,
    holds: FileId,
}

impl LowFd<'_> {
    /// Returns the number.
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
            // SAFETY: the slot owns the number, and the check above showed that it still refers to what the
            // slot put there.
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
