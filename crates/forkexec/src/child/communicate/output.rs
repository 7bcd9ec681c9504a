//! What came of talking.

use std::process::ExitStatus;

/// What a [`run`](crate::Communicator::run) of a conversation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommunicateOutput<S = ExitStatus> {
    /// What was read of standard output, except what was told line by line.
    pub stdout: Vec<u8>,
    /// What was read of standard error, except what was told line by line.
    pub stderr: Vec<u8>,
    /// How many bytes of the input were written since the conversation began.
    pub written: usize,
    /// How many of them lay unread in the pipe when nobody was left to read it, so that `written` less these is what was
    /// read. `None` as long as somebody may read them, when all was written, and where the system does not tell: all but
    /// Linux and Android.
    pub left_unread: Option<usize>,
    /// The status, once the child has ended. `None` if it still runs, or if other code took its status:
    /// [`Child::wait`](crate::Child::wait) says so then.
    pub status: Option<S>,
    /// Why it stopped.
    pub stopped: StopReason,
}

/// Why a [`run`](crate::Communicator::run) stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// It is over: all input was written or refused, the outputs and the child have ended.
    Ended,
    /// The time is up.
    Timeout,
    /// There is more to read than a limit allows.
    Limit,
    /// The child has ended, somebody else holds its pipes, and the time for them is up.
    DrainLimit,
    /// A line came that was waited for.
    Line,
}
