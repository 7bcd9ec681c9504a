//! Starting children in a runtime.

use super::child::{Child, enter};
use crate::command::{self, CommandBuilder};
use crate::config::settings::OnDrop;
use crate::error::Error;
use crate::prepared::Prepared;
use std::process::{ExitStatus, Output};

/// The mode of a command whose children a tokio runtime waits for.
#[derive(Debug)]
pub enum Tokio {}

/// A [`crate::Command`] with the methods of `tokio::process::Command`: a tokio runtime waits for the child.
///
/// It has all methods of [`CommandBuilder`]. A [`crate::Command`] converts into this type.
///
/// # Examples
///
/// ```
/// use forkexec::tokio::Command;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), forkexec::Error> {
/// let output = Command::new("echo").arg("hello").output().await?;
/// assert_eq!(output.stdout, b"hello\n");
/// # Ok(())
/// # }
/// ```
pub type Command = CommandBuilder<'static, Tokio>;

/// A [`Command`] that may borrow the descriptors that it passes, as [`crate::BorrowingCommand`].
pub type BorrowingCommand<'fd> = CommandBuilder<'fd, Tokio>;

impl<'fd> From<command::BorrowingCommand<'fd>> for CommandBuilder<'fd, Tokio> {
    fn from(command: command::BorrowingCommand<'fd>) -> Self {
        Self::of(command.into_settings())
    }
}

/// Starting a child that a tokio runtime waits for.
impl CommandBuilder<'_, Tokio> {
    /// Sets whether the child is killed with `SIGKILL` when its [`Child`] is dropped, as tokio's method of this name.
    ///
    /// It is [`on_drop`](Self::on_drop) with [`OnDrop::Kill`] or [`OnDrop::Leave`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let child = forkexec::tokio::Command::new("sleep").arg("600").kill_on_drop(true).spawn()?;
    /// drop(child); // kills it
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.on_drop(if kill { OnDrop::Kill } else { OnDrop::Leave })
    }

    /// Starts the program in the current tokio runtime, as [`crate::Command::spawn`] does without one.
    ///
    /// The call blocks until the child executes the program: see [`forkexec::tokio`](crate::tokio#blocking).
    ///
    /// # Errors
    ///
    /// - Returns the errors of [`crate::Command::spawn`].
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
    pub fn spawn(&mut self) -> Result<Child, Error> {
        enter()?;
        Child::new(self.start()?)
    }

    /// Starts the program at once, and returns a future that waits for the child.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the child, so that [`on_drop`](Self::on_drop) applies.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn) and of [`Child::wait`].
    ///
    /// # Panics
    ///
    /// Panics as [`spawn`](Self::spawn) does.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let status = forkexec::tokio::Command::new("true").status().await?;
    /// assert!(status.success());
    /// # Ok(())
    /// # }
    /// ```
    pub fn status(&mut self) -> impl Future<Output = Result<ExitStatus, Error>> + use<> {
        status(self.spawn())
    }

    /// Starts the program at once, and returns a future that waits for the child and collects its standard
    /// output and standard error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the child, so that [`on_drop`](Self::on_drop) applies. The data that was
    /// read is lost.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn) and of [`Child::wait_with_output`].
    ///
    /// # Panics
    ///
    /// Panics as [`spawn`](Self::spawn) does.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let output = forkexec::tokio::Command::new("echo").arg("hello").output().await?;
    /// assert_eq!(output.stdout, b"hello\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn output(&mut self) -> impl Future<Output = Result<Output, Error>> + use<> {
        output(enter().and_then(|()| Child::new(self.start_captured()?)))
    }
}

/// Starting a child that a tokio runtime waits for.
impl Prepared<'_, Tokio> {
    /// Starts the program in the current tokio runtime, as [`Command::spawn`] does.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Command::spawn`].
    ///
    /// # Panics
    ///
    /// Panics as [`Command::spawn`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), forkexec::Error> {
    /// let prepared = forkexec::tokio::Command::new("echo").into_prepared()?;
    /// assert!(prepared.spawn()?.wait().await?.success());
    /// assert!(prepared.status().await?.success());
    /// assert_eq!(prepared.output().await?.stdout, b"\n");
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn(&self) -> Result<Child, Error> {
        enter()?;
        Child::new(self.start()?)
    }

    /// Starts the program at once, and returns a future that waits for the child, as
    /// [`Command::status`] does.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Command::status`].
    ///
    /// # Panics
    ///
    /// Panics as [`Command::spawn`] does.
    ///
    /// # Examples
    ///
    /// See [`spawn`](Self::spawn).
    pub fn status(&self) -> impl Future<Output = Result<ExitStatus, Error>> + use<> {
        status(self.spawn())
    }

    /// Starts the program at once, and returns a future that waits for the child and collects its output, as
    /// [`Command::output`] does.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Command::output`].
    ///
    /// # Panics
    ///
    /// Panics as [`Command::spawn`] does.
    ///
    /// # Examples
    ///
    /// See [`spawn`](Self::spawn).
    pub fn output(&self) -> impl Future<Output = Result<Output, Error>> + use<> {
        output(enter().and_then(|()| Child::new(self.start_captured()?)))
    }
}

async fn status(started: Result<Child, Error>) -> Result<ExitStatus, Error> {
    started?.wait().await
}

async fn output(started: Result<Child, Error>) -> Result<Output, Error> {
    started?.wait_with_output().await
}
