//! Limits of a system that reports them by sysconf(3), or not at all.

/// The maximum number of supplementary groups, where the C library may report fewer.
pub(crate) const MOST_GROUPS: Option<usize> = None;

/// True if `FIONREAD` on the writing end of a pipe returns the number of unread bytes. This is so if both
/// ends share one buffer: pipe(7).
pub(crate) const WRITER_SEES_UNREAD: bool = false;

/// Returns the length of the longest argument or variable that exec accepts: no separate limit is known.
pub(crate) fn longest_string() -> Option<usize> {
    None
}

/// Returns the maximum size of arguments and environment, in bytes: `ARG_MAX` of sysconf(3), whatever the
/// limit of the stack.
pub(crate) fn most_bytes(_stack: Option<u64>) -> Option<usize> {
    // SAFETY: sysconf(3) returns a number and touches no memory of this program.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_ARG_MAX) }).ok()
}
