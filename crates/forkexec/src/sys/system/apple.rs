//! macOS and the other systems of Apple.

#[path = "parts/bsd.rs"]
mod bsd;
#[path = "parts/fd_getpath.rs"]
mod fd_getpath;
#[path = "parts/mount_statfs.rs"]
mod mount;
#[path = "parts/spawn.rs"]
mod spawn;

#[path = "parts/no_reaper.rs"]
pub(crate) mod reaper;

pub(crate) use bsd::*;
pub(crate) use fd_getpath::fd_target;
pub(crate) use forkexec_apple::{Apple as Selected, Kernel, OneMethod};
pub(crate) use mount::is_noexec;
pub(crate) use spawn::{forking, launchers};

pub(crate) type SelectedLauncher = forkexec_apple::AppleLauncher<'static, Kernel>;

/// The number of bytes of a script's first line that the kernel reads: `IMG_SHSIZE` of xnu
/// (bsd/sys/imgact.h).
pub(crate) const INTERPRETER_LINE: usize = 512;

/// The unit of `ru_maxrss`, in bytes: getrusage(2).
pub(crate) const RSS_UNIT: u64 = 1;

/// The flag of recvmsg(2) by which a received descriptor is close-on-exec from the start; this system has none.
pub(crate) const CMSG_CLOEXEC: libc::c_int = 0;
