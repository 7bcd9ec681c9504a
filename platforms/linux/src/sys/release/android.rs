//! The release of Android, from its property.

use crate::Release;

/// `PROP_VALUE_MAX` of sys/system_properties.h.
const LONGEST: usize = 92;

/// `android_get_device_api_level` of bionic reads the same property, but is exported only since API level 29.
pub(super) fn release() -> Release {
    let mut value = [0_u8; LONGEST];
    // SAFETY: the name is a C string, and the C library writes at most `PROP_VALUE_MAX` bytes.
    let length =
        unsafe { libc::__system_property_get(c"ro.build.version.sdk".as_ptr(), value.as_mut_ptr().cast()) };
    let value = usize::try_from(length).ok().and_then(|length| value.get(..length));
    Release::from_property(value.unwrap_or_default())
}
