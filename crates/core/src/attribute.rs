//! The attributes of a process that only some systems have, as data.
//!
//! A plan has a list of them. Each belongs to one [`Stage`], and [`Stage::ORDER`] says when the child sets it. The backend
//! knows the calls ([`Backend::set_attribute`](crate::Backend::set_attribute)).

use crate::{Fd, Operation, Stage};
use core::ffi::{CStr, c_ulong};
use core::fmt;
use core::time::Duration;

/// An attribute of the program's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attribute<'a> {
    /// The offsets of the clocks of its new time namespace: the content of `timens_offsets` (time_namespaces(7)).
    ClockOffsets(&'a [u8]),
    /// The jail that it enters, by its ID (jail(8)).
    Jail(i32),
    /// The nice value of the autogroup of its session.
    AutogroupNice(i32),
    /// The processors that may run it. Bit `n % c_ulong::BITS` of word `n / c_ulong::BITS` is processor `n`.
    CpuAffinity(&'a [c_ulong]),
    /// Its scheduling policy.
    Scheduler(Scheduler),
    /// Its I/O priority.
    IoPriority(IoPriority),
    /// Its NUMA memory policy, and the nodes as bits: as for the processors.
    MemoryPolicy(MemoryPolicy, &'a [c_ulong]),
    /// The nanoseconds by which its timers may expire late.
    TimerSlack(u64),
    /// Its adjustment of the out-of-memory killer's choice, from -1000 (never) to 1000 (first).
    OomScore(i32),
    /// Fixed addresses: no randomization of its address space.
    FixedAddresses,
    /// The capabilities that exec may still give, as a mask. All others leave the bounding set.
    BoundingSet(u64),
    /// The securebits.
    SecureBits(u32),
    /// The permitted capabilities survive the change of the user ID. exec clears this flag.
    KeepCapabilities,
    /// Its capabilities.
    Capabilities(CapabilitySets),
    /// A new, empty session keyring.
    SessionKeyring,
    /// A path that it may use.
    Unveil(Unveil<'a>),
    /// No other path can be unveiled later.
    LockUnveil,
    /// The promises with which the program begins (pledge(2)).
    Pledge(&'a CStr),
    /// A Landlock ruleset, by its descriptor. The program gets the descriptor only if the plan also keeps it.
    Landlock(Fd),
    /// A seccomp filter.
    Seccomp(SeccompFilter<'a>),
    /// Stopped before its first instruction.
    Suspended,
}

impl Attribute<'_> {
    /// The stage that sets it.
    pub const fn stage(self) -> Stage {
        match self {
            Self::ClockOffsets(_) => Stage::ClockOffsets,
            Self::Jail(_) => Stage::Jail,
            Self::AutogroupNice(_) => Stage::Autogroup,
            Self::CpuAffinity(_) => Stage::CpuAffinity,
            Self::Scheduler(_) => Stage::Scheduler,
            Self::IoPriority(_) => Stage::IoPriority,
            Self::MemoryPolicy(..) => Stage::MemoryPolicy,
            Self::TimerSlack(_) => Stage::TimerSlack,
            Self::OomScore(_) => Stage::OomScore,
            Self::FixedAddresses => Stage::FixedAddresses,
            Self::BoundingSet(_) => Stage::BoundingSet,
            Self::SecureBits(_) | Self::KeepCapabilities => Stage::SecureBits,
            Self::Capabilities(_) => Stage::Capabilities,
            Self::SessionKeyring => Stage::SessionKeyring,
            Self::Unveil(_) | Self::LockUnveil => Stage::Unveil,
            Self::Pledge(_) => Stage::Pledge,
            Self::Landlock(_) => Stage::Landlock,
            Self::Seccomp(_) => Stage::Seccomp,
            Self::Suspended => Stage::Suspend,
        }
    }

    /// The operand of a report about it: the index of a path.
    pub(crate) const fn operand(self) -> i32 {
        match self {
            Self::Unveil(path) => path.index,
            _ => 0,
        }
    }

    /// The operation that a system must have.
    pub const fn operation(self) -> Operation {
        match self {
            Self::ClockOffsets(_) => Operation::TimeNamespace,
            Self::Jail(_) => Operation::Jail,
            Self::AutogroupNice(_) => Operation::Autogroup,
            Self::CpuAffinity(_) => Operation::CpuAffinity,
            Self::Scheduler(_) => Operation::Scheduler,
            Self::IoPriority(_) => Operation::IoPriority,
            Self::MemoryPolicy(..) => Operation::MemoryPolicy,
            Self::TimerSlack(_) => Operation::TimerSlack,
            Self::OomScore(_) => Operation::OomScore,
            Self::FixedAddresses => Operation::FixedAddresses,
            Self::BoundingSet(_) | Self::SecureBits(_) | Self::KeepCapabilities | Self::Capabilities(_) => {
                Operation::Capabilities
            }
            Self::SessionKeyring => Operation::SessionKeyring,
            Self::Unveil(_) | Self::LockUnveil => Operation::Unveil,
            Self::Pledge(_) => Operation::Pledge,
            Self::Landlock(_) => Operation::Landlock,
            Self::Seccomp(_) => Operation::Seccomp,
            Self::Suspended => Operation::StartSuspended,
        }
    }
}

/// A scheduling policy (sched(7) of Linux, rtprio(2) of FreeBSD and DragonFly, sched(3) of NetBSD, priocntl(2) of Solaris and
/// illumos, setpriority(2) of macOS, which has `Other` and `Idle`). Only Linux has `Batch` and `Deadline`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheduler {
    /// `SCHED_OTHER`: the default. The nice value is the weight.
    Other,
    /// `SCHED_BATCH`: as `Other`, for programs that compute for long.
    Batch,
    /// `SCHED_IDLE`: runs only if nothing else does. NetBSD, Solaris and illumos lack it. On macOS this is the background
    /// (`PRIO_DARWIN_BG`), which also throttles disk and network.
    Idle,
    /// `SCHED_FIFO`, with this priority: from 1 to 99, on FreeBSD to 31, on NetBSD to 63, on Solaris and illumos to 59. The program runs until it waits. DragonFly lacks it.
    Fifo(u8),
    /// `SCHED_RR`, with this priority: from 1 to 99, on FreeBSD and DragonFly to 31, on NetBSD to 63, on Solaris and
    /// illumos to 59. Programs of the same priority take turns.
    RoundRobin(u8),
    /// `SCHED_DEADLINE`: in each period, the program gets `runtime` of a processor before the deadline. Its children have the default
    /// policy (`SCHED_FLAG_RESET_ON_FORK`).
    Deadline {
        /// The time that it runs in each period. At least 1,024 ns.
        runtime: Duration,
        /// The time within which it gets that, from the start of the period.
        deadline: Duration,
        /// The length of a period.
        period: Duration,
    },
}

/// A NUMA memory policy (set_mempolicy(2)): the nodes from which the kernel takes memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MemoryPolicy {
    /// `MPOL_PREFERRED`: one node, and others if it has no memory left.
    Preferred,
    /// `MPOL_BIND`: these nodes alone.
    Bind,
    /// `MPOL_INTERLEAVE`: these nodes in turn.
    Interleave,
    /// `MPOL_LOCAL`: the node of the processor that allocates (Linux 3.8).
    Local,
}

impl MemoryPolicy {
    /// The name, as `forkexec run` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preferred => "preferred",
            Self::Bind => "bind",
            Self::Interleave => "interleave",
            Self::Local => "local",
        }
    }
}

