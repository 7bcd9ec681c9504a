//! Waiting for a child and signalling it.
//!
//! By a descriptor of the child, where there is one: that is this child's and no other's, whoever takes its status and
//! whatever becomes of its number. Else by its number, which is its own until somebody waits for it.

use crate::Error;
use crate::platform::pidfd;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A child, as the system knows it.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) pid: i32,
    pub(crate) pidfd: Option<OwnedFd>,
}

impl Handle {
    /// Waits until the child has ended.
    pub(crate) fn wait(&self) -> Result<ExitStatus, Error> {
        loop {
            if let Some(status) = self.status(0)? {
                return Ok(status);
            }
        }
    }

    /// The status of a child that has ended.
    pub(crate) fn try_wait(&self) -> Result<Option<ExitStatus>, Error> {
        self.status(libc::WNOHANG)
    }

    /// Whether the child ends within this time. Its status can still be waited for.
    pub(crate) fn ends_within(&self, timeout: Duration) -> Result<bool, Error> {
        let ends = match &self.pidfd {
            Some(pidfd) => is_readable_within(pidfd.as_fd(), timeout),
            None => ends_within(self.pid, timeout),
        };
        ends.map_err(|source| Error::Child { what: "wait for the child", source })
    }

    fn status(&self, options: i32) -> Result<Option<ExitStatus>, Error> {
        loop {
            let error = match self.status_once(options) {
                Ok(status) => return Ok(status),
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::ECHILD) => return Err(Error::StatusLost { pid: self.pid.unsigned_abs() }),
                _ => return Err(Error::Child { what: "wait for the child", source: error }),
            }
        }
    }

    fn status_once(&self, options: i32) -> io::Result<Option<ExitStatus>> {
        let by_pidfd = self.pidfd.as_ref().map(|child| pidfd::status(child.as_fd(), options));
        match by_pidfd {
            // Linux 5.2 and 5.3 have such descriptors, and no way to wait for one.
            Some(Err(error)) if error.raw_os_error() == Some(libc::EINVAL) => {
                status_by_pid(self.pid, options)
            }
            Some(status) => status,
            None => status_by_pid(self.pid, options),
        }
    }

    /// Sends a signal. That there is no such process any more is no error: other code waited for it.
    pub(crate) fn signal(&self, signal: i32) -> Result<(), Error> {
        let sent = match &self.pidfd {
            Some(child) => pidfd::signal(child.as_fd(), signal),
            None => signal_by_pid(self.pid, signal),
        };
        match sent {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => {
                Err(Error::Child { what: "signal the child", source: error })
            }
            _ => Ok(()),
        }
    }
}

fn status_by_pid(pid: i32, options: i32) -> io::Result<Option<ExitStatus>> {
    let mut status = 0;
    // SAFETY: one int is written.
    match unsafe { libc::waitpid(pid, &raw mut status, options) } {
        0 => Ok(None),
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(Some(ExitStatus::from_raw(status))),
    }
}

/// The caller has not waited for the child, so its number is still its own, unless other code took its status.
fn signal_by_pid(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is passed. Whose number it is is the caller's care: a child's whose end was not seen.
    if unsafe { libc::kill(pid, signal) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn is_readable_within(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<bool> {
    let end = Instant::now().checked_add(timeout);
    loop {
        // poll(2) counts milliseconds: a part of one is waited for as a whole one.
        let rest = end.map(|end| end.saturating_duration_since(Instant::now()));
        let millis = rest
            .map_or(i32::MAX, |rest| i32::try_from(rest.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout) {
            Ok(0) if rest.is_none_or(|rest| rest > Duration::from_millis(millis.unsigned_abs().into())) => {}
            Ok(ready) => return Ok(ready > 0),
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Where there is no descriptor to wait for, a thread waits for the child's end, and leaves its status where it is
/// (`WNOWAIT` of waitid(2)). It ends with the child.
fn ends_within(pid: i32, timeout: Duration) -> io::Result<bool> {
    let (says, hears) = mpsc::channel();
    let watch = move || drop(says.send(await_end(pid)));
    thread::Builder::new().name("forkexec-wait".to_owned()).spawn(watch)?;
    match hears.recv_timeout(timeout) {
        Ok(ended) => ended.map(|()| true),
        Err(_) => Ok(false),
    }
}

pub(crate) fn await_end(pid: i32) -> io::Result<()> {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::uninit();
    let options = libc::WEXITED | libc::WNOWAIT;
    #[expect(clippy::allow_attributes, reason = "an id has 64 bits on some systems, and a sign on others")]
    #[allow(clippy::cast_lossless, clippy::cast_possible_wrap)]
    let id = pid.unsigned_abs() as libc::id_t;
    loop {
        // SAFETY: a `siginfo_t` is written.
        if unsafe { libc::waitid(libc::P_PID, id, info.as_mut_ptr(), options) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            // Other code took its status, or nobody is to have it: it has ended all the same.
            Some(libc::ECHILD) => return Ok(()),
            _ => return Err(error),
        }
    }
}
