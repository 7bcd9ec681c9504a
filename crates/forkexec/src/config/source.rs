//! A descriptor to pass to a child: borrowed, or owned by the command.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

/// A descriptor to pass to a child: borrowed for as long as the command lives, or owned by it.
///
/// It is created with `From` from any type that owns a descriptor (`File`, `OwnedFd`, `TcpListener` …;
/// from Rust 1.87 on `PipeWriter`), or from a reference to any type that implements [`AsFd`].
///
/// # Examples
///
/// ```
/// use forkexec::{BorrowingCommand, FdSource};
/// use std::fs::File;
///
/// let hosts = File::open("/etc/hosts")?;
/// let borrowed = FdSource::from(&hosts);
/// let owned = FdSource::from(File::open("/etc/passwd")?);
///
/// let mut command = BorrowingCommand::new("sh");
/// command.args(["-c", "cat <&7 >/dev/null && cat <&8 >/dev/null"]).fd(7, borrowed).fd(8, owned);
/// assert!(command.status()?.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FdSource<'fd>(Inner<'fd>);

#[derive(Clone, Debug)]
enum Inner<'fd> {
    Borrowed(BorrowedFd<'fd>),
    Owned(Arc<OwnedFd>),
}

impl AsFd for FdSource<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Inner::Borrowed(fd) => fd.as_fd(),
            Inner::Owned(fd) => fd.as_fd(),
        }
    }
}

impl AsRawFd for FdSource<'_> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<'fd> From<BorrowedFd<'fd>> for FdSource<'fd> {
    fn from(fd: BorrowedFd<'fd>) -> Self {
        Self(Inner::Borrowed(fd))
    }
}

impl<'fd, T: AsFd> From<&'fd T> for FdSource<'fd> {
    fn from(fd: &'fd T) -> Self {
        Self(Inner::Borrowed(fd.as_fd()))
    }
}

/// Shares a descriptor with other owners.
impl From<Arc<OwnedFd>> for FdSource<'_> {
    fn from(fd: Arc<OwnedFd>) -> Self {
        Self(Inner::Owned(fd))
    }
}
