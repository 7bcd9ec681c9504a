//! The names of [`std::process`] over this crate, for programs that move over by changing their imports.
//!
//! Everything has std's name, signature and [`io::Error`]. Only [`Command`], [`Child`] and [`Stdio`] are this
//! crate's; all else is std's own. So `use std::process::{self, Command, ExitStatus}` becomes
//! `use forkexec::process::{self, Command, ExitStatus}`, and no other line changes. The differences in
//! behaviour are those of [`crate::Command`].
//!
//! The errors are [`crate::Error`] as [`io::Error`], with the same kind and text. The page of `Error` explains what
//! the conversion loses. New code should use [`crate::Command`], whose errors name the stage and the cause by type.
//!
//! # Examples
//!
//! ```
//! use forkexec::process::{Command, Stdio};
//! use std::io;
//!
//! fn lines_of(program: &str) -> io::Result<Vec<u8>> {
//!     let child = Command::new(program).stdout(Stdio::piped()).spawn()?;
//!     child.wait_with_output().map(|output| output.stdout)
//! }
//! assert!(!lines_of("pwd")?.is_empty());
//! assert_eq!(lines_of("/missing").unwrap_err().kind(), io::ErrorKind::NotFound);
//! # Ok::<(), io::Error>(())
//! ```

use crate::command::CommandBuilder;
use crate::prepared::Prepared;
use std::io;

pub use crate::command::{CommandArgs, CommandEnvs};
pub use crate::config::stdio::Stdio;
// The names above and below take precedence over those of the glob.
pub use std::process::*;

/// The mode of a [`CommandBuilder`] whose methods return [`io::Result`].
#[derive(Debug)]
pub enum Std {}

/// A command with all methods of [`crate::Command`]. It starts a [`Child`] and returns [`io::Result`].
pub type Command = CommandBuilder<'static, Std>;

/// A [`Command`] that borrows descriptors.
pub type BorrowingCommand<'fd> = CommandBuilder<'fd, Std>;

impl CommandBuilder<'_, Std> {
    /// Starts the program. Its streams are inherited unless others are set.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`crate::Command::spawn`](crate::BorrowingCommand::spawn).
    pub fn spawn(&mut self) -> io::Result<Child> {
        Ok(self.start()?.into())
    }

    /// Starts the program and waits for its end.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn) and [`Child::wait`].
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        Ok(self.start()?.wait()?)
    }

    /// Starts the program, and collects its output until it ends. Its output streams are piped unless others are set.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    pub fn output(&mut self) -> io::Result<Output> {
        Ok(self.start_captured()?.wait_with_output()?)
    }
}

impl Prepared<'_, Std> {
    /// Starts the prepared program.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Command::spawn`](CommandBuilder::spawn).
    pub fn spawn(&self) -> io::Result<Child> {
        Ok(self.start()?.into())
    }
}

/// A running child, with the methods of [`std::process::Child`].
#[derive(Debug)]
pub struct Child {
    /// The writing end of the child's standard input, if it is piped.
    pub stdin: Option<ChildStdin>,

    /// The reading end of the child's standard output, if it is piped.
    pub stdout: Option<ChildStdout>,

    /// The reading end of the child's standard error, if it is piped.
    pub stderr: Option<ChildStderr>,

    native: crate::Child,
}

impl Child {
    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.native.id()
    }

    /// Kills the child by `SIGKILL`. Does nothing if it was waited for.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`crate::Child::kill`].
    pub fn kill(&mut self) -> io::Result<()> {
        Ok(self.native.kill()?)
    }

    /// Closes the child's standard input, and waits for its end.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`crate::Child::wait`].
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        Ok(self.native.wait()?)
    }

    /// Returns the exit status if the child has ended, without waiting.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`crate::Child::try_wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        Ok(self.native.try_wait()?)
    }

    /// Closes the child's standard input, and collects its output until it ends.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`crate::Child::wait_with_output`].
    pub fn wait_with_output(self) -> io::Result<Output> {
        Ok(crate::Child::from(self).wait_with_output()?)
    }

    /// Returns the child with the methods of this crate, such as waiting with a time limit. Its pipes stay here.
    pub fn native(&mut self) -> &mut crate::Child {
        &mut self.native
    }
}

impl From<crate::Child> for Child {
    fn from(mut native: crate::Child) -> Self {
        Self {
            stdin: native.stdin.take(),
            stdout: native.stdout.take(),
            stderr: native.stderr.take(),
            native,
        }
    }
}

impl From<Child> for crate::Child {
    fn from(child: Child) -> Self {
        let Child { stdin, stdout, stderr, mut native } = child;
        (native.stdin, native.stdout, native.stderr) = (stdin, stdout, stderr);
        native
    }
}

impl<'fd> From<crate::BorrowingCommand<'fd>> for BorrowingCommand<'fd> {
    fn from(command: crate::BorrowingCommand<'fd>) -> Self {
        Self::of(command.into_settings())
    }
}

impl<'fd> From<BorrowingCommand<'fd>> for crate::BorrowingCommand<'fd> {
    fn from(command: BorrowingCommand<'fd>) -> Self {
        Self::of(command.into_settings())
    }
}
