//! Pseudo-terminals, and what a program changes at its own terminal for a while.

pub(crate) mod foreground;
pub(crate) mod raw_mode;
pub(crate) mod window_size;

use crate::config::pty::PtyEnds;
use crate::error::Error;
use crate::pty::window_size::WindowSize;
use crate::sys::{fd, pty, terminal};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Arc;

/// A pseudo-terminal, by its controller end.
///
/// [`Command::pty`](crate::Command::pty) starts a program on it. This end then is what the screen and the
/// keyboard are for a terminal: reads return the output of the program, and writes are its input.
///
/// The two ends have several names. POSIX.1-2024 calls them *manager* and *subsidiary*, older documents
/// *master* and *slave*. This library says *controller end* and *user end*.
///
/// # End of file
///
/// If every process has closed the user end, [`read`](Read::read) returns 0. Linux reports that as `EIO`,
/// other systems as end of file. Before the first program has started on the terminal, a read waits.
///
/// A background process of a program may keep the terminal open after the program has ended. To stop reading
/// then, wait for the child in another thread, or with `poll(2)`.
///
/// # Hang-up
///
/// A clone refers to the same end. When the last one is dropped, the terminal hangs up: the kernel sends
/// `SIGHUP` to the leader of its session and to its foreground process group. A command on the terminal does
/// not keep it open.
///
/// # Descriptors
///
/// Both ends are close-on-exec, and a child of this library gets the user end only. Until the first program
/// starts, the value holds the user end, too.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Pty, WindowSize};
/// use std::io::{BufRead, BufReader, Write};
///
/// let mut pty = Pty::open(WindowSize::default())?;
/// let mut child = Command::new("cat").pty(&pty).spawn()?;
///
/// pty.write_all(b"hello\n\x04")?; // a line, and the key for end of file: Ctrl-D
/// let lines: Vec<_> = BufReader::new(&pty).lines().collect::<Result<_, _>>()?;
/// assert_eq!(lines, ["hello", "hello"]); // the echo, and the output of cat
/// assert!(child.wait()?.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pty {
    pub(crate) ends: Arc<PtyEnds>,
}

impl Pty {
    /// Opens a new pseudo-terminal with this window size.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Terminal`] if the system has no pseudo-terminals (`ENOENT`), or no more of them
    /// (`ENOSPC`), or if the process has no descriptor left (`EMFILE`).
    ///
    /// # Examples
    ///
    /// See [`Pty`].
    pub fn open(size: WindowSize) -> Result<Self, Error> {
        let (controller, user, path) = pty::open()?;
        let pty = Self { ends: Arc::new(PtyEnds::new(controller, user, path)) };
        pty.resize(size)?;
        Ok(pty)
    }

    /// Returns the window size.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Terminal`] if the system refuses.
    pub fn size(&self) -> Result<WindowSize, Error> {
        WindowSize::of(self)
    }

    /// Sets the window size. If it changes, the kernel sends `SIGWINCH` to the foreground process group of
    /// the terminal.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Terminal`] if the system refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pty, WindowSize};
    /// use std::io::{BufRead, BufReader};
    ///
    /// let pty = Pty::open(WindowSize::new(24, 80))?;
    /// let script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.1; done";
    /// let mut child = Command::new("sh").args(["-c", script]).pty(&pty).spawn()?;
    ///
    /// let mut lines = BufReader::new(&pty).lines();
    /// assert_eq!(lines.next().transpose()?.as_deref(), Some("ready"));
    /// pty.resize(WindowSize::new(50, 132))?;
    /// assert_eq!(lines.next().transpose()?.as_deref(), Some("50 132"));
    /// child.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resize(&self, size: WindowSize) -> Result<(), Error> {
        terminal::set_window_size(self.as_fd(), size.into())
            .map_err(|error| Error::Terminal { what: "set the window size", error })
    }

    /// Opens the user end, close-on-exec. It is a terminal, so that its modes can be set, or passed to a
    /// program by other means than [`Command::pty`](crate::Command::pty).
    ///
    /// A read of the controller end sees end of file only after this descriptor is closed, too.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Terminal`] if the end cannot be opened.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Pty, WindowSize};
    /// use std::io::IsTerminal;
    ///
    /// let pty = Pty::open(WindowSize::default())?;
    /// assert!(pty.open_user()?.is_terminal());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn open_user(&self) -> Result<OwnedFd, Error> {
        pty::open_user(self, self.path()).map_err(|error| Error::Terminal { what: pty::OPEN_USER, error })
    }

    /// Returns the path of the user end, such as `/dev/pts/3`. Returns `None` if it has none in the mount
    /// namespace in which it was opened.
    pub fn path(&self) -> Option<&Path> {
        self.ends.path.as_deref()
    }

    /// Moves this end into or out of non-blocking mode: a read or write that would wait fails with
    /// [`io::ErrorKind::WouldBlock`]. The mode belongs to the end, so that clones share it.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Terminal`] if the system refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Pty, WindowSize};
    /// use std::io::{ErrorKind, Read};
    ///
    /// let mut pty = Pty::open(WindowSize::default())?;
    /// pty.set_nonblocking(true)?;
    /// assert_eq!(pty.read(&mut [0; 100]).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn set_nonblocking(&self, nonblocking: bool) -> Result<(), Error> {
        fd::set_nonblocking(self, nonblocking)
            .map(drop)
            .map_err(|error| Error::Terminal { what: "set the mode of the pseudo-terminal", error })
    }
}

impl AsRef<Pty> for Pty {
    fn as_ref(&self) -> &Pty {
        self
    }
}

/// The controller end.
impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ends.controller.as_fd()
    }
}

/// The controller end.
impl AsRawFd for Pty {
    fn as_raw_fd(&self) -> RawFd {
        self.ends.controller.as_raw_fd()
    }
}

impl Read for &Pty {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match nix::unistd::read(*self, buffer) {
            Err(nix::Error::EIO) => Ok(0),
            read => Ok(read?),
        }
    }
}

impl Write for &Pty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(*self, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Pty {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for Pty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
