//! The adoption of orphans by procctl(2).

use std::io;

/// Makes this process adopt the orphans among its descendants.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    // SAFETY: the operation takes no address.
    let done = unsafe { libc::procctl(libc::P_PID, 0, libc::PROC_REAP_ACQUIRE, std::ptr::null_mut()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
