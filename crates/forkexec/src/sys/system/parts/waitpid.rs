//! Waiting by number, where nothing is told of what a single child used: waitpid(3).

use crate::sys::waitid::Ending;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Nothing is told that could be the parent's.
pub(crate) fn inherited_peak() -> u64 {
    0
}

/// How a child ended, `None` if it has not and `options` say not to wait for that.
pub(crate) fn ending_by_number(pid: i32, options: i32) -> io::Result<Option<Ending>> {
    let mut status = 0;
    // SAFETY: one int is written.
    match unsafe { libc::waitpid(pid, &raw mut status, options) } {
        0 => Ok(None),
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(Some(Ending { status: ExitStatus::from_raw(status), usage: None })),
    }
}
