//! The resources that the program used, as the kernel counts them.

use std::mem::MaybeUninit;
use std::time::Duration;

use crate::system;

/// The resources that a child used, with those of all descendants that were waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) user: Duration,
    pub(super) system: Duration,
    /// The highest resident set size of one of them, in KiB. It is not below that of this command at the start.
    pub(super) max_rss_kib: Option<u64>,
}

/// Returns the usage of the children that were waited for: the program, and orphans if this process reaps them.
///
/// nix does not have the call on Solaris.
pub(super) fn of_children() -> Option<Usage> {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills a `rusage`.
    let got = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    // SAFETY: a `rusage` of zeroes is valid.
    let usage = unsafe { usage.assume_init() };
    (got == 0).then(|| Usage {
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        max_rss_kib: system::max_rss_kib(usage.ru_maxrss),
    })
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_has_seconds_and_microseconds() {
        let time = libc::timeval { tv_sec: 2, tv_usec: 30 };
        assert_eq!(duration(time), Duration::from_micros(2_000_030));
    }
}
