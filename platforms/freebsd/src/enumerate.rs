//! `/dev/fd`, if fdescfs is mounted on it, read with raw getdirentries(2) into a buffer on the stack.

use crate::FreebsdSys;
use forkexec_core::{Directory, Fd, FdEnumerator, Unlisted};

/// The name of the list.
pub(crate) const NAME: &str = "/dev/fd";

/// The enumerator over `/dev/fd`.
///
/// The check is for the type of the file system. It does not suffice that another file system is mounted there: that may have
/// plain files with any names.
#[derive(Clone, Copy, Debug)]
pub struct DevFd;

// SAFETY: it makes only calls of `S`, which meets the requirements of `Sys`. Its buffer is on the stack.
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
