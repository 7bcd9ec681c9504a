//! A system on which nothing can be traced from here.

use crate::exit::Failure;
use crate::leaks::found::Traced;
use crate::leaks::wanted::Wanted;

/// Refuses.
///
/// # Errors
///
/// Always.
#[expect(clippy::unnecessary_wraps, reason = "the signature is that of systems that can")]
pub(in crate::leaks) fn trace(_: &Wanted) -> Result<Traced, Failure> {
    Err(Failure::refused(
        "this system is not served: it takes ptrace(2) of Linux, on x86_64, aarch64 or riscv64",
    ))
}
