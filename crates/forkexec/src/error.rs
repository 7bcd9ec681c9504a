//! What can go wrong, with everything that is known about it.

mod cause;
mod input;
mod operand;

pub use cause::Cause;
pub use input::{InputError, PathRole, SignalUse};
pub use operand::Operand;

use forkexec_core::{Errno, FallbackReason, Stage};
use std::ffi::OsString;
use std::io;
use std::os::fd::RawFd;
use std::process::ExitStatus;
use thiserror::Error;

/// Why a child was not started, or not waited for.
///
/// Its text says all that is known, also the error that caused it, so that [`source`](std::error::Error::source) returns
/// nothing that the text says already.
///
/// It converts into [`io::Error`] with a fitting [`io::ErrorKind`], and stays readable from there by
/// [`io::Error::get_ref`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The command cannot mean anything; nothing was started.
    #[error(transparent)]
    Input(#[from] InputError),

    /// This system lacks an operation that was asked for; nothing was started.
    #[error("{system} cannot {operation}")]
    Unsupported {
        /// What was asked for.
        operation: &'static str,
        /// The system.
        system: &'static str,
    },

    /// A method that does not copy the parent's memory was required, and none is to be had; nothing runs.
    #[error("the child cannot be started without fork: {}", in_the_way(*reason))]
    ForkRequired {
        /// What stands in the way.
        reason: FallbackReason,
    },

    /// A call failed on the way to exec; nothing runs.
    #[error(transparent)]
    Spawn(#[from] SpawnError),

    /// The child ended before exec, without a call that failed; nothing runs.
    #[error("the child ended before exec, on its way to {}: {}", stage.describe(), ending(*status))]
    Died {
        /// The stage that it had begun.
        stage: Stage,
        /// How it ended, unless somebody else took its status.
        status: Option<ExitStatus>,
    },

    /// The child ended, and how is not to be known: SIGCHLD is ignored, or other code in this process waited for it.
    #[error("the status of child {pid} was taken by other code, or SIGCHLD is ignored")]
    StatusLost {
        /// Which child.
        pid: u32,
    },

    /// What this program was told about the sockets that it was handed makes no sense
    /// ([`listen_fds`](crate::listen_fds)).
    #[error(transparent)]
    Activation(#[from] ActivationError),

    /// A command of a pipeline could not be started; none of them runs.
    #[error("command {} of the pipeline ({program:?}): {error}", index + 1)]
    InPipeline {
        /// Which: 0 is the first.
        index: usize,
        /// Its program, as it was given.
        program: OsString,
        /// Why.
        error: Box<Error>,
    },

    /// A call about a child that runs, or ran, failed.
    #[error("{what}: {error}")]
    Child {
        /// What was done.
        what: &'static str,
        /// Why it failed.
        error: io::Error,
    },
}

fn in_the_way(reason: FallbackReason) -> String {
    match reason {
        FallbackReason::Closure => "a pre-exec closure may change the memory that it finds".to_owned(),
        FallbackReason::NotShared => "memory is not shared here, as under an emulator".to_owned(),
        FallbackReason::Sanitizer => {
            "a sanitizer is part of this program, and a child that shares memory would mislead it".to_owned()
        }
        FallbackReason::Busy => "another thread changes the attributes of the memory".to_owned(),
        FallbackReason::Refused(errno) => {
            format!("the call is refused: {}", io::Error::from_raw_os_error(errno.raw()))
        }
        _ => "this system has no other method".to_owned(),
    }
}

fn ending(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "its status was taken by other code".to_owned(), |status| status.to_string())
}

/// The failure of one call on the way to exec: at which stage, on what, with which errno and, if it could be found
/// out, why.
#[derive(Debug, Error)]
#[error("{}{}: {}{}", stage.describe(), spaced(operand), io::Error::from_raw_os_error(errno.raw()), because(cause.as_ref()))]
pub struct SpawnError {
    /// Where it failed.
    pub(crate) stage: Stage,
    /// On what.
    pub(crate) operand: Operand,
    /// What the kernel said.
    pub(crate) errno: Errno,
    /// What is behind it.
    pub(crate) cause: Option<Cause>,
}

fn spaced(operand: &Operand) -> String {
    match operand {
        Operand::None => String::new(),
        operand => format!(" {operand}"),
    }
}

fn because(cause: Option<&Cause>) -> String {
    cause.map(|cause| format!(": {cause}")).unwrap_or_default()
}

impl From<&SpawnError> for io::Error {
    fn from(error: &SpawnError) -> Self {
        Self::from_raw_os_error(error.errno.raw())
    }
}

impl SpawnError {
    /// The stage at which it failed.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What it failed on.
    pub fn operand(&self) -> &Operand {
        &self.operand
    }

    /// What the kernel said.
    pub fn errno(&self) -> Errno {
        self.errno
    }

    /// What is behind it. It is found out by looking after the failure, so it is what was so a moment later. `None` if it
    /// could not be observed, and about files if a [`pre_exec`](crate::Command::pre_exec) closure ran, which may have
    /// changed what the child sees.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// The kind of the errno, as std classifies it.
    pub fn kind(&self) -> io::ErrorKind {
        io::Error::from(self).kind()
    }
}

/// Why the sockets that a program was handed cannot be taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ActivationError {
    /// A variable is not what it has to be.
    #[error("{name} is {value:?}")]
    Variable {
        /// `LISTEN_PID`, `LISTEN_FDS` or `LISTEN_FDNAMES`.
        name: &'static str,
        /// Its value.
        value: OsString,
    },
    /// There are not as many names as descriptors.
    #[error("LISTEN_FDS says {count}, and LISTEN_FDNAMES has {names} names")]
    Names {
        /// How many descriptors.
        count: u32,
        /// How many names.
        names: usize,
    },
    /// A descriptor is not open.
    #[error("descriptor {fd} was announced and is not open")]
    NotOpen {
        /// Its number.
        fd: RawFd,
    },
    /// A descriptor is close-on-exec, so that it was opened by this program, or was taken already.
    #[error("descriptor {fd} was announced and is close-on-exec: it was taken, or is another file")]
    Taken {
        /// Its number.
        fd: RawFd,
    },
    /// An earlier call of this process took the descriptors.
    #[error("the announced descriptors were taken by an earlier call")]
    TakenBefore,
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.io_kind(), error)
    }
}

