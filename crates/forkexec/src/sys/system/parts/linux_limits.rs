//! Limits of Linux that the C library does not report.

/// The number of bytes of a script's first line that the kernel reads: `BINPRM_BUF_SIZE` of Linux 5.1 and
/// later (include/linux/binfmts.h).
pub(crate) const INTERPRETER_LINE: usize = 256;

/// The maximum number of supplementary groups, where the C library may report fewer: setgroups(2). sysconf(3)
/// of musl reports 32.
pub(crate) const MOST_GROUPS: Option<usize> = Some(65_536);

/// True if `FIONREAD` on the writing end of a pipe returns the number of unread bytes. This is so if both
/// ends share one buffer: pipe(7).
pub(crate) const WRITER_SEES_UNREAD: bool = true;

/// Returns the length of the longest argument or variable that exec accepts, without its NUL:
/// `MAX_ARG_STRLEN` of execve(2) is 32 pages.
pub(crate) fn longest_string() -> Option<usize> {
    // SAFETY: sysconf(3) returns a number and touches no memory of this program.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).ok()?.checked_mul(32)?.checked_sub(1)
}

/// Returns the maximum size of arguments and environment with their pointers, in bytes, under this soft limit
/// of the stack. It is a quarter of the limit, but at least 128 KiB and at most 6 MiB (execve(2)).
pub(crate) fn most_bytes(stack: Option<u64>) -> Option<usize> {
    usize::try_from((stack? / 4).clamp(128 << 10, 6 << 20)).ok()
}
