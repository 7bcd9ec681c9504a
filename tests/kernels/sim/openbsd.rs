//! The calls that only OpenBSD has.

use forkexec_core::{Errno, Fd};
use forkexec_openbsd::OpenbsdSys;

use super::{Call, SimKernel};

// SAFETY: the simulated kernel makes no process, and its descriptors are entries of its own table.
unsafe impl OpenbsdSys for SimKernel {
    /// closefrom(2): EBADF if no open descriptor is so high. The kernel takes the number as an unsigned one
    /// (`sys_closefrom` in sys/kern/kern_descrip.c).
    fn closefrom(&self, lowest: Fd) -> Result<(), Errno> {
        self.call(Call::on("closefrom", lowest), |state| {
            let highest = state.table.fds().pop().unwrap_or(0);
            match u32::try_from(lowest) {
                Ok(first) if lowest <= highest => state.table.close_range(first, u32::MAX),
                _ => Err(Errno::BADF),
            }
        })
    }

    /// getdtablecount(2).
    fn open_count(&self) -> Result<Fd, Errno> {
        self.call(Call::new("open_count"), |state| {
            let open = Fd::try_from(state.table.fds().len()).expect("a table is smaller");
            Ok(open + state.miscount)
        })
    }
}