impl Error {
    /// The failed call, if that is what it was, of a command of a pipeline, too.
    pub fn as_spawn(&self) -> Option<&SpawnError> {
        match self {
            Self::Spawn(error) => Some(error),
            Self::InPipeline { error, .. } => error.as_spawn(),
            _ => None,
        }
    }

    /// Returns the error number of the system call that failed, as [`io::Error::raw_os_error`] does. Returns `None` if the
    /// error is not that of a call.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = forkexec::Command::new("/missing").spawn().unwrap_err();
    /// assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    /// ```
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::Spawn(error) => Some(error.errno.raw()),
            Self::ForkRequired { reason: FallbackReason::Refused(errno) } => Some(errno.raw()),
            Self::InPipeline { error, .. } => error.raw_os_error(),
            Self::Child { error, .. } => error.raw_os_error(),
            _ => None,
        }
    }

    fn io_kind(&self) -> io::ErrorKind {
        match self {
            Self::Input(InputError::EmptyProgram) => io::ErrorKind::NotFound,
            Self::Input(_) => io::ErrorKind::InvalidInput,
            Self::Unsupported { .. } | Self::ForkRequired { .. } => io::ErrorKind::Unsupported,
            Self::Spawn(spawn) => spawn.kind(),
            Self::Activation(_) => io::ErrorKind::InvalidData,
            Self::Died { .. } | Self::StatusLost { .. } => io::ErrorKind::Other,
            Self::InPipeline { error, .. } => error.io_kind(),
            Self::Child { error, .. } => error.kind(),
        }
    }
}

/// The failure of a call in the parent.
pub(crate) fn failed(what: &'static str, error: &io::Error) -> SpawnError {
    SpawnError { stage: Stage::Setup, operand: Operand::Setup(what), errno: errno_of(error), cause: None }
}

pub(crate) fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::Error;
    use crate::command::Command;
    use crate::pipeline::Pipeline;
    use std::error::Error as _;
    use std::io;

    /// What a reporter prints: each error of the chain.
    fn chain(error: &Error) -> Vec<String> {
        let mut all = vec![error.to_string()];
        let mut next = error.source();
        while let Some(error) = next {
            all.push(error.to_string());
            next = error.source();
        }
        all
    }

    /// Faults: E20
    #[test]
    fn each_part_of_an_error_is_printed_once() {
        let in_pipeline = Pipeline::new(Command::new("true")).pipe(Command::new("/no/such/program")).spawn();
        let about_child =
            Error::Child { what: "wait for the child", error: io::Error::from_raw_os_error(libc::EPERM) };
        let spawn = Command::new("/no/such/program").spawn();
        for (error, part) in [
            (in_pipeline.err(), "/no/such/program"),
            (Some(about_child), "(os error"),
            (spawn.err(), "(os error"),
        ] {
            let error = error.expect("nothing was started");
            let printed = chain(&error).concat();
            assert_eq!(printed.matches(part).count(), error.to_string().matches(part).count(), "{printed}");
        }
    }
}
