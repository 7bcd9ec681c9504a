//! The parent-death signal of Linux follows a thread.

/// Returns true if this thread may end before the process does, as every thread but the first. Linux sends
/// the parent-death signal when the thread that started the child ends.
pub(crate) fn may_end_before_the_process() -> bool {
    // SAFETY: gettid(2) has no preconditions.
    let own = unsafe { libc::syscall(libc::SYS_gettid) };
    own != libc::c_long::from(std::process::id().cast_signed())
}
