//! `/proc/self/fd`, read with raw getdents(2) into a buffer on the stack.
//!
//! A position in this directory is a descriptor number, and the kernel searches the next open one from there
//! (`pr_readdir_fdlist` in `uts/common/fs/proc/prvnops.c` of illumos-gate). So closing while reading skips nothing. The source
//! of Solaris has not been public since 2010. If a position there is an index, the chain in core still closes all, because it
//! reads until a pass closes nothing.
//!
//! The 32-bit form of readdir(3C) fails for large inodes (`EOVERFLOW` of getdents(2), and Sun's bug 6395699 on Solaris 9). The
//! form that is called here has 64 bits for them.

use crate::SolarisSys;
use forkexec_core::{Directory, Fd, FdEnumerator, RecordLayout, RecordLength, Unlisted};

/// The name of the list.
pub(crate) const NAME: &str = "/proc/self/fd";

const DIRECTORY: Directory = Directory { path: c"/proc/self/fd", records: DIRENT64 };

/// `struct dirent64` of dirent.h(3HEAD): inode (8 bytes), offset (8), record length (2), name. It is `struct dirent` in
/// 64-bit programs (`sys/dirent.h`), and has no type.
const DIRENT64: RecordLayout = RecordLayout { length: RecordLength::At(16), name_at: 18 };

/// The enumerator over `/proc/self/fd`.
#[derive(Clone, Copy, Debug)]
pub struct ProcSelfFd;

// SAFETY: it makes only calls of `S`, which meets the requirements of `Sys`. Its buffer is on the stack.
unsafe impl<S: SolarisSys> FdEnumerator<S> for ProcSelfFd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn visit(&self, sys: &S, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted> {
        DIRECTORY.visit(
            sys,
            from,
            visitor,
            |directory| sys.is_on_procfs(directory) == Ok(true),
            |directory, records| sys.getdents(directory, records),
        )
    }
}

/// Returns whether the directory can be opened and is on procfs.
pub(crate) fn is_trusted<S: SolarisSys>(sys: &S) -> bool {
    let Ok(directory) = sys.open_directory(DIRECTORY.path) else { return false };
    let is_on_procfs = sys.is_on_procfs(directory) == Ok(true);
    let _ = sys.close(directory);
    is_on_procfs
}
