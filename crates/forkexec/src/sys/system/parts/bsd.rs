//! The common parts of the BSDs and the systems of Apple.

#[path = "posix.rs"]
mod posix;
#[path = "wait4.rs"]
mod wait;

#[path = "pty_pair.rs"]
pub(crate) mod pty;
#[path = "no_senders.rs"]
pub(crate) mod senders;
#[path = "kqueue.rs"]
pub(crate) mod watch;

pub(crate) use posix::*;
pub(crate) use wait::{ending_by_number, inherited_peak};
