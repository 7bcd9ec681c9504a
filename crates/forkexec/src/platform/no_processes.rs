//! Where processes are not listed in a way that a descriptor of each could verify.

use crate::tree::walk::Entry;
use forkexec_core::Resource;
use std::io;
use std::os::fd::OwnedFd;

pub(crate) fn all() -> io::Result<Vec<Entry>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn open(_entry: &Entry) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The limit of the processes of a user, where it can be looked at.
pub(crate) const LIMIT: Option<Resource> = None;

pub(crate) fn is_at_limit(_user: u32, _set: Option<u64>) -> Option<bool> {
    None
}
