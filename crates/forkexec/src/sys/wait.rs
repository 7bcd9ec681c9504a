//! Waiting for a child and signalling it.
//!
//! By a descriptor of the child, where there is one: that is this child's and no other's, whoever takes its status and
//! whatever becomes of its number. Else by its number, which is its own until somebody waits for it.

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

/// A child, as the system knows it.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) pid: i32,
    /// Readable when the child has ended.
    pub(crate) fd: Option<ExitFd>,
    /// It names the child, so that a status can be asked for and a signal be sent by it.
    pub(crate) is_pidfd: bool,
}

/// What becomes of the status that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It is taken: the child is no more, and its number anybody's.
    Take,
    /// It is left: the child stays a zombie, and its number its own.
    Leave,
}

impl Status {
    fn options(self) -> i32 {
        if self == Self::Leave { libc::WNOWAIT } else { 0 }
    }
}

impl Handle {
    /// The descriptor, if it is the child's own.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().filter(|_| self.is_pidfd).map(AsFd::as_fd)
    }

    /// Whether a status can be left.
    pub(crate) fn leaves_status(&self) -> bool {
        pidfd::LEAVES_STATUS && self.is_pidfd
    }

    /// Whether there is a descriptor that tells of the end; where there was none, one is opened if that can be. The child was
    /// not waited for, so that the number is its own.
    pub(crate) fn open_descriptor(&mut self) -> bool {
        if self.fd.is_none() {
            self.fd = watch::open(self.pid).ok().map(ExitFd::new);
            self.is_pidfd = pidfd::LEAVES_STATUS;
        }
        self.fd.is_some()
    }

    /// Whether the child is there, if only as a zombie, and its status was not taken by other code: its number is its own.
    pub(crate) fn is_ours(&self) -> bool {
        match self.pidfd().map(|child| pidfd::ending(child, libc::WNOHANG | libc::WNOWAIT)) {
            Some(Err(error)) if error.raw_os_error() == Some(libc::EINVAL) => is_child(self.pid),
            Some(looked) => looked.is_ok(),
            None => is_child(self.pid),
        }
    }

    /// Waits until the child has ended.
    pub(crate) fn wait(&self, status: Status) -> Result<Ending, Error> {
        loop {
            if let Some(ending) = self.ending(status.options())? {
                return Ok(ending);
            }
        }
    }

    /// How a child ended that has.
    pub(crate) fn try_wait(&self, status: Status) -> Result<Option<Ending>, Error> {
        self.ending(libc::WNOHANG | status.options())
    }

    /// Whether the child ends within this time. Its status can still be waited for.
    pub(crate) fn ends_within(&self, timeout: Duration) -> Result<bool, Error> {
        let end = Instant::now().checked_add(timeout);
        let ends = match &self.fd {
            Some(fd) => is_readable_until(fd.as_fd(), end),
            // Not waited for yet: the number is the child's own.
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
                // A reactor made the descriptor non-blocking: waitid(2) says so with `P_PIDFD`.
                Some(libc::EAGAIN) if options & libc::WNOHANG == 0 => drop(self.ends_within(Duration::MAX)?),
                Some(libc::EAGAIN) => return Ok(None),
                _ => return Err(Error::Child { what: "wait for the child", error }),
            }
        }
    }

    fn ending_once(&self, options: i32) -> io::Result<Option<Ending>> {
        let by_pidfd = self.pidfd().map(|child| pidfd::ending(child, options));
        match by_pidfd {
            // Linux 5.2 and 5.3 have such descriptors, and no way to wait for one.
            Some(Err(error)) if error.raw_os_error() == Some(libc::EINVAL) => {
                pidfd::ending_by_number(self.pid, options)
            }
            Some(ending) => ending,
            None => pidfd::ending_by_number(self.pid, options),
        }
    }

    /// Sends a signal. That there is no such process any more is no error: other code waited for it.
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

    /// A descriptor tells that it has ended, even if other code took its status and its number is another's by now.
    fn is_known_to_have_ended(&self) -> bool {
        let readable = |fd: &ExitFd| is_readable_until(fd.as_fd(), Some(Instant::now()));
        self.fd.as_ref().is_some_and(|fd| readable(fd).unwrap_or(false))
    }
}

/// The caller has not waited for the child, so its number is still its own, unless other code took its status.
fn signal_by_pid(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: the process is a child of the handle, which signals no number after `Process` took its status.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Where there is no descriptor to wait for, a thread waits for the child's end, and leaves its status where it is
/// (`WNOWAIT` of waitid(2)). It ends with the child.
fn ends_within(pid: i32, timeout: Duration) -> io::Result<bool> {
    let (says, hears) = mpsc::channel();
    start_thread("forkexec-wait", move || drop(says.send(await_end(pid))))?;
    match hears.recv_timeout(timeout) {
        Ok(ended) => ended.map(|()| true),
        Err(_) => Ok(false),
    }
}
