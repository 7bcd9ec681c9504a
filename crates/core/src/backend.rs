//! What one operating system offers, beyond the calls that all have in common.

use crate::loop_bound;
use crate::{
    BulkRefusal, CStrArray, CloseStrategy, Closed, Errno, Fd, FdEnumerator, Gap, Pid, Resource, Signal, Sys,
};
use core::ffi::CStr;

/// One operating system: its way of closing many descriptors, of listing them, and the operations only some have.
///
/// A backend is a decision-maker over its own system-call trait, so that a simulated kernel can stand in for the real
/// one. The closing chain asks [`close_gap`](Self::close_gap) first, then the [`enumerators`](Self::enumerators) in
/// their order, then closes every number below [`loop_bound`](Self::loop_bound).
///
/// # Safety
///
/// All methods but [`before_launch`](Self::before_launch), [`has_execed`](Self::has_execed), [`learn`](Self::learn),
/// [`has`](Self::has) and [`bulk_closer`](Self::bulk_closer) run in the child. They meet the requirements
/// of [`Sys`]: no allocation, no lock, no panic, and only async-signal-safe calls. [`close_gap`](Self::close_gap) closes no
/// descriptor outside the gap.
pub unsafe trait Backend: Sync {
    /// The system calls.
    type Sys: Sys;

    /// The system calls.
    fn sys(&self) -> &Self::Sys;

    /// What is here, as data.
    fn capabilities(&self) -> &'static Capabilities;

    /// In the parent, before each launch, while nothing forbids to allocate or to lock. A backend looks up here what a child may
    /// not look up, such as the address of a function (dlsym(3)) or the release, and remembers it.
    fn before_launch(&self) {}

    /// In the parent, before a launch: whether the running release has the operation. A backend overrides this if a release
    /// that it supports lacks an operation of [`Capabilities::operations`]. Asking starts nothing and changes nothing.
    fn has(&self, operation: Operation) -> bool {
        self.capabilities().has(operation)
    }

    /// In the parent: the name of the call that [`close_gap`](Self::close_gap) makes on the running release.
    fn bulk_closer(&self) -> Option<&'static str> {
        self.capabilities().bulk_closer
    }

    /// Closes all descriptors of one gap with one call.
    ///
    /// # Errors
    ///
    /// Any errno sends the chain to its next link; nothing need have been closed. `ENOSYS` if the system has no such call.
    fn close_gap(&self, _gap: Gap) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// The memory of a refusal of that call. `None` if the system has no such call.
    fn bulk_refusal(&self) -> Option<&BulkRefusal> {
        None
    }

    /// The ways of listing the open descriptors, best first.
    fn enumerators(&self) -> &[&dyn FdEnumerator<Self::Sys>];

    /// One more than the highest number that an open descriptor may have.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW` where so many numbers cannot be closed one by one in bounded time.
    fn loop_bound(&self) -> Result<Fd, Errno> {
        loop_bound(self.sys())
    }

    /// Makes a descriptor table that is shared with the parent the caller's own. What lies above `highest` need not be
    /// copied; the answer says whether all of that is closed now.
    ///
    /// # Errors
    ///
    /// The errno, `ENOSYS` where no launcher of this system shares the table.
    fn own_table(&self, _highest: Fd) -> Result<bool, Errno> {
        Err(Errno::NOSYS)
    }

    /// Executes a program. A system whose exec can do more than execve(2), such as closing descriptors, does it here.
    ///
    /// # Errors
    ///
    /// The errno of execve(2): nothing was executed.
    fn execve(
        &self,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<<Self::Sys as Sys>::Executed, Errno> {
        self.sys().execve(path, argv, env)
    }

    /// Whether descriptors that [`close_gap`](Self::close_gap) answered for are still open, because only
    /// [`execve`](Self::execve) was to close them, and that answered `errno` for a reason that may lie in the closing.
    ///
    /// It is asked after each failed `execve`. Where it says so the chain goes on with its next link, and the program is
    /// tried once more: this time by an `execve` that closes nothing by itself.
    fn owes_closing(&self, _errno: Errno) -> bool {
        false
    }

    /// Asks for `signal` when the parent dies.
    ///
    /// # Errors
    ///
    /// The errno, `ENOSYS` where the system has no such thing.
    fn die_with_parent(&self, _signal: Signal) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Gives up all privileges that an exec could grant.
    ///
    /// # Errors
    ///
    /// The errno, `ENOSYS` where the system has no such thing.
    fn no_new_privs(&self) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// In the parent, when the report channel has ended as it does at exec: whether `child` has executed a program or was
    /// ended in the very call, `None` where the system does not tell.
    fn has_execed(&self, _child: Pid, _parent: Pid) -> Option<bool> {
        None
    }

    /// In the parent, after a launch: what closing met with, so that a refusal costs only once per process.
    fn learn(&self, closed: &Closed) {
        if let Some(refusal) = self.bulk_refusal() {
            refusal.learn(closed);
        }
    }

    /// Where the chain begins, by what was learned.
    fn first_link(&self) -> CloseStrategy {
        self.bulk_refusal().map_or(CloseStrategy::Enumerate, BulkRefusal::first_link)
    }
}

