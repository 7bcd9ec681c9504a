//! The backend itself: what an answer means for closing, and what is remembered of it.

use crate::{CAPABILITIES, ProcSelfFd, SolarisSys};
use forkexec_core::{Backend, BulkRefusal, Capabilities, Errno, Fd, FdEnumerator, Gap, close_numbers};

/// Solaris or illumos, over the real system calls or a simulated kernel's.
///
/// illumos has no `F_CLOSEFROM`: all children begin with the list there.
#[derive(Debug)]
pub struct Solaris<S> {
    sys: S,
    close_from: BulkRefusal,
}

impl<S> Solaris<S> {
    /// The backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys, close_from: BulkRefusal::new(CAPABILITIES.bulk_closer.is_none()) }
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

    fn bulk_refusal(&self) -> Option<&BulkRefusal> {
        Some(&self.close_from)
    }
}

/// How many numbers of a gap below a kept descriptor are closed one by one, so that the calls are at most in proportion to
/// what is kept.
const WIDEST_GAP: Fd = 64;

/// What is said of a gap that is left to the list. It is no refusal, and not remembered: the next plan keeps others.
const TOO_WIDE: Errno = Errno::TOOBIG;
