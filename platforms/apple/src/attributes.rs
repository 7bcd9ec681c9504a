//! The attributes of macOS: the background, throttled disk access, and those that only exec can set.
//!
//! Each call acts on the calling process alone. A new task inherits what they set from its parent, and exec creates a task
//! (`task_policy_create` of `osfmk/kern/task_policy.c`), so the program keeps it. taskpolicy(8) starts programs in that way.

use crate::AppleSys;
use core::ffi::c_int;
use forkexec_core::{Attribute, Errno, IoPriority, Scheduler};

/// A call that changes an attribute of the calling process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeCall {
    /// setpriority(2) with `PRIO_DARWIN_PROCESS`: 0 or `PRIO_DARWIN_BG`.
    SetBackground(c_int),
    /// setiopolicy_np(3) with `IOPOL_TYPE_DISK` and `IOPOL_SCOPE_PROCESS`: one of `IOPOL_*`.
    SetIoPolicy(c_int),
}

/// Returns whether only posix_spawn(2) can set this attribute, by a flag (`bsd/sys/spawn.h`).
pub(crate) const fn is_of_exec(attribute: Attribute<'_>) -> bool {
    matches!(attribute, Attribute::FixedAddresses | Attribute::Suspended)
}

/// Sets an attribute of the calling process.
pub(crate) fn set<S: AppleSys>(sys: &S, attribute: Attribute<'_>) -> Result<(), Errno> {
    match attribute {
        Attribute::Scheduler(scheduler) => {
            let priority = background(scheduler).ok_or(Errno::NOSYS)?;
            sys.attribute(AttributeCall::SetBackground(priority))
        }
        Attribute::IoPriority(priority) => {
            let policy = io_policy(priority).ok_or(Errno::NOSYS)?;
            sys.attribute(AttributeCall::SetIoPolicy(policy))
        }
        _ => Err(Errno::NOSYS),
    }
}

/// `PRIO_DARWIN_BG` of `bsd/sys/resource.h`.
const BACKGROUND: c_int = 0x1000;

/// The priority of setpriority(2) for a policy. The real-time policies belong to threads, and a program sets them itself
/// (thread_policy_set).
pub(crate) const fn background(scheduler: Scheduler) -> Option<c_int> {
    match scheduler {
        Scheduler::Other => Some(0),
        Scheduler::Idle => Some(BACKGROUND),
        _ => None,
    }
}

/// `IOPOL_THROTTLE` of `bsd/sys/resource.h`.
const THROTTLE: c_int = 3;

/// The policy of setiopolicy_np(3) for a priority. Only the lowest one has the same meaning: the system has no levels.
pub(crate) const fn io_policy(priority: IoPriority) -> Option<c_int> {
    match priority {
        IoPriority::Idle => Some(THROTTLE),
        _ => None,
    }
}
