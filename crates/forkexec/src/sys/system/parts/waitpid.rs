//! Waiting by pid on systems that do not report the resource usage of a single child: waitpid(3).

use crate::sys::waitid::Ending;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// No usage is reported, so nothing is inherited.
pub(crate) fn inherited_peak() -> u64 {
    0
}

/// Returns how a child ended, or `None` if it has not ended and `options` has `WNOHANG`.
pub(crate) fn ending_by_number(pid: i32, options: i32) -> io::Result<Option<Ending>> {
    let mut status = 0;
    // SAFETY: waitpid(3) writes one int, which outlives the call.
    match unsafe { libc::waitpid(pid, &raw mut status, options) } {
        0 => Ok(None),
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(Some(Ending { status: ExitStatus::from_raw(status), usage: None })),
    }
}
