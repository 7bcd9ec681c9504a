//! A pseudo-terminal whose controller end a runtime reads and writes.

use super::child::enter;
use super::register::register;
use crate::error::Error;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// A pseudo-terminal under a runtime, by its controller end: see [`crate::Pty`].
///
/// It is read and written by value or by reference, so that one task can read while another writes. Two tasks
/// must not read at once, or write at once: only the last one would be woken.
///
/// The controller end is in non-blocking mode from then on, and so are its clones.
///
/// # Examples
///
/// ```
/// use forkexec::WindowSize;
/// use forkexec::tokio::{Command, Pty};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut pty = Pty::new(forkexec::Pty::open(WindowSize::default())?)?;
/// let mut child = Command::new("sh").args(["-c", "read line && echo \"got $line\""]).pty(&pty).spawn()?;
///
/// pty.write_all(b"hello\n").await?;
/// let mut text = String::new();
/// pty.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello\r\ngot hello\r\n");
/// assert!(child.wait().await?.success());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Pty(AsyncFd<crate::Pty>);

impl Pty {
    /// Lets the current runtime read and write a pseudo-terminal.
    ///
    /// # Errors
    ///
    /// - Returns [`Error::Child`] if the caller is not in a runtime.
    /// - Returns [`Error::Terminal`] if the runtime cannot watch another descriptor.
    ///
    /// # Panics
    ///
    /// Panics if I/O is not enabled in this runtime, as all of tokio does.
    pub fn new(pty: crate::Pty) -> Result<Self, Error> {
        enter()?;
        pty.set_nonblocking(true)?;
        // SAFETY: the value owns the descriptor, and neither closes nor replaces it before its drop. It is
        // dropped after its registration.
        let watched = unsafe { register(pty, Interest::READABLE | Interest::WRITABLE) };
        watched.map(Self).map_err(|failed| Error::Terminal {
            what: "register the pseudo-terminal with tokio",
            error: failed.1,
        })
    }

    /// Returns the pseudo-terminal, which has its size, for example.
    pub fn get_ref(&self) -> &crate::Pty {
        self.0.get_ref()
    }
}

impl AsRef<crate::Pty> for Pty {
    fn as_ref(&self) -> &crate::Pty {
        self.get_ref()
    }
}

/// The controller end.
impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

/// The controller end.
impl AsRawFd for Pty {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}

impl AsyncRead for &Pty {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(context))?;
            let Ok(read) = ready.try_io(|pty| pty.get_ref().read(buffer.initialize_unfilled())) else {
                continue;
            };
            buffer.advance(read?);
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncWrite for &Pty {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(context))?;
            if let Ok(written) = ready.try_io(|pty| pty.get_ref().write(bytes)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing: the end is closed by the drop.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Pty {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_read(context, buffer)
    }
}

impl AsyncWrite for Pty {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
