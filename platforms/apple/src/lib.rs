#![no_std]
//! The macOS and iOS backend. This crate is an implementation detail of `forkexec`.
//!
//! The source files named here are those of github.com/apple-oss-distributions/xnu. `kern_exec.c`, `spawn_internal.h`,
//! `posix_spawn.c`, `kern_prot.c`, `kern_resource.c` and `kern_sig.c` are at 1031c58, `proc_info.c` at 0f4c859, and
//! `devfs_fdesc_support.c` at 5c2921b (macOS 13 and later). `kern_descrip.c` and `kern_fork.c` are at e3723e1, and so are
//! `kern_exec.c` and `proc_info.c` where the launcher or `has_execed` names it. For macOS 10.13 they are those of github.com/apple/darwin-xnu at
//! 0a798f6.
//!
//! 1. *Systems*: macOS from 10.7 (`POSIX_SPAWN_CLOEXEC_DEFAULT`). tvOS, watchOS, visionOS and iOS, if they allow a program to
//!    start another. An app gets `EPERM` there, which the [`LaunchError`](forkexec_core::LaunchError) reports.
//! 2. *Listing*: `PROC_PIDLISTFDS` of proc_pidinfo. If the buffer is too small, the call returns what fits and reports no
//!    error. macOS 10.13 also leaves out each number above the buffer's count of entries. So the backend first asks for
//!    the size of the table. The second list is getdirentries64(2) on `/dev/fd`, which must be on devfs and list the
//!    descriptor that it is read through. Only the SDK of macOS has these calls; on the other systems both return `ENOSYS`.
//! 3. *Closing*: no call closes many descriptors, but posix_spawn(2) with `POSIX_SPAWN_CLOEXEC_DEFAULT` keeps only what a file
//!    action names. It cannot keep a descriptor from `OPEN_MAX` (10,240) up, and fails with `EBADF` for a closed one. A forked
//!    child uses it as its exec (`POSIX_SPAWN_SETEXEC`). If that fails for another reason than a missing program, the child
//!    closes from a list and calls execve(2), whose error counts. The loop ends at the hard limit or at
//!    `kern.maxfilesperproc`, whichever is lower.
//! 4. *Starting*: posix_spawn(2) from the parent, for streams, mappings, kept descriptors, a session, a process group,
//!    dispositions, the mask, fixed addresses, a suspended start and a working directory. A session and a directory need macOS
//!    10.15, which dlsym(3) tells: older kernels ignore the unknown flag of a session (libuv/libuv#3064). All other settings
//!    need code in the child, so it is forked. So is a child whose stages are timed, whose program has a relative path in a
//!    directory of its own, or whose descriptors form a ring while others stay open. The forked child shares the report only.
//!    There is no pipe2(2): a child that another thread forks between pipe(2) and fcntl(2) inherits the report pipe. If that
//!    child closes nothing, the pipe stays open. Then `PROC_PIDT_SHORTBSDINFO` of proc_pidinfo tells whether the child has
//!    executed the program, also if it is a zombie. There is no vfork(2) launcher: posix_spawn(2) does the same without code in
//!    the child.
//! 5. *Async-signal-safety*: the calls of `forkexec-unix`, and `posix_spawn`, `proc_pidinfo`, `fstatfs`, `sysctl` and `syscall`.
//!    These wrappers fill a structure on the stack (`libsyscall/wrappers`). The exec changes no signal, because neither
//!    `POSIX_SPAWN_SETSIGMASK` nor `POSIX_SPAWN_SETSIGDEF` is set. The attributes and file actions are allocated in the parent.
//!    setpriority(2) and setiopolicy_np(3) also clear a value of the calling thread if the kernel removed the thread's class, which it
//!    does for a thread only (`libsyscall/wrappers/setpriority.c`, `iopolicysys.c`).
//! 6. *Proven*: type-checked, linked, and run over the simulated kernel. The file actions, the attributes and the order of
//!    candidates also run on the posix_spawn(2) of Linux's C libraries, as far as POSIX has them.
//! 7. *Signals*: none besides `SIGKILL` and `SIGSTOP`, which sigaction(2) refuses also as a question (`sigaction` of
//!    `bsd/kern/kern_sig.c`).
//! 8. *Errnos*: positive (`bsd/sys/errno.h`).
//! 9. *Ends*: the constants are those of `libc`. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (`bsd/sys/wait.h`).
//! 10. *Saved IDs*: setreuid(2) and setregid(2) set the saved ID to the new effective one, unless it is one of the two that
//!     are given (`setreuid` and `setregid` of `bsd/kern/kern_prot.c`). With the same ID twice, all three are that ID.
//! 11. *Limits*: a limit below an open number is accepted and closes nothing (`dosetrlimit` of `bsd/kern/kern_resource.c`).
//!     Older kernels answer `EINVAL` to an infinite soft limit of descriptors (setrlimit(2), COMPATIBILITY).

