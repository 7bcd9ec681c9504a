//! Systems on which the parent-death signal follows the end of the process, not of a thread.

pub(crate) fn may_end_before_the_process() -> bool {
    false
}
