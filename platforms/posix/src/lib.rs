#![no_std]
//! The portable backend, for any POSIX system. This crate is an implementation detail of `forkexec`.
//!
//! 1. *Systems*: those without a backend of their own.
//! 2. *Listing*: `/dev/fd`. On many systems it is a static directory with the entries 0, 1 and 2, whatever is open. So it must
//!    list the descriptor that it is read through. It must also be readable without allocation, which `opendir` is not. The C
//!    libraries of today offer that on Linux only; posix_getdents(3) of POSIX.1-2024 will offer it everywhere.
//! 3. *Closing*: no bulk call. Without a list, the loop closes every number below the hard limit, else below `_SC_OPEN_MAX`,
//!    else below 2^20, and never fewer than 65,536.
//! 4. *Starting*: vfork(2) on Linux with x86_64 or AArch64, else fork(2). On other systems it is not known which calls of the C
//!    library act on other threads of a process that shares memory.
//! 5. *Async-signal-safety*: the calls of `forkexec-unix`.
//! 6. *Proven*: on Linux, where the conformance suite also runs over it.
//! 7. *Signals*: the C library may reserve numbers from 32 up. They are left alone if sigaction(2) refuses them. On Haiku it
//!    also refuses 21, `SIGKILLTHR` (headers/posix/signal.h).
//! 8. *Errnos*: `Errno` keeps the number as it is. Those of Haiku are negative.
//! 9. *Ends*: the constants are those of `libc`, and no layout of the status is assumed. `has_ended` is implemented on Linux
//!    and Android only.
//! 10. *Saved IDs*: setuid(2) and setgid(2) precede setreuid(2) and setregid(2), except on Linux and Android, where the
//!     latter set the saved ID.
//! 11. *Limits*: the rules of the system apply. Limits are set before the descriptors are closed. So the start fails on a
//!     system that refuses a limit below an open number.

mod close;
mod enumerate;
mod sys;

pub use close::Posix;
pub use enumerate::DevFd;

use forkexec_core::{Capabilities, Errno, Fd, GroupList, Resource, SpawnMethod, Sys};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// The facts by which the system differs from others.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

const HAS_VFORK: bool = <Facts as forkexec_unix::System>::VFORK.is_some();

/// The capabilities of this backend.
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "POSIX",
    bulk_closer: None,
    enumerators: &[enumerate::NAME],
    launchers: if HAS_VFORK { forkexec_unix::VFORK_LAUNCHERS } else { &[SpawnMethod::Fork] },
    operations: &[],
    resources: &[
        ("core", Resource::CORE),
        ("cpu", Resource::CPU),
        ("data", Resource::DATA),
        ("fsize", Resource::FSIZE),
        ("nofile", Resource::NOFILE),
        ("stack", Resource::STACK),
    ],
    reserved_signals: sys::RESERVED_SIGNALS,
    group_list: GroupList::Supplementary,
};

/// The one system call beyond the common ones.
///
/// # Safety
///
/// The requirements are those of [`Sys`].
pub unsafe trait PosixSys: Sys {
    /// Reads directory records with the layout of [`DevFd`]. Returns how many bytes, 0 at the end.
    ///
    /// # Errors
    ///
    /// Returns the errno, `ENOSYS` if the C library has no such call.
    fn read_directory(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno>;
}
