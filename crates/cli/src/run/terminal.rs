//! The controlling terminal, and its foreground process group before, while and after the program runs.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

use crate::exit::Failure;
use crate::inherited_fds;

/// The terminal of this process's session.
pub(super) struct Terminal {
    fd: OwnedFd,
    /// The foreground group when this process started.
    before: Option<Pid>,
    /// True if the program's group becomes the foreground group, until the program stops or ends.
    moves: bool,
}

impl Terminal {
    /// Opens the terminal on this descriptor, for the program's group to become its foreground group. Without a
    /// descriptor, opens the session's terminal, if it has one, and `moves` says whether the group becomes the foreground
    /// group.
    ///
    /// # Errors
    ///
    /// Fails if the descriptor is not open.
    pub(super) fn open(explicit: Option<i32>, moves: bool) -> Result<Option<Self>, Failure> {
        let fd: OwnedFd = match explicit {
            Some(fd) => {
                let option = format!("--foreground {fd}");
                let duplicate = inherited_fds::borrow(&option, fd)?.try_clone_to_owned();
                duplicate.map_err(|error| {
                    Failure::refused(format!("{option}: cannot duplicate the terminal")).because(error)
                })?
            }
            None => match File::options().read(true).write(true).open("/dev/tty") {
                Ok(terminal) => terminal.into(),
                Err(_) => return Ok(None),
            },
        };
        let before = tcgetpgrp(&fd).ok();
        Ok(Some(Self { fd, before, moves: moves || explicit.is_some() }))
    }

    /// Returns true if the program starts in the foreground, because the group of this process was there.
    pub(super) fn starts_in_foreground(&self) -> bool {
        self.moves && self.before == Some(getpgrp())
    }

    /// Returns a descriptor of the terminal, if the program starts in the foreground.
    pub(super) fn for_program(&self) -> Option<OwnedFd> {
        self.starts_in_foreground().then(|| self.fd.try_clone().ok()).flatten()
    }

    /// Returns true if the group of this process or of the program is in the foreground.
    pub(super) fn is_in_use(&self, program: Pid) -> bool {
        tcgetpgrp(&self.fd).is_ok_and(|group| group == program || group == getpgrp())
    }

    /// Makes the program's group the foreground group, if the group of this process is.
    pub(super) fn move_to(&self, program: Pid) {
        if self.moves && tcgetpgrp(&self.fd) == Ok(getpgrp()) {
            self.set(program);
        }
    }

    /// Restores the previous foreground group, if the program's group or a group without members has replaced it.
    pub(super) fn restore(&self, program: Pid) {
        self.restore_if(|group| group == program || is_empty(group));
    }

    /// Restores the previous foreground group after a failed start: the child may have changed it before it failed.
    pub(super) fn restore_after_failure(&self) {
        self.restore_if(is_empty);
    }

    fn restore_if(&self, is_over: impl FnOnce(Pid) -> bool) {
        let Some(before) = self.before.filter(|_| self.moves) else { return };
        if tcgetpgrp(&self.fd).is_ok_and(|group| group != before && is_over(group)) {
            self.set(before);
        }
    }

    /// Sets the foreground group. `SIGTTOU` is blocked, because it would stop a process in the background.
    fn set(&self, group: Pid) {
        let stop = SigSet::from(Signal::SIGTTOU);
        let _ = stop.thread_block();
        // This fails if the terminal is gone, which then has no foreground.
        let _ = tcsetpgrp(self.fd.as_fd(), group);
        let _ = stop.thread_unblock();
    }
}

fn is_empty(group: Pid) -> bool {
    nix::sys::signal::killpg(group, None) == Err(nix::errno::Errno::ESRCH)
}
