//! The capacity of a pipe, which Linux can change: fcntl(2).

use nix::fcntl::{FcntlArg, fcntl};
use std::io;
use std::os::fd::BorrowedFd;

/// True if [`set_pipe_capacity`] can work.
pub(crate) const SETS_PIPE_CAPACITY: bool = true;

/// Gives a pipe room for at least this many bytes.
pub(crate) fn set_pipe_capacity(pipe: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    let bytes = i32::try_from(bytes).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    Ok(fcntl(pipe, FcntlArg::F_SETPIPE_SZ(bytes)).map(drop)?)
}
