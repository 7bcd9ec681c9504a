//! The source of a child's standard input, output and error.

use std::fs::File;
use std::io::{self, Stderr, Stdout};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
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
    /// A new pipe, of this capacity in bytes if it is set.
    Piped(Option<usize>),
    Closed,
    Fd(Arc<OwnedFd>),
    /// A standard stream of the parent, by its number in the parent.
    Parent(RawFd),
    /// The same as the child's standard output. Only standard error can be that.
    Merged,
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
        Self(Kind::Piped(None))
    }

    /// Creates a pipe as [`piped`](Self::piped), with room for at least this many bytes.
    ///
    /// A larger pipe lets the child write more before the parent reads. The kernel rounds up to a power of two, and to one
    /// page at least. It refuses a capacity above `/proc/sys/fs/pipe-max-size` to an unprivileged process.
    ///
    /// # Errors
    ///
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems than Linux and Android.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Setup`](crate::Stage::Setup) if the kernel
    ///   refuses the capacity (`F_SETPIPE_SZ` of fcntl(2)).
    ///
    /// # Examples
    ///
    /// ```
    /// # if forkexec::capabilities().system == "Linux" {
    /// use forkexec::{Command, Stdio};
    ///
    /// let mut command = Command::new("head");
    /// // The child ends although nothing reads its output before.
    /// command.args(["-c", "200000", "/dev/zero"]).stdout(Stdio::piped_with_capacity(1 << 18));
    /// let mut child = command.spawn()?;
    /// assert!(child.wait()?.success());
    /// # }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn piped_with_capacity(bytes: usize) -> Self {
        Self(Kind::Piped(Some(bytes)))
    }

    /// Opens a file to append to, as `>>` in a shell: each write goes to its end, also if other processes write to it. The
    /// file is created if it is missing, with the permissions 666 without those of the umask.
    ///
    /// A copy shares the open file, so two streams can lead to a file that is opened once.
    ///
    /// # Errors
    ///
    /// Returns the error of open(2).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stdio};
    ///
    /// let directory = tempfile::tempdir()?;
    /// let log = Stdio::append(directory.path().join("log"))?;
    /// let mut command = Command::new("sh");
    /// command.args(["-c", "echo out; echo err >&2"]).stdout(log.clone()).stderr(log);
    /// command.status()?;
    /// command.status()?;
    /// let text = std::fs::read_to_string(directory.path().join("log"))?;
    /// assert_eq!(text, "out\nerr\nout\nerr\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn append<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        File::options().append(true).create(true).open(path).map(Self::from)
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
