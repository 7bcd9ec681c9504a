//! Linux that is not Android.

use crate::Release;

pub(super) const fn release() -> Release {
    Release::Linux
}
