//! Solaris and illumos.

#[path = "parts/bare.rs"]
mod bare;

#[path = "parts/pty_streams.rs"]
pub(crate) mod pty;

pub(crate) use bare::*;
pub(crate) use forkexec_solaris::{Kernel, Solaris as Selected};

pub(crate) type SelectedLauncher = forkexec_core::ForkLauncher<'static, Selected<Kernel>>;
