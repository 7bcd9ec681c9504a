//! Signals.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use libc::c_int;

use super::check;

/// The numbers of the signals that the calling thread blocks, as bits from 0.
pub(crate) fn blocked_signals() -> io::Result<u64> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: no new mask is given, and `set` has room for the old one.
    let result = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), set.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::from_raw_os_error(result));
    }
    // SAFETY: pthread_sigmask succeeded, so it has filled it.
    Ok(bits(&unsafe { set.assume_init() }))
}

/// Handler, flags and mask of a signal.
pub(crate) fn signal_action(signal: c_int) -> io::Result<(usize, c_int, u64)> {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: no new action is given, and `action` has room for the old one.
    check(unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) })?;
    // SAFETY: sigaction succeeded, so it has filled it.
    let action = unsafe { action.assume_init() };
    Ok((action.sa_sigaction, action.sa_flags, bits(&action.sa_mask)))
}

#[expect(clippy::allow_attributes, reason = "it is as small as a number on Android")]
#[allow(clippy::trivially_copy_pass_by_ref)]
fn bits(set: &libc::sigset_t) -> u64 {
    // SAFETY: the set is initialised, and a number out of range is an error.
    let is_member = |signal: &c_int| unsafe { libc::sigismember(set, *signal) } == 1;
    (1..=64).filter(is_member).fold(0, |bits, signal| bits | 1 << (signal - 1))
}

/// Gives every signal its default action, as far as the C library and the kernel let it.
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: the call replaces a disposition, and touches no memory of ours. A signal that may not be set is refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}
