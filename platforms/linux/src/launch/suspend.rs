//! A child that starts suspended: the stop at its exec, and the end of its tracing.
//!
//! The child becomes traced right before its exec ([`Attribute::Suspended`](forkexec_core::Attribute::Suspended)). Its tracer is the
//! thread that started it. execve(2) stops it by `SIGTRAP` before its first instruction. The launcher ends the tracing with
//! `SIGSTOP` in the place of that signal, so the child stays stopped and any process may trace it.
//!
//! The launcher does not wait for the report of the stop, because a waitpid(2) in another thread may take it. It repeats the call,
//! which fails until the child has stopped.
//!
//! If `SIGCONT` comes before the child stops by `SIGSTOP`, the child continues: `JOBCTL_STOP_DEQUEUED` of kernel/signal.c.
//!
//! Limitation: a `SIGSTOP` or `SIGTRAP` of another process between `PTRACE_TRACEME` and execve(2) stops the child with its tracer
//! suspended. `SIGKILL` ends both waits. No other signal arrives then, because all are blocked.

use super::{Failed, LinuxLauncher};
use crate::{CloneSys, Started};
use forkexec_core::{Backend, Errno, LaunchError, Mask, Pid, Plan, Report, SignalSet, Stage};

impl<S: CloneSys + Sync> LinuxLauncher<'_, S> {
    /// As [`leave_stopped`](Self::leave_stopped), for a child with a descriptor. Closes it if that fails.
    pub(super) fn leave_started_stopped(&self, plan: &Plan<'_>, started: &Started) -> Result<(), Failed> {
        self.leave_stopped(plan, started.pid).map_err(|error| {
            if let Some(pidfd) = started.pidfd {
                let _ = self.backend.sys().close(pidfd);
            }
            Failed::Finally(error)
        })
    }

    /// Leaves a child stopped that this thread traces. If that fails, kills and reaps the child.
    pub(super) fn leave_stopped(&self, plan: &Plan<'_>, child: Pid) -> Result<(), LaunchError> {
        let sys = self.backend.sys();
        let mask = match plan.mask {
            Mask::Set(mask) => Ok(mask),
            Mask::Inherit => own_mask(sys),
        };
        loop {
            let detached = mask.and_then(|mask| {
                sys.set_mask_of(child, mask)?;
                sys.detach(child, libc::SIGSTOP)
            });
            match detached {
                Ok(()) => return Ok(()),
                Err(Errno::SRCH) if sys.has_ended(child) => {
                    return Err(LaunchError::Died { stage: Stage::Exec, status: sys.reap(child) });
                }
                Err(Errno::SRCH) => sys.pause(1),
                Err(errno) => {
                    let _ = sys.kill(child, libc::SIGKILL);
                    // wait4(2) may return the stop of a traced child.
                    while !sys.has_ended(child) {
                        sys.pause(1);
                    }
                    sys.reap(child);
                    return Err(LaunchError::Child(Report { stage: Stage::Suspend, errno, operand: 0 }));
                }
            }
        }
    }
}

/// The mask of this thread.
fn own_mask<S: CloneSys>(sys: &S) -> Result<SignalSet, Errno> {
    let mask = sys.block_signals()?;
    sys.set_mask(mask)?;
    Ok(mask)
}
