//! A walk over the numbers that ends when as many open descriptors were met as getdtablecount(2) counts.

use crate::OpenbsdSys;
use forkexec_core::{Errno, Fd, FdEnumerator, LOOP_CEILING, Sys, Unlisted};

/// What is asked.
pub(crate) const NAME: &str = "getdtablecount";

/// The enumerator from the lowest number up.
///
/// The count is of the whole table, so what is open below the first number that is visited is looked at, too: a walk that
/// forgot it would go on for ever, one that took it for granted would end early where 0, 1 or 2 is closed. A descriptor
/// that the visitor keeps was met like any other.
#[derive(Clone, Copy, Debug)]
pub struct CountedWalk;

// SAFETY: it calls `S` alone, which meets the requirements of `Sys`, and its buffer is on the stack.
unsafe impl<S: OpenbsdSys> FdEnumerator<S> for CountedWalk {
    fn name(&self) -> &'static str {
        NAME
    }

    fn visit(&self, sys: &S, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted> {
        let mut unmet = sys.open_count().map_err(Unlisted::Refused)?;
        for fd in 0..from {
            if is_open(sys, fd)? {
                unmet = unmet.saturating_sub(1);
            }
        }
        for fd in from..LOOP_CEILING {
            if unmet <= 0 {
                break;
            }
            if is_open(sys, fd)? {
                unmet = unmet.saturating_sub(1);
                visitor(fd);
            }
        }
        // Fewer than were met below the first, or more than there are numbers: no count of this table.
        if unmet == 0 { Ok(()) } else { Err(Unlisted::Untrusted) }
    }
}

fn is_open<S: Sys>(sys: &S, fd: Fd) -> Result<bool, Unlisted> {
    match sys.is_cloexec(fd) {
        Ok(_) => Ok(true),
        Err(Errno::BADF) => Ok(false),
        Err(errno) => Err(Unlisted::Refused(errno)),
    }
}
