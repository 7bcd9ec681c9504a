#![no_std]
//! The backend for macOS, iOS and their kin.
//!
//! Source files named here are those of github.com/apple-oss-distributions/xnu: `kern_exec.c`, `spawn_internal.h` and
//! `posix_spawn.c` at 1031c58, `proc_info.c` at 0f4c859, `devfs_fdesc_support.c` at 5c2921b (macOS 13 and later); for macOS
//! 10.13 those of github.com/apple/darwin-xnu at 0a798f6.
//!
//! 1. *Systems*: macOS from 10.7 (`POSIX_SPAWN_CLOEXEC_DEFAULT`); tvOS, watchOS, visionOS and iOS as far as they let a
//!    program fork at all: an app gets `EPERM`, which is what [`LaunchError`](forkexec_core::LaunchError) then says.
//! 2. *Listing*: `PROC_PIDLISTFDS` of proc_pidinfo. Given too small a buffer it says nothing of it, and in macOS 10.13 it
//!    leaves out all numbers above the buffer's own count, so it is asked first how many the table has room for. Else
//!    getdirentries64(2) on `/dev/fd`, which must be on devfs and list the very descriptor it is read through. Neither is
//!    in any SDK but that of macOS; elsewhere both are `ENOSYS`.
//! 3. *Closing*: there is no call for it, but exec can do it: posix_spawn(2) with `POSIX_SPAWN_SETEXEC` and
//!    `POSIX_SPAWN_CLOEXEC_DEFAULT` keeps what it was told to. Descriptors from `OPEN_MAX` (10,240) up it cannot keep, and
//!    of closed ones it says `EBADF`; then the chain goes on. Any answer but «missing» is asked again of execve(2), after
//!    closing by list. The loop ends at the hard limit or `kern.maxfilesperproc`, whichever is lower.
//! 4. *Starting*: fork(2), nothing shared but the report slot. What posix_spawn is to keep is written down before, because
//!    it allocates. There is no pipe2(2): a child that another thread forks at the wrong moment, and that closes nothing,
//!    holds the pipe of the report, and the launch waits for its end. The cure is to wait by kqueue(2) (`NOTE_EXEC`)
//!    instead, whose descriptor no child inherits.
//! 5. *Async-signal-safety*: what `forkexec-unix` says of its calls, and `posix_spawn`, `proc_pidinfo`, `fstatfs`, `sysctl`
//!    and `syscall`: wrappers that fill a structure on the stack (`libsyscall/wrappers`). No signal is touched by the
//!    exec, as neither `POSIX_SPAWN_SETSIGMASK` nor `POSIX_SPAWN_SETSIGDEF` is set.
//! 6. *Proven*: type-checked and run over the simulated kernel only.
//! 7. *Signals*: none beside `SIGKILL` and `SIGSTOP` (sigaction(2)).
//! 8. *Errnos*: positive (`bsd/sys/errno.h`).
//! 9. *Ends*: the constants are `libc`'s. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (`bsd/sys/wait.h`).
//! 10. *Saved IDs*: setreuid(2) and setregid(2) set the saved IDs (`setreuid` of `bsd/kern/kern_prot.c`).
//! 11. *Limits*: a limit below an open number closes nothing. An infinite soft limit of descriptors is `EINVAL`
//!     (setrlimit(2), COMPATIBILITY).

mod close;
mod enumerate;
mod launch;
mod sys;

pub use close::Apple;
pub use launch::{AppleLauncher, ClosingExec};

use core::ffi::CStr;
use forkexec_core::{CStrArray, Capabilities, Errno, Fd, GroupList, Resource, SpawnMethod, Sys};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// What macOS has of the calls that all systems share.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

/// What this backend has.
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "macOS",
    bulk_closer: Some("POSIX_SPAWN_CLOEXEC_DEFAULT"),
    enumerators: &[enumerate::PROC_PIDINFO, enumerate::DEV_FD],
    launchers: &[SpawnMethod::Fork],
    operations: &[],
    resources: &RESOURCES,
    reserved_signals: &[],
    // `cr_gid` is `cr_groups[0]` (`bsd/sys/ucred.h`). An empty list sets it to 0 (`setgroups_internal` of
    // `bsd/kern/kern_prot.c` at 1031c58).
    group_list: GroupList::EffectiveFirst,
};

/// getrlimit(2) of macOS, with the numbers of `bsd/sys/resource.h`: this crate is tested on other hosts, too.
const RESOURCES: [(&str, Resource); 9] = [
    ("cpu", Resource(0)),
    ("fsize", Resource(1)),
    ("data", Resource(2)),
    ("stack", Resource(3)),
    ("core", Resource(4)),
    ("as", Resource(5)),
    ("memlock", Resource(6)),
    ("nproc", Resource(7)),
    ("nofile", Resource(8)),
];

/// The system calls that Apple's systems have beyond those that all systems have.
///
/// # Safety
///
/// The requirements are those of [`Sys`], except for [`spawn`](Self::spawn) and [`inherit`](Self::inherit), which allocate
/// and run in the parent.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait AppleSys: Sys {
    /// What posix_spawn(2) is to do beside executing.
    type Spawn: Sync;

    /// `PROC_PIDLISTFDS` of proc_pidinfo without a buffer: the bytes that hold all numbers the table has room for, and
    /// some more.
    fn descriptor_list_room(&self) -> Result<usize, Errno>;
    /// `PROC_PIDLISTFDS` of proc_pidinfo: how many bytes of `proc_fdinfo` were written.
    fn descriptor_list(&self, list: &mut [u8]) -> Result<usize, Errno>;
    /// getdirentries64(2): how many bytes of records were read, 0 at the end.
    fn getdirentries64(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno>;
    /// fstatfs(2): whether the file is on devfs.
    fn is_on_devfs(&self, fd: Fd) -> Result<bool, Errno>;
    /// `kern.maxfilesperproc` of sysctl(3).
    fn files_per_process(&self) -> Result<u64, Errno>;

    /// posix_spawnattr_init(3) with `POSIX_SPAWN_SETEXEC` and `POSIX_SPAWN_CLOEXEC_DEFAULT`, and
    /// posix_spawn_file_actions_init(3).
    fn spawn(&self) -> Result<Self::Spawn, Errno>;
    /// posix_spawn_file_actions_addinherit_np(3).
    fn inherit(&self, spawn: &mut Self::Spawn, fd: Fd) -> Result<(), Errno>;
    /// posix_spawn(2). Without `env`, the process's own environment.
    fn exec_spawn(
        &self,
        spawn: &Self::Spawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Self::Executed, Errno>;
}
