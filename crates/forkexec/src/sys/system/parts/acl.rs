//! Access control lists, which Linux keeps in an extended attribute: acl(5).

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// Whether a file has a list beyond its permission bits.
pub(crate) fn has_acl(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let name = c"system.posix_acl_access";
    // SAFETY: both are C strings; with a length of 0 nothing is written.
    unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), ptr::null_mut(), 0) > 0 }
}
