//! The addresses of a socket.

use std::fmt;
use std::mem::ManuallyDrop;
use std::net;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::net as unix;

/// The address of a socket.
///
/// # Examples
///
/// ```
/// use forkexec::fds::{self, SocketAddress};
/// use std::net::TcpListener;
/// use std::os::fd::AsRawFd;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let fds = fds::list()?;
/// let listed = fds.iter().find(|fd| fd.number() == listener.as_raw_fd()).ok_or("it is open")?;
/// let address = listener.local_addr()?;
/// assert!(matches!(listed.local_address(), Some(SocketAddress::Internet(local)) if *local == address));
/// assert!(listed.peer_address().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SocketAddress {
    /// The address of an IPv4 or IPv6 socket.
    Internet(net::SocketAddr),
    /// The address of a Unix-domain socket. It may have no name.
    Unix(unix::SocketAddr),
}

impl fmt::Display for SocketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internet(address) => write!(f, "{address}"),
            Self::Unix(address) => match address.as_pathname() {
                Some(path) => write!(f, "unix:{}", path.display()),
                None => write!(f, "unix"),
            },
        }
    }
}

/// Returns the addresses of a socket and of its peer, as far as the system tells them.
pub(super) fn addresses(fd: RawFd) -> [Option<SocketAddress>; 2] {
    // SAFETY: the value is not dropped, so it closes nothing. Its methods only ask the system about a number, and fail if
    // it is no socket any more.
    let stream = ManuallyDrop::new(unsafe { net::TcpStream::from_raw_fd(fd) });
    if let Ok(local) = stream.local_addr() {
        return [Some(local), stream.peer_addr().ok()].map(|it| it.map(SocketAddress::Internet));
    }
    // SAFETY: as above.
    let stream = ManuallyDrop::new(unsafe { unix::UnixStream::from_raw_fd(fd) });
    [stream.local_addr().ok(), stream.peer_addr().ok()].map(|it| it.map(SocketAddress::Unix))
}
