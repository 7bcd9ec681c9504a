//! Errors of socket activation.

use std::ffi::OsString;
use std::os::fd::RawFd;
use thiserror::Error;

/// The reason why [`listen_fds`](crate::listen_fds) returns no sockets.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActivationError {
    /// A variable has an invalid value.
    #[error("cannot use {name}: its value {value:?} is invalid")]
    Variable {
        /// `LISTEN_PID`, `LISTEN_FDS` or `LISTEN_FDNAMES`.
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
    /// An earlier call in this process took the descriptors.
    #[error("cannot take the passed sockets: an earlier call took them")]
    TakenBefore,
}
