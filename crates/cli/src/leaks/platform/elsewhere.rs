//! Systems without a tracer.

use crate::exit::Failure;
use crate::leaks::platform::options::Settings;
use crate::leaks::platform::report::Traced;

/// Refuses to trace.
///
/// # Errors
///
/// Always fails.
pub(in crate::leaks) fn trace(_: &Settings) -> Result<Traced, Failure> {
    Err(Failure::refused(
        "cannot trace the program: this needs ptrace(2) of Linux, on x86_64, aarch64 or riscv64",
    ))
}
