//! All that descends from a child, as a whole: what holds it together is chosen when the child starts, and what held is told
//! when it is ended.
//!
//! - `cgroup`: a control group of the child's own, which nobody leaves
//! - `reaper`: a process to which orphans fall, on FreeBSD
//! - `group`: a process group, or a session
//! - `walk`: the system's list of processes, the last resort

pub(crate) mod cgroup;
mod group;
pub(crate) mod reaper;
pub(crate) mod walk;

use crate::platform::reaper as system_reaper;
use crate::settings::Settings;
use cgroup::{Gate, Leaf};
use reaper::Calls;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;
use walk::Walk;

/// What is to hold together all that descends from a child ([`Command::tree`](crate::Command::tree)), so that
/// [`Child::kill_tree`](crate::Child::kill_tree) can end it as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tree {
    /// A process group of the child's own, and where one can be made a control group, too: below the one that
    /// [`Command::cgroup`](crate::Command::cgroup) names, or else below this process's own.
    ///
    /// A command that joins another process group or starts a session does that instead.
    #[default]
    Best,
    /// A control group of the child's own, version 2 (cgroups(7)): no descendant leaves it, whatever it does, unless it is
    /// privileged to write to other groups. It is made at each start, below the one that
    /// [`Command::cgroup`](crate::Command::cgroup) names, or else below this process's own, and is removed when nobody is left
    /// in it and the [`Child`](crate::Child) is dropped.
    ///
    /// Linux. Elsewhere [`Error::Unsupported`](crate::Error::Unsupported); where none can be made,
    /// [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Cgroup`](crate::Stage::Cgroup).
    Cgroup,
    /// This process becomes a reaper (`PROC_REAP_ACQUIRE` of procctl(2)): orphans among its descendants fall to it, instead
    /// of to init, and the kernel tells from which child each descends. No descendant can leave, unless it becomes a reaper
    /// itself.
    ///
    /// That is for the whole process, and for good: orphans of its other children fall to it, too, and stay zombies if
    /// nobody waits for them.
    ///
    /// FreeBSD. Elsewhere [`Error::Unsupported`](crate::Error::Unsupported).
    Reaper,
    /// A session of the child's own, as [`Command::setsid`](crate::Command::setsid). A descendant leaves it by starting
    /// another.
    Session,
    /// A process group of the child's own, as [`Command::process_group`](crate::Command::process_group) with 0. A
    /// descendant leaves it by joining or starting another: interactive shells do.
    Group,
}

/// What held when a tree was ended: who may be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Guarantee {
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
    /// All that descend from the child, whatever they did: this process is their reaper.
    Reaper,
    /// All that descend from the child, whatever they did: they were in a control group.
    Cgroup,
}

impl Guarantee {
    /// Whether no descendant can be left.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Guarantee;
    ///
    /// assert!(Guarantee::Cgroup.is_complete());
    /// assert!(!Guarantee::Group.is_complete());
    /// ```
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Cgroup | Self::Reaper)
    }
}

/// How a tree was ended: [`Child::kill_tree`](crate::Child::kill_tree).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeKilled {
    pub(crate) guarantee: Guarantee,
    pub(crate) found: usize,
    pub(crate) refused: usize,
}

impl TreeKilled {
    /// What held: who may be left.
    pub fn guarantee(&self) -> Guarantee {
        self.guarantee
    }

    /// How many processes there were, as they were counted a moment before the end. Where they are not listed, of a process
    /// group no more is known than that it was signalled: then it is 1.
    pub fn found(&self) -> usize {
        self.found
    }

    /// How many of them may not be signalled by this process, because they changed their user: they are left.
    pub fn refused(&self) -> usize {
        self.refused
    }
}

/// What a command's children are held together by, as far as it is known before a start.
pub(crate) struct Trees {
    /// Where control groups are made, if that is to be tried.
    base: Option<PathBuf>,
    /// It is an error if none can be made.
    needs_cgroup: bool,
    /// It was tried, and is not allowed.
    is_refused: AtomicBool,
    leads: Leads,
    reaps: bool,
    /// The command said that there is a tree to be ended.
    is_chosen: bool,
}

