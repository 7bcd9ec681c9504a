//! A child that a runtime waits for.

use super::watch::Watch;
use super::{ChildStderr, ChildStdin, ChildStdout, Communicator};
use crate::child::signaler::Signaler;
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

/// A running or ended child process, as `tokio::process::Child`.
///
/// [`Command::on_drop`](crate::Command::on_drop) sets what happens to a child that is dropped before its end
/// was seen, for example with an aborted task. It corresponds to tokio's `kill_on_drop`.
///
/// # Examples
///
/// See [the module](crate::tokio).
#[derive(Debug)]
pub struct Child {
    /// The writing end of the child's standard input, if it is a pipe. Dropping it closes it.
    pub stdin: Option<ChildStdin>,
    /// The reading end of the child's standard output, if it is a pipe.
    pub stdout: Option<ChildStdout>,
    /// The reading end of the child's standard error, if it is a pipe.
    pub stderr: Option<ChildStderr>,
    watch: Watch,
}

impl Child {
    /// Lets the current runtime wait for a child that was started without it, and read and write its pipes.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Child`] if the caller is not in a runtime, or if the runtime cannot watch another
    /// descriptor. The child is then killed and waited for.
    ///
    /// # Panics
    ///
    /// Panics if I/O is not enabled in this runtime, as all of tokio does. The child is then killed and
    /// waited for.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::tokio::Child;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let child = forkexec::Command::new("true").spawn()?;
    /// let mut child = Child::new(child)?;
    /// assert!(child.wait().await?.success());
    /// # Ok(())
    /// # }
    /// ```
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

    /// Returns the process id of the child, or `None` if the child was waited for, as in tokio: the id may then belong
    /// to another process.
    pub fn id(&self) -> Option<u32> {
        (!self.get_ref().was_waited_for()).then(|| self.get_ref().id())
    }

