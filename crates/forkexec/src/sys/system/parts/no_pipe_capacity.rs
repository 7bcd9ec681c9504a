//! Systems whose pipes have a fixed capacity.

use std::io;
use std::os::fd::BorrowedFd;

/// True if [`set_pipe_capacity`] can work.
pub(crate) const SETS_PIPE_CAPACITY: bool = false;

/// Refuses: a command that asks for it is refused before.
pub(crate) fn set_pipe_capacity(_pipe: BorrowedFd<'_>, _bytes: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
