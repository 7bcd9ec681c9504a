//! The process of a child: its state, its tree, and the policy that applies when it is dropped.

use crate::child::dropped::{self, Unreaped};
use crate::child::reaper;
use crate::child::tree::{Coverage, KillReport, TreeHandle};
use crate::config::settings::OnDrop;
use crate::error::Error;
use crate::sys::change::{Change, ChildChange};
use crate::sys::owner::{Owner, SharedHandle};
use crate::sys::usage::ResourceUsage;
use crate::sys::wait::{Handle, Status};
use crate::sys::waitid::Ending;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A child that runs, or has ended.
#[derive(Debug)]
pub(crate) struct Process {
    /// `Some` until the drop.
    owner: Option<Owner>,
    ended: Option<Ended>,
    /// The status was left in place (`WNOWAIT`), so that the pid is not reused.
    is_kept: bool,
    held: TreeHandle,
    on_drop: OnDrop,
    /// A thread reaps the child if it is dropped.
    by_thread: bool,
}

/// The end of a child.
#[derive(Clone, Copy, Debug)]
enum Ended {
    With(Ending),
    /// Other code took the status.
    Unseen,
}

impl Process {
    pub(crate) fn new(handle: Handle, held: TreeHandle, on_drop: OnDrop, by_thread: bool) -> Self {
        Self { owner: Some(Owner::Alone(handle)), ended: None, is_kept: false, held, on_drop, by_thread }
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.owner().handle()
    }

    fn owner(&self) -> &Owner {
        self.owner.as_ref().expect("it is there until it is dropped")
    }

    /// Opens a descriptor that is readable when the child has ended, unless there is one.
    #[cfg(feature = "tokio")]
    pub(crate) fn open_descriptor(&mut self) {
        if let (Some(owner), None) = (&mut self.owner, self.ended) {
            owner.open_descriptor();
        }
    }

    /// Shares the handle, for signals of other threads.
    pub(crate) fn share(&mut self) -> Arc<SharedHandle> {
        let (owner, shared) = self.owner.take().expect("it is there until it is dropped").share();
        if let Some(Ended::Unseen) = self.ended {
            shared.give_up();
        } else if self.ended.is_some() && !self.is_kept {
            shared.close();
        }
        self.owner = Some(owner);
        shared
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
        let operation = match self.handle().autoreap() {
            Some(_) => "get the resource usage of a child that the kernel reaps",
            None => "get the resource usage of a single child",
        };
        let usage = usage
            .ok_or(Error::Unsupported { operation, system: crate::sys::backend::capabilities().system })?;
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
        let waited = self.owner().wait(self.status());
        dropped::reap_some();
        self.note(waited)
    }

