//! The calls of attributes: one call and one check for each.

use super::call::{check, done};
use super::clone::flag;
use crate::{AttributeCall, CapabilityMasks, Deadline};
use core::ffi::{c_ulong, c_ushort};
use forkexec_core::{BpfInstruction, Errno};

/// `linux/capability.h`: two times 32 capabilities, of the calling thread.
const HEADER: [u32; 2] = [0x2008_0522, 0];

pub(super) fn capget() -> Result<CapabilityMasks, Errno> {
    // Effective, permitted, inheritable. If the kernel writes nothing, all capabilities seem present.
    let mut sets = [u32::MAX; 6];
    // In writable memory: qemu-user refuses another header.
    let mut header = HEADER;
    // SAFETY: the kernel reads a header of two words, and writes two times three words.
    done(unsafe { syscall!(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) })?;
    let [low @ .., effective, permitted, inheritable] = sets;
    let mask = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Ok(CapabilityMasks {
        effective: mask(low[0], effective),
        permitted: mask(low[1], permitted),
        inheritable: mask(low[2], inheritable),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of each mask")]
fn capset(masks: CapabilityMasks) -> Result<(), Errno> {
    let masks = [masks.effective, masks.permitted, masks.inheritable];
    let [low, high] = [masks.map(|mask| mask as u32), masks.map(|mask| (mask >> 32) as u32)];
    let sets = [low, high];
    let mut header = HEADER;
    // SAFETY: the kernel reads a header of two words, and two times three words. `Kernel::new` allows the change of the caller.
    done(unsafe { syscall!(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr()) })
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: c_ushort,
    instructions: *const BpfInstruction,
}

fn set_filter(program: &[BpfInstruction], flags: u32) -> Result<(), Errno> {
    let length = c_ushort::try_from(program.len()).map_err(|_| Errno::INVAL)?;
    let program = Program { length, instructions: program.as_ptr() };
    // SAFETY: the kernel copies the instructions, whose memory is borrowed for the call. `Kernel::new` allows the change.
    done(unsafe { syscall!(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &raw const program) })
}

/// The first version of `struct sched_attr`.
#[repr(C)]
struct SchedulingAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

fn set_deadline(deadline: Deadline) -> Result<(), Errno> {
    const SIZE: u32 = 48;
    const { assert!(size_of::<SchedulingAttributes>() == SIZE as usize) };
    let Deadline { runtime, deadline, period } = deadline;
    let mut attributes = SchedulingAttributes {
        size: SIZE,
        policy: SCHED_DEADLINE,
        flags: SCHED_FLAG_RESET_ON_FORK,
        nice: 0,
        priority: 0,
        runtime,
        deadline,
        period,
    };
    // SAFETY: the kernel reads the structure, whose size is in it, and may write that size. The call changes the calling thread.
    done(unsafe { syscall!(libc::SYS_sched_setattr, SELF, &raw mut attributes, 0_i32) })
}

/// The number that the kernel takes for a mask: it reads one bit less.
fn node_bits(nodes: &[c_ulong]) -> usize {
    nodes.len().saturating_mul(c_ulong::BITS as usize).saturating_add(1)
}

/// get_mempolicy(2) of the calling thread.
pub(super) fn memory_policy(nodes: &mut [c_ulong]) -> Result<i32, Errno> {
    let mut mode = 0_i32;
    let bits = node_bits(nodes);
    // SAFETY: the kernel writes an int, and that many bits, rounded up to words: one bit less has room.
    done(unsafe {
        syscall!(libc::SYS_get_mempolicy, &raw mut mode, nodes.as_mut_ptr(), bits, 0_usize, 0_i32)
    })?;
    Ok(mode)
}

const SCHED_DEADLINE: u32 = 6;
const SCHED_FLAG_RESET_ON_FORK: u64 = 1;
const SECCOMP_SET_MODE_FILTER: u32 = 1;
const IOPRIO_WHO_PROCESS: i32 = 1;
const KEYCTL_JOIN_SESSION_KEYRING: i32 = 1;
/// The calling thread or process.
const SELF: i32 = 0;

/// prctl(2). The kernel requires that the arguments which an operation does not use are 0.
macro_rules! prctl {
    ($option:expr, $second:expr, $third:expr) => {
        // SAFETY: the arguments are numbers. The option changes or reads the calling thread, which `Kernel::new` allows.
        check(unsafe { syscall!(libc::SYS_prctl, $option, $second, $third, 0_i32, 0_i32) })
    };
    ($option:expr, $second:expr) => {
        prctl!($option, $second, 0_i32)
    };
}

pub(super) fn call(call: AttributeCall<'_>) -> Result<u64, Errno> {
    let answer = match call {
        AttributeCall::SetAffinity(mask) => {
            // SAFETY: the kernel reads that many bytes, which are borrowed for the call.
            check(unsafe { syscall!(libc::SYS_sched_setaffinity, SELF, size_of_val(mask), mask.as_ptr()) })
        }
        AttributeCall::SetScheduler(policy, priority) => {
            // SAFETY: the kernel reads a structure of one int.
            check(unsafe { syscall!(libc::SYS_sched_setscheduler, SELF, policy, &raw const priority) })
        }
        AttributeCall::SetDeadline(deadline) => set_deadline(deadline).map(|()| 0),
        AttributeCall::SetMemoryPolicy(mode, nodes) => {
            // SAFETY: the kernel reads that many bits, rounded up to words, which are borrowed for the call.
            check(unsafe { syscall!(libc::SYS_set_mempolicy, mode, nodes.as_ptr(), node_bits(nodes)) })
        }
        AttributeCall::SetIoPriority(priority) => {
            // SAFETY: the arguments are numbers, and the call changes the calling thread.
            check(unsafe { syscall!(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, SELF, priority) })
        }
        AttributeCall::SetTimerSlack(nanoseconds) => prctl!(libc::PR_SET_TIMERSLACK, nanoseconds),
        // SAFETY: the argument is a number, and the call changes the calling thread.
        AttributeCall::Personality(persona) => check(unsafe { syscall!(libc::SYS_personality, persona) }),
        AttributeCall::IsInBoundingSet(capability) => prctl!(libc::PR_CAPBSET_READ, capability),
        AttributeCall::DropFromBoundingSet(capability) => prctl!(libc::PR_CAPBSET_DROP, capability),
        AttributeCall::SecureBits => prctl!(libc::PR_GET_SECUREBITS, 0_i32),
        AttributeCall::SetSecureBits(bits) => prctl!(libc::PR_SET_SECUREBITS, bits),
        AttributeCall::KeepCapabilities => prctl!(libc::PR_SET_KEEPCAPS, 1_i32),
        AttributeCall::SetCapabilities(masks) => capset(masks).map(|()| 0),
        AttributeCall::ClearAmbient => prctl!(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL),
        AttributeCall::RaiseAmbient(capability) => {
            prctl!(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, capability)
        }
        AttributeCall::IsAmbient(capability) => {
            prctl!(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_IS_SET, capability)
        }
        AttributeCall::JoinNamespace(namespace) => {
            // SAFETY: the arguments are numbers. `Kernel::new` promises that the caller owns or borrows the descriptor.
            check(unsafe { syscall!(libc::SYS_setns, namespace, 0_i32) })
        }
        AttributeCall::Unshare(namespaces) => {
            let flags = namespaces.iter().fold(0, |flags, namespace| flags | flag(namespace));
            // SAFETY: the argument is a number, and the call changes the calling process alone.
            check(unsafe { syscall!(libc::SYS_unshare, flags) })
        }
        AttributeCall::JoinSessionKeyring => {
            // SAFETY: without a name, the call creates a keyring.
            check(unsafe { syscall!(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0_usize) })
        }
        AttributeCall::RestrictSelf(ruleset) => {
            // SAFETY: the arguments are numbers. `Kernel::new` promises that the caller owns or borrows the descriptor.
            check(unsafe { syscall!(libc::SYS_landlock_restrict_self, ruleset, 0_i32) })
        }
        AttributeCall::SetSeccompFilter(program, flags) => set_filter(program, flags).map(|()| 0),
        AttributeCall::TraceMe => {
            // SAFETY: the arguments are numbers. The call lets the parent trace the calling process, and `Kernel::new` allows that.
            check(unsafe { syscall!(libc::SYS_ptrace, libc::PTRACE_TRACEME, 0_i32, 0_i32, 0_i32) })
        }
    };
    answer.map(|value| u64::try_from(value).unwrap_or(0))
}
