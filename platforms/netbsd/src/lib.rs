#![no_std]
//! The NetBSD backend of forkexec.
//!
//! 1. *Systems*: NetBSD from 8.0. The common calls need `waitid`, which the C library has since 2016-04-03 (lib/libc/gen/waitid.c
//!    1.1) and so since 8.0; a program for 7.0 does not link (`undefined symbol: waitid`, seen on NetBSD 7.0 amd64). The other
//!    calls are older: `pipe2`, `F_DUPFD_CLOEXEC` and `O_CLOEXEC` are in 6.0.
//! 2. *Listing*: `F_MAXFD` of fcntl(2), the highest open descriptor, asked again after each close; what lies below the
//!    highest kept one is visited by number. In a forked child it is exact: the table is a copy from which kqueues and
//!    half-open descriptors are left out, and its end is counted anew (`fd_copy` in sys/kern/kern_descrip.c, 1.229). It
//!    says -1 without an errno where nothing is open, and that is no answer here. No directory is read: `/dev/fd` is a
//!    static one unless mount_fdesc(8) was asked for, and procfs need not be mounted.
//! 3. *Closing*: `F_CLOSEM` of fcntl(2) from a number up; it can keep none, so it is asked for the numbers above the last
//!    kept one only. The kernel closes from the highest down, ignores what each close answers, and succeeds where there
//!    is nothing to close; its one error is `EBADF` for a negative number (`sys_fcntl` in sys/kern/sys_descrip.c, 1.48).
//!    The close_range(2) of NetBSD 11 is not called: a kernel without it answers with `SIGSYS` (`sys_nosys` in
//!    sys/kern/kern_sig.c).
//! 4. *Starting*: fork(2), nothing shared but the report slot. With a shared table `F_CLOSEM` would spin for as long as
//!    another thread has a descriptor half-open.
//! 5. *Async-signal-safety*: fcntl(2) is, whatever the command; in a threaded program it is a cancellation point, as
//!    close(2) is (lib/libpthread/pthread_cancelstub.c). The rest is what `forkexec-unix` says of its calls.
//! 6. *Proven*: type-checked and run over the simulated kernel only.
//! 7. *Signals*: none beside `SIGKILL` and `SIGSTOP` (sigaction(2)).
//! 8. *Errnos*: positive (`sys/errno.h`).
//! 9. *Ends*: the constants are `libc`'s. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (`sys/wait.h`).
//! 10. *Saved IDs*: setreuid(2) sets the saved ID only if the real one changes (`sys_setreuid` of sys/kern/kern_prot.c), so
//!     setuid(2) comes first. The same is true for groups.
//! 11. *Limits*: a limit below an open number closes nothing, and is not refused (`dosetrlimit` of
//!     sys/kern/kern_resource.c).

mod close;
mod enumerate;
mod sys;

pub use close::Netbsd;
pub use enumerate::MaxFd;

use forkexec_core::{Capabilities, Errno, Fd, GroupList, Resource, SpawnMethod, Sys};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// What NetBSD has of the calls that all systems share.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

/// What this backend has.
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "NetBSD",
    bulk_closer: Some("F_CLOSEM"),
    enumerators: &[enumerate::NAME],
    launchers: &[SpawnMethod::Fork],
    operations: &[],
    resources: &RESOURCES,
    reserved_signals: &[],
    group_list: GroupList::Supplementary,
};

/// getrlimit(2) of NetBSD, with the numbers of `sys/resource.h`: the constants of the C library are not there on every
/// host that this crate is tested on.
const RESOURCES: [(&str, Resource); 12] = [
    ("cpu", Resource(0)),
    ("fsize", Resource(1)),
    ("data", Resource(2)),
    ("stack", Resource(3)),
    ("core", Resource(4)),
    ("rss", Resource(5)),
    ("memlock", Resource(6)),
    ("nproc", Resource(7)),
    ("nofile", Resource(8)),
    ("sbsize", Resource(9)),
    ("as", Resource(10)),
    ("nthr", Resource(11)),
];

/// The system calls that NetBSD has beyond those that all systems have.
///
/// # Safety
///
/// The requirements are those of [`Sys`].
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait NetbsdSys: Sys {
    /// `F_CLOSEM` of fcntl(2): closes every descriptor at or above `lowest`.
    fn closem(&self, lowest: Fd) -> Result<(), Errno>;
    /// `F_MAXFD` of fcntl(2): the highest open descriptor. Where none is open the kernel says -1 and sets no errno: that
    /// is an [`Errno`] of 0 here.
    fn max_fd(&self) -> Result<Fd, Errno>;
}
