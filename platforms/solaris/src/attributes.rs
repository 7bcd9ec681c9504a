//! The attributes of Solaris and illumos: the processor, the scheduling class, and on illumos fixed addresses.
//!
//! Each call acts on the calling process alone. exec keeps what they set, which is how pbind(8), priocntl(1) and psecflags(1) start
//! commands.

use crate::SolarisSys;
use core::ffi::{CStr, c_int, c_short, c_ulong};
use forkexec_core::{Attribute, Errno, Scheduler};

/// A call that changes an attribute of the calling process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeCall {
    /// processor_bind(2): the number of a processor.
    Bind(c_int),
    /// priocntl(2) with `PC_SETPARMS`: the ID of a class, and its parameters.
    SetClass(c_int, Class),
    /// psecflags(2) with `PSF_INHERIT`: exec no longer sets `PROC_SEC_ASLR`. `ENOSYS` on Solaris.
    DisableAslr,
}

/// A scheduling class, with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `tsparms_t`, with no change of the user priority, which follows from the nice value.
    TimeSharing,
    /// `rtparms_t`: the priority, and the time quantum in nanoseconds or one of `RT_*`.
    RealTime(c_short, c_int),
}

impl Class {
    const fn name(self) -> &'static CStr {
        match self {
            Self::TimeSharing => c"TS",
            Self::RealTime(..) => c"RT",
        }
    }
}

/// Sets an attribute of the calling process.
pub(crate) fn set<S: SolarisSys>(sys: &S, attribute: Attribute<'_>) -> Result<(), Errno> {
    match attribute {
        Attribute::CpuAffinity(mask) => sys.attribute(AttributeCall::Bind(only_processor(mask)?)),
        // The IDs of classes depend on the order in which the kernel loaded them.
        Attribute::Scheduler(scheduler) => {
            let class = class(scheduler).ok_or(Errno::NOSYS)?;
            let id = sys.class_id(class.name())?;
            sys.attribute(AttributeCall::SetClass(id, class))
        }
        Attribute::FixedAddresses => sys.attribute(AttributeCall::DisableAslr),
        _ => Err(Errno::NOSYS),
    }
}

/// Returns the only processor of a mask. The kernel binds to one. For several it has processor sets, which need privilege and keep
/// others out (pset_create(2)).
fn only_processor(mask: &[c_ulong]) -> Result<c_int, Errno> {
    let mut words = (0..).zip(mask).filter(|(_, word)| **word != 0);
    match (words.next(), words.next()) {
        (Some((index, word)), None) if word.is_power_of_two() => {
            let number =
                u32::checked_mul(index, c_ulong::BITS).and_then(|it| it.checked_add(word.trailing_zeros()));
            number.and_then(|number| c_int::try_from(number).ok()).ok_or(Errno::INVAL)
        }
        _ => Err(Errno::NOSYS),
    }
}

/// The highest priority of the real-time class, unless dispadmin(8) configured another one (rt_dptbl(5)).
pub(crate) const HIGHEST: u8 = 59;

/// `RT_TQINF` and `RT_TQDEF` of `sys/rtpriocntl.h`: until it waits, and the default of the priority.
const UNTIL_IT_WAITS: c_int = -2;
const DEFAULT_QUANTUM: c_int = -3;

/// The class of a policy, as sched_setscheduler(3C) maps it (`libc/port/rt/sched.c` at 0c1a1d7). There are no other policies: no class
/// runs only if nothing else does.
pub(crate) const fn class(scheduler: Scheduler) -> Option<Class> {
    match scheduler {
        Scheduler::Other => Some(Class::TimeSharing),
        Scheduler::Fifo(priority) => Some(Class::RealTime(priority as c_short, UNTIL_IT_WAITS)),
        Scheduler::RoundRobin(priority) => Some(Class::RealTime(priority as c_short, DEFAULT_QUANTUM)),
        _ => None,
    }
}
