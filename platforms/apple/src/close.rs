//! The backend. The exec by posix_spawn(2) is a backend of its own, for one launch: [`SpawnExec`](crate::SpawnExec).

use crate::enumerate::{DevFd, ProcPidInfo};
use crate::{AppleSys, CAPABILITIES, attributes};
use forkexec_core::{
    Attribute, Backend, BulkRefusal, Capabilities, Closed, Errno, Fd, FdEnumerator, IoPriority, LOOP_CEILING,
    LOOP_FLOOR, Pid, Scheduler, has_execed_by_entry,
};
use forkexec_unix::is_for_good;

/// macOS and the other systems of Apple, over their real system calls or a simulated kernel.
///
/// It closes from a list. It also remembers whether the exec that closes is refused.
#[derive(Debug)]
pub struct Apple<S> {
    sys: S,
    spawn: BulkRefusal,
}

impl<S> Apple<S> {
    /// Creates a backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys, spawn: BulkRefusal::new(false) }
    }

    /// Returns whether to try the exec that closes.
    pub(crate) fn may_spawn(&self) -> bool {
        !self.spawn.is_known()
    }
}

// SAFETY: each method uses only its own data and calls of `S`, which meets the requirements of `Sys`.
unsafe impl<S: AppleSys + Sync> Backend for Apple<S> {
    type Sys = S;

    fn sys(&self) -> &S {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn has_scheduler(&self, scheduler: Scheduler) -> bool {
        attributes::background(scheduler).is_some()
    }

    fn has_io_priority(&self, priority: IoPriority) -> bool {
        attributes::io_policy(priority).is_some()
    }

    fn set_attribute(&self, attribute: Attribute<'_>) -> Result<(), Errno> {
        attributes::set(&self.sys, attribute)
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        &[&ProcPidInfo, &DevFd]
    }

    /// The hard limit is often infinite. A new descriptor is below both it and `kern.maxfilesperproc`
    /// (`proc_limitgetcur_nofile` of `bsd/kern/kern_resource.c`). `_SC_OPEN_MAX` is no bound: it is the soft limit, which
    /// may be below an open descriptor.
    fn loop_bound(&self) -> Result<Fd, Errno> {
        let hard = self.sys.descriptor_limit().unwrap_or(u64::MAX);
        let most = self.sys.files_per_process().unwrap_or(u64::MAX);
        let bound = Some(hard.min(most)).filter(|&bound| bound != u64::MAX).unwrap_or(OPEN_MAX);
        match Fd::try_from(bound) {
            Ok(bound) if bound <= LOOP_CEILING => Ok(bound.max(LOOP_FLOOR)),
            _ => Err(Errno::OVERFLOW),
        }
    }

    /// `exec_mach_imgact` of `bsd/kern/kern_exec.c` at e3723e1 sets the flag after the last step that can fail. It kills the
    /// process if an earlier one fails. Another question waits for an exec that is under way (`proc_find` of
    /// `bsd/kern/kern_proc.c`).
    fn has_execed(&self, child: Pid, parent: Pid) -> Option<bool> {
        has_execed_by_entry(&self.sys, parent, || self.sys.process_entry(child))
    }

    /// Other errors concern one launch, such as `EINVAL` for more descriptors than the limit of the child allows.
    fn learn(&self, closed: &Closed) {
        if closed.bulk_refused.is_some_and(is_for_good) {
            self.spawn.note();
        }
    }
}

/// `OPEN_MAX` of `bsd/sys/syslimits.h`.
const OPEN_MAX: u64 = 10_240;
