//! The calls that only Solaris and illumos have.

use std::ffi::CStr;

use forkexec_core::{Errno, Fd};
use forkexec_solaris::{AttributeCall, Class, SolarisSys};

use super::attributes::PROCESSORS;
use super::directory::OpenDirectory;
use super::{Call, SimKernel, State};

/// The scheduling classes of this machine. The ID of the first one is 1. 0 is that of the system.
pub(crate) const CLASSES: [&CStr; 2] = [c"TS", c"RT"];

/// `rt_maxpri` of uts/common/disp/rt_dptbl.c.
const HIGHEST_PRIORITY: i16 = 59;

/// Source: priocntl(2), `PC_GETCID`: EINVAL for an unknown class.
fn id_of(class: &CStr) -> Result<i32, Errno> {
    (1..).zip(CLASSES).find(|(_, name)| *name == class).map(|(id, _)| id).ok_or(Errno::INVAL)
}

impl State {
    /// Source: processor_bind(2), priocntl(2) and psecflags(2) of illumos.
    fn solaris_attribute(&mut self, call: AttributeCall) -> Result<(), Errno> {
        let is_root = self.process.uid == 0;
        let attributes = &mut self.process.attributes;
        match call {
            // EINVAL for a processor that does not exist or is offline.
            AttributeCall::Bind(processor) => {
                let bit = u32::try_from(processor).ok().and_then(|it| 1_u64.checked_shl(it));
                attributes.affinity = bit.filter(|bit| bit & PROCESSORS != 0).ok_or(Errno::INVAL)?;
            }
            // EINVAL for an unknown class, parameters of another one or a priority above the highest, EPERM without privilege for the
            // real-time class.
            AttributeCall::SetClass(id, class) => {
                let (name, parameter) = match class {
                    Class::TimeSharing => (c"TS", 0),
                    Class::RealTime(priority, _) if !(0..=HIGHEST_PRIORITY).contains(&priority) => {
                        return Err(Errno::INVAL);
                    }
                    Class::RealTime(..) if !is_root => return Err(Errno::PERM),
                    Class::RealTime(priority, quantum) => (c"RT", i32::from(priority) * 10 - quantum),
                };
                if id != id_of(name)? {
                    return Err(Errno::INVAL);
                }
                attributes.scheduler = (id, parameter);
            }
            AttributeCall::DisableAslr => attributes.personality = 3,
        }
        Ok(())
    }
}

// SAFETY: the simulated kernel makes no process, and its descriptors are entries of its own table.
unsafe impl SolarisSys for SimKernel {
    /// closefrom(3C) of Solaris 11.4: a number that is not open, or above all that are, is no error.
    fn close_from(&self, lowest: Fd) -> Result<(), Errno> {
        self.call(Call::on("close_from", lowest), |state| {
            let first = u32::try_from(lowest).map_err(|_| Errno::BADF)?;
            state.table.close_range(first, u32::MAX)
        })
    }

    /// getdents(2): EBADF, and ENOTDIR if it is no directory.
    fn getdents(&self, directory: Fd, records: &mut [u8]) -> Result<usize, Errno> {
        self.call(Call::on("getdents", directory), |state| {
            let file = state.table.get(directory)?.file;
            let open = state.positions.get_mut(&file).ok_or(Errno::NOTDIR)?;
            open.read_as(dirent64, &state.table, records)
        })
    }

    /// Source: statvfs(2) of Solaris 11.4.
    fn is_on_procfs(&self, fd: Fd) -> Result<bool, Errno> {
        self.call(Call::on("is_on_procfs", fd), |state| {
            let file = state.table.get(fd)?.file;
            Ok(state.positions.get(&file).is_some_and(OpenDirectory::is_on_procfs))
        })
    }

    /// Source: priocntl(2): EINVAL for an unknown class.
    fn class_id(&self, name: &CStr) -> Result<i32, Errno> {
        self.call(Call::new("class_id"), |_| id_of(name))
    }

    /// Source: as for `State::solaris_attribute`.
    fn attribute(&self, call: AttributeCall) -> Result<(), Errno> {
        let (name, number) = match call {
            AttributeCall::Bind(processor) => ("processor_bind", processor),
            AttributeCall::SetClass(id, _) => ("set_class", id),
            AttributeCall::DisableAslr => ("psecflags", 0),
        };
        self.call(Call::on(name, number), |state| state.solaris_attribute(call))
    }
}

/// `struct dirent64` of dirent.h(3HEAD): inode, offset, length, name; padded to eight bytes. The inode has all of its 64
/// bits.
pub(crate) fn dirent64(name: &[u8]) -> Vec<u8> {
    const HEADER: usize = 18;
    let length = (HEADER + name.len() + 1).next_multiple_of(8);
    let mut record = vec![0xff; 16];
    record.extend(u16::try_from(length).expect("names are short").to_ne_bytes());
    record.extend(name);
    record.resize(length, 0);
    record
}
