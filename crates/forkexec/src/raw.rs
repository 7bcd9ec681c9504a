//! The layer below [`Command`](crate::Command), for a program that builds its own plans, such as the
//! replacement for CPython's `_posixsubprocess` (feature `raw`).
//!
//! A [`Plan`] names descriptors by number. So functions that act on them are unsafe, and the caller is
//! responsible for each number. This module and `forkexec_core` can change without a new major version.
//! Applications use [`Command`](crate::Command).

use crate::child_fds::low_fds::{self, LowFd};
use crate::child_fds::moves;
use crate::sys::{backend, fd, system};
use forkexec_core::{Backend, Fd, LaunchError, Move, ParentSys, Pid, Plan, Report, Reporter, Source};
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

/// Returns the backend of this system, with its real system calls.
///
/// # Safety
///
/// The value can close, replace and use every descriptor of this process, and signal other processes
/// ([`Backend::sys`]). The caller is responsible for all code that can reach it. Each method must be called
/// in a child before exec, or on descriptors and processes that the calling code owns. A plan that it runs
/// must meet the requirements of [`spawn_unreaped`].
///
/// # Examples
///
/// ```
/// use forkexec_core::{Backend, Sys};
///
/// // SAFETY: the call only reads a limit.
/// let limit = unsafe { forkexec::raw::backend() }.sys().descriptor_limit();
/// assert!(limit.is_ok());
/// ```
pub unsafe fn backend() -> &'static impl Backend<Sys: ParentSys> {
    // SAFETY: the caller upholds the contract, which is the same.
    unsafe { backend::backend() }
}

/// Starts a child that shares memory and runs the plan, and returns its pid, and its report if it failed. The
/// caller must wait for the child, even if it failed.
///
/// # Errors
///
/// Returns [`LaunchError::Parent`] or [`LaunchError::ForkRequired`] if no child was started.
///
/// # Safety
///
/// The caller must own or borrow each descriptor that the plan names until this returns. If the plan has no
/// environment of its own, no thread may change that of the process meanwhile.
///
/// # Examples
///
/// ```
/// use forkexec::raw::spawn_unreaped;
/// use forkexec_core::{CStrArray, Exec, Plan, ThinCStr};
///
/// let argv = [Some(ThinCStr::from(c"sh")), Some(ThinCStr::from(c"-c")), Some(ThinCStr::from(c"exit 3")), None];
/// let exec = Exec {
///     candidates: &[c"/bin/sh"],
///     argv: CStrArray::new(&argv).ok_or("it ends with a null pointer")?,
///     env: Some(CStrArray::EMPTY),
///     shell: None,
/// };
/// // SAFETY: the plan names no descriptor, and has an environment of its own.
/// match unsafe { spawn_unreaped(&Plan::new(exec)) } {
///     Ok((pid, report)) => {
///         assert!(report.is_none());
///         let mut status = 0;
///         // SAFETY: waitpid(2) writes one int, and the child is this caller's.
///         assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
///         assert_eq!(libc::WEXITSTATUS(status), 3);
///     }
///     Err(error) => println!("only fork works here: {error:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub unsafe fn spawn_unreaped(plan: &Plan<'_>) -> Result<(Pid, Option<Report>), LaunchError> {
    // SAFETY: the caller upholds the contract, which is the same.
    unsafe { system::spawn_unreaped(plan) }
}

/// Forks a child that runs the plan and reports to `reporter`, and returns its pid. The caller must wait for
/// the child, even if it failed.
///
/// # Errors
///
/// Returns [`LaunchError::Parent`] if no child was started.
///
/// # Safety
///
/// As [`spawn_unreaped`].
///
/// # Examples
///
/// See [`spawn_unreaped`], which takes the same plan.
pub unsafe fn fork_unreaped<R: Reporter + ?Sized>(plan: &Plan<'_>, reporter: &R) -> Result<Pid, LaunchError> {
    // SAFETY: the caller upholds the contract, which is the same.
    unsafe { system::fork_unreaped(plan, reporter) }
}

/// Returns the steps that put all sources under their targets. The keys are the targets.
///
/// # Examples
///
/// ```
/// use forkexec_core::Move;
/// use std::collections::BTreeMap;
///
/// let moves = forkexec::raw::moves(&BTreeMap::from([(7, 4)]));
/// assert!(matches!(moves[..], [Move::Copy { to: 7, .. }]));
/// ```
pub fn moves(mappings: &BTreeMap<Fd, Fd>) -> Vec<Move> {
    let sources = mappings.iter().map(|(&to, &from)| (to, Source::Fd(from)));
    moves::order(&sources.collect(), &[])
}

