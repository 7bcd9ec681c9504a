//! The portable backend under test on Linux (`--cfg forkexec_backend="posix"`): its backend and launcher, and
//! the parent's side of Linux.

#[path = "parts/acl.rs"]
mod acl;
#[path = "parts/fd_link.rs"]
mod fd_link;
#[path = "parts/linux_limits.rs"]
mod limits;
#[path = "parts/mount_statvfs.rs"]
mod mount;
#[path = "parts/pipe_capacity.rs"]
mod pipe_capacity;
#[path = "parts/unix.rs"]
mod unix;
#[path = "parts/vfork.rs"]
mod vfork;
#[path = "parts/wait4.rs"]
mod wait;

#[path = "parts/pty_peer.rs"]
pub(crate) mod pty;
#[path = "parts/no_reaper.rs"]
pub(crate) mod reaper;
#[path = "parts/linux_senders.rs"]
pub(crate) mod senders;
#[path = "parts/no_watch.rs"]
pub(crate) mod watch;

pub(crate) use acl::has_acl;
pub(crate) use fd_link::fd_target;
pub(crate) use forkexec_posix::{Kernel, Posix as Selected};
pub(crate) use limits::{INTERPRETER_LINE, MOST_GROUPS, WRITER_SEES_UNREAD, longest_string, most_bytes};
pub(crate) use mount::is_noexec;
pub(crate) use pipe_capacity::{SETS_PIPE_CAPACITY, set_pipe_capacity};
pub(crate) use unix::*;
pub(crate) use vfork::{SelectedLauncher, forking, launchers};
pub(crate) use wait::{ending_by_number, inherited_peak};

/// The unit of `ru_maxrss`, in bytes: getrusage(2).
pub(crate) const RSS_UNIT: u64 = 1024;

pub(crate) const NOEXEC: libc::c_ulong = libc::ST_NOEXEC;

/// The flag of recvmsg(2) by which a received descriptor is close-on-exec from the start.
pub(crate) const CMSG_CLOEXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;

/// The links to what the descriptors of this process refer to: proc_pid_fd(5).
pub(crate) const FD_LINKS: &str = "/proc/self/fd";
