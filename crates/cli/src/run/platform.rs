//! Systems differ here: units, the sender of a signal, the adoption of orphans, and a clock that runs while a process is stopped.

use std::io;
use std::time::Instant;

use super::forward::Sender;

/// The `ru_maxrss` of getrusage(2) in KiB: Apple's systems count bytes, and those that count nothing say 0.
pub(super) fn max_rss_kib(max_rss: impl TryInto<u64>) -> Option<u64> {
    let count = max_rss.try_into().ok().filter(|&count| count > 0)?;
    Some(if cfg!(target_vendor = "apple") { count / 1024 } else { count })
}

/// The signal of the key at the terminal that asks for the status (`VSTATUS` of termios(4)).
pub(super) const STATUS_KEY: Option<i32> = STATUS_SIGNAL;

cfg_if::cfg_if! {
    if #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "dragonfly",
        target_os = "netbsd",
        target_os = "openbsd",
    ))] {
        const STATUS_SIGNAL: Option<i32> = Some(libc::SIGINFO);
    } else {
        const STATUS_SIGNAL: Option<i32> = None;
    }
}

cfg_if::cfg_if! {
    if #[cfg(any(target_os = "linux", target_os = "android"))] {
        /// The sender of a signal with these `si_code` and `si_pid`.
        ///
        /// All codes above 0 are the kernel's (`SI_FROMKERNEL` of linux/signal.h). A process outside of this pid namespace has
        /// the number 0, so the number does not tell. For a timer, there is another number in its place.
        pub(crate) fn sender(code: i32, pid: i32) -> Sender {
            match code {
                libc::SI_TIMER => Sender::Process(std::process::id().cast_signed()),
                code if code > 0 => Sender::Kernel,
                _ => Sender::Process(pid),
            }
        }

        /// Makes this process adopt the orphans among its descendants.
        pub(super) fn adopt_orphans() -> io::Result<()> {
            let (yes, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
            // SAFETY: the operation takes no address.
            let done = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, yes, none, none, none) };
            if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        }
    } else {
        /// The sender of a signal with these `si_code` and `si_pid`: a process has a number.
        pub(crate) fn sender(_: i32, pid: i32) -> Sender {
            if pid == 0 { Sender::Kernel } else { Sender::Process(pid) }
        }

        cfg_if::cfg_if! {
            if #[cfg(any(target_os = "freebsd", target_os = "dragonfly"))] {
                /// Makes this process adopt the orphans among its descendants.
                pub(super) fn adopt_orphans() -> io::Result<()> {
                    // SAFETY: the operation takes no address.
                    let done = unsafe { libc::procctl(libc::P_PID, 0, libc::PROC_REAP_ACQUIRE, std::ptr::null_mut()) };
                    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
                }
            } else {
                /// Makes this process adopt the orphans among its descendants.
                pub(super) fn adopt_orphans() -> io::Result<()> {
                    Err(io::ErrorKind::Unsupported.into())
                }
            }
        }
    }
}

cfg_if::cfg_if! {
    // nix has no timers for Android.
    if #[cfg(target_os = "linux")] {
        /// Stops this process by `stop`, and continues it at this instant if it is stopped then.
        ///
        /// A timer sends `SIGCONT`. If the system has no timer left, this process is not continued.
        pub(super) fn stop_until<T>(end: Option<Instant>, stop: impl FnOnce() -> T) -> T {
            use nix::sys::signal::{SigEvent, SigevNotify, Signal};
            use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
            use nix::time::ClockId;
            use std::time::Duration;

            let event = SigevNotify::SigevSignal { signal: Signal::SIGCONT, si_value: 0 };
            let mut timer = end.and_then(|_| Timer::new(ClockId::CLOCK_MONOTONIC, SigEvent::new(event)).ok());
            if let (Some(timer), Some(end)) = (&mut timer, end) {
                // Zero would disarm it.
                let rest = end.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
                let _ = timer.set(Expiration::OneShot(rest.into()), TimerSetTimeFlags::empty());
            }
            stop()
        }
    } else {
        /// Stops this process by `stop`. No timer continues it: a deadline is noticed when it is continued.
        pub(super) fn stop_until<T>(_: Option<Instant>, stop: impl FnOnce() -> T) -> T {
            stop()
        }
    }
}
