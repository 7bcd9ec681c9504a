//! The target of a descriptor as the text of a symbolic link in `/proc`, in the directory that the system names.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// Returns the target of a descriptor of this process, or `None` if the system does not tell it.
pub(crate) fn fd_target(fd: forkexec_core::Fd) -> Option<OsString> {
    let link = Path::new(super::FD_LINKS).join(fd.to_string());
    fs::read_link(link).ok().map(OsString::from)
}