/// Returns the highest number that a new descriptor of this process can have.
///
/// # Examples
///
/// ```
/// assert!(forkexec::raw::highest_target() >= 2);
/// ```
pub fn highest_target() -> Fd {
    fd::highest_target()
}

/// A low number for a high descriptor. The drop releases it.
///
/// # Examples
///
/// See [`lend`].
pub struct Lent(LowFd<'static>);

impl Lent {
    /// Returns the number.
    pub fn number(&self) -> Fd {
        self.0.number()
    }
}

/// Duplicates these descriptors to low numbers that are `usable`, if that makes a start faster: all of them,
/// or none. It does not if the child can take them from this process. The duplicates are close-on-exec.
///
/// # Examples
///
/// ```
/// // Without high descriptors there is nothing to gain.
/// assert!(forkexec::raw::lend(&[], |_| true).is_none());
/// ```
pub fn lend(high: &[BorrowedFd<'_>], usable: impl Fn(Fd) -> bool) -> Option<Vec<Lent>> {
    let is_of_use = system::shares_table() && !system::may_take(false);
    if is_of_use { lend_all(high, usable) } else { None }
}

fn lend_all(high: &[BorrowedFd<'_>], usable: impl Fn(Fd) -> bool) -> Option<Vec<Lent>> {
    if high.is_empty() || !high.iter().all(|&fd| system::is_never_locked(fd)) {
        return None;
    }
    low_fds::reserve_first();
    high.iter().map(|&fd| low_fds::acquire(fd, &usable).map(Lent)).collect()
}

/// The first high number.
pub const HIGH: Fd = low_fds::HIGH;

#[cfg(test)]
mod tests {
    use super::{HIGH, Lent, highest_target, lend, lend_all, moves};
    use crate::child_fds::low_fds::{LOW_NUMBERS, reserve_low_fds};
    use crate::sys::fd::{duplicate, pipe};
    use crate::sys::system;
    use forkexec_core::{Fd, Move};
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn moves_read_each_source_before_they_replace_it() {
        let found = moves(&BTreeMap::from([(7, 4), (9, 7)]));
        assert_eq!(found, [Move::copy(7, 9), Move::copy(4, 7)]);
    }

    #[test]
    fn descriptor_can_have_the_highest_target() {
        let null = File::open("/dev/null").expect("it is there");
        assert!(duplicate(&null, highest_target()).is_ok());
        assert!(duplicate(&null, highest_target() + 1).is_err());
    }

    #[test]
    fn pipes_are_lent_under_usable_low_numbers() {
        if !system::shares_table() {
            return;
        }
        let _alone = LOW_NUMBERS.lock();
        let reserved = reserve_low_fds(4).expect("a pipe can be made");
        let (first, second) = pipe().expect("a pipe can be made");
        let file = tempfile::tempfile().expect("a file can be made");
        let pipes = [first.as_fd(), second.as_fd()];
        let numbers = |usable: fn(Fd) -> bool| {
            let lent = lend_all(&pipes, usable);
            lent.map(|lent| lent.iter().map(Lent::number).collect::<Vec<_>>())
        };
        let lent = numbers(|_| true);
        assert_eq!(lent.is_some(), reserved > 1);
        assert!(lent.is_none_or(
            |numbers| numbers[0] != numbers[1] && numbers.iter().all(|number| (3..HIGH).contains(number))
        ));
        assert_eq!(numbers(|_| false), None, "no number is usable");
        assert!(lend_all(&[], |_| true).is_none(), "nothing is to be lent");
        let with_file = [first.as_fd(), file.as_fd()];
        assert!(lend_all(&with_file, |_| true).is_none(), "a file may be locked");
        reserve_low_fds(0).expect("closing cannot fail");
    }

    /// On other systems, no child shares its table with this process.
    #[test]
    fn nothing_is_lent_to_a_child_that_takes_descriptors() {
        let null = File::open("/dev/null").expect("it is there");
        if system::may_take(false) || !system::shares_table() {
            assert!(lend(&[null.as_fd()], |_| true).is_none());
        }
    }
}
