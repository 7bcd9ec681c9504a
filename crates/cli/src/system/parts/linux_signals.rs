//! The sender of a signal and the adoption of orphans on Linux.

use crate::system::Sender;
use nix::unistd::getpid;
use std::io;

/// Returns the sender of a signal, from its `si_code` and `si_pid`.
///
/// Codes above 0 are the kernel's (`SI_FROMKERNEL` of linux/signal.h). The pid does not show that: it is 0 for a process
/// outside of this pid namespace, and not a pid for a timer.
pub(crate) fn sender(code: i32, pid: i32) -> Sender {
    match code {
        libc::SI_TIMER => Sender::Process(getpid().as_raw()),
        code if code > 0 => Sender::Kernel,
        _ => Sender::Process(pid),
    }
}

/// Makes this process adopt the orphans among its descendants.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    let (yes, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: the operation takes no address.
    let done = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, yes, none, none, none) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
