#![no_std]
//! The floor: a backend for any POSIX system.
//!
//! 1. *Systems*: those without a backend of their own.
//! 2. *Listing*: `/dev/fd`. Many systems have it as a static directory that lists 0, 1 and 2 whatever is open, so it must
//!    list the very descriptor it is read through. And it must be readable without allocation, which `opendir` is not; the
//!    C libraries of today offer that on Linux only (posix_getdents(3) of POSIX.1-2024 will everywhere).
//! 3. *Closing*: no bulk call. Without a list, every number below the hard limit, else `_SC_OPEN_MAX`, else 256, and never
//!    fewer than 65,536.
//! 4. *Starting*: fork(2).
//! 5. *Async-signal-safety*: what `forkexec-unix` says of its calls.
//! 6. *Proven*: on Linux, where the conformance suite runs over it, too.
//! 7. *Signals*: those from 32 up may be the C library's, and are let alone if sigaction(2) refuses them.
//!    `SIGKILLTHR` of Haiku is 21.
//! 8. *Errnos*: `Errno` keeps the number as it is. Haiku's are negative.
//! 9. *Ends*: the constants are `libc`'s, and no layout of the status is assumed. has_ended asks on Linux and Android
//!    alone.
//! 10. *Saved IDs*: setuid(2) and setgid(2) come first, except on Linux and Android, where setreuid(2) sets the saved
//!     IDs.
//! 11. *Limits*: as the system says. Limits are set before the descriptors are closed, so that one that refuses a
//!     limit below an open number refuses the start.

mod close;
mod enumerate;
mod sys;

pub use close::Posix;
pub use enumerate::DevFd;

use forkexec_core::{Capabilities, Errno, Fd, GroupList, Resource, SpawnMethod, Sys};

/// The real system calls.
pub type Kernel = forkexec_unix::Kernel<Facts>;

/// What a POSIX system has of the calls that all systems share.
#[derive(Clone, Copy, Debug)]
pub struct Facts;

/// What this backend has.
pub const CAPABILITIES: Capabilities = Capabilities {
    system: "POSIX",
    bulk_closer: None,
    enumerators: &[enumerate::NAME],
    launchers: &[SpawnMethod::Fork],
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

/// The one call beyond those that all systems have.
///
/// # Safety
///
/// The requirements are those of [`Sys`].
pub unsafe trait PosixSys: Sys {
    /// Reads directory records with the layout of [`DevFd`]: how many bytes, 0 at the end.
    ///
    /// # Errors
    ///
    /// The errno, `ENOSYS` where the C library has no such call.
    fn read_directory(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno>;
}
