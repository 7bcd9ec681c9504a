//! Errors of what the environment announces.

use std::ffi::OsString;
use std::os::fd::RawFd;
use thiserror::Error;

/// The reason why a program cannot use what its environment announces: the sockets of
/// [`listen_fds`](crate::listen_fds), the [`Jobserver`](crate::Jobserver), the supervisor of [`notify`](crate::notify), or the
/// watchdog of [`watchdog_enabled`](crate::watchdog_enabled).
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActivationError {
    /// A variable has an invalid value.
    #[error("cannot use {name}: its value {value:?} is invalid")]
    Variable {
        /// The name, such as `LISTEN_FDS`.
        name: &'static str,
        /// The value.
        value: OsString,
    },
    /// The number of names differs from the number of descriptors.
    #[error("cannot use LISTEN_FDNAMES: the number of names is {names}, and LISTEN_FDS is {count}")]
    Names {
        /// The number of descriptors.
        count: u32,
        /// The number of names.
        names: usize,
    },
    /// A passed descriptor is not open.
    #[error("cannot take the passed socket (fd {fd}): it is not open")]
    NotOpen {
        /// The number.
        fd: RawFd,
    },
    /// A passed descriptor is close-on-exec: it was already taken, or this program opened it.
    #[error(
        "cannot take the passed socket (fd {fd}): it is close-on-exec, so it was already taken or is another file"
    )]
    Taken {
        /// The number.
        fd: RawFd,
    },
    /// A descriptor of make's jobserver is not open: the make that started this process does not share it.
    #[error("cannot use make's jobserver (fd {fd}): it is not open; begin the rule with + or call $(MAKE)")]
    JobserverClosed {
        /// The number.
        fd: RawFd,
    },
    /// A descriptor of make's jobserver is another file.
    #[error("cannot use make's jobserver (fd {fd}): it is not an inherited end of a pipe")]
    NotJobserver {
        /// The number.
        fd: RawFd,
    },
    /// An earlier call in this process took the descriptors.
    #[error("cannot take the passed sockets: an earlier call took them")]
    TakenBefore,
}
