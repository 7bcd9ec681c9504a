//! The backend.

use crate::{CAPABILITIES, DevFd, PosixSys};
use forkexec_core::{Backend, Capabilities, FdEnumerator};

/// Any POSIX system, over its real system calls or a simulated kernel.
#[derive(Debug)]
pub struct Posix<S> {
    sys: S,
}

impl<S> Posix<S> {
    /// Creates a backend over these system calls.
    pub const fn new(sys: S) -> Self {
        Self { sys }
    }
}

// SAFETY: each method uses only its own data and calls of `S`, which meets the requirements of `Sys`.
unsafe impl<S: PosixSys + Sync> Backend for Posix<S> {
    type Sys = S;

    fn sys(&self) -> &S {
        &self.sys
    }

    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn enumerators(&self) -> &[&dyn FdEnumerator<S>] {
        &[&DevFd]
    }
}
