//! The stages of a start, in the order in which they run.
//!
//! The order is data, and [`Stage::ORDER`] is its only definition. It is part of the contract:
//! - The child unshares its descriptor table before it changes a descriptor or a descriptor flag.
//! - Everything that needs privilege comes before the ids change. The groups change before the gid, and the gid before the
//!   uid.
//! - The child enters namespaces before it needs privileges in them, and before it enters a directory, because a mount
//!   namespace has other directories. It enters its control group before, with the privileges of the parent.
//! - The child enters a jail with the privileges of the parent, and before it enters a directory, because a jail has its own root.
//! - The child enters a working directory that is given by its path with the new ids, as in std and Go. An NFS export or a
//!   FUSE mount may admit the new user alone, and root must not enter a directory for a user that may not.
//! - A plan can also enter a directory earlier ([`Stage::EarlyChdir`]). It may be an open directory, because fchdir(2)
//!   checks permission at the time of the call, or a path in the order of CPython.
//! - The parent-death signal is set after the ids, because a change of ids clears it.
//! - The signal mask is restored after the terminal is set. Otherwise `tcsetpgrp` from a background group stops the child
//!   with `SIGTTOU`.
//! - Descriptors are closed after the pre-exec closure, which may open some.
//! - The securebits are set before the user ID changes, so that they hold during the change, and the capabilities after it, because a
//!   change of the user ID removes capabilities.
//! - The ruleset and the filter come last, because they may forbid the calls of earlier stages. A Landlock ruleset may forbid
//!   the list of descriptors, and a seccomp filter every call but execve(2).
//! - A child that starts suspended becomes traced right before exec, because a signal stops a traced process.

/// A step of a start: the step that failed, or the last step that the child began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Stage {
    /// The parent prepares the start: pipes, the report channel, the memory shared with the child.
    Setup,
    /// The parent creates the child process, by a call such as fork(2).
    Start,
    /// The child unshares its descriptor table from the parent.
    UnshareFiles,
    /// The child takes the descriptors with high numbers from its suspended parent.
    TakeFds,
    /// The child clears close-on-exec of the kept descriptors.
    KeepFds,
    /// The child places descriptors 0, 1, 2 and the mapped ones (dup2(2)).
    DupFds,
    /// The child enters its cgroup, unless it was created there.
    Cgroup,
    /// The child joins namespaces and creates new ones: setns(2), unshare(2), or clone(2) itself.
    Namespaces,
    /// The child maps the IDs of its new user namespace (user_namespaces(7)).
    IdMaps,
    /// The child sets the offsets of the clocks of its new time namespace (time_namespaces(7)).
    ClockOffsets,
    /// The child enters a jail: jail_attach(2). Its root and working directory become the root of the jail.
    Jail,
    /// The child changes its root directory: chroot(2), and chdir(2) to the new root.
    Chroot,
    /// The child enters a working directory with the parent's ids: fchdir(2), for one that is given by a descriptor.
    EarlyChdir,
    /// The child sets its umask: umask(2).
    Umask,
    /// The child sets the dispositions of signals.
    Signals,
    /// The child creates a session: setsid(2).
    Session,
    /// The child joins or creates a process group: setpgid(2).
    ProcessGroup,
    /// The child sets the controlling terminal of its session (`TIOCSCTTY`).
    Terminal,
    /// The child makes its process group the terminal's foreground group.
    Foreground,
    /// The child sets its resource limits: setrlimit(2), once for each limit.
    Limits,
    /// The child sets its nice value: setpriority(2).
    Nice,
    /// The child sets the nice value of the autogroup of its session (sched(7)).
    Autogroup,
    /// The child sets the processors that may run it: sched_setaffinity(2).
    CpuAffinity,
    /// The child sets its scheduling policy: sched_setscheduler(2), sched_setattr(2).
    Scheduler,
    /// The child sets its I/O priority: ioprio_set(2).
    IoPriority,
    /// The child sets its NUMA memory policy: set_mempolicy(2).
    MemoryPolicy,
    /// The child sets its timer slack (`PR_SET_TIMERSLACK`).
    TimerSlack,
    /// The child sets its OOM score adjustment (proc_pid_oom_score_adj(5)).
    OomScore,
    /// The child disables address space randomization: personality(2).
    FixedAddresses,
    /// The child removes capabilities from its bounding set (capabilities(7)).
    BoundingSet,
    /// The child sets its securebits (capabilities(7)).
    SecureBits,
    /// The child sets its supplementary groups: setgroups(2).
    Groups,
    /// The child sets its real, effective and saved group ids.
    Gid,
    /// The child sets its real, effective and saved user ids.
    Uid,
    /// The child sets its inheritable and ambient capabilities (capabilities(7)).
    Capabilities,
    /// The child creates a session keyring: keyctl(2).
    SessionKeyring,
    /// The child enters its working directory with the child's ids: chdir(2).
    Chdir,
    /// The child sets `no_new_privs`: exec can no longer grant privileges to it or its descendants.
    NoNewPrivs,
    /// The child asks the kernel for a signal when the parent dies.
    DieWithParent,
    /// The child sets its signal mask.
    Mask,
    /// The child runs the caller's pre-exec closures.
    PreExec,
    /// The child closes all other descriptors.
    Close,
    /// The child hides all paths but some: unveil(2), once for each path.
    Unveil,
    /// The child sets the promises of the program: pledge(2).
    Pledge,
    /// The child enforces a Landlock ruleset: landlock_restrict_self(2).
    Landlock,
    /// The child installs a seccomp filter: seccomp(2).
    Seccomp,
    /// The child asks to be stopped at exec (`PTRACE_TRACEME`), and the parent leaves it stopped.
    Suspend,
    /// The child executes the program, and tries each candidate of the search path in turn.
    Exec,
}

