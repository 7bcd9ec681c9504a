//! Limits of Linux that the C library does not tell.

/// How many bytes of a script's first line the kernel reads: `BINPRM_BUF_SIZE` of Linux 5.1 and later (include/linux/binfmts.h).
pub(crate) const INTERPRETER_LINE: usize = 256;

/// How many supplementary groups the kernel takes, where the C library may say less: setgroups(2), of which
/// sysconf(3) of musl says 32.
pub(crate) const MOST_GROUPS: Option<usize> = Some(65_536);

/// Whether the writing end of a pipe tells how much of it was not read (`FIONREAD`). It does where a pipe has one buffer that
/// both ends see: pipe(7).
pub(crate) const WRITER_SEES_UNREAD: bool = true;

/// The longest argument or variable that exec takes, without its NUL: `MAX_ARG_STRLEN` of execve(2) is 32 pages.
pub(crate) fn longest_string() -> Option<usize> {
    // SAFETY: the call asks for a number and touches no memory of this program.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page).ok()?.checked_mul(32)?.checked_sub(1)
}

/// How many bytes arguments and environment may have together, with their pointers, under this soft limit of the stack: a
/// quarter of it, but 128 KiB at least and 6 MiB at most (execve(2)).
pub(crate) fn most_bytes(stack: Option<u64>) -> Option<usize> {
    usize::try_from((stack? / 4).clamp(128 << 10, 6 << 20)).ok()
}
