//! Android, for which nix has no timers.

#[path = "parts/init_array.rs"]
mod init_array;
#[path = "parts/linux_signals.rs"]
mod linux_signals;
#[path = "parts/no_timer.rs"]
mod no_timer;

pub(crate) use linux_signals::{adopt_orphans, sender};
pub(crate) use no_timer::stop_until;

/// The signal of the key at the terminal that asks for the status (`VSTATUS` of termios(4)).
pub(crate) const STATUS_KEY: Option<i32> = None;

/// The unit of `ru_maxrss` of getrusage(2): how many are one KiB.
pub(crate) const RSS_PER_KIB: u64 = 1;
