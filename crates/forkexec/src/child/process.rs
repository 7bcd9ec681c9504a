//! The process of a child: its state, its tree, and the policy that applies when it is dropped.

use crate::child::reaper::{self, Unreaped};
use crate::child::tree::{Coverage, KillReport, TreeHandle};
use crate::config::settings::OnDrop;
use crate::error::Error;
use crate::sys::usage::ResourceUsage;
use crate::sys::wait::{Handle, Status};
use crate::sys::waitid::Ending;
use std::io;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// A child that runs, or has ended.
#[derive(Debug)]
pub(crate) struct Process {
    /// `Some` until the drop.
    handle: Option<Handle>,
    ended: Option<Ended>,
    /// The status was left in place (`WNOWAIT`), so that the pid is not reused.
    is_kept: bool,
    held: TreeHandle,
    on_drop: OnDrop,
}

/// The end of a child.
#[derive(Clone, Copy, Debug)]
enum Ended {
    With(Ending),
    /// Other code took the status.
    Unseen,
}

impl Process {
    pub(crate) fn new(handle: Handle, held: TreeHandle, on_drop: OnDrop) -> Self {
        Self { handle: Some(handle), ended: None, is_kept: false, held, on_drop }
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("it is there until it is dropped")
    }

    /// Sets the policy for a dropped child, and returns the previous one.
    #[cfg(feature = "tokio")]
    pub(crate) fn was_waited_for(&self) -> bool {
        self.ended.is_some()
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn replace_on_drop(&mut self, policy: OnDrop) -> OnDrop {
        std::mem::replace(&mut self.on_drop, policy)
    }

    /// Waits for the child to end.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus, Error> {
        self.ending().map(|ending| ending.status)
    }

    /// Waits for the child to end, and returns its resource usage as well.
    pub(crate) fn wait_usage(&mut self) -> Result<(ExitStatus, ResourceUsage), Error> {
        let Ending { status, usage } = self.ending()?;
        let usage = usage.ok_or(Error::Unsupported {
            operation: "get the resource usage of a single child",
            system: crate::sys::backend::capabilities().system,
        })?;
        // The parent's peak is read at the first call only, because it may grow later.
        let usage = match usage.inherited {
            0 => ResourceUsage { inherited: crate::sys::system::pidfd::inherited_peak(), ..usage },
            _ => usage,
        };
        self.ended = Some(Ended::With(Ending { status, usage: Some(usage) }));
        Ok((status, usage))
    }

    fn ending(&mut self) -> Result<Ending, Error> {
        if let Some(ended) = self.ended {
            return self.ending_of(ended);
        }
        let waited = self.handle().wait(self.status());
        self.note(waited)
    }

