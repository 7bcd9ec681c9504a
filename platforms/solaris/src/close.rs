//! The backend itself: what an answer means for closing, and what is remembered of it.

use crate::{CAPABILITIES, ProcSelfFd, SolarisSys};
use core::sync::atomic::{AtomicBool, Ordering};
use forkexec_core::{
    Backend, Capabilities, CloseStrategy, Closed, Errno, Fd, FdEnumerator, Gap, Signal, close_numbers,
    loop_bound,
};

/// Solaris or illumos, over the real system calls or a simulated kernel's.
///
/// It probes nothing: the first child that meets with a refusal of `F_CLOSEFROM` says so in its report, and later
/// children begin with the next link. Where the system is known not to have it, all do.
#[derive(Debug)]
pub struct Solaris<S> {
    sys: S,
    close_from_refused: AtomicBool,
}

impl<S> Solaris<S> {
    /// The backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys, close_from_refused: AtomicBool::new(CAPABILITIES.bulk_closer.is_none()) }
    }
}

// SAFETY: each method decides by its own data and calls `S` alone, which meets the requirements of `Sys`.
unsafe impl<S: SolarisSys + Sync> Backend for Solaris<S> {
    type Sys = S;

    fn sys(&self) -> &S {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    /// `F_CLOSEFROM` has no upper end, so that it serves only the gap above the last kept descriptor. Below that the
    /// numbers are closed one by one, unless there are so many that the list of what is open is shorter.
    fn close_gap(&self, gap: Gap) -> Result<(), Errno> {
        if gap.last() == Fd::MAX {
            return self.sys.close_from(gap.first());
        }
        if gap.last().saturating_sub(gap.first()) >= WIDEST_GAP {
            return Err(TOO_WIDE);
        }
        close_numbers(&self.sys, gap, Fd::MAX);
        Ok(())
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        &[&ProcSelfFd]
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
            self.close_from_refused.store(true, Ordering::Relaxed);
        }
    }

    fn first_link(&self) -> CloseStrategy {
        if self.close_from_refused.load(Ordering::Relaxed) {
            CloseStrategy::Enumerate
        } else {
            CloseStrategy::Bulk
        }
    }
}

/// How many numbers of a gap below a kept descriptor are closed one by one, so that the calls are at most in proportion to
/// what is kept.
const WIDEST_GAP: Fd = 64;

/// What is said of a gap that is left to the list. It is no refusal, and not remembered: the next plan keeps others.
const TOO_WIDE: Errno = Errno::TOOBIG;
