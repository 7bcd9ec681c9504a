//! Waiting for a child and signalling it.
//!
//! If the child has a descriptor, both go by the descriptor. It refers to this child only, even if other code
//! reaps the child and its pid is reused. Otherwise they go by the pid, which is the child's until the child
//! is waited for.

use super::poll::is_readable_until;
use super::waitid::{Ending, await_end, is_child};
use super::worker::start_thread;
use crate::error::Error;
use crate::sys::exit_fd::ExitFd;
use crate::sys::system::{pidfd, watch};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The identifiers of a child.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) pid: i32,
    /// Readable when the child has ended.
    pub(crate) fd: Option<ExitFd>,
    /// True if `fd` refers to the child itself, so that the child can be waited for and signalled by it.
    pub(crate) is_pidfd: bool,
}

/// The effect of a wait on the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Takes it: the child is reaped, and its pid can be reused.
    Take,
    /// Leaves it in place: the child stays a zombie and keeps its pid.
    Leave,
}

impl Status {
    fn options(self) -> i32 {
        if self == Self::Leave { libc::WNOWAIT } else { 0 }
    }
}

impl Handle {
    /// Returns the descriptor, if it is a pidfd.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().filter(|_| self.is_pidfd).map(AsFd::as_fd)
    }

    /// Returns true if a status can be left in place.
    pub(crate) fn leaves_status(&self) -> bool {
        pidfd::LEAVES_STATUS && self.is_pidfd
    }

    /// Opens a descriptor that is readable when the child has ended, unless there is one, and returns true if
    /// there is one now. The child was not waited for, so the pid is still its own.
    pub(crate) fn open_descriptor(&mut self) -> bool {
        if self.fd.is_none() {
            self.fd = watch::open(self.pid).ok().map(ExitFd::new);
            self.is_pidfd = pidfd::LEAVES_STATUS;
        }
        self.fd.is_some()
    }

    /// Returns true if the child exists, possibly as a zombie, and other code did not reap it: the pid is its
    /// own.
    pub(crate) fn is_ours(&self) -> bool {
        match self.pidfd().map(|child| pidfd::ending(child, libc::WNOHANG | libc::WNOWAIT)) {
            Some(Err(error)) if error.raw_os_error() == Some(libc::EINVAL) => is_child(self.pid),
            Some(looked) => looked.is_ok(),
            None => is_child(self.pid),
        }
    }

    /// Waits for the child to end.
    pub(crate) fn wait(&self, status: Status) -> Result<Ending, Error> {
        loop {
            if let Some(ending) = self.ending(status.options())? {
                return Ok(ending);
            }
        }
    }

    /// Returns how the child ended, if it has.
    pub(crate) fn try_wait(&self, status: Status) -> Result<Option<Ending>, Error> {
        self.ending(libc::WNOHANG | status.options())
    }

    /// Waits for the child to end, at most for `timeout`, and returns whether it has ended. Its status stays
    /// in place.
    pub(crate) fn ends_within(&self, timeout: Duration) -> Result<bool, Error> {
        let end = Instant::now().checked_add(timeout);
        let ends = match &self.fd {
            Some(fd) => is_readable_until(fd.as_fd(), end),
            // The child was not waited for yet, so the pid is its own.
            None => match watch::open(self.pid) {
                Ok(fd) => is_readable_until(fd.as_fd(), end),
                Err(_) => ends_within(self.pid, timeout),
            },
        };
        ends.map_err(|error| Error::Child { what: "wait for the child", error })
    }

    fn ending(&self, options: i32) -> Result<Option<Ending>, Error> {
        loop {
            let error = match self.ending_once(options) {
                Ok(ending) => return Ok(ending),
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::ECHILD) => return Err(Error::StatusLost { pid: self.pid.unsigned_abs() }),
                // A reactor made the descriptor non-blocking, which waitid(2) with `P_PIDFD` reports.
                Some(libc::EAGAIN) if options & libc::WNOHANG == 0 => drop(self.ends_within(Duration::MAX)?),
                Some(libc::EAGAIN) => return Ok(None),
                _ => return Err(Error::Child { what: "wait for the child", error }),
            }
        }
    }

    fn ending_once(&self, options: i32) -> io::Result<Option<Ending>> {
        let by_pidfd = self.pidfd().map(|child| pidfd::ending(child, options));
        match by_pidfd {
            // Linux 5.2 and 5.3 have pidfds, but cannot wait for one.
            Some(Err(error)) if error.raw_os_error() == Some(libc::EINVAL) => {
                pidfd::ending_by_number(self.pid, options)
            }
            Some(ending) => ending,
            None => pidfd::ending_by_number(self.pid, options),
        }
    }

    /// Sends a signal. `ESRCH` is not an error: other code reaped the child.
    pub(crate) fn signal(&self, signal: i32) -> Result<(), Error> {
        let sent = match self.pidfd() {
            Some(child) => pidfd::signal(child, self.pid, signal),
            None if self.is_known_to_have_ended() => Ok(()),
            None => signal_by_pid(self.pid, signal),
        };
        match sent {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                Err(Error::Child { what: "signal the child", error })
            }
            _ => Ok(()),
        }
    }

    /// Returns true if the descriptor shows that the child has ended. This holds even if other code reaped it
    /// and its pid was reused.
    fn is_known_to_have_ended(&self) -> bool {
        let readable = |fd: &ExitFd| is_readable_until(fd.as_fd(), Some(Instant::now()));
        self.fd.as_ref().is_some_and(|fd| readable(fd).unwrap_or(false))
    }
}

/// Signals a child by its pid. The caller has not waited for the child, so the pid is its own, unless other
/// code reaped it.
fn signal_by_pid(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: the process is a child of the handle, and `Process` signals no pid after it took the status.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Waits without a descriptor: a thread waits for the child's end and leaves its status in place (`WNOWAIT`
/// of waitid(2)). The thread ends with the child.
fn ends_within(pid: i32, timeout: Duration) -> io::Result<bool> {
    let (sender, receiver) = mpsc::channel();
    start_thread("forkexec-wait", move || drop(sender.send(await_end(pid))))?;
    match receiver.recv_timeout(timeout) {
        Ok(ended) => ended.map(|()| true),
        Err(_) => Ok(false),
    }
}
