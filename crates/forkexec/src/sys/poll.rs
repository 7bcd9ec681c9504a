//! poll(2) with a deadline instead of a number of milliseconds.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// Waits until the descriptor is readable or the deadline passes, and returns whether it is readable. Without
/// a deadline it waits forever.
pub(crate) fn is_readable_until(fd: BorrowedFd<'_>, end: Option<Instant>) -> io::Result<bool> {
    is_ready_until(fd, PollFlags::POLLIN, end)
}

/// Waits as [`is_readable_until`] does, for other events of poll(2).
pub(crate) fn is_ready_until(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    end: Option<Instant>,
) -> io::Result<bool> {
    let rest = || end.map(|end| end.saturating_duration_since(Instant::now()));
    loop {
        match poll(&mut [PollFd::new(fd, events)], poll_timeout(rest())) {
            Ok(0) if rest() != Some(Duration::ZERO) => {}
            Ok(ready) => return Ok(ready > 0),
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Converts a duration for poll(2), which counts milliseconds. A fraction is rounded up. A longer time than
/// poll(2) can count takes several calls.
pub(crate) fn poll_timeout(rest: Option<Duration>) -> PollTimeout {
    let Some(rest) = rest else { return PollTimeout::NONE };
    let millis = i32::try_from(rest.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use super::poll_timeout;
    use nix::poll::PollTimeout;
    use rstest::rstest;
    use std::time::Duration;

    #[rstest]
    #[case::nothing(Duration::ZERO, 0)]
    #[case::less_than_one(Duration::from_nanos(1), 1)]
    #[case::one(Duration::from_millis(1), 1)]
    #[case::little_more_than_one(Duration::from_nanos(1_000_001), 2)]
    #[case::more_than_poll_counts(Duration::MAX, i32::MAX)]
    fn poll_waits_for_whole_milliseconds(#[case] rest: Duration, #[case] millis: i32) {
        assert_eq!(poll_timeout(Some(rest)).as_millis(), u32::try_from(millis).ok());
        assert_eq!(poll_timeout(None), PollTimeout::NONE);
    }
}
