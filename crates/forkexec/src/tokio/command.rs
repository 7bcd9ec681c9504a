//! Starting children in a runtime.

use super::child::{Child, enter};
use crate::command::Command;
use crate::error::Error;
use crate::prepare::prepared::Prepared;
use std::process::{ExitStatus, Output};

impl Command<'_> {
    /// Starts the program in a tokio runtime, as [`spawn`](Self::spawn) does outside of one (feature `tokio`).
    ///
    /// It blocks until the child executes the program: see [`forkexec::tokio`](crate::tokio#what-blocks).
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn). [`Error::Child`] outside of a runtime, where nothing is started, and where the
    /// runtime cannot watch any more descriptors: then the child was started, is killed, and waited for.
    ///
    /// # Panics
    ///
    /// If I/O is not enabled in this runtime. What becomes of the child then is the same.
    pub fn spawn_tokio(&mut self) -> Result<Child, Error> {
        enter()?;
        Child::new(self.spawn()?)
    }

    /// Starts the program at once, and waits for it in the future (feature `tokio`).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the child, to which [`on_drop`](Self::on_drop) applies.
    ///
    /// # Errors
    ///
    /// Those of [`spawn_tokio`](Self::spawn_tokio) and of [`Child::wait`].
    ///
    /// # Panics
    ///
    /// As [`spawn_tokio`](Self::spawn_tokio).
    pub fn status_tokio(&mut self) -> impl Future<Output = Result<ExitStatus, Error>> + use<> {
        status(self.spawn_tokio())
    }

    /// Starts the program at once; in the future it is waited for, and what it writes to standard output and error is
    /// collected (feature `tokio`).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the child, to which [`on_drop`](Self::on_drop) applies, and what was read.
    ///
    /// # Errors
    ///
    /// Those of [`spawn_tokio`](Self::spawn_tokio) and of [`Child::wait_with_output`].
    ///
    /// # Panics
    ///
    /// As [`spawn_tokio`](Self::spawn_tokio).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let output = forkexec::Command::new("echo").arg("hello").output_tokio().await?;
    /// assert_eq!(output.stdout, b"hello\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn output_tokio(&mut self) -> impl Future<Output = Result<Output, Error>> + use<> {
        output(enter().and_then(|()| Child::new(self.spawn_captured()?)))
    }
}

impl Prepared<'_> {
    /// Starts the program in a tokio runtime, as [`Command::spawn_tokio`] (feature `tokio`).
    ///
    /// # Errors
    ///
    /// As [`Command::spawn_tokio`].
    ///
    /// # Panics
    ///
    /// As [`Command::spawn_tokio`].
    pub fn spawn_tokio(&self) -> Result<Child, Error> {
        enter()?;
        Child::new(self.spawn()?)
    }

    /// Starts the program at once, and waits for it in the future, as [`Command::status_tokio`] (feature `tokio`).
    ///
    /// # Errors
    ///
    /// As [`Command::status_tokio`].
    ///
    /// # Panics
    ///
    /// As [`Command::spawn_tokio`].
    pub fn status_tokio(&self) -> impl Future<Output = Result<ExitStatus, Error>> + use<> {
        status(self.spawn_tokio())
    }

    /// Starts the program at once, and collects its output in the future, as [`Command::output_tokio`] (feature `tokio`).
    ///
    /// # Errors
    ///
    /// As [`Command::output_tokio`].
    ///
    /// # Panics
    ///
    /// As [`Command::spawn_tokio`].
    pub fn output_tokio(&self) -> impl Future<Output = Result<Output, Error>> + use<> {
        output(enter().and_then(|()| Child::new(self.spawn_captured()?)))
    }
}

async fn status(started: Result<Child, Error>) -> Result<ExitStatus, Error> {
    started?.wait().await
}

async fn output(started: Result<Child, Error>) -> Result<Output, Error> {
    started?.wait_with_output().await
}
