//! The calls that only OpenBSD has: one call, one errno check, no decision.
#![cfg(target_os = "openbsd")]

use crate::OpenbsdSys;
use core::ffi::c_int;
use errno::errno;
use forkexec_core::{Errno, Fd};
use forkexec_unix::Kernel;

unsafe extern "C" {
    /// `unistd.h`; the libc crate does not have it.
    safe fn getdtablecount() -> c_int;
}

fn int(result: c_int) -> Result<c_int, Errno> {
    if result == -1 { Err(Errno::from_raw(errno().0)) } else { Ok(result) }
}

// SAFETY: each method makes the call that the trait names, on the process and the descriptors that it is given. None
// allocates, locks or panics.
unsafe impl OpenbsdSys for Kernel {
    fn closefrom(&self, lowest: Fd) -> Result<(), Errno> {
        // SAFETY: `Kernel::new` promises that the caller owns the descriptors.
        int(unsafe { libc::closefrom(lowest) }).map(drop)
    }

    fn open_count(&self) -> Result<Fd, Errno> {
        int(getdtablecount())
    }
}
