//! The backend: which call closes a gap, and what its errors mean.

use crate::{CAPABILITIES, MaxFd, NetbsdSys, attributes};
use forkexec_core::{
    Attribute, Backend, BulkRefusal, Capabilities, Errno, Fd, FdEnumerator, Gap, LOOP_CEILING, Pid,
    Scheduler, close_gap_by_number, has_execed_by_entry, loop_bound,
};

/// NetBSD, over its real system calls or a simulated kernel.
#[derive(Debug)]
pub struct Netbsd<S> {
    sys: S,
    closem: BulkRefusal,
}

impl<S> Netbsd<S> {
    /// Creates a backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys, closem: BulkRefusal::new(false) }
    }
}

// SAFETY: each method uses only its own data and calls of `S`, which meets the requirements of `Sys`.
unsafe impl<S: NetbsdSys + Sync> Backend for Netbsd<S> {
    type Sys = S;

    fn sys(&self) -> &S {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn has_scheduler(&self, scheduler: Scheduler) -> bool {
        attributes::policy(scheduler).is_some()
    }

    fn highest_priority(&self) -> u8 {
        attributes::HIGHEST
    }

    fn set_attribute(&self, attribute: Attribute<'_>) -> Result<(), Errno> {
        attributes::set(&self.sys, attribute)
    }

    /// Uses `F_CLOSEM`, which keeps nothing, for the open-ended gap above the last kept descriptor. Closes other gaps by
    /// number.
    fn close_gap(&self, gap: Gap) -> Result<(), Errno> {
        if gap.last() == Fd::MAX {
            return self.sys.closem(gap.first());
        }
        // The kept descriptor above the gap may be closed: nothing is open above `F_MAXFD`.
        close_gap_by_number(&self.sys, gap, self.sys.max_fd().unwrap_or(Fd::MAX))
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        &[&MaxFd]
    }

    /// One more than `F_MAXFD`, which a lowered limit does not change. Without it, the bound of any system.
    fn loop_bound(&self) -> Result<Fd, Errno> {
        match self.sys.max_fd() {
            Ok(highest) if highest >= LOOP_CEILING => Err(Errno::OVERFLOW),
            Ok(highest) => Ok(highest.saturating_add(1)),
            Err(_) => loop_bound(&self.sys),
        }
    }

    /// `execve_runproc` of sys/kern/kern_exec.c sets the flag: seen on NetBSD 7.0, also for zombies, after setsid(2), for other IDs and
    /// for set-user-ID programs.
    fn has_execed(&self, child: Pid, parent: Pid) -> Option<bool> {
        has_execed_by_entry(&self.sys, parent, || self.sys.process_entry(child))
    }

    fn bulk_refusal(&self) -> Option<&BulkRefusal> {
        Some(&self.closem)
    }
}
