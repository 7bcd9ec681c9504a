//! What the program used, as the kernel accounts for it.

use std::mem::MaybeUninit;
use std::time::Duration;

use crate::system;

/// What a child and all that it waited for used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) user: Duration,
    pub(super) system: Duration,
    /// The most memory that one of them had resident, in KiB. It includes what this command had when it started the program.
    pub(super) max_rss_kib: Option<u64>,
}

/// That of the children that were waited for: the program, and orphans if they fall to this process. nix does not have the call
/// on Solaris.
pub(super) fn of_children() -> Option<Usage> {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills a `rusage`.
    let got = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    // SAFETY: all zeroes are one, too.
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