impl Stage {
    /// The stages of a child, in the order in which it runs them.
    pub const ORDER: [Self; 46] = [
        Self::UnshareFiles,
        Self::TakeFds,
        Self::KeepFds,
        Self::DupFds,
        Self::Cgroup,
        Self::Namespaces,
        Self::IdMaps,
        Self::ClockOffsets,
        Self::Jail,
        Self::Chroot,
        Self::EarlyChdir,
        Self::Umask,
        Self::Signals,
        Self::Session,
        Self::ProcessGroup,
        Self::Terminal,
        Self::Foreground,
        Self::Limits,
        Self::Nice,
        Self::Autogroup,
        Self::CpuAffinity,
        Self::Scheduler,
        Self::IoPriority,
        Self::MemoryPolicy,
        Self::TimerSlack,
        Self::OomScore,
        Self::FixedAddresses,
        Self::BoundingSet,
        Self::SecureBits,
        Self::Groups,
        Self::Gid,
        Self::Uid,
        Self::Capabilities,
        Self::SessionKeyring,
        Self::Chdir,
        Self::NoNewPrivs,
        Self::DieWithParent,
        Self::Mask,
        Self::PreExec,
        Self::Close,
        Self::Unveil,
        Self::Pledge,
        Self::Landlock,
        Self::Seccomp,
        Self::Suspend,
        Self::Exec,
    ];

    /// The number of stages: the length of a table that is indexed by stage.
    pub const COUNT: usize = Self::Exec as usize + 1;

