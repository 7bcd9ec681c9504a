//! Limits of a system that tells them by sysconf(3), or not at all.

/// How many supplementary groups the kernel takes, where the C library may say less.
pub(crate) const MOST_GROUPS: Option<usize> = None;

/// Whether the writing end of a pipe tells how much of it was not read (`FIONREAD`). It does where a pipe has one buffer that
/// both ends see: pipe(7).
pub(crate) const WRITER_SEES_UNREAD: bool = false;

/// The longest argument or variable that exec takes: no limit of its own is known.
pub(crate) fn longest_string() -> Option<usize> {
    None
}

/// How many bytes arguments and environment may have together: `ARG_MAX` of sysconf(3), whatever the limit of the stack.
pub(crate) fn most_bytes(_stack: Option<u64>) -> Option<usize> {
    // SAFETY: the call asks for a number and touches no memory of this program.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_ARG_MAX) }).ok()
}
