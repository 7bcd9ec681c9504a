//! The calls that only NetBSD has.

use forkexec_core::{Errno, Fd, Pid, ProcessEntry};
use forkexec_netbsd::NetbsdSys;

use super::{Call, SimKernel};

/// fcntl(2) returns -1 without an errno.
const NO_ERRNO: Errno = Errno::from_raw(0);

// SAFETY: the simulated kernel makes no process, and its descriptors are entries of its own table.
unsafe impl NetbsdSys for SimKernel {
    /// `F_CLOSEM` (`sys_fcntl` in sys/kern/sys_descrip.c): EBADF for a negative number; nothing to close is no error.
    fn closem(&self, lowest: Fd) -> Result<(), Errno> {
        self.call(Call::on("closem", lowest), |state| match u32::try_from(lowest) {
            Ok(lowest) => state.table.close_range(lowest, u32::MAX),
            Err(_) => Err(Errno::BADF),
        })
    }

    /// `F_MAXFD` (as above): -1 and no error where nothing is open.
    fn max_fd(&self) -> Result<Fd, Errno> {
        self.call(Call::new("max_fd"), |state| state.table.fds().pop().ok_or(NO_ERRNO))
    }

    /// Source: `kern.proc2` of sysctl(7).
    fn process_entry(&self, process: Pid) -> Result<ProcessEntry, Errno> {
        self.call(Call::on("process_entry", process), |state| state.process_entry(process))
    }
}
