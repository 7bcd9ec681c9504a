//! What holds together all that descends from a child.

/// What is to hold together all that descends from a child ([`Command::containment`](crate::Command::containment)), so that
/// [`Child::kill_tree`](crate::Child::kill_tree) can end it as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Containment {
    /// A process group of the child's own, and where one can be made a control group, too: below the one that
    /// [`Command::cgroup`](crate::Command::cgroup) names, or else below this process's own.
    ///
    /// A command that joins another process group or starts a session does that instead.
    #[default]
    Auto,
    /// A control group of the child's own, version 2 (cgroups(7)). It is made at each start, below the one that
    /// [`Command::cgroup`](crate::Command::cgroup) names, or else below this process's own, and is removed when it is empty
    /// and the [`Child`](crate::Child) is dropped.
    ///
    /// A descendant leaves it only by a write to the file `cgroup.procs` of another group. A child with this process's user may
    /// do that, because this process may. A child with another user ([`Command::uid`](crate::Command::uid)) may not, unless
    /// that user may write to that file in a group above. [`Coverage`](crate::Coverage) says which of both held.
    ///
    /// Linux. Elsewhere [`Error::Unsupported`](crate::Error::Unsupported); where none can be made,
    /// [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Cgroup`](crate::Stage::Cgroup).
    Cgroup,
    /// This process becomes a reaper (`PROC_REAP_ACQUIRE` of procctl(2)): orphans among its descendants fall to it, instead
    /// of to init, and the kernel tells from which child each descends. No descendant can leave. One that becomes a reaper
    /// itself hides its own descendants until it ends; with its end they fall to this process.
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
