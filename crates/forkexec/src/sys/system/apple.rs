//! macOS and the other systems of Apple.

#[path = "parts/no_acl.rs"]
mod acl;
#[path = "parts/posix_limits.rs"]
mod limits;
#[path = "parts/mount_statfs.rs"]
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
pub(crate) use forkexec_apple::{Apple as Selected, Kernel};
pub(crate) use limits::{MOST_GROUPS, WRITER_SEES_UNREAD, longest_string, most_bytes};
pub(crate) use mount::is_noexec;
pub(crate) use unix::*;
pub(crate) use wait::{ending_by_number, inherited_peak};

pub(crate) type SelectedLauncher = forkexec_apple::AppleLauncher<'static, Kernel>;

/// How many bytes of a script's first line the kernel reads: `IMG_SHSIZE` of xnu (bsd/sys/imgact.h).
pub(crate) const INTERPRETER_LINE: usize = 512;

/// The unit of the peak of memory, in bytes: getrusage(2).
const RSS_UNIT: u64 = 1;
