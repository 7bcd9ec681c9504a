//! Access control lists, which Linux stores in an extended attribute: acl(5).

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// Returns true if a file has an access control list beyond its permission bits.
pub(crate) fn has_acl(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    let name = c"system.posix_acl_access";
    // SAFETY: both arguments are C strings that outlive the call. With a length of 0 getxattr(2) writes
    // nothing.
    unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), ptr::null_mut(), 0) > 0 }
}
