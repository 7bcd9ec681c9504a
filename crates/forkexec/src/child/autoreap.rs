//! The guarantees of a child that the kernel reaps.

use crate::child::Child;
use forkexec_core::Autoreap;

/// The means by which the kernel ends a child when its parent dies ([`Child::parent_death`]).
///
/// # Examples
///
/// See [`Child::parent_death`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParentDeath {
    /// The parent-death signal: `PR_SET_PDEATHSIG` of prctl(2), `PROC_PDEATHSIG_CTL` of procctl(2). The child may
    /// change it, and the kernel clears it if the child executes a set-user-id program.
    Signal,
    /// The kernel kills the child when the last copy of its [`pidfd`](Child::pidfd) is closed
    /// (`CLONE_PIDFD_AUTOKILL` of clone3(2)). The child cannot change that.
    Pidfd,
}

impl Child {
    /// Returns true if the kernel reaps the child, as [`Command::autoreap`](crate::Command::autoreap) asks: no other
    /// code can take its status, and it never is a zombie.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut child = Command::new("true").autoreap(true).spawn()?;
    /// if !child.is_autoreaped() {
    ///     println!("this kernel is older than Linux 7.1, so other code can take the status");
    /// }
    /// assert!(child.wait()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn is_autoreaped(&self) -> bool {
        self.process.handle().autoreap().is_some()
    }

    /// Returns how the kernel ends the child when this process dies, or `None` without
    /// [`Command::die_with_parent`](crate::Command::die_with_parent).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Operation, ParentDeath};
    ///
    /// let mut command = Command::new("true");
    /// if forkexec::supports(Operation::DieWithParent) {
    ///     command.die_with_parent(libc::SIGKILL).autoreap(true);
    /// }
    /// let mut child = command.spawn()?;
    /// if child.parent_death() == Some(ParentDeath::Pidfd) {
    ///     assert!(child.is_autoreaped());
    /// }
    /// assert!(child.wait()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn parent_death(&self) -> Option<ParentDeath> {
        match self.process.handle().autoreap() {
            Some(Autoreap::ReapAndKill) => Some(ParentDeath::Pidfd),
            _ => self.has_death_signal.then_some(ParentDeath::Signal),
        }
    }
}
