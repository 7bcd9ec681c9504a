//! The backend itself: what an answer of OpenBSD's means for closing, and what is remembered of it.

use crate::{CAPABILITIES, CountedWalk, OpenbsdSys};
use core::sync::atomic::{AtomicBool, Ordering};
use forkexec_core::{
    Backend, Capabilities, CloseStrategy, Closed, Errno, Fd, FdEnumerator, Gap, LOOP_CEILING, Signal,
    close_numbers, loop_bound,
};

/// OpenBSD, over its real system calls or a simulated kernel's.
#[derive(Debug)]
pub struct Openbsd<S> {
    sys: S,
    closefrom_refused: AtomicBool,
}

impl<S> Openbsd<S> {
    /// The backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys, closefrom_refused: AtomicBool::new(false) }
    }
}

// SAFETY: each method decides by its own data and calls `S` alone, which meets the requirements of `Sys`.
unsafe impl<S: OpenbsdSys + Sync> Backend for Openbsd<S> {
    type Sys = S;

    fn sys(&self) -> &S {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    /// closefrom(2) keeps nothing: it is for the open-ended gap above the last kept descriptor. The others are closed by
    /// number.
    fn close_gap(&self, gap: Gap) -> Result<(), Errno> {
        if gap.last() == Fd::MAX {
            close_above(&self.sys, gap.first())
        } else {
            close_between(&self.sys, gap)
        }
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        &[&CountedWalk]
    }

    fn loop_bound(&self) -> Result<Fd, Errno> {
        loop_bound(&self.sys)
    }

    fn die_with_parent(&self, _signal: Signal) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    fn no_new_privs(&self) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    fn learn(&self, closed: &Closed) {
        if closed.bulk_refused.is_some_and(Errno::is_refusal) {
            self.closefrom_refused.store(true, Ordering::Relaxed);
        }
    }

    fn first_link(&self) -> CloseStrategy {
        if self.closefrom_refused.load(Ordering::Relaxed) {
            CloseStrategy::Enumerate
        } else {
            CloseStrategy::Bulk
        }
    }
}

/// `EBADF` means that no open descriptor is at or above the lowest (closefrom(2), ERRORS): there was nothing to do.
fn close_above<S: OpenbsdSys>(sys: &S, lowest: Fd) -> Result<(), Errno> {
    match sys.closefrom(lowest) {
        Err(Errno::BADF) => Ok(()),
        done => done,
    }
}

/// Closes a gap below a kept descriptor, unless it has more numbers than bounded time allows: the kept one need not be
/// open.
fn close_between<S: OpenbsdSys>(sys: &S, gap: Gap) -> Result<(), Errno> {
    if gap.last() >= LOOP_CEILING {
        return Err(Errno::OVERFLOW);
    }
    close_numbers(sys, gap, LOOP_CEILING);
    Ok(())
}
