#![no_std]
//! The Solaris and illumos backend. This crate is an implementation detail of `forkexec`.
//!
//! The source files named here are those of illumos-gate.
//!
//! 1. *Systems*: Solaris from 11.4, which Rust supports. illumos from 2016, which has `psecflags` (its security-flags(7) is of June
//!    2016); `pipe2` and `F_DUPFD_CLOEXEC` are older.
//! 2. *Listing*: raw getdents(2) on `/proc/self/fd`, because `opendir` allocates. Something else may be mounted over `/proc`,
//!    and a new root has none. So the directory must be on procfs (`f_basetype` of statvfs(2)) and list the descriptor that
//!    it is read through. The backend opened that descriptor itself, so it needs neither `dirfd` nor a low number that was
//!    closed before.
//! 3. *Closing*: `F_CLOSEFROM` of fcntl(2), Solaris 11.4, closes from a number up and keeps nothing. Solaris without it
//!    answers `EINVAL`. illumos has no bulk call (`sys/syscall.h`, `sys/fcntl.h`), and none is made: the number of
//!    `F_CLOSEFROM` is that of a lock there. closefrom(3C) is not used. On illumos it is an fdwalk(3C), which calls
//!    `opendir` and so malloc (`libc/port/gen/closefrom.c`), and its MT-Level is `Unsafe`. On Solaris 11.4 it is
//!    `F_CLOSEFROM` itself, but cannot report an error.
//! 4. *Starting*: posix_spawn(3C) from the parent, for streams, mappings, kept descriptors, a process group, dispositions, the
//!    mask and a working directory. Kept descriptors must be near each other, because only closing by number leaves those above.
//!    `/proc/self/fd` must be on procfs, because libc of illumos closes from it and does not check that. A directory needs a function
//!    that dlsym(3C) finds: Solaris 11.4 has posix_spawn_file_actions_addchdir_np(3C), its later updates and illumos from
//!    ac2250c on also the one for an open directory. A session needs a libc whose posix_spawnattr_setflags(3C) accepts
//!    `POSIX_SPAWN_SETSID` of illumos (`uts/common/sys/spawn.h` at ac2250c); the number of that flag on Solaris is not published.
//!    All other children are forked. fork(2) is fork1: it copies the calling thread alone, and only the report is shared.
//!    forkexec does not call vfork(2): a child must not enter the dynamic linker, whose lock another thread of the parent may hold
//!    (`libc/port/threads/spawn.c` at 3a656e4), and the first call of a function does. fork(2) has no such rule.
//!    Nothing tells exec from death: the kernel has the flag `SEXECED`, but `/proc/PID/psinfo` shows two other flags only
//!    (`prgetpsinfo` of `uts/common/fs/proc/prsubr.c` at 060157c), and no zombie has a program name there. So a child that dies
//!    inside execve(2) counts as started, by either method (`platforms/solaris/src/launch.rs` has the details).
//! 5. *Async-signal-safety*: `getdents`, `fstatvfs` and `F_CLOSEFROM` are plain system calls. The others are those of
//!    `forkexec-unix`, with one exception: if setpriority(3C) of illumos is refused, it allocates to tell `EACCES` from
//!    `EPERM`. After fork(2) that cannot deadlock, because malloc within libc is fork-safe (`libc/port/threads/scalls.c`).
//!    processor_bind(2) is a plain system call, and priocntl(2) and psecflags(2) only fill a structure before theirs
//!    (`libc/port/gen/priocntl.c` at 1da57d5, `libc/port/gen/psecflags.c` at 622f35b).
//!    Attributes and file actions of posix_spawn(3C) are allocated in the parent.
//! 6. *Proven*: type-checked for both, and run over the simulated kernel only. The file actions, with the one that closes, and the
//!    order of candidates also run on the posix_spawn(3) of glibc. No part has run on a kernel of illumos or Solaris.
//! 7. *Signals*: 33 and 36, `SIGAIOCANCEL` and `SIGCANCEL`, which libc always catches (`libc/port/threads/sigaction.c`).
//! 8. *Errnos*: positive (`sys/errno.h`).
//! 9. *Ends*: the constants are those of `libc`. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (`uts/common/sys/wait.h`).
//! 10. *Saved IDs*: setreuid(2) and setregid(2) set the saved ID to the effective one whenever the real one is given
//!     (`uts/common/syscall/uid.c` and `gid.c` at 5f57042). The same is assumed for Solaris.
//! 11. *Limits*: a limit below an open number is accepted and closes nothing (`proc_nofile_set` of
//!     `uts/common/os/rctl_proc.c`). The same is assumed for Solaris.

