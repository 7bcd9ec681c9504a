#![no_std]
//! The OpenBSD backend. This crate is an implementation detail of `forkexec`.
//!
//! 1. *Systems*: OpenBSD from 7.3. The common calls need `waitid`, which the C library has since December 2022
//!    (lib/libc/sys/waitid.2, 1.2). The other calls are older: `pipe2` is in 5.7, `F_DUPFD_CLOEXEC` and `O_CLOEXEC` came
//!    before it.
//! 2. *Listing*: no directory lists open descriptors. `/dev/fd` has the numbers 0 to 63, whatever is open
//!    (etc/MAKEDEV.common, 1.124), and there is no `/proc`. getdtablecount(2), OpenBSD 5.1, returns how many descriptors are
//!    open. So the backend calls `F_GETFD` on each number until it has seen that many. In a forked child the count is exact:
//!    `fdcopy` counts what it copies (sys/kern/kern_descrip.c, 1.212). In a shared table the count is too high while another
//!    thread has a descriptor half-open; the walk then ends without a result, not early. The sysctl(2) that lists files
//!    (`KERN_FILE_BYPID`) cannot be read piece by piece.
//! 3. *Closing*: closefrom(2), OpenBSD 3.5, closes from a number up and keeps nothing. So it is used only above the last
//!    kept descriptor, and the numbers below are closed one by one. `EBADF` means that no open descriptor is so high, and
//!    counts as success (closefrom(2), ERRORS). The page lists `EINTR`, but the kernel ignores the result of each close.
//! 4. *Starting*: fork(2). Only the report is shared. The child has no kqueues and no descriptors with `FD_CLOFORK`, so a
//!    plan that keeps one fails. posix_spawn(3) of the C library is not used: it forks, and if a program cannot be executed,
//!    the child exits with 127 and the call reports no error. vfork(2) is not used: it copies memory as fork(2) does, and
//!    only suspends the parent (`sys_vfork` of sys/kern/kern_fork.c passes no `FORK_SHAREVM`). It took 1.00 of the time of
//!    fork(2) with 192 MiB, seen on OpenBSD 7.3. The flag `PS_EXEC` of a process would tell exec from death. It is not read,
//!    because sysctl(2) kills a process that reads it without the promise `ps` (pledge(2)).
//! 5. *Async-signal-safety*: the C library adds nothing to closefrom(2), getdtablecount(2) and fcntl(2) with `F_GETFD`, except
//!    that closefrom(2) is a cancellation point, as close(2) is (lib/libc/hidden/unistd.h). The promise `stdio` of pledge(2)
//!    covers all closing. fork(2) needs `proc`, execve(2) needs `exec`, and other stages need what the page says; no promise
//!    covers chroot(2). A call without its promise kills the child with `SIGABRT`, which the parent returns as an error.
//!    Under the promise `error` it fails with `ENOSYS` (`pledge_fail` in sys/kern/kern_pledge.c, 1.333). unveil(2) hides
//!    programs and directories from the child as from its parent: `ENOENT`. Both are plain system calls that change the calling
//!    process. exec keeps unveiled paths only if the process has promises for the program (`PS_EXECPLEDGE` in `sys_execve` of
//!    sys/kern/kern_exec.c; it calls `unveil_destroy` otherwise). The other calls are those of `forkexec-unix`.
//! 6. *Proven*: type-checked, and run over the simulated kernel only.
//! 7. *Signals*: `SIGTHR`, 32 (lib/libc/sys/w_sigaction.c).
//! 8. *Errnos*: positive (`sys/errno.h`).
//! 9. *Ends*: the constants are those of `libc`. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (`sys/wait.h`).
//! 10. *Saved IDs*: setreuid(2) and setregid(2) set the saved ID to the new real one, unless it is that already
//!     (`sys_setreuid` and `sys_setregid` of sys/kern/kern_prot.c at 96ad53f).
//! 11. *Limits*: a limit below an open number is accepted and closes nothing (`dosetrlimit` of sys/kern/kern_resource.c at
//!     012cf97).

mod close;
mod enumerate;
mod sys;

pub use close::Openbsd;
pub use enumerate::CountedWalk;

use core::ffi::CStr;
use forkexec_core::{Capabilities, Errno, Fd, GroupList, Operation, Resource, SpawnMethod, Sys};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// The facts by which OpenBSD differs from other systems.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

/// The capabilities of this backend.
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "OpenBSD",
    bulk_closer: Some("closefrom"),
    enumerators: &[enumerate::NAME],
    launchers: &[SpawnMethod::Fork],
    operations: &[Operation::Unveil, Operation::Pledge],
    resources: &RESOURCES,
    // SIGTHR: sigaction(2) of the C library refuses it (lib/libc/sys/w_sigaction.c).
    reserved_signals: &[32],
    group_list: GroupList::Supplementary,
};

/// The resources of getrlimit(2) on OpenBSD. The numbers are those of `sys/resource.h`, because the C library of another host
/// lacks some of the constants.
const RESOURCES: [(&str, Resource); 9] = [
    ("cpu", Resource(0)),
    ("fsize", Resource(1)),
    ("data", Resource(2)),
    ("stack", Resource(3)),
    ("core", Resource(4)),
    ("rss", Resource(5)),
    ("memlock", Resource(6)),
    ("nproc", Resource(7)),
    ("nofile", Resource(8)),
];

/// The system calls of OpenBSD beyond the common ones.
///
/// # Safety
///
/// The requirements are those of [`Sys`].
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait OpenbsdSys: Sys {
    /// closefrom(2): closes every descriptor at or above `lowest`.
    fn closefrom(&self, lowest: Fd) -> Result<(), Errno>;
    /// unveil(2).
    fn unveil(&self, path: &CStr, permissions: &CStr) -> Result<(), Errno>;
    /// unveil(2) without a path: later calls fail.
    fn lock_unveil(&self) -> Result<(), Errno>;
    /// pledge(2) with promises for the next program alone.
    fn pledge_exec(&self, promises: &CStr) -> Result<(), Errno>;
    /// getdtablecount(2). Returns how many descriptors are open.
    fn open_count(&self) -> Result<Fd, Errno>;
}
