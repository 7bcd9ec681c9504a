//! The errors of this library, with all that is known about each.

mod activation;
mod cause;
mod exec;
mod input;
#[cfg(test)]
mod messages;
mod operand;
mod spawn_error;

pub use activation::ActivationError;
pub use cause::Cause;
pub use exec::ExecError;
pub use input::{InputError, PathRole, SignalUse};
pub use operand::Operand;
pub use spawn_error::SpawnError;
pub(crate) use spawn_error::{errno_of, failed};

use forkexec_core::{FallbackReason, Stage};
use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;
use thiserror::Error;

/// The error of a start, or of a call on a child.
///
/// The text contains all that is known. [`kind`](Self::kind) and [`raw_os_error`](Self::raw_os_error) are those of
/// [`io::Error`]. If a system call failed, [`source`](std::error::Error::source) is its errno as an [`io::Error`], whose
/// text the text of this error already contains.
///
/// # Conversion into `io::Error`
///
/// `?` converts it into an [`io::Error`] of the same [kind](io::Error::kind) and text. [`io::Error::raw_os_error`] then
/// returns `None`. The original is still there: [`io::Error::downcast`] returns it, and the
/// [`source`](std::error::Error::source) of both is the same.
///
/// ```
/// use std::error::Error as _;
/// use std::io;
///
/// fn run() -> io::Result<()> {
///     forkexec::Command::new("/missing").status()?;
///     Ok(())
/// }
/// let error = run().unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::NotFound);
/// assert_eq!(error.raw_os_error(), None);
/// let errno = error.source().and_then(|source| source.downcast_ref::<io::Error>());
/// assert_eq!(errno.and_then(io::Error::raw_os_error), Some(libc::ENOENT));
/// let original = error.downcast::<forkexec::Error>()?;
/// assert_eq!(original.raw_os_error(), Some(libc::ENOENT));
/// # Ok::<(), io::Error>(())
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The command asks for something invalid. Nothing was started.
    #[error(transparent)]
    Input(#[from] InputError),

    /// The system does not support an operation that the command or the call needs.
    #[error("cannot {operation}: {system} does not support it")]
    Unsupported {
        /// The operation.
        operation: &'static str,
        /// The name of the system.
        system: &'static str,
    },

    /// The command excludes fork(2) ([`SpawnPolicy::NoFork`](crate::SpawnPolicy::NoFork)), and no other method is available.
    /// Nothing runs.
    #[error("cannot start the child without fork: {}", fallback(*reason))]
    ForkRequired {
        /// The reason why only fork is available.
        reason: FallbackReason,
    },

    /// A call failed before exec. Nothing runs.
    #[error(transparent)]
    Spawn(#[from] SpawnError),

    /// The child ended before exec, without a call that failed. Nothing runs.
    #[error("cannot start the child: it ended before exec, at stage {} ({})", stage.name(), ending(*status))]
    Died {
        /// The last stage that the child began.
        stage: Stage,
        /// The status of the child. `None` if other code reaped it.
        status: Option<ExitStatus>,
    },

    /// The status of the child is lost: other code in this process reaped the child, or `SIGCHLD` is ignored.
    #[error("cannot get the status of child {pid}: other code reaped it, or SIGCHLD is ignored")]
    StatusLost {
        /// The process id of the child.
        pid: u32,
    },

    /// This program cannot use what its environment announces, such as the sockets of [`listen_fds`](crate::listen_fds).
    #[error(transparent)]
    Activation(#[from] ActivationError),

    /// A call failed that sends or receives notifications.
    #[error("cannot {what}: {error}")]
    Notify {
        /// The action that failed, such as "send the notification".
        what: &'static str,
        /// The error.
        #[source]
        error: io::Error,
    },

    /// A command of a pipeline did not start. No command of the pipeline runs.
    #[error("cannot start command {} of the pipeline ({program:?}): {error}", index + 1)]
    InPipeline {
        /// The index of the command. 0 is the first.
        index: usize,
        /// The program, as the caller gave it.
        program: OsString,
        /// The error of the command.
        #[source]
        error: Box<Error>,
    },

    /// A call on a terminal failed.
    #[error("cannot {what}: {error}")]
    Terminal {
        /// The action that failed, such as "open a pseudo-terminal".
        what: &'static str,
        /// The error.
        #[source]
        error: io::Error,
    },

    /// A call on a child failed.
    #[error("cannot {what}: {error}")]
    Child {
        /// The action that failed, such as "wait for the child".
        what: &'static str,
        /// The error.
        #[source]
        error: io::Error,
    },
}

fn fallback(reason: FallbackReason) -> Cow<'static, str> {
    match reason {
        FallbackReason::Closure => "a pre-exec closure may change the shared memory".into(),
        FallbackReason::NotShared => "the child does not share memory, as under an emulator".into(),
        FallbackReason::Sanitizer => {
            "the program contains a sanitizer, which a child with shared memory would mislead".into()
        }
        FallbackReason::MemoryLimit => "a limit of the stack would change the shared memory".into(),
        FallbackReason::Busy => "another thread is changing the attributes of the shared memory".into(),
        FallbackReason::Refused(errno) => io::Error::from_raw_os_error(errno.raw()).to_string().into(),
        FallbackReason::Inexpressible(stage) => {
            format!("posix_spawn(2) cannot {} with these settings", stage.describe()).into()
        }
        _ => "the system has no other method".into(),
    }
}

fn ending(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "unknown status".to_owned(), |status| status.to_string())
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error)
    }
}

