//! The two lists of open descriptors: that of proc_pidinfo, and `/dev/fd`.

use crate::AppleSys;
use core::slice::ChunksExact;
use forkexec_core::{Directory, Errno, Fd, FdEnumerator, RecordLayout, RecordLength, Unlisted};

/// The name of the first list.
pub(crate) const PROC_PIDINFO: &str = "proc_pidinfo";

/// The name of the second list.
pub(crate) const DEV_FD: &str = "/dev/fd";

/// The enumerator over `PROC_PIDLISTFDS`.
///
/// One call must return all descriptors. If the buffer is too small, the kernel fills it and does not report the rest
/// (`proc_pidfdlist` of `bsd/kern/proc_info.c`). The kernel of macOS 10.13 checks only numbers below the number of entries in the
/// buffer, so even a buffer that is not full may lack descriptors. If the table has room for more numbers than the buffer, the
/// next enumerator is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcPidInfo;

// SAFETY: it makes only calls of `S`, which meets the requirements of `Sys`. Its buffer is on the stack.
unsafe impl<S: AppleSys> FdEnumerator<S> for ProcPidInfo {
    fn name(&self) -> &'static str {
        PROC_PIDINFO
    }

    fn visit(&self, sys: &S, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted> {
        let room = sys.descriptor_list_room().map_err(Unlisted::Refused)?;
        if room > List::LENGTH {
            return Err(Unlisted::Untrusted);
        }
        let mut list = List([0; List::LENGTH]);
        let length = sys.descriptor_list(&mut list.0).map_err(Unlisted::Refused)?;
        let entries = list.entries(length).ok_or(Unlisted::Refused(Errno::IO))?;
        entries.filter_map(number).filter(|&fd| fd >= from).for_each(visitor);
        Ok(())
    }
}

/// The size of `struct proc_fdinfo` of `bsd/sys/proc_info.h`: the number and the type, 32 bits each.
const ENTRY: usize = 8;

fn number(entry: &[u8]) -> Option<Fd> {
    entry.first_chunk().map(|number| Fd::from_ne_bytes(*number))
}

/// Room for 2,048 entries. That is little for the stack of a thread, which has 512 KiB or more.
#[repr(C, align(8))]
struct List([u8; Self::LENGTH]);

impl List {
    const LENGTH: usize = 2_048 * ENTRY;

    /// The entries in the first `length` bytes. `None` if there are fewer bytes, or if the last entry is not complete.
    fn entries(&self, length: usize) -> Option<ChunksExact<'_, u8>> {
        let entries = self.0.get(..length)?.chunks_exact(ENTRY);
        entries.remainder().is_empty().then_some(entries)
    }
}

/// The enumerator over `/dev/fd`.
///
/// A position in the directory is a descriptor number (`devfs_devfd_readdir` of
/// `bsd/miscfs/devfs/devfs_fdesc_support.c`), so closing while reading skips nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DevFd;

const DIRECTORY: Directory = Directory { path: c"/dev/fd", records: DIRENT };

/// `struct dirent` of `bsd/sys/dirent.h` with 64-bit inodes: inode (8 bytes), offset (8), record length (2), length of the
/// name (2), type (1), name.
const DIRENT: RecordLayout = RecordLayout { length: RecordLength::At(16), name_at: 21 };

// SAFETY: it makes only calls of `S`, which meets the requirements of `Sys`. Its buffer is on the stack.
unsafe impl<S: AppleSys> FdEnumerator<S> for DevFd {
    fn name(&self) -> &'static str {
        DEV_FD
    }

    fn visit(&self, sys: &S, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted> {
        DIRECTORY.visit(
            sys,
            from,
            visitor,
            |directory| sys.is_on_devfs(directory) == Ok(true),
            |directory, records| sys.getdirentries64(directory, records),
        )
    }
}
