//! A list of the processes of the system, as far as it can be trusted.

use std::io;
use std::time::Instant;

/// The calls of the system.
pub(crate) trait Calls {
    /// A descriptor of a process.
    type Process;
    /// All processes.
    ///
    /// # Errors
    ///
    /// If one of them cannot be looked at although it may be there: a list is complete or an error.
    fn all(&self) -> io::Result<Vec<Entry>>;
    /// Opens a descriptor of the process that the entry is about: it has the same number since the same moment.
    ///
    /// # Errors
    ///
    /// `ESRCH` if that process is gone, and only then.
    fn open(&self, entry: &Entry) -> io::Result<Self::Process>;
    /// Sends a signal.
    fn signal(&self, process: &Self::Process, signal: i32) -> io::Result<()>;
    /// Waits until the process has ended, or it is time; returns whether it has.
    fn has_ended(&self, process: &Self::Process, end: Option<Instant>) -> io::Result<bool>;
}

/// A process, as the list has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// When it started, in a unit of the system's.
    pub(crate) started: i64,
    /// It is a zombie.
    pub(crate) ended: bool,
}

impl Entry {
    /// Whether both are about one process: a number is given again, but not at the same time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }
}
