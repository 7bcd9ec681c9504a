//! `/dev/fd`, if it lists the open descriptors.

use crate::PosixSys;
use forkexec_core::{Directory, Fd, FdEnumerator, RecordLayout, RecordLength, Unlisted};

/// The name of the list.
pub(crate) const NAME: &str = "/dev/fd";

const DIRECTORY: Directory = Directory { path: c"/dev/fd", records: RECORD };

/// The `posix_dent` of POSIX.1-2024 has no fixed layout. This is that of Linux, the only system where it is read today.
const RECORD: RecordLayout = RecordLayout { length: RecordLength::At(16), name_at: 19 };

/// The enumerator over `/dev/fd`.
#[derive(Clone, Copy, Debug)]
pub struct DevFd;

// SAFETY: it makes only calls of `S`, which meets the requirements of `Sys`. Its buffer is on the stack.
unsafe impl<S: PosixSys> FdEnumerator<S> for DevFd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn visit(&self, sys: &S, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted> {
        DIRECTORY.visit(
            sys,
            from,
            visitor,
            |_| true,
            |directory, records| sys.read_directory(directory, records),
        )
    }
}
