//! The backend itself: what an answer of OpenBSD's means for closing, and what is remembered of it.

use crate::{CAPABILITIES, CountedWalk, OpenbsdSys};
use forkexec_core::{Backend, BulkRefusal, Capabilities, Errno, Fd, FdEnumerator, Gap, close_gap_by_number};

/// OpenBSD, over its real system calls or a simulated kernel's.
#[derive(Debug)]
pub struct Openbsd<S> {
    sys: S,
    closefrom: BulkRefusal,
}

impl<S> Openbsd<S> {
    /// The backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys, closefrom: BulkRefusal::new(false) }
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
            close_gap_by_number(&self.sys, gap, Fd::MAX)
        }
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        &[&CountedWalk]
    }

    fn bulk_refusal(&self) -> Option<&BulkRefusal> {
        Some(&self.closefrom)
    }
}

/// `EBADF` means that no open descriptor is at or above the lowest (closefrom(2), ERRORS): there was nothing to do.
fn close_above<S: OpenbsdSys>(sys: &S, lowest: Fd) -> Result<(), Errno> {
    match sys.closefrom(lowest) {
        Err(Errno::BADF) => Ok(()),
        done => done,
    }
}