/// An I/O priority (ioprio_set(2) of Linux, setiopolicy_np(3) of macOS, which has `Idle` only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IoPriority {
    /// The real-time class, with a level from 0 (highest) to 7.
    RealTime(u8),
    /// The default class, with a level from 0 (highest) to 7.
    BestEffort(u8),
    /// Gets the disk only if nothing else needs it.
    Idle,
}

/// As chrt(1) and `forkexec run` take it: `fifo:10`.
impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other => f.write_str("other"),
            Self::Batch => f.write_str("batch"),
            Self::Idle => f.write_str("idle"),
            Self::Fifo(priority) => write!(f, "fifo:{priority}"),
            Self::RoundRobin(priority) => write!(f, "rr:{priority}"),
            Self::Deadline { runtime, deadline, period } => {
                write!(f, "deadline:{runtime:?}:{deadline:?}:{period:?}")
            }
        }
    }
}

/// As `forkexec run` takes it: `best-effort:4`.
impl fmt::Display for IoPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RealTime(level) => write!(f, "realtime:{level}"),
            Self::BestEffort(level) => write!(f, "best-effort:{level}"),
            Self::Idle => f.write_str("idle"),
        }
    }
}

/// A path that the program may use (unveil(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unveil<'a> {
    /// Its index in the list of the caller, the operand of a report.
    pub index: i32,
    /// The path, as the child resolves it.
    pub path: &'a CStr,
    /// The permissions: letters of `rwxc`.
    pub permissions: &'a CStr,
}