/// Of what a child is the leader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Leads {
    #[default]
    Nothing,
    Group,
    Session,
}

impl Trees {
    pub(crate) fn new(settings: &Settings<'_>) -> Self {
        let tries = matches!(settings.tree, Some(Tree::Best | Tree::Cgroup)) && has_cgroups();
        let leads = match settings.joins_group() {
            _ if settings.starts_session() => Leads::Session,
            Some(0) => Leads::Group,
            _ => Leads::Nothing,
        };
        Self {
            base: tries.then(|| settings.cgroup.clone().or_else(cgroup::own)).flatten(),
            needs_cgroup: settings.tree == Some(Tree::Cgroup),
            is_refused: AtomicBool::new(false),
            leads,
            reaps: settings.tree == Some(Tree::Reaper),
            is_chosen: settings.tree.is_some(),
        }
    }

    /// The control group of one start, if there is to be one and it can be made.
    ///
    /// # Errors
    ///
    /// If it is needed, with the directory below which it cannot be made.
    pub(crate) fn leaf(&self) -> Result<Option<(Leaf, Gate)>, (PathBuf, io::Error)> {
        let base = match &self.base {
            Some(base) => base,
            None if self.needs_cgroup => {
                return Err(("/sys/fs/cgroup".into(), io::Error::from_raw_os_error(libc::ENOENT)));
            }
            None => return Ok(None),
        };
        if self.is_refused.load(Relaxed) && !self.needs_cgroup {
            return Ok(None);
        }
        match Leaf::make(base) {
            Ok(made) => Ok(Some(made)),
            Err(error) if self.needs_cgroup => Err((base.clone(), error)),
            Err(_) => {
                self.is_refused.store(true, Relaxed);
                Ok(None)
            }
        }
    }

    /// Whether a child that may not enter its control group is started without: it will not be tried again.
    pub(crate) fn go_without(&self) -> bool {
        self.is_refused.store(true, Relaxed);
        !self.needs_cgroup
    }

    /// What is to be done in this process before a start.
    pub(crate) fn prepare_process(&self) -> io::Result<()> {
        if self.reaps { system_reaper::Kernel.acquire() } else { Ok(()) }
    }

    /// What holds the tree of a child that was started.
    pub(crate) fn hold(&self, leaf: Option<Leaf>) -> Held {
        Held { is_chosen: self.is_chosen, leaf, leads: self.leads, reaps: self.reaps }
    }
}

fn has_cgroups() -> bool {
    crate::platform::capabilities().has(forkexec_core::Operation::Cgroup)
}

/// Whether this system has reapers whose orphans can be told apart.
pub(crate) fn has_reapers() -> bool {
    system_reaper::IS_THERE
}

/// What holds the tree of one child together.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The command said that there is a tree to be ended.
    is_chosen: bool,
    leaf: Option<Leaf>,
    leads: Leads,
    reaps: bool,
}

impl Held {
    /// Whether the policy for a dropped child is about its tree.
    pub(crate) fn is_chosen(&self) -> bool {
        self.is_chosen
    }

    /// Whether it is known by the child's number alone, so that this must stay the child's.
    pub(crate) fn needs_number(&self) -> bool {
        self.is_chosen && self.leaf.is_none() && !self.reaps && self.leads != Leads::Nothing
    }

    /// Ends all, and waits for that unless told otherwise. `pid` is the child's number if that is its own.
    pub(crate) fn kill(&self, root: i32, is_ours: bool, waits: bool) -> io::Result<TreeKilled> {
        if let Some(found) = self.kill_group_of_its_own(waits) {
            return Ok(TreeKilled { guarantee: Guarantee::Cgroup, found: found?, refused: 0 });
        }
        if !is_ours {
            return Ok(TreeKilled { guarantee: Guarantee::Nothing, found: 0, refused: 0 });
        }
        if self.reaps {
            let found = reaper::kill(&system_reaper::Kernel, root)?;
            return Ok(TreeKilled { guarantee: Guarantee::Reaper, found, refused: 0 });
        }
        self.kill_by_number(root, waits)
    }

