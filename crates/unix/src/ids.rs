//! The calls that change the user or the group of a process, in their order.

use crate::done;
use forkexec_core::Errno;

/// setgroups(2) of the C library.
#[expect(clippy::allow_attributes, reason = "the type of the length differs by system")]
#[allow(clippy::useless_conversion)]
pub(crate) fn set_groups(groups: &[u32]) -> Result<(), Errno> {
    let count = groups.len().try_into().map_err(|_| Errno::INVAL)?;
    // SAFETY: `gid_t` has 32 bits on each target of Rust. The slice is borrowed for the call.
    done(unsafe { libc::setgroups(count, groups.as_ptr()) })
}

/// Sets the real, the effective and the saved ID by setuid(2) and setreuid(2), or by setgid(2) and setregid(2).
///
/// `set_both` is the second call of the pair, with the ID for both its arguments. If it sets the saved ID, too, it is the
/// only call. If not, `set`, the first one, precedes it, because that sets all three IDs of a privileged process. An error of
/// `set` does not count: without privilege it may fail where `set_both` does not.
///
/// # Errors
///
/// Returns the errno of `set_both`.
pub fn set_all_ids(
    sets_saved: bool,
    set: impl FnOnce() -> Result<(), Errno>,
    set_both: impl FnOnce() -> Result<(), Errno>,
) -> Result<(), Errno> {
    if !sets_saved {
        let _ = set();
    }
    set_both()
}
