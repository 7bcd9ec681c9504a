//! The result of a conversation.

use std::process::ExitStatus;

/// The result of a [`run`](crate::Communicator::run) of a conversation.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Stdio, StopReason};
///
/// let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// let output = child.communicator().input(b"hello").run()?;
/// assert_eq!((&output.stdout[..], output.written), (&b"hello"[..], 5));
/// assert_eq!(output.stopped, StopReason::Ended);
/// assert!(output.status.is_some_and(|status| status.success()));
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommunicateOutput<S = ExitStatus> {
    /// The bytes read from standard output, without those that a line callback got.
    pub stdout: Vec<u8>,
    /// The bytes read from standard error, without those that a line callback got.
    pub stderr: Vec<u8>,
    /// The number of input bytes written since the conversation began.
    pub written: usize,
    /// The number of those bytes that were unread in the pipe when its last reader was gone. The child read
    /// `written` less this number. `None` as long as the pipe has a reader, if all input was written, and on
    /// systems other than Linux and Android.
    pub left_unread: Option<usize>,
    /// The exit status, if the child has exited. `None` if it still runs, or if other code reaped it:
    /// [`Child::wait`](crate::Child::wait) reports that.
    pub status: Option<S>,
    /// The reason why the run stopped.
    pub stopped: StopReason,
}

/// The reason why a [`run`](crate::Communicator::run) stopped.
///
/// # Examples
///
/// See [`Communicator`](crate::Communicator).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The conversation is over: all input was written or refused, both outputs have ended, and the child has exited.
    Ended,
    /// The [`timeout`](crate::Communicator::timeout) has elapsed.
    Timeout,
    /// There is more to read than a limit allows.
    Limit,
    /// The child has exited, another process holds its pipes, and the
    /// [`drain_limit`](crate::Communicator::drain_limit) has elapsed.
    DrainLimit,
    /// A line callback returned `true`.
    Line,
}
