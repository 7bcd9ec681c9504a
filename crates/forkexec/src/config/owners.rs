//! The types that own a descriptor, as the source of a descriptor or a stream.

use super::source::FdSource;
use super::stdio::Stdio;
use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;

macro_rules! owners {
    ($($owner:ty),* $(,)?) => {$(
        impl From<$owner> for FdSource<'_> {
            fn from(owner: $owner) -> Self {
                Arc::new(OwnedFd::from(owner)).into()
            }
        }

        impl From<$owner> for Stdio {
            fn from(owner: $owner) -> Self {
                Arc::new(OwnedFd::from(owner)).into()
            }
        }
    )*};
}

owners![
    OwnedFd,
    File,
    TcpListener,
    TcpStream,
    UdpSocket,
    UnixDatagram,
    UnixListener,
    UnixStream,
    ChildStdin,
    ChildStdout,
    ChildStderr,
];

#[cfg(feature = "os_pipe")]
owners![os_pipe::PipeReader, os_pipe::PipeWriter];

#[cfg(std_pipes)]
#[expect(clippy::incompatible_msrv, reason = "the build script checks the version")]
mod std_pipes {
    use super::{Arc, FdSource, OwnedFd, Stdio};
    use std::io::{PipeReader, PipeWriter};

    owners![PipeReader, PipeWriter];
}
