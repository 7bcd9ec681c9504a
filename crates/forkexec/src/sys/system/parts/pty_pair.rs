//! Pseudo-terminals whose ends the C library opens (openpty(3)).

use crate::error::Error;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::openpty;
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens both ends. They become close-on-exec a moment later, so a program that other code starts meanwhile
/// may inherit them. A child of this library does not.
pub(crate) fn open_pair() -> Result<(OwnedFd, OwnedFd), Error> {
    let failed = |what| move |errno: nix::Error| Error::Terminal { what, error: errno.into() };
    let pty = openpty(None, None).map_err(failed("open a pseudo-terminal"))?;
    for end in [&pty.master, &pty.slave] {
        let set = fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
        set.map_err(failed("make the pseudo-terminal close-on-exec"))?;
    }
    Ok((pty.master, pty.slave))
}

pub(crate) fn open_user(_: BorrowedFd<'_>, path: Option<&Path>) -> io::Result<OwnedFd> {
    let path = path.ok_or(nix::Error::ENOENT)?;
    let file = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path);
    file.map(Into::into)
}
