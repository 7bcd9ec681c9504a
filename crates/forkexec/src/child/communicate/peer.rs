//! The partners of a conversation: a child, or the children of a pipeline.

use crate::child::Child;
use crate::error::Error;
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::time::Duration;

/// The partner of a [`Communicator`](crate::Communicator): a [`Child`], or the [`Children`](crate::Children)
/// of a pipeline.
///
/// No other type can implement this trait.
///
/// # Examples
///
/// ```
/// use forkexec::{Communicate, Communicator};
///
/// fn is_over<P: Communicate>(talk: &mut Communicator<'_, P>) -> Result<bool, forkexec::Error> {
///     Ok(talk.run()?.status.is_some())
/// }
/// # let mut child = forkexec::Command::new("true").spawn()?;
/// # assert!(is_over(&mut child.communicator())?);
/// # Ok::<(), forkexec::Error>(())
/// ```
pub trait Communicate: Talking<Ending = Self::Status> {
    /// The exit status, or that of a pipeline.
    type Status;
}

/// The fields for standard input, output and error.
pub(crate) type Places<'a> =
    (&'a mut Option<ChildStdin>, &'a mut Option<ChildStdout>, &'a mut Option<ChildStderr>);

/// The methods that a conversation calls. The trait is private, so that it seals [`Communicate`].
pub trait Talking {
    type Ending;

    fn streams(&mut self) -> Places<'_>;
    fn children(&mut self) -> &mut [Child];
    fn try_wait(&mut self) -> Result<Option<Self::Ending>, Error>;
    /// Waits for this time, or without a limit.
    fn wait_within(&mut self, time: Option<Duration>) -> Result<Option<Self::Ending>, Error>;
}

impl Communicate for Child {
    type Status = ExitStatus;
}

impl Talking for Child {
    type Ending = ExitStatus;

    fn streams(&mut self) -> Places<'_> {
        (&mut self.stdin, &mut self.stdout, &mut self.stderr)
    }

    fn children(&mut self) -> &mut [Child] {
        std::slice::from_mut(self)
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        Self::try_wait(self)
    }

    fn wait_within(&mut self, time: Option<Duration>) -> Result<Option<ExitStatus>, Error> {
        match time {
            Some(time) => self.wait_timeout(time),
            None => self.wait().map(Some),
        }
    }
}
