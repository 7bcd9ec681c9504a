//! What the program used, as the kernel accounts for it.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

use super::platform;

/// What a child and all that it waited for used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) user: Duration,
    pub(super) system: Duration,
    /// The most memory that one of them had resident, in KiB. It includes what this command had when it started the program.
    pub(super) max_rss_kib: Option<u64>,
}

/// That of the children that were waited for: the program is the only one.
pub(super) fn of_children() -> Option<Usage> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    let duration = |time: TimeVal| Duration::from_micros(time.num_microseconds().unsigned_abs());
    Some(Usage {
        user: duration(usage.user_time()),
        system: duration(usage.system_time()),
        max_rss_kib: platform::max_rss_kib(usage.max_rss()),
    })
}
