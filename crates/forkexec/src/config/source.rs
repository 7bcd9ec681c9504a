//! A descriptor that is handed to a child: borrowed, or owned by the command.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// A descriptor for a child: borrowed for as long as the command lives, or owned by it.
///
/// It is made from anything that owns a descriptor (`File`, `OwnedFd`, `TcpListener`, `PipeWriter` …), or from a
/// reference to it.
#[derive(Debug)]
pub struct FdSource<'fd>(Inner<'fd>);

#[derive(Debug)]
enum Inner<'fd> {
    Borrowed(BorrowedFd<'fd>),
    Owned(OwnedFd),
}

impl AsFd for FdSource<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Inner::Borrowed(fd) => fd.as_fd(),
            Inner::Owned(fd) => fd.as_fd(),
        }
    }
}

impl AsRawFd for FdSource<'_> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<'fd> From<BorrowedFd<'fd>> for FdSource<'fd> {
    fn from(fd: BorrowedFd<'fd>) -> Self {
        Self(Inner::Borrowed(fd))
    }
}

impl<'fd, T: AsFd> From<&'fd T> for FdSource<'fd> {
    fn from(fd: &'fd T) -> Self {
        Self(Inner::Borrowed(fd.as_fd()))
    }
}

macro_rules! owners {
    ($($owner:ty),* $(,)?) => {$(
        impl From<$owner> for FdSource<'_> {
            fn from(owner: $owner) -> Self {
                Self(Inner::Owned(owner.into()))
            }
        }
    )*};
}

owners![
    OwnedFd,
    std::fs::File,
    std::io::PipeReader,
    std::io::PipeWriter,
    std::net::TcpListener,
    std::net::TcpStream,
    std::net::UdpSocket,
    std::os::unix::net::UnixDatagram,
    std::os::unix::net::UnixListener,
    std::os::unix::net::UnixStream,
    std::process::ChildStdin,
    std::process::ChildStdout,
    std::process::ChildStderr,
];
