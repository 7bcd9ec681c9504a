//! A running pipeline.

use super::{PipelineOutput, PipelineStatus};
use crate::child::Child;
use crate::child::communicate::{Communicate, Communicator, Places, Talking};
use crate::child::many::wait_all;
use crate::child::signaler::Signaler;
use crate::error::Error;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::time::Duration;

/// The children of a running [`Pipeline`](crate::Pipeline).
///
/// The drop applies the policy of each command to its child ([`Command::on_drop`](crate::Command::on_drop)).
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Pipeline};
///
/// let mut children = Pipeline::new(Command::new("true")).pipe(Command::new("cat")).spawn()?;
/// assert_eq!(children.as_slice().len(), 2);
/// assert!(children.wait()?.success());
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Debug)]
pub struct Children {
    /// The writing end of the first child's standard input, if it is a pipe.
    pub stdin: Option<ChildStdin>,
    /// The reading end of the last child's standard output, if it is a pipe.
    pub stdout: Option<ChildStdout>,
    /// The reading end of the pipe that all children share as standard error, if
    /// [`Pipeline::stderr`](crate::Pipeline::stderr) asked for one.
    pub stderr: Option<ChildStderr>,
    all: Vec<Child>,
}

impl Children {
    /// Takes at least one child.
    pub(super) fn new(
        mut children: Vec<Child>,
        stdout: Option<ChildStdout>,
        stderr: Option<ChildStderr>,
    ) -> Self {
        let stdin = children.first_mut().and_then(|first| first.stdin.take());
        let stdout = stdout.or_else(|| children.last_mut().and_then(|last| last.stdout.take()));
        Self { stdin, stdout, stderr, all: children }
    }

    /// Returns the children, in the order of their commands.
    ///
    /// # Examples
    ///
    /// See [`Children`].
    pub fn as_slice(&self) -> &[Child] {
        &self.all
    }

    /// Returns the children, in the order of their commands.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline};
    ///
    /// let mut children = Pipeline::new(Command::new("sleep").arg("60")).pipe(Command::new("cat")).spawn()?;
    /// children.as_mut_slice()[0].kill()?;
    /// assert!(children.wait()?.success()); // `cat` reads end of file
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn as_mut_slice(&mut self) -> &mut [Child] {
        &mut self.all
    }

    /// Closes standard input and waits for all children to end. A later call returns the same status.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Child::wait`] for the first child for which it fails. All others have been
    /// waited for then.
    ///
    /// # Examples
    ///
    /// See [`Children`].
    pub fn wait(&mut self) -> Result<PipelineStatus, Error> {
        drop(self.stdin.take());
        // The call waits for each child, even if it failed for the one before.
        let waited: Vec<_> = self.all.iter_mut().map(Child::wait).collect();
        waited.into_iter().collect::<Result<_, _>>().map(PipelineStatus::new)
    }

    /// Returns the statuses of the children if all have ended, without blocking.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Child::try_wait`] for the first child for which it fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline};
    ///
    /// let mut children = Pipeline::new(Command::new("sleep").arg("60")).pipe(Command::new("cat")).spawn()?;
    /// assert_eq!(children.try_wait()?, None);
    /// children.kill()?;
    /// children.wait()?;
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn try_wait(&mut self) -> Result<Option<PipelineStatus>, Error> {
        let asked: Vec<_> = self.all.iter_mut().map(Child::try_wait).collect();
        let statuses = asked.into_iter().collect::<Result<Option<_>, _>>()?;
        Ok(statuses.map(PipelineStatus::new))
    }

    /// Closes standard input and waits for all children to end, at most for `timeout`. Returns `None` if one
    /// still runs then.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Child::wait_timeout`] for the first child for which it fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline};
    /// use std::time::Duration;
    ///
    /// let mut children = Pipeline::new(Command::new("sleep").arg("60")).pipe(Command::new("cat")).spawn()?;
    /// assert_eq!(children.wait_timeout(Duration::from_millis(10))?, None);
    /// let status = children.terminate_then_kill(Duration::from_secs(5))?;
    /// assert_eq!(status.as_slice().len(), 2);
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<PipelineStatus>, Error> {
        drop(self.stdin.take());
        Ok(wait_all(&mut self.all, Some(timeout))?.map(PipelineStatus::new))
    }

    /// Sends `SIGKILL` to all children.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Child::kill`] for the first child for which it fails. All others have got the
    /// signal then.
    ///
    /// # Examples
    ///
    /// See [`try_wait`](Self::try_wait).
    pub fn kill(&self) -> Result<(), Error> {
        self.send_signal(libc::SIGKILL)
    }

