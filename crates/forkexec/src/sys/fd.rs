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
    number >= LOW && is_in_last_quarter(number, highest_target())
}

fn is_in_last_quarter(number: Fd, highest: Fd) -> bool {
    number >= (highest / 4 + 1) * 3
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

#[cfg(test)]
mod tests {
    use super::{duplicate, is_in_last_quarter, is_scarce};
    use forkexec_core::Fd;
    use rstest::rstest;
    use std::fs::File;

    /// The limits are 32, 1024 and the highest one.
    #[rstest]
    #[case::last_of_the_others(23, 31, false)]
    #[case::first_of_the_quarter(24, 31, true)]
    #[case::last_below_768(767, 1023, false)]
    #[case::three_quarters(768, 1023, true)]
    #[case::highest(1023, 1023, true)]
    #[case::without_a_limit(1_000_000, Fd::MAX - 1, false)]
    fn last_quarter_begins_at_three_quarters_of_the_limit(
        #[case] number: Fd,
        #[case] highest: Fd,
        #[case] expected: bool,
    ) {
        assert_eq!(is_in_last_quarter(number, highest), expected);
    }

    #[rstest]
    #[case::low(0)]
    #[case::not_low(24)]
    fn descriptor_is_not_scarce_while_most_numbers_are_free(#[case] lowest: Fd) {
        let file = File::open("/dev/null").expect("it is there");
        let fd = duplicate(&file, lowest).expect("a number is free");
        assert!(!is_scarce(&fd), "{fd:?}");
    }
}
