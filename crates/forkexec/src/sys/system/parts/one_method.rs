//! A backend whose launcher knows one method.

use crate::sys::system::{BACKEND, LAUNCHER};
use forkexec_core::Launcher;
#[cfg(feature = "raw")]
use forkexec_core::{FallbackReason, LaunchError, Pid, Plan, Report, Reporter};

/// A launcher for each method, in the order of the capabilities.
///
/// # Safety
///
/// As [`launch`](crate::sys::backend::launch), for each plan.
pub(crate) unsafe fn launchers() -> impl Iterator<Item = &'static dyn Launcher> {
    std::iter::once(forking())
}

pub(crate) fn forking() -> &'static dyn Launcher {
    &LAUNCHER
}

/// No filter of this system traps calls.
pub(crate) const LEARNS_OF_TRAPS: bool = false;

/// This is not Android, or the backend makes none of the calls that its filter traps.
pub(crate) fn android() -> Option<crate::sys::android::Android> {
    None
}

/// Starts a child that is the caller's to wait for, failed or not, and that shares memory: what it reported.
///
/// # Safety
///
/// As [`launch`](crate::sys::backend::launch).
#[cfg(feature = "raw")]
pub(crate) unsafe fn spawn_unreaped(_plan: &Plan<'_>) -> Result<(Pid, Option<Report>), LaunchError> {
    Err(LaunchError::ForkRequired(FallbackReason::NoSuchMethod))
}

/// Forks one that tells the reporter.
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
