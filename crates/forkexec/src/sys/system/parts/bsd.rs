//! What the BSDs and the systems of Apple have in common.

#[path = "posix.rs"]
mod posix;
#[path = "wait4.rs"]
mod wait;

#[path = "kqueue.rs"]
pub(crate) mod watch;

pub(crate) use posix::*;
pub(crate) use wait::{ending_by_number, inherited_peak};
