//! Below [`Command`](crate::Command): for a program that makes its own plans, such as the drop-in for CPython (feature
//! `raw`).
//!
//! A [`Plan`] names descriptors by number, as its program got them from elsewhere. So what acts on them is unsafe here, and
//! the caller answers for each number. This module and `forkexec_core` change without a new major version.

use crate::fds::low_fds::{self, LowFd};
use crate::fds::moves;
use crate::sys::{backend, fd, system};
use forkexec_core::{Backend, Fd, LaunchError, Move, ParentSys, Pid, Plan, Report, Reporter};
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

/// The backend of this system, with its real system calls.
///
/// # Safety
///
/// The value is the right to close, replace and use every descriptor of this process, and to signal other processes
/// ([`Backend::sys`]). The caller answers for all code that can reach it: each method is called in a child before exec, or
/// on descriptors and processes that the calling code owns. A plan that it runs meets the requirements of
/// [`spawn_unreaped`].
pub unsafe fn backend() -> &'static impl Backend<Sys: ParentSys> {
    // SAFETY: the caller promises as much.
    unsafe { backend::backend() }
}

/// Starts a child that shares memory and runs the plan, and returns its report if it failed. The caller waits for the
/// child, failed or not.
///
/// # Errors
///
/// [`LaunchError::Parent`] and [`LaunchError::ForkRequired`]: there is no child.
///
/// # Safety
///
/// The caller owns or borrows each descriptor that the plan names until this returns. If the plan has no environment of its
/// own, no thread changes that of the process meanwhile.
pub unsafe fn spawn_unreaped(plan: &Plan<'_>) -> Result<(Pid, Option<Report>), LaunchError> {
    // SAFETY: the caller promises as much.
    unsafe { system::spawn_unreaped(plan) }
}

/// Forks a child that runs the plan and reports to `reporter`. The caller waits for the child, failed or not.
///
/// # Errors
///
/// [`LaunchError::Parent`]: there is no child.
///
/// # Safety
///
/// As [`spawn_unreaped`].
pub unsafe fn fork_unreaped<R: Reporter + ?Sized>(plan: &Plan<'_>, reporter: &R) -> Result<Pid, LaunchError> {
    // SAFETY: the caller promises as much.
    unsafe { system::fork_unreaped(plan, reporter) }
}

/// The steps that put sources under their targets, all at once. The keys are the targets.
pub fn moves(mappings: &BTreeMap<Fd, Fd>) -> Vec<Move> {
    moves::order(mappings)
}

/// The highest number that a descriptor of this process may be given.
pub fn highest_target() -> Fd {
    fd::highest_target()
}

/// A low number for a high descriptor, until it is dropped.
pub struct Lent(LowFd<'static>);

impl Lent {
    /// The number.
    pub fn number(&self) -> Fd {
        self.0.number()
    }
}

/// Low numbers for these descriptors, if that makes a start faster: all of them, or none. They are close-on-exec.
pub fn lend(high: &[BorrowedFd<'_>], usable: impl Fn(Fd) -> bool) -> Option<Vec<Lent>> {
    let of_use = system::shares_table() && !high.is_empty();
    if !of_use || !high.iter().all(|&fd| system::is_never_locked(fd)) {
        return None;
    }
    low_fds::reserve_first();
    high.iter().map(|&fd| low_fds::lend(fd, &usable).map(Lent)).collect()
}

/// From here on a number is high.
pub const HIGH: Fd = low_fds::HIGH;
