//! Low descriptor numbers that are held by placeholders, and lent to one start at a time.
//!
//! A placeholder is a duplicate of the reading end of a pipe of our own, so its inode tells it from everything else.
//! Whoever closes descriptors that are not his own may have closed ours, and the number may be somebody's by now. So
//! nothing is put in the place of a descriptor that was not looked at: what is not ours any more is forgotten.

use crate::platform::{backend, replace};
use forkexec_core::{Backend, Errno, Fd, FileId, ParentSys, Sys};
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
        let sys = backend().sys();
        let (reader, writer) = sys.pipe()?;
        let _ = sys.close(writer);
        // Its own number may be as high as it likes.
        let original = match sys.dup_from(reader, HIGH) {
            Ok(high) => {
                let _ = sys.close(reader);
                high
            }
            Err(_) => reader,
        };
        match sys.file_id(original) {
            Ok(id) => Ok(Self {
                original,
                id,
                cells: [const { AtomicI32::new(EMPTY) }; MOST],
                is_closed: AtomicBool::new(false),
            }),
            Err(errno) => {
                let _ = sys.close(original);
                Err(errno)
            }
        }
    }

    /// Whether this number still is the pool's.
    fn is_ours(&self, fd: Fd) -> bool {
        backend().sys().file_id(fd) == Ok(self.id)
    }

    /// Whether slots can still be had: somebody may have closed what they are duplicates of.
    pub(super) fn is_alive(&self) -> bool {
        self.is_ours(self.original)
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
        let sys = backend().sys();
        if self.size() == MOST || !self.is_alive() {
            return None;
        }
        for lowest in FIRST_CHOICES {
            let fd = sys.dup_from(self.original, lowest).ok();
            match fd {
                Some(fd) if fd < HIGH && self.note(fd) => return Some(()),
                Some(fd) => drop(sys.close(fd)),
                None => {}
            }
        }
        None
    }

    fn note(&self, fd: Fd) -> bool {
        let take =
            |cell: &AtomicI32| cell.compare_exchange(EMPTY, fd, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        self.cells.iter().any(take)
    }

    /// Puts a duplicate of `source` in a free slot that is `usable`. `None` if there is no slot.
    pub(super) fn lend(&self, source: Fd, usable: impl Fn(Fd) -> bool) -> Option<Slot<'_>> {
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
    fn fill<'p>(&'p self, cell: &'p AtomicI32, fd: Fd, source: Fd) -> Option<Slot<'p>> {
        if !self.is_ours(fd) {
            cell.store(EMPTY, Ordering::SeqCst);
            return None;
        }
        if replace(source, fd).is_err() {
            cell.store(fd, Ordering::SeqCst);
            return None;
        }
        let holds = backend().sys().file_id(fd).ok();
        if holds.is_none() {
            cell.store(EMPTY, Ordering::SeqCst);
        }
        Some(Slot { pool: self, cell, fd, holds: holds? })
    }

    /// Puts the placeholder back, and says whether it is there.
    fn restore(&self, fd: Fd) -> bool {
        self.is_alive() && replace(self.original, fd).is_ok() && self.is_ours(fd)
    }

    /// Closes what is not lent; what is will be closed when it comes back.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        for cell in &self.cells {
            self.close_cell(cell);
        }
        if self.is_alive() {
            let _ = backend().sys().close(self.original);
        }
    }

    fn close_cell(&self, cell: &AtomicI32) {
        let fd = cell.load(Ordering::SeqCst);
        let taken = fd >= 0 && cell.compare_exchange(fd, EMPTY, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if taken && self.is_ours(fd) {
            let _ = backend().sys().close(fd);
        }
    }
}

/// A low number that refers to a descriptor for the time of one start. Dropped, it refers to a placeholder again.
pub(crate) struct Slot<'p> {
    pool: &'p Pool,
    cell: &'p AtomicI32,
    fd: Fd,
    holds: FileId,
}

impl Slot<'_> {
    /// The number.
    pub(crate) fn number(&self) -> Fd {
        self.fd
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let Self { pool, cell, fd, holds } = *self;
        let sys = backend().sys();
        let is_as_left = sys.file_id(fd) == Ok(holds);
        let is_restored = is_as_left && pool.restore(fd);
        if is_as_left && !is_restored {
            let _ = sys.close(fd);
        }
        cell.store(if is_restored { fd } else { EMPTY }, Ordering::SeqCst);
        if pool.is_closed.load(Ordering::SeqCst) {
            pool.close_cell(cell);
        }
    }
}

#[cfg(test)]
mod tests;
