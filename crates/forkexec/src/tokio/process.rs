//! For commands of tokio's: the same program, started by this library.

use super::child::{Child, enter};
use super::command::{output, status};
use crate::{Command, Error, OnDrop, StdCommandExt};
use std::process::{ExitStatus, Output};

/// Starts a [`tokio::process::Command`](::tokio::process::Command) by this library (feature `tokio-process`), as [`StdCommandExt`] does with one of std's: what is carried over, and
/// what is refused, is said there. tokio's `kill_on_drop` becomes [`OnDrop::Kill`].
///
/// # Examples
///
/// ```
/// use forkexec::tokio::TokioCommandExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), forkexec::Error> {
/// let mut command = tokio::process::Command::new("echo");
/// let output = command.arg("hello").output_exact().await?;
/// assert_eq!(output.stdout, b"hello\n");
/// # Ok(())
/// # }
/// ```
pub trait TokioCommandExt {
    /// The same command as one of this library's, which can be told more.
    ///
    /// # Errors
    ///
    /// [`InputError::HiddenByStd`](crate::InputError::HiddenByStd).
    fn to_exact(&self) -> Result<Command<'static>, Error>;

    /// Starts the program, as `tokio::process::Command::spawn`.
    ///
    /// # Errors
    ///
    /// Those of [`to_exact`](Self::to_exact) and [`Command::spawn_tokio`].
    ///
    /// # Panics
    ///
    /// As [`Command::spawn_tokio`].
    fn spawn_exact(&self) -> Result<Child, Error> {
        self.to_exact()?.spawn_tokio()
    }

    /// Starts the program at once, and waits for it in the future, as [`Command::status_tokio`].
    ///
    /// # Errors
    ///
    /// Those of [`to_exact`](Self::to_exact) and [`Command::status_tokio`].
    ///
    /// # Panics
    ///
    /// As [`Command::spawn_tokio`].
    fn status_exact(&self) -> impl Future<Output = Result<ExitStatus, Error>> + Send + use<Self> {
        status(self.spawn_exact())
    }

    /// Starts the program at once, and collects its output in the future, as [`Command::output_tokio`].
    ///
    /// # Errors
    ///
    /// Those of [`to_exact`](Self::to_exact) and [`Command::output_tokio`].
    ///
    /// # Panics
    ///
    /// As [`Command::spawn_tokio`].
    fn output_exact(&self) -> impl Future<Output = Result<Output, Error>> + Send + use<Self> {
        let started = self.to_exact().and_then(|mut command| {
            enter()?;
            Child::new(command.spawn_captured()?)
        });
        output(started)
    }
}

impl TokioCommandExt for ::tokio::process::Command {
    fn to_exact(&self) -> Result<Command<'static>, Error> {
        let mut command = self.as_std().to_exact()?;
        if self.get_kill_on_drop() {
            command.on_drop(OnDrop::Kill);
        }
        Ok(command)
    }
}
