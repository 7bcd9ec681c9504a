//! Registration of a descriptor with a runtime.

use std::io;
use std::os::fd::AsRawFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the runtime of this thread. If that fails, returns it with the error.
///
/// tokio 1.53 has an unsafe function for this, with the same contract, and deprecates the safe one that does the same. This
/// crate also works with older releases, which have the safe one alone.
///
/// # Safety
///
/// `inner` must keep its descriptor open, and the same, until the returned value is dropped.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "older releases give the error's type another name"
)]
#[expect(clippy::allow_attributes, reason = "older releases of tokio do not deprecate it")]
#[allow(deprecated, reason = "the contract of this function is that of the unsafe one")]
pub(super) unsafe fn register<T: AsRawFd>(
    inner: T,
    interest: Interest,
) -> Result<AsyncFd<T>, (T, io::Error)> {
    AsyncFd::try_with_interest(inner, interest).map_err(|error| error.into_parts())
}
