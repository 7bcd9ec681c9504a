//! Systems without a descriptor that is readable when a child has ended.

use std::io;
use std::os::fd::OwnedFd;

pub(crate) fn open(_pid: i32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn at_spawn(_pid: i32) -> Option<OwnedFd> {
    None
}
