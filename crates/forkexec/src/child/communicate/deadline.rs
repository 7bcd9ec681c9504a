//! How long something may take.

use crate::sys::poll::poll_timeout;
use nix::poll::PollTimeout;
use std::time::{Duration, Instant};

/// A point in time, or never.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Option<Instant>);

impl Deadline {
    /// So long from now. What is too long for the clock is never.
    pub(super) fn after(time: Option<Duration>) -> Self {
        Self(time.and_then(|time| Instant::now().checked_add(time)))
    }

    pub(super) fn has_passed(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }

    /// How long it is until then, `None` if it is never.
    pub(super) fn rest(self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }

    pub(super) fn earlier(self, other: Self) -> Self {
        Self(self.0.into_iter().chain(other.0).min())
    }

    /// For poll(2).
    pub(super) fn for_poll(self) -> PollTimeout {
        poll_timeout(self.rest())
    }
}

#[cfg(test)]
mod tests {
    use super::Deadline;
    use nix::poll::PollTimeout;
    use rstest::rstest;
    use std::time::Duration;

    #[rstest]
    #[case::nothing(Some(Duration::ZERO), PollTimeout::ZERO)]
    #[case::longer_than_poll_can_count(Some(Duration::from_secs(1 << 40)), PollTimeout::MAX)]
    #[case::longer_than_the_clock_can(Some(Duration::MAX), PollTimeout::NONE)]
    #[case::never(None, PollTimeout::NONE)]
    fn poll_waits_as_long_as_it_can(#[case] time: Option<Duration>, #[case] expected: PollTimeout) {
        assert_eq!(Deadline::after(time).for_poll(), expected);
    }

    /// What is rounded down is asked again and again until it is over.
    #[test]
    fn a_part_of_a_millisecond_is_a_whole_one() {
        let deadline = Deadline::after(Some(Duration::from_micros(1)));
        let rounded = deadline.for_poll();
        assert!(rounded == PollTimeout::from(1_u8) || deadline.has_passed(), "{rounded:?}");
    }

    #[test]
    fn the_earlier_of_two_is_the_one_that_comes() {
        let (soon, never) = (Deadline::after(Some(Duration::ZERO)), Deadline::after(None));
        assert!(soon.earlier(never).has_passed() && never.earlier(soon).has_passed());
        assert!(!never.earlier(never).has_passed());
    }
}
