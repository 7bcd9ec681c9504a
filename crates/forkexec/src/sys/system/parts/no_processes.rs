//! Systems on which entries of the process list cannot be verified by a descriptor.

use crate::sys::process_list::{Calls, Entry};
use forkexec_core::Resource;
use std::convert::Infallible;
use std::io;
use std::time::Instant;

/// The real kernel.
pub(crate) struct Kernel;

impl Calls for Kernel {
    type Process = Infallible;

    fn all(&self) -> io::Result<Vec<Entry>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn open(&self, _entry: &Entry) -> io::Result<Infallible> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn signal(&self, process: &Infallible, _signal: i32) -> io::Result<()> {
        match *process {}
    }

    fn has_ended(&self, process: &Infallible, _end: Option<Instant>) -> io::Result<bool> {
        match *process {}
    }
}

/// The limit of processes per user, if it can be read.
pub(crate) const LIMIT: Option<Resource> = None;

pub(crate) fn is_at_limit(_user: u32, _set: Option<u64>) -> Option<bool> {
    None
}
