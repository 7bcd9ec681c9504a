//! A system on which nothing can be traced from here.

use crate::exit::Failure;
use crate::leaks::platform::options::Wanted;
use crate::leaks::platform::report::Traced;

/// Refuses.
///
/// # Errors
///
/// Always.
pub(in crate::leaks) fn trace(_: &Wanted) -> Result<Traced, Failure> {
    Err(Failure::refused(
        "this system is not served: it takes ptrace(2) of Linux, on x86_64, aarch64 or riscv64",
    ))
}
