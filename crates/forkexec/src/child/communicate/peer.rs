//! Whom one can talk to.

use crate::child::Child;
use crate::error::Error;
use std::process::{ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::time::Duration;

/// Whom a [`Communicator`](crate::Communicator) is with: a [`Child`], or the [`Children`](crate::Children) of a pipeline.
pub trait Communicate: Talking<Ending = Self::Status> {
    /// How it ends.
    type Status;
}

/// The places of the parent's ends.
pub(crate) type Places<'a> =
    (&'a mut Option<ChildStdin>, &'a mut Option<ChildStdout>, &'a mut Option<ChildStderr>);

/// What a conversation needs of a partner; nobody else is one.
pub trait Talking {
    type Ending;

    fn streams(&mut self) -> Places<'_>;
    fn children(&mut self) -> &mut [Child];
    fn try_wait(&mut self) -> Result<Option<Self::Ending>, Error>;
    /// Within this time, or however long it takes.
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
