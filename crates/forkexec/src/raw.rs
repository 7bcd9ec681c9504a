//! Below [`Command`](crate::Command): for whoever makes plans of his own, such as the drop-in for CPython. Not part of what
//! this crate promises.

use crate::fd_plan;
use crate::platform;
use crate::prepare::checks;
use crate::slots::{self, Slot};
use forkexec_core::{Backend, Fd, LaunchError, Move, ParentSys, Pid, Plan, Report, Reporter};
use std::collections::BTreeMap;

/// The backend of this system.
pub fn backend() -> &'static impl Backend<Sys: ParentSys> {
    platform::backend()
}

/// Starts a child that shares memory and runs the plan, and says what it reported, if it failed. It is the caller's to wait
/// for, failed or not.
///
/// # Errors
///
/// [`LaunchError::Parent`] and [`LaunchError::NotFast`]: there is no child.
pub fn hand_over(plan: &Plan<'_>) -> Result<(Pid, Option<Report>), LaunchError> {
    platform::hand_over(plan)
}

/// Forks a child that runs the plan and tells `reporter` how it goes. It is the caller's to wait for, failed or not.
///
/// # Errors
///
/// [`LaunchError::Parent`]: there is no child.
pub fn hand_over_forked<R: Reporter + ?Sized>(plan: &Plan<'_>, reporter: &R) -> Result<Pid, LaunchError> {
    platform::hand_over_forked(plan, reporter)
}

/// The steps that put sources under their targets, all at once. The keys are the targets.
pub fn moves(mappings: &BTreeMap<Fd, Fd>) -> Vec<Move> {
    fd_plan::order(mappings)
}

/// The highest number that a descriptor of this process may be given.
pub fn highest_target() -> Fd {
    checks::highest_target()
}

/// A low number for a high descriptor, until it is dropped.
pub struct Lent(Slot<'static>);

impl Lent {
    /// The number.
    pub fn number(&self) -> Fd {
        self.0.number()
    }
}

/// Low numbers for these descriptors, if that makes a start faster: all of them, or none. They are close-on-exec.
pub fn lend(high: &[Fd], usable: impl Fn(Fd) -> bool) -> Option<Vec<Lent>> {
    let of_use = platform::shares_table() && !high.is_empty();
    if !of_use || !high.iter().all(|&fd| platform::is_never_locked(fd)) {
        return None;
    }
    slots::reserve_first();
    high.iter().map(|&fd| slots::lend(fd, &usable).map(Lent)).collect()
}

/// From here on a number is high.
pub const HIGH: Fd = slots::HIGH;
