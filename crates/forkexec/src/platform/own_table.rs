//! Children that have a descriptor table of their own from the start: nothing is lifted to low numbers.

use forkexec_core::{Errno, Fd};

pub(crate) fn shares_table() -> bool {
    false
}

pub(crate) fn replace(_from: Fd, _to: Fd) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

pub(crate) fn is_never_locked(_fd: Fd) -> bool {
    false
}
