//! The ends of a pseudo-terminal.

use crate::error::Error;
use crate::sys::system::pty;
use nix::unistd::ttyname;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The step that opens the user end, for error messages.
pub(crate) const OPEN_USER: &str = "open the user end of the pseudo-terminal";

/// Opens a pseudo-terminal: its controller end, its user end, and the path of the user end, if it has one in
/// this mount namespace. Both ends are close-on-exec.
pub(crate) fn open() -> Result<(OwnedFd, OwnedFd, Option<PathBuf>), Error> {
    let (controller, user) = pty::open_pair()?;
    let path = ttyname(&user).ok();
    Ok((controller, user, path))
}

/// Opens the user end again, close-on-exec.
pub(crate) fn open_user(controller: impl AsFd, path: Option<&Path>) -> io::Result<OwnedFd> {
    pty::open_user(controller.as_fd(), path)
}
