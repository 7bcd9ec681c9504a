//! The only place that selects a system.
//!
//! Each arm names one module, which selects a backend crate and says what this system offers in the parent.
//! All modules have the same items, so that no other code depends on the system. Parts that several systems
//! share are in `system/parts`, and each module includes the parts that fit.
//!
//! `--cfg forkexec_backend="posix"` selects the portable backend, to test it on any host.

cfg_if::cfg_if! {
    if #[cfg(all(forkexec_backend = "posix", any(target_os = "linux", target_os = "android")))] {
        mod linux_floor;
        pub(crate) use linux_floor::*;
    } else if #[cfg(forkexec_backend = "posix")] {
        mod other;
        pub(crate) use other::*;
    } else if #[cfg(any(target_os = "linux", target_os = "android"))] {
        mod linux;
        pub(crate) use linux::*;
    } else if #[cfg(target_vendor = "apple")] {
        mod apple;
        pub(crate) use apple::*;
    } else if #[cfg(any(target_os = "solaris", target_os = "illumos"))] {
        mod solaris;
        pub(crate) use solaris::*;
    } else if #[cfg(target_os = "netbsd")] {
        mod netbsd;
        pub(crate) use netbsd::*;
    } else if #[cfg(target_os = "openbsd")] {
        mod openbsd;
        pub(crate) use openbsd::*;
    } else if #[cfg(target_os = "freebsd")] {
        mod freebsd;
        pub(crate) use freebsd::*;
    } else if #[cfg(target_os = "dragonfly")] {
        mod dragonfly;
        pub(crate) use dragonfly::*;
    } else {
        mod other;
        pub(crate) use other::*;
    }
}

// SAFETY: the value leaves `sys` only through `backend` and `launchers`, which are unsafe. The safe functions
// of `sys` ask without changing anything, or set and restore the signal mask of the calling thread.
pub(crate) static BACKEND: Selected<Kernel> = Selected::new(unsafe { Kernel::new() });
pub(crate) static LAUNCHER: SelectedLauncher = SelectedLauncher::new(&BACKEND);
