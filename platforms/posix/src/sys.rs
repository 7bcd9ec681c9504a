//! The facts of the system, and the one call that differs by system.

use crate::{Facts, Kernel, PosixSys};
use forkexec_core::{Errno, Fd, Signal};
#[cfg(target_os = "linux")]
use forkexec_unix::Cancellation;
use forkexec_unix::{Pipe2, System};

// That of the libc crate is deprecated, because Rust code must not call it. Assembly calls this one.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe extern "C" {
    fn vfork() -> core::ffi::c_int;
}

/// `SIGKILLTHR` of Haiku, for which sigaction(2) answers `EINVAL`.
pub(crate) const RESERVED_SIGNALS: &[Signal] = if cfg!(target_os = "haiku") { &[21] } else { &[] };

// SAFETY: the constant is the call of its name. waitid(2) does not reap the child, because its options include `WNOWAIT`.
unsafe impl System for Facts {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "hurd"))]
    const PIPE2: Option<Pipe2> = Some(libc::pipe2);
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "hurd")))]
    const PIPE2: Option<Pipe2> = None;

    // setreuid(2) of Linux does. That of Haiku does not set the saved ID if the real one stays. Others are not known.
    const SETS_SAVED_IDS: bool = cfg!(any(target_os = "linux", target_os = "android"));

    // The C library's functions for IDs act on all threads of the process. Those below do not, and the numbers of 32-bit
    // processors are others.
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    const VFORK: Option<forkexec_unix::Vfork> = Some(vfork);

    #[cfg(target_os = "linux")]
    const CANCELLATION: Option<Cancellation> = Some(Cancellation::disabled_by(1));

    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn set_groups(groups: &[u32]) -> Result<(), Errno> {
        // SAFETY: the kernel reads `len` IDs of 32 bits from the slice.
        done(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) } == 0)
    }

    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn set_both_gids(gid: u32) -> Result<(), Errno> {
        // SAFETY: changes the calling thread alone, which is the only one of a child. `Kernel::new` allows it.
        done(unsafe { libc::syscall(libc::SYS_setregid, gid, gid) } == 0)
    }

    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn set_both_uids(uid: u32) -> Result<(), Errno> {
        // SAFETY: as for `set_both_gids`.
        done(unsafe { libc::syscall(libc::SYS_setreuid, uid, uid) } == 0)
    }

    #[cfg(target_os = "linux")]
    fn is_dumpable() -> Result<bool, Errno> {
        // SAFETY: reads an attribute of the calling process.
        match unsafe { libc::prctl(libc::PR_GET_DUMPABLE) } {
            -1 => Err(Errno::from_raw(errno::errno().0)),
            how => Ok(how == 1),
        }
    }

    #[cfg(target_os = "linux")]
    fn make_dumpable() -> Result<(), Errno> {
        // SAFETY: changes an attribute of the calling process, which `Kernel::new` allows.
        done(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1) } == 0)
    }

    #[cfg(target_os = "linux")]
    fn is_sanitized() -> bool {
        forkexec_core::is_sanitized!()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    forkexec_unix::has_ended_by_waitid!();

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn has_ended(_child: forkexec_core::Pid) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
fn done(is_done: bool) -> Result<(), Errno> {
    if is_done { Ok(()) } else { Err(Errno::from_raw(errno::errno().0)) }
}

// SAFETY: each method makes the call that the trait names, on the process and the descriptors in its arguments.
// None allocates, locks or panics.
unsafe impl PosixSys for Kernel {
    #[cfg(target_os = "linux")]
    fn read_directory(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: the buffer is borrowed for the call. `Kernel::new` promises that the descriptor is, too.
        let read =
            unsafe { libc::syscall(libc::SYS_getdents64, directory, records.as_mut_ptr(), records.len()) };
        usize::try_from(read).map_err(|_| Errno::from_raw(errno::errno().0))
    }

    #[cfg(not(target_os = "linux"))]
    fn read_directory(&self, _directory: Fd, _records: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::NOSYS)
    }
}
