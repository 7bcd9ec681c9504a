//! No launcher of this system gives a descriptor of the child, so that nobody has one to ask about.

use std::io;
use std::os::fd::BorrowedFd;
use std::process::ExitStatus;

pub(crate) fn signal(_child: BorrowedFd<'_>, _signal: i32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn status(_child: BorrowedFd<'_>, _options: i32) -> io::Result<Option<ExitStatus>> {
    Err(io::ErrorKind::Unsupported.into())
}
