//! The list of all processes of the system, with descriptors that verify its entries.

use std::io;
use std::time::Instant;

/// The calls of the system.
pub(crate) trait Calls {
    /// A descriptor of a process.
    type Process;
    /// Lists all processes.
    ///
    /// # Errors
    ///
    /// Returns an error if a process that may exist cannot be read: the list is complete, or an error.
    fn all(&self) -> io::Result<Vec<Entry>>;
    /// Opens a descriptor of the process of this entry: the one that has had the same pid since the same
    /// time.
    ///
    /// # Errors
    ///
    /// Returns `ESRCH` only if that process is gone.
    fn open(&self, entry: &Entry) -> io::Result<Self::Process>;
    /// Sends a signal.
    fn signal(&self, process: &Self::Process, signal: i32) -> io::Result<()>;
    /// Waits until the process has ended or the deadline passes, and returns whether it has ended.
    fn has_ended(&self, process: &Self::Process, end: Option<Instant>) -> io::Result<bool>;
}

/// An entry of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// When it started, in a unit of the system.
    pub(crate) started: i64,
    /// It is a zombie.
    pub(crate) ended: bool,
}

impl Entry {
    /// Returns true if both entries are about the same process: two processes with one pid never start at the
    /// same time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }
}
