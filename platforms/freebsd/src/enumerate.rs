//! `/dev/fd`, read with raw getdirentries(2) into a buffer on the stack, where fdescfs is mounted on it.

use crate::FreebsdSys;
use forkexec_core::{Directory, Fd, FdEnumerator, Unlisted};

/// What is read.
pub(crate) const NAME: &str = "/dev/fd";

/// The enumerator over `/dev/fd`.
///
/// Another file system at that path has a `st_dev` of its own, too, and may hold plain files with any names; so it is the
/// type of the file system that is asked for, not whether something is mounted.
#[derive(Clone, Copy, Debug)]
pub struct DevFd;

// SAFETY: it calls `S` alone, which meets the requirements of `Sys`, and its buffer is on the stack.
unsafe impl<S: FreebsdSys> FdEnumerator<S> for DevFd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn visit(&self, sys: &S, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted> {
        let system = sys.system();
        Directory { path: c"/dev/fd", records: system.dirent() }.visit(
            sys,
            from,
            visitor,
            |directory| sys.file_system(directory).is_ok_and(|name| name.starts_with(system.fdescfs())),
            |directory, records| sys.getdirentries(directory, records),
        )
    }
}
