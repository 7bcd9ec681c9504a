#![no_std]
//! The Linux and Android backend. This crate is an implementation detail of `forkexec`.
//!
//! 1. *Systems*: Linux from 2.6.27 (`pipe2`, `dup3`), Android.
//! 2. *Listing*: raw getdents64(2) on `/proc/self/fd`, because `opendir` allocates. Something else may be mounted over
//!    `/proc`. So the directory must be on procfs (fstatfs(2)) and list the descriptor that it is read through.
//! 3. *Closing*: close_range(2), Linux 5.9. Older kernels answer `ENOSYS`; seccomp filters of containers answer `EPERM`,
//!    `EACCES` or `ENOSYS`. Each leads to the next step of the chain. An empty range is `EINVAL` and is never passed.
//! 4. *Starting*: clone3(2) or clone(2) with `CLONE_VM | CLONE_VFORK | CLONE_FILES`, on a stack of its own. fork(2) if a
//!    pre-exec closure is to run, if memory turns out not to be shared, and if the call is refused.
//! 5. *Async-signal-safety*: every call is made through syscall(2), which is a plain wrapper in glibc, musl and bionic. It
//!    takes no lock and is no cancellation point. So `set*id` acts on the calling thread alone, where the C library would
//!    signal all threads.
//! 6. *Proven*: on real kernels, x86_64; see the platform table of the README.
//! 7. *Signals*: the C libraries reserve 32 and 33 (glibc, bionic), and 34 (musl). The kernel itself refuses only
//!    `SIGKILL` and `SIGSTOP` (sigaction(2)).
//! 8. *Errnos*: positive, in each C library.
//! 9. *Ends*: the constants are those of `libc`. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (waitid(2), wait(2)).
//! 10. *Saved IDs*: setresuid(2) and setresgid(2) are called with all three IDs. execve(2) copies the effective ID to
//!     the saved one.
//! 11. *Limits*: a limit below an open number is accepted and closes nothing (getrlimit(2)).

#[cfg(test)]
extern crate std;

mod attributes;
mod autoreap;
mod close;
mod enumerate;
mod execed;
mod launch;
mod namespaces;
mod release;
mod stat;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod sys;
mod take;

pub use attributes::{AttributeCall, CapabilityMasks, Deadline};
pub use autoreap::{PidfdEvent, autoreaped_end};
pub use close::Linux;
pub use enumerate::ProcSelfFd;
pub use launch::{LinuxLauncher, OneMethod};
pub use release::{AndroidCall, Release};
pub use stat::Stat;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use sys::Kernel;

use core::ffi::{CStr, c_int, c_ulong};
use forkexec_core::{
    Access, Autoreap, CStrArray, Capabilities, Errno, Fd, FileId, GroupList, NamespaceSet, Operation, Pid,
    Resource, SharingSys, Signal, SignalSet, SpawnMethod, Sys, Top,
};

/// The capabilities of this backend.
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "Linux",
    bulk_closer: Some("close_range"),
    enumerators: &[enumerate::NAME],
    launchers: &[SpawnMethod::Shared, SpawnMethod::Vfork, SpawnMethod::Fork],
    operations: &[
        Operation::Cgroup,
        Operation::Autoreap,
        Operation::DieWithParent,
        Operation::NoNewPrivs,
        Operation::ExecuteFile,
        Operation::Namespaces,
        Operation::TimeNamespace,
        Operation::Autogroup,
        Operation::CpuAffinity,
        Operation::Scheduler,
        Operation::IoPriority,
        Operation::MemoryPolicy,
        Operation::TimerSlack,
        Operation::OomScore,
        Operation::FixedAddresses,
        Operation::Capabilities,
        Operation::SessionKeyring,
        Operation::Landlock,
        Operation::Seccomp,
        Operation::StartSuspended,
    ],
    resources: &RESOURCES,
    // For cancellation and for `set*id` in all threads. musl reserves one more.
    reserved_signals: if cfg!(target_env = "musl") { &[32, 33, 34] } else { &[32, 33] },
    group_list: GroupList::Supplementary,
};

const MIPS: bool = cfg!(any(target_arch = "mips", target_arch = "mips64"));
const SPARC: bool = cfg!(any(target_arch = "sparc", target_arch = "sparc64"));

/// The resources of getrlimit(2) on Linux. The numbers are those of `asm-generic/resource.h`, because the C library of
/// another host lacks some of the constants. MIPS and SPARC number five of them differently.
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

