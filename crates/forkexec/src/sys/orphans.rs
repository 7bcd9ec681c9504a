//! A process to which orphans fall, instead of to init, where it can tell from which child they descend.

use std::io;

/// What the kernel is asked.
pub(crate) trait Calls {
    /// Makes this process a reaper, if it is none yet.
    fn acquire(&self) -> io::Result<()>;
    /// Sends a signal to all that descend from this child, itself included.
    fn signal(&self, child: i32, signal: i32) -> io::Result<Sent>;
    /// All that fell to this process or descend from it.
    fn descendants(&self) -> io::Result<Vec<Descendant>>;
    /// Waits for the end of a child, and leaves its status.
    fn await_end(&self, child: i32) -> io::Result<()>;
    /// Takes the status of a child that has ended. That it is gone, or runs, is no error.
    fn take_status(&self, child: i32) -> io::Result<()>;
}

/// To whom a signal was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) count: usize,
    /// The first of those that this process may not signal.
    pub(crate) refused: Option<i32>,
}

/// A process below a reaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descendant {
    pub(crate) pid: i32,
    /// The child of the reaper from which it descends.
    pub(crate) subtree: i32,
    /// It is the reaper's to wait for.
    pub(crate) is_child: bool,
}
