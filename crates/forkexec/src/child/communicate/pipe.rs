//! The parent's end of a pipe, in non-blocking mode for the time of a conversation.
//!
//! The end is an open file description of its own, so that its mode is no concern of the child. The
//! conversation gives it back in the mode that it had.

use crate::sys::fd::set_nonblocking;
use nix::poll::{PollFd, PollFlags};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// An end of a pipe.
pub(super) struct Pipe {
    pub(super) end: File,
    /// Set if `unblock` changed the mode.
    changed: bool,
}

impl Pipe {
    pub(super) fn new(end: impl Into<OwnedFd>) -> Self {
        Self { end: File::from(end.into()), changed: false }
    }

    pub(super) fn unblock(&mut self) -> io::Result<()> {
        if !self.changed {
            self.changed = set_nonblocking(&self.end, true)?;
        }
        Ok(())
    }

    /// Returns the number of bytes that can be read.
    pub(super) fn unread(&self) -> io::Result<usize> {
        let mut count: libc::c_int = 0;
        // SAFETY: the descriptor is open as long as `self.end`, and the call writes one int.
        if unsafe { libc::ioctl(self.end.as_raw_fd(), libc::FIONREAD, &raw mut count) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(usize::try_from(count).unwrap_or(0))
    }

    pub(super) fn poll(&self, events: PollFlags) -> PollFd<'_> {
        PollFd::new(self.end.as_fd(), events)
    }

    pub(super) fn into_end<T: From<OwnedFd>>(self) -> T {
        if self.changed {
            // The call cannot fail: it read and changed these flags before.
            let _ = set_nonblocking(&self.end, false);
        }
        OwnedFd::from(self.end).into()
    }
}
