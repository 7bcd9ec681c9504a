//! A process that inherits orphans instead of init, where the kernel can tell from which child they descend.

use std::io;

/// The calls of the kernel.
pub(crate) trait Calls {
    /// Makes this process a reaper, unless it is one.
    fn acquire(&self) -> io::Result<()>;
    /// Sends a signal to this child and all its descendants.
    fn signal(&self, child: i32, signal: i32) -> io::Result<Sent>;
    /// Returns all processes that this process inherited or that descend from it.
    fn descendants(&self) -> io::Result<Vec<Descendant>>;
    /// Waits for the end of a child, and leaves its status in place.
    fn await_end(&self, child: i32) -> io::Result<()>;
    /// Reaps a child that has ended. If it is gone or still runs, that is not an error.
    fn take_status(&self, child: i32) -> io::Result<()>;
}

/// The processes that a signal was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) count: usize,
    /// The first process that this process may not signal.
    pub(crate) refused: Option<i32>,
}

/// A descendant of a reaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descendant {
    pub(crate) pid: i32,
    /// The child of the reaper from which it descends.
    pub(crate) subtree: i32,
    /// It is a child of the reaper, which has to wait for it.
    pub(crate) is_child: bool,
}
