//! NetBSD.

#[path = "parts/bsd.rs"]
mod bsd;
#[path = "parts/fd_getpath.rs"]
mod fd_getpath;
#[path = "parts/mount_statvfs.rs"]
mod mount;
#[path = "parts/vfork.rs"]
mod vfork;

#[path = "parts/no_reaper.rs"]
pub(crate) mod reaper;

pub(crate) use bsd::*;
pub(crate) use fd_getpath::fd_target;
pub(crate) use forkexec_netbsd::{Kernel, Netbsd as Selected};
pub(crate) use mount::is_noexec;
pub(crate) use vfork::{SelectedLauncher, forking, launchers};

/// The number of bytes of a script's first line that the kernel reads: at least a page.
pub(crate) const INTERPRETER_LINE: usize = 4096;

/// The unit of `ru_maxrss`, in bytes: getrusage(2).
pub(crate) const RSS_UNIT: u64 = 1024;

/// `ST_NOEXEC` of NetBSD's sys/statvfs.h is `MNT_NOEXEC`.
#[expect(clippy::allow_attributes, reason = "a c_ulong has the width of an int on some processors")]
#[allow(clippy::cast_sign_loss, clippy::cast_lossless, clippy::unnecessary_cast)]
pub(crate) const NOEXEC: libc::c_ulong = libc::MNT_NOEXEC as libc::c_ulong;

/// The flag of recvmsg(2) by which a received descriptor is close-on-exec from the start.
pub(crate) const CMSG_CLOEXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;
