//! FreeBSD.

#[path = "parts/freebsd.rs"]
mod common;
#[path = "parts/fd_untold.rs"]
mod fd_untold;

#[path = "parts/procctl_reaper.rs"]
pub(crate) mod reaper;

pub(crate) use common::*;
pub(crate) use fd_untold::fd_target;
