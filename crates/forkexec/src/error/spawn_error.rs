//! The error of one call between the parent's setup and exec.

use super::{Cause, Operand};
use forkexec_core::{Errno, Stage};
use std::fmt;
use std::io;
use thiserror::Error;

/// The failure of one call before exec: the stage, the operand, the errno, and the cause if it is known.
///
/// [`source`](std::error::Error::source) is the errno as [`io::Error`].
///
/// The text is `cannot VERB OPERAND: ERROR (os error N), because CAUSE; ADVICE`. The last two parts are there only if they
/// are known.
#[derive(Debug, Error)]
pub struct SpawnError {
    pub(crate) stage: Stage,
    pub(crate) operand: Operand,
    #[source]
    error: io::Error,
    pub(crate) cause: Option<Cause>,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, operand, cause, .. } = self;
        let action = stage.describe();
        match operand {
            Operand::None => write!(f, "cannot {action}"),
            Operand::Setup(step) => write!(f, "cannot {step}"),
            Operand::Path(_) => write!(f, "cannot {action} {operand}"),
            _ => write!(f, "cannot {action} ({operand})"),
        }?;
        write!(f, ": {}", self.error)?;
        cause.as_ref().map_or(Ok(()), |cause| write!(f, ", because {cause}"))
    }
}

impl From<&SpawnError> for io::Error {
    fn from(error: &SpawnError) -> Self {
        Self::from_raw_os_error(error.errno().raw())
    }
}

impl SpawnError {
    pub(crate) fn new(stage: Stage, operand: Operand, errno: Errno, cause: Option<Cause>) -> Self {
        Self { stage, operand, error: io::Error::from_raw_os_error(errno.raw()), cause }
    }

    /// Returns the stage that failed.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Returns the operand of the call that failed.
    pub fn operand(&self) -> &Operand {
        &self.operand
    }

    /// Returns the error number of the call that failed.
    pub fn errno(&self) -> Errno {
        errno_of(&self.error)
    }

    /// Returns the cause of the failure.
    ///
    /// The parent finds it after the failure, so it describes the state a moment later. Returns `None` if the parent cannot
    /// observe the cause. A [`pre_exec`](crate::Command::pre_exec) closure may change how the child sees files, so a command
    /// with one has no cause that concerns a file.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Returns the kind of the error number, as std classifies it.
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }
}

/// Returns the error of a step that failed in the parent.
pub(crate) fn failed(step: &'static str, error: &io::Error) -> SpawnError {
    SpawnError::new(Stage::Setup, Operand::Setup(step), errno_of(error), None)
}

pub(crate) fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw)
}
