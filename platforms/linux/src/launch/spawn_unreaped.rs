//! Children that the caller reaps. Their termination signal is `SIGCHLD`, and the launcher does not wait for them.

use super::{CloneVariant, Failed, LinuxLauncher};
use crate::{CloneSys, Started};
use forkexec_core::{Backend, Errno, LaunchError, Pid, Plan, Report, Reporter, Stage};

impl<S: CloneSys + Sync> LinuxLauncher<'_, S> {
    /// Starts a child that shares memory. Returns its report if it failed. The caller reaps it, whether it failed or not. When
    /// this returns, the child runs a program or has ended.
    ///
    /// # Errors
    ///
    /// Returns [`LaunchError::Parent`] or [`LaunchError::ForkRequired`] if there is no child. Returns [`LaunchError::Child`] or
    /// [`LaunchError::Died`] if a filter traps a call of its plan, or if a suspended child ends; then the child is already reaped.
    pub fn spawn_unreaped(&self, plan: &Plan<'_>) -> Result<(Pid, Option<Report>), LaunchError> {
        self.permit(plan)?;
        self.start_untrapped(plan, || {
            self.by_the_best_method(plan, &|variant| self.attempt_announced(variant, plan))
        })
    }

    /// Forks a child that reports to `reporter`. The caller reaps it, too.
    ///
    /// # Errors
    ///
    /// Returns [`LaunchError::Parent`] if there is no child, and for a plan that is suspended.
    pub fn fork_unreaped<R: Reporter + ?Sized>(
        &self,
        plan: &Plan<'_>,
        reporter: &R,
    ) -> Result<Pid, LaunchError> {
        if plan.is_suspended() {
            // The caller learns when the child stops, and this launcher does not.
            return Err(LaunchError::Parent { stage: Stage::Suspend, errno: Errno::NOSYS });
        }
        let child = self.fork.spawn_unreaped(plan, reporter);
        if child.is_ok() {
            self.sharing.note_fork();
        }
        child
    }

    fn attempt_announced(
        &self,
        variant: CloneVariant,
        plan: &Plan<'_>,
    ) -> Result<(Pid, Option<Report>), Failed> {
        self.with_child(variant, plan, true, |shared, Started { pid, pidfd }, _| {
            if let Some(pidfd) = pidfd {
                let _ = self.backend.sys().close(pidfd);
            }
            let failure = shared.failure();
            if let Some(report) = failure.filter(is_refusal_of_the_method) {
                // It changed nothing, and another child replaces it. So the caller must not find this one.
                self.backend.sys().reap(pid);
                return Err(super::failed(report));
            }
            let stage = shared.entered();
            if failure.is_none()
                && matches!(stage, Stage::UnshareFiles | Stage::TakeFds | Stage::Close)
                && self.backend.sys().signal_that_ended(pid) == Some(libc::SIGSYS)
            {
                let status = self.backend.sys().reap(pid);
                return Err(Failed::Finally(LaunchError::Died { stage, status }));
            }
            self.backend.learn(&shared.how_closed());
            if failure.is_none() && plan.is_suspended() {
                self.leave_stopped(plan, pid).map_err(Failed::Finally)?;
            }
            Ok((pid, failure))
        })
    }
}

/// Returns whether the child failed only because it could not replace the shared table, or take a descriptor from the parent.
pub(super) fn is_refusal_of_the_method(report: &Report) -> bool {
    match report.stage {
        Stage::TakeFds => true,
        Stage::UnshareFiles => report.errno.is_refusal(),
        _ => false,
    }
}
