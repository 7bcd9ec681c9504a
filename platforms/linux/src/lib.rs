#![no_std]
//! The Linux and Android backend of forkexec.
//!
//! 1. *Systems*: Linux from 2.6.27 (`pipe2`, `dup3`), Android.
//! 2. *Listing*: getdents64(2) on `/proc/self/fd`, read raw: `opendir` allocates. It lies where something else is mounted
//!    over `/proc`; so the directory must be on procfs (fstatfs(2)) and list the very descriptor it is read through.
//! 3. *Closing*: close_range(2), Linux 5.9. Older kernels answer `ENOSYS`, seccomp filters of containers `EPERM`,
//!    `EACCES` or `ENOSYS`; each means «next in the chain». An empty range is `EINVAL` and is never asked for.
//! 4. *Starting*: fork(2), nothing shared but the report slot.
//! 5. *Async-signal-safety*: every call is made through syscall(2), which is a bare wrapper in glibc, musl and bionic:
//!    no lock, no cancellation point. What the libc would do on top of `set*id` (tell all threads) is not done.
//! 6. *Proven*: on real kernels, x86_64; see the platform table of the README.

#[cfg(test)]
extern crate std;

mod close;
mod enumerate;
mod execed;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod sys;

pub use close::Linux;
pub use enumerate::ProcSelfFd;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use sys::Kernel;

use core::ffi::CStr;
use forkexec_core::{Capabilities, Errno, Fd, Method, Operation, Resource, Signal, Sys};

/// What this backend has.
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "Linux",
    bulk_closer: Some("close_range"),
    enumerators: &[enumerate::NAME],
    launchers: &[Method::Fork],
    operations: &[Operation::DieWithParent, Operation::NoNewPrivs],
    resources: &RESOURCES,
    // Cancellation and set*id broadcasts; musl has one more.
    reserved_signals: if cfg!(target_env = "musl") { &[32, 33, 34] } else { &[32, 33] },
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
/// The contract is that of [`Sys`].
#[expect(
    clippy::missing_errors_doc,
    reason = "each fails with the errno of the one call that its doc line names"
)]
pub trait LinuxSys: Sys {
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
    /// open(2), read(2) and close(2): the first bytes of a file. On the parent's side only.
    fn read_file(&self, path: &CStr, bytes: &mut [u8]) -> Result<usize, Errno>;
    /// prctl(2) with `PR_SET_PDEATHSIG`.
    fn set_parent_death_signal(&self, signal: Signal) -> Result<(), Errno>;
    /// prctl(2) with `PR_SET_NO_NEW_PRIVS` (Linux 3.5).
    fn set_no_new_privs(&self) -> Result<(), Errno>;
}
