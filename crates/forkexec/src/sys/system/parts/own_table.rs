//! Systems on which a child has its own descriptor table from the start. No descriptor is moved to a low
//! number.

use forkexec_core::{Errno, Fd};
use std::os::fd::BorrowedFd;

pub(crate) fn shares_table() -> bool {
    false
}

pub(crate) fn may_take(_reopens: bool) -> bool {
    false
}

/// # Safety
///
/// None: nothing is replaced.
pub(crate) unsafe fn replace(_from: BorrowedFd<'_>, _to: Fd) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

pub(crate) fn is_never_locked(_fd: BorrowedFd<'_>) -> bool {
    false
}
