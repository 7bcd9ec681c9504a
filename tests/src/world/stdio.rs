//! A process born without some of its standard descriptors.

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

/// Closes some of 0, 1 and 2 until the answer is dropped.
///
/// What was open waits at numbers from 900 up, where exec closes it. What the
/// test harness prints meanwhile is lost, or ends up in whatever takes the
/// numbers: keep the answer no longer than needed. Numbers that a test opens
/// there are its own to close, before the answer is dropped.
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
            // Refused only below a limit that ends at 0: then nothing can be said, either.
            // SAFETY: as above. What the test opened under the number it has closed.
            let _ = unsafe { sys::duplicate_to(copy, *fd) };
        }
    }
}