    /// Returns the status if the child has ended.
    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>, Error> {
        dropped::reap_some();
        let ending = match self.ended {
            Some(ended) => Some(self.ending_of(ended)?),
            None => match self.owner().try_wait(self.status()).transpose() {
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

    /// Returns true if the end of the child was seen.
    pub(crate) fn has_seen_end(&self) -> bool {
        self.ended.is_some()
    }

    /// Waits until the state of the child changes.
    pub(crate) fn wait_change(&mut self) -> Result<ChildChange, Error> {
        loop {
            if let Some(change) = self.try_wait_change()? {
                return Ok(change);
            }
            self.handle().await_change()?;
        }
    }

    /// Returns the last change of the child's state. The end stays the last one.
    pub(crate) fn try_wait_change(&mut self) -> Result<Option<ChildChange>, Error> {
        let ending = match self.ended {
            Some(ended) => self.ending_of(ended)?,
            None => match self.owner().try_change(self.status()) {
                Ok(None) => return Ok(None),
                Ok(Some(Change::Stopped(signal))) => return Ok(Some(ChildChange::Stopped(signal))),
                Ok(Some(Change::Continued)) => return Ok(Some(ChildChange::Continued)),
                Ok(Some(Change::Ended(ending))) => self.note(Ok(ending))?,
                Err(error) => self.note(Err(error))?,
            },
        };
        Ok(Some(ChildChange::Exited(ending.status)))
    }

    /// Returns true if the child has ended or does so within this time. Its status stays in place.
    pub(crate) fn ends_within(&self, timeout: Duration) -> Result<bool, Error> {
        match self.ended {
            Some(ended) => self.ending_of(ended).map(|_| true),
            None => self.handle().ends_within(timeout),
        }
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
        if let Some(child) = self.handle().autoreaped() {
            let killed = match killed {
                Ok(killed) if killed.coverage == Coverage::Nothing => {
                    self.held.kill_by_pidfd(child).map_err(of_tree)
                }
                killed => killed,
            };
            let sent = self.handle().signal(libc::SIGKILL);
            return killed.and_then(|killed| sent.map(|()| killed));
        }
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
        let by_pidfd = self.handle().autoreaped().filter(|_| found == 0);
        let has_group = by_pidfd.is_some_and(|child| self.held.terminate_by_pidfd(child));
        if found == 0 && !has_group && (is_ours || by_pidfd.is_some()) {
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
        let Some(owner) = self.owner.take() else { return };
        let held = std::mem::take(&mut self.held);
        if self.is_kept {
            let _ = owner.try_wait(Status::Take);
        }
        held.collect_orphans(owner.handle().pid);
        let leave = if self.by_thread { reaper::enqueue } else { dropped::push };
        let mut left = Unreaped { child: None, group: held.into_cgroup() };
        if self.ended.is_none() && self.on_drop == OnDrop::Abandon {
            owner.abandon();
        } else if self.ended.is_none() && owner.handle().outlives_drop() {
            left.child = Some(owner);
        }
        if let Some(left) = left.try_reap() {
            leave(left);
        }
        dropped::reap_some();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Child;
    use crate::command::Command;
    use crate::config::stdio::Stdio;
    use crate::sys::cgroup::ChildCgroup;
    use crate::sys::system::pidfd;
    use crate::sys::tree_means::{Leads, TreeMeans};
    use forkexec_core::Autoreap;
    use rstest::rstest;
    use std::fs;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::process::ExitStatusExt;

    const LONG: Duration = Duration::from_secs(30);

    /// A shell that leads a group, with the handle of a child that the kernel reaps. Returns `None` if a group
    /// cannot be signalled by a pidfd.
    fn autoreaped(means: TreeMeans) -> Option<Child> {
        let mut command = Command::new("sh");
        command.args(["-c", "trap 'exit 7' TERM; echo; while :; do sleep 0.01; done"]);
        let mut child = command.process_group(0).stdout(Stdio::piped()).spawn().expect("it starts");
        child.stdout.take().expect("it is piped").read_exact(&mut [0]).expect("it runs");
        let pid = child.process.handle().pid;
        match pidfd::open(pid) {
            Ok(fd) if pidfd::signal_group(fd.as_fd(), 0).is_ok() => {
                let handle = Handle::new(pid, Some(fd), true, Some(Autoreap::Reap));
                child.process.owner = Some(Owner::Alone(handle));
                child.process.held = TreeHandle(means);
                Some(child)
            }
            _ => {
                child.kill().expect("it is ours");
                child.wait().expect("it was killed");
                None
            }
        }
    }

    fn led(leads: Leads) -> TreeMeans {
        TreeMeans { leads, ..TreeMeans::default() }
    }

    #[rstest]
    #[case::of_no_group(Leads::Nothing, Coverage::Child)]
    #[case::of_a_group(Leads::Group, Coverage::Group)]
    fn tree_of_an_autoreaped_child_is_killed_by_its_pidfd(#[case] leads: Leads, #[case] coverage: Coverage) {
        let Some(mut child) = autoreaped(led(leads)) else { return };
        let killed = child.process.kill_tree(false).expect("it is ours");
        assert_eq!((killed.coverage, killed.found), (coverage, 1));
        assert_eq!(child.wait().expect("it was killed").signal(), Some(libc::SIGKILL));
    }

    #[test]
    fn control_group_of_an_autoreaped_child_is_its_tree() {
        let directory = tempfile::tempdir().expect("a directory can be made");
        for (name, text) in [("procs", ""), ("events", "populated 0\n"), ("kill", "")] {
            fs::write(directory.path().join(format!("cgroup.{name}")), text).expect("it can be written");
        }
        let cgroup = Some(ChildCgroup::simulated(directory.path().to_owned()));
        let Some(mut child) = autoreaped(TreeMeans { cgroup, ..TreeMeans::default() }) else { return };
        let killed = child.process.kill_tree(false).expect("it is ours");
        assert_eq!(killed.coverage, Coverage::SealedCgroup);
        assert_eq!(child.wait().expect("it was killed").signal(), Some(libc::SIGKILL));
    }

    #[rstest]
    fn autoreaped_child_is_asked_to_end_by_its_pidfd(#[values(Leads::Nothing, Leads::Group)] leads: Leads) {
        let Some(mut child) = autoreaped(led(leads)) else { return };
        let (status, killed) = child.terminate_tree_then_kill(LONG).expect("it is ours");
        assert_eq!((status.code(), killed.failure), (Some(7), None));
    }
}
