//! Mount flags by statvfs(3).

use crate::sys::system::NOEXEC;
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Returns true if the filesystem of `path` is mounted `noexec`, and false if it is not or the system does not say.
pub(crate) fn is_noexec(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let mut status = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a C string that outlives the call, and statvfs(3) fills a `statvfs`, for which
    // there is room.
    if unsafe { libc::statvfs(path.as_ptr(), status.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: statvfs succeeded, so the structure is filled.
    unsafe { status.assume_init() }.f_flag & NOEXEC != 0
}
