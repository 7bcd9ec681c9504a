//! What became of a child that shared memory, now that its parent goes on.

use super::first::Memory;
use crate::{CloneSys, Linux, Started, execed};
use core::ffi::c_int;
use forkexec_core::{Backend, Closed, Pid, Report, SharedReport, Stage};

/// What became of it.
pub(super) enum Outcome {
    /// It runs its program.
    Runs(Closed),
    /// It reported a failure, and was reaped.
    Failed(Report),
    /// It ended before its program ran, and was reaped.
    Died {
        /// The stage that it had begun.
        stage: Stage,
        /// How it ended, if nobody else took that.
        status: Option<i32>,
    },
}

/// What became of the child that `slot` belongs to.
pub(super) fn outcome<S: CloneSys + Sync>(
    backend: &Linux<S>,
    slot: &SharedReport,
    child: &Started,
    memory: Memory,
) -> Outcome {
    let sys = backend.sys();
    let stage = slot.entered();
    let end = match memory {
        Memory::Copied(end) => end,
        Memory::Shared if slot.failure().is_none() && stage == Stage::Exec => end_of(sys, child.pid),
        Memory::Shared => End::Near,
    };
    if end == End::None {
        let closed = slot.how_closed();
        backend.learn(&closed);
        return Outcome::Runs(closed);
    }
    if let Some(pidfd) = child.pidfd {
        let _ = sys.close(pidfd);
    }
    let status = if let End::With(status) = end { Some(status) } else { sys.reap(child.pid) };
    slot.failure().map_or(Outcome::Died { stage, status }, Outcome::Failed)
}

/// The end of a child without a program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// There is none: it has a program.
    None,
    /// It is to be waited for.
    Near,
    /// It was waited for.
    With(c_int),
}

/// The end of a child that began its exec: it may have been ended in the very call.
///
/// A kernel that does not make its termination signal `SIGCHLD` at exec has the last word in `/proc`.
fn end_of<S: CloneSys>(sys: &S, child: Pid) -> End {
    match sys.reap_unexecuted(child) {
        // `ECHILD`. Where anything else could be answered, nothing would tell, and the child be believed.
        Err(_) => End::None,
        Ok(Some(status)) => End::With(status),
        Ok(None) if execed::by_procfs(sys, child, sys.getpid()) == Some(true) => End::None,
        Ok(None) => End::Near,
    }
}
