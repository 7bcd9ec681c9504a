//! A child that a runtime waits for.

use super::watch::Watch;
use super::{ChildStderr, ChildStdin, ChildStdout, Communicator};
use crate::child::tree::KillReport;
use crate::config::settings::OnDrop;
use crate::error::Error;
use crate::sys::exit_fd::ExitFd;
use crate::sys::usage::ResourceUsage;
use std::borrow::Cow;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::process::{ExitStatus, Output};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// A child that runs its program, as `tokio::process::Child`.
///
/// What becomes of it when it is dropped before its end was seen, as with a task that is aborted, is for
/// [`Command::on_drop`](crate::Command::on_drop) to say: it is what tokio calls `kill_on_drop`.
#[derive(Debug)]
pub struct Child {
    /// The writing end of its standard input, if that is a pipe. Dropping it closes it.
    pub stdin: Option<ChildStdin>,
    /// The reading end of its standard output, if that is a pipe.
    pub stdout: Option<ChildStdout>,
    /// The reading end of its standard error, if that is a pipe.
    pub stderr: Option<ChildStderr>,
    watch: Watch,
}

impl Child {
    /// Has the runtime wait for a child that was started without one, and talk to it.
    ///
    /// # Errors
    ///
    /// [`Error::Child`] if this is no runtime, or it cannot watch any more descriptors. Then the child is killed and waited
    /// for, since nobody holds it any more.
    ///
    /// # Panics
    ///
    /// If I/O is not enabled in this runtime, as all of tokio does. What becomes of the child then is the same.
    pub fn new(mut child: crate::Child) -> Result<Self, Error> {
        let on_drop = child.replace_on_drop(OnDrop::KillAndWait);
        enter()?;
        let mut child = Self::watched(child).map_err(unwatched)?;
        child.watch.replace_on_drop(on_drop);
        Ok(child)
    }

    fn watched(mut child: crate::Child) -> io::Result<Self> {
        let stdin = child.stdin.take().map(|pipe| ChildStdin::from_owned_fd(pipe.into()));
        let stdout = child.stdout.take().map(|pipe| reader(pipe.into()));
        let stderr = child.stderr.take().map(|pipe| reader(pipe.into()));
        Ok(Self {
            stdin: stdin.transpose()?,
            stdout: stdout.transpose()?,
            stderr: stderr.transpose()?,
            watch: Watch::new(child)?,
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.get_ref().id()
    }

    /// A descriptor that refers to the child, as [`crate::Child::pidfd`].
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.get_ref().pidfd()
    }

    /// A descriptor that is readable when the child has ended, for another event loop: as [`crate::Child::exit_fd`].
    pub fn exit_fd(&self) -> Option<&ExitFd> {
        self.get_ref().exit_fd()
    }

    /// The child as it was started, which knows by which [method](crate::Child::method), and by what its descriptors were
    /// [closed](crate::Child::close_method). The pipes are not in it.
    pub fn get_ref(&self) -> &crate::Child {
        self.watch.child()
    }

    /// Closes standard input and waits for the child to end. Called again, it gives the same status.
    ///
    /// A child that writes more than a pipe holds, while nobody reads it, waits for ever:
    /// [`wait_with_output`](Self::wait_with_output) reads it.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it may be dropped and called again, and the status is not lost. Standard input is closed as soon as it
    /// is polled first.
    ///
    /// # Errors
    ///
    /// [`Error::StatusLost`] if other code waited for the child, or `SIGCHLD` is ignored. [`Error::Child`] if the child still
    /// runs and this runtime is shut down, or a thread is needed and none can be started.
    ///
    /// # Panics
    ///
    /// If the runtime that watches the child was shut down, the child still runs, and I/O is not enabled in this runtime. The
    /// child can be waited for in another.
    pub async fn wait(&mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        self.watch.wait().await
    }

    /// Closes standard input and waits for the child to end: what it used, too.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait), and of [`crate::Child::wait_usage`].
    pub async fn wait_usage(&mut self) -> Result<(ExitStatus, ResourceUsage), Error> {
        self.wait().await?;
        self.watch.child_mut().wait_usage()
    }

    /// The child's status if it has ended.
    ///
    /// # Errors
    ///
    /// [`Error::StatusLost`], as from [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.watch.child_mut().try_wait()
    }