    /// Returns the status if the child has ended.
    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        let ending = match self.ended {
            Some(ended) => Some(self.ending_of(ended)?),
            None => match self.handle().try_wait(self.status()).transpose() {
                Some(waited) => Some(self.note(waited)?),
                None => None,
            },
        };
        Ok(ending.map(|ending| ending.status))
    }

    /// Returns the status if the child ends within this time.
    pub(crate) fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<ExitStatus>, Error> {
        if let Some(status) = self.try_wait()? {
            return Ok(Some(status));
        }
        if self.handle().ends_within(timeout)? { self.wait().map(Some) } else { Ok(None) }
    }

    /// Sends a signal, unless the child was waited for.
    pub(crate) fn signal(&self, signal: i32) -> Result<(), Error> {
        match self.ended {
            Some(ended) => self.ending_of(ended).map(drop),
            None => self.handle().signal(signal),
        }
    }

    /// Sends `SIGTERM`. A stopped child gets it only when it continues, so `SIGCONT` follows.
    pub(crate) fn terminate(&self) -> Result<(), Error> {
        self.signal(libc::SIGTERM)?;
        self.signal(libc::SIGCONT)
    }

    /// Kills the child and its descendants.
    pub(crate) fn kill_tree(&mut self, waits: bool) -> Result<KillReport, Error> {
        let is_ours = self.owns_number();
        let killed = self.held.kill(self.handle().pid, is_ours, waits).map_err(of_tree);
        if is_ours {
            // The tree includes the child, unless no process of the tree is known.
            let sent = self.handle().signal(libc::SIGKILL);
            if killed.as_ref().is_ok_and(|killed| killed.coverage == Coverage::Child) {
                sent?;
            }
        }
        killed
    }

    /// Sends `SIGTERM` to the tree, waits at most for `grace`, and kills what is left, even if an earlier
    /// step failed.
    pub(crate) fn terminate_tree_then_kill(
        &mut self,
        grace: Duration,
    ) -> Result<(ExitStatus, KillReport), Error> {
        let start = Instant::now();
        let is_ours = self.owns_number();
        let mut signalled = self.held.terminate(self.handle().pid, is_ours);
        let ended = signalled.have_ended(start.checked_add(grace));
        let (found, failure) = (signalled.found, signalled.failure());
        if is_ours && found == 0 {
            let _ = self.terminate();
        }
        if ended.is_none() {
            let _ = self.wait_timeout(grace.saturating_sub(start.elapsed()));
        }
        let killed = self.kill_tree(true)?;
        let killed =
            KillReport { found: killed.found.max(found), failure: failure.or(killed.failure), ..killed };
        Ok((self.wait()?, killed))
    }

    /// Returns true if the pid is still the child's: the child was not waited for, or its status was left in
    /// place, and other code did not reap it.
    fn owns_number(&mut self) -> bool {
        if self.ended.is_some() && !self.is_kept {
            return false;
        }
        let is_ours = self.handle().is_ours();
        self.is_kept &= is_ours;
        is_ours
    }

    /// Chooses whether a wait takes the status or leaves it in place: see [`TreeHandle::needs_number`].
    fn status(&self) -> Status {
        let leaves = self.held.needs_number() && self.handle().leaves_status();
        if leaves { Status::Leave } else { Status::Take }
    }

    /// Records how the child ended. From now on the pid may belong to another process.
    fn note(&mut self, waited: Result<Ending, Error>) -> Result<Ending, Error> {
        match &waited {
            Ok(ending) => {
                self.is_kept = self.status() == Status::Leave;
                self.ended = Some(Ended::With(*ending));
            }
            Err(Error::StatusLost { .. }) => self.ended = Some(Ended::Unseen),
            Err(_) => {}
        }
        waited
    }

    fn ending_of(&self, ended: Ended) -> Result<Ending, Error> {
        match ended {
            Ended::With(ending) => Ok(ending),
            Ended::Unseen => Err(Error::StatusLost { pid: self.handle().pid.unsigned_abs() }),
        }
    }

    /// Kills the child, or its tree, as the policy says. A drop has no way to return an error.
    fn end(&mut self, waits: bool) {
        if self.held.is_chosen() {
            let _ = self.kill_tree(waits);
        } else if self.ended.is_none() {
            let _ = self.signal(libc::SIGKILL);
        }
        if waits && self.ended.is_none() {
            let _ = self.wait();
        }
    }
}

fn of_tree(error: io::Error) -> Error {
    Error::Child { what: "kill the child's process tree", error }
}

impl Drop for Process {
    fn drop(&mut self) {
        match self.on_drop {
            OnDrop::Leave | OnDrop::Abandon => {}
            OnDrop::Kill => self.end(false),
            OnDrop::KillAndWait => self.end(true),
        }
        let Some(handle) = self.handle.take() else { return };
        let held = std::mem::take(&mut self.held);
        if self.is_kept {
            let _ = handle.try_wait(Status::Take);
        }
        held.collect_orphans(handle.pid);
        if self.ended.is_none() && self.on_drop != OnDrop::Abandon {
            reaper::enqueue(Unreaped::Child(handle));
        }
        if let Some(cgroup) = held.into_cgroup() {
            reaper::enqueue(Unreaped::Group(cgroup));
        }
    }
}
