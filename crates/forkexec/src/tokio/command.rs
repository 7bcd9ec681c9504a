//! Starting children in a runtime.

use super::child::{Child, enter};
use crate::command::Command;
use crate::error::Error;
use crate::prepare::prepared::Prepared;
use std::process::{ExitStatus, Output};

impl Command<'_> {
    /// Starts the program in the current tokio runtime, as [`spawn`](Self::spawn) does without one (feature
    /// `tokio`).
    ///
    /// The call blocks until the child executes the program: see [`forkexec::tokio`](crate::tokio#blocking).
    ///
    /// # Errors
    ///
    /// - Returns the errors of [`spawn`](Self::spawn).
    /// - Returns [`Error::Child`] if the caller is not in a runtime. No child is started then.
    /// - Returns [`Error::Child`] if the runtime cannot watch another descriptor. The child is then killed
    ///   and waited for.
    ///
    /// # Panics
    ///
    /// Panics if I/O is not enabled in this runtime. The child is then killed and waited for.
    ///
    /// # Examples
    ///
    /// See [`forkexec::tokio`](crate::tokio).
    pub fn spawn_tokio(&mut self) -> Result<Child, Error> {
        enter()?;
        Child::new(self.spawn()?)
    }

    /// Starts the program at once, and returns a future that waits for the child (feature `tokio`).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the child, so that [`on_drop`](Self::on_drop) applies.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn_tokio`](Self::spawn_tokio) and of [`Child::wait`].
    ///
    /// # Panics
    ///
    /// Panics as [`spawn_tokio`](Self::spawn_tokio) does.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let status = forkexec::Command::new("true").status_tokio().await?;
    /// assert!(status.success());
    /// # Ok(())
    /// # }
    /// ```
    pub fn status_tokio(&mut self) -> impl Future<Output = Result<ExitStatus, Error>> + use<> {
        status(self.spawn_tokio())
    }

    /// Starts the program at once, and returns a future that waits for the child and collects its standard
    /// output and standard error (feature `tokio`).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the child, so that [`on_drop`](Self::on_drop) applies. The data that was
    /// read is lost.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn_tokio`](Self::spawn_tokio) and of [`Child::wait_with_output`].
    ///
    /// # Panics
    ///
    /// Panics as [`spawn_tokio`](Self::spawn_tokio) does.
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
    /// Starts the program in the current tokio runtime, as [`Command::spawn_tokio`] does (feature `tokio`).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Command::spawn_tokio`].
    ///
    /// # Panics
    ///
    /// Panics as [`Command::spawn_tokio`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let prepared = forkexec::Command::new("echo").into_prepared()?;
    /// assert!(prepared.spawn_tokio()?.wait().await?.success());
    /// assert!(prepared.status_tokio().await?.success());
    /// assert_eq!(prepared.output_tokio().await?.stdout, b"\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_tokio(&self) -> Result<Child, Error> {
        enter()?;
        Child::new(self.spawn()?)
    }

    /// Starts the program at once, and returns a future that waits for the child, as
    /// [`Command::status_tokio`] does (feature `tokio`).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Command::status_tokio`].
    ///
    /// # Panics
    ///
    /// Panics as [`Command::spawn_tokio`] does.
    ///
    /// # Examples
    ///
    /// See [`spawn_tokio`](Self::spawn_tokio).
    pub fn status_tokio(&self) -> impl Future<Output = Result<ExitStatus, Error>> + use<> {
        status(self.spawn_tokio())
    }

    /// Starts the program at once, and returns a future that waits for the child and collects its output, as
    /// [`Command::output_tokio`] does (feature `tokio`).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Command::output_tokio`].
    ///
    /// # Panics
    ///
    /// Panics as [`Command::spawn_tokio`] does.
    ///
    /// # Examples
    ///
    /// See [`spawn_tokio`](Self::spawn_tokio).
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
