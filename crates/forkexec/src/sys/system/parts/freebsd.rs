//! The parts that FreeBSD and DragonFly share.

#[path = "bsd.rs"]
mod bsd;
#[path = "mount_statfs.rs"]
mod mount;
#[path = "vfork.rs"]
mod vfork;

pub(crate) use bsd::*;
pub(crate) use forkexec_freebsd::{Freebsd as Selected, Kernel};
pub(crate) use mount::is_noexec;
pub(crate) use vfork::{SelectedLauncher, forking, launchers};

/// The number of bytes of a script's first line that the kernel reads: at least a page.
pub(crate) const INTERPRETER_LINE: usize = 4096;

/// The unit of `ru_maxrss`, in bytes: getrusage(2).
pub(crate) const RSS_UNIT: u64 = 1024;

/// The flag of recvmsg(2) by which a received descriptor is close-on-exec from the start.
pub(crate) const CMSG_CLOEXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;