    /// Returns a descriptor that refers to the child, as [`crate::Child::pidfd`].
    pub fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.get_ref().pidfd()
    }

    /// Returns a descriptor that is readable when the child has ended, as [`crate::Child::exit_fd`].
    pub fn exit_fd(&self) -> Option<&ExitFd> {
        self.get_ref().exit_fd()
    }

    /// Returns the child as [`crate::Child`], without its pipes. It has the [method](crate::Child::method) of
    /// the start and the [method](crate::Child::close_method) by which descriptors were closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let mut child = forkexec::tokio::Command::new("true").spawn()?;
    /// println!("started by {}", child.get_ref().method().name());
    /// child.wait().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_ref(&self) -> &crate::Child {
        self.watch.child()
    }

    /// Closes standard input, waits for the child to end and returns its exit status. A later call returns
    /// the same status.
    ///
    /// The call does not read the child's output. If the child writes more to a pipe than the pipe holds, it
    /// waits for a reader and never ends; use [`wait_with_output`](Self::wait_with_output) for such a child.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: it can be dropped and called again, and the status is not lost. Standard
    /// input is closed at the first poll.
    ///
    /// # Errors
    ///
    /// - Returns [`Error::StatusLost`] if other code reaped the child, or if `SIGCHLD` is ignored.
    /// - Returns [`Error::Child`] if the child still runs and this runtime shuts down, or if a thread is
    ///   needed and cannot be started.
    ///
    /// # Panics
    ///
    /// Panics if the runtime that watches the child was shut down, the child still runs, and I/O is not
    /// enabled in this runtime. The child can still be waited for in another one.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let mut child = forkexec::tokio::Command::new("sh").args(["-c", "exit 3"]).spawn()?;
    /// assert_eq!(child.wait().await?.code(), Some(3));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait(&mut self) -> Result<ExitStatus, Error> {
        drop(self.stdin.take());
        self.end().await
    }

    /// Closes standard input, waits for the child to end, and returns its exit status and its resource usage.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe, as [`wait`](Self::wait).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`wait`](Self::wait) and of [`crate::Child::wait_usage`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let mut child = forkexec::tokio::Command::new("true").spawn()?;
    /// let (status, usage) = child.wait_usage().await?;
    /// println!("{status}, {:?} in user mode", usage.user_time());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_usage(&mut self) -> Result<(ExitStatus, ResourceUsage), Error> {
        self.wait().await?;
        self.watch.child_mut().wait_usage()
    }

    /// Returns the exit status of the child if it has ended, without waiting, as [`crate::Child::try_wait`].
    ///
    /// # Errors
    ///
    /// Returns [`Error::StatusLost`] as [`wait`](Self::wait) does.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.watch.child_mut().try_wait()
    }

    /// Sends a signal to the child, as [`crate::Child::send_signal`]. If the child was waited for, nothing is
    /// sent.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`crate::Child::send_signal`].
    pub fn send_signal(&self, signal: i32) -> Result<(), Error> {
        self.get_ref().send_signal(signal)
    }

    /// Continues a child that was [started suspended](crate::Command::start_suspended), as [`crate::Child::resume`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`crate::Child::resume`].
    pub fn resume(&self) -> Result<(), Error> {
        self.get_ref().resume()
    }

    /// Returns a handle by which other tasks and threads can send signals to the child while this one waits,
    /// as [`crate::Child::signaler`].
    pub fn signaler(&mut self) -> Signaler {
        self.watch.child_mut().signaler()
    }

    /// Sends `SIGKILL`, and does not wait for the child, as [`crate::Child::kill`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`crate::Child::kill`].
    pub fn start_kill(&self) -> Result<(), Error> {
        self.get_ref().kill()
    }

    /// Kills the child and its descendants with `SIGKILL`, as [`crate::Child::kill_tree`], and does not wait
    /// for their end.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`crate::Child::kill_tree`].
    pub fn start_kill_tree(&mut self) -> Result<KillReport, Error> {
        self.watch.child_mut().start_kill_tree()
    }

    /// Sends `SIGKILL`, waits for the child to end, and returns its exit status.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the signal is sent at the first poll, and the child can be waited for.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`start_kill`](Self::start_kill) and of [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::os::unix::process::ExitStatusExt;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let mut child = forkexec::tokio::Command::new("sleep").arg("60").spawn()?;
    /// assert_eq!(child.kill().await?.signal(), Some(9));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn kill(&mut self) -> Result<ExitStatus, Error> {
        self.start_kill()?;
        self.wait().await
    }

    /// Sends `SIGTERM`, waits for the child to end, and sends `SIGKILL` if it still runs after `grace`.
    /// Returns its exit status.
    ///
    /// `SIGCONT` follows `SIGTERM`, because a stopped child gets a signal only when it continues. If the
    /// runtime cannot wait for the child, `SIGKILL` follows at once.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: the child has got two signals or three, and can be waited for. A later
    /// call begins anew, with `SIGTERM` and the whole of `grace`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`send_signal`](Self::send_signal) and of [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// Panics if time is not enabled in this runtime. Then no signal was sent.
    ///
    /// # Examples
    ///
    /// See [the module](crate::tokio).
    pub async fn terminate_then_kill(&mut self, grace: Duration) -> Result<ExitStatus, Error> {
        let terminated = async {
            self.watch.child_mut().terminate()?;
            self.wait().await
        };
        match timeout(grace, terminated).await {
            Ok(Err(error @ Error::Child { .. })) => {
                // The earlier error is returned.
                let _ = self.start_kill();
                Err(error)
            }
            Ok(ended) => ended,
            Err(_) => self.kill().await,
        }
    }

    /// Closes standard input, reads standard output and standard error at the same time, if they are pipes,
    /// and waits for the child.
    ///
    /// The call returns when both pipes have ended, so it also waits for a descendant that holds one of them.
    ///
    /// # Cancel safety
    ///
    /// This method is not cancel safe: the data that was read is lost, and the child is dropped, so that
    /// [`on_drop`](crate::Command::on_drop) applies. [`communicator`](Self::communicator) keeps both.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`communicate`](Self::communicate).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::tokio::Command;
    /// use forkexec::Stdio;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    /// assert_eq!(child.wait_with_output().await?.stdout, b"hello\n");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_with_output(self) -> Result<Output, Error> {
        self.communicate(&[]).await
    }

    /// Writes `input` to the child's standard input and closes it, reads standard output and standard error
    /// at the same time, and waits for the child. The call does not deadlock, however large input and output
    /// are.
    ///
    /// If the child ends without reading all of its input, that is not an error.
    ///
    /// # Cancel safety
    ///
    /// As [`wait_with_output`](Self::wait_with_output).
    ///
    /// # Errors
    ///
    /// - Returns the errors of [`wait`](Self::wait).
    /// - Returns [`Error::Child`] if reading or writing fails. The child is then killed.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::tokio::Command;
    /// use forkexec::Stdio;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let mut tr = Command::new("tr");
    /// tr.args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    /// assert_eq!(tr.spawn()?.communicate(b"hello").await?.stdout, b"HELLO");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn communicate(self, input: &[u8]) -> Result<Output, Error> {
        self.communicator(input).finish().await
    }

    /// Returns a [`Communicator`], which does the same as [`communicate`](Self::communicate) and can be
    /// cancelled and continued: no data that was read is lost.
    ///
    /// # Examples
    ///
    /// See [`Communicator`].
    pub fn communicator<'input>(self, input: impl Into<Cow<'input, [u8]>>) -> Communicator<'input> {
        Communicator::new(self, input.into())
    }

    /// Waits as [`wait`](Self::wait), but leaves standard input open.
    pub(super) async fn end(&mut self) -> Result<ExitStatus, Error> {
        self.watch.wait().await
    }
}

/// Checks that the caller is in a runtime. No child is started outside of one.
pub(super) fn enter() -> Result<(), Error> {
    Handle::try_current().map(drop).map_err(|error| unwatched(io::Error::other(error)))
}

fn reader(pipe: OwnedFd) -> io::Result<ChildStdout> {
    ChildStdout::from_owned_fd(pipe)
}

fn unwatched(source: io::Error) -> Error {
    Error::Child { what: "register the child with tokio", error: source }
}