mod attributes;
mod close;
mod enumerate;
mod express;
mod launch;
mod spawn_exec;
mod sys;

pub use attributes::AttributeCall;
pub use close::Apple;
pub use express::express;
pub use forkexec_unix::{Action, Attributes, Feature, OneMethod, SpawnSys};
pub use launch::{AppleLauncher, launch_spawned};
pub use spawn_exec::SpawnExec;

use core::ffi::CStr;
use forkexec_core::{
    CStrArray, Capabilities, Errno, Fd, GroupList, Operation, Pid, ProcessEntry, Resource, SpawnMethod,
};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// The facts by which macOS differs from other systems.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

/// The capabilities of this backend.
///
/// `FixedAddresses` and `StartSuspended` are flags of posix_spawn(2), also in a forked child (`POSIX_SPAWN_SETEXEC`). The kernels of iOS,
/// tvOS and watchOS ignore `_POSIX_SPAWN_DISABLE_ASLR` (`SECURE_KERNEL` in `bsd/kern/kern_exec.c`).
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "macOS",
    bulk_closer: Some("POSIX_SPAWN_CLOEXEC_DEFAULT"),
    enumerators: &[enumerate::PROC_PIDINFO, enumerate::DEV_FD],
    launchers: &[SpawnMethod::PosixSpawn, SpawnMethod::Fork],
    operations: &[
        Operation::Scheduler,
        Operation::IoPriority,
        Operation::FixedAddresses,
        Operation::StartSuspended,
    ],
    resources: &RESOURCES,
    reserved_signals: &[],
    // `cr_gid` is `cr_groups[0]` (`bsd/sys/ucred.h`). An empty list sets it to 0 (`setgroups_internal` of
    // `bsd/kern/kern_prot.c` at 1031c58).
    group_list: GroupList::EffectiveFirst,
};

/// The resources of getrlimit(2) on macOS. The numbers are those of `bsd/sys/resource.h`, because the C library of another
/// host lacks some of the constants.
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

/// The system calls of Apple's systems beyond the common ones.
///
/// # Safety
///
/// The requirements are those of [`Sys`](forkexec_core::Sys), also for [`exec_spawn`](Self::exec_spawn).
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait AppleSys: SpawnSys {
    /// posix_spawn(2) with [`Attributes::replace`]. Without `env` it passes the environment of the process.
    fn exec_spawn(
        &self,
        spawn: &Self::Spawn,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Self::Executed, Errno>;
    /// `PROC_PIDLISTFDS` of proc_pidinfo without a buffer. Returns the bytes for all numbers that the table has room for, and
    /// some more.
    fn descriptor_list_room(&self) -> Result<usize, Errno>;
    /// `PROC_PIDLISTFDS` of proc_pidinfo. Returns how many bytes of `proc_fdinfo` it wrote.
    fn descriptor_list(&self, list: &mut [u8]) -> Result<usize, Errno>;
    /// getdirentries64(2). Returns how many bytes of records it read, 0 at the end.
    fn getdirentries64(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno>;
    /// fstatfs(2). Returns whether the file is on devfs.
    fn is_on_devfs(&self, fd: Fd) -> Result<bool, Errno>;
    /// `kern.maxfilesperproc` of sysctl(3).
    fn files_per_process(&self) -> Result<u64, Errno>;
    /// `PROC_PIDT_SHORTBSDINFO` of proc_pidinfo, also for a zombie. Returns the entry of a process, `ESRCH` if there is none.
    fn process_entry(&self, process: Pid) -> Result<ProcessEntry, Errno>;
    /// Makes a call of an attribute.
    fn attribute(&self, call: AttributeCall) -> Result<(), Errno>;
}
