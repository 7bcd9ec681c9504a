//! The backend itself: what an answer of NetBSD's means for closing, and what is remembered of it.

use crate::{CAPABILITIES, MaxFd, NetbsdSys};
use core::sync::atomic::{AtomicBool, Ordering};
use forkexec_core::{
    Backend, Capabilities, CloseStrategy, Closed, Errno, Fd, FdEnumerator, Gap, LOOP_CEILING, Signal,
    close_numbers, loop_bound,
};

/// NetBSD, over its real system calls or a simulated kernel's.
#[derive(Debug)]
pub struct Netbsd<S> {
    sys: S,
    closem_refused: AtomicBool,
}

impl<S> Netbsd<S> {
    /// The backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys, closem_refused: AtomicBool::new(false) }
    }
}

// SAFETY: each method decides by its own data and calls `S` alone, which meets the requirements of `Sys`.
unsafe impl<S: NetbsdSys + Sync> Backend for Netbsd<S> {
    type Sys = S;

    fn sys(&self) -> &S {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    /// `F_CLOSEM` keeps nothing: it is for the open-ended gap above the last kept descriptor. The others are closed by
    /// number.
    fn close_gap(&self, gap: Gap) -> Result<(), Errno> {
        if gap.last() == Fd::MAX { self.sys.closem(gap.first()) } else { close_between(&self.sys, gap) }
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        &[&MaxFd]
    }

    /// One more than `F_MAXFD`, which a lowered limit does not change; else what any system has.
    fn loop_bound(&self) -> Result<Fd, Errno> {
        match self.sys.max_fd() {
            Ok(highest) if highest >= LOOP_CEILING => Err(Errno::OVERFLOW),
            Ok(highest) => Ok(highest.saturating_add(1)),
            Err(_) => loop_bound(&self.sys),
        }
    }

    fn die_with_parent(&self, _signal: Signal) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    fn no_new_privs(&self) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    fn learn(&self, closed: &Closed) {
        if closed.bulk_refused.is_some_and(Errno::is_refusal) {
            self.closem_refused.store(true, Ordering::Relaxed);
        }
    }

    fn first_link(&self) -> CloseStrategy {
        if self.closem_refused.load(Ordering::Relaxed) {
            CloseStrategy::Enumerate
        } else {
            CloseStrategy::Bulk
        }
    }
}

/// Closes a gap below a kept descriptor, which need not be open: nothing is above `F_MAXFD`. Where that is not told, the
/// whole gap is closed, unless it has more numbers than bounded time allows.
fn close_between<S: NetbsdSys>(sys: &S, gap: Gap) -> Result<(), Errno> {
    let highest = sys.max_fd().unwrap_or(Fd::MAX);
    if gap.last().min(highest) >= LOOP_CEILING {
        return Err(Errno::OVERFLOW);
    }
    close_numbers(sys, gap, highest.saturating_add(1));
    Ok(())
}