    /// Sends a signal to all children, as [`Child::send_signal`] does to one.
    ///
    /// # Errors
    ///
    /// Returns the error of [`Child::send_signal`] for the first child for which it fails. All others have
    /// got the signal then.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline};
    ///
    /// let mut children = Pipeline::new(Command::new("sleep").arg("60")).pipe(Command::new("cat")).spawn()?;
    /// children.send_signal(libc::SIGTERM)?;
    /// assert!(!children.wait()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn send_signal(&self, signal: i32) -> Result<(), Error> {
        let sent: Vec<_> = self.all.iter().map(|child| child.send_signal(signal)).collect();
        sent.into_iter().collect()
    }

    /// Returns a handle by which other threads can send signals to all children while this one waits, as
    /// [`Child::signaler`].
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline};
    ///
    /// let mut children = Pipeline::new(Command::new("sleep").arg("60")).pipe(Command::new("cat")).spawn()?;
    /// let signaler = children.signaler();
    /// std::thread::spawn(move || signaler.kill());
    /// assert!(!children.wait()?.success());
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn signaler(&mut self) -> Signaler {
        Signaler::new(self.all.iter_mut())
    }

    /// Sends `SIGTERM` to all children, waits for them to end, and sends `SIGKILL` if any still runs after
    /// `grace`. Returns their statuses. `SIGCONT` follows `SIGTERM` for children that are stopped.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`send_signal`](Self::send_signal) and of [`wait`](Self::wait), for the first
    /// child for which they fail. All others have ended then, except those that may not be signalled.
    ///
    /// # Examples
    ///
    /// See [`wait_timeout`](Self::wait_timeout).
    pub fn terminate_then_kill(&mut self, grace: Duration) -> Result<PipelineStatus, Error> {
        let asked = [libc::SIGTERM, libc::SIGCONT].map(|signal| self.send_signal(signal));
        if let Ok(Some(status)) = self.wait_timeout(grace) {
            return Ok(status);
        }
        // A child that may not be killed may run forever.
        if let Err(error @ Error::Child { .. }) = self.kill() {
            return Err(error);
        }
        let status = self.wait();
        asked.into_iter().collect::<Result<(), _>>()?;
        status
    }

    /// Closes standard input, reads standard output and standard error, if they are pipes, and waits for all
    /// children.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`communicate`](Self::communicate).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline, Stdio};
    ///
    /// let mut echo = Command::new("echo");
    /// let pipeline = Pipeline::new(echo.arg("hello")).pipe(Command::new("cat")).stdout(Stdio::piped());
    /// assert_eq!(pipeline.spawn()?.wait_with_output()?.stdout, b"hello\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn wait_with_output(self) -> Result<PipelineOutput, Error> {
        self.communicate(&[])
    }

    /// Writes `input` to standard input of the first child and closes it. At the same time reads standard
    /// output of the last child and standard error of all, then waits for all children. If the first child
    /// ends without reading all of the input, that is not an error.
    ///
    /// # Errors
    ///
    /// - Returns the errors of [`wait`](Self::wait).
    /// - Returns [`Error::Child`] if reading or writing fails. The children are then killed and waited for.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline, Stdio};
    ///
    /// let children = Pipeline::new(Command::new("sort"))
    ///     .pipe(Command::new("uniq"))
    ///     .stdin(Stdio::piped())
    ///     .stdout(Stdio::piped())
    ///     .spawn()?;
    /// assert_eq!(children.communicate(b"b\na\nb\n")?.stdout, b"a\nb\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn communicate(mut self, input: &[u8]) -> Result<PipelineOutput, Error> {
        let talked = self.communicator().input(input).run();
        match talked {
            Ok(exchange) => {
                let status = exchange.status.map_or_else(|| self.wait(), Ok)?;
                Ok(PipelineOutput { status, stdout: exchange.stdout, stderr: exchange.stderr })
            }
            Err(error) => {
                end(&mut self.all);
                Err(error)
            }
        }
    }

    /// Returns a [`Communicator`] for the pipeline, as [`Child::communicator`] does for one child. The
    /// pipeline has ended when all its children have.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Pipeline, Stdio};
    /// use std::time::Duration;
    ///
    /// let mut children = Pipeline::new(Command::new("sort"))
    ///     .pipe(Command::new("uniq"))
    ///     .stdin(Stdio::piped())
    ///     .stdout(Stdio::piped())
    ///     .spawn()?;
    /// let mut talk = children.communicator();
    /// let output = talk.input(b"b\na\nb\n").timeout(Duration::from_secs(60)).run()?;
    /// assert_eq!(output.stdout, b"a\nb\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn communicator(&mut self) -> Communicator<'_, Self> {
        Communicator::new(self)
    }
}

/// Kills children and waits for them. Errors are ignored, because the caller already has one to return.
pub(super) fn end(children: &mut [Child]) {
    for child in &*children {
        let _ = child.kill();
    }
    for child in children {
        let _ = child.wait();
    }
}

impl Communicate for Children {
    type Status = PipelineStatus;
}

impl Talking for Children {
    type Ending = PipelineStatus;

    fn streams(&mut self) -> Places<'_> {
        (&mut self.stdin, &mut self.stdout, &mut self.stderr)
    }

    fn children(&mut self) -> &mut [Child] {
        &mut self.all
    }

    fn try_wait(&mut self) -> Result<Option<PipelineStatus>, Error> {
        Self::try_wait(self)
    }

    fn wait_within(&mut self, time: Option<Duration>) -> Result<Option<PipelineStatus>, Error> {
        match time {
            Some(time) => self.wait_timeout(time),
            None => self.wait().map(Some),
        }
    }
}
