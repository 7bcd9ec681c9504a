//! The backend itself: what an answer of Linux's means for closing, and what is remembered of it.

use crate::{CAPABILITIES, LinuxSys, ProcSelfFd, execed};
use core::sync::atomic::{AtomicBool, Ordering};
use forkexec_core::{
    Backend, Capabilities, Closed, Errno, Fd, FdEnumerator, Gap, Link, Pid, Signal, loop_bound,
};

/// Linux, over its real system calls or a simulated kernel's.
///
/// It probes nothing: a seccomp filter that answers a call with `SIGSYS` would kill the process that asks. The first
/// child that meets with a refusal of close_range(2) says so in its report, and later children begin with the next link.
#[derive(Debug)]
pub struct Linux<S> {
    sys: S,
    close_range_refused: AtomicBool,
    unshare_refused: AtomicBool,
}

impl<S> Linux<S> {
    /// The backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys, close_range_refused: AtomicBool::new(false), unshare_refused: AtomicBool::new(false) }
    }

    /// Whether `CLOSE_RANGE_UNSHARE` was not refused so far.
    pub(crate) fn unshares_range(&self) -> bool {
        !self.unshare_refused.load(Ordering::Relaxed) && !self.close_range_refused.load(Ordering::Relaxed)
    }
}

// SAFETY: each method decides by its own data and calls `S` alone, which meets the requirements of `Sys`.
unsafe impl<S: LinuxSys + Sync> Backend for Linux<S> {
    type Sys = S;

    fn sys(&self) -> &S {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn close_gap(&self, gap: Gap) -> Result<(), Errno> {
        self.sys.close_range(number(gap.first()), number(gap.last()))
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        &[&ProcSelfFd]
    }

    fn loop_bound(&self) -> Result<Fd, Errno> {
        loop_bound(&self.sys)
    }

    /// `CLOSE_RANGE_UNSHARE` copies nothing of what it closes. Where it is refused, unshare(2) copies all.
    fn own_table(&self, highest: Fd) -> Result<bool, Errno> {
        if let Some(first) = highest.checked_add(1).filter(|_| self.unshares_range()) {
            match self.sys.close_range_unshare(number(first), u32::MAX) {
                Ok(()) => return Ok(true),
                // The child of a launcher that shares the table shares this memory, too: the next one will know.
                Err(errno) if errno.is_refusal() => self.unshare_refused.store(true, Ordering::Relaxed),
                Err(_) => {}
            }
        }
        self.sys.unshare_files().map(|()| false)
    }

    fn die_with_parent(&self, signal: Signal) -> Result<(), Errno> {
        self.sys.set_parent_death_signal(signal)
    }

    fn no_new_privs(&self) -> Result<(), Errno> {
        self.sys.set_no_new_privs()
    }

    fn has_execed(&self, child: Pid, parent: Pid) -> Option<bool> {
        execed::has_execed(&self.sys, child, parent)
    }

    fn learn(&self, closed: &Closed) {
        if closed.bulk_refused.is_some_and(Errno::is_refusal) {
            self.close_range_refused.store(true, Ordering::Relaxed);
        }
    }

    fn first_link(&self) -> Link {
        if self.close_range_refused.load(Ordering::Relaxed) { Link::Enumerate } else { Link::Bulk }
    }
}

/// The kernel takes unsigned numbers, and the open end of a range as `~0U`.
const fn number(fd: Fd) -> u32 {
    if fd == Fd::MAX { u32::MAX } else { fd.unsigned_abs() }
}
