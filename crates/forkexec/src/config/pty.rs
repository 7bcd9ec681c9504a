//! A pseudo-terminal, as its handle and the commands on it share it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Mutex;

/// The ends of a pseudo-terminal.
#[derive(Debug)]
pub(crate) struct PtyEnds {
    pub(crate) controller: OwnedFd,
    /// The user end, until the first command takes it. Without it, the controller would read end of file
    /// before a program runs, and some systems would forget the window size.
    user: Mutex<Option<OwnedFd>>,
    /// The path of the user end, if it has one here.
    pub(crate) path: Option<PathBuf>,
}

impl PtyEnds {
    pub(crate) fn new(controller: OwnedFd, user: OwnedFd, path: Option<PathBuf>) -> Self {
        Self { controller, user: Mutex::new(Some(user)), path }
    }

    /// Takes the user end that was opened with the controller, unless it was taken.
    ///
    /// Never waits for the lock, which a forked process may find locked.
    pub(crate) fn take_user(&self) -> Option<OwnedFd> {
        self.user.try_lock().ok()?.take()
    }
}
