//! The controlling terminal: which process group is in its foreground, before, while and after the program runs.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

use crate::exit::Failure;
use crate::inherited_fds;

/// The terminal of this process's session.
pub(super) struct Terminal {
    fd: OwnedFd,
    /// The group in the foreground when this process started.
    before: Option<Pid>,
    /// The program's group comes to the foreground, and the terminal is taken back when the program stops or ends.
    lends: bool,
}

impl Terminal {
    /// The terminal on this descriptor, which the program is to get; or else the session's own, if it has one, which
    /// the program is to get if `lends` says so.
    ///
    /// # Errors
    ///
    /// The descriptor is not open.
    pub(super) fn open(explicit: Option<i32>, lends: bool) -> Result<Option<Self>, Failure> {
        let fd: OwnedFd = match explicit {
            Some(fd) => {
                let option = format!("--foreground {fd}");
                let duplicate = inherited_fds::borrow(&option, fd)?.try_clone_to_owned();
                duplicate.map_err(|error| {
                    Failure::refused(format!("{option}: cannot duplicate it")).because(error)
                })?
            }
            None => match File::options().read(true).write(true).open("/dev/tty") {
                Ok(terminal) => terminal.into(),
                Err(_) => return Ok(None),
            },
        };
        let before = tcgetpgrp(&fd).ok();
        Ok(Some(Self { fd, before, lends: lends || explicit.is_some() }))
    }

    /// Whether the program's group comes to the foreground at its start, because this process's was there.
    pub(super) fn is_lent(&self) -> bool {
        self.lends && self.before == Some(getpgrp())
    }

    /// A descriptor of the terminal for that.
    pub(super) fn to_lend(&self) -> Option<OwnedFd> {
        self.is_lent().then(|| self.fd.try_clone().ok()).flatten()
    }

    /// Whether this process's group or the program's is in the foreground.
    pub(super) fn is_in_use(&self, program: Pid) -> bool {
        tcgetpgrp(&self.fd).is_ok_and(|group| group == program || group == getpgrp())
    }

    /// Makes the program's group the foreground group, if this process's is.
    pub(super) fn lend(&self, program: Pid) {
        if self.lends && tcgetpgrp(&self.fd) == Ok(getpgrp()) {
            self.set(program);
        }
    }

    /// Makes the group from before the foreground group again, if the program's is, or one that has no member.
    pub(super) fn take_back(&self, program: Pid) {
        self.take_back_from(|group| group == program || is_empty(group));
    }

    /// As [`take_back`](Self::take_back), after a start that failed: the child may have come to the foreground before.
    pub(super) fn take_back_from_none(&self) {
        self.take_back_from(is_empty);
    }

    fn take_back_from(&self, is_left: impl FnOnce(Pid) -> bool) {
        let Some(before) = self.before.filter(|_| self.lends) else { return };
        if tcgetpgrp(&self.fd).is_ok_and(|group| group != before && is_left(group)) {
            self.set(before);
        }
    }

    /// From the background, the kernel would stop this process by `SIGTTOU` if that were not blocked.
    fn set(&self, group: Pid) {
        let stop = SigSet::from(Signal::SIGTTOU);
        let _ = stop.thread_block();
        // The terminal may be gone. Then there is no foreground to set.
        let _ = tcsetpgrp(self.fd.as_fd(), group);
        let _ = stop.thread_unblock();
    }
}

fn is_empty(group: Pid) -> bool {
    nix::sys::signal::killpg(group, None) == Err(nix::errno::Errno::ESRCH)
}