/// An operation that not every system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// A signal when the parent dies.
    DieWithParent,
    /// Control groups, version 2 (cgroups(7)).
    Cgroup,
    /// Giving up privileges that exec could grant.
    NoNewPrivs,
}

/// What a backend has, as data: for `prepare`, which refuses what is not here, and for people.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// The system's name: `Linux`.
    pub system: &'static str,
    /// The call that closes many descriptors at once: `close_range`. The one of the latest release, if releases differ.
    pub bulk_closer: Option<&'static str>,
    /// The enumerators in the order of [`Backend::enumerators`].
    pub enumerators: &'static [&'static str],
    /// The launchers, best first.
    pub launchers: &'static [crate::SpawnMethod],
    /// The operations beyond what every system has. An older release may lack one: [`Backend::has`].
    pub operations: &'static [Operation],
    /// The resources that can be limited, by the names that people know (`nofile`).
    pub resources: &'static [(&'static str, Resource)],
    /// Signals that sigaction(2) refuses beside `SIGKILL` and `SIGSTOP`, because the kernel or the C library keeps them.
    pub reserved_signals: &'static [Signal],
    /// The list that setgroups(2) takes.
    pub group_list: GroupList,
}

/// The meaning of the list that setgroups(2) takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupList {
    /// The supplementary groups. The effective group ID is separate.
    Supplementary,
    /// The first element is the effective group ID: setgroups(2) sets it, and setregid(2) replaces that element.
    EffectiveFirst,
}

impl GroupList {
    /// The list for setgroups(2) that gives a process these supplementary groups and leaves its effective group ID at
    /// `effective`.
    pub fn arrange(self, groups: &[u32], effective: u32) -> impl Iterator<Item = u32> {
        let first = (self == Self::EffectiveFirst).then_some(effective);
        first.into_iter().chain(groups.iter().copied().filter(move |&group| first != Some(group)))
    }
}

impl Capabilities {
    /// Whether the system has the operation.
    pub fn has(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Operation::Cgroup, true)]
    #[case(Operation::DieWithParent, false)]
    fn system_has_the_operations_it_names(#[case] operation: Operation, #[case] has: bool) {
        let capabilities = Capabilities {
            system: "Example",
            bulk_closer: None,
            enumerators: &[],
            launchers: &[],
            operations: &[Operation::Cgroup, Operation::NoNewPrivs],
            resources: &[],
            reserved_signals: &[],
            group_list: GroupList::Supplementary,
        };
        assert_eq!(capabilities.has(operation), has);
    }

    #[rstest]
    #[case::separate(GroupList::Supplementary, &[100, 50], &[100, 50])]
    #[case::none_separate(GroupList::Supplementary, &[], &[])]
    #[case::first(GroupList::EffectiveFirst, &[100, 101], &[50, 100, 101])]
    #[case::moved_to_the_front(GroupList::EffectiveFirst, &[100, 50], &[50, 100])]
    #[case::none_but_the_effective_one(GroupList::EffectiveFirst, &[], &[50])]
    fn group_list_keeps_the_effective_group(
        #[case] rule: GroupList,
        #[case] groups: &[u32],
        #[case] list: &[u32],
    ) {
        assert!(rule.arrange(groups, 50).eq(list.iter().copied()));
    }
}
