#![no_std]
//! The Linux and Android backend of forkexec.
//!
//! 1. *Systems*: Linux from 2.6.27 (`pipe2`, `dup3`), Android.
//! 2. *Listing*: getdents64(2) on `/proc/self/fd`, read raw: `opendir` allocates. It lies where something else is mounted
//!    over `/proc`; so the directory must be on procfs (fstatfs(2)) and list the very descriptor it is read through.
//! 3. *Closing*: close_range(2), Linux 5.9. Older kernels answer `ENOSYS`, seccomp filters of containers `EPERM`,
//!    `EACCES` or `ENOSYS`; each means «next in the chain». An empty range is `EINVAL` and is never asked for.
//! 4. *Starting*: clone3(2) or clone(2) with `CLONE_VM | CLONE_VFORK | CLONE_FILES` on a stack of its own; fork(2) where a
//!    pre-exec closure is to run, where memory is not really shared, and where the call is refused.
//! 5. *Async-signal-safety*: every call is made through syscall(2), which is a bare wrapper in glibc, musl and bionic:
//!    no lock, no cancellation point. What the libc would do on top of `set*id` (tell all threads) is not done.
//! 6. *Proven*: on real kernels, x86_64; see the platform table of the README.
//! 7. *Signals*: signals that the C library keeps: 32 and 33 (glibc, bionic), and 34 (musl). The kernel itself
//!    refuses `SIGKILL` and `SIGSTOP` alone (sigaction(2)).
//! 8. *Errnos*: positive, in each C library.
//! 9. *Ends*: the constants are `libc`'s. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (waitid(2), wait(2)).
//! 10. *Saved IDs*: setresuid(2) and setresgid(2) are called with all three IDs. execve(2) copies the effective ID to
//!     the saved one.
//! 11. *Limits*: a limit below an open number closes nothing, and is not refused (getrlimit(2)).

#[cfg(test)]
extern crate std;

mod close;
mod enumerate;
mod execed;
mod launch;
mod release;
mod stat;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod sys;

pub use close::Linux;
pub use enumerate::ProcSelfFd;
pub use launch::{BorrowingChild, LinuxLauncher, OneMethod};
pub use release::{AndroidCall, Release};
pub use stat::Stat;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use sys::{Kernel, KernelAction};

use core::ffi::{CStr, c_int, c_void};
use core::ptr::NonNull;
use forkexec_core::{
    Capabilities, Errno, Fd, GroupList, Operation, ParentSys, Pid, Resource, Signal, SpawnMethod, Sys,
};

/// What this backend has.
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "Linux",
    bulk_closer: Some("close_range"),
    enumerators: &[enumerate::NAME],
    launchers: &[SpawnMethod::Shared, SpawnMethod::Vfork, SpawnMethod::Fork],
    operations: &[Operation::Cgroup, Operation::DieWithParent, Operation::NoNewPrivs],
    resources: &RESOURCES,
    // Cancellation and set*id broadcasts; musl has one more.
    reserved_signals: if cfg!(target_env = "musl") { &[32, 33, 34] } else { &[32, 33] },
    group_list: GroupList::Supplementary,
};

const MIPS: bool = cfg!(any(target_arch = "mips", target_arch = "mips64"));
const SPARC: bool = cfg!(any(target_arch = "sparc", target_arch = "sparc64"));

/// getrlimit(2) of Linux, with the numbers of `asm-generic/resource.h`: the constants of the C libraries are not there on
/// every host that this crate is tested on. MIPS and SPARC number five of them differently.
const RESOURCES: [(&str, Resource); 16] = [
    ("cpu", Resource(0)),
    ("fsize", Resource(1)),
    ("data", Resource(2)),
    ("stack", Resource(3)),
    ("core", Resource(4)),
    ("rss", Resource(if MIPS { 7 } else { 5 })),
    (
        "nproc",
        Resource(if MIPS {
            8
        } else if SPARC {
            7
        } else {
            6
        }),
    ),
    (
        "nofile",
        Resource(if MIPS {
            5
        } else if SPARC {
            6
        } else {
            7
        }),
    ),
    ("memlock", Resource(if MIPS { 9 } else { 8 })),
    ("as", Resource(if MIPS { 6 } else { 9 })),
    ("locks", Resource(10)),
    ("sigpending", Resource(11)),
    ("msgqueue", Resource(12)),
    ("nice", Resource(13)),
    ("rtprio", Resource(14)),
    ("rttime", Resource(15)),
];

