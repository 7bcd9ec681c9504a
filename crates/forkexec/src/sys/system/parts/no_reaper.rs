//! Systems without reapers that tell the orphans of different children apart.

use crate::sys::orphans::{Calls, Descendant, Sent};
use std::io;

/// True if the system has such reapers.
pub(crate) const IS_THERE: bool = false;

/// A kernel without reapers.
pub(crate) struct Kernel;

impl Calls for Kernel {
    fn acquire(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn signal(&self, _child: i32, _signal: i32) -> io::Result<Sent> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn descendants(&self) -> io::Result<Vec<Descendant>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn await_end(&self, _child: i32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn take_status(&self, _child: i32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
