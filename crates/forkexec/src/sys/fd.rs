//! Descriptors of this process.

use crate::error::{SpawnError, failed};
use crate::sys::{backend, limit};
use forkexec_core::{Errno, Fd, Resource};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// Returns whether a descriptor is close-on-exec, or `None` if it is not open. If fcntl(2) refuses to tell,
/// the descriptor counts as close-on-exec: the child then clears the flag, or reports that it cannot.
pub(crate) fn cloexec(fd: Fd) -> Option<bool> {
    match backend::is_cloexec(fd) {
        Ok(is_cloexec) => Some(is_cloexec),
        Err(Errno::BADF) => None,
        Err(_) => Some(true),
    }
}

/// Returns the highest number that a new descriptor can have.
pub(crate) fn highest_target() -> Fd {
    let soft = limit::of_process(Resource::NOFILE).ok().and_then(|limit| Fd::try_from(limit.soft).ok());
    soft.unwrap_or(Fd::MAX).saturating_sub(1)
}

/// Returns true if the descriptor has one of the last numbers below this process's limit: the last quarter.
/// The limit is read only if the number is not low, so that most starts make no call for this.
pub(crate) fn is_scarce(fd: &OwnedFd) -> bool {
    /// Three quarters of 32.
    const LOW: Fd = 24;
    let number = fd.as_raw_fd();
    number >= LOW && number >= (highest_target() / 4 + 1) * 3
}

/// Opens a pipe: the reading end and the writing end, both close-on-exec. std has pipes from Rust 1.87 on.
pub(crate) fn pipe() -> io::Result<(File, File)> {
    let (reader, writer) = backend::pipe().map_err(|errno| io::Error::from_raw_os_error(errno.raw()))?;
    Ok((reader.into(), writer.into()))
}

/// Duplicates a descriptor to the lowest free number from `lowest` up, close-on-exec.
pub(crate) fn duplicate(fd: impl AsFd, lowest: Fd) -> Result<OwnedFd, SpawnError> {
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(lowest))
        .map_err(|errno| failed("duplicate a descriptor", &errno.into()))?;
    // SAFETY: fcntl(2) just opened the descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Returns true if an open file is in non-blocking mode.
pub(crate) fn is_nonblocking(fd: impl AsFd) -> io::Result<bool> {
    Ok(status_flags(fd)?.contains(OFlag::O_NONBLOCK))
}

/// Sets the mode of an open file. Returns whether it changed.
pub(crate) fn set_nonblocking(fd: impl AsFd, nonblocking: bool) -> io::Result<bool> {
    let flags = status_flags(&fd)?;
    if flags.contains(OFlag::O_NONBLOCK) == nonblocking {
        return Ok(false);
    }
    fcntl(fd, FcntlArg::F_SETFL(flags ^ OFlag::O_NONBLOCK))?;
    Ok(true)
}

fn status_flags(fd: impl AsFd) -> io::Result<OFlag> {
    Ok(OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?))
}