/// The capabilities of the program's process, as masks (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapabilitySets {
    /// The inheritable set.
    pub inheritable: u64,
    /// The ambient set, part of `inheritable`.
    pub ambient: u64,
    /// Limits the permitted and the effective set to `inheritable`.
    pub nothing_else: bool,
}

/// A seccomp filter (seccomp(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeccompFilter<'a> {
    /// The program.
    pub program: &'a [BpfInstruction],
    /// The `SECCOMP_FILTER_FLAG_*` bits.
    pub flags: u32,
}

/// One instruction of a seccomp filter, laid out as `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct BpfInstruction {
    /// The operation.
    pub code: u16,
    /// The instructions to skip if a condition is true.
    pub jt: u8,
    /// The instructions to skip if a condition is false.
    pub jf: u8,
    /// The constant.
    pub k: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Attribute<'_>; 21] = [
        Attribute::Unveil(Unveil { index: 0, path: c"/", permissions: c"r" }),
        Attribute::LockUnveil,
        Attribute::Pledge(c"stdio"),
        Attribute::Jail(1),
        Attribute::ClockOffsets(b"monotonic 1 0\n"),
        Attribute::AutogroupNice(1),
        Attribute::MemoryPolicy(MemoryPolicy::Bind, &[1]),
        Attribute::CpuAffinity(&[1]),
        Attribute::Scheduler(Scheduler::Batch),
        Attribute::IoPriority(IoPriority::Idle),
        Attribute::TimerSlack(1),
        Attribute::OomScore(1),
        Attribute::FixedAddresses,
        Attribute::BoundingSet(0),
        Attribute::SecureBits(0),
        Attribute::KeepCapabilities,
        Attribute::Capabilities(CapabilitySets { inheritable: 0, ambient: 0, nothing_else: false }),
        Attribute::SessionKeyring,
        Attribute::Landlock(3),
        Attribute::Seccomp(SeccompFilter { program: &[], flags: 0 }),
        Attribute::Suspended,
    ];

    #[test]
    fn each_attribute_is_set_at_a_stage_of_attributes() {
        assert!(ALL.iter().all(|attribute| attribute.stage().sets_attributes()));
        let stages = Stage::ORDER.iter().filter(|stage| stage.sets_attributes());
        assert!(stages.into_iter().all(|stage| ALL.iter().any(|attribute| attribute.stage() == *stage)));
    }

    #[test]
    fn memory_policies_have_the_names_of_the_option() {
        let policies =
            [MemoryPolicy::Preferred, MemoryPolicy::Bind, MemoryPolicy::Interleave, MemoryPolicy::Local];
        assert_eq!(policies.map(MemoryPolicy::name), ["preferred", "bind", "interleave", "local"]);
    }

    #[test]
    fn capabilities_change_around_the_user() {
        let place = |stage| Stage::ORDER.iter().position(|&other| other == stage);
        assert!(
            place(Stage::SecureBits) < place(Stage::Uid) && place(Stage::Uid) < place(Stage::Capabilities)
        );
    }

    #[test]
    fn what_confines_comes_last() {
        let last = [
            Stage::Close,
            Stage::Unveil,
            Stage::Pledge,
            Stage::Landlock,
            Stage::Seccomp,
            Stage::Suspend,
            Stage::Exec,
        ];
        assert!(Stage::ORDER.ends_with(&last));
    }
}
