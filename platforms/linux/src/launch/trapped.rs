//! Calls that a seccomp filter traps: a child that died of SIGSYS, and operations that a release of Android forbids.

use super::LinuxLauncher;
use crate::{AndroidCall, CloneSys};
use core::ffi::c_int;
use forkexec_core::{Backend, Errno, LaunchError, Plan, Report, Stage};

impl<S: CloneSys + Sync> LinuxLauncher<'_, S> {
    /// Starts a child, and retries as long as a child dies of a call that the next one does not make.
    ///
    /// There is no retry if a closure may have run in the child, or if its session had the terminal, which was then hung up. In
    /// that case the error is that of the first child. Later starts do not make the call in any case.
    pub(super) fn start_untrapped<T>(
        &self,
        plan: &Plan<'_>,
        start: impl Fn() -> Result<T, LaunchError>,
    ) -> Result<T, LaunchError> {
        self.backend.before_launch();
        loop {
            let asked = plan.close.map(|strategy| self.backend.first_asked(strategy));
            let started = start();
            let Some(stage) = trapped_at(&started) else { return started };
            let learned = asked.is_some_and(|asked| self.backend.learn_trap(stage, asked));
            let has_acted = stage > Stage::TakeFds && (plan.hook.is_some() || plan.terminal.is_some());
            if !learned || has_acted {
                return started;
            }
        }
    }

    /// Refuses an operation whose call the filter of apps traps.
    ///
    /// A process of Android that is no app has no filter, and may make the calls.
    pub(super) fn permit(&self, plan: &Plan<'_>) -> Result<(), LaunchError> {
        let has = |stage: Stage| plan.attributes.iter().any(|attribute| attribute.stage() == stage);
        // An app has no capability for the first three, so the kernel would answer the same without the filter.
        let asked = [
            (AndroidCall::Chroot, Stage::Chroot, Errno::PERM, plan.root.is_some()),
            (AndroidCall::SetGroups, Stage::Groups, Errno::PERM, plan.groups.is_some()),
            (AndroidCall::SetGid, Stage::Gid, Errno::PERM, plan.gid.is_some()),
            (AndroidCall::SetMemoryPolicy, Stage::MemoryPolicy, Errno::NOSYS, has(Stage::MemoryPolicy)),
            (AndroidCall::Keyctl, Stage::SessionKeyring, Errno::NOSYS, has(Stage::SessionKeyring)),
            (AndroidCall::Landlock, Stage::Landlock, Errno::NOSYS, has(Stage::Landlock)),
        ];
        let trapped = asked.into_iter().find(|(call, .., is_asked)| *is_asked && !self.backend.allows(*call));
        match trapped {
            Some((_, stage, errno, _)) if self.backend.sys().is_filtered() != Ok(false) => {
                Err(LaunchError::Child(Report { stage, errno, operand: 0 }))
            }
            _ => Ok(()),
        }
    }
}

/// The stage in which SIGSYS killed a child, with a core dump or without.
fn trapped_at<T>(started: &Result<T, LaunchError>) -> Option<Stage> {
    match *started {
        Err(LaunchError::Died { stage, status: Some(status) }) if status & TERMINATION == libc::SIGSYS => {
            Some(stage)
        }
        _ => None,
    }
}

/// The bits of a status of waitpid(2) that hold the signal.
const TERMINATION: c_int = 0x7f;
