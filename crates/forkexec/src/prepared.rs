//! Starting a prepared command.

use crate::child::Child;
use crate::child::tree::TreeHandle;
use crate::error::{Error, ExecError};
use crate::fds::layout::Layout;
use crate::prepare::CAPTURED;
use crate::prepare::prepared::Prepared;
use crate::spawn::{Spawned, in_place, spawn};
use std::process::{ExitStatus, Output};

impl Prepared<'_> {
    /// Starts the program, as [`Command::spawn`](crate::Command::spawn) does.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Spawn`] or [`Error::Died`] if a system call or the child fails before the child
    /// executes the program. Then no program runs, and nothing is left behind.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let command = Command::new("true");
    /// let prepared = command.prepare()?;
    /// let mut children = [prepared.spawn()?, prepared.spawn()?];
    /// for child in &mut children {
    ///     assert!(child.wait()?.success());
    /// }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn spawn(&self) -> Result<Child, Error> {
        self.spawn_in(&self.layout)
    }

    /// Replaces this process by the program, as [`Command::exec`](crate::Command::exec). Returns only if that failed.
    pub fn exec(&self) -> ExecError {
        in_place::exec(self)
    }

    /// Starts the program and waits for it to end, as [`Command::status`](crate::Command::status) does.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn`](Self::spawn) and of [`Child::wait`].
    ///
    /// # Examples
    ///
    /// See [`Command::prepare`](crate::Command::prepare).
    pub fn status(&self) -> Result<ExitStatus, Error> {
        self.spawn()?.wait()
    }

    /// Starts the program, waits for it to end and collects its output, as
    /// [`Command::output`](crate::Command::output) does. The first call prepares the streams that it needs
    /// beyond those of [`spawn`](Self::spawn).
    ///
    /// # Errors
    ///
    /// - Returns the errors of [`spawn`](Self::spawn) and of [`Child::wait_with_output`].
    /// - Returns [`Error::Spawn`] if `/dev/null` cannot be opened.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let mut command = Command::new("echo");
    /// let prepared = command.arg("hello").prepare()?;
    /// assert_eq!(prepared.output()?.stdout, b"hello\n");
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn output(&self) -> Result<Output, Error> {
        self.spawn_captured()?.wait_with_output()
    }

    /// Starts the program with the default streams of [`output`](Self::output).
    pub(crate) fn spawn_captured(&self) -> Result<Child, Error> {
        let layout = if let Some(layout) = self.capturing.get() {
            layout
        } else {
            let layout = self.layout_with(&CAPTURED)?;
            self.capturing.set(layout)
        };
        self.spawn_in(layout)
    }

    fn spawn_in(&self, layout: &Layout) -> Result<Child, Error> {
        let Spawned { launched, pipes, tree } = spawn(self, layout)?;
        Ok(Child::new(launched, pipes, &self.settings, TreeHandle(tree)))
    }
}
