//! The calls that only OpenBSD has.

use std::ffi::CStr;

use forkexec_core::{Errno, Fd};
use forkexec_openbsd::OpenbsdSys;

use super::{Call, SimKernel};

/// Some of the promises of pledge(2).
const PROMISES: [&str; 5] = ["stdio", "rpath", "exec", "prot_exec", "inet"];

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

    /// unveil(2): EINVAL for other permissions, EPERM after the list was locked.
    fn unveil(&self, path: &CStr, permissions: &CStr) -> Result<(), Errno> {
        let text = |string: &CStr| string.to_str().map(str::to_owned).map_err(|_| Errno::INVAL);
        self.call(Call::at("unveil", path), |state| {
            let entry = (text(path)?, text(permissions)?);
            if !entry.1.bytes().all(|letter| b"rwxc".contains(&letter)) {
                return Err(Errno::INVAL);
            }
            let attributes = &mut state.process.attributes;
            if attributes.unveil_locked {
                return Err(Errno::PERM);
            }
            attributes.unveiled.push(entry);
            Ok(())
        })
    }

    /// unveil(2) with null pointers.
    fn lock_unveil(&self) -> Result<(), Errno> {
        self.call(Call::new("lock_unveil"), |state| {
            state.process.attributes.unveil_locked = true;
            Ok(())
        })
    }

    /// pledge(2): EINVAL for an unknown promise, EPERM for one that the process may not pass on.
    fn pledge_exec(&self, promises: &CStr) -> Result<(), Errno> {
        self.call(Call::new("pledge_exec"), |state| {
            let promises = promises.to_str().map_err(|_| Errno::INVAL)?;
            let words = || promises.split(' ').filter(|word| !word.is_empty());
            if words().any(|word| !PROMISES.contains(&word)) {
                return Err(Errno::INVAL);
            }
            let attributes = &mut state.process.attributes;
            let before = attributes.exec_promises.as_deref();
            if before.is_some_and(|before| words().any(|word| !before.split(' ').any(|it| it == word))) {
                return Err(Errno::PERM);
            }
            attributes.exec_promises = Some(promises.to_owned());
            Ok(())
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
