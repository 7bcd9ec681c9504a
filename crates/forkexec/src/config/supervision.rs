//! The variables by which a supervisor announces itself to a child.

use std::ffi::OsString;
use std::time::Duration;

/// The supervisor of a child, as its environment announces it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Supervision {
    /// The address of the notification socket, as `NOTIFY_SOCKET` holds it.
    pub(crate) notify_socket: Option<OsString>,
    /// The interval of the watchdog.
    pub(crate) watchdog: Option<Duration>,
}
