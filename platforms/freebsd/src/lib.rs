#![no_std]
//! The FreeBSD and DragonFly backend. This crate is an implementation detail of `forkexec`.
//!
//! 1. *Systems*: FreeBSD from 12.0 (`dirent` with 64-bit inodes). DragonFly from 6.0, by its sources.
//! 2. *Listing*: raw getdirentries(2) on `/dev/fd`, because `opendir` allocates. By default devfs provides that directory with
//!    the entries 0, 1 and 2, whatever is open (fd(4)). So the directory must be on fdescfs(5), by fstatfs(2), and list the
//!    descriptor that it is read through. A position in fdescfs is a descriptor number, so closing while reading skips
//!    nothing (`fdesc_readdir` of both systems). The chain reads again until a pass closes nothing.
//! 3. *Closing*: close_range(2) from FreeBSD 12.2 and 13.0. An unknown system call raises `SIGSYS`, which kills, so
//!    `kern.osreldate` decides first. Older releases and DragonFly use closefrom(2) above the last kept descriptor, and
//!    close the numbers between kept ones one by one. A jail may report any `kern.osreldate` (jail(8)). If it reports more
//!    than the kernel of the host has, the child dies of `SIGSYS`, and the parent returns that as an error. Any errno leads
//!    to the next step of the chain: closefrom of DragonFly returns `EINTR` if one close did. An empty range is `EINVAL` and
//!    is never passed. Hard limits are often in the hundreds of thousands, so the loop ends above the highest open
//!    descriptor: it counts open ones up to `kern.proc.nfds`. DragonFly has no such count and loops to the limit.
//! 4. *Starting*: vfork(2) on x86_64 and AArch64, which shares memory and suspends the calling thread alone, and gives the child a
//!    descriptor table and signal actions of its own (`sys_vfork` of sys/kern/kern_fork.c; on FreeBSD 12.1 also seen). A child
//!    with a limit of its stack is forked, because setrlimit(2) changes the protection of the stack of the shared memory. The
//!    flag `P_EXEC` tells exec from death. DragonFly has it for a running child only: one that dies in execve(2) counts as started.
//!    Children of pdfork(2) send no `SIGCHLD`, and a wait for any child does not find them (`proc_to_reap` of
//!    sys/kern/kern_exit.c), so a program that collects its children in that way would not learn of them. A kqueue(2) watches the
//!    child instead.
//! 5. *Async-signal-safety*: the calls of `forkexec-unix`. fstatfs, procctl, getpid and syscall(2) are plain wrappers in both
//!    C libraries, and sysctl(3) is one for each name but `user.*`. In a child of vfork(2), sigaction(2) is a bare system call,
//!    because that of libthr takes a lock (lib/libthr/thread/thr_sig.c). In DragonFly it takes none
//!    (lib/libthread_xu/thread/thr_sig.c). Neither library acts on other threads when it sets IDs, and sigprocmask(2) of both only
//!    removes `SIGTHR`. close, open, write and poll are cancellation points, which set a flag of the thread and clear it again. The
//!    thread is not cancelled meanwhile. A child must not enter the run-time linker, whose lock another thread may hold: Rust
//!    links programs for both systems with full RELRO, so that all symbols are bound at the start.
//!    cpuset_setaffinity, lwp_setaffinity, lwp_getaffinity, rtprio and jail_attach are plain wrappers, too. They change the calling thread or process, which a child
//!    of vfork(2) does not share with its parent.
//! 6. *Proven*: run over the simulated kernel, and on FreeBSD 12.1-STABLE amd64 with one and two processors: the portable suite
//!    passed by vfork(2) and by fork(2), with and without fdescfs. It closed by closefrom(2) there, so close_range(2) is proven on
//!    the simulated kernel only, as all of DragonFly is. Processors, policies and an entered jail were seen by programs of
//!    both launchers there, and the parent kept its own. Fixed addresses were accepted.
//! 7. *Signals*: `SIGTHR`, 32, which the thread libraries refuse (`_sigaction` of lib/libthr/thread/thr_sig.c at 02c3c85,
//!    and of DragonFly's lib/libthread_xu/thread/thr_sig.c at 145205d).
//! 8. *Errnos*: positive (`sys/errno.h`).
//! 9. *Ends*: the constants are those of `libc`. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (`sys/wait.h`).
//! 10. *Saved IDs*: setreuid(2) and setregid(2) set the saved ID to the effective one whenever the real one is given
//!     (`sys_setreuid` of sys/kern/kern_prot.c, of FreeBSD at cb3c7be and of DragonFly at 03c4e78).
//! 11. *Limits*: a limit below an open number is accepted and closes nothing (`kern_proc_setrlimit` of
//!     sys/kern/kern_resource.c; of DragonFly `kern_setrlimit` of sys/kern/kern_plimit.c at 1402192).

