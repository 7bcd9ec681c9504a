#![no_std]
//! The Solaris and illumos backend of forkexec.
//!
//! 1. *Systems*: Solaris from 11.4, which is what Rust supports; illumos with `pipe2` and `F_DUPFD_CLOEXEC`.
//! 2. *Listing*: getdents(2) on `/proc/self/fd`, read raw: `opendir` allocates. It lies where something else is mounted
//!    over `/proc`, and is not there in a new root; so the directory must be on procfs (`f_basetype` of statvfs(2)) and list
//!    the very descriptor it is read through. Whoever reads raw holds that descriptor, so neither `dirfd` nor the trick of
//!    closing a low number first, to know where the directory lands, is needed.
//! 3. *Closing*: `F_CLOSEFROM` of fcntl(2), Solaris 11.4, which closes all from a number up and keeps nothing. Solaris
//!    without it answers `EINVAL`. illumos has no bulk call (`sys/syscall.h`, `sys/fcntl.h` of illumos-gate), and is never
//!    asked: there the number of `F_CLOSEFROM` is that of a lock. closefrom(3C) is used on neither: that of illumos is an
//!    fdwalk(3C), which calls `opendir` and so malloc (`libc/port/gen/closefrom.c`), and is «MT-Level: Unsafe»; that of
//!    Solaris 11.4 is `F_CLOSEFROM` itself, but cannot say that it failed.
//! 4. *Starting*: fork(2), which is fork1: the calling thread alone, nothing shared but the report slot. A child of vfork(2)
//!    must not enter the dynamic linker, whose lock another thread of the parent may hold (`libc/port/threads/spawn.c`);
//!    a first call through the linkage table does. fork(2) has no such rule.
//! 5. *Async-signal-safety*: `getdents`, `fstatvfs` and `F_CLOSEFROM` are bare system calls; the rest is what
//!    `forkexec-unix` says of its calls, with one exception. setpriority(3C) of illumos, when it is refused, allocates
//!    to tell `EACCES` from `EPERM`. After fork(2) that cannot deadlock: malloc within libc is fork-safe there
//!    (`libc/port/threads/scalls.c`).
//! 6. *Proven*: type-checked for both, and run over the simulated kernel only.
//! 7. *Signals*: 33 and 36, which libc catches (`libc/port/threads/sigaction.c`).
//! 8. *Errnos*: positive (`sys/errno.h`).
//! 9. *Ends*: the constants are `libc`'s. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (`sys/wait.h`).
//! 10. *Saved IDs*: setreuid(2) and setregid(2) set the saved IDs (`uts/common/syscall/uid.c` of illumos-gate).
//!     Solaris is taken to agree.
//! 11. *Limits*: a limit below an open number closes nothing, and is not refused (`uts/common/os/rctl.c` of illumos-
//!     gate). Solaris is taken to agree.

mod close;
mod enumerate;
mod sys;

pub use close::Solaris;
pub use enumerate::ProcSelfFd;

use forkexec_core::{Capabilities, Errno, Fd, GroupList, Resource, SpawnMethod, Sys};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// What Solaris and illumos have of the calls that all systems share.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

/// What this backend has on the system that it is built for.
pub const CAPABILITIES: Capabilities = if sys::IS_ILLUMOS { ILLUMOS } else { SOLARIS };

/// What this backend has on illumos: all but the bulk call.
pub const ILLUMOS: Capabilities = Capabilities { system: "illumos", bulk_closer: None, ..SOLARIS };

/// What this backend has on Solaris.
///
/// setppriv(2) bounds privileges, which is not what `no_new_privs` of Linux does. Nothing sends a signal of one's choice
/// when the parent dies: a process contract with `CT_PR_NOORPHAN` (process(5)) kills all its members.
pub const SOLARIS: Capabilities = Capabilities {
    system: "Solaris",
    bulk_closer: Some("F_CLOSEFROM"),
    enumerators: &[enumerate::NAME],
    launchers: &[SpawnMethod::Fork],
    operations: &[],
    resources: &[
        ("as", ADDRESS_SPACE),
        ("core", Resource::CORE),
        ("cpu", Resource::CPU),
        ("data", Resource::DATA),
        ("fsize", Resource::FSIZE),
        ("nofile", Resource::NOFILE),
        ("stack", Resource::STACK),
    ],
    reserved_signals: &[SIGAIOCANCEL, SIGCANCEL],
    group_list: GroupList::Supplementary,
};

/// `RLIMIT_VMEM`, which is `RLIMIT_AS`, of `sys/resource.h`.
const ADDRESS_SPACE: Resource = Resource(6);

/// libc always catches these two and takes them out of every mask, whatever sigaction(2) was asked for
/// (`libc/port/threads/sigaction.c` of illumos-gate): asynchronous input and output, and pthread_cancel(3C).
const SIGAIOCANCEL: i32 = 33;
const SIGCANCEL: i32 = 36;

/// The system calls beyond those that all systems have.
///
/// # Safety
///
/// The requirements are those of [`Sys`].
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait SolarisSys: Sys {
    /// `F_CLOSEFROM` of fcntl(2): closes every descriptor at or above `lowest`. `ENOSYS` on illumos, which has none.
    fn close_from(&self, lowest: Fd) -> Result<(), Errno>;
    /// getdents(2), in its large-file form: how many bytes of records were read, 0 at the end.
    fn getdents(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno>;
    /// fstatvfs(2): whether `f_basetype` is `proc`.
    fn is_on_procfs(&self, fd: Fd) -> Result<bool, Errno>;
}
