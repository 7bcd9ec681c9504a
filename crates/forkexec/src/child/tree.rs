//! All that descends from a child, as a whole: what holds it together is chosen when the child starts, and what held is told
//! when it is ended.
//!
//! - `cgroup`: a control group of the child's own
//! - `reaper`: a process to which orphans fall, on FreeBSD
//! - `group`: a process group, or a session
//! - `walk`: the system's list of processes, the last resort

mod group;
pub(crate) mod reaper;
pub(crate) mod walk;

use crate::sys::cgroup::ChildCgroup;
use crate::sys::orphans::Calls;
use crate::sys::system;
use crate::sys::tree_means::{Leads, TreeMeans};
use forkexec_core::Errno;
use std::io;
use std::time::Instant;
use walk::Walk;

/// What held when a tree was ended: who may be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Coverage {
    /// Nobody was signalled: the child was waited for, its number may be a stranger's, and nothing else held its tree
    /// together.
    Nothing,
    /// The child alone: nothing is known of its descendants.
    Child,
    /// Who could be found by descent, from the child or from one of its descendants that lived: an orphan whose parent had
    /// ended before, and which is in no process group or session of such a process, may be left.
    Walk,
    /// All of the child's process group, with who could be found by descent where processes are listed. An orphan
    /// that had joined another group may be left.
    Group,
    /// All of the child's session, with who could be found by descent. An orphan that had started another session may be
    /// left.
    Session,
    /// All in the child's control group. The child's user may write to a group above, so that a descendant may have moved out,
    /// and be left.
    Cgroup,
    /// All that descend from the child, whatever they did: this process is their reaper.
    Reaper,
    /// All that descend from the child: they were in a control group, and when the child started, its user could not write to
    /// any group above. Left it may have a descendant that gained privilege, such as by a set-user-id program
    /// ([`Command::no_new_privs`](crate::Command::no_new_privs) prevents that), or that another process moved.
    SealedCgroup,
}

impl Coverage {
    /// Whether no descendant can be left by its own doing, except those that [refused](KillReport::refused).
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Coverage;
    ///
    /// assert!(Coverage::SealedCgroup.is_complete());
    /// assert!(!Coverage::Cgroup.is_complete());
    /// ```
    pub fn is_complete(self) -> bool {
        matches!(self, Self::SealedCgroup | Self::Reaper)
    }
}

/// How a tree was ended: [`Child::kill_tree`](crate::Child::kill_tree).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KillReport {
    pub(crate) coverage: Coverage,
    pub(crate) found: usize,
    pub(crate) refused: usize,
    pub(crate) failure: Option<Errno>,
}

impl KillReport {
    /// What held: who may be left.
    pub fn coverage(&self) -> Coverage {
        self.coverage
    }

    /// How many processes there were, as they were counted a moment before the end. Where they are not listed, of a process
    /// group no more is known than that it was signalled: then it is 1.
    pub fn found(&self) -> usize {
        self.found
    }

    /// How many of them could not be signalled, mostly because they changed their user: they are left. Where the kernel names
    /// only the first of them ([`Containment::Reaper`](crate::Containment::Reaper)), it is 1.
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// The first error on the way, if there was one. All that was found by then was killed. Descendants that were not found
    /// may be left, or it is unknown whether all have ended.
    ///
    /// `EMFILE` is one: [`Coverage::Walk`] needs at least two free descriptors.
    pub fn failure(&self) -> Option<Errno> {
        self.failure
    }
}

/// What holds the tree of one child together, to end it.
#[derive(Debug, Default)]
pub(crate) struct TreeHandle(pub(crate) TreeMeans);

impl TreeHandle {
    /// Whether the policy for a dropped child is about its tree.
    pub(crate) fn is_chosen(&self) -> bool {
        self.0.is_chosen
    }

    /// Whether it is known by the child's number alone, so that this must stay the child's.
    pub(crate) fn needs_number(&self) -> bool {
        self.0.is_chosen && self.0.leaf.is_none() && !self.0.reaps && self.0.leads != Leads::Nothing
    }

    /// Ends all, and waits for that unless told otherwise. `pid` is the child's number if that is its own.
    pub(crate) fn kill(&self, root: i32, is_ours: bool, waits: bool) -> io::Result<KillReport> {
        let killed = |coverage, found| KillReport { coverage, found, refused: 0, failure: None };
        if let Some(leaf) = &self.0.leaf
            && let Some(found) = unless_gone(leaf.end(waits))?
        {
            let coverage = if leaf.is_sealed() { Coverage::SealedCgroup } else { Coverage::Cgroup };
            return Ok(killed(coverage, found));
        }
        if !is_ours {
            return Ok(killed(Coverage::Nothing, 0));
        }
        if self.0.reaps {
            let reaper::Killed { found, refused } = reaper::kill(&system::reaper::Kernel, root)?;
            return Ok(KillReport { refused, ..killed(Coverage::Reaper, found) });
        }
        self.kill_by_number(root, waits)
    }

