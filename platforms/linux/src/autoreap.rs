//! The end of a child that the kernel reaps (`CLONE_AUTOREAP` of clone3(2), Linux 7.1).
//!
//! No wait finds such a child after its end. Its status is part of its pidfd (`PIDFD_GET_INFO`), from the moment at which the
//! kernel releases the process. poll(2) reports `POLLIN` at the end of the process, and `POLLHUP` after that moment
//! (`pidfd_poll` and `pidfs_exit` in fs/pidfs.c).
//!
//! A tracer gets the end first, as for every process (`do_notify_parent` in kernel/signal.c). If that is this process, only a
//! wait of this process releases the child, and returns its status.

use crate::CloneSys;
use core::ffi::c_int;
use forkexec_core::{Errno, Fd};

/// An event of a pidfd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PidfdEvent {
    /// The process has ended.
    Ended,
    /// The process has ended, and the kernel has released it.
    Released,
}

/// Returns the status of a child that the kernel reaps, or `None` if it has not ended. With `blocks` it waits for the end.
///
/// The status stays in the pidfd, so each call returns it. If a debugger holds the end back, a call without `blocks` returns
/// `None` after 10 ms.
///
/// # Errors
///
/// Returns the errno of poll(2) or of `PIDFD_GET_INFO`, and `ESRCH` if the kernel has released the child without a status.
pub fn autoreaped_end<S: CloneSys>(sys: &S, pidfd: Fd, blocks: bool) -> Result<Option<c_int>, Errno> {
    let limit = if blocks { None } else { Some(0) };
    loop {
        if !poll(sys, pidfd, PidfdEvent::Ended, limit)? {
            return Ok(None);
        }
        let is_released = poll(sys, pidfd, PidfdEvent::Released, Some(0))?;
        match sys.pidfd_exit_status(pidfd) {
            // `ESRCH` also if the kernel releases the process during the call.
            Ok(None) | Err(Errno::SRCH) if is_released => return Err(Errno::SRCH),
            Ok(None) | Err(Errno::SRCH) => {}
            known => return known,
        }
        // After any error there is nothing to reap for a tracer.
        if let Ok(Some(status)) = sys.reap_by_pidfd(pidfd) {
            return Ok(Some(status));
        }
        if !poll(sys, pidfd, PidfdEvent::Released, Some(RELEASE))? && !blocks {
            return Ok(None);
        }
    }
}

/// The kernel releases a child right after its end. This is the number of milliseconds to wait for that.
const RELEASE: u8 = 10;

fn poll<S: CloneSys>(sys: &S, pidfd: Fd, event: PidfdEvent, limit: Option<u8>) -> Result<bool, Errno> {
    loop {
        match sys.poll_pidfd(pidfd, event, limit) {
            Err(Errno::INTR) => {}
            polled => return polled,
        }
    }
}

/// Returns whether a filter lets this process read the status of a child from its pidfd. Without a descriptor the kernel
/// answers `EBADF`, and does nothing.
pub(crate) fn reads_status<S: CloneSys>(sys: &S) -> bool {
    const NO_PIDFD: Fd = -1;
    sys.pidfd_exit_status(NO_PIDFD) == Err(Errno::BADF)
}
