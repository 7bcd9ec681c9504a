//! Signals as the kernel has them: sets, dispositions, the mask.

use super::call::done;
use crate::KernelAction;
use core::ffi::c_int;
use core::ptr;
use forkexec_core::{Disposition, Errno, Pid, Signal, SignalSet};

/// The kernel's signal set: 64 bits, on MIPS 128.
const SIGNAL_WORDS: usize = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 2 } else { 1 };
const SIGNAL_SET_SIZE: usize = SIGNAL_WORDS * 8;

const DEFAULT: KernelAction = KernelAction([0; 8]);

const HANDLER: usize = if cfg!(any(target_arch = "mips", target_arch = "mips64")) { 1 } else { 0 };

/// The highest signal that this architecture has.
pub(super) const HIGHEST: Signal = if SIGNAL_WORDS == 2 { 127 } else { 64 };

pub(super) fn action(signal: Signal) -> Result<KernelAction, Errno> {
    let new: *const KernelAction = ptr::null();
    let mut old = DEFAULT;
    // SAFETY: the buffer is larger than the structure of the kernel, and the set size is that of the kernel.
    done(unsafe { syscall!(libc::SYS_rt_sigaction, signal, new, &raw mut old, SIGNAL_SET_SIZE) })?;
    Ok(old)
}

/// # Safety
///
/// A handler in `new` is a function that may run whenever the signal arrives.
pub(super) unsafe fn set_action(signal: Signal, new: &KernelAction) -> Result<(), Errno> {
    let old: *mut KernelAction = ptr::null_mut();
    // SAFETY: as for `action`. The caller guarantees the handler.
    done(unsafe { syscall!(libc::SYS_rt_sigaction, signal, ptr::from_ref(new), old, SIGNAL_SET_SIZE) })
}

pub(super) fn disposition(signal: Signal) -> Result<Disposition, Errno> {
    Ok(match action(signal)?.0[HANDLER] {
        libc::SIG_DFL => Disposition::Default,
        libc::SIG_IGN => Disposition::Ignored,
        _ => Disposition::Handled,
    })
}

pub(super) fn set_disposition(signal: Signal, ignored: bool) -> Result<(), Errno> {
    let mut new = DEFAULT;
    new.0[HANDLER] = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: it has no handler; flags, restorer and mask are zero.
    unsafe { set_action(signal, &new) }
}

fn kernel_set(set: SignalSet) -> [u64; 2] {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of one number")]
    let words = [set.bits() as u64, (set.bits() >> 64) as u64];
    words
}

fn signal_set(words: [u64; 2]) -> SignalSet {
    SignalSet::from_bits(u128::from(words[0]) | u128::from(words[1]) << 64)
}

pub(super) fn set_mask(set: SignalSet) -> Result<SignalSet, Errno> {
    change_mask(libc::SIG_SETMASK, set)
}

fn change_mask(how: c_int, set: SignalSet) -> Result<SignalSet, Errno> {
    let new = kernel_set(set);
    let mut old = [0; 2];
    // SAFETY: both sets are at least as long as the size that is passed.
    done(unsafe { syscall!(libc::SYS_rt_sigprocmask, how, &raw const new, &raw mut old, SIGNAL_SET_SIZE) })?;
    Ok(signal_set(old))
}

/// `linux/ptrace.h`.
const PTRACE_SETSIGMASK: c_int = 0x420b;

/// Sets the mask of a child that is stopped and traced by this thread.
pub(super) fn set_mask_of(child: Pid, set: SignalSet) -> Result<(), Errno> {
    let set = kernel_set(set);
    // SAFETY: the set is at least as long as the size that is passed. The kernel refuses a process that this thread does not trace.
    done(unsafe { syscall!(libc::SYS_ptrace, PTRACE_SETSIGMASK, child, SIGNAL_SET_SIZE, &raw const set) })
}

/// The signal by which the C library changes the IDs of each thread: `SIGSETXID` of glibc and uClibc, `SIGSYNCCALL` of musl.
/// Other libraries change only those of the calling thread.
const ID_CHANGE: Option<Signal> = if cfg!(any(target_env = "gnu", target_env = "uclibc")) {
    Some(33)
} else if cfg!(target_env = "musl") {
    Some(34)
} else {
    None
};

/// Unblocks the signal of the C library for changes of IDs. All other signals stay blocked.
///
/// A thread that changes IDs waits for all other threads. Meanwhile it holds a lock that fork(3) itself may wait for (musl), or
/// that a fork handler may wait for through a thread that creates another one (glibc). The handler belongs to the C library
/// and ignores signals from other senders, so it may run in the child, too.
pub(super) fn let_ids_change() {
    if let Some(signal) = ID_CHANGE {
        // This cannot fail: the set is valid, and the launcher has just changed the mask by the same call.
        let _ = change_mask(libc::SIG_UNBLOCK, SignalSet::EMPTY.with(signal));
    }
}
