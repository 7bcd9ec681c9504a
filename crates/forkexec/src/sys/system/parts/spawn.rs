//! A backend whose children are started by posix_spawn(2), if that can express the plan, and are forked otherwise.

use crate::sys::system::{Kernel, LAUNCHER, OneMethod, Selected};
use forkexec_core::{Launcher, SpawnMethod};

static METHODS: [OneMethod<'static, Selected<Kernel>>; 2] =
    [OneMethod::new(&LAUNCHER, SpawnMethod::PosixSpawn), OneMethod::new(&LAUNCHER, SpawnMethod::Fork)];

/// Returns a launcher for each method, in the order of the capabilities.
///
/// # Safety
///
/// The caller upholds the contract of [`launch`](crate::sys::backend::launch) for each plan.
pub(crate) unsafe fn launchers() -> impl Iterator<Item = &'static dyn Launcher> {
    METHODS.iter().map(|method| method as &dyn Launcher)
}

pub(crate) fn forking() -> &'static dyn Launcher {
    &METHODS[1]
}
