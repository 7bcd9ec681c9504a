//! Waiting for several children on one thread.

use crate::child::Child;
use crate::error::Error;
use crate::sys::end_thread::wait_for_any;
use crate::sys::poll::poll_timeout;
use crate::sys::system::watch;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// Closes the standard input of the children and waits until one of them has ended, at most for `timeout`.
/// Returns its index and its exit status, or `None` if all still run then, or if there are none.
///
/// A child whose end was already seen comes first: remove it before you call the function again. If several
/// others have ended, the first of them is returned. To keep a child's input open, take its `stdin` first.
///
/// The call does not poll at intervals. It waits on the [`exit_fd`](Child::exit_fd) of all children, and opens
/// one for a child that has none. If that is not possible, a thread waits for each child until that has ended.
///
/// # Errors
///
/// - Returns [`Error::StatusLost`] if other code reaped one of the children. Its process id is in the error.
/// - Returns [`Error::Child`] if such a thread cannot be started.
///
/// # Examples
///
/// ```
/// use forkexec::{Child, Command, wait_any};
/// use std::time::Duration;
///
/// let start = |seconds| Command::new("sleep").arg(seconds).spawn();
/// let mut children: Vec<Child> = vec![start("60")?, start("0.1")?];
/// let (index, status) = wait_any(&mut children, None)?.expect("no time limit was set");
/// assert!(index == 1 && status.success());
///
/// children.remove(index);
/// assert_eq!(wait_any(&mut children, Some(Duration::from_millis(10)))?, None);
/// # children[0].kill()?;
/// # children[0].wait()?;
/// # Ok::<(), forkexec::Error>(())
/// ```
pub fn wait_any<'child>(
    children: impl IntoIterator<Item = &'child mut Child>,
    timeout: Option<Duration>,
) -> Result<Option<(usize, ExitStatus)>, Error> {
    let (mut children, end) = begin(children, timeout);
    if let Some(index) = children.iter().position(|child| child.process.has_seen_end()) {
        return status_of(&mut children, index);
    }
    if children.is_empty() {
        return Ok(None);
    }
    Any::new(children).wait(end)
}

/// Waits for all children, as [`Child::wait`] does, at most for `timeout`. Returns their exit statuses in
/// their order, or `None` if one still runs then.
///
/// # Errors
///
/// - Returns [`Error::StatusLost`] if other code reaped one of the children. All others have been waited for
///   then, unless the time is over.
/// - Returns the other errors of [`Child::wait_timeout`] for the first child for which it fails.
///
/// # Examples
///
/// ```
/// use forkexec::{Child, Command, wait_all};
/// use std::time::Duration;
///
/// let start = |code| Command::new("sh").args(["-c", code]).spawn();
/// let mut children: Vec<Child> = vec![start("exit 1")?, start("exit 2")?];
/// let statuses = wait_all(&mut children, Some(Duration::from_secs(60)))?.expect("they end at once");
/// assert_eq!(statuses[1].code(), Some(2));
/// # Ok::<(), forkexec::Error>(())
/// ```
pub fn wait_all<'child>(
    children: impl IntoIterator<Item = &'child mut Child>,
    timeout: Option<Duration>,
) -> Result<Option<Vec<ExitStatus>>, Error> {
    let (children, end) = begin(children, timeout);
    let (mut statuses, mut lost) = (Vec::new(), None);
    for child in children {
        let waited = match end {
            Some(end) => child.wait_timeout(end.saturating_duration_since(Instant::now())),
            None => child.wait().map(Some),
        };
        match waited {
            Ok(Some(status)) => statuses.push(status),
            Ok(None) => return Ok(None),
            // The call still waits for the others.
            Err(error @ Error::StatusLost { .. }) => lost = lost.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    lost.map_or(Ok(Some(statuses)), Err)
}

/// Closes the standard input of the children. Returns them, and the end of the wait, if it has one.
fn begin<'child>(
    children: impl IntoIterator<Item = &'child mut Child>,
    timeout: Option<Duration>,
) -> (Vec<&'child mut Child>, Option<Instant>) {
    let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let mut children: Vec<_> = children.into_iter().collect();
    for child in &mut children {
        drop(child.stdin.take());
    }
    (children, end)
}

fn status_of(children: &mut [&mut Child], index: usize) -> Result<Option<(usize, ExitStatus)>, Error> {
    let status = children[index].process.try_wait()?;
    Ok(status.map(|status| (index, status)))
}

fn unwaited(error: io::Error) -> Error {
    Error::Child { what: "wait for one of several children", error }
}

/// Children whose end was not seen.
struct Any<'child> {
    children: Vec<&'child mut Child>,
    /// The descriptors of children that have none of their own.
    opened: Vec<Option<OwnedFd>>,
    /// Children that have ended and whose status is not available yet, because a debugger gets it first.
    held_back: Vec<usize>,
}

