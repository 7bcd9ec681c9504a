//! Pseudo-terminals of Solaris and illumos, whose user end is a stream. It is a terminal only with the
//! modules `ptem` and `ldterm` (pts(4D)), which the C library pushes at the first opening.

#[path = "pty_pair.rs"]
mod pair;

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

pub(crate) use pair::open_pair;

pub(crate) fn open_user(controller: BorrowedFd<'_>, path: Option<&Path>) -> io::Result<OwnedFd> {
    let user = pair::open_user(controller, path)?;
    // SAFETY: the call reads a flag of an open descriptor.
    if unsafe { libc::isatty(user.as_raw_fd()) } == 1 {
        return Ok(user); // another process has it open, with the modules
    }
    [c"ptem", c"ldterm"].into_iter().try_for_each(|module| push(&user, module))?;
    Ok(user)
}

fn push(stream: &OwnedFd, module: &CStr) -> io::Result<()> {
    // SAFETY: the call reads the name, which ends with NUL. `stream` owns the descriptor.
    let done = unsafe { libc::ioctl(stream.as_raw_fd(), libc::I_PUSH, module.as_ptr()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
