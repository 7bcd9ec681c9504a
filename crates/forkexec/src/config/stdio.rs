//! What a child's standard input, output and error are.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Stderr, Stdout};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{ChildStderr, ChildStdin, ChildStdout};

/// What one of a child's standard descriptors is to be, as [`std::process::Stdio`].
#[derive(Debug)]
pub struct Stdio(pub(crate) Kind);

#[derive(Debug)]
pub(crate) enum Kind {
    Inherit,
    Null,
    Piped,
    Closed,
    Fd(OwnedFd),
    /// A standard stream of the parent, by its number there.
    Parent(RawFd),
}

impl Stdio {
    /// The parent's own. One that is closed in the parent is closed in the child, too.
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// `/dev/null`.
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// A new pipe, whose other end is in the [`Child`](crate::Child).
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }

    /// Nothing: the number is not open in the child. Few programs expect that: the first file that they open gets
    /// the number.
    pub fn closed() -> Self {
        Self(Kind::Closed)
    }
}

macro_rules! owners {
    ($($owner:ty),* $(,)?) => {$(
        impl From<$owner> for Stdio {
            fn from(owner: $owner) -> Self {
                Self(Kind::Fd(owner.into()))
            }
        }
    )*};
}

owners![
    OwnedFd,
    File,
    PipeReader,
    PipeWriter,
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

/// The child's stream becomes a duplicate of the parent's standard output.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Stdio};
///
/// // As `2>&1` in a shell, with the parent's standard output.
/// Command::new("ls").arg("/missing").stderr(Stdio::from(std::io::stdout())).status()?;
/// # Ok::<(), forkexec::Error>(())
/// ```
impl From<Stdout> for Stdio {
    fn from(stream: Stdout) -> Self {
        Self(Kind::Parent(stream.as_raw_fd()))
    }
}

/// The child's stream becomes a duplicate of the parent's standard error.
impl From<Stderr> for Stdio {
    fn from(stream: Stderr) -> Self {
        Self(Kind::Parent(stream.as_raw_fd()))
    }
}
