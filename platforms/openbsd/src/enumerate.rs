//! A walk over the numbers, which ends after as many open descriptors as getdtablecount(2) counts.

use crate::OpenbsdSys;
use forkexec_core::{Errno, Fd, FdEnumerator, LOOP_CEILING, Sys, Unlisted};

/// The name of the list.
pub(crate) const NAME: &str = "getdtablecount";

/// The enumerator from the lowest number up.
///
/// The count covers the whole table. So the walk also checks the numbers below the first visited one. Without that it would
/// end late, and if it assumed them open, it would end early when 0, 1 or 2 is closed. A descriptor that the visitor keeps
/// counts like any other.
#[derive(Clone, Copy, Debug)]
pub struct CountedWalk;

// SAFETY: it makes only calls of `S`, which meets the requirements of `Sys`. Its buffer is on the stack.
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
        // Otherwise more were open below `from` than the count, or fewer in all: it is no count of this table.
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
