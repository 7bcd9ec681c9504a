//! Children that the kernel reaps: the flags of clone3(2) in Linux 7.1, and the calls on a pidfd.

use std::ffi::c_int;

use forkexec_core::{Autoreap, Errno, Fd};
use forkexec_linux::{PidfdEvent, Start};

use super::{Event, PIDFD, State};

/// A kernel with these flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is so or not, whatever the others are")]
pub(crate) struct Autoreaps {
    /// The parent has `CAP_SYS_ADMIN`.
    pub(crate) privileged: bool,
    /// The kernel releases the child before its parent continues. Otherwise the parent sees the end first.
    pub(crate) released_at_once: bool,
    /// The parent traces the child.
    pub(crate) traced: bool,
    /// The kernel releases the child while the parent reads the status.
    pub(crate) races: bool,
    /// A filter refuses the call that reads the status.
    pub(crate) hides_status: bool,
    /// The kernel releases the child and stores no status.
    pub(crate) loses_status: bool,
    /// Another process traces the child. Its tracer lets the kernel release it after this number of waits.
    pub(crate) held_back: usize,
}

impl State {
    /// A child that the kernel reaps runs, or has ended with this status.
    pub(crate) fn with_autoreaped(&mut self, ended: Option<c_int>) -> Fd {
        (self.pidfd, self.ended, self.autoreaped) = (true, ended, Some(Autoreap::Reap));
        PIDFD
    }

    /// Source: `clone3_args_valid` and `copy_process` of kernel/fork.c, Linux 7.1: an unknown flag, an exit signal, and a kill
    /// without a pidfd or without `CLONE_AUTOREAP` are `EINVAL`. A kill without `CLONE_NNP` and `CAP_SYS_ADMIN` is `EPERM`.
    pub(super) fn begin_autoreap(&mut self, start: Start) -> Result<(), Errno> {
        if start.autoreap.is_none() && !start.no_new_privs {
            return Ok(());
        }
        let Some(kernel) = self.world.autoreap else {
            self.refused_starts += 1;
            return Err(Errno::INVAL);
        };
        let kills = start.autoreap == Some(Autoreap::ReapAndKill);
        if start.exit_signal || (kills && !start.pidfd) {
            return Err(Errno::INVAL);
        }
        if kills && !start.no_new_privs && !kernel.privileged {
            return Err(Errno::PERM);
        }
        self.autoreaped = start.autoreap;
        Ok(())
    }

    /// Source: `do_notify_parent` of kernel/signal.c: the kernel reaps a child that is not traced. `release_task` of kernel/exit.c
    /// follows, and stores the status (`pidfs_exit` of fs/pidfs.c).
    pub(super) fn release_at_end(&mut self) {
        let at_once = self.world.autoreap.is_some_and(|kernel| kernel.released_at_once && !kernel.traced);
        self.released = self.autoreaped.is_some() && at_once;
        self.reaped |= self.released;
    }

    /// Source: `pidfd_info` of fs/pidfs.c: no status before the release, and `ESRCH` if the release happens during the call, or if
    /// it stored none. ioctl(2): `ENOTTY` for another descriptor.
    pub(super) fn pidfd_exit_status(&mut self, pidfd: Fd) -> Result<Option<c_int>, Errno> {
        self.by_pidfd.push("pidfd_exit_status");
        if self.world.autoreap.is_some_and(|kernel| kernel.hides_status) {
            return Err(Errno::PERM);
        }
        if pidfd != PIDFD || !self.pidfd {
            return Err(if (0..=2).contains(&pidfd) { Errno::NOTTY } else { Errno::BADF });
        }
        if self.released && self.world.autoreap.is_some_and(|kernel| kernel.loses_status) {
            return Err(Errno::SRCH);
        }
        if self.ended.is_some()
            && !self.released
            && self.world.autoreap.is_some_and(|kernel| kernel.races && !kernel.traced)
        {
            (self.released, self.reaped) = (true, true);
            return Err(Errno::SRCH);
        }
        Ok(self.ended.filter(|_| self.released))
    }

    /// Source: `pidfd_poll` of fs/pidfs.c. The kernel releases the child while the parent waits for that.
    pub(super) fn poll_pidfd(&mut self, event: PidfdEvent, limit: Option<u8>) -> bool {
        self.by_pidfd.push("poll_pidfd");
        if event == PidfdEvent::Ended {
            return self.ended.is_some();
        }
        let is_held = self.world.autoreap.is_some_and(|kernel| kernel.traced || self.idle < kernel.held_back);
        if self.ended.is_some() && limit != Some(0) && !is_held {
            (self.released, self.reaped) = (true, true);
        }
        self.idle += usize::from(!self.released && limit != Some(0));
        assert!(self.idle < 5, "the parent waits for itself");
        self.released
    }

    /// Source: wait(2): a tracer gets the end of the child, also if the kernel would reap it.
    pub(super) fn reap_by_pidfd(&mut self) -> Result<Option<c_int>, Errno> {
        self.by_pidfd.push("reap_by_pidfd");
        let is_traced = self.world.autoreap.is_some_and(|kernel| kernel.traced);
        if self.reaped || (self.autoreaped.is_some() && !is_traced) {
            return Err(Errno::CHILD);
        }
        (self.released, self.reaped) = (self.ended.is_some(), self.ended.is_some());
        Ok(self.ended)
    }

    /// Source: `__WCLONE` of wait(2), and execve(2): the termination signal becomes SIGCHLD.
    pub(super) fn find_unexecuted(&mut self) -> Result<(), Errno> {
        self.by_pidfd.push("find_unexecuted");
        if self.has(Event::Exec) || self.reaped { Err(Errno::CHILD) } else { Ok(()) }
    }
}
