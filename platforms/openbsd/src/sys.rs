//! The calls that only OpenBSD has: each method makes one call and checks its errno.
#![cfg(target_os = "openbsd")]

use crate::{Facts, Kernel, OpenbsdSys};
use core::ffi::{CStr, c_int};
use core::ptr;
use errno::errno;
use forkexec_core::{Errno, Fd};
use forkexec_unix::{Cancellation, Pipe2, System, has_ended_by_waitid};

unsafe extern "C" {
    /// `unistd.h`. The libc crate lacks it.
    safe fn getdtablecount() -> c_int;
}

fn int(result: c_int) -> Result<c_int, Errno> {
    if result == -1 { Err(Errno::from_raw(errno().0)) } else { Ok(result) }
}

// SAFETY: the constant is the call of its name. waitid(2) does not reap the child, because its options include `WNOWAIT`.
unsafe impl System for Facts {
    const PIPE2: Option<Pipe2> = Some(libc::pipe2);
    // `sys_setreuid` of sys/kern/kern_prot.c: if the real ID changes, or the effective one differs from the saved one.
    const SETS_SAVED_IDS: bool = true;
    const CANCELLATION: Option<Cancellation> = Some(Cancellation::disabled_by(1));

    has_ended_by_waitid!();
}

// SAFETY: each method makes the call that the trait names, on the process and the descriptors in its arguments.
// None allocates, locks or panics.
unsafe impl OpenbsdSys for Kernel {
    fn closefrom(&self, lowest: Fd) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns the descriptors.
        int(unsafe { libc::closefrom(lowest) }).map(drop)
    }

    fn unveil(&self, path: &CStr, permissions: &CStr) -> Result<(), Errno> {
        // SAFETY: the strings are borrowed for the call, which changes the calling process. `Kernel::new` allows that.
        int(unsafe { libc::unveil(path.as_ptr(), permissions.as_ptr()) }).map(drop)
    }

    fn lock_unveil(&self) -> Result<(), Errno> {
        // SAFETY: without a path, the call reads no memory. It changes the calling process.
        int(unsafe { libc::unveil(ptr::null(), ptr::null()) }).map(drop)
    }

    fn pledge_exec(&self, promises: &CStr) -> Result<(), Errno> {
        // SAFETY: the string is borrowed for the call, which changes the calling process. `Kernel::new` allows that.
        int(unsafe { libc::pledge(ptr::null(), promises.as_ptr()) }).map(drop)
    }

    fn open_count(&self) -> Result<Fd, Errno> {
        int(getdtablecount())
    }
}