mod attributes;
mod close;
mod enumerate;
mod express;
mod launch;
mod sys;

pub use attributes::{AttributeCall, Class};
pub use close::Solaris;
pub use enumerate::ProcSelfFd;
pub use express::express;
pub use forkexec_unix::{Action, Attributes, Feature, OneMethod, SpawnSys};
pub use launch::{SolarisLauncher, launch_spawned};

use core::ffi::{CStr, c_int};
use forkexec_core::{Capabilities, Errno, Fd, GroupList, Operation, Resource, SpawnMethod};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// The facts by which Solaris and illumos differ from other systems.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

/// The capabilities of this backend on the system that it is built for.
pub const CAPABILITIES: Capabilities = if sys::IS_ILLUMOS { ILLUMOS } else { SOLARIS };

/// The capabilities of this backend on illumos: those on Solaris without the bulk call.
///
/// exec replaces the flags of a process by the inherited ones (security-flags(7)). A program that asks for random addresses itself has
/// them despite `FixedAddresses` (`DT_SUNW_ASLR`, `ld -z aslr`).
pub const ILLUMOS: Capabilities = Capabilities {
    system: "illumos",
    bulk_closer: None,
    operations: &[Operation::CpuAffinity, Operation::Scheduler, Operation::FixedAddresses],
    ..SOLARIS
};

/// The capabilities of this backend on Solaris.
///
/// setppriv(2) bounds privileges, which `no_new_privs` of Linux does not. No call requests a chosen signal for the death of
/// the parent: a process contract with `CT_PR_NOORPHAN` (process(5)) kills all its members. `FixedAddresses` is missing, because the call
/// behind sxadm(8) is not published.
pub const SOLARIS: Capabilities = Capabilities {
    system: "Solaris",
    bulk_closer: Some("F_CLOSEFROM"),
    enumerators: &[enumerate::NAME],
    launchers: &[SpawnMethod::PosixSpawn, SpawnMethod::Fork],
    operations: &[Operation::CpuAffinity, Operation::Scheduler],
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

/// libc always catches these two, whatever sigaction(2) requests, and removes them from every mask
/// (`libc/port/threads/sigaction.c` of illumos-gate). They are for asynchronous input and output, and for
/// pthread_cancel(3C).
const SIGAIOCANCEL: i32 = 33;
const SIGCANCEL: i32 = 36;

/// The system calls of the two systems beyond the common ones.
///
/// # Safety
///
/// The requirements are those of [`Sys`](forkexec_core::Sys).
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait SolarisSys: SpawnSys {
    /// `F_CLOSEFROM` of fcntl(2): closes every descriptor at or above `lowest`. `ENOSYS` on illumos, which has none.
    fn close_from(&self, lowest: Fd) -> Result<(), Errno>;
    /// getdents(2), in its large-file form. Returns how many bytes of records it read, 0 at the end.
    fn getdents(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno>;
    /// fstatvfs(2). Returns whether `f_basetype` is `proc`.
    fn is_on_procfs(&self, fd: Fd) -> Result<bool, Errno>;
    /// priocntl(2) with `PC_GETCID`. Returns the ID of a scheduling class. The kernel loads the class if necessary.
    fn class_id(&self, name: &CStr) -> Result<c_int, Errno>;
    /// Makes a call of an attribute.
    fn attribute(&self, call: AttributeCall) -> Result<(), Errno>;
}
