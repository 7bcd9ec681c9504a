//! Waiting for a child and signalling it, by its process id.

use crate::Error;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// Waits until the child has ended.
pub(crate) fn wait(pid: i32) -> Result<ExitStatus, Error> {
    loop {
        if let Some(status) = status(pid, 0)? {
            return Ok(status);
        }
    }
}

/// The status of a child that has ended.
pub(crate) fn try_wait(pid: i32) -> Result<Option<ExitStatus>, Error> {
    status(pid, libc::WNOHANG)
}

fn status(pid: i32, options: i32) -> Result<Option<ExitStatus>, Error> {
    let mut status = 0;
    loop {
        // SAFETY: one int is written.
        match unsafe { libc::waitpid(pid, &raw mut status, options) } {
            0 => return Ok(None),
            -1 => {}
            _ => return Ok(Some(ExitStatus::from_raw(status))),
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::ECHILD) => return Err(Error::StatusLost { pid: pid.unsigned_abs() }),
            _ => return Err(Error::Child { what: "wait for the child", source: error }),
        }
    }
}

/// Sends a signal. The caller has not waited for the child, so its number is still its own, unless other code took
/// its status; then there may be no such process, and that is no error either.
pub(crate) fn signal(pid: i32, signal: i32) -> Result<(), Error> {
    // SAFETY: no memory is passed.
    if unsafe { libc::kill(pid, signal) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ESRCH) => Ok(()),
        _ => Err(Error::Child { what: "signal the child", source: error }),
    }
}
