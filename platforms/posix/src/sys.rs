//! The one call that is not the same everywhere.

use crate::PosixSys;
use forkexec_core::{Errno, Fd};
use forkexec_unix::Kernel;

// SAFETY: each method makes the call that the trait names, on the process and the descriptors that it is given. None
// allocates, locks or panics.
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
