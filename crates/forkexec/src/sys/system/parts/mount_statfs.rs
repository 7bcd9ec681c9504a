//! Mount flags by statfs(2): statvfs(3) of these systems reports read-only and nosuid mounts only.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Returns true if the filesystem of `path` is mounted `noexec`, and false if it is not or the system does not say.
pub(crate) fn is_noexec(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let mut status = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the path is a C string that outlives the call, and statfs(2) fills a `statfs`, for which there
    // is room.
    if unsafe { libc::statfs(path.as_ptr(), status.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: statfs succeeded, so the structure is filled.
    let flags = unsafe { status.assume_init() }.f_flags;
    #[expect(clippy::allow_attributes, reason = "the type of the flags differs by system")]
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::unnecessary_cast)]
    let flags = flags as libc::c_int;
    flags & libc::MNT_NOEXEC != 0
}
