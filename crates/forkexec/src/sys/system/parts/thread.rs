//! Which thread of the process this is, as Linux counts them.

/// Whether a child is told of the end of the thread that started it, as of its parent's: this thread may end before the
/// process does, as every one but the first.
pub(crate) fn may_end_before_the_process() -> bool {
    // SAFETY: asks about the calling process, and changes nothing.
    let own = unsafe { libc::syscall(libc::SYS_gettid) };
    own != libc::c_long::from(std::process::id().cast_signed())
}
