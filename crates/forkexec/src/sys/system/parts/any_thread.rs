//! Where a child is told of the end of a process, and of no thread's.

pub(crate) fn may_end_before_the_process() -> bool {
    false
}
