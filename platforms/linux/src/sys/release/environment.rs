//! The release of Android that a test chooses. Only `ci/android` builds this module.

use crate::Release;
use core::ffi::CStr;

/// The API level in `FORKEXEC_ANDROID_API`, if it is set.
pub(super) fn release() -> Release {
    // SAFETY: the name is a C string. No suite changes this variable while it starts children.
    let value = unsafe { libc::getenv(c"FORKEXEC_ANDROID_API".as_ptr()) };
    if value.is_null() {
        return Release::Linux;
    }
    // SAFETY: the C library returns a C string, which is valid as long as the environment does not change.
    Release::from_property(unsafe { CStr::from_ptr(value) }.to_bytes())
}
