//! The source of a child's standard input, output and error.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Stderr, Stdout};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;

/// The source of one of a child's standard streams, as [`std::process::Stdio`].
///
/// It is created by a function of this type, or with `From` from a file, a pipe, a socket, or one of the
/// parent's standard streams.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Stdio};
/// use std::fs::File;
///
/// let status = Command::new("cat").stdin(File::open("/dev/null")?).stdout(Stdio::inherit()).status()?;
/// assert!(status.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
/// A copy shares the open file.
#[derive(Clone, Debug)]
pub struct Stdio(pub(crate) Kind);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Inherit,
    Null,
    Piped,
    Closed,
    Fd(Arc<OwnedFd>),
    /// A standard stream of the parent, by its number in the parent.
    Parent(RawFd),
}

impl Stdio {
    /// Inherits the parent's stream. If it is closed in the parent, it is closed in the child.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// Command::new("echo").arg("hello").stdout(Stdio::inherit()).status()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn inherit() -> Self {
        Self(Kind::Inherit)
    }

    /// Opens `/dev/null`: reads return end of file, and writes are discarded.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// Command::new("echo").arg("hello").stdout(Stdio::null()).status()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn null() -> Self {
        Self(Kind::Null)
    }

    /// Creates a new pipe between the parent and the child. The parent's end is in the
    /// [`Child`](crate::Child).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    /// use std::io::Read;
    ///
    /// let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    /// let mut text = String::new();
    /// child.stdout.take().ok_or("stdout is piped")?.read_to_string(&mut text)?;
    /// assert_eq!(text, "hello\n");
    /// child.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn piped() -> Self {
        Self(Kind::Piped)
    }

    /// Closes the stream: its number is not open in the child.
    ///
    /// Few programs expect that. The first file that such a program opens gets the number.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// let status = Command::new("sh").args(["-c", "test ! -e /dev/fd/0"]).stdin(Stdio::closed()).status()?;
    /// assert!(status.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn closed() -> Self {
        Self(Kind::Closed)
    }
}

macro_rules! owners {
    ($($owner:ty),* $(,)?) => {$(
        impl From<$owner> for Stdio {
            fn from(owner: $owner) -> Self {
                Self(Kind::Fd(Arc::new(owner.into())))
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

#[cfg(feature = "os_pipe")]
owners![os_pipe::PipeReader, os_pipe::PipeWriter];

/// Shares a descriptor with other owners.
impl From<Arc<OwnedFd>> for Stdio {
    fn from(fd: Arc<OwnedFd>) -> Self {
        Self(Kind::Fd(fd))
    }
}

impl FromRawFd for Stdio {
    unsafe fn from_raw_fd(fd: RawFd) -> Self {
        // SAFETY: the caller passes the ownership of the descriptor, by the contract of this trait.
        Self::from(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// Makes the child's stream a duplicate of the parent's standard output.
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

/// Makes the child's stream a duplicate of the parent's standard error.
impl From<Stderr> for Stdio {
    fn from(stream: Stderr) -> Self {
        Self(Kind::Parent(stream.as_raw_fd()))
    }
}
