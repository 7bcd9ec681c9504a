//! The names of `tokio::process` over this crate, for programs that move over by changing their imports.
//!
//! Everything has tokio's name and signature, and errors are [`io::Error`], as in [`forkexec::process`](crate::process).
//! New code should use [`tokio::Command`](super::Command), whose errors name the stage and the cause by type.
//!
//! # Examples
//!
//! ```
//! use forkexec::tokio::process::Command;
//! use std::io;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> io::Result<()> {
//! let mut child = Command::new("sleep").arg("60").kill_on_drop(true).spawn()?;
//! assert!(child.id().is_some());
//! child.kill().await?;
//! assert_eq!(Command::new("/missing").status().await.unwrap_err().kind(), io::ErrorKind::NotFound);
//! # Ok(())
//! # }
//! ```

use crate::command::CommandBuilder;
use crate::config::settings::OnDrop;
use std::io;
use std::process::{ExitStatus, Output};
use tokio::runtime::Handle;

pub use super::{ChildStderr, ChildStdin, ChildStdout};

/// The mode of a [`CommandBuilder`] whose children a runtime waits for, and whose methods return [`io::Result`].
#[derive(Debug)]
pub enum TokioStd {}

/// A command with all methods of [`tokio::Command`](super::Command). It starts a [`Child`] and returns [`io::Result`].
pub type Command = CommandBuilder<'static, TokioStd>;

impl CommandBuilder<'_, TokioStd> {
    /// Sets whether dropping the child kills it.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.on_drop(if kill { OnDrop::Kill } else { OnDrop::Leave })
    }

    /// Starts the program. Its streams are inherited unless others are set.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`tokio::Command::spawn`](super::Command::spawn).
    ///
    /// # Panics
    ///
    /// Panics outside of a runtime, as tokio does.
    pub fn spawn(&mut self) -> io::Result<Child> {
        drop(Handle::current());
        Ok(super::Child::new(self.start()?)?.into())
    }

    /// Starts the program and waits for its end.
    ///
    /// # Errors
    ///
    /// The future returns the errors of [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Panics
    ///
    /// Panics outside of a runtime, as tokio does.
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let child = self.spawn();
        async { child?.wait().await }
    }

    /// Starts the program, and collects its output until it ends. Its output streams are piped unless others are set.
    ///
    /// # Errors
    ///
    /// The future returns the errors of [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    ///
    /// # Panics
    ///
    /// Panics outside of a runtime, as tokio does.
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + use<> {
        drop(Handle::current());
        let child = self.start_captured().and_then(super::Child::new);
        async { Ok(child?.wait_with_output().await?) }
    }
}

/// A running child, with the methods of `tokio::process::Child`.
#[derive(Debug)]
pub struct Child {
    /// The writing end of the child's standard input, if it is piped.
    pub stdin: Option<ChildStdin>,

    /// The reading end of the child's standard output, if it is piped.
    pub stdout: Option<ChildStdout>,

    /// The reading end of the child's standard error, if it is piped.
    pub stderr: Option<ChildStderr>,

    native: super::Child,
}

impl Child {
    /// Returns the process id, or `None` after a wait has returned the status.
    pub fn id(&self) -> Option<u32> {
        self.native.id()
    }

    /// Sends `SIGKILL` and does not wait.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`tokio::Child::start_kill`](super::Child::start_kill).
    pub fn start_kill(&mut self) -> io::Result<()> {
        Ok(self.native.start_kill()?)
    }

    /// Sends `SIGKILL`, and waits for the end.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`tokio::Child::kill`](super::Child::kill).
    pub async fn kill(&mut self) -> io::Result<()> {
        self.native.kill().await?;
        Ok(())
    }

    /// Closes the child's standard input, and waits for its end.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`tokio::Child::wait`](super::Child::wait).
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        Ok(self.native.wait().await?)
    }

    /// Returns the exit status if the child has ended, without waiting.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`tokio::Child::try_wait`](super::Child::try_wait).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        Ok(self.native.try_wait()?)
    }

    /// Closes the child's standard input, and collects its output until it ends.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`tokio::Child::wait_with_output`](super::Child::wait_with_output).
    pub async fn wait_with_output(self) -> io::Result<Output> {
        Ok(super::Child::from(self).wait_with_output().await?)
    }
}

impl From<super::Child> for Child {
    fn from(mut native: super::Child) -> Self {
        Self {
            stdin: native.stdin.take(),
            stdout: native.stdout.take(),
            stderr: native.stderr.take(),
            native,
        }
    }
}

impl From<Child> for super::Child {
    fn from(child: Child) -> Self {
        let Child { stdin, stdout, stderr, mut native } = child;
        (native.stdin, native.stdout, native.stderr) = (stdin, stdout, stderr);
        native
    }
}
