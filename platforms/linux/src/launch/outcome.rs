//! The outcome of a child that shared memory, after its parent continues.

use super::first::Memory;
use crate::{CloneSys, Linux, Started, autoreaped_end, execed};
use core::ffi::c_int;
use forkexec_core::{Backend, Closed, Fd, Pid, Report, SharedReport, Stage};

/// The outcome of a start.
pub(super) enum Outcome {
    /// It runs its program.
    Runs(Closed),
    /// It reported a failure, and was reaped.
    Failed(Report),
    /// It ended before its program ran, and was reaped.
    Died {
        /// The stage that the child had begun.
        stage: Stage,
        /// The status, unless other code reaped the child.
        status: Option<i32>,
    },
}

/// Returns the outcome of the child that reported to `shared`.
pub(super) fn outcome<S: CloneSys + Sync>(
    backend: &Linux<S>,
    shared: &SharedReport,
    child: &Started,
    memory: Memory,
    is_suspended: bool,
    is_autoreaped: bool,
) -> Outcome {
    let sys = backend.sys();
    let stage = shared.entered();
    let autoreaped = child.pidfd.filter(|_| is_autoreaped);
    let end = match memory {
        Memory::Copied(end) => end,
        // Its end is found while the launcher waits for its stop, which wait4(2) would take.
        Memory::Shared if shared.failure().is_none() && stage == Stage::Exec && is_suspended => End::None,
        Memory::Shared if shared.failure().is_none() && stage == Stage::Exec => match autoreaped {
            Some(pidfd) => end_of_autoreaped(sys, pidfd),
            None => end_of(sys, child.pid),
        },
        Memory::Shared => End::Near,
    };
    if end == End::None {
        let closed = shared.how_closed();
        backend.learn(&closed);
        return Outcome::Runs(closed);
    }
    let status = match (end, autoreaped) {
        (End::With(status), _) => Some(status),
        // Another child may already have its pid.
        (_, Some(pidfd)) => autoreaped_end(sys, pidfd, true).ok().flatten(),
        (_, None) => sys.reap(child.pid),
    };
    if let Some(pidfd) = child.pidfd {
        let _ = sys.close(pidfd);
    }
    shared.failure().map_or(Outcome::Died { stage, status }, Outcome::Failed)
}

/// The end of a child that executed no program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The child has executed a program.
    None,
    /// The child has ended or is about to, and is not reaped.
    Near,
    /// The child has ended with this status, and is reaped.
    With(c_int),
}

/// Returns the end of a child that began its exec and that the kernel reaps.
///
/// `ECHILD` means that it has executed a program, or is already reaped. If it is reaped, nothing distinguishes a death within
/// execve(2) from one right after it. Then the child counts as started, and its status shows the signal.
fn end_of_autoreaped<S: CloneSys>(sys: &S, pidfd: Fd) -> End {
    if sys.find_unexecuted(pidfd).is_ok() { End::Near } else { End::None }
}

/// Returns the end of a child that began its exec. It may have ended within execve(2).
///
/// If a kernel does not set the termination signal to `SIGCHLD` at exec, `/proc` decides.
fn end_of<S: CloneSys>(sys: &S, child: Pid) -> End {
    match sys.reap_unexecuted(child) {
        // `ECHILD`. After any other error nothing could tell, and the child counts as started.
        Err(_) => End::None,
        Ok(Some(status)) => End::With(status),
        Ok(None) if execed::by_procfs(sys, child, sys.getpid()) == Some(true) => End::None,
        Ok(None) => End::Near,
    }
}
