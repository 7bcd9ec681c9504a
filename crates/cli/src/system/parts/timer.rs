//! A clock that runs while a process is stopped: a timer of POSIX.

use std::time::Instant;

/// Stops this process by `stop`, and continues it at this instant if it is stopped then.
///
/// A timer sends `SIGCONT`. If the system has no timer left, this process is not continued.
pub(crate) fn stop_until<T>(end: Option<Instant>, stop: impl FnOnce() -> T) -> T {
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
