//! The attributes that only Linux has: the calls of each, and what is verified.
//!
//! A seccomp filter may answer 0 and do nothing (`SECCOMP_RET_ERRNO` with 0, seccomp(2)), as emulators of root do. So the child
//! verifies what protects: capabilities, securebits, rulesets and filters. It does not verify what only tunes.

pub(crate) mod capabilities;

use crate::LinuxSys;
use core::ffi::{CStr, c_ulong};
use core::iter;
use core::time::Duration;
use forkexec_core::{
    Access, Attribute, BpfInstruction, Errno, Fd, IoPriority, MemoryPolicy, NamespaceSet, Scheduler,
    SeccompFilter, SignalSet,
};

/// A call that reads or changes an attribute of the calling thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeCall<'a> {
    /// sched_setaffinity(2).
    SetAffinity(&'a [c_ulong]),
    /// sched_setscheduler(2): a policy (`SCHED_*`) and a priority.
    SetScheduler(i32, i32),
    /// sched_setattr(2) with `SCHED_DEADLINE` and `SCHED_FLAG_RESET_ON_FORK`: nanoseconds.
    SetDeadline(Deadline),
    /// set_mempolicy(2): a mode (`MPOL_*`) and the nodes.
    SetMemoryPolicy(i32, &'a [c_ulong]),
    /// ioprio_set(2): a class and a level.
    SetIoPriority(u32),
    /// `PR_SET_TIMERSLACK` of prctl(2), in nanoseconds.
    SetTimerSlack(u64),
    /// personality(2). `PERSONALITY_QUERY` only returns the current one.
    Personality(u32),
    /// `PR_CAPBSET_READ` of prctl(2): 1 if the capability is in the bounding set. `EINVAL` if there is no such capability.
    IsInBoundingSet(u32),
    /// `PR_CAPBSET_DROP` of prctl(2).
    DropFromBoundingSet(u32),
    /// `PR_GET_SECUREBITS` of prctl(2).
    SecureBits,
    /// `PR_SET_SECUREBITS` of prctl(2).
    SetSecureBits(u32),
    /// `PR_SET_KEEPCAPS` of prctl(2), with 1.
    KeepCapabilities,
    /// capset(2).
    SetCapabilities(CapabilityMasks),
    /// `PR_CAP_AMBIENT_CLEAR_ALL` of prctl(2).
    ClearAmbient,
    /// `PR_CAP_AMBIENT_RAISE` of prctl(2).
    RaiseAmbient(u32),
    /// `PR_CAP_AMBIENT_IS_SET` of prctl(2).
    IsAmbient(u32),
    /// setns(2) with a descriptor of a namespace of any kind.
    JoinNamespace(Fd),
    /// unshare(2).
    Unshare(NamespaceSet),
    /// `KEYCTL_JOIN_SESSION_KEYRING` of keyctl(2), without a name: a new keyring.
    JoinSessionKeyring,
    /// landlock_restrict_self(2).
    RestrictSelf(Fd),
    /// `SECCOMP_SET_MODE_FILTER` of seccomp(2): the program and the flags.
    SetSeccompFilter(&'a [BpfInstruction], u32),
    /// `PTRACE_TRACEME` of ptrace(2). `EPERM` if the process is traced.
    TraceMe,
}

/// The parameters of `SCHED_DEADLINE`, in nanoseconds (sched(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The time that the thread gets in each period.
    pub runtime: u64,
    /// The time from the start of the period within which the thread gets that.
    pub deadline: u64,
    /// The period.
    pub period: u64,
}

/// The capabilities of a thread, as masks (capget(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapabilityMasks {
    /// The set that the kernel checks.
    pub effective: u64,
    /// The limit of the effective set.
    pub permitted: u64,
    /// The set that exec combines with the file's.
    pub inheritable: u64,
}

