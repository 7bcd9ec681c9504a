//! Linux and Android.

#[path = "parts/acl.rs"]
mod acl;
#[path = "parts/fd_link.rs"]
mod fd_link;
#[path = "parts/in_place.rs"]
mod in_place;
#[path = "parts/linux_limits.rs"]
mod limits;
#[path = "parts/mount_statvfs.rs"]
mod mount;
#[path = "parts/pid_namespace.rs"]
mod pid_namespace;
#[path = "parts/pipe_capacity.rs"]
mod pipe_capacity;
#[path = "parts/no_reaper.rs"]
pub(crate) mod reaper;
#[path = "parts/linux_senders.rs"]
pub(crate) mod senders;
#[path = "parts/shared_table.rs"]
mod table;

#[path = "parts/pidfd.rs"]
pub(crate) mod pidfd;
#[path = "parts/processes.rs"]
pub(crate) mod processes;
#[path = "parts/pty_peer.rs"]
pub(crate) mod pty;
#[path = "parts/thread.rs"]
pub(crate) mod thread;

use super::{BACKEND, LAUNCHER};
use crate::sys::android::Android;
#[cfg(feature = "raw")]
use forkexec_core::{LaunchError, Pid, Plan, Report, Reporter};
use forkexec_core::{Launcher, SpawnMethod};
use forkexec_linux::{AndroidCall, OneMethod, Release};

pub(crate) use acl::has_acl;
pub(crate) use fd_link::fd_target;
pub(crate) use forkexec_linux::{Kernel, Linux as Selected};
pub(crate) use in_place::{EXECS_IN_PLACE, exec_in_place};
pub(crate) use limits::{INTERPRETER_LINE, MOST_GROUPS, WRITER_SEES_UNREAD, longest_string, most_bytes};
pub(crate) use mount::is_noexec;
pub(crate) use pid_namespace::join_pid_namespace;
pub(crate) use pidfd as watch;
pub(crate) use pipe_capacity::{SETS_PIPE_CAPACITY, set_pipe_capacity};
pub(crate) use table::{is_never_locked, may_take, replace, shares_table};

pub(crate) type SelectedLauncher = forkexec_linux::LinuxLauncher<'static, Kernel>;

pub(crate) const NOEXEC: libc::c_ulong = libc::ST_NOEXEC;

/// The flag of recvmsg(2) by which a received descriptor is close-on-exec from the start.
pub(crate) const CMSG_CLOEXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;

/// The links to what the descriptors of this process refer to: proc_pid_fd(5).
pub(crate) const FD_LINKS: &str = "/proc/self/fd";

static METHODS: [OneMethod<'static, Kernel>; 3] = [
    OneMethod::new(&LAUNCHER, SpawnMethod::Shared),
    OneMethod::new(&LAUNCHER, SpawnMethod::Vfork),
    OneMethod::new(&LAUNCHER, SpawnMethod::Fork),
];

/// Returns a launcher for each method, in the order of the capabilities.
///
/// # Safety
///
/// The caller upholds the contract of [`launch`](crate::sys::backend::launch) for each plan.
pub(crate) unsafe fn launchers() -> impl Iterator<Item = &'static dyn Launcher> {
    METHODS.iter().map(|method| method as &dyn Launcher)
}

pub(crate) fn forking() -> &'static dyn Launcher {
    &METHODS[2]
}

/// If a trapped call kills a child, the next start avoids the call.
pub(crate) const LEARNS_OF_TRAPS: bool = true;

/// Returns the release of Android, if this is Android, and the calls that are not made on it.
pub(crate) fn android() -> Option<Android> {
    let Release::Android(level) = BACKEND.release() else { return None };
    let not_called = AndroidCall::ALL.into_iter().filter(|call| !BACKEND.allows(*call));
    let not_called = not_called.map(AndroidCall::name).collect();
    Some(Android { api_level: Some(level).filter(|level| *level != 0), not_called })
}

/// Starts a child that shares memory, and returns its report if it failed. The caller must wait for the child
/// in both cases.
///
/// # Safety
///
/// As [`launch`](crate::sys::backend::launch).
#[cfg(feature = "raw")]
pub(crate) unsafe fn spawn_unreaped(plan: &Plan<'_>) -> Result<(Pid, Option<Report>), LaunchError> {
    LAUNCHER.spawn_unreaped(plan)
}

/// Forks a child that reports to `reporter`.
///
/// # Safety
///
/// As [`launch`](crate::sys::backend::launch).
#[cfg(feature = "raw")]
pub(crate) unsafe fn fork_unreaped<R: Reporter + ?Sized>(
    plan: &Plan<'_>,
    reporter: &R,
) -> Result<Pid, LaunchError> {
    LAUNCHER.fork_unreaped(plan, reporter)
}
