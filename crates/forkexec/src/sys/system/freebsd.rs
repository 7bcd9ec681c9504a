//! FreeBSD.

#[path = "parts/freebsd.rs"]
mod common;

#[path = "parts/procctl_reaper.rs"]
pub(crate) mod reaper;

pub(crate) use common::*;
