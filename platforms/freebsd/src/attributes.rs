//! The attributes of FreeBSD and DragonFly: the calls of each.
//!
//! Each call acts on the calling thread or process alone, and touches no memory. So a child of vfork(2) may make it.

use crate::{FreebsdSys, System};
use core::ffi::{c_int, c_ulong};
use forkexec_core::{Attribute, Errno, Scheduler};

/// A call that changes an attribute of the calling process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeCall<'a> {
    /// cpuset_setaffinity(2) with `CPU_LEVEL_WHICH` and `CPU_WHICH_PID`, on DragonFly lwp_setaffinity(2) of all threads.
    SetAffinity(&'a [c_ulong]),
    /// rtprio(2) with `RTP_SET`: a type (`RTP_PRIO_*`) and a priority, from 0 (highest) to 31.
    SetPriority(u16, u16),
    /// procctl(2) with `PROC_ASLR_CTL` and `PROC_ASLR_FORCE_DISABLE`. `ENOSYS` on DragonFly.
    DisableAslr,
    /// jail_attach(2).
    AttachJail(c_int),
}

/// Sets an attribute of the calling process.
pub(crate) fn set<S: FreebsdSys>(sys: &S, attribute: Attribute<'_>) -> Result<(), Errno> {
    match attribute {
        Attribute::CpuAffinity(mask) => set_affinity(sys, mask),
        Attribute::Scheduler(scheduler) => {
            let (class, priority) = class(sys.system(), scheduler).ok_or(Errno::NOSYS)?;
            sys.attribute(AttributeCall::SetPriority(class, priority))
        }
        // The arguments are valid, so `EINVAL` means that the command is unknown, as before FreeBSD 13.0 (procctl(2), ERRORS).
        Attribute::FixedAddresses => match sys.attribute(AttributeCall::DisableAslr) {
            Err(Errno::INVAL) => Err(Errno::NOSYS),
            done => done,
        },
        Attribute::Jail(id) => sys.attribute(AttributeCall::AttachJail(id)),
        _ => Err(Errno::NOSYS),
    }
}

const WORD: usize = size_of::<c_ulong>();

/// The size of `cpuset_t` before FreeBSD 14, in words. The kernel takes no other size (`kern_cpuset_setaffinity` of
/// sys/kern/kern_cpuset.c: `ERANGE`).
const SMALL: usize = 256 / 8 / WORD;

/// The size of `cpuset_t` from FreeBSD 14 on (`CPU_MAXSIZE` of sys/_cpuset.h), in words. The kernel takes the smaller one, too.
const LARGE: usize = 1024 / 8 / WORD;

/// The kernel of FreeBSD refuses a processor that does not exist or is not in the set of the process, with `EINVAL`
/// (`cpuset_testshadow` of sys/kern/kern_cpuset.c). So nothing is left to verify.
fn set_affinity<S: FreebsdSys>(sys: &S, mask: &[c_ulong]) -> Result<(), Errno> {
    let mut whole = [0; LARGE];
    whole.get_mut(..mask.len()).ok_or(Errno::INVAL)?.copy_from_slice(mask);
    let size = if mask.len() > SMALL { LARGE } else { SMALL };
    let whole = whole.get(..size).ok_or(Errno::INVAL)?;
    if sys.system() == System::DragonFly {
        return set_fixed_affinity(sys, whole);
    }
    match sys.attribute(AttributeCall::SetAffinity(whole)) {
        // The kernel has fewer processors.
        Err(TOO_LARGE) => Err(Errno::INVAL),
        done => done,
    }
}

/// The kernel of DragonFly ignores processors that do not exist, and refuses a set without any other (`sys_lwp_setaffinity` of
/// sys/kern/kern_usched.c at e4b9e6f: `EPERM`, which it returns for nothing else). So the child reads the set back. It has the size of
/// `cpumask_t` (`CPUMASK_ELEMENTS` of sys/cpu/x86_64/include/types.h: 4).
fn set_fixed_affinity<S: FreebsdSys>(sys: &S, mask: &[c_ulong]) -> Result<(), Errno> {
    if mask.len() > SMALL {
        return Err(Errno::INVAL);
    }
    match sys.attribute(AttributeCall::SetAffinity(mask)) {
        Err(Errno::PERM) => return Err(Errno::INVAL),
        done => done?,
    }
    let mut set = [0; SMALL];
    sys.affinity(&mut set)?;
    if set == *mask { Ok(()) } else { Err(Errno::INVAL) }
}

/// Writes the processors that may run the calling thread. The kernel of FreeBSD takes its own size, and from 14 on a smaller one if all
/// of its processors fit (`kern_cpuset_getaffinity` of sys/kern/kern_cpuset.c: `ERANGE`).
pub(crate) fn processors<S: FreebsdSys>(sys: &S, mask: &mut [c_ulong]) -> Result<(), Errno> {
    let small = mask.get_mut(..SMALL).ok_or(Errno::INVAL)?;
    match sys.affinity(small) {
        Err(TOO_LARGE) => sys.affinity(mask.get_mut(..LARGE).ok_or(Errno::INVAL)?),
        done => done,
    }
}

/// `ERANGE` of both systems.
const TOO_LARGE: Errno = Errno::from_raw(34);

/// `RTP_PRIO_FIFO` of FreeBSD.
const FIFO: u16 = 10;

/// The highest priority of POSIX: `RTP_PRIO_MAX - RTP_PRIO_MIN`.
pub(crate) const HIGHEST: u8 = 31;

/// The lowest priority of rtprio(2): `RTP_PRIO_MAX`.
const LOWEST: u16 = 31;

/// The type and the priority of `struct rtprio`. A higher priority of POSIX is a lower number here (sys/kern/ksched.c of FreeBSD).
///
/// The types are those of `sys/rtprio.h` of each system. DragonFly has no type that runs until it waits.
pub(crate) fn class(system: System, scheduler: Scheduler) -> Option<(u16, u16)> {
    let [realtime, normal, idle] = match system {
        System::FreeBsd => [2, 3, 4],
        System::DragonFly => [0, 1, 2],
    };
    match (scheduler, system) {
        (Scheduler::Other, _) => Some((normal, 0)),
        (Scheduler::Idle, _) => Some((idle, LOWEST)),
        (Scheduler::RoundRobin(priority), _) => Some((realtime, LOWEST.checked_sub(priority.into())?)),
        (Scheduler::Fifo(priority), System::FreeBsd) => Some((FIFO, LOWEST.checked_sub(priority.into())?)),
        _ => None,
    }
}
