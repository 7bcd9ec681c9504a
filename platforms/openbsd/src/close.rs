//! The backend: which call closes a gap, and what its errors mean.

use crate::{CAPABILITIES, CountedWalk, OpenbsdSys};
use forkexec_core::{
    Attribute, Backend, BulkRefusal, Capabilities, Errno, Fd, FdEnumerator, Gap, Unveil, close_gap_by_number,
};

/// OpenBSD, over its real system calls or a simulated kernel.
#[derive(Debug)]
pub struct Openbsd<S> {
    sys: S,
    closefrom: BulkRefusal,
}

impl<S> Openbsd<S> {
    /// Creates a backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys, closefrom: BulkRefusal::new(false) }
    }
}

// SAFETY: each method uses only its own data and calls of `S`, which meets the requirements of `Sys`.
unsafe impl<S: OpenbsdSys + Sync> Backend for Openbsd<S> {
    type Sys = S;

    fn sys(&self) -> &S {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    /// Calls closefrom(2), which keeps nothing, for the open-ended gap above the last kept descriptor. Closes other gaps by
    /// number.
    fn close_gap(&self, gap: Gap) -> Result<(), Errno> {
        if gap.last() == Fd::MAX {
            close_above(&self.sys, gap.first())
        } else {
            close_gap_by_number(&self.sys, gap, Fd::MAX)
        }
    }

    /// The new promises limit the program and not the calls of the child, so their order among the calls does not matter. The paths
    /// come before the lock, as the plan lists them.
    fn set_attribute(&self, attribute: Attribute<'_>) -> Result<(), Errno> {
        match attribute {
            Attribute::Unveil(Unveil { path, permissions, .. }) => self.sys.unveil(path, permissions),
            Attribute::LockUnveil => self.sys.lock_unveil(),
            Attribute::Pledge(promises) => self.sys.pledge_exec(promises),
            _ => Err(Errno::NOSYS),
        }
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        &[&CountedWalk]
    }

    fn bulk_refusal(&self) -> Option<&BulkRefusal> {
        Some(&self.closefrom)
    }
}

/// `EBADF` means that no descriptor at or above `lowest` is open (closefrom(2), ERRORS).
fn close_above<S: OpenbsdSys>(sys: &S, lowest: Fd) -> Result<(), Errno> {
    match sys.closefrom(lowest) {
        Err(Errno::BADF) => Ok(()),
        done => done,
    }
}