/// The system calls that Linux has beyond those that all systems have.
///
/// # Safety
///
/// The requirements are those of [`Sys`].
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait LinuxSys: Sys {
    /// close_range(2) without flags.
    fn close_range(&self, first: u32, last: u32) -> Result<(), Errno>;
    /// close_range(2) with `CLOSE_RANGE_UNSHARE` (Linux 5.9).
    fn close_range_unshare(&self, first: u32, last: u32) -> Result<(), Errno>;
    /// unshare(2) with `CLONE_FILES`.
    fn unshare_files(&self) -> Result<(), Errno>;
    /// getdents64(2): how many bytes of records were read, 0 at the end.
    fn getdents64(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno>;
    /// fstatfs(2): whether the file is on procfs (`PROC_SUPER_MAGIC`).
    fn is_on_procfs(&self, fd: Fd) -> Result<bool, Errno>;
    /// open(2), read(2) and close(2): the first bytes of a file on procfs, `ENOENT` if it is on another filesystem. On the
    /// parent's side only.
    fn read_file(&self, path: &CStr, bytes: &mut [u8]) -> Result<usize, Errno>;
    /// setpgid(2) of a child to a group that cannot be: `EACCES` if it has executed a program, `EPERM` if it has not or is
    /// in another session. On the parent's side only. The thread's errno stays what it is.
    fn join_no_group(&self, child: Pid) -> Result<(), Errno>;
    /// prctl(2) with `PR_SET_PDEATHSIG`.
    fn set_parent_death_signal(&self, signal: Signal) -> Result<(), Errno>;
    /// prctl(2) with `PR_SET_NO_NEW_PRIVS` (Linux 3.5).
    fn set_no_new_privs(&self) -> Result<(), Errno>;
    /// The system: on Android the property `ro.build.version.sdk`, elsewhere no call. On the parent's side only.
    fn release(&self) -> Release;
    /// prctl(2) with `PR_GET_SECCOMP`: whether a filter looks at the calls of this thread. On the parent's side only, and only
    /// on Android, whose filters let prctl(2) through.
    fn is_filtered(&self) -> Result<bool, Errno>;
}

/// The system calls of the launcher whose children borrow their parent's memory.
///
/// All are made on the parent's side.
///
/// # Safety
///
/// Unsafe code relies on an implementation, beyond the requirements of [`ParentSys`]:
///
/// - [`start`](Self::start) calls `child` in the child alone, and returns in the parent alone, when the child uses no
///   memory of the parent any more. [`Started::pid`] is the child, and [`Started::pidfd`] is open and owned by the caller.
/// - [`map_private`](Self::map_private) returns zeroed, writable memory of at least the length that was asked for. It stays
///   valid until it is unmapped, and nothing else refers to it.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait CloneSys: LinuxSys + ParentSys {
    /// clone3(2) or clone(2) with `CLONE_VM | CLONE_VFORK`: comes back when the child has executed a program or ended, or at
    /// once if the child has a copy of the memory, as under an emulator. The
    /// child runs `child` on the stack that begins at `top`, and ends with its result. The thread's errno stays what it is.
    ///
    /// Unless [`Start::exit_signal`] says otherwise the child has no termination signal before exec: of one that fails nobody
    /// hears but who started it, and nobody else's waitpid(2) takes its status.
    ///
    /// # Safety
    ///
    /// The stack has nothing on it and room for what `child` calls. The child shares all memory: what `child` runs meets
    /// the requirements of [`Sys`]. All signals are blocked.
    unsafe fn start(&self, start: Start, top: Top, child: &dyn Fn() -> c_int) -> Result<Started, Errno>;
    /// clone(2) with `CLONE_THREAD | CLONE_VFORK`: runs `thread` on a new thread of this process, and returns when that
    /// thread has ended. The thread has a descriptor table, a working directory, a root and a umask of its own. If it
    /// executes a program, the kernel ends all other threads, and this call does not return. The thread's errno stays
    /// what it is.
    ///
    /// # Safety
    ///
    /// As [`start`](Self::start).
    unsafe fn run_thread(&self, top: Top, thread: &dyn Fn() -> c_int) -> Result<(), Errno>;
    /// rt_sigaction(2), asking for the whole action. On the parent's side only.
    fn action(&self, signal: Signal) -> Result<KernelAction, Errno>;
    /// rt_sigaction(2), setting an action that [`action`](Self::action) returned. On the parent's side only.
    ///
    /// # Safety
    ///
    /// If the action has a handler, the handler may run whenever the signal arrives.
    unsafe fn set_action(&self, signal: Signal, action: &KernelAction) -> Result<(), Errno>;
    /// The lowest real-time signal that the C library leaves to programs. It keeps those from 32 up to it for itself.
    fn lowest_realtime_signal(&self) -> Signal;
    /// wait4(2) with `__WCLONE | WNOHANG` for a child that [`start`](Self::start) made: `ECHILD` once it has executed a
    /// program, which makes its termination signal `SIGCHLD` (execve(2)); how it ended, if it has ended without; nothing, if
    /// it is about to. The thread's errno stays what it is.
    ///
    /// waitid(2), which could leave it to be waited for, knows `__WCLONE` since Linux 4.7 only.
    fn reap_unexecuted(&self, child: Pid) -> Result<Option<c_int>, Errno>;
    /// pidfd_open(2), Linux 5.3.
    fn open_pidfd(&self, child: Pid) -> Result<Fd, Errno>;
    /// waitid(2) with `WNOHANG | WNOWAIT`: the signal that ended a child with the termination signal `SIGCHLD`. Its status is
    /// still to be waited for. `None` if it has not ended, ended otherwise, or cannot be asked.
    fn signal_that_ended(&self, child: Pid) -> Option<Signal>;
    /// prctl(2) with `PR_GET_DUMPABLE`: whether the memory may be dumped and traced.
    fn is_dumpable(&self) -> Result<bool, Errno>;
    /// prctl(2) with `PR_SET_DUMPABLE`.
    fn make_dumpable(&self) -> Result<(), Errno>;
    /// Whether a sanitizer is part of this program. No system call.
    fn is_sanitized(&self) -> bool;
    /// mmap(2), anonymous and private: zeroed, aligned to a page.
    fn map_private(&self, length: usize) -> Result<NonNull<u8>, Errno>;
    /// mprotect(2) with `PROT_NONE`.
    ///
    /// # Safety
    ///
    /// The memory is whole pages of the caller's, and nothing refers to it.
    unsafe fn mprotect_none(&self, memory: NonNull<u8>, length: usize) -> Result<(), Errno>;
}

/// The end of a stack at which it begins, the highest address: aligned to 16 bytes.
pub type Top = NonNull<c_void>;

/// How a child that borrows memory is to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// By which call.
    pub call: Call,
    /// Whether a descriptor of the child is asked for (`CLONE_PIDFD`).
    pub pidfd: bool,
    /// Whether it shares the descriptor table (`CLONE_FILES`).
    pub shares_table: bool,
    /// Whether its end is announced by `SIGCHLD` from its birth, as that of any child: whoever waits for it finds it.
    pub exit_signal: bool,
    /// The directory of the control group in which it is born (`CLONE_INTO_CGROUP`, Linux 5.7), by clone3(2) alone.
    pub cgroup: Option<Fd>,
}

/// The system call that starts a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// clone3(2) with `CLONE_CLEAR_SIGHAND` (Linux 5.5).
    Clone3,
    /// clone(2), by the C library.
    Clone,
}

/// A child that was started.
#[derive(Debug)]
pub struct Started {
    /// Its process id.
    pub pid: Pid,
    /// A descriptor of it, if one was asked for and the kernel knows such.
    pub pidfd: Option<Fd>,
}