/// The system calls of Linux beyond the common ones.
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
    /// close_range(2) with `CLOSE_RANGE_CLOEXEC` (Linux 5.11).
    fn close_range_cloexec(&self, first: u32, last: u32) -> Result<(), Errno>;
    /// unshare(2) with `CLONE_FILES`.
    fn unshare_files(&self) -> Result<(), Errno>;
    /// getdents64(2). Returns how many bytes of records it read, 0 at the end.
    fn getdents64(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno>;
    /// fstatfs(2). Returns whether the file is on procfs (`PROC_SUPER_MAGIC`).
    fn is_on_procfs(&self, fd: Fd) -> Result<bool, Errno>;
    /// open(2), read(2) and close(2). Reads the first bytes of a file on procfs. `ENOENT` if the file is on another
    /// filesystem. For the parent only.
    fn read_file(&self, path: &CStr, bytes: &mut [u8]) -> Result<usize, Errno>;
    /// stat(2). Follows links, and opens nothing.
    fn path_id(&self, path: &CStr) -> Result<FileId, Errno>;
    /// open(2) with `O_CLOEXEC`.
    fn open_file(&self, path: &CStr, access: Access) -> Result<Fd, Errno>;
    /// pidfd_open(2), Linux 5.3. A thread that is no thread group leader needs `PIDFD_THREAD` (Linux 6.9).
    fn open_pidfd_of(&self, thread: Pid, leads: bool) -> Result<Fd, Errno>;
    /// pidfd_getfd(2), Linux 5.6. The new descriptor is close-on-exec.
    fn pidfd_getfd(&self, pidfd: Fd, fd: Fd) -> Result<Fd, Errno>;
    /// setpgid(2) of a child to an impossible group. `EACCES` if the child has executed a program, `EPERM` if it has not or
    /// is in another session. For the parent only. The errno of the thread does not change.
    fn join_no_group(&self, child: Pid) -> Result<(), Errno>;
    /// prctl(2) with `PR_SET_PDEATHSIG`.
    fn set_parent_death_signal(&self, signal: Signal) -> Result<(), Errno>;
    /// prctl(2) with `PR_SET_NO_NEW_PRIVS` (Linux 3.5).
    fn set_no_new_privs(&self) -> Result<(), Errno>;
    /// execveat(2) with `AT_EMPTY_PATH`, Linux 3.19. Without `env` it passes the environment of the process.
    fn execveat(
        &self,
        program: Fd,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<Self::Executed, Errno>;
    /// sched_getaffinity(2) of the calling thread. Returns how many bytes of the mask it wrote.
    fn affinity(&self, mask: &mut [c_ulong]) -> Result<usize, Errno>;
    /// get_mempolicy(2) of the calling thread. Returns the mode, and writes the nodes. `EINVAL` if the mask is too short.
    fn memory_policy(&self, nodes: &mut [c_ulong]) -> Result<i32, Errno>;
    /// capget(2) of the calling thread.
    fn capget(&self) -> Result<CapabilityMasks, Errno>;
    /// Makes a call of an attribute. Returns its result.
    fn attribute(&self, call: AttributeCall<'_>) -> Result<u64, Errno>;
    /// Returns the system, on Android from the property `ro.build.version.sdk`. For the parent only.
    fn release(&self) -> Release;
    /// uname(2). Returns the release of the kernel, such as `6.18.4-amd64`, padded with NULs. For the parent only.
    fn kernel_release(&self) -> Result<[u8; 65], Errno>;
    /// prctl(2) with `PR_GET_SECCOMP`. Returns whether a filter checks the calls of this thread. For the parent only, and only
    /// on Android, whose filters allow prctl(2).
    fn is_filtered(&self) -> Result<bool, Errno>;
}

/// The system calls of the launcher whose children share the memory of their parent.
///
/// The parent makes them.
///
/// # Safety
///
/// Unsafe code relies on an implementation, beyond the requirements of [`SharingSys`]: [`start`](Self::start) calls `child` only
/// in the child. It returns only in the parent, when the child no longer uses memory of the parent. [`Started::pid`] is the
/// child, and [`Started::pidfd`] is open and owned by the caller.
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait CloneSys: LinuxSys + SharingSys {
    /// clone3(2) or clone(2) with `CLONE_VM | CLONE_VFORK`. Returns when the child has executed a program or ended, or at
    /// once if the child has a copy of the memory, as under an emulator. The child runs `child` on the stack that begins at
    /// `top`, and exits with its result. The errno of the thread does not change.
    ///
    /// Unless [`Start::exit_signal`] is set, the child has no termination signal before exec. If it fails, no waitpid(2) of
    /// other code can reap it.
    ///
    /// # Safety
    ///
    /// The stack is empty and has room for the calls of `child`. The child shares all memory, so the code of `child` meets
    /// the requirements of [`Sys`]. All signals are blocked.
    unsafe fn start(&self, start: Start, top: Top, child: &dyn Fn() -> c_int) -> Result<Started, Errno>;
    /// clone(2) with `CLONE_THREAD | CLONE_VFORK`: runs `thread` on a new thread of this process, and returns when that
    /// thread has ended. The thread has its own descriptor table, working directory, root and umask. If it executes a
    /// program, the kernel ends all other threads, and this call does not return. The errno of the calling thread does not
    /// change.
    ///
    /// # Safety
    ///
    /// As [`start`](Self::start).
    unsafe fn run_thread(&self, top: Top, thread: &dyn Fn() -> c_int) -> Result<(), Errno>;
    /// rt_sigaction(2), which returns the whole action. For the parent only.
    fn action(&self, signal: Signal) -> Result<KernelAction, Errno>;
    /// rt_sigaction(2), which sets an action that [`action`](Self::action) returned. For the parent only.
    ///
    /// # Safety
    ///
    /// If the action has a handler, the handler may run whenever the signal arrives.
    unsafe fn set_action(&self, signal: Signal, action: &KernelAction) -> Result<(), Errno>;
    /// The lowest real-time signal that the C library leaves to programs. It reserves those from 32 up to this one.
    fn lowest_realtime_signal(&self) -> Signal;
    /// gettid(2).
    fn gettid(&self) -> Pid;
    /// wait4(2) with `__WCLONE | WNOHANG` for a child of [`start`](Self::start). `ECHILD` once the child has executed a
    /// program, because its termination signal is then `SIGCHLD` (execve(2)). Returns the status if the child ended before,
    /// and `None` if it is about to end. The errno of the thread does not change.
    ///
    /// waitid(2) could leave the child unreaped, but knows `__WCLONE` since Linux 4.7 only.
    fn reap_unexecuted(&self, child: Pid) -> Result<Option<c_int>, Errno>;
    /// pidfd_open(2), Linux 5.3.
    fn open_pidfd(&self, child: Pid) -> Result<Fd, Errno>;
    /// ptrace(2) with `PTRACE_SETSIGMASK` (Linux 3.11), of a child that is stopped and traced by this thread. `ESRCH` if it is not.
    /// The errno of the thread does not change.
    fn set_mask_of(&self, child: Pid, mask: SignalSet) -> Result<(), Errno>;
    /// ptrace(2) with `PTRACE_DETACH` and a signal for the child, which is stopped and traced by this thread.
    fn detach(&self, child: Pid, signal: Signal) -> Result<(), Errno>;
    /// waitid(2) with `WNOHANG | WNOWAIT`. Returns the signal that ended a child whose termination signal is `SIGCHLD`, and
    /// does not reap it. `None` if the child has not ended or ended otherwise, and if the call fails.
    fn signal_that_ended(&self, child: Pid) -> Option<Signal>;
    /// ioctl(2) with `PIDFD_GET_INFO` and `PIDFD_INFO_EXIT`, Linux 6.15. Returns the status as waitpid(2) encodes it, or `None` if
    /// the kernel has not released the process. The errno of the thread does not change.
    fn pidfd_exit_status(&self, pidfd: Fd) -> Result<Option<c_int>, Errno>;
    /// poll(2). Returns whether the event has happened within this number of milliseconds. `None` waits without a limit.
    fn poll_pidfd(&self, pidfd: Fd, event: PidfdEvent, milliseconds: Option<u8>) -> Result<bool, Errno>;
    /// waitid(2) with `P_PIDFD` and `__WALL | WNOHANG`, Linux 5.4. Returns the status of a child that has ended, and reaps it.
    fn reap_by_pidfd(&self, pidfd: Fd) -> Result<Option<c_int>, Errno>;
    /// waitid(2) with `P_PIDFD` and `__WCLONE | WNOHANG | WNOWAIT`, Linux 5.4. `ECHILD` once the child has executed a program, as
    /// for [`reap_unexecuted`](Self::reap_unexecuted), or is reaped. The errno of the thread does not change.
    fn find_unexecuted(&self, pidfd: Fd) -> Result<(), Errno>;
}

/// The options of one start.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the call")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The system call.
    pub call: Call,
    /// Requests a descriptor of the child (`CLONE_PIDFD`).
    pub pidfd: bool,
    /// Shares the descriptor table (`CLONE_FILES`).
    pub shares_table: bool,
    /// Sets the termination signal to `SIGCHLD` from the start, so that any waitpid(2) can reap the child.
    pub exit_signal: bool,
    /// The directory of the control group of the child (`CLONE_INTO_CGROUP`, Linux 5.7), for clone3(2) only.
    pub cgroup: Option<Fd>,
    /// The namespaces that are created with the child (`CLONE_NEW*`).
    pub namespaces: NamespaceSet,
    /// Lets the kernel reap the child (`CLONE_AUTOREAP`, and `CLONE_PIDFD_AUTOKILL`, Linux 7.1), for clone3(2) with a pidfd only.
    pub autoreap: Option<Autoreap>,
    /// Starts the child with no-new-privs (`CLONE_NNP`, Linux 7.1), for clone3(2) only.
    pub no_new_privs: bool,
}

/// The system call that starts a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// clone3(2) with `CLONE_CLEAR_SIGHAND` (Linux 5.5).
    Clone3,
    /// clone(2), through the C library.
    Clone,
}

/// A signal action of the kernel, as rt_sigaction(2) returned it.
///
/// The kernel's `struct sigaction` has its handler first, on MIPS second. The rest is flags, restorer and mask. Their
/// order differs, and does not matter: they are zero, or as the kernel returned them.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    expect(dead_code, reason = "only Linux reads it")
)]
pub struct KernelAction([usize; 8]);

/// A child that was started.
#[derive(Debug)]
pub struct Started {
    /// The process ID.
    pub pid: Pid,
    /// A descriptor of the child, if it was requested and the kernel supports it.
    pub pidfd: Option<Fd>,
}
