//! A process without some of its standard descriptors.

use std::os::fd::{OwnedFd, RawFd};

use crate::sys;

/// Below the customary soft limit of 1,024, and above what a test opens.
const PARKED_FROM: RawFd = 900;

/// Brings back what [`close_stdio`] closed.
#[derive(Debug)]
#[must_use = "dropping it brings the descriptors back"]
pub struct Reopen {
    parked: Vec<(RawFd, OwnedFd)>,
}

/// Closes some of 0, 1 and 2 until the returned value is dropped.
///
/// The open ones are kept at numbers from 900 up, as close-on-exec. Output of the test harness is lost in that time, or
/// goes to the new owner of the number, so drop the value soon. A test must close what it opens under these numbers
/// before that.
///
/// # Panics
///
/// If the descriptor limit is below 900.
pub fn close_stdio(numbers: &[RawFd]) -> Reopen {
    let open = numbers.iter().filter(|&&fd| sys::ask(fd, libc::F_GETFD).is_ok());
    let park = |&fd| (fd, sys::duplicate_above(fd, PARKED_FROM).expect("the descriptor limit is above 900"));
    let parked: Vec<_> = open.map(park).collect();
    for &(fd, _) in &parked {
        // SAFETY: the process lends its streams to the test until the answer is dropped.
        unsafe { sys::close(fd) }.expect("an open descriptor can be closed");
    }
    Reopen { parked }
}

impl Drop for Reopen {
    fn drop(&mut self) {
        for (fd, copy) in &self.parked {
            // Fails only if the limit ends at 0. Then no message can be printed, either.
            // SAFETY: as above. The test has closed what it opened under the number.
            let _ = unsafe { sys::duplicate_to(copy, *fd) };
        }
    }
}
