//! The interface to one operating system, beyond the common calls.

use crate::loop_bound;
use crate::{
    Access, Attribute, BulkRefusal, CStrArray, CloseStrategy, Closed, Errno, Fd, FdEnumerator, Gap, IdMaps,
    IoPriority, Lender, NamespaceSet, Pid, Resource, Scheduler, Signal, Sys, Taking, Wanted,
};
use core::ffi::{CStr, c_ulong};

/// One operating system: how it closes many descriptors, how it lists them, and the operations that only some systems have.
///
/// A backend makes its decisions over a system-call trait of its own, which a simulated kernel can implement, too. The closing
/// chain calls [`close_gap`](Self::close_gap) first, then the [`enumerators`](Self::enumerators) in their order. Then it
/// closes every number below [`loop_bound`](Self::loop_bound).
///
/// # Safety
///
/// All methods but [`before_launch`](Self::before_launch), [`has_execed`](Self::has_execed), [`learn`](Self::learn),
/// [`has`](Self::has), [`has_scheduler`](Self::has_scheduler), [`highest_priority`](Self::highest_priority),
/// [`has_io_priority`](Self::has_io_priority),
/// [`most_processors`](Self::most_processors), [`processors`](Self::processors) and [`bulk_closer`](Self::bulk_closer) run in the child. They meet the requirements
/// of [`Sys`]: no allocation, no lock, no panic, and only async-signal-safe calls. [`close_gap`](Self::close_gap) and
/// [`set_gap_cloexec`](Self::set_gap_cloexec) change no descriptor outside the gap.
pub unsafe trait Backend: Sync {
    /// The system calls.
    type Sys: Sys;

    /// The system calls.
    fn sys(&self) -> &Self::Sys;

    /// The capabilities, as data.
    fn capabilities(&self) -> &'static Capabilities;

    /// Prepares a launch. Runs in the parent, before each launch, and may allocate and take locks. A backend finds out here
    /// what a child may not, such as the address of a function (dlsym(3)) or the release, and remembers it.
    fn before_launch(&self) {}

    /// Returns whether the running release has the operation. Runs in the parent, before a launch. A backend overrides this
    /// if a supported release lacks an operation of [`Capabilities::operations`]. It starts and changes nothing.
    fn has(&self, operation: Operation) -> bool {
        self.capabilities().has(operation)
    }

    /// Returns whether the system has the scheduling policy. Runs in the parent, and only if the system has
    /// [`Operation::Scheduler`].
    fn has_scheduler(&self, _scheduler: Scheduler) -> bool {
        true
    }

    /// The highest priority of the policies that have one. The lowest is 1. Runs in the parent.
    fn highest_priority(&self) -> u8 {
        99
    }

    /// Returns whether the system has the I/O priority. Runs in the parent, and only if the system has [`Operation::IoPriority`].
    fn has_io_priority(&self, _priority: IoPriority) -> bool {
        true
    }

    /// The most processors that a set may have ([`Operation::CpuAffinity`]). Runs in the parent.
    fn most_processors(&self) -> usize {
        usize::MAX
    }

    /// Writes the processors that may run the calling thread, as in [`Attribute::CpuAffinity`]. A system that does not tell them has
    /// the first one. Runs in the parent.
    ///
    /// # Errors
    ///
    /// Returns the errno of the call.
    fn processors(&self, mask: &mut [c_ulong]) -> Result<(), Errno> {
        *mask.first_mut().ok_or(Errno::INVAL)? = 1;
        Ok(())
    }

