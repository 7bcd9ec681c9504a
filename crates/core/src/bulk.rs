//! The record of a refused bulk call, and closing by number between kept descriptors.

use crate::{CloseStrategy, Closed, Errno, Fd, Gap, LOOP_CEILING, Sys, close_numbers};
use core::sync::atomic::{AtomicBool, Ordering};

/// Records that the kernel refuses the bulk call for the life of the process.
///
/// No backend probes its call. The first child whose call is refused reports that, and later children begin with the next step
/// of the chain.
#[derive(Debug)]
pub struct BulkRefusal(AtomicBool);

impl BulkRefusal {
    /// Creates it for a call that is `refused`, or that no child has tried.
    pub const fn new(refused: bool) -> Self {
        Self(AtomicBool::new(refused))
    }

    /// Records a refusal that a child reported. Any other error of the call concerns that one launch.
    pub fn learn(&self, closed: &Closed) {
        if closed.bulk_refused.is_some_and(Errno::is_refusal) {
            self.note();
        }
    }

    /// Records a refusal.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether a refusal is recorded.
    pub fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The first step of the chain: the bulk call, unless it is refused.
    pub fn first_strategy(&self) -> CloseStrategy {
        if self.is_known() { CloseStrategy::Enumerate } else { CloseStrategy::Bulk }
    }
}

/// Closes a gap below a kept descriptor by number, for a system whose bulk call has no upper end. No open descriptor is above
/// `highest`, which is `Fd::MAX` if the system does not tell.
///
/// # Errors
///
/// Returns `EOVERFLOW` if the gap cannot be closed in bounded time. The kept descriptor above it need not be open.
pub fn close_gap_by_number<S: Sys + ?Sized>(sys: &S, gap: Gap, highest: Fd) -> Result<(), Errno> {
    if gap.last().min(highest) >= LOOP_CEILING {
        return Err(Errno::OVERFLOW);
    }
    close_numbers(sys, gap, highest.saturating_add(1));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{BulkRefusal, CloseStrategy, Closed, Errno};
    use crate::Closer;
    use rstest::rstest;

    #[rstest]
    #[case::none(None, CloseStrategy::Bulk)]
    #[case::of_one_launch(Some(Errno::MFILE), CloseStrategy::Bulk)]
    #[case::for_good(Some(Errno::NOSYS), CloseStrategy::Enumerate)]
    fn refusal_is_remembered(#[case] bulk_refused: Option<Errno>, #[case] next: CloseStrategy) {
        let refusal = BulkRefusal::new(false);
        refusal.learn(&Closed { by: Closer::Loop, bulk_refused });
        refusal.learn(&Closed::default());
        assert_eq!(refusal.first_strategy(), next);
    }

    #[test]
    fn call_can_be_refused_from_the_start() {
        assert_eq!(BulkRefusal::new(true).first_strategy(), CloseStrategy::Enumerate);
    }
}
