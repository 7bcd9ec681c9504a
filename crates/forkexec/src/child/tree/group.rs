//! A process group. The kernel signals it as a whole, so that no member can start another process that is
//! missed.

use std::io;

/// Sends a signal to all members of the group that a child leads. A group without members is not an error.
pub(super) fn signal(leader: i32, signal: i32) -> io::Result<()> {
    // SAFETY: `TreeHandle` calls this only while the child's status is not taken, so the pid and its group
    // are the child's.
    if unsafe { libc::kill(-leader, signal) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::{io, signal};
    use nix::unistd::getpgrp;

    #[test]
    fn only_an_empty_group_is_no_error() {
        let errno = |sent: io::Result<()>| sent.err().and_then(|error| error.raw_os_error());
        // No process has this number.
        assert_eq!(errno(signal(i32::MAX, libc::SIGTERM)), None);
        // No signal has this number.
        assert_eq!(errno(signal(getpgrp().as_raw(), 9_999)), Some(libc::EINVAL));
    }
}
