//! The backend: which call closes a gap, and what its errors mean.

use crate::{CAPABILITIES, ProcSelfFd, SolarisSys, attributes};
use forkexec_core::{
    Attribute, Backend, BulkRefusal, Capabilities, Errno, Fd, FdEnumerator, Gap, Scheduler, close_numbers,
};

/// Solaris or illumos, over the real system calls or a simulated kernel.
///
/// illumos has no `F_CLOSEFROM`, so all children begin with the list there.
#[derive(Debug)]
pub struct Solaris<S> {
    sys: S,
    close_from: BulkRefusal,
}

impl<S> Solaris<S> {
    /// Creates a backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys, close_from: BulkRefusal::new(CAPABILITIES.bulk_closer.is_none()) }
    }
}

// SAFETY: each method uses only its own data and calls of `S`, which meets the requirements of `Sys`.
unsafe impl<S: SolarisSys + Sync> Backend for Solaris<S> {
    type Sys = S;

    fn sys(&self) -> &S {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn has_scheduler(&self, scheduler: Scheduler) -> bool {
        attributes::class(scheduler).is_some()
    }

    fn highest_priority(&self) -> u8 {
        attributes::HIGHEST
    }

    fn most_processors(&self) -> usize {
        1
    }

    fn set_attribute(&self, attribute: Attribute<'_>) -> Result<(), Errno> {
        attributes::set(&self.sys, attribute)
    }

    /// Uses `F_CLOSEFROM`, which has no upper end, for the gap above the last kept descriptor. Closes other gaps by number,
    /// unless they are so wide that the list of open descriptors is shorter.
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

/// The widest gap that is closed by number. So the number of calls is at most in proportion to that of kept descriptors.
pub(crate) const WIDEST_GAP: Fd = 64;

/// The error for a gap that is left to the list. It is no refusal, so it is not remembered: the next plan keeps others.
const TOO_WIDE: Errno = Errno::TOOBIG;