/// Sets an attribute of the calling process.
pub(crate) fn set<S: LinuxSys>(sys: &S, attribute: Attribute<'_>) -> Result<(), Errno> {
    let call = |call| sys.attribute(call).map(drop);
    match attribute {
        Attribute::CpuAffinity(mask) => set_affinity(sys, mask),
        Attribute::ClockOffsets(offsets) => write_proc(sys, CLOCK_OFFSETS, offsets),
        Attribute::AutogroupNice(nice) => write_proc(sys, AUTOGROUP, decimal(nice, &mut [0; LENGTH])),
        Attribute::MemoryPolicy(policy, nodes) => set_memory_policy(sys, policy, nodes),
        Attribute::Scheduler(Scheduler::Deadline { runtime, deadline, period }) => {
            let [runtime, deadline, period] =
                [nanoseconds(runtime)?, nanoseconds(deadline)?, nanoseconds(period)?];
            call(AttributeCall::SetDeadline(Deadline { runtime, deadline, period }))
        }
        Attribute::Scheduler(scheduler) => {
            let (policy, priority) = policy(scheduler)?;
            call(AttributeCall::SetScheduler(policy, priority))
        }
        Attribute::IoPriority(priority) => call(AttributeCall::SetIoPriority(io_priority(priority)?)),
        Attribute::TimerSlack(nanoseconds) => call(AttributeCall::SetTimerSlack(nanoseconds)),
        Attribute::OomScore(score) => set_oom_score(sys, score),
        Attribute::FixedAddresses => {
            let current = sys.attribute(AttributeCall::Personality(PERSONALITY_QUERY))?;
            let current = u32::try_from(current).map_err(|_| Errno::IO)?;
            call(AttributeCall::Personality(current | ADDR_NO_RANDOMIZE))
        }
        Attribute::BoundingSet(left) => capabilities::reduce_bounding_set(sys, left),
        Attribute::SecureBits(bits) => capabilities::set_securebits(sys, bits),
        Attribute::KeepCapabilities => call(AttributeCall::KeepCapabilities),
        Attribute::Capabilities(sets) => capabilities::set(sys, sets),
        Attribute::SessionKeyring => call(AttributeCall::JoinSessionKeyring),
        Attribute::Landlock(ruleset) => enforce(sys, ruleset),
        Attribute::Seccomp(filter) => install(sys, filter),
        Attribute::Suspended => become_traced(sys),
        _ => Err(Errno::NOSYS),
    }
}

/// The highest `NR_CPUS` of a kernel. The mask of the kernel must fit (sched_getaffinity(2)).
const PROCESSORS: usize = 8192;

/// The kernel ignores processors that do not exist, and those outside of the cpuset, as long as one is left.
fn set_affinity<S: LinuxSys>(sys: &S, mask: &[c_ulong]) -> Result<(), Errno> {
    sys.attribute(AttributeCall::SetAffinity(mask))?;
    let mut found = [0; PROCESSORS / c_ulong::BITS as usize];
    sys.affinity(&mut found)?;
    if is_same_mask(mask, &found) { Ok(()) } else { Err(Errno::INVAL) }
}

/// Compares a mask with a longer one.
fn is_same_mask(wanted: &[c_ulong], found: &[c_ulong]) -> bool {
    let wanted = wanted.iter().copied().chain(iter::repeat(0));
    wanted.zip(found).all(|(wanted, &found)| wanted == found)
}

/// The highest number of nodes of a kernel (`MAX_NUMNODES`). The mask of the kernel must fit (get_mempolicy(2)).
const NODES: usize = 1024;

/// The kernel ignores nodes that do not exist, and those outside of the cpuset, as long as one is left.
fn set_memory_policy<S: LinuxSys>(sys: &S, policy: MemoryPolicy, nodes: &[c_ulong]) -> Result<(), Errno> {
    let mode = match policy {
        MemoryPolicy::Preferred => 1,
        MemoryPolicy::Bind => 2,
        MemoryPolicy::Interleave => 3,
        MemoryPolicy::Local => 4,
        _ => return Err(Errno::NOSYS),
    };
    sys.attribute(AttributeCall::SetMemoryPolicy(mode, nodes))?;
    let mut found = [0; NODES / c_ulong::BITS as usize];
    let found_mode = sys.memory_policy(&mut found)?;
    let is_set = found_mode == mode && is_same_mask(nodes, &found);
    if is_set { Ok(()) } else { Err(Errno::INVAL) }
}

fn nanoseconds(duration: Duration) -> Result<u64, Errno> {
    u64::try_from(duration.as_nanos()).map_err(|_| Errno::INVAL)
}

/// The policies of `linux/sched.h`.
fn policy(scheduler: Scheduler) -> Result<(i32, i32), Errno> {
    Ok(match scheduler {
        Scheduler::Other => (0, 0),
        Scheduler::Fifo(priority) => (1, priority.into()),
        Scheduler::RoundRobin(priority) => (2, priority.into()),
        Scheduler::Batch => (3, 0),
        Scheduler::Idle => (5, 0),
        _ => return Err(Errno::NOSYS),
    })
}