    /// The name of the call that [`close_gap`](Self::close_gap) makes on the running release. Runs in the parent.
    fn bulk_closer(&self) -> Option<&'static str> {
        self.capabilities().bulk_closer
    }

    /// Closes all descriptors of one gap with one call.
    ///
    /// # Errors
    ///
    /// Returns any errno, and the chain continues with its next step. The gap may still be open. `ENOSYS` if the system has no
    /// such call.
    fn close_gap(&self, _gap: Gap) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Sets close-on-exec on all descriptors of one gap with one call. Closes nothing.
    ///
    /// # Errors
    ///
    /// Returns any errno, and the chain continues with its next step. Some flags may have changed. `ENOSYS` if the system has
    /// no such call.
    fn set_gap_cloexec(&self, _gap: Gap) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// The record of refusals of that call. `None` if the system has no such call.
    fn bulk_refusal(&self) -> Option<&BulkRefusal> {
        None
    }

    /// The lists of open descriptors, best first.
    fn enumerators(&self) -> &[&dyn FdEnumerator<Self::Sys>];

    /// One more than the highest number that an open descriptor may have.
    ///
    /// # Errors
    ///
    /// Returns `EOVERFLOW` if there are too many numbers to close one by one in bounded time.
    fn loop_bound(&self) -> Result<Fd, Errno> {
        loop_bound(self.sys())
    }

    /// Replaces a descriptor table that the child shares with its parent by one of its own. Descriptors above `highest` need
    /// not be copied. Returns whether all of them are closed now.
    ///
    /// # Errors
    ///
    /// Returns the errno, `ENOSYS` if no launcher of this system shares the table.
    fn own_table(&self, _highest: Fd) -> Result<bool, Errno> {
        Err(Errno::NOSYS)
    }

    /// Returns how the child may be able to [`take`](Self::take) a descriptor from this thread, as far as is known. `reopen` is
    /// the access with which it may open the file anew, if it need not have the same open file description.
    fn can_take(&self, _lender: Pid, _reopen: Option<Access>) -> Option<Taking> {
        None
    }

    /// Opens a descriptor of the suspended thread `lender`, which started the child and shared its table. Returns its number in
    /// the child, close-on-exec.
    ///
    /// # Errors
    ///
    /// Returns any errno, and the launcher starts another child, which copies the table. The backend remembers a refusal.
    fn take(&self, _lender: &Lender, _wanted: &Wanted) -> Result<Fd, Errno> {
        Err(Errno::NOSYS)
    }

    /// The names of the means of [`take`](Self::take), in the order in which a child tries them.
    fn take_means(&self) -> &'static [&'static str] {
        &[]
    }

    /// Takes a descriptor of the process `lender` by the means with this index, for a probe. Remembers nothing.
    ///
    /// # Errors
    ///
    /// Returns any errno of that means.
    fn take_by(&self, _index: usize, _lender: Pid, _wanted: &Wanted) -> Result<Fd, Errno> {
        Err(Errno::NOSYS)
    }

    /// Executes a program. A system whose exec can do more than execve(2), such as closing descriptors, does it here.
    ///
    /// # Errors
    ///
    /// Returns the errno of execve(2).
    fn execve(
        &self,
        path: &CStr,
        argv: CStrArray<'_>,
        env: Option<CStrArray<'_>>,
    ) -> Result<<Self::Sys as Sys>::Executed, Errno> {
        self.sys().execve(path, argv, env)
    }

    /// Executes the program that a descriptor refers to.
    ///
    /// # Errors
    ///
    /// Returns the errno of execveat(2), `ENOSYS` if the system has no such call.
    fn execute(
        &self,
        _program: Fd,
        _argv: CStrArray<'_>,
        _env: Option<CStrArray<'_>>,
    ) -> Result<<Self::Sys as Sys>::Executed, Errno> {
        Err(Errno::NOSYS)
    }

    /// Returns whether descriptors are still open for which [`close_gap`](Self::close_gap) returned `Ok`. That is so if
    /// [`execve`](Self::execve) was to close them, and failed with `errno` for a reason that may lie in the closing.
    ///
    /// The child calls this after each failed `execve`. If it returns true, the chain continues with its next step. Then the
    /// child calls `execve` once more, which now closes nothing.
    fn owes_closing(&self, _errno: Errno) -> bool {
        false
    }

    /// Requests `signal` for the death of the parent.
    ///
    /// # Errors
    ///
    /// Returns the errno, `ENOSYS` if the system has no such call.
    fn die_with_parent(&self, _signal: Signal) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Gives up all privileges that an exec could grant.
    ///
    /// # Errors
    ///
    /// Returns the errno, `ENOSYS` if the system has no such call.
    fn no_new_privs(&self) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Joins the namespace that a descriptor refers to.
    ///
    /// # Errors
    ///
    /// Returns the errno, `ENOSYS` if the system has no namespaces.
    fn join_namespace(&self, _namespace: Fd) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Creates namespaces of these kinds for a process that was created without them.
    ///
    /// # Errors
    ///
    /// Returns the errno, `ENOSYS` if the system has no namespaces.
    fn unshare(&self, _namespaces: NamespaceSet) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Maps the IDs of the user namespace in which the process is.
    ///
    /// # Errors
    ///
    /// Returns the errno, `ENOSYS` if the system has no namespaces.
    fn map_ids(&self, _maps: IdMaps<'_>) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Sets an attribute of the calling process. A descriptor in it is that of the child.
    ///
    /// # Errors
    ///
    /// Returns the errno, `ENOSYS` if the system has no such attribute.
    fn set_attribute(&self, _attribute: Attribute<'_>) -> Result<(), Errno> {
        Err(Errno::NOSYS)
    }

    /// Returns whether `child` has executed a program, or ended within execve(2). `None` if the system does not tell. Runs in
    /// the parent, after the report channel ended as it does at exec.
    fn has_execed(&self, _child: Pid, _parent: Pid) -> Option<bool> {
        None
    }

    /// Remembers a refusal of the bulk call, so that it costs one call per process. Runs in the parent, after a launch.
    fn learn(&self, closed: &Closed) {
        if let Some(refusal) = self.bulk_refusal() {
            refusal.learn(closed);
        }
    }

    /// The step with which the chain begins, by what is remembered.
    fn first_strategy(&self) -> CloseStrategy {
        self.bulk_refusal().map_or(CloseStrategy::Enumerate, BulkRefusal::first_strategy)
    }
}

