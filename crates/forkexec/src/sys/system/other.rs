//! Any other Unix: the portable backend.

#[path = "parts/bare.rs"]
mod bare;
#[path = "parts/fd_untold.rs"]
mod fd_untold;
#[path = "parts/vfork.rs"]
mod vfork;

#[path = "parts/pty_pair.rs"]
pub(crate) mod pty;

pub(crate) use bare::*;
pub(crate) use fd_untold::fd_target;
pub(crate) use forkexec_posix::{Kernel, Posix as Selected};
pub(crate) use vfork::{SelectedLauncher, forking, launchers};
