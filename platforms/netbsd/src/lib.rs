#![no_std]
//! The NetBSD backend. This crate is an implementation detail of `forkexec`.
//!
//! 1. *Systems*: NetBSD from 8.0. The common calls need `waitid`, which the C library has since 2016-04-03
//!    (lib/libc/gen/waitid.c 1.1). A program for 7.0 does not link (`undefined symbol: waitid`, seen on NetBSD 7.0 amd64).
//!    The other calls are older: `pipe2`, `F_DUPFD_CLOEXEC` and `O_CLOEXEC` are in 6.0.
//! 2. *Listing*: `F_MAXFD` of fcntl(2) returns the highest open descriptor. It is called again after each close. Below the
//!    highest kept descriptor, each number is visited. In a forked child the value is exact: the table is a copy without
//!    kqueues and half-open descriptors, and its end is counted anew (`fd_copy` in sys/kern/kern_descrip.c, 1.229). If
//!    nothing is open it returns -1 without an errno, which is an error here. No directory is read: `/dev/fd` is static
//!    unless mount_fdesc(8) was called, and procfs need not be mounted.
//! 3. *Closing*: `F_CLOSEM` of fcntl(2) closes from a number up and keeps nothing, so it is used only above the last kept
//!    descriptor. The kernel closes from the highest down, ignores the result of each close, and succeeds if there is
//!    nothing to close. Its only error is `EBADF` for a negative number (`sys_fcntl` in sys/kern/sys_descrip.c, 1.48). The
//!    close_range(2) of NetBSD 11 is not called: a kernel without it raises `SIGSYS` (`sys_nosys` in sys/kern/kern_sig.c).
//! 4. *Starting*: vfork(2), `__vfork14` of the C library, on x86_64 and AArch64. It shares memory, suspends the calling thread
//!    alone, and gives the child a descriptor table and signal actions of its own (seen on NetBSD 7.0 amd64). The table is not
//!    shared (`CLONE_FILES`): in a shared one `F_CLOSEM` would spin while another thread has a descriptor half-open. A child with a
//!    limit of its stack is forked, because setrlimit(2) changes the protection of the stack of the shared memory. A child that
//!    exceeds its own stack would fault for ever, because the kernel only posts a blocked `SIGSEGV` (`trapsignal` of
//!    sys/kern/kern_sig.c, 1.327). It does not: a test measures that it uses less than half.
//! 5. *Async-signal-safety*: fcntl(2) is safe for each command. In a threaded program it is a cancellation point, as close(2)
//!    is (lib/libpthread/pthread_cancelstub.c). It only reads a flag of the thread, which is not cancelled meanwhile. The other
//!    calls are those of `forkexec-unix`, plain system calls here: no function that sets IDs acts on other threads, and
//!    sigaction(2) takes no lock. A child must not enter the run-time linker, whose lock another thread may hold: Rust links
//!    programs for NetBSD with full RELRO, so that all symbols are bound at the start.
//!    `_sched_setaffinity` and `_sched_setparam` are system calls without code around them (`WEAKASM` of
//!    lib/libc/sys/Makefile.inc, 1.259), and sysctl(3) is one for each name but `user.*`. With the number 0 the first two act on the threads of the calling process, which a
//!    child of vfork(2) does not share with its parent (`sys__sched_setaffinity` of sys/kern/sys_sched.c, 1.50).
//! 6. *Proven*: run over the simulated kernel, and on the kernel and the C library of NetBSD 11.0_RC6 amd64, as BunnyBSD has
//!    them, with one and two processors: the portable suite passed by vfork(2) and by fork(2). A program with another effective user,
//!    which kqueue(2) refuses to watch, was told from death, waited for and signalled by both launchers. The attributes ran on the
//!    simulated kernel only.
//! 7. *Signals*: none besides `SIGKILL` and `SIGSTOP` (`sigaction1` of sys/kern/sys_sig.c: `SA_CANTMASK`).
//! 8. *Errnos*: positive (`sys/errno.h`).
//! 9. *Ends*: the constants are those of `libc`. An exit code is in bits 8 to 15 of the status, a signal in the low 7
//!    (`sys/wait.h`).
//! 10. *Saved IDs*: setreuid(2) sets the saved ID only if the real one changes, and setregid(2) likewise (`sys_setreuid` and
//!     `sys_setregid` of sys/kern/kern_prot.c, 1.111). So setuid(2) and setgid(2) precede them. These set all three IDs,
//!     also without privilege if the ID is the real one.
//! 11. *Limits*: a limit below an open number is accepted and closes nothing. A limit of the stack below what the stack of the
//!     parent has used is refused with `EINVAL` (`dosetrlimit` of sys/kern/kern_resource.c, 1.195).

mod attributes;
mod close;
mod enumerate;
mod sys;

pub use attributes::AttributeCall;
pub use close::Netbsd;
pub use enumerate::MaxFd;

use forkexec_core::{Capabilities, Errno, Fd, GroupList, Operation, Pid, ProcessEntry, Resource, Sys};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// The facts by which NetBSD differs from other systems.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

/// The capabilities of this backend.
///
/// `FixedAddresses` is missing: the program and sysctl(7) decide whether its addresses are random, and a process has no say
/// (`pax_setup_elf_flags` of sys/kern/kern_pax.c).
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "NetBSD",
    bulk_closer: Some("F_CLOSEM"),
    enumerators: &[enumerate::NAME],
    launchers: forkexec_unix::VFORK_LAUNCHERS,
    operations: &[Operation::CpuAffinity, Operation::Scheduler],
    resources: &RESOURCES,
    reserved_signals: &[],
    group_list: GroupList::Supplementary,
};

/// The resources of getrlimit(2) on NetBSD. The numbers are those of `sys/resource.h`, because the C library of another host
/// lacks some of the constants.
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

/// The system calls of NetBSD beyond the common ones.
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
    /// `F_MAXFD` of fcntl(2). Returns the highest open descriptor. If none is open, the kernel returns -1 and sets no errno.
    /// This is an [`Errno`] of 0 here.
    fn max_fd(&self) -> Result<Fd, Errno>;
    /// sysctl(3) of `kern.proc2`. Returns the entry of a process, an errno if there is none.
    fn process_entry(&self, process: Pid) -> Result<ProcessEntry, Errno>;
    /// Makes a call of an attribute.
    fn attribute(&self, call: AttributeCall<'_>) -> Result<(), Errno>;
    /// sysctl(3) of `hw.ncpu`. Returns how many processors there are, also if they are offline.
    fn processors(&self) -> Result<usize, Errno>;
}
