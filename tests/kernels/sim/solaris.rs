//! The calls that only Solaris and illumos have.

use forkexec_core::{Errno, Fd};
use forkexec_solaris::SolarisSys;

use super::directory::OpenDirectory;
use super::{Call, SimKernel};

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
