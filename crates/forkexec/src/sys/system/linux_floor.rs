//! The portable floor under test on Linux (`--cfg forkexec_backend="posix"`): its backend and launcher, and what the parent asks of
//! Linux itself.

#[path = "parts/acl.rs"]
mod acl;
#[path = "parts/linux_limits.rs"]
mod limits;
#[path = "parts/one_method.rs"]
mod method;
#[path = "parts/mount_statvfs.rs"]
mod mount;
#[path = "parts/own_table.rs"]
mod table;
#[path = "parts/wait4.rs"]
mod wait;

#[path = "parts/no_pidfd.rs"]
pub(crate) mod pidfd;
#[path = "parts/no_processes.rs"]
pub(crate) mod processes;
#[path = "parts/no_reaper.rs"]
pub(crate) mod reaper;
#[path = "parts/any_thread.rs"]
pub(crate) mod thread;
#[path = "parts/no_watch.rs"]
pub(crate) mod watch;

pub(crate) use acl::has_acl;
pub(crate) use forkexec_posix::{Kernel, Posix as Selected};
pub(crate) use limits::{INTERPRETER_LINE, MOST_GROUPS, WRITER_SEES_UNREAD, longest_string, most_bytes};
pub(crate) use method::{LEARNS_OF_TRAPS, android, forking, launchers};
#[cfg(feature = "raw")]
pub(crate) use method::{fork_unreaped, spawn_unreaped};
pub(crate) use mount::is_noexec;
pub(crate) use table::{is_never_locked, replace, shares_table};
pub(crate) use wait::{ending_by_number, inherited_peak};

pub(crate) type SelectedLauncher = forkexec_core::ForkLauncher<'static, Selected<Kernel>>;

/// The unit of the peak of memory, in bytes: getrusage(2).
const RSS_UNIT: u64 = 1024;

const NOEXEC: libc::c_ulong = libc::ST_NOEXEC;
