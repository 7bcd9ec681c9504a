//! Attributes that decide when and where the child runs: processors, policies, priorities.

use super::CommandBuilder;
use forkexec_core::{IoPriority, MemoryPolicy, Scheduler};
use std::time::Duration;

impl<M> CommandBuilder<'_, M> {
    /// Sets the processors that may run the child (sched_setaffinity(2) of Linux, cpuset_setaffinity(2) of FreeBSD,
    /// lwp_setaffinity(2) of DragonFly, affinity(3) of NetBSD, processor_bind(2) of Solaris and illumos), by their numbers from 0 to 8191. Solaris and illumos can bind it to one.
    ///
    /// The kernels of Linux, DragonFly and NetBSD ignore a processor that does not exist. So the child checks the result on Linux and
    /// DragonFly, and the numbers on NetBSD.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::NoProcessor`](crate::InputError::NoProcessor) if the set is empty, and
    ///   [`InputError::AttributeOutOfRange`](crate::InputError::AttributeOutOfRange) if a number is above 8191.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems, and for several processors on Solaris and
    ///   illumos.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::CpuAffinity`](crate::Stage::CpuAffinity) with `EINVAL` if
    ///   a processor does not exist, is offline, or is not in the cpuset of the child (cpuset(7), cpuset(1)). NetBSD returns `EPERM` if
    ///   all of them are offline, or one is in a processor set (psrset(8)), or without privilege, unless the sysctl(7) variable
    ///   `security.models.extensions.user_set_cpu_affinity` is set.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Operation, supports};
    ///
    /// if supports(Operation::CpuAffinity) {
    ///     let status = Command::new("true").cpu_affinity([0]).status();
    ///     // Processor 0 may be outside of the cpuset of this process.
    ///     assert!(status.is_ok() || status.unwrap_err().as_spawn().is_some());
    /// }
    /// ```
    pub fn cpu_affinity(&mut self, processors: impl IntoIterator<Item = usize>) -> &mut Self {
        self.settings.attributes.cpus = Some(processors.into_iter().collect());
        self
    }

    /// Sets the scheduling policy of the child (sched_setscheduler(2) and sched_setattr(2) of Linux, rtprio(2) of FreeBSD and
    /// DragonFly, sched(3) of NetBSD, the classes TS and RT of priocntl(2) of Solaris and illumos, `PRIO_DARWIN_PROCESS` of setpriority(2)
    /// of macOS). The nice value stays.
    ///
    /// | system | policies |
    /// |---|---|
    /// | Linux | all |
    /// | FreeBSD | [`Other`](Scheduler::Other), [`Idle`](Scheduler::Idle) with the lowest idle priority, [`Fifo`](Scheduler::Fifo) and [`RoundRobin`](Scheduler::RoundRobin) up to 31 |
    /// | DragonFly | as FreeBSD, without `Fifo` |
    /// | NetBSD | `Other`, `Fifo` and `RoundRobin` up to 63 |
    /// | Solaris, illumos | `Other`, `Fifo` and `RoundRobin` up to 59 |
    /// | macOS | `Other`, and `Idle`: the background, which also throttles disk and network |
    ///
    /// [`Scheduler::Deadline`] (Linux 3.14) needs all processors of the cpuset, and fails with `EBUSY` if they have no time left.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::AttributeOutOfRange`](crate::InputError::AttributeOutOfRange) if a priority is not in the
    ///   range 1 to 99, or to the highest one of the system, or unless 1,024 ns ≤ `runtime` ≤ `deadline` ≤ `period`.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems, and for a policy that the system lacks.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Scheduler`](crate::Stage::Scheduler) with `EPERM` without
    ///   privilege: on Linux `CAP_SYS_NICE` or a sufficient `RLIMIT_RTPRIO`. FreeBSD and DragonFly also require it for
    ///   [`Scheduler::Idle`].
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Operation, Scheduler, supports};
    ///
    /// if supports(Operation::Scheduler) {
    ///     assert!(Command::new("true").scheduler(Scheduler::Other).status()?.success());
    /// }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn scheduler(&mut self, policy: Scheduler) -> &mut Self {
        self.settings.attributes.scheduler = Some(policy);
        self
    }

    /// Sets the I/O priority of the child (ioprio_set(2) of Linux, setiopolicy_np(3) of macOS). Without it, the priority follows from the
    /// nice value on Linux. macOS has [`IoPriority::Idle`] only: it throttles disk access (`IOPOL_THROTTLE`).
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::AttributeOutOfRange`](crate::InputError::AttributeOutOfRange) if a level is above 7.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems, and for a priority that the system lacks.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::IoPriority`](crate::Stage::IoPriority) with `EPERM` if the
    ///   class needs a privilege that the parent lacks.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, IoPriority, Operation, supports};
    ///
    /// if supports(Operation::IoPriority) {
    ///     assert!(Command::new("true").io_priority(IoPriority::Idle).status()?.success());
    /// }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn io_priority(&mut self, priority: IoPriority) -> &mut Self {
        self.settings.attributes.io_priority = Some(priority);
        self
    }

    /// Sets the nice value of the autogroup of the child, from -20 to 19 (sched(7), Linux 2.6.38). If the kernel groups processes by
    /// session (`kernel.sched_autogroup_enabled`), it decides how much processor time the whole session gets, and
    /// [`nice`](Self::nice) counts within the session alone.
    ///
    /// The autogroup belongs to the session, so the command must create one: [`setsid`](Self::setsid).
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::AttributeOutOfRange`](crate::InputError::AttributeOutOfRange) for another value, and
    ///   [`InputError::AutogroupWithoutSession`](crate::InputError::AutogroupWithoutSession) if the child creates no session.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::Autogroup`](crate::Stage::Autogroup): `ENOENT` if the
    ///   kernel has no autogroups, `EPERM` for a negative value without privilege, and `EAGAIN` if a process without privilege set
    ///   one in the last tenth of a second.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Stage};
    ///
    /// if let Err(error) = Command::new("true").setsid().autogroup_nice(10).status() {
    ///     // The kernel or the system may have no autogroups.
    ///     assert!(error.as_spawn().is_none_or(|error| error.stage() == Stage::Autogroup));
    /// }
    /// ```
    pub fn autogroup_nice(&mut self, nice: i32) -> &mut Self {
        self.settings.attributes.autogroup = Some(nice);
        self
    }

    /// Sets the NUMA nodes from which the kernel takes the memory of the child, by their numbers from 0 to 1023
    /// (set_mempolicy(2), Linux). The program and its descendants inherit the policy.
    ///
    /// [`MemoryPolicy::Preferred`] takes one node, [`MemoryPolicy::Local`] none, the others at least one. The child checks the result:
    /// the kernel ignores a node that does not exist.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::AttributeOutOfRange`](crate::InputError::AttributeOutOfRange) for another number of nodes, or
    ///   for a node above 1023.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::MemoryPolicy`](crate::Stage::MemoryPolicy): `EINVAL` if a
    ///   node does not exist, has no memory, or is not in the cpuset of the child, `ENOSYS` if the kernel has no NUMA.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, MemoryPolicy, Stage};
    ///
    /// if let Err(error) = Command::new("true").memory_policy(MemoryPolicy::Bind, [0]).status() {
    ///     // The kernel or the system may have no NUMA.
    ///     assert!(error.as_spawn().is_none_or(|error| error.stage() == Stage::MemoryPolicy));
    /// }
    /// ```
    pub fn memory_policy(
        &mut self,
        policy: MemoryPolicy,
        nodes: impl IntoIterator<Item = usize>,
    ) -> &mut Self {
        self.settings.attributes.memory = Some((policy, nodes.into_iter().collect()));
        self
    }

    /// Sets by how much the timers of the child may expire late (`PR_SET_TIMERSLACK`, Linux). The minimum is 1 ns, the usual value
    /// 50 µs. A longer time saves power.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::AttributeOutOfRange`](crate::InputError::AttributeOutOfRange) for zero, and for more
    ///   nanoseconds than an `unsigned long` of C holds.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::TimerSlack`](crate::Stage::TimerSlack) if prctl(2) fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Operation, supports};
    /// use std::time::Duration;
    ///
    /// if supports(Operation::TimerSlack) {
    ///     assert!(Command::new("true").timer_slack(Duration::from_millis(1)).status()?.success());
    /// }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn timer_slack(&mut self, slack: Duration) -> &mut Self {
        self.settings.attributes.timer_slack = Some(slack);
        self
    }

    /// Sets how the out-of-memory killer rates the child, from -1000 (never kills it) to 1000 (kills it first)
    /// (proc_pid_oom_score_adj(5), Linux). Without `CAP_SYS_RESOURCE`, it
    /// cannot be below the last value that a privileged process set.
    ///
    /// # Errors
    ///
    /// - The start returns [`InputError::AttributeOutOfRange`](crate::InputError::AttributeOutOfRange) for any other value.
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::OomScore`](crate::Stage::OomScore): `EACCES` without the
    ///   privilege, `ENOENT` without procfs on `/proc`.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::{Command, Operation, supports};
    ///
    /// if supports(Operation::OomScore) {
    ///     let output = Command::new("cat").arg("/proc/self/oom_score_adj").oom_score_adj(1000).output()?;
    ///     assert_eq!(output.stdout, b"1000\n");
    /// }
    /// # Ok::<(), forkexec::Error>(())
    /// ```
    pub fn oom_score_adj(&mut self, score: i32) -> &mut Self {
        self.settings.attributes.oom_score = Some(score);
        self
    }

    /// Loads the child at fixed addresses, as setarch(8) does with `--addr-no-randomize` (personality(2) of Linux), and proccontrol(1)
    /// with `-m aslr -s disable` (`PROC_ASLR_CTL` of procctl(2), FreeBSD 13). On illumos this is psecflags(2), which a program linked
    /// with `-z aslr` overrides, and on macOS a flag of posix_spawn(2), which iOS ignores. Debuggers and measurements need that. It makes attacks on the child easier.
    ///
    /// # Errors
    ///
    /// - The start returns [`Error::Unsupported`](crate::Error::Unsupported) on other systems.
    /// - The start returns [`Error::Spawn`](crate::Error::Spawn) at [`Stage::FixedAddresses`](crate::Stage::FixedAddresses) if
    ///   personality(2) fails. The default filters of containers refuse it with `EPERM`. illumos returns `EPERM` without the basic
    ///   privilege `proc_secflags`, and `EINVAL` if the zone demands random addresses.
    ///
    /// # Examples
    ///
    /// ```
    /// use forkexec::Command;
    ///
    /// let places = || Command::new("head").args(["-n1", "/proc/self/maps"]).fixed_addresses().output();
    /// if let (Ok(one), Ok(other)) = (places(), places()) {
    ///     assert_eq!(one.stdout, other.stdout);
    /// }
    /// ```
    pub fn fixed_addresses(&mut self) -> &mut Self {
        self.settings.attributes.fixed_addresses = true;
        self
    }
}
