//! `/proc/self/fd`, read with raw getdents64(2) into a buffer on the stack.

use crate::LinuxSys;
use forkexec_core::{Directory, Fd, FdEnumerator, RecordLayout, RecordLength, Unlisted};

/// The name of the list.
pub(crate) const NAME: &str = "/proc/self/fd";

const DIRECTORY: Directory = Directory { path: c"/proc/self/fd", records: DIRENT64 };

/// `struct linux_dirent64` of getdents(2): inode (8 bytes), offset (8), record length (2), type (1), name. It is the same on
/// every architecture, and on Android.
const DIRENT64: RecordLayout = RecordLayout { length: RecordLength::At(16), name_at: 19 };

/// The enumerator over `/proc/self/fd`.
#[derive(Clone, Copy, Debug)]
pub struct ProcSelfFd;

// SAFETY: it makes only calls of `S`, which meets the requirements of `Sys`. Its buffer is on the stack.
unsafe impl<S: LinuxSys> FdEnumerator<S> for ProcSelfFd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn visit(&self, sys: &S, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted> {
        DIRECTORY.visit(
            sys,
            from,
            visitor,
            |directory| sys.is_on_procfs(directory) == Ok(true),
            |directory, records| sys.getdents64(directory, records),
        )
    }
}
