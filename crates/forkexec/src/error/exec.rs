//! The error of an exec in the calling process.

use super::Error;
use forkexec_core::Stage;
use std::io;

/// The error of [`Command::exec`](crate::Command::exec), and the stages that changed this process.
///
/// It converts into [`enum@Error`] and into [`io::Error`].
#[derive(Debug)]
pub struct ExecError {
    pub(crate) error: Error,
    pub(crate) changed: Vec<Stage>,
}

impl ExecError {
    /// Returns the error of the stage that failed.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Returns the stages whose effect on this process stays, in their order. The list is empty if nothing has changed.
    ///
    /// [`Stage::PreExec`] is among them if a [`pre_exec`](crate::Command::pre_exec) closure ran: the library cannot know
    /// its effects.
    pub fn changed(&self) -> &[Stage] {
        &self.changed
    }
}

impl std::fmt::Display for ExecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.error)?;
        let names: Vec<_> = self.changed.iter().map(|stage| stage.name()).collect();
        if names.is_empty() {
            Ok(())
        } else {
            write!(f, " (already changed in this process: {})", names.join(", "))
        }
    }
}

impl std::error::Error for ExecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl From<ExecError> for Error {
    fn from(failed: ExecError) -> Self {
        failed.error
    }
}

impl From<ExecError> for io::Error {
    fn from(failed: ExecError) -> Self {
        failed.error.into()
    }
}