impl<'child> Any<'child> {
    fn new(children: Vec<&'child mut Child>) -> Self {
        Self { children, opened: Vec::new(), held_back: Vec::new() }
    }

    fn wait(mut self, end: Option<Instant>) -> Result<Option<(usize, ExitStatus)>, Error> {
        if self.open().is_err() {
            return self.wait_by_threads(end);
        }
        loop {
            let pause = (!self.held_back.is_empty()).then_some(HELD_BACK);
            let rest = end.map(|end| end.saturating_duration_since(Instant::now()));
            let Ok(mut ready) = self.ready(pause.into_iter().chain(rest).min()) else {
                return self.wait_by_threads(end);
            };
            ready.append(&mut self.held_back);
            let is_over = ready.is_empty() && rest.is_some_and(|rest| rest.is_zero());
            ready.sort_unstable();
            for index in ready {
                match status_of(&mut self.children, index)? {
                    None => self.held_back.push(index),
                    ended => return Ok(ended),
                }
            }
            if is_over || (!self.held_back.is_empty() && rest.is_some_and(|rest| rest.is_zero())) {
                return Ok(None);
            }
        }
    }

    /// Opens a descriptor for each child that has none. The child was not waited for, so the pid is its own.
    fn open(&mut self) -> io::Result<()> {
        for child in &mut self.children {
            let handle = child.process.handle();
            self.opened.push(if handle.fd.is_some() { None } else { Some(watch::open(handle.pid)?) });
        }
        Ok(())
    }

    /// Returns the children that have ended within this time.
    fn ready(&self, rest: Option<Duration>) -> io::Result<Vec<usize>> {
        let mut watched = Vec::new();
        for (index, (child, opened)) in self.children.iter().zip(&self.opened).enumerate() {
            let fd = child.exit_fd().map(AsFd::as_fd).or(opened.as_ref().map(AsFd::as_fd));
            if let Some(fd) = fd.filter(|_| !self.held_back.contains(&index)) {
                watched.push((index, PollFd::new(fd, PollFlags::POLLIN)));
            }
        }
        let (indices, mut fds): (Vec<_>, Vec<_>) = watched.into_iter().unzip();
        match poll(&mut fds, poll_timeout(rest)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready = indices.into_iter().zip(fds).filter(|(_, fd)| fd.any() == Some(true));
        Ok(ready.map(|(index, _)| index).collect())
    }

    /// Waits without descriptors.
    fn wait_by_threads(mut self, end: Option<Instant>) -> Result<Option<(usize, ExitStatus)>, Error> {
        loop {
            // A child that other code reaped has no thread to wait for it.
            for index in 0..self.children.len() {
                if let Some(ended) = status_of(&mut self.children, index)? {
                    return Ok(Some(ended));
                }
            }
            let threads = self.children.iter().map(|child| child.process.handle().thread());
            let threads = threads.collect::<io::Result<Vec<_>>>().map_err(unwaited)?;
            let Some(index) = wait_for_any(&threads, end).map_err(unwaited)? else { return Ok(None) };
            if let Some(ended) = status_of(&mut self.children, index)? {
                return Ok(Some(ended));
            }
        }
    }
}

/// The time between two looks at a child that a debugger holds back.
const HELD_BACK: Duration = Duration::from_millis(10);
