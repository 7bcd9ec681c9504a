//! Finds out whether a child of this process has executed a program, by the kernel flag `PF_FORKNOEXEC`.
//!
//! Fork sets the flag. Exec clears it after the point of no return (`begin_new_exec` of fs/exec.c), and a zombie keeps it. So it
//! distinguishes a child that executed a program from one that a seccomp filter or the out-of-memory killer ended in execve(2).
//! Exec may close the report channel first: Linux 7.2.12 does, earlier releases clear the flag first. So the flag of a child that
//! has not ended may still be about to change.
//!
//! setpgid(2) reveals the flag: it fails with `EACCES` for a child that has executed a program. The group is an impossible one,
//! so the call changes nothing. A filter may answer `EACCES` to every call. Then it also does for the calling process, for
//! which the kernel answers `EPERM`, and the result means nothing. For a child in a session of its own, setpgid(2) fails
//! before it checks the flag. Then the flags in `/proc/PID/stat` (proc(5)) are read, at ten times the cost.

use crate::{LinuxSys, Stat};
use forkexec_core::{Errno, Pid};

/// `include/linux/sched.h`: forked, but not executed. The value is the same since Linux 1.3.
const PF_FORKNOEXEC: u32 = 0x40;

/// The fields of proc_pid_stat(5).
const PARENT: usize = 4;
const FLAGS: usize = 9;

/// Returns whether child `pid` of process `parent` has executed a program. `None` if that is unknown.
pub(crate) fn has_execed<S: LinuxSys>(sys: &S, pid: Pid, parent: Pid) -> Option<bool> {
    match sys.join_no_group(pid) {
        Err(Errno::ACCES) if sys.join_no_group(parent) != Err(Errno::ACCES) => Some(true),
        _ => by_procfs(sys, pid, parent),
    }
}

/// Does the same by `/proc` alone. Returns `None` if there is none, or if it belongs to another pid namespace, where the number
/// is that of another process.
pub(crate) fn by_procfs<S: LinuxSys>(sys: &S, pid: Pid, parent: Pid) -> Option<bool> {
    let stat = Stat::read(sys, pid).ok()?;
    let flags = u32::try_from(stat.field(FLAGS)?).ok()?;
    let is_the_child = stat.pid() == Some(pid) && stat.field(PARENT) == Some(parent.into());
    is_the_child.then_some(flags & PF_FORKNOEXEC == 0)
}
