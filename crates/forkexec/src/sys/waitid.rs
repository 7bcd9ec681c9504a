//! The end of a child, by pid, and what is known of it.

use super::usage::ResourceUsage;
use std::io;
use std::process::ExitStatus;

/// The end of a child.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) status: ExitStatus,
    pub(crate) usage: Option<ResourceUsage>,
}

/// Waits for a child to end, and leaves its status in place. If other code reaped the child, or `SIGCHLD` is
/// ignored, it has ended as well.
pub(crate) fn await_end(pid: i32) -> io::Result<()> {
    look_at(pid, 0)
        .or_else(|error| if error.raw_os_error() == Some(libc::ECHILD) { Ok(()) } else { Err(error) })
}

/// Waits until a child is stopped, is continued or has ended, and leaves the report in place.
pub(crate) fn await_change(pid: i32) -> io::Result<()> {
    look_at(pid, libc::WSTOPPED | libc::WCONTINUED)
}

/// Returns true if this process has a child with this pid that was not waited for.
pub(crate) fn is_child(pid: i32) -> bool {
    look_at(pid, libc::WNOHANG).is_ok()
}

/// waitid(2) that leaves the status in place.
fn look_at(pid: i32, options: i32) -> io::Result<()> {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::uninit();
    let options = libc::WEXITED | libc::WNOWAIT | options;
    #[expect(clippy::allow_attributes, reason = "an id has 64 bits on some systems, and a sign on others")]
    #[allow(clippy::cast_lossless, clippy::cast_possible_wrap)]
    let id = pid.unsigned_abs() as libc::id_t;
    loop {
        // SAFETY: waitid(2) writes a `siginfo_t`, for which `info` has room.
        if unsafe { libc::waitid(libc::P_PID, id, info.as_mut_ptr(), options) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error);
        }
    }
}
