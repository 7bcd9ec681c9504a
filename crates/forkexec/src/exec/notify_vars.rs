//! The variables of a supervised service, as in systemd (`sd_notify(3)`, `sd_watchdog_enabled(3)`).

use crate::config::environment::Variables;
use crate::config::supervision::Supervision;

/// The address of the socket that takes notifications.
pub(crate) const SOCKET: &str = "NOTIFY_SOCKET";
/// The interval of the watchdog, in microseconds.
pub(crate) const WATCHDOG: &str = "WATCHDOG_USEC";
/// The process that the watchdog is for. A descendant that inherits the variables sees that they are not for it.
pub(crate) const WATCHDOG_PID: &str = "WATCHDOG_PID";

/// The longest interval. The next number means that there is no watchdog (`USEC_INFINITY` of systemd).
pub(crate) const LONGEST: u64 = u64::MAX - 1;

/// Sets the variables that the parent knows. `WATCHDOG_PID` of the parent's own watchdog is removed.
pub(crate) fn announce(supervision: &Supervision, variables: &mut Variables) {
    if let Some(address) = &supervision.notify_socket {
        variables.set(SOCKET, address);
    }
    if let Some(interval) = supervision.watchdog {
        variables.remove(WATCHDOG_PID);
        let micros = u64::try_from(interval.as_micros()).unwrap_or(LONGEST);
        variables.set(WATCHDOG, micros.min(LONGEST).to_string());
    }
}
