//! A backend whose children share memory if its system has a safe vfork(2), and are forked otherwise.

use crate::sys::system::{BACKEND, Kernel, LAUNCHER, Selected};
use forkexec_core::{Backend, Launcher, OneMethod, SpawnMethod, VforkLauncher};

pub(crate) type SelectedLauncher = VforkLauncher<'static, Selected<Kernel>>;

static METHODS: [OneMethod<'static, Selected<Kernel>>; 2] =
    [OneMethod::new(&LAUNCHER, SpawnMethod::Vfork), OneMethod::new(&LAUNCHER, SpawnMethod::Fork)];

/// Returns a launcher for each method, in the order of the capabilities.
///
/// # Safety
///
/// The caller upholds the contract of [`launch`](crate::sys::backend::launch) for each plan.
pub(crate) unsafe fn launchers() -> impl Iterator<Item = &'static dyn Launcher> {
    let has = |method: &&OneMethod<'_, _>| BACKEND.capabilities().launchers.contains(&method.method());
    METHODS.iter().filter(has).map(|method| method as &dyn Launcher)
}

pub(crate) fn forking() -> &'static dyn Launcher {
    &METHODS[1]
}
