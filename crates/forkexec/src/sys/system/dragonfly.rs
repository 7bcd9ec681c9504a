//! DragonFly. It uses the backend of FreeBSD, but its reapers cannot tell descendants apart.

#[path = "parts/freebsd.rs"]
mod common;
#[path = "parts/fd_getpath.rs"]
mod fd_getpath;

#[path = "parts/no_reaper.rs"]
pub(crate) mod reaper;

pub(crate) use common::*;
pub(crate) use fd_getpath::fd_target;
