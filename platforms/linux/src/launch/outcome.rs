//! What became of a child that shared memory, now that its parent goes on.

use crate::{CloneSys, Linux, Started, execed};
use forkexec_core::{Backend, Closed, Errno, Pid, Report, Slot, Stage};

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
pub(super) fn outcome<S: CloneSys + Sync>(backend: &Linux<S>, slot: &Slot, child: &Started) -> Outcome {
    let sys = backend.sys();
    let stage = slot.entered();
    if slot.failure().is_none() && stage == Stage::Exec && runs(sys, child.pid) {
        let closed = slot.how_closed();
        backend.learn(&closed);
        return Outcome::Runs(closed);
    }
    if let Some(pidfd) = child.pidfd {
        let _ = sys.close(pidfd);
    }
    let status = sys.reap(child.pid);
    slot.failure().map_or(Outcome::Died { stage, status }, Outcome::Failed)
}

/// Whether a child that began its exec runs the program. It may have been ended in the very call.
///
/// A kernel that does not make its termination signal `SIGCHLD` at exec has the last word in `/proc`.
fn runs<S: CloneSys>(sys: &S, child: Pid) -> bool {
    sys.find_unexecuted(child) == Err(Errno::CHILD)
        || execed::by_procfs(sys, child, sys.process()) == Some(true)
}
