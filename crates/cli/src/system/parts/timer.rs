//! A POSIX timer, which runs while the process is stopped.

use std::time::Instant;

/// Stops this process by `stop`. A timer continues it with `SIGCONT` at `end`, unless the system has no timer left.
pub(crate) fn stop_until<T>(end: Option<Instant>, stop: impl FnOnce() -> T) -> T {
    use nix::sys::signal::{SigEvent, SigevNotify, Signal};
    use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
    use nix::time::ClockId;
    use std::time::Duration;

    let event = SigevNotify::SigevSignal { signal: Signal::SIGCONT, si_value: 0 };
    let mut timer = end.and_then(|_| Timer::new(ClockId::CLOCK_MONOTONIC, SigEvent::new(event)).ok());
    if let (Some(timer), Some(end)) = (&mut timer, end) {
        // Zero would disarm the timer.
        let rest = end.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let _ = timer.set(Expiration::OneShot(rest.into()), TimerSetTimeFlags::empty());
    }
    stop()
}