    /// Sends a signal, as [`crate::Child::send_signal`]: never to whoever has the number of a child that was waited for.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Child::send_signal`].
    pub fn send_signal(&mut self, signal: i32) -> Result<(), Error> {
        self.watch.child_mut().send_signal(signal)
    }

    /// Sends `SIGKILL`, and does not wait.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Child::kill`].
    pub fn start_kill(&mut self) -> Result<(), Error> {
        self.watch.child_mut().kill()
    }

    /// Ends the child and all that descends from it with `SIGKILL`, as [`crate::Child::kill_tree`], and does not wait for that.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Child::kill_tree`].
    pub fn start_kill_tree(&mut self) -> Result<KillReport, Error> {
        self.watch.child_mut().start_kill_tree()
    }

    /// Sends `SIGKILL`, and waits for the child to end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the signal is sent as soon as it is polled first, and the child can be waited for.
    ///
    /// # Errors
    ///
    /// Those of [`start_kill`](Self::start_kill) and [`wait`](Self::wait).
    pub async fn kill(&mut self) -> Result<ExitStatus, Error> {
        self.start_kill()?;
        self.wait().await
    }

    /// Sends `SIGTERM`, and `SIGCONT` for a child that is stopped. Gives the child so long to end by itself, then sends
    /// `SIGKILL`, and waits for it. If the end cannot be waited for, `SIGKILL` follows at once.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the child has got two signals or three, and can be waited for. Called again, it begins anew, with `SIGTERM`
    /// and all of the time.
    ///
    /// # Errors
    ///
    /// Those of [`send_signal`](Self::send_signal) and of [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// If time is not enabled in this runtime. Then no signal was sent.
    pub async fn terminate_then_kill(&mut self, grace: Duration) -> Result<ExitStatus, Error> {
        let terminated = async {
            self.watch.child_mut().terminate()?;
            self.wait().await
        };
        match timeout(grace, terminated).await {
            Ok(Err(error @ Error::Child { .. })) => {
                // The error at hand is the one to tell.
                let _ = self.start_kill();
                Err(error)
            }
            Ok(ended) => ended,
            Err(_) => self.kill().await,
        }
    }

    /// Closes standard input, reads what the child writes to the pipes of standard output and error, both at once, and
    /// waits for it.
    ///
    /// It returns when both pipes have ended: a descendant that holds one of them is waited for, too.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was read is lost, and the child is dropped, to which
    /// [`on_drop`](crate::Command::on_drop) applies. [`communicator`](Self::communicator) keeps both.
    ///
    /// # Errors
    ///
    /// Those of [`communicate`](Self::communicate).
    pub async fn wait_with_output(self) -> Result<Output, Error> {
        self.communicate(&[]).await
    }

    /// Writes `input` to the child's standard input and closes it, reads standard output and error, all at once, and waits
    /// for the child. No amount of input or output makes the two wait for each other.
    ///
    /// A child that ends without reading all of its input is no error.
    ///
    /// # Cancel safety
    ///
    /// As [`wait_with_output`](Self::wait_with_output).
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Self::wait), and [`Error::Child`] if reading or writing fails: then the child is killed, since
    /// nobody holds it any more.
    pub async fn communicate(self, input: &[u8]) -> Result<Output, Error> {
        self.communicator(input).finish().await
    }

    /// As [`communicate`](Self::communicate), in a form that can be given up and taken up again: nothing that was read is
    /// lost when the time is over.
    pub fn communicator<'input>(self, input: impl Into<Cow<'input, [u8]>>) -> Communicator<'input> {
        Communicator::new(self, input.into())
    }
}

/// Whether this is a runtime: nothing is to be started outside of one.
pub(super) fn enter() -> Result<(), Error> {
    Handle::try_current().map(drop).map_err(|error| unwatched(io::Error::other(error)))
}

fn reader(pipe: OwnedFd) -> io::Result<ChildStdout> {
    ChildStdout::from_owned_fd(pipe)
}

fn unwatched(source: io::Error) -> Error {
    Error::Child { what: "have tokio watch the child", error: source }
}
