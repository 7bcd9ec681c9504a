//! A system that offers nothing beyond POSIX in the parent.

#[path = "mount_unknown.rs"]
mod mount;
#[path = "posix.rs"]
mod posix;
#[path = "waitpid.rs"]
mod wait;

#[path = "no_reaper.rs"]
pub(crate) mod reaper;
#[path = "no_senders.rs"]
pub(crate) mod senders;
#[path = "no_watch.rs"]
pub(crate) mod watch;

pub(crate) use mount::is_noexec;
pub(crate) use posix::*;
pub(crate) use wait::{ending_by_number, inherited_peak};

/// The number of bytes of a script's first line that the kernel reads: at least a page.
pub(crate) const INTERPRETER_LINE: usize = 4096;

/// The flag of recvmsg(2) by which a received descriptor is close-on-exec from the start; this system has none.
pub(crate) const CMSG_CLOEXEC: libc::c_int = 0;
