//! The backend itself: what an answer of NetBSD's means for closing, and what is remembered of it.

use crate::{CAPABILITIES, MaxFd, NetbsdSys};
use forkexec_core::{
    Backend, BulkRefusal, Capabilities, Errno, Fd, FdEnumerator, Gap, LOOP_CEILING, close_gap_by_number,
    loop_bound,
};

/// NetBSD, over its real system calls or a simulated kernel's.
#[derive(Debug)]
pub struct Netbsd<S> {
    sys: S,
    closem: BulkRefusal,
}

impl<S> Netbsd<S> {
    /// The backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys, closem: BulkRefusal::new(false) }
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
        if gap.last() == Fd::MAX {
            return self.sys.closem(gap.first());
        }
        // Nothing is open above `F_MAXFD`, so the kept descriptor need not be.
        close_gap_by_number(&self.sys, gap, self.sys.max_fd().unwrap_or(Fd::MAX))
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

    fn bulk_refusal(&self) -> Option<&BulkRefusal> {
        Some(&self.closem)
    }
}
