//! The calls that only NetBSD has: each method makes one call and checks its errno.
#![cfg(target_os = "netbsd")]

use crate::{Facts, Kernel, NetbsdSys};
use core::ffi::c_int;
use errno::{Errno as Native, errno, set_errno};
use forkexec_core::{Errno, Fd};
use forkexec_unix::{Pipe2, System, has_ended_by_waitid};

/// The kernel ignores the third argument of these two commands, and `F_MAXFD` the descriptor.
fn fcntl(fd: Fd, command: c_int) -> Result<c_int, Errno> {
    // SAFETY: `Kernel::new` promises that the caller owns the descriptors.
    match unsafe { libc::fcntl(fd, command, 0) } {
        -1 => Err(Errno::from_raw(errno().0)),
        value => Ok(value),
    }
}

// SAFETY: the constant is the call of its name. waitid(2) does not reap the child, because its options include `WNOWAIT`.
unsafe impl System for Facts {
    const PIPE2: Option<Pipe2> = Some(libc::pipe2);
    // `sys_setreuid` of sys/kern/kern_prot.c sets the saved ID only if the real ID changes.
    const SETS_SAVED_IDS: bool = false;

    has_ended_by_waitid!();
}

// SAFETY: each method makes the call that the trait names, on the process and the descriptors in its arguments.
// None allocates, locks or panics.
unsafe impl NetbsdSys for Kernel {
    fn closem(&self, lowest: Fd) -> Result<(), Errno> {
        fcntl(lowest, libc::F_CLOSEM).map(drop)
    }

    fn max_fd(&self) -> Result<Fd, Errno> {
        set_errno(Native(0));
        fcntl(0, libc::F_MAXFD)
    }
}
