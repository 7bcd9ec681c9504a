//! Pseudo-terminals of Linux, whose user end can be opened by the controller.

use crate::error::Error;
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(crate) fn open_pair() -> Result<(OwnedFd, OwnedFd), Error> {
    let failed = |what| move |errno: nix::Error| Error::Terminal { what, error: errno.into() };
    let controller = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC);
    let controller = controller.map_err(failed("open a pseudo-terminal"))?;
    grantpt(&controller).map_err(failed("grant access to the pseudo-terminal"))?;
    unlockpt(&controller).map_err(failed("unlock the pseudo-terminal"))?;
    let user = open_peer(controller.as_raw_fd()).or_else(|_| open_by_name(&controller));
    let user =
        user.map_err(|error| Error::Terminal { what: "open the user end of the pseudo-terminal", error })?;
    Ok((controller.into(), user))
}

/// Opens the user end. Without `TIOCGPTPEER` (Linux before 4.13, and some sandboxes) it is opened by its
/// path, which may lead elsewhere in another mount namespace.
pub(crate) fn open_user(controller: BorrowedFd<'_>, path: Option<&Path>) -> io::Result<OwnedFd> {
    open_peer(controller.as_raw_fd()).or_else(|error| path.map_or(Err(error), open_path))
}

fn open_peer(controller: i32) -> io::Result<OwnedFd> {
    // TIOCGPTPEER of asm-generic/ioctls.h. libc has no such constant for Android.
    let operation = nix::request_code_none!(b'T', 0x41);
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: the operation takes flags, and the caller has the controller open.
    let user = unsafe { libc::ioctl(controller, operation, flags) };
    if user < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just opened the descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(user) })
}

fn open_by_name(controller: &PtyMaster) -> io::Result<OwnedFd> {
    open_path(ptsname_r(controller)?.as_ref())
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    let file = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path);
    file.map(Into::into)
}