    /// Returns the name for logs and programs. It does not change with the wording of messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Start => "start",
            Self::UnshareFiles => "unshare-files",
            Self::TakeFds => "take-fds",
            Self::KeepFds => "keep-fds",
            Self::DupFds => "dup-fds",
            Self::Cgroup => "cgroup",
            Self::Namespaces => "namespaces",
            Self::IdMaps => "id-maps",
            Self::ClockOffsets => "clock-offsets",
            Self::Jail => "jail",
            Self::Chroot => "chroot",
            Self::EarlyChdir => "early-chdir",
            Self::Umask => "umask",
            Self::Signals => "signals",
            Self::Session => "session",
            Self::ProcessGroup => "process-group",
            Self::Terminal => "terminal",
            Self::Foreground => "foreground",
            Self::Limits => "limits",
            Self::Nice => "nice",
            Self::Autogroup => "autogroup",
            Self::CpuAffinity => "cpu-affinity",
            Self::Scheduler => "scheduler",
            Self::IoPriority => "io-priority",
            Self::MemoryPolicy => "memory-policy",
            Self::TimerSlack => "timer-slack",
            Self::OomScore => "oom-score",
            Self::FixedAddresses => "fixed-addresses",
            Self::BoundingSet => "bounding-set",
            Self::SecureBits => "securebits",
            Self::Groups => "groups",
            Self::Gid => "gid",
            Self::Uid => "uid",
            Self::Capabilities => "capabilities",
            Self::SessionKeyring => "session-keyring",
            Self::Chdir => "chdir",
            Self::NoNewPrivs => "no-new-privs",
            Self::DieWithParent => "die-with-parent",
            Self::Mask => "mask",
            Self::PreExec => "pre-exec",
            Self::Close => "close",
            Self::Unveil => "unveil",
            Self::Pledge => "pledge",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Suspend => "suspend",
            Self::Exec => "exec",
        }
    }

    /// Returns what the stage does, as the phrase that follows "cannot" in an error message.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Setup => "prepare the start",
            Self::Start => "create the child process",
            Self::UnshareFiles => "unshare the descriptor table",
            Self::TakeFds => "take the descriptor from the parent",
            Self::KeepFds => "make the kept descriptor inheritable",
            Self::DupFds => "place the descriptor",
            Self::Cgroup => "enter the cgroup",
            Self::Namespaces => "enter the namespaces",
            Self::IdMaps => "map the ids of the user namespace",
            Self::ClockOffsets => "set the clock offsets",
            Self::Jail => "enter the jail",
            Self::Chroot => "enter the root directory",
            Self::EarlyChdir => "enter the open working directory",
            Self::Umask => "set the umask",
            Self::Signals => "set the disposition of the signal",
            Self::Session => "create a session",
            Self::ProcessGroup => "join the process group",
            Self::Terminal => "set the controlling terminal",
            Self::Foreground => "make the process group the foreground group of the terminal",
            Self::Limits => "set the resource limit",
            Self::Nice => "set the nice value",
            Self::Autogroup => "set the nice value of the autogroup",
            Self::CpuAffinity => "set the CPU affinity",
            Self::Scheduler => "set the scheduling policy",
            Self::IoPriority => "set the I/O priority",
            Self::MemoryPolicy => "set the memory policy",
            Self::TimerSlack => "set the timer slack",
            Self::OomScore => "set the OOM score adjustment",
            Self::FixedAddresses => "disable address space randomization",
            Self::BoundingSet => "reduce the capability bounding set",
            Self::SecureBits => "set the securebits",
            Self::Groups => "set the supplementary groups",
            Self::Gid => "set the group id",
            Self::Uid => "set the user id",
            Self::Capabilities => "set the capabilities",
            Self::SessionKeyring => "create a session keyring",
            Self::Chdir => "enter the working directory",
            Self::NoNewPrivs => "set no_new_privs",
            Self::DieWithParent => "set the parent-death signal",
            Self::Mask => "set the signal mask",
            Self::PreExec => "run the pre-exec closure",
            Self::Close => "close the other descriptors",
            Self::Unveil => "unveil the path",
            Self::Pledge => "set the promises",
            Self::Landlock => "enforce the Landlock ruleset",
            Self::Seccomp => "install the seccomp filter",
            Self::Suspend => "suspend the program at its start",
            Self::Exec => "execute",
        }
    }

    /// Returns whether the stage sets attributes that only some systems have ([`Attribute`](crate::Attribute)).
    pub const fn sets_attributes(self) -> bool {
        matches!(
            self,
            Self::ClockOffsets
                | Self::Jail
                | Self::Autogroup
                | Self::CpuAffinity
                | Self::Scheduler
                | Self::IoPriority
                | Self::MemoryPolicy
                | Self::TimerSlack
                | Self::OomScore
                | Self::FixedAddresses
                | Self::BoundingSet
                | Self::SecureBits
                | Self::Capabilities
                | Self::SessionKeyring
                | Self::Unveil
                | Self::Pledge
                | Self::Landlock
                | Self::Seccomp
                | Self::Suspend
        )
    }

    /// Converts the byte of a report to its stage.
    pub const fn from_u8(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Setup),
            1 => Some(Self::Start),
            // `ORDER` starts at discriminant 2 and has no hole, as a test checks.
            2..=47 => Some(Self::ORDER[(byte - 2) as usize]),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Stage;
    use std::collections::BTreeSet;

    #[test]
    fn each_stage_has_its_own_description() {
        let every = || [Stage::Setup, Stage::Start].into_iter().chain(Stage::ORDER);
        let words: BTreeSet<_> = every().map(Stage::describe).collect();
        assert_eq!(words.len(), Stage::COUNT);
        assert!(words.iter().all(|words| !words.is_empty()));
    }

    /// Faults: E20
    #[test]
    fn each_stage_has_a_name_in_kebab_case() {
        let every = || [Stage::Setup, Stage::Start].into_iter().chain(Stage::ORDER);
        let names: BTreeSet<_> = every().map(Stage::name).collect();
        assert_eq!(names.len(), Stage::COUNT);
        let is_kebab = |name: &str| name.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase());
        assert!(names.iter().all(|name| is_kebab(name)), "{names:?}");
        assert_eq!(
            [Stage::ProcessGroup, Stage::NoNewPrivs].map(Stage::name),
            ["process-group", "no-new-privs"]
        );
    }

    #[test]
    fn stages_of_the_parent_have_a_byte() {
        assert_eq!((Stage::from_u8(0), Stage::from_u8(1)), (Some(Stage::Setup), Some(Stage::Start)));
    }

    #[test]
    fn order_follows_the_discriminants_without_a_gap() {
        for (position, &stage) in Stage::ORDER.iter().enumerate() {
            assert_eq!(stage as usize, position + 2);
            assert_eq!(Stage::from_u8(stage as u8), Some(stage));
        }
        assert_eq!(Stage::COUNT, Stage::ORDER.len() + 2);
        assert_eq!(Stage::from_u8(u8::try_from(Stage::COUNT).unwrap()), None);
    }
}