    fn kill_by_number(&self, root: i32, waits: bool) -> io::Result<KillReport> {
        // Who is stopped starts nobody, so that those who are looked for become no more.
        let _ = self.signal_group(root, libc::SIGSTOP);
        let mut walk = Walk::stopping(&system::processes::Kernel, root);
        let killed = self.signal_group(root, libc::SIGKILL);
        walk.signal(libc::SIGKILL);
        let (found, refused) = (walk.count(), walk.refused());
        let coverage = match self.0.leads {
            Leads::Session if walk.is_settled() => Coverage::Session,
            Leads::Group | Leads::Session => Coverage::Group,
            Leads::Nothing if found == 0 => Coverage::Child,
            Leads::Nothing => Coverage::Walk,
        };
        if found == 0 {
            killed?;
        }
        let waited = if waits && refused == 0 { walk.have_ended(None).map(drop) } else { Ok(()) };
        let failure = walk.failure().or(waited.err()).and_then(|error| errno(&error));
        Ok(KillReport { coverage, found: found.max(1), refused, failure })
    }

    /// The child alone, where it leads no group.
    fn signal_group(&self, root: i32, signal: i32) -> io::Result<()> {
        if self.0.leads == Leads::Nothing { Ok(()) } else { group::signal(root, signal) }
    }

    /// Asks all that can be found now to end: what to wait with for that. A stopped process gets `SIGTERM` only when it is
    /// continued, so `SIGCONT` follows.
    pub(crate) fn terminate(&self, root: i32, is_ours: bool) -> Asked<'_> {
        let mut asked = Asked { leaf: None, walk: None, found: 0, failure: None };
        if let Some(leaf) = &self.0.leaf {
            match unless_gone(leaf.signal(libc::SIGTERM)) {
                Ok(Some(found)) => {
                    asked.note(leaf.signal(libc::SIGCONT));
                    return Asked { leaf: Some(leaf), found, ..asked };
                }
                Ok(None) => {}
                Err(error) => {
                    asked.note::<()>(Err(error));
                    asked.note(leaf.signal(libc::SIGCONT));
                    return Asked { leaf: Some(leaf), ..asked };
                }
            }
        }
        if !is_ours {
            return asked;
        }
        if self.0.reaps {
            let kernel = &system::reaper::Kernel;
            let sent = asked.note(kernel.signal(root, libc::SIGTERM));
            asked.note(kernel.signal(root, libc::SIGCONT));
            return Asked { found: sent.map_or(0, |sent| sent.count), ..asked };
        }
        // The list first, and each once: a program may take a second signal for more than the first.
        let mut walk = Walk::signalling(&system::processes::Kernel, root, libc::SIGTERM);
        if walk.count() > walk.refused() {
            walk.signal(libc::SIGCONT);
            return Asked { found: walk.count(), walk: Some(walk), ..asked };
        }
        // Without pidfd_open(2) each process of the list is refused, and the group and the child remain.
        if walk.refused() > 0 {
            asked.note(walk.failure().map_or(Ok(()), Err));
        }
        if self.0.leads != Leads::Nothing {
            let sent = asked.note(self.signal_group(root, libc::SIGTERM));
            asked.note(self.signal_group(root, libc::SIGCONT));
            asked.found = usize::from(sent.is_some());
        }
        asked
    }

    /// What is left over when nobody holds the child any more.
    pub(crate) fn into_leaf(self) -> Option<ChildCgroup> {
        self.0.leaf
    }

    /// Takes the status of orphans that fell to this process.
    pub(crate) fn collect_orphans(&self, root: i32) {
        if self.0.reaps {
            reaper::collect(&system::reaper::Kernel, root);
        }
    }
}

/// `None` for what is not there any more.
fn unless_gone<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}

/// What the system said. An error of this library's has no number.
fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw)
}

/// Those that were asked to end.
pub(crate) struct Asked<'a> {
    leaf: Option<&'a ChildCgroup>,
    walk: Option<Walk<'static, system::processes::Kernel>>,
    /// How many. Of none, not even the child was asked.
    pub(crate) found: usize,
    failure: Option<io::Error>,
}

impl Asked<'_> {
    /// Notes an error, unless it says that nobody is there.
    fn note<T>(&mut self, done: io::Result<T>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(error) => {
                let is_gone = error.raw_os_error() == Some(libc::ESRCH);
                self.failure = self.failure.take().or((!is_gone).then_some(error));
                None
            }
        }
    }

    /// Waits until they have ended, or it is time; whether they have, as far as that can be known. `None`: it cannot.
    pub(crate) fn have_ended(&mut self, end: Option<Instant>) -> Option<bool> {
        let ended = match (self.leaf, &mut self.walk) {
            (Some(leaf), _) => leaf.is_empty_by(end),
            (None, Some(walk)) => walk.have_ended(end),
            (None, None) => return None,
        };
        self.note(ended)
    }

    /// The first error on the way.
    pub(crate) fn failure(self) -> Option<Errno> {
        let failure = self.failure.or_else(|| self.walk.and_then(Walk::failure));
        failure.and_then(|error| errno(&error))
    }
}
