//! NetBSD.

#[path = "parts/no_acl.rs"]
mod acl;
#[path = "parts/posix_limits.rs"]
mod limits;
#[path = "parts/mount_statvfs.rs"]
mod mount;
#[path = "parts/unix.rs"]
mod unix;
#[path = "parts/wait4.rs"]
mod wait;

#[path = "parts/no_reaper.rs"]
pub(crate) mod reaper;
#[path = "parts/kqueue.rs"]
pub(crate) mod watch;

pub(crate) use acl::has_acl;
pub(crate) use forkexec_netbsd::{Kernel, Netbsd as Selected};
pub(crate) use limits::{MOST_GROUPS, WRITER_SEES_UNREAD, longest_string, most_bytes};
pub(crate) use mount::is_noexec;
pub(crate) use unix::*;
pub(crate) use wait::{ending_by_number, inherited_peak};

pub(crate) type SelectedLauncher = forkexec_core::ForkLauncher<'static, Selected<Kernel>>;

/// How many bytes of a script's first line the kernel reads: at least a page.
pub(crate) const INTERPRETER_LINE: usize = 4096;

/// The unit of the peak of memory, in bytes: getrusage(2).
const RSS_UNIT: u64 = 1024;

/// `ST_NOEXEC` of NetBSD's sys/statvfs.h is `MNT_NOEXEC`.
#[expect(clippy::allow_attributes, reason = "a c_ulong has the width of an int on some processors")]
#[allow(clippy::cast_sign_loss, clippy::cast_lossless, clippy::unnecessary_cast)]
const NOEXEC: libc::c_ulong = libc::MNT_NOEXEC as libc::c_ulong;