    /// `None` if there is no control group, or it is gone.
    fn kill_group_of_its_own(&self, waits: bool) -> Option<io::Result<usize>> {
        let leaf = self.leaf.as_ref()?;
        match leaf.end(waits) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            ended => Some(ended),
        }
    }

    fn kill_by_number(&self, root: i32, waits: bool) -> io::Result<TreeKilled> {
        // Who is stopped starts nobody, so that those who are looked for become no more.
        let _ = self.signal_group(root, libc::SIGSTOP);
        let mut walk = Walk::stopping(root);
        let killed = self.signal_group(root, libc::SIGKILL);
        let Ok(walk) = &mut walk else {
            let guarantee = if self.leads == Leads::Nothing { Guarantee::Child } else { Guarantee::Group };
            return killed.map(|()| TreeKilled { guarantee, found: 1, refused: 0 });
        };
        walk.signal(libc::SIGKILL);
        if waits && walk.refused() == 0 {
            walk.have_ended(None)?;
        }
        let guarantee = match self.leads {
            Leads::Session if walk.is_settled() => Guarantee::Session,
            Leads::Group | Leads::Session => Guarantee::Group,
            Leads::Nothing => Guarantee::Walk,
        };
        Ok(TreeKilled { guarantee, found: walk.count(), refused: walk.refused() })
    }

    /// The child alone, where it leads no group.
    fn signal_group(&self, root: i32, signal: i32) -> io::Result<()> {
        if self.leads == Leads::Nothing { Ok(()) } else { group::signal(root, signal) }
    }

    /// Asks all that can be found now to end: what to wait with for that.
    pub(crate) fn terminate(&self, root: i32, is_ours: bool) -> io::Result<Asked<'_>> {
        if let Some(leaf) = &self.leaf {
            let found = leaf.signal(libc::SIGTERM)?;
            return Ok(Asked { leaf: Some(leaf), walk: None, found });
        }
        if !is_ours {
            return Ok(Asked { leaf: None, walk: None, found: 0 });
        }
        if self.reaps {
            let sent = system_reaper::Kernel.signal(root, libc::SIGTERM);
            let found = sent.or_else(|error| if is_gone(&error) { Ok(0) } else { Err(error) })?;
            return Ok(Asked { leaf: None, walk: None, found });
        }
        // The list first, and each once: a program may take a second signal for more than the first.
        let walk = Walk::signalling(root, libc::SIGTERM).ok();
        if walk.is_none() {
            self.signal_group(root, libc::SIGTERM)?;
        }
        let found = walk.as_ref().map_or(1, Walk::count);
        Ok(Asked { leaf: None, walk, found })
    }

    /// What is left over when nobody holds the child any more.
    pub(crate) fn into_leaf(self) -> Option<Leaf> {
        self.leaf
    }

    /// Takes the status of orphans that fell to this process.
    pub(crate) fn collect_orphans(&self, root: i32) {
        if self.reaps {
            reaper::collect(&system_reaper::Kernel, root);
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ESRCH)
}

/// Those that were asked to end.
pub(crate) struct Asked<'a> {
    leaf: Option<&'a Leaf>,
    walk: Option<Walk>,
    pub(crate) found: usize,
}

impl Asked<'_> {
    /// Waits until they have ended, or it is time; whether they have, as far as that can be known. `None`: it cannot.
    pub(crate) fn have_ended(&self, end: Option<Instant>) -> io::Result<Option<bool>> {
        if let Some(leaf) = self.leaf {
            return leaf.is_empty_by(end).map(Some);
        }
        self.walk.as_ref().map(|walk| walk.have_ended(end)).transpose()
    }
}
