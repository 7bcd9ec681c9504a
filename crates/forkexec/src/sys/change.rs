//! The changes of a child's state: stopped, continued, ended.

use super::waitid::Ending;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// A change of a child's state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Ended(Ending),
    Stopped(i32),
    Continued,
}

impl From<Ending> for Change {
    fn from(ending: Ending) -> Self {
        match ending.status.stopped_signal() {
            Some(signal) => Self::Stopped(signal),
            None if ending.status.continued() => Self::Continued,
            None => Self::Ended(ending),
        }
    }
}

/// A change of a child's state ([`Child::wait_change`](crate::Child::wait_change)).
///
/// # Examples
///
/// See [`Child::wait_change`](crate::Child::wait_change).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildChange {
    /// The child has ended, with this status.
    Exited(ExitStatus),
    /// A signal with this number stopped the child. If this process traces the child (ptrace(2)), the signal
    /// is that of the trace stop.
    Stopped(i32),
    /// `SIGCONT` continued the child.
    Continued,
}
