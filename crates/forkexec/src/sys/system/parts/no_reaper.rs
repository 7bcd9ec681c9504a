//! Where no process can be one to which the orphans of a child fall, and be told from others.

use crate::sys::orphans::{Calls, Descendant, Sent};
use std::io;

/// Whether there are such.
pub(crate) const IS_THERE: bool = false;

/// A kernel without them.
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