/// The classes of `linux/ioprio.h`, in bits 13 to 15.
fn io_priority(priority: IoPriority) -> Result<u32, Errno> {
    Ok(match priority {
        IoPriority::RealTime(level) => 1 << 13 | u32::from(level),
        IoPriority::BestEffort(level) => 2 << 13 | u32::from(level),
        IoPriority::Idle => 3 << 13,
        _ => return Err(Errno::NOSYS),
    })
}

/// `linux/personality.h`.
const PERSONALITY_QUERY: u32 = 0xffff_ffff;
const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;

/// The file takes a line for each clock (time_namespaces(7)).
const CLOCK_OFFSETS: &CStr = c"/proc/self/timens_offsets";

/// The file takes a decimal number (proc_pid_autogroup(5)).
const AUTOGROUP: &CStr = c"/proc/self/autogroup";

/// The file takes a decimal number (proc_pid_oom_score_adj(5)).
const OOM_SCORE: &CStr = c"/proc/self/oom_score_adj";

/// The kernel does not change the score of a parent that shares its memory with a child of vfork(2) (`__set_oom_adj` of
/// fs/proc/base.c).
fn set_oom_score<S: LinuxSys>(sys: &S, score: i32) -> Result<(), Errno> {
    write_proc(sys, OOM_SCORE, decimal(score, &mut [0; LENGTH]))
}

/// Writes to a file on procfs, at once. `ENOENT` if the file is on another file system.
pub(crate) fn write_proc<S: LinuxSys>(sys: &S, path: &CStr, text: &[u8]) -> Result<(), Errno> {
    let file = sys.open_file(path, Access::Write)?;
    let written = match sys.is_on_procfs(file) {
        Ok(true) => sys.write(file, text).map(drop),
        Ok(false) => Err(Errno::NOENT),
        Err(errno) => Err(errno),
    };
    sys.close(file)?;
    written
}

/// A sign and the digits of an `i32`.
const LENGTH: usize = 11;

fn decimal(number: i32, digits: &mut [u8; LENGTH]) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        length += 1;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        length += 1;
        if let Some(sign) = digits.iter_mut().nth_back(length - 1) {
            *sign = b'-';
        }
    }
    digits.get(LENGTH - length..).unwrap_or_default()
}

/// No call tells whether a ruleset is enforced. A filter that answers 0 to everything also does for a descriptor that no process has.
fn enforce<S: LinuxSys>(sys: &S, ruleset: Fd) -> Result<(), Errno> {
    sys.attribute(AttributeCall::RestrictSelf(ruleset))?;
    verify(sys.attribute(AttributeCall::RestrictSelf(NO_FD)).is_err())
}

const NO_FD: Fd = -1;

/// A filter without instructions is invalid. Such a call shows whether another filter answers for the kernel. It comes first,
/// because the new filter may forbid it.
fn install<S: LinuxSys>(sys: &S, filter: SeccompFilter<'_>) -> Result<(), Errno> {
    verify(sys.attribute(AttributeCall::SetSeccompFilter(&[], 0)).is_err())?;
    sys.attribute(AttributeCall::SetSeccompFilter(filter.program, filter.flags)).map(drop)
}

/// execve(2) then stops the process by `SIGTRAP`, unless that signal is blocked (ptrace(2)). All others are blocked, because any
/// would stop a traced process before its exec, while its tracer is suspended. The launcher sets the mask of the program at the
/// stop.
///
/// The call fails in a process that is traced. So a second one shows whether a filter answered the first.
fn become_traced<S: LinuxSys>(sys: &S) -> Result<(), Errno> {
    sys.set_mask(SignalSet::ALL.without(libc::SIGTRAP))?;
    sys.attribute(AttributeCall::TraceMe)?;
    verify(sys.attribute(AttributeCall::TraceMe).is_err())
}

/// Returns `EPERM` if a call succeeded and changed nothing, because no errno fits better.
pub(crate) fn verify(is_so: bool) -> Result<(), Errno> {
    if is_so { Ok(()) } else { Err(Errno::PERM) }
}

#[cfg(test)]
mod tests {
    use super::{LENGTH, decimal};
    use rstest::rstest;
    use std::string::ToString;

    #[rstest]
    fn decimal_is_that_of_std(#[values(0, 7, -7, 10, 1000, -1000, i32::MAX, i32::MIN)] number: i32) {
        assert_eq!(decimal(number, &mut [0; LENGTH]), number.to_string().as_bytes());
    }
}
