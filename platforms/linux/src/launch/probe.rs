//! Whether a child that is to share memory does: a mark that a first child leaves is there, or is not.
//!
//! Emulators of user programs (QEMU's `linux-user`) and tools such as Valgrind turn `CLONE_VM | CLONE_VFORK` into fork(2): the
//! parent goes on at once, and what the child writes stays its own. The slot of a launch would tell nothing.

use crate::{Call, CloneSys, Start, Top};
use core::sync::atomic::{AtomicBool, Ordering};
use forkexec_core::{Errno, LaunchError, Obstacle, Stage};

/// Starts a child that leaves a mark and ends.
pub(super) fn probe<S: CloneSys>(sys: &S, top: Top) -> Result<Result<(), Obstacle>, LaunchError> {
    let signals = sys.block_signals().map_err(super::setup)?;
    let shared = match is_shared(sys, top, Call::Clone) {
        // Any other errno says nothing of the call, and that of clone3(2) would hide it.
        Err(errno) if errno.is_refusal() => is_shared(sys, top, Call::Clone3),
        answer => answer,
    };
    // Setting back a mask that was in force a moment ago cannot fail: the set is valid.
    let _ = sys.set_mask(signals);
    match shared {
        Ok(true) => Ok(Ok(())),
        Ok(false) => Ok(Err(Obstacle::NotShared)),
        Err(errno) if errno.is_refusal() => Ok(Err(Obstacle::Refused(errno))),
        Err(errno) => Err(LaunchError::Parent { stage: Stage::Start, errno }),
    }
}

/// Whether the mark of a child that this call starts is seen. It shares no descriptor table, since tools know that least.
fn is_shared<S: CloneSys>(sys: &S, top: Top, call: Call) -> Result<bool, Errno> {
    let mark = AtomicBool::new(false);
    let start = Start { call, pidfd: false, shares_table: false, announced: false, cgroup: None };
    let leave_mark = || {
        mark.store(true, Ordering::Release);
        0
    };
    // SAFETY: the stack is lent to this start alone; all that the child does on it is to store one byte, for which this frame
    // waits. `probe` blocked all signals.
    let started = unsafe { sys.start(start, top, &leave_mark) };
    sys.reap(started?.pid);
    Ok(mark.load(Ordering::Acquire))
}