/// An operation that not every system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A signal at the death of the parent.
    DieWithParent,
    /// Children that the kernel reaps and, if their parent dies, kills (`CLONE_AUTOREAP` of clone3(2)).
    Autoreap,
    /// Control groups, version 2 (cgroups(7)).
    Cgroup,
    /// Giving up privileges that exec could grant.
    NoNewPrivs,
    /// Executing an open file (execveat(2)).
    ExecuteFile,
    /// Namespaces (namespaces(7)).
    Namespaces,
    /// New time namespaces (time_namespaces(7)).
    TimeNamespace,
    /// Jails (jail(8)).
    Jail,
    /// The nice value of the autogroup of a session (sched(7)).
    Autogroup,
    /// The processors that may run the program.
    CpuAffinity,
    /// The scheduling policy.
    Scheduler,
    /// The I/O priority.
    IoPriority,
    /// NUMA memory policies (set_mempolicy(2)).
    MemoryPolicy,
    /// The timer slack.
    TimerSlack,
    /// The adjustment of the out-of-memory killer's choice.
    OomScore,
    /// Fixed addresses, without randomization of the address space.
    FixedAddresses,
    /// Capabilities and securebits (capabilities(7)).
    Capabilities,
    /// A session keyring (session-keyring(7)).
    SessionKeyring,
    /// Unveiled paths (unveil(2)).
    Unveil,
    /// Promises (pledge(2)).
    Pledge,
    /// Landlock rulesets (landlock(7)).
    Landlock,
    /// Seccomp filters (seccomp(2)).
    Seccomp,
    /// Starting a program stopped, before its first instruction.
    StartSuspended,
}

/// The capabilities of a backend, as data. `prepare` refuses an operation that is not among them.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// The name of the system, such as `Linux`.
    pub system: &'static str,
    /// The call that closes many descriptors at once, such as `close_range`. If releases differ, that of the latest.
    pub bulk_closer: Option<&'static str>,
    /// The enumerators in the order of [`Backend::enumerators`].
    pub enumerators: &'static [&'static str],
    /// The launchers, best first.
    pub launchers: &'static [crate::SpawnMethod],
    /// The operations that not every system has. An older release may lack one: see [`Backend::has`].
    pub operations: &'static [Operation],
    /// The resources that can be limited, by their usual names (`nofile`).
    pub resources: &'static [(&'static str, Resource)],
    /// The signals that sigaction(2) refuses besides `SIGKILL` and `SIGSTOP`, because the kernel or the C library reserves them.
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
    /// The list for setgroups(2) that sets these supplementary groups and leaves the effective group ID at `effective`.
    pub fn arrange(self, groups: &[u32], effective: u32) -> impl Iterator<Item = u32> {
        let first = (self == Self::EffectiveFirst).then_some(effective);
        first.into_iter().chain(groups.iter().copied().filter(move |&group| first != Some(group)))
    }
}

impl Capabilities {
    /// Returns whether the system has the operation.
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
