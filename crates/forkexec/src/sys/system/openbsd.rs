//! OpenBSD.

#[path = "parts/bsd.rs"]
mod bsd;
#[path = "parts/fd_untold.rs"]
mod fd_untold;
#[path = "parts/mount_statfs.rs"]
mod mount;
#[path = "parts/vfork.rs"]
mod vfork;

#[path = "parts/no_reaper.rs"]
pub(crate) mod reaper;

pub(crate) use bsd::*;
pub(crate) use fd_untold::fd_target;
pub(crate) use forkexec_openbsd::{Kernel, Openbsd as Selected};
pub(crate) use mount::is_noexec;
pub(crate) use vfork::{SelectedLauncher, forking, launchers};

/// The number of bytes of a script's first line that the kernel reads: `MAXINTERP` (sys/param.h).
pub(crate) const INTERPRETER_LINE: usize = 128;

/// The unit of `ru_maxrss`, in bytes: getrusage(2).
pub(crate) const RSS_UNIT: u64 = 1024;

/// The flag of recvmsg(2) by which a received descriptor is close-on-exec from the start.
pub(crate) const CMSG_CLOEXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;
