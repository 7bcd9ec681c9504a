//! Solaris and illumos.

#[path = "parts/bare.rs"]
mod bare;
#[path = "parts/fd_link.rs"]
mod fd_link;
#[path = "parts/spawn.rs"]
mod spawn;

#[path = "parts/pty_streams.rs"]
pub(crate) mod pty;

pub(crate) use bare::*;
pub(crate) use fd_link::fd_target;
pub(crate) use forkexec_solaris::{Kernel, OneMethod, Solaris as Selected};
pub(crate) use spawn::{forking, launchers};

pub(crate) type SelectedLauncher = forkexec_solaris::SolarisLauncher<'static, Kernel>;

/// The links to the open files of this process, named by descriptor numbers: `path` in proc(5) of illumos. The
/// entries of `/proc/self/fd` are no links there.
pub(crate) const FD_LINKS: &str = "/proc/self/path";
