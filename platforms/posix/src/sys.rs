//! The facts of the system, and the one call that differs by system.

use crate::{Facts, Kernel, PosixSys};
use forkexec_core::{Errno, Fd, Signal};
use forkexec_unix::{Pipe2, System};

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

    #[cfg(any(target_os = "linux", target_os = "android"))]
    forkexec_unix::has_ended_by_waitid!();

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn has_ended(_child: forkexec_core::Pid) -> bool {
        false
    }
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
