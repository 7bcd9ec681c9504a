//! Children whose end is somebody else's to see: it is announced like that of any child, and nobody waits for them here.

use super::{CloneVariant, Failed, LinuxLauncher};
use crate::{CloneSys, Started};
use forkexec_core::{Backend, LaunchError, Pid, Plan, Report, Reporter, Stage};

impl<S: CloneSys + Sync> LinuxLauncher<'_, S> {
    /// Starts a child that shares memory, and says what it reported, if it failed. Nothing is waited for: whoever waits for
    /// children finds it, failed or not. It runs a program or has ended when this comes back.
    ///
    /// # Errors
    ///
    /// [`LaunchError::Parent`] and [`LaunchError::ForkRequired`]: there is no child. [`LaunchError::Child`] and
    /// [`LaunchError::Died`]: nor is there any more, because a filter traps a call of its plan.
    pub fn spawn_unreaped(&self, plan: &Plan<'_>) -> Result<(Pid, Option<Report>), LaunchError> {
        self.permit(plan)?;
        self.start_untrapped(plan, || self.by_the_best_method(plan, &|way| self.attempt_announced(way, plan)))
    }

    /// Forks a child that tells `reporter` how it goes. It is the caller's to wait for, too.
    ///
    /// # Errors
    ///
    /// [`LaunchError::Parent`]: there is no child.
    pub fn fork_unreaped<R: Reporter + ?Sized>(
        &self,
        plan: &Plan<'_>,
        reporter: &R,
    ) -> Result<Pid, LaunchError> {
        let child = self.fork.spawn_unreaped(plan, reporter);
        if child.is_ok() {
            self.ways.note_fork();
        }
        child
    }

    fn attempt_announced(&self, way: CloneVariant, plan: &Plan<'_>) -> Result<(Pid, Option<Report>), Failed> {
        self.with_child(way, plan, true, |slot, Started { pid, pidfd }, _| {
            if let Some(pidfd) = pidfd {
                let _ = self.backend.sys().close(pidfd);
            }
            let failure = slot.failure();
            if let Some(report) = failure.filter(is_refusal_of_the_method) {
                // It touched nothing. Another one takes its place, and nobody is to find this one.
                self.backend.sys().reap(pid);
                return Err(Failed::Finally(super::failed(report)));
            }
            let stage = slot.entered();
            if failure.is_none()
                && matches!(stage, Stage::UnshareFiles | Stage::Close)
                && self.backend.sys().signal_that_ended(pid) == Some(libc::SIGSYS)
            {
                let status = self.backend.sys().reap(pid);
                return Err(Failed::Finally(LaunchError::Died { stage, status }));
            }
            self.backend.learn(&slot.how_closed());
            Ok((pid, failure))
        })
    }
}

/// Whether a child could not make the shared table its own, and nothing else is wrong.
pub(super) fn is_refusal_of_the_method(report: &Report) -> bool {
    report.stage == Stage::UnshareFiles && report.errno.is_refusal()
}