mod attributes;
mod close;
mod enumerate;
mod sys;
mod system;

pub use attributes::AttributeCall;
pub use close::Freebsd;
pub use enumerate::DevFd;
pub use system::{CAPABILITIES, DRAGONFLY, System};

use core::ffi::c_ulong;
use forkexec_core::{Errno, Fd, Pid, ProcessEntry, Signal, Sys};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// The facts by which FreeBSD and DragonFly differ from other systems.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

/// The system calls of FreeBSD and DragonFly beyond the common ones.
///
/// # Safety
///
/// The requirements are those of [`Sys`].
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait FreebsdSys: Sys {
    /// Returns which of the two systems this is.
    fn system(&self) -> System;
    /// sysctl(3) of `kern.osreldate`. `1302001` is FreeBSD 13.2.
    fn release(&self) -> Result<i32, Errno>;
    /// sysctl(3) of `kern.proc.pid`. Returns the entry of a process, `ESRCH` if there is none, as for a zombie on DragonFly.
    fn process_entry(&self, process: Pid) -> Result<ProcessEntry, Errno>;
    /// sysctl(3) of `kern.proc.nfds`. Returns how many descriptors this process has open. `ENOSYS` on DragonFly.
    fn open_count(&self) -> Result<u32, Errno>;
    /// close_range(2) without flags. `ENOSYS` on DragonFly.
    fn close_range(&self, first: u32, last: u32) -> Result<(), Errno>;
    /// close_range(2) with `CLOSE_RANGE_CLOEXEC` (FreeBSD 14.0). `ENOSYS` on DragonFly.
    fn close_range_cloexec(&self, first: u32, last: u32) -> Result<(), Errno>;
    /// closefrom(2), as a system call, because the C library of FreeBSD hides the errno.
    fn closefrom(&self, first: Fd) -> Result<(), Errno>;
    /// getdirentries(2), on DragonFly getdents(2). Returns how many bytes of records it read, 0 at the end.
    fn getdirentries(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno>;
    /// fstatfs(2). Returns `f_fstypename`, the type of the file system of the file, padded with NULs.
    fn file_system(&self, fd: Fd) -> Result<[u8; 16], Errno>;
    /// procctl(2) with `PROC_PDEATHSIG_CTL`, of the calling process.
    fn set_parent_death_signal(&self, signal: Signal) -> Result<(), Errno>;
    /// procctl(2) with `PROC_NO_NEW_PRIVS_STATUS`, of the calling process. Returns whether the flag is set. `EINVAL` if the
    /// release does not know it, `ENOSYS` on DragonFly. procctl(2) itself is older than the supported releases.
    fn no_new_privs(&self) -> Result<bool, Errno>;
    /// procctl(2) with `PROC_ASLR_STATUS`, of the calling process. `EINVAL` if the release does not know it, `ENOSYS` on DragonFly.
    fn aslr(&self) -> Result<(), Errno>;
    /// cpuset_getaffinity(2) with `CPU_LEVEL_WHICH` and `CPU_WHICH_PID`, on DragonFly lwp_getaffinity(2). Writes the processors that may run
    /// the calling process.
    fn affinity(&self, mask: &mut [c_ulong]) -> Result<(), Errno>;
    /// Makes a call of an attribute.
    fn attribute(&self, call: AttributeCall<'_>) -> Result<(), Errno>;
    /// procctl(2) with `PROC_NO_NEW_PRIVS_CTL`, of the calling process. `ENOSYS` on DragonFly.
    fn set_no_new_privs(&self) -> Result<(), Errno>;
}
