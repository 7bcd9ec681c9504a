//! A pipeline that runs.

use super::{PipelineOutput, PipelineStatus};
use crate::child::Child;
use crate::child::communicate::{Communicate, Communicator, Places, Talking};
use crate::error::Error;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

/// The children of a [`Pipeline`](crate::Pipeline) that runs.
///
/// Dropping it does with each child what its command says ([`Command::on_drop`](crate::Command::on_drop)).
#[derive(Debug)]
pub struct Children {
    /// The writing end of the first one's standard input, if that is a pipe.
    pub stdin: Option<ChildStdin>,
    /// The reading end of the last one's standard output, if that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// The reading end of the pipe that all write errors to, if
    /// [`Pipeline::stderr`](crate::Pipeline::stderr) asked for one.
    pub stderr: Option<ChildStderr>,
    all: Vec<Child>,
}

impl Children {
    /// Of at least one child.
    pub(super) fn new(mut children: Vec<Child>, stderr: Option<ChildStderr>) -> Self {
        let stdin = children.first_mut().and_then(|first| first.stdin.take());
        let stdout = children.last_mut().and_then(|last| last.stdout.take());
        Self { stdin, stdout, stderr, all: children }
    }

    /// The children, in the order of their commands.
    pub fn as_slice(&self) -> &[Child] {
        &self.all
    }

    /// The children, in the order of their commands.
    pub fn as_mut_slice(&mut self) -> &mut [Child] {
        &mut self.all
    }

    /// Closes standard input and waits for all children to end. Called again, it gives the same.
    ///
    /// # Errors
    ///
    /// As [`Child::wait`], for the first child for which that fails. All others have been waited for then.
    pub fn wait(&mut self) -> Result<PipelineStatus, Error> {
        drop(self.stdin.take());
        // Each is waited for, whatever became of the one before it.
        let waited: Vec<_> = self.all.iter_mut().map(Child::wait).collect();
        waited.into_iter().collect::<Result<_, _>>().map(PipelineStatus::new)
    }

    /// The children's statuses if all have ended.
    ///
    /// # Errors
    ///
    /// As [`Child::try_wait`], for the first child for which that fails.
    pub fn try_wait(&mut self) -> Result<Option<PipelineStatus>, Error> {
        let asked: Vec<_> = self.all.iter_mut().map(Child::try_wait).collect();
        let statuses = asked.into_iter().collect::<Result<Option<_>, _>>()?;
        Ok(statuses.map(PipelineStatus::new))
    }

    /// Closes standard input and waits for all children to end, but not longer than this: `None` if one still runs then.
    ///
    /// # Errors
    ///
    /// As [`Child::wait_timeout`], for the first child for which that fails.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<PipelineStatus>, Error> {
        drop(self.stdin.take());
        let end = Instant::now().checked_add(timeout);
        let mut lost = None;
        for child in &mut self.all {
            let rest = end.map_or(timeout, |end| end.saturating_duration_since(Instant::now()));
            match child.wait_timeout(rest) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                // The others are waited for all the same.
                Err(error @ Error::StatusLost { .. }) => lost = lost.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        lost.map_or_else(|| self.try_wait(), Err)
    }

    /// Sends `SIGKILL` to all children.
    ///
    /// # Errors
    ///
    /// As [`Child::kill`], for the first child for which that fails. It was sent to all others then.
    pub fn kill(&mut self) -> Result<(), Error> {
        self.send_signal(libc::SIGKILL)
    }

    /// Sends a signal to all children, as [`kill`](Self::kill) does.
    ///
    /// # Errors
    ///
    /// As [`Child::send_signal`], for the first child for which that fails. It was sent to all others then.
    pub fn send_signal(&mut self, signal: i32) -> Result<(), Error> {
        let sent: Vec<_> = self.all.iter_mut().map(|child| child.send_signal(signal)).collect();
        sent.into_iter().collect()
    }

    /// Sends `SIGTERM` to all children, and `SIGCONT` for those that are stopped. Gives them so long to end by themselves, then
    /// sends `SIGKILL`, and waits for them.
    ///
    /// # Errors
    ///
    /// Those of [`send_signal`](Self::send_signal) and of [`wait`](Self::wait), for the first child for which that fails. All others have
    /// ended then, except those that may not be signalled.
    pub fn terminate_then_kill(&mut self, grace: Duration) -> Result<PipelineStatus, Error> {
        let asked = [libc::SIGTERM, libc::SIGCONT].map(|signal| self.send_signal(signal));
        if let Ok(Some(status)) = self.wait_timeout(grace) {
            return Ok(status);
        }
        // A child that may not be killed may run for ever.
        if let Err(error @ Error::Child { .. }) = self.kill() {
            return Err(error);
        }
        let status = self.wait();
        asked.into_iter().collect::<Result<(), _>>()?;
        status
    }

    /// Closes standard input, reads standard output and error, if they are pipes, and waits for all children.
    ///
    /// # Errors
    ///
    /// Those of [`communicate`](Self::communicate).
    pub fn wait_with_output(self) -> Result<PipelineOutput, Error> {
        self.communicate(&[])
    }

    /// Writes `input` to standard input of the first child and closes it, reads standard output of the last and standard error
    /// of all, all at once, and waits for all children. A first child that ends without reading all of it is no error.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait), and [`Error::Child`] if reading or writing fails: then the children are killed, since
    /// nobody holds them any more.
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

    /// Begins to talk to the pipeline, as [`Child::communicator`] does to one child. It has ended when all its children have.
    pub fn communicator(&mut self) -> Communicator<'_, Self> {
        Communicator::new(self)
    }
}

/// Kills children and waits for them. Whatever is said of that, there is another error to tell.
pub(super) fn end(children: &mut [Child]) {
    for child in &mut *children {
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
