//! The systems of Apple.

#[path = "parts/mod_init_func.rs"]
mod mod_init_func;
#[path = "parts/no_orphans.rs"]
mod no_orphans;
#[path = "parts/no_timer.rs"]
mod no_timer;
#[path = "parts/sender.rs"]
mod sender;

pub(crate) use no_orphans::adopt_orphans;
pub(crate) use no_timer::stop_until;
pub(crate) use sender::sender;

/// The signal of the key at the terminal that asks for the status (`VSTATUS` of termios(4)).
pub(crate) const STATUS_KEY: Option<i32> = Some(libc::SIGINFO);

/// The unit of `ru_maxrss` of getrusage(2): how many are one KiB.
pub(crate) const RSS_PER_KIB: u64 = 1024;
