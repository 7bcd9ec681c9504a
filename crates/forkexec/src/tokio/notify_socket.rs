//! The supervisor's side of `sd_notify(3)` under a runtime.

use super::Child;
use super::child::enter;
use super::register::register;
use crate::announced::notification::Notification;
use crate::announced::notify_socket::{MOST_DISCARDED, NotifyOutcome, failed};
use crate::error::Error;
use std::future::{Future, poll_fn};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::pin;
use std::process::ExitStatus;
use std::task::Poll;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;
use tokio::time::timeout;

/// A socket on which children announce that they are ready, under a runtime: see [`crate::NotifySocket`].
///
/// The waits have no time limit of their own; [`tokio::time::timeout`](https://docs.rs/tokio/latest/tokio/time/fn.timeout.html)
/// sets one. So they do not return [`NotifyOutcome::TimedOut`], except [`wait_watchdog`](Self::wait_watchdog).
///
/// # Examples
///
/// ```
/// use forkexec::NotifyOutcome;
/// use forkexec::tokio::{Command, NotifySocket};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = std::env::temp_dir().join(format!("forkexec-doc-tokio-{}", std::process::id()));
/// # std::fs::create_dir(&directory)?;
/// let socket = NotifySocket::new(forkexec::NotifySocket::bind(directory.join("notify"))?)?;
/// let mut command = Command::new("sh");
/// let mut child = command.args(["-c", "exit 3"]).notify_socket(&socket).spawn()?;
/// let limit = Duration::from_secs(60);
/// match tokio::time::timeout(limit, socket.wait_ready(&mut child)).await {
///     Ok(Ok(NotifyOutcome::Notified(message))) => println!("ready: {:?}", message.status()),
///     Ok(Ok(NotifyOutcome::Ended(status))) => assert_eq!(status.code(), Some(3)),
///     Ok(end) => return Err(format!("{end:?}").into()),
///     Err(_) => child.start_kill()?, // it is too late
/// }
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NotifySocket(AsyncFd<crate::NotifySocket>);

impl NotifySocket {
    /// Lets the current runtime receive the messages of a socket.
    ///
    /// # Errors
    ///
    /// - Returns [`Error::Child`] if the caller is not in a runtime.
    /// - Returns [`Error::Notify`] if the runtime cannot watch another descriptor.
    ///
    /// # Panics
    ///
    /// Panics if I/O is not enabled in this runtime, as all of tokio does.
    pub fn new(socket: crate::NotifySocket) -> Result<Self, Error> {
        enter()?;
        // SAFETY: the value owns the descriptor, and neither closes nor replaces it before its drop. It is
        // dropped after its registration.
        let watched = unsafe { register(socket, Interest::READABLE) };
        watched.map(Self).map_err(|failed| Error::Notify {
            what: "register the notification socket with tokio",
            error: failed.1,
        })
    }

    /// Returns the socket, which has its address.
    pub fn get_ref(&self) -> &crate::NotifySocket {
        self.0.get_ref()
    }

    /// Receives the next message of any sender, as [`crate::NotifySocket::recv`].
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: a message that it received is returned.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Notify`] if the call fails, or if the runtime shuts down.
    pub async fn recv(&self) -> Result<Notification, Error> {
        loop {
            let mut ready = self.0.readable().await.map_err(failed)?;
            match ready.try_io(|socket| socket.get_ref().try_recv()) {
                Ok(Ok(Some(message))) => return Ok(message),
                Ok(Err(error)) => return Err(failed(error)),
                // Other tasks have their turn, however many datagrams there are.
                Ok(Ok(None)) => yield_now().await,
                Err(_) => {}
            }
        }
    }

    /// Waits until the child or a descendant of it is ready (`READY=1`), or until the child ends.
    ///
    /// # Cancel safety
    ///
    /// As [`wait_for`](Self::wait_for).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`wait_for`](Self::wait_for).
    ///
    /// # Examples
    ///
    /// See [`NotifySocket`].
    pub async fn wait_ready(&self, child: &mut Child) -> Result<NotifyOutcome, Error> {
        self.wait_for(child, Notification::is_ready).await
    }

    /// Waits as long as the child or a descendant of it sends `WATCHDOG=1` at least once per `interval`, as
    /// [`crate::NotifySocket::wait_watchdog`].
    ///
    /// # Cancel safety
    ///
    /// As [`wait_for`](Self::wait_for). A later call begins with a whole interval.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`wait_for`](Self::wait_for).
    ///
    /// # Panics
    ///
    /// Panics if time is not enabled in this runtime.
    pub async fn wait_watchdog(&self, child: &mut Child, interval: Duration) -> Result<NotifyOutcome, Error> {
        loop {
            let is_about_it = |message: &Notification| message.is_watchdog() || message.is_watchdog_trigger();
            match timeout(interval, self.wait_for(child, is_about_it)).await {
                Err(_) => return Ok(NotifyOutcome::TimedOut),
                Ok(Ok(NotifyOutcome::Notified(message))) if message.is_watchdog_trigger() => {
                    return Ok(NotifyOutcome::TimedOut);
                }
                Ok(Ok(NotifyOutcome::Notified(_))) => {}
                Ok(end) => return end,
            }
        }
    }

    /// Waits for a message of the child, or of a descendant of it, that `wanted` accepts, or until the child ends.
    ///
    /// It treats messages as [`crate::NotifySocket::wait_for`] does.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no message is lost that `wanted` has not seen, and the child can be waited for.
    ///
    /// # Errors
    ///
    /// - Returns [`Error::Notify`] if the socket fails.
    /// - Returns the errors of [`Child::wait`].
    pub async fn wait_for(
        &self,
        child: &mut Child,
        mut wanted: impl FnMut(&Notification) -> bool,
    ) -> Result<NotifyOutcome, Error> {
        let pid = child.get_ref().id();
        let mut accepts = |message: &Notification| message.is_from(pid) && wanted(message);
        let status = match self.first(child, &mut accepts).await? {
            First::Message(message) => return Ok(NotifyOutcome::Notified(message)),
            First::End(status) => status,
        };
        // Messages that the child sent before its end, and no endless flood of another sender.
        for _ in 0..MOST_DISCARDED {
            match self.get_ref().take()? {
                Some(message) if accepts(&message) => return Ok(NotifyOutcome::Notified(message)),
                Some(_) => {}
                None => break,
            }
        }
        Ok(NotifyOutcome::Ended(status))
    }

    /// Returns the first accepted message, or the end of the child.
    async fn first(
        &self,
        child: &mut Child,
        accepts: &mut impl FnMut(&Notification) -> bool,
    ) -> Result<First, Error> {
        let mut end = pin!(child.end());
        let mut message = pin!(async {
            loop {
                let message = self.recv().await?;
                if accepts(&message) {
                    return Ok(message);
                }
                yield_now().await;
            }
        });
        poll_fn(|context| {
            if let Poll::Ready(message) = message.as_mut().poll(context) {
                return Poll::Ready(message.map(First::Message));
            }
            end.as_mut().poll(context).map(|status| status.map(First::End))
        })
        .await
    }
}

enum First {
    Message(Notification),
    End(ExitStatus),
}

impl AsRef<crate::NotifySocket> for NotifySocket {
    fn as_ref(&self) -> &crate::NotifySocket {
        self.get_ref()
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl AsRawFd for NotifySocket {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}
