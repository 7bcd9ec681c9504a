//! The calls that only NetBSD has.

use forkexec_core::{Errno, Fd, Pid, ProcessEntry};
use forkexec_netbsd::{AttributeCall, NetbsdSys};

use super::attributes::PROCESSORS;
use super::{Call, SimKernel, State};

/// fcntl(2) returns -1 without an errno.
const NO_ERRNO: Errno = Errno::from_raw(0);

/// `sys/sched.h`: `SCHED_OTHER`, `SCHED_FIFO`, `SCHED_RR`.
const POLICIES: [i32; 3] = [0, 1, 2];

/// `PRI_NONE` and `SCHED_PRI_MAX` of `sys/param.h`.
const NO_PRIORITY: i32 = -1;
const HIGHEST_PRIORITY: i32 = 63;

/// `MAXCPUS` of this machine, in bytes.
const BYTES_OF_A_SET: usize = 256 / 8;

impl State {
    /// Source: `sys__sched_setaffinity` and `do_sched_setparam` of sys/kern/sys_sched.c, 1.50.
    fn netbsd_attribute(&mut self, call: AttributeCall<'_>) -> Result<(), Errno> {
        let is_root = self.process.uid == 0;
        let attributes = &mut self.process.attributes;
        match call {
            // EINVAL for a set that is larger than that of the kernel (`kcpuset_copyin`). Processors that do not exist are ignored, and
            // a set without any other removes the affinity. EPERM without privilege.
            AttributeCall::SetAffinity(set) => {
                if size_of_val(set) > BYTES_OF_A_SET {
                    return Err(Errno::INVAL);
                }
                if !is_root {
                    return Err(Errno::PERM);
                }
                let there = set.first().map_or(0, |&word| u64::from(word)) & PROCESSORS;
                attributes.affinity = if there == 0 { PROCESSORS } else { there };
            }
            // EINVAL for an unknown policy, a priority above 63, and one of `SCHED_OTHER`. EPERM without privilege for the
            // real-time policies (`sched_listener_cb`).
            AttributeCall::SetPolicy(policy, priority) => {
                let has_priority = priority != NO_PRIORITY;
                let is_valid =
                    !has_priority || policy != POLICIES[0] && (0..=HIGHEST_PRIORITY).contains(&priority);
                if !POLICIES.contains(&policy) || !is_valid {
                    return Err(Errno::INVAL);
                }
                if !is_root && policy != POLICIES[0] {
                    return Err(Errno::PERM);
                }
                attributes.scheduler = (policy, priority);
            }
        }
        Ok(())
    }
}

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

    /// Source: as for `State::netbsd_attribute`.
    fn attribute(&self, call: AttributeCall<'_>) -> Result<(), Errno> {
        let (name, number) = match call {
            AttributeCall::SetAffinity(set) => ("sched_setaffinity", i64::try_from(set.len()).unwrap_or(-1)),
            AttributeCall::SetPolicy(policy, _) => ("sched_setparam", policy.into()),
        };
        self.call(Call::on(name, number), |state| state.netbsd_attribute(call))
    }

    /// Source: `hw.ncpu` of sysctl(7).
    fn processors(&self) -> Result<usize, Errno> {
        self.call(Call::new("processors"), |_| Ok(PROCESSORS.count_ones() as usize))
    }
}
