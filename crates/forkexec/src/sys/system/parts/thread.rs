//! The parent-death signal of Linux follows a thread.

use nix::unistd::{getpid, gettid};

/// Returns true if this thread may end before the process does, as every thread but the first. Linux sends
/// the parent-death signal when the thread that started the child ends.
pub(crate) fn may_end_before_the_process() -> bool {
    gettid() != getpid()
}