impl Error {
    /// Returns the failed call, if the error is one. That includes a failed call of a command in a pipeline.
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
            Self::Spawn(error) => Some(error.errno().raw()),
            Self::ForkRequired { reason: FallbackReason::Refused(errno) } => Some(errno.raw()),
            Self::InPipeline { error, .. } => error.raw_os_error(),
            Self::Child { error, .. } | Self::Terminal { error, .. } | Self::Notify { error, .. } => {
                error.raw_os_error()
            }
            _ => None,
        }
    }

    /// Returns the kind of the error, as [`io::Error::kind`] does.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = forkexec::Command::new("/missing").spawn().unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// ```
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Input(InputError::EmptyProgram) => io::ErrorKind::NotFound,
            Self::Input(_) => io::ErrorKind::InvalidInput,
            Self::Unsupported { .. } | Self::ForkRequired { .. } => io::ErrorKind::Unsupported,
            Self::Spawn(spawn) => spawn.kind(),
            Self::Activation(_) => io::ErrorKind::InvalidData,
            Self::Died { .. } | Self::StatusLost { .. } => io::ErrorKind::Other,
            Self::InPipeline { error, .. } => error.kind(),
            Self::Child { error, .. } | Self::Terminal { error, .. } | Self::Notify { error, .. } => {
                error.kind()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, ExecError};
    use crate::command::Command;
    use crate::pipeline::Pipeline;
    use std::error::Error as _;
    use std::io;

    /// Returns the texts of the sources of an error, and the errno of the last one.
    fn chain(error: &dyn std::error::Error) -> (Vec<String>, Option<i32>) {
        let mut texts = Vec::new();
        let mut next = error.source();
        let mut errno = None;
        while let Some(error) = next {
            texts.push(error.to_string());
            errno = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
            next = error.source();
        }
        (texts, errno)
    }

    /// Faults: E20
    #[test]
    fn each_chain_ends_in_the_errno_that_the_text_contains() {
        let missing = || Command::new("/no/such/program");
        let in_pipeline = Pipeline::new(Command::new("true")).pipe(missing()).spawn().err();
        let about_child =
            Error::Child { what: "wait for the child", error: io::Error::from_raw_os_error(libc::EPERM) };
        let exec = ExecError { error: missing().spawn().expect_err("it is missing"), changed: Vec::new() };
        let converted = io::Error::from(missing().spawn().expect_err("it is missing"));
        let all: [(&dyn std::error::Error, i32); 5] = [
            (&in_pipeline.expect("it is missing"), libc::ENOENT),
            (&about_child, libc::EPERM),
            (&missing().spawn().expect_err("it is missing"), libc::ENOENT),
            (&exec, libc::ENOENT),
            (&converted, libc::ENOENT),
        ];
        for (error, errno) in all {
            let (texts, found) = chain(error);
            assert_eq!(found, Some(errno), "{error}");
            assert!(texts.iter().all(|text| error.to_string().contains(text)), "{error}: {texts:?}");
        }
    }

    #[test]
    fn error_without_a_failed_call_has_no_source() {
        let error = Command::new("").spawn().expect_err("it has no name");
        assert!(error.source().is_none() && error.raw_os_error().is_none());
    }
}
