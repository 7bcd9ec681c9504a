//! A process group, which the kernel signals as a whole: no member can start another meanwhile that is missed.

use std::io;

/// Sends a signal to all members of the group that a child leads. That there is none is no error.
pub(super) fn signal(leader: i32, signal: i32) -> io::Result<()> {
    // SAFETY: `TreeHandle` calls this only while the status of the child is not taken, so that the group is the child's.
    if unsafe { libc::kill(-leader, signal) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}
