//! A system that does not tell the target of a descriptor.

use std::ffi::OsString;

/// Returns the target of a descriptor of this process, or `None` if the system does not tell it.
pub(crate) fn fd_target(_fd: forkexec_core::Fd) -> Option<OsString> {
    None
}
