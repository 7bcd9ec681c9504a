//! The parent's end of a pipe, which must not make it wait.
//!
//! It is an open file description of its own, so that making it non-blocking is nobody else's concern. Who gets it back gets
//! it as it was.

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// An end of a pipe.
pub(super) struct Pipe<T> {
    pub(super) end: T,
    /// Whether it was made non-blocking here.
    changed: bool,
}

impl<T: AsFd> Pipe<T> {
    pub(super) fn new(end: T) -> Self {
        Self { end, changed: false }
    }

    pub(super) fn unblock(&mut self) -> io::Result<()> {
        if self.changed {
            return Ok(());
        }
        let flags = self.flags()?;
        if !flags.contains(OFlag::O_NONBLOCK) {
            self.set_flags(flags | OFlag::O_NONBLOCK)?;
            self.changed = true;
        }
        Ok(())
    }

    /// How many bytes can be read.
    pub(super) fn unread(&self) -> io::Result<usize> {
        unread(self.end.as_fd())
    }

    pub(super) fn into_end(self) -> T {
        if self.changed {
            // A call that cannot fail for flags that were read, and changed, by the same one.
            let _ = self.flags().and_then(|flags| self.set_flags(flags - OFlag::O_NONBLOCK));
        }
        self.end
    }

    fn flags(&self) -> io::Result<OFlag> {
        Ok(OFlag::from_bits_retain(fcntl(self.end.as_fd(), FcntlArg::F_GETFL)?))
    }

    fn set_flags(&self, flags: OFlag) -> io::Result<()> {
        fcntl(self.end.as_fd(), FcntlArg::F_SETFL(flags))?;
        Ok(())
    }
}

impl<T: AsFd> AsFd for Pipe<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

/// How many bytes can be read from a pipe or a socket.
fn unread(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is borrowed for the call, which writes one int.
    if unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(count).unwrap_or(0))
}

pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
