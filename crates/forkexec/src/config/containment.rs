//! The containment of a child and its descendants.

/// The means that keep a child and its descendants together
/// ([`Command::containment`](crate::Command::containment)), so that
/// [`Child::kill_tree`](crate::Child::kill_tree) can kill all of them.
///
/// The result depends on the system and on what the child does:
/// [`KillReport::coverage`](crate::KillReport::coverage) tells which guarantee held.
///
/// # Examples
///
/// ```
/// use forkexec::{Command, Containment, Coverage};
///
/// let mut job = Command::new("sh").args(["-c", "sleep 600 & wait"]).containment(Containment::Session).spawn()?;
/// let report = job.kill_tree()?;
/// assert!(report.coverage() >= Coverage::Group);
/// job.wait()?;
/// # Ok::<(), forkexec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Containment {
    /// A process group that the child leads, and a control group of its own where one can be created. The
    /// control group is below the group that [`Command::cgroup`](crate::Command::cgroup) names, or else below
    /// the group of this process.
    ///
    /// If the command joins another process group or starts a session, it does that instead.
    #[default]
    Auto,
    /// A control group (version 2, cgroups(7)) of the child's own. Each start creates it, below the group
    /// that [`Command::cgroup`](crate::Command::cgroup) names, or else below the group of this process. It is
    /// removed when it is empty and the [`Child`](crate::Child) is dropped.
    ///
    /// A descendant leaves the group only by a write to the file `cgroup.procs` of another group. A child
    /// with this process's user can do that, because this process can. A child with another user
    /// ([`Command::uid`](crate::Command::uid)) cannot, unless that user may write to that file in a group
    /// above. [`Coverage`](crate::Coverage) tells which of the two held.
    ///
    /// Linux only. On other systems the start returns [`Error::Unsupported`](crate::Error::Unsupported). If
    /// no group can be created, it returns [`Error::Spawn`](crate::Error::Spawn) at
    /// [`Stage::Cgroup`](crate::Stage::Cgroup).
    Cgroup,
    /// This process becomes a reaper (`PROC_REAP_ACQUIRE` of procctl(2)). It inherits its orphaned
    /// descendants instead of init, and the kernel records from which child each of them descends. No
    /// descendant can leave. If a descendant becomes a reaper itself, its own descendants are hidden until it
    /// ends; then this process inherits them.
    ///
    /// The setting holds for the whole process, and cannot be reverted. This process also inherits the
    /// orphans of its other children, which stay zombies unless they are waited for.
    ///
    /// FreeBSD only. On other systems the start returns [`Error::Unsupported`](crate::Error::Unsupported).
    Reaper,
    /// A session that the child leads, as with [`Command::setsid`](crate::Command::setsid). A descendant
    /// leaves it by starting another session.
    Session,
    /// A process group that the child leads, as with
    /// [`Command::process_group(0)`](crate::Command::process_group). A descendant leaves it by joining or
    /// starting another group, as interactive shells do.
    Group,
}
