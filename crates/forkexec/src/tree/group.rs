//! A process group, which the kernel signals as a whole: no member can start another meanwhile that is missed.

use std::io;

/// Sends a signal to all members of the group that a child leads. That there is none is no error.
///
/// The caller knows the number to be the child's: it was not waited for, or left.
pub(super) fn signal(leader: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is passed. Whose number it is is the caller's care; it is that of a child, so neither 0 nor 1.
    if unsafe { libc::kill(-leader, signal) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}
