//! `F_MAXFD` of fcntl(2), called again after each close.

use crate::NetbsdSys;
use forkexec_core::{Fd, FdEnumerator, LOOP_CEILING, Unlisted};

/// The name of the list.
pub(crate) const NAME: &str = "F_MAXFD";

/// The enumerator from the highest open descriptor down.
///
/// While the visitor closes each descriptor, the next `F_MAXFD` skips all closed numbers. The first descriptor that the visitor
/// keeps stays the highest. Below it, `visit` passes every number, open or not.
#[derive(Clone, Copy, Debug)]
pub struct MaxFd;

// SAFETY: it makes only calls of `S`, which meets the requirements of `Sys`. Its buffer is on the stack.
unsafe impl<S: NetbsdSys> FdEnumerator<S> for MaxFd {
    fn name(&self) -> &'static str {
        NAME
    }

    fn visit(&self, sys: &S, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Result<(), Unlisted> {
        let highest = sys.max_fd().map_err(Unlisted::Refused)?;
        let unvisited = from..visit_while_falling(sys, highest, from, visitor);
        if unvisited.end > LOOP_CEILING {
            return Err(Unlisted::Untrusted);
        }
        unvisited.rev().for_each(visitor);
        Ok(())
    }
}

/// Visits the highest open descriptor as long as the next one is lower. Returns the number below which others may be open.
fn visit_while_falling<S: NetbsdSys>(sys: &S, mut highest: Fd, from: Fd, visitor: &mut dyn FnMut(Fd)) -> Fd {
    while highest >= from {
        visitor(highest);
        match sys.max_fd() {
            Ok(next) if next < highest => highest = next,
            _ => return highest,
        }
    }
    from
}
