//! Starting what was prepared.

use crate::child::Child;
use crate::child::tree::TreeHandle;
use crate::error::Error;
use crate::fds::layout::Layout;
use crate::prepare::CAPTURED;
use crate::prepare::prepared::Prepared;
use crate::spawn::{Spawned, spawn};
use std::process::{ExitStatus, Output};

impl Prepared<'_> {
    /// Starts the program, as [`Command::spawn`](crate::Command::spawn).
    ///
    /// # Errors
    ///
    /// [`Error::Spawn`] or [`Error::Died`] if a call or the child failed on the way to exec. No program runs, and
    /// nothing is left.
    pub fn spawn(&self) -> Result<Child, Error> {
        self.spawn_in(&self.layout)
    }

    /// Starts the program and waits for it, as [`Command::status`](crate::Command::status).
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and of [`Child::wait`].
    pub fn status(&self) -> Result<ExitStatus, Error> {
        self.spawn()?.wait()
    }

    /// Starts the program, waits for it, and collects what it writes to standard output and error, as
    /// [`Command::output`](crate::Command::output). What that needs beyond [`spawn`](Self::spawn) is prepared when it is
    /// called first.
    ///
    /// # Errors
    ///
    /// Those of [`spawn`](Self::spawn) and of [`Child::wait_with_output`], and [`Error::Spawn`] if `/dev/null` cannot be
    /// opened.
    pub fn output(&self) -> Result<Output, Error> {
        self.spawn_captured()?.wait_with_output()
    }

    /// Starts the program with the standard streams of [`output`](Self::output).
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
