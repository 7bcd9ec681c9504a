//! The common parts of all systems but Linux, with the limits that POSIX reports.

#[path = "no_acl.rs"]
mod acl;
#[path = "posix_limits.rs"]
mod limits;
#[path = "no_pipe_capacity.rs"]
mod pipe_capacity;
#[path = "unix.rs"]
mod unix;

pub(crate) use acl::has_acl;
pub(crate) use limits::{MOST_GROUPS, WRITER_SEES_UNREAD, longest_string, most_bytes};
pub(crate) use pipe_capacity::{SETS_PIPE_CAPACITY, set_pipe_capacity};
pub(crate) use unix::*;
