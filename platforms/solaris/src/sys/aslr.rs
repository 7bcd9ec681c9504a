//! psecflags(2) of illumos. The structure and the numbers are those of `sys/secflags.h`, of which the libc crate lacks all.

use super::attributes::{SELF, done};
use core::ffi::c_int;
use forkexec_core::Errno;

unsafe extern "C" {
    fn psecflags(kind: libc::idtype_t, id: libc::id_t, which: c_int, change: *const Change) -> c_int;
}

/// `secflagdelta_t`.
#[repr(C)]
struct Change {
    add: u64,
    remove: u64,
    assign: u64,
    assigns: c_int,
}

/// `PSF_INHERIT`.
const INHERITED: c_int = 1;

/// The bit of `PROC_SEC_ASLR`.
const ASLR: u64 = 1;

pub(super) fn disable() -> Result<(), Errno> {
    let change = Change { add: 0, remove: ASLR, assign: 0, assigns: 0 };
    // SAFETY: the kernel reads the structure, which outlives the call. It changes the calling process, as `Kernel::new` allows.
    done(unsafe { psecflags(libc::P_PID, SELF, INHERITED, &raw const change) })
}
