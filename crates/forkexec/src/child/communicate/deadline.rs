//! The end of the time that an operation may take.

use std::time::{Duration, Instant};

/// A point in time, or never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Self = Self(None);

    /// A time that is too long for the clock is never.
    pub(crate) fn after(now: Instant, time: Option<Duration>) -> Self {
        Self(time.and_then(|time| now.checked_add(time)))
    }

    pub(crate) fn has_passed(self, now: Instant) -> bool {
        self.0.is_some_and(|end| now >= end)
    }

    /// The time that is left, or `None` if the deadline never comes.
    pub(crate) fn rest(self, now: Instant) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(now))
    }

    pub(crate) fn earlier(self, other: Self) -> Self {
        Self(self.0.into_iter().chain(other.0).min())
    }
}

#[cfg(test)]
mod tests {
    use super::Deadline;
    use rstest::rstest;
    use std::time::{Duration, Instant};

    const SECOND: Duration = Duration::from_secs(1);

    #[rstest]
    #[case::none(Duration::ZERO, SECOND, Duration::ZERO, true)]
    #[case::before_it(2 * SECOND, SECOND, SECOND, false)]
    #[case::at_it(SECOND, SECOND, Duration::ZERO, true)]
    #[case::after_it(SECOND, 2 * SECOND, Duration::ZERO, true)]
    fn deadline_passes_when_its_time_is_over(
        #[case] time: Duration,
        #[case] passed: Duration,
        #[case] rest: Duration,
        #[case] is_over: bool,
    ) {
        let start = Instant::now();
        let deadline = Deadline::after(start, Some(time));
        let now = start + passed;
        assert_eq!((deadline.rest(now), deadline.has_passed(now)), (Some(rest), is_over));
    }

    #[rstest]
    #[case::longer_than_the_clock_can_count(Some(Duration::MAX))]
    #[case::never(None)]
    fn deadline_beyond_the_clock_never_passes(#[case] time: Option<Duration>) {
        let now = Instant::now();
        let deadline = Deadline::after(now, time);
        assert_eq!((deadline.rest(now), deadline.has_passed(now)), (None, false));
    }

    #[test]
    fn earlier_picks_the_earlier_deadline() {
        let now = Instant::now();
        let soon = Deadline::after(now, Some(Duration::ZERO));
        assert!(
            soon.earlier(Deadline::NEVER).has_passed(now) && Deadline::NEVER.earlier(soon).has_passed(now)
        );
        assert!(!Deadline::NEVER.earlier(Deadline::NEVER).has_passed(now));
    }
}
