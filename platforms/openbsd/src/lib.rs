#![no_std]
//! The OpenBSD backend of forkexec.
//!
//! 1. *Systems*: OpenBSD from 7.3. The common calls need `waitid`, which the C library has since December 2022
//!    (lib/libc/sys/waitid.2, 1.2) and so since 7.3. The other calls are older: `pipe2` is in 5.7, `F_DUPFD_CLOEXEC` and
//!    `O_CLOEXEC` before it.
//! 2. *Listing*: no directory does. `/dev/fd` has the numbers 0 to 63 whatever is open, so even the one it is read through
//!    (etc/MAKEDEV.common, 1.124), and there is no `/proc`. getdtablecount(2), OpenBSD 5.1, says how many descriptors are
//!    open, so every number is asked about (`F_GETFD`) until as many open ones were met. In a forked child the count is
//!    exact: `fdcopy` counts anew what it copies (sys/kern/kern_descrip.c, 1.212). In a shared table it is too high where
//!    another thread has a descriptor half-open, and then the walk ends unbelieved, not early. The sysctl(2) that lists
//!    files (`KERN_FILE_BYPID`) cannot be read piece by piece.
//! 3. *Closing*: closefrom(2), OpenBSD 3.5, from a number up; it can keep none, so it is asked for the numbers above the
//!    last kept one only, and those below are closed one by one. `EBADF` says that no open descriptor is so high: all is
//!    done (closefrom(2), ERRORS). `EINTR` is on the page, but the kernel ignores what each close answers.
//! 4. *Starting*: fork(2), nothing shared but the report slot. kqueues, and descriptors with `FD_CLOFORK`, are not in the
//!    child: keeping one fails. The C library's posix_spawn(3) is not used: a program that cannot be executed is a child
//!    that exits with 127 there, not an error.
//! 5. *Async-signal-safety*: closefrom(2), getdtablecount(2) and fcntl(2) with `F_GETFD` are system calls to which the C
//!    library adds nothing but that closefrom(2) is a cancellation point, as close(2) is (lib/libc/hidden/unistd.h). All
//!    closing is in the promise `stdio` of pledge(2); fork(2) needs `proc`, execve(2) `exec`, and other stages what the page
//!    says; chroot(2) is in none. A call that was not promised kills the child with `SIGABRT`, which the parent is told, or
//!    answers `ENOSYS` under the promise `error` (`pledge_fail` in sys/kern/kern_pledge.c, 1.333). unveil(2) hides programs
//!    and directories from the child as from its parent: `ENOENT`. The rest is what `forkexec-unix` says of its calls.
//! 6. *Proven*: type-checked and run over the simulated kernel only.
//! 7. *Signals*: `SIGTHR`, 32 (lib/libc/sys/w_sigaction.c).
//! 8. *Errnos*: positive (`sys/errno.h`).
//! 9. *Ends*: the constants are `libc`'s. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (`sys/wait.h`).
//! 10. *Saved IDs*: setreuid(2) and setregid(2) set the saved IDs (sys/kern/kern_prot.c).
//! 11. *Limits*: a limit below an open number closes nothing, and is not refused (`dosetrlimit` of
//!     sys/kern/kern_resource.c).

mod close;
mod enumerate;
mod sys;

pub use close::Openbsd;
pub use enumerate::CountedWalk;

use forkexec_core::{Capabilities, Errno, Fd, GroupList, Resource, SpawnMethod, Sys};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// What OpenBSD has of the calls that all systems share.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

/// What this backend has.
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "OpenBSD",
    bulk_closer: Some("closefrom"),
    enumerators: &[enumerate::NAME],
    launchers: &[SpawnMethod::Fork],
    operations: &[],
    resources: &RESOURCES,
    // SIGTHR: sigaction(2) of the C library refuses it (lib/libc/sys/w_sigaction.c).
    reserved_signals: &[32],
    group_list: GroupList::Supplementary,
};

/// getrlimit(2) of OpenBSD, with the numbers of `sys/resource.h`: the constants of the C library are not there on every
/// host that this crate is tested on.
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

/// The system calls that OpenBSD has beyond those that all systems have.
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
    /// getdtablecount(2): how many descriptors are open.
    fn open_count(&self) -> Result<Fd, Errno>;
}
