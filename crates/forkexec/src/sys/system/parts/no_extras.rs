//! A system without the extras of Linux: exec in place, filters that trap calls, children that the caller reaps.

#[cfg(feature = "raw")]
use crate::sys::system::BACKEND;
use forkexec_core::{FallbackReason, LaunchError, Plan, Stage};
#[cfg(feature = "raw")]
use forkexec_core::{Pid, Report, Reporter};

/// A thread has no descriptor table of its own here, so a plan that fails would change the process.
pub(crate) const EXECS_IN_PLACE: bool = false;

/// # Safety
///
/// None: nothing runs.
pub(crate) unsafe fn exec_in_place(_plan: &Plan<'_>) -> (LaunchError, Vec<Stage>) {
    (LaunchError::ForkRequired(FallbackReason::NoSuchMethod), Vec::new())
}

/// Fails: this system has no namespaces.
pub(crate) fn join_pid_namespace(_namespace: forkexec_core::Fd) -> Result<(), forkexec_core::Errno> {
    Err(forkexec_core::Errno::NOSYS)
}

/// No filter of this system traps calls.
pub(crate) const LEARNS_OF_TRAPS: bool = false;

/// Returns `None`: this is not Android, or the backend makes none of the calls that its filter traps.
pub(crate) fn android() -> Option<crate::sys::android::Android> {
    None
}

/// Starts a child that shares memory, and returns its report if it failed. The caller must wait for the child
/// in both cases.
///
/// # Safety
///
/// As [`launch`](crate::sys::backend::launch).
#[cfg(feature = "raw")]
pub(crate) unsafe fn spawn_unreaped(_plan: &Plan<'_>) -> Result<(Pid, Option<Report>), LaunchError> {
    Err(LaunchError::ForkRequired(FallbackReason::NoSuchMethod))
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
    forkexec_core::ForkLauncher::new(&BACKEND).spawn_unreaped(plan, reporter)
}
