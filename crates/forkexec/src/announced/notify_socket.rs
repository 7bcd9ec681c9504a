//! The supervisor's side of `sd_notify(3)`.

use crate::announced::notification::{LONGEST, Notification};
use crate::child::Child;
use crate::child::communicate::deadline::Deadline;
use crate::child::communicate::exit_watch::ExitWatch;
use crate::error::Error;
use crate::sys::backend::capabilities;
use crate::sys::datagram::receive;
use crate::sys::poll::poll_timeout;
use crate::sys::system::senders;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixDatagram;
use std::path::{self, Path};
use std::process::ExitStatus;
use std::slice;
use std::time::{Duration, Instant};

/// The number of invalid messages after which a call looks at the clock. It is more than a socket usually queues
/// (`net.unix.max_dgram_qlen`: 10 or 512).
pub(crate) const MOST_DISCARDED: usize = 1000;

/// A socket on which children announce that they are ready, as they do to systemd (`sd_notify(3)`).
///
/// [`Command::notify_socket`](crate::Command::notify_socket) passes the address to a child in the variable
/// `NOTIFY_SOCKET`. The child inherits no descriptor. Its side is [`notify`](crate::notify), or its counterpart in
/// the program's language.
///
/// The socket is close-on-exec. It is readable when there is a message, so an event loop can watch it.
///
/// Receive messages as long as the child runs, or drop the socket. The kernel queues only a few messages, and then a
/// child that sends another one waits. A child that calls `sd_notify_barrier(3)`, such as systemd-notify(1), waits until the
/// supervisor has received its messages.
///
/// # Platform-specific behavior
///
/// On Linux the kernel reports the sender of each message, and [`wait_for`](Self::wait_for) accepts messages only
/// from the child and its descendants. On other systems the sender is not determined. There the permissions of the
/// directory of the socket decide who can send.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, NotifyOutcome, NotifySocket};
/// use std::time::Duration;
///
/// # let directory = std::env::temp_dir().join(format!("forkexec-doc-notify-{}", std::process::id()));
/// # std::fs::create_dir(&directory)?;
/// let socket = NotifySocket::bind(directory.join("notify"))?;
/// let mut child = Command::new("sh").args(["-c", "exit 3"]).notify_socket(&socket).spawn()?;
/// match socket.wait_ready(&mut child, Duration::from_secs(60))? {
///     NotifyOutcome::Notified(message) => println!("ready: {:?}", message.status()),
///     NotifyOutcome::Ended(status) => assert_eq!(status.code(), Some(3)),
///     _ => child.kill()?,
/// }
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    address: OsString,
}

/// The end of a wait for a message of a child ([`NotifySocket::wait_for`]).
///
/// # Examples
///
/// See [`NotifySocket`].
#[derive(Debug)]
#[non_exhaustive]
pub enum NotifyOutcome {
    /// The message.
    Notified(Notification),
    /// The child ended without such a message.
    Ended(ExitStatus),
    /// The time passed. The child still runs.
    TimedOut,
}

