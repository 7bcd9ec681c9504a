//! Systems without abstract addresses, on which the sender of a datagram is not determined.

use nix::sys::socket::UnixAddr;
use std::io;
use std::os::unix::net::UnixDatagram;

#[expect(clippy::unnecessary_wraps, reason = "it fails on other systems")]
pub(crate) fn attach(_socket: &UnixDatagram) -> io::Result<()> {
    Ok(())
}

pub(crate) fn bind_abstract(_socket: &UnixDatagram) -> io::Result<Vec<u8>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn abstract_address(_name: &[u8]) -> io::Result<UnixAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn pid_in(_header: &libc::cmsghdr, _data: &[u8]) -> Option<u32> {
    None
}

/// The sender is unknown. The permissions of the socket's directory decide who can send.
pub(crate) fn is_within(_sender: Option<u32>, _ancestor: u32) -> bool {
    true
}
