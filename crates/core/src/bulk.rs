//! The memory of a refused bulk call, and the numbers that such a call cannot reach.

use crate::{CloseStrategy, Closed, Errno, Fd, Gap, LOOP_CEILING, Sys, close_numbers};
use core::sync::atomic::{AtomicBool, Ordering};

/// Whether the system's bulk call is refused for the life of the process.
///
/// No backend probes its call. The first child that meets a refusal reports it, and later children begin with the next link.
#[derive(Debug)]
pub struct BulkRefusal(AtomicBool);

impl BulkRefusal {
    /// Begins with a call that is `refused`, or with one that no child has tried.
    pub const fn new(refused: bool) -> Self {
        Self(AtomicBool::new(refused))
    }

    /// Notes a refusal that the child met. Any other answer of the call belongs to that one launch.
    pub fn learn(&self, closed: &Closed) {
        if closed.bulk_refused.is_some_and(Errno::is_refusal) {
            self.note();
        }
    }

    /// Notes a refusal.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a refusal is known.
    pub fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The first link of the chain: the bulk call, unless it is refused.
    pub fn first_link(&self) -> CloseStrategy {
        if self.is_known() { CloseStrategy::Enumerate } else { CloseStrategy::Bulk }
    }
}

/// Closes a gap below a kept descriptor by number, for a bulk call without an upper end. No open descriptor is above `highest`;
/// `Fd::MAX` says that the system does not tell.
///
/// # Errors
///
/// `EOVERFLOW` if bounded time does not suffice for the gap. The kept descriptor above it need not be open.
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
        assert_eq!(refusal.first_link(), next);
    }

    #[test]
    fn call_can_be_refused_from_the_start() {
        assert_eq!(BulkRefusal::new(true).first_link(), CloseStrategy::Enumerate);
    }
}
