//! OpenBSD.

#[path = "parts/no_acl.rs"]
mod acl;
#[path = "parts/posix_limits.rs"]
mod limits;
#[path = "parts/one_method.rs"]
mod method;
#[path = "parts/mount_statfs.rs"]
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
#[path = "parts/kqueue.rs"]
pub(crate) mod watch;

pub(crate) use acl::has_acl;
pub(crate) use forkexec_openbsd::{Kernel, Openbsd as Selected};
pub(crate) use limits::{MOST_GROUPS, WRITER_SEES_UNREAD, longest_string, most_bytes};
pub(crate) use method::{LEARNS_OF_TRAPS, android, forking, launchers};
#[cfg(feature = "raw")]
pub(crate) use method::{fork_unreaped, spawn_unreaped};
pub(crate) use mount::is_noexec;
pub(crate) use table::{is_never_locked, replace, shares_table};
pub(crate) use wait::{ending_by_number, inherited_peak};

pub(crate) type SelectedLauncher = forkexec_core::ForkLauncher<'static, Selected<Kernel>>;

/// How many bytes of a script's first line the kernel reads: `MAXINTERP` (sys/param.h).
pub(crate) const INTERPRETER_LINE: usize = 128;

/// The unit of the peak of memory, in bytes: getrusage(2).
const RSS_UNIT: u64 = 1024;
