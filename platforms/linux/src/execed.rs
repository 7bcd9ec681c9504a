//! Whether a child of this process has executed a program: the kernel's flag `PF_FORKNOEXEC`.
//!
//! Fork sets the flag. Exec clears it, past the point of no return and before it closes close-on-exec descriptors
//! (`begin_new_exec` of fs/exec.c), and a zombie keeps it. So once the report channel has ended, the flag tells a child
//! that execs from one that a seccomp filter, or the out-of-memory killer, ended in execve(2).
//!
//! One call shows it: setpgid(2) refuses a child that has executed a program with `EACCES`. It is asked for a group that
//! cannot be, so that it changes nothing. A filter may answer `EACCES` to whoever asks; then it does so of the asking process,
//! too, which the kernel refuses with `EPERM`, and tells nothing. A child in a session of its own is refused for that first; then the flags in
//! `/proc/PID/stat` (proc(5)) tell, at ten times the cost.

use crate::{LinuxSys, Stat};
use forkexec_core::{Errno, Pid};

/// `include/linux/sched.h`: forked, but did not exec. The value has not changed since Linux 1.3.
const PF_FORKNOEXEC: u32 = 0x40;

/// The fields of proc_pid_stat(5).
const PARENT: usize = 4;
const FLAGS: usize = 9;

/// Whether child `pid` of process `parent` has executed a program, `None` if that cannot be told.
pub(crate) fn has_execed<S: LinuxSys>(sys: &S, pid: Pid, parent: Pid) -> Option<bool> {
    match sys.join_no_group(pid) {
        Err(Errno::ACCES) if sys.join_no_group(parent) != Err(Errno::ACCES) => Some(true),
        _ => by_procfs(sys, pid, parent),
    }
}

/// The same by `/proc` alone: `None` if there is none, or if it is that of another pid namespace, where the number is a
/// stranger's.
pub(crate) fn by_procfs<S: LinuxSys>(sys: &S, pid: Pid, parent: Pid) -> Option<bool> {
    let stat = Stat::read(sys, pid).ok()?;
    let flags = u32::try_from(stat.field(FLAGS)?).ok()?;
    let is_the_child = stat.pid() == Some(pid) && stat.field(PARENT) == Some(parent.into());
    is_the_child.then_some(flags & PF_FORKNOEXEC == 0)
}
