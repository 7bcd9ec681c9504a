#![no_std]
//! The FreeBSD and DragonFly backend of forkexec.
//!
//! 1. *Systems*: FreeBSD from 12.0 (`dirent` with 64-bit inodes), DragonFly, as its sources are from 6.0 on.
//! 2. *Listing*: getdirentries(2) on `/dev/fd`, read raw: `opendir` allocates. By default devfs provides that directory, with
//!    nodes for 0, 1 and 2 whatever is open (fd(4)); so it must be on fdescfs(5), as fstatfs(2) says, and list the very
//!    descriptor it is read through. fdescfs's position is the descriptor's number, so closing while reading skips nothing
//!    (`fdesc_readdir` of either system), and the chain reads again until nothing was left to close.
//! 3. *Closing*: close_range(2), FreeBSD 12.2 and 13.0. An unknown system call raises `SIGSYS` there, which kills, so
//!    `kern.osreldate` decides first; before these, and on DragonFly, closefrom(2) for what lies above the last kept
//!    descriptor, and the numbers between kept ones one by one. A jail may say any `kern.osreldate` (jail(8)): one that claims
//!    more than its host's kernel has dies by `SIGSYS`, which the parent is told of. Any errno means «next in the chain»:
//!    DragonFly's closefrom answers `EINTR` if one close did. An empty range is `EINVAL` and is never asked for. The loop
//!    ends above the highest open descriptor, found by counting up to `kern.proc.nfds`: hard limits are often in the hundreds
//!    of thousands. DragonFly has no such count and loops to the limit.
//! 4. *Starting*: fork(2), nothing shared but the report slot. Not `rfork_thread(RFSPAWN)`: that is x86 only, shares the
//!    parent's memory and so needs a guarded stack and its own rules for what the child may write; such a launcher is not
//!    claimed before it ran on the kernel.
//! 5. *Async-signal-safety*: what `forkexec-unix` says of its calls; fstatfs, procctl, getpid and syscall(2), which are bare
//!    wrappers in either C library; and sysctl(3), which is one for every name but `user.*`.
//! 6. *Proven*: type-checked, and run over the simulated kernel only.
//! 7. *Signals*: `SIGTHR`, 32, which the thread libraries of both keep.
//! 8. *Errnos*: positive (`sys/errno.h`).
//! 9. *Ends*: the constants are `libc`'s. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (`sys/wait.h`).
//! 10. *Saved IDs*: setreuid(2) and setregid(2) set the saved IDs (`sys_setreuid` of sys/kern/kern_prot.c of either
//!     system).
//! 11. *Limits*: a limit below an open number closes nothing, and is not refused (`kern_proc_setrlimit` of
//!     sys/kern/kern_resource.c).

mod close;
mod enumerate;
mod sys;
mod system;

pub use close::Freebsd;
pub use enumerate::DevFd;
pub use system::{CAPABILITIES, DRAGONFLY, System};

use forkexec_core::{Errno, Fd, Signal, Sys};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// What FreeBSD and DragonFly have of the calls that all systems share.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

/// The system calls that FreeBSD and DragonFly have beyond those that all systems have.
///
/// # Safety
///
/// The requirements are those of [`Sys`].
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub unsafe trait FreebsdSys: Sys {
    /// Which of the two it is.
    fn system(&self) -> System;
    /// sysctl(3) of `kern.osreldate`: `1302001` is FreeBSD 13.2.
    fn release(&self) -> Result<i32, Errno>;
    /// sysctl(3) of `kern.proc.nfds`: how many descriptors this process has open. `ENOSYS` on DragonFly.
    fn open_count(&self) -> Result<u32, Errno>;
    /// close_range(2) without flags. `ENOSYS` on DragonFly.
    fn close_range(&self, first: u32, last: u32) -> Result<(), Errno>;
    /// closefrom(2), the system call: FreeBSD's C library hides the errno.
    fn closefrom(&self, first: Fd) -> Result<(), Errno>;
    /// getdirentries(2), on DragonFly getdents(2): how many bytes of records were read, 0 at the end.
    fn getdirentries(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno>;
    /// fstatfs(2): the type of the file system that the file is on, `f_fstypename`, filled up with NULs.
    fn file_system(&self, fd: Fd) -> Result<[u8; 16], Errno>;
    /// procctl(2) with `PROC_PDEATHSIG_CTL`, of the calling process.
    fn set_parent_death_signal(&self, signal: Signal) -> Result<(), Errno>;
    /// procctl(2) with `PROC_NO_NEW_PRIVS_STATUS`, of the calling process: whether it is set. `EINVAL` if the release does not
    /// know it, `ENOSYS` on DragonFly. procctl(2) itself is older than all releases that this backend supports.
    fn no_new_privs(&self) -> Result<bool, Errno>;
    /// procctl(2) with `PROC_NO_NEW_PRIVS_CTL`, of the calling process. `ENOSYS` on DragonFly.
    fn set_no_new_privs(&self) -> Result<(), Errno>;
}
