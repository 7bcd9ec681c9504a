//! The one place that chooses a backend.
//!
//! `--cfg forkexec_backend="posix"` puts the portable floor under test on any host.

use forkexec_core::{Backend, Capabilities, ForkLauncher, Launcher};

cfg_if::cfg_if! {
    if #[cfg(all(any(target_os = "linux", target_os = "android"), not(forkexec_backend = "posix")))] {
        use forkexec_linux::{Kernel, Linux as Selected};
    } else {
        use forkexec_posix::{Kernel, Posix as Selected};
    }
}

// SAFETY: the launchers use it in a child of their own; everything else in this crate that calls it, on descriptors
// and processes of its own.
static BACKEND: Selected<Kernel> = Selected::new(unsafe { Kernel::new() });
static FORK: ForkLauncher<'static, Selected<Kernel>> = ForkLauncher::new(&BACKEND);

/// The backend of this system.
pub(crate) fn backend() -> &'static impl Backend<Sys: forkexec_core::ParentSys> {
    &BACKEND
}

/// What the backend has.
pub(crate) fn capabilities() -> &'static Capabilities {
    BACKEND.capabilities()
}

/// The launcher in use.
pub(crate) fn launcher() -> &'static dyn Launcher {
    &FORK
}
