//! The attributes of NetBSD: the processors and the scheduling policy.
//!
//! Each call acts on the calling process alone. exec keeps what they set, which is how schedctl(8) starts commands.

use crate::NetbsdSys;
use core::ffi::{c_int, c_ulong};
use forkexec_core::{Attribute, Errno, Scheduler};

/// A call that changes an attribute of the calling process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeCall<'a> {
    /// `_sched_setaffinity` of `sys/sched.h`: a set of processors.
    SetAffinity(&'a [u32]),
    /// `_sched_setparam` of `sys/sched.h`: a policy (`SCHED_*`) and a priority.
    SetPolicy(c_int, c_int),
}

/// Sets an attribute of the calling process.
pub(crate) fn set<S: NetbsdSys>(sys: &S, attribute: Attribute<'_>) -> Result<(), Errno> {
    match attribute {
        Attribute::CpuAffinity(mask) => set_affinity(sys, mask),
        Attribute::Scheduler(scheduler) => {
            let (policy, priority) = policy(scheduler).ok_or(Errno::NOSYS)?;
            sys.attribute(AttributeCall::SetPolicy(policy, priority))
        }
        _ => Err(Errno::NOSYS),
    }
}

const PER_WORD: usize = u32::BITS as usize;

/// The words of the largest set. No kernel has as many processors (`MAXCPUS` of `machine/cpu.h` is at most 256).
const WORDS: usize = 1024 / PER_WORD;

/// A kernel refuses a set that is larger than its own with `EINVAL`, and takes a smaller one (`kcpuset_copyin` of
/// sys/kern/subr_kcpuset.c). So the set ends with its highest processor. The kernel ignores a processor that does not exist, and if
/// none exists, removes the affinity (`sys__sched_setaffinity` of sys/kern/sys_sched.c, 1.50). So the child counts them first. Their
/// numbers have no gap, and none goes away (`mi_cpu_attach` of sys/kern/kern_cpu.c).
fn set_affinity<S: NetbsdSys>(sys: &S, mask: &[c_ulong]) -> Result<(), Errno> {
    let mut set = [0; WORDS];
    let end = copy(mask, &mut set).ok_or(Errno::INVAL)?;
    if end > sys.processors()? {
        return Err(Errno::INVAL);
    }
    let set = set.get(..end.div_ceil(PER_WORD)).ok_or(Errno::INVAL)?;
    sys.attribute(AttributeCall::SetAffinity(set))
}

/// Copies the processors of a mask. Returns one more than the highest processor, `None` if the set is too small.
///
/// The words of the kernel have 32 bits, on every machine.
fn copy(mask: &[c_ulong], set: &mut [u32]) -> Option<usize> {
    let per_word = c_ulong::BITS as usize;
    let mut end = 0;
    for (index, word) in mask.iter().enumerate() {
        for bit in (0..per_word).filter(|&bit| word >> bit & 1 == 1) {
            let processor = index.checked_mul(per_word)?.checked_add(bit)?;
            *set.get_mut(processor / PER_WORD)? |= 1 << (processor % PER_WORD);
            end = processor + 1;
        }
    }
    Some(end)
}

/// `SCHED_PRI_MAX` of `sys/param.h`. A higher number is a higher priority.
pub(crate) const HIGHEST: u8 = 63;

/// `PRI_NONE` of `sys/param.h`: the kernel chooses. Another priority of `SCHED_OTHER` is `EINVAL` (`do_sched_setparam` of
/// sys/kern/sys_sched.c).
const CHOSEN_BY_THE_KERNEL: c_int = -1;

/// The policy and the priority of `_sched_setparam`. The numbers are those of `sys/sched.h`. NetBSD has no other policies.
pub(crate) const fn policy(scheduler: Scheduler) -> Option<(c_int, c_int)> {
    match scheduler {
        Scheduler::Other => Some((0, CHOSEN_BY_THE_KERNEL)),
        Scheduler::Fifo(priority) => Some((1, priority as c_int)),
        Scheduler::RoundRobin(priority) => Some((2, priority as c_int)),
        _ => None,
    }
}
