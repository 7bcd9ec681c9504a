//! The descriptor that is readable when a child has ended.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// A descriptor for any event loop that is readable when a child has ended, and stays readable.
/// [`Child::exit_fd`](crate::Child::exit_fd) returns a reference to it.
///
/// Do not read from it. On Linux it is a pidfd (pidfd_open(2)). On the BSDs and macOS it is a kqueue(2) with
/// an event for the end of the child.
///
/// # Examples
///
/// ```
/// use forkexec::Command;
/// use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
/// use std::os::fd::AsFd;
///
/// let mut child = Command::new("true").spawn()?;
/// if let Some(handle) = child.exit_fd() {
///     poll(&mut [PollFd::new(handle.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
///     assert!(child.try_wait()?.is_some());
/// }
/// assert!(child.wait()?.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ExitFd(OwnedFd);

impl ExitFd {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl AsFd for ExitFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for ExitFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::ExitFd;
    use std::fs::File;
    use std::os::fd::{AsFd, AsRawFd};

    #[test]
    fn number_is_that_of_the_descriptor() {
        let file = File::open("/dev/null").expect("it is there");
        let number = file.as_raw_fd();
        let fd = ExitFd::new(file.into());
        assert_eq!((fd.as_raw_fd(), fd.as_fd().as_raw_fd()), (number, number));
    }
}
