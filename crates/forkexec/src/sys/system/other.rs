//! Any other Unix: the portable floor.

#[path = "parts/no_acl.rs"]
mod acl;
#[path = "parts/posix_limits.rs"]
mod limits;
#[path = "parts/mount_unknown.rs"]
mod mount;
#[path = "parts/unix.rs"]
mod unix;
#[path = "parts/waitpid.rs"]
mod wait;

#[path = "parts/no_reaper.rs"]
pub(crate) mod reaper;
#[path = "parts/no_watch.rs"]
pub(crate) mod watch;

pub(crate) use acl::has_acl;
pub(crate) use forkexec_posix::{Kernel, Posix as Selected};
pub(crate) use limits::{MOST_GROUPS, WRITER_SEES_UNREAD, longest_string, most_bytes};
pub(crate) use mount::is_noexec;
pub(crate) use unix::*;
pub(crate) use wait::{ending_by_number, inherited_peak};

pub(crate) type SelectedLauncher = forkexec_core::ForkLauncher<'static, Selected<Kernel>>;

/// How many bytes of a script's first line the kernel reads: at least a page.
pub(crate) const INTERPRETER_LINE: usize = 4096;