impl NotifySocket {
    /// Creates a socket with an abstract address (unix(7)), which the kernel chooses.
    ///
    /// The address is no file, so nothing has to be removed, and a child can reach it from any root directory and with
    /// any user. A child in another network namespace cannot reach it. Any process of the network namespace can send
    /// to it.
    ///
    /// # Errors
    ///
    /// - Returns [`Error::Unsupported`] on systems other than Linux.
    /// - Returns [`Error::Notify`] if the socket cannot be created.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Error, NotifySocket};
    ///
    /// match NotifySocket::new() {
    ///     Ok(socket) => assert!(socket.address().to_string_lossy().starts_with('@')),
    ///     Err(error) => assert!(matches!(error, Error::Unsupported { .. })),
    /// }
    /// ```
    pub fn new() -> Result<Self, Error> {
        let create = || {
            let socket = UnixDatagram::unbound()?;
            senders::attach(&socket)?;
            let name = senders::bind_abstract(&socket)?;
            Ok(Self { socket, address: OsString::from_vec([b"@", name.as_slice()].concat()) })
        };
        create().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::Unsupported => {
                let system = capabilities().system;
                Error::Unsupported { operation: "create an abstract address", system }
            }
            _ => Error::Notify { what: "create the notification socket", error },
        })
    }

    /// Creates a socket with a path as its address.
    ///
    /// A sender needs write permission for the file, and search permission for its directory. The file stays when the
    /// socket is dropped; remove it before the path is bound again.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Notify`] if the socket cannot be created: if the path is too long, or the file exists.
    ///
    /// # Examples
    ///
    /// See [`NotifySocket`].
    pub fn bind(path: impl AsRef<Path>) -> Result<Self, Error> {
        let create = || {
            // A child may have another working directory.
            let path = path::absolute(path)?;
            let socket = UnixDatagram::bind(&path)?;
            senders::attach(&socket)?;
            Ok(Self { socket, address: path.into() })
        };
        create().map_err(|error| Error::Notify { what: "create the notification socket", error })
    }

    /// Returns the address as `NOTIFY_SOCKET` holds it: a path, or `@` and an abstract name.
    pub fn address(&self) -> &OsStr {
        &self.address
    }

    /// Receives the next message of any sender, and waits for it at most for `timeout`. Returns `None` if there is
    /// none.
    ///
    /// [`Notification::is_from`] tells whether a child sent the message. A datagram that is no message is discarded: one
    /// of more than 4,096 bytes, or with a NUL byte before its end.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Notify`] if the call fails.
    ///
    /// # Examples
    ///
    /// ```
    /// # use forkexec::NotifySocket;
    /// use std::os::unix::net::UnixDatagram;
    /// use std::time::Duration;
    ///
    /// # let directory = std::env::temp_dir().join(format!("forkexec-doc-recv-{}", std::process::id()));
    /// # std::fs::create_dir(&directory)?;
    /// let socket = NotifySocket::bind(directory.join("notify"))?;
    /// UnixDatagram::unbound()?.send_to(b"STATUS=50 %", socket.address())?;
    /// let message = socket.recv(Duration::from_secs(1))?.ok_or("it was sent")?;
    /// assert_eq!(message.status(), Some("50 %"));
    /// assert!(message.is_from(std::process::id()));
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv(&self, timeout: Duration) -> Result<Option<Notification>, Error> {
        let deadline = Deadline::after(Instant::now(), Some(timeout));
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            if deadline.has_passed(Instant::now()) {
                return Ok(None);
            }
            wait(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], deadline).map_err(failed)?;
        }
    }

    /// Waits until the child or a descendant of it is ready (`READY=1`), at most for `timeout`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`wait_for`](Self::wait_for).
    ///
    /// # Examples
    ///
    /// See [`NotifySocket`].
    pub fn wait_ready(&self, child: &mut Child, timeout: Duration) -> Result<NotifyOutcome, Error> {
        self.wait_for(child, timeout, Notification::is_ready)
    }

    /// Waits as long as the child or a descendant of it sends `WATCHDOG=1` at least once per `interval`.
    ///
    /// Returns [`NotifyOutcome::TimedOut`] if the message is missing or if the child asks for that
    /// (`WATCHDOG=trigger`), and [`NotifyOutcome::Ended`] if the child ends.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`wait_for`](Self::wait_for).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, NotifyOutcome, NotifySocket};
    /// use std::time::Duration;
    ///
    /// # let directory = std::env::temp_dir().join(format!("forkexec-doc-watch-{}", std::process::id()));
    /// # std::fs::create_dir(&directory)?;
    /// let socket = NotifySocket::bind(directory.join("notify"))?;
    /// let interval = Duration::from_millis(100);
    /// let mut command = Command::new("sleep"); // sends no message
    /// let mut child = command.arg("60").notify_socket(&socket).watchdog(interval).spawn()?;
    /// if let NotifyOutcome::TimedOut = socket.wait_watchdog(&mut child, interval)? {
    ///     child.kill()?;
    /// }
    /// assert!(!child.wait()?.success());
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_watchdog(&self, child: &mut Child, interval: Duration) -> Result<NotifyOutcome, Error> {
        loop {
            let is_about_it = |message: &Notification| message.is_watchdog() || message.is_watchdog_trigger();
            match self.wait_for(child, interval, is_about_it)? {
                NotifyOutcome::Notified(message) if message.is_watchdog_trigger() => {
                    return Ok(NotifyOutcome::TimedOut);
                }
                NotifyOutcome::Notified(_) => {}
                end => return Ok(end),
            }
        }
    }

    /// Waits for a message of the child, or of a descendant of it, that `wanted` accepts, at most for `timeout`.
    ///
    /// `wanted` sees each message of the child once, in order. Messages that it does not accept, and those of other
    /// senders, are discarded: see [`Notification::is_from`]. Messages that the child sent before it ended are received
    /// before its end is reported.
    ///
    /// # Errors
    ///
    /// - Returns [`Error::Notify`] if the socket fails.
    /// - Returns the errors of [`Child::try_wait`], and [`Error::Child`] if a child without an
    ///   [`exit_fd`](Child::exit_fd) cannot be watched.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use forkexec::{Command, Error, NotifyOutcome, NotifySocket};
    /// # use std::time::Duration;
    /// let socket = NotifySocket::new()?;
    /// let mut child = Command::new("/usr/sbin/server").notify_socket(&socket).spawn()?;
    /// let outcome = socket.wait_for(&mut child, Duration::from_secs(90), |message| {
    ///     if let Some(status) = message.status() {
    ///         println!("{status}");
    ///     }
    ///     message.is_ready() || message.is_stopping()
    /// })?;
    /// # let _: NotifyOutcome = outcome;
    /// # Ok::<(), Error>(())
    /// ```
    pub fn wait_for(
        &self,
        child: &mut Child,
        timeout: Duration,
        mut wanted: impl FnMut(&Notification) -> bool,
    ) -> Result<NotifyOutcome, Error> {
        let deadline = Deadline::after(Instant::now(), Some(timeout));
        let mut exit = ExitWatch::default();
        loop {
            exit.watch(slice::from_mut(child))
                .map_err(|error| Error::Child { what: "watch the child", error })?;
            // The end is noted before the messages are received, so that all messages of the child come first.
            let ended = if exit.are_all_seen() { Some(child.wait()?) } else { None };
            while let Some(message) = self.take()? {
                if message.is_from(child.id()) && wanted(&message) {
                    return Ok(NotifyOutcome::Notified(message));
                }
                if deadline.has_passed(Instant::now()) {
                    break;
                }
            }
            if let Some(status) = ended {
                return Ok(NotifyOutcome::Ended(status));
            }
            if deadline.has_passed(Instant::now()) {
                return Ok(NotifyOutcome::TimedOut);
            }
            let fds = [self.as_fd()].into_iter().chain(exit.wanted(slice::from_ref(child)));
            let mut polled: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
            wait(&mut polled, deadline).map_err(failed)?;
            let ended: Vec<bool> = polled.iter().skip(1).map(|fd| fd.any().unwrap_or(true)).collect();
            drop(polled);
            exit.note(&ended);
        }
    }

    /// Receives a message without waiting. After many datagrams that are no messages it returns `None`, so that they
    /// cannot keep the caller here.
    pub(crate) fn take(&self) -> Result<Option<Notification>, Error> {
        for _ in 0..MOST_DISCARDED {
            match self.try_recv() {
                Ok(None) => {}
                Ok(message) => return Ok(message),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(None)
    }

    /// Receives a datagram without waiting. Returns `WouldBlock` if there is none, and `None` if it is no message.
    pub(crate) fn try_recv(&self) -> io::Result<Option<Notification>> {
        let mut buffer = [0; LONGEST];
        let datagram = receive(self.as_fd(), &mut buffer)?.ok_or(io::ErrorKind::WouldBlock)?;
        Ok(Notification::new(&buffer, datagram))
    }
}

pub(crate) fn failed(error: io::Error) -> Error {
    Error::Notify { what: "receive a notification", error }
}

/// Waits until a descriptor is ready or the deadline has passed. A signal ends the wait early.
fn wait(polled: &mut [PollFd<'_>], deadline: Deadline) -> io::Result<()> {
    match poll(polled, poll_timeout(deadline.rest(Instant::now()))) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

impl AsRef<NotifySocket> for NotifySocket {
    fn as_ref(&self) -> &NotifySocket {
        self
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for NotifySocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
