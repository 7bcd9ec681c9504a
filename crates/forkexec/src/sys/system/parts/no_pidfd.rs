//! Systems without a descriptor by which a child could be signalled.

use crate::sys::waitid::Ending;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

pub(crate) use crate::sys::system::{ending_by_number, inherited_peak};

/// True if a status can be read without taking it.
pub(crate) const LEAVES_STATUS: bool = false;

pub(crate) fn open(_pid: i32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn signal(_process: BorrowedFd<'_>, _pid: i32, _signal: i32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn ending(_child: BorrowedFd<'_>, _options: i32) -> io::Result<Option<Ending>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not used, because no kernel reaps a child for its parent.
pub(crate) fn send(_child: BorrowedFd<'_>, _signal: i32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// As [`send`].
pub(crate) fn signal_group(_leader: BorrowedFd<'_>, _signal: i32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// As [`send`].
pub(crate) fn autoreaped_ending(_child: BorrowedFd<'_>, _blocks: bool) -> io::Result<Option<Ending>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not used, because no status is left in place.
pub(crate) fn change(_pid: i32, _options: i32) -> io::Result<Option<Ending>> {
    Err(io::ErrorKind::Unsupported.into())
}
