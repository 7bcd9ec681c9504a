//! Protocols that announce descriptors and sockets in the environment: make's jobserver, and systemd's
//! notifications and watchdog. `listen_fds` receives sockets.
//!
//! - `jobserver`: the jobserver of this process's parent
//! - `notify`: messages to the supervisor of this process, `watchdog`: its watchdog
//! - `notify_socket`: messages from children, `notification`: one of them

pub(crate) mod jobserver;
pub(crate) mod notification;
pub(crate) mod notify;
pub(crate) mod notify_socket;
pub(crate) mod watchdog;
