//! The path of a descriptor by `F_GETPATH` of fcntl(2), on Apple's systems, NetBSD and DragonFly.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Returns the target of a descriptor of this process, or `None` if the system does not tell it.
pub(crate) fn fd_target(fd: forkexec_core::Fd) -> Option<OsString> {
    // The call writes at most this many bytes, with the NUL: fcntl(2).
    let mut path = [0_u8; libc::PATH_MAX as usize];
    // SAFETY: the buffer is borrowed for the call, and is as long as the call requires. The call changes nothing else, and
    // fails if the descriptor is not open.
    let told = unsafe { libc::fcntl(fd, libc::F_GETPATH, path.as_mut_ptr()) } != -1;
    let path = CStr::from_bytes_until_nul(&path).ok()?;
    told.then(|| OsStr::from_bytes(path.to_bytes()).to_owned())
}
